#include "models/host/process.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/check.h"
#include "models/host/user_driver.h"

namespace svasim {

Process::Process(const ProcessParams& params, Kernel& kernel, SvaSpace& space, std::vector<Opening> openings)
    : params_(params),
      kernel_(kernel),
      space_(space),
      rng_(kernel.rng(params.name)),
      openings_(std::move(openings)) {
  unsigned entries = kernel_.params().dsa.wq_size;
  for (const Opening& opening : openings_) entries = std::max(entries, opening.entries);
  threads_.push_back(std::make_unique<Thread>(params_.name, params_.steps, params_.outstanding, entries,
                                              kernel_, *this, rng_));
  more_rngs_.reserve(params_.threads.size());  // threads keep references
  for (const ThreadParams& thread : params_.threads) {
    const std::string name = params_.name + "." + thread.name;
    more_rngs_.push_back(kernel_.rng(name));
    threads_.push_back(std::make_unique<Thread>(name, thread.steps, thread.outstanding,
                                                thread.most_outstanding(), kernel_, *this,
                                                more_rngs_.back()));
  }
}

Process::~Process() = default;

std::vector<AddressSpan> Process::records() const {
  std::vector<AddressSpan> spans;
  for (const auto& thread : threads_) {
    const AddressSpan span = thread->operations().records();
    if (span.end != span.start) spans.push_back(span);
  }
  return spans;
}

const Buffer* Process::buffer_at(Addr address) const {
  const auto found = std::find_if(buffers_.begin(), buffers_.end(), [address](const Buffer& buffer) {
    return buffer.mapped && address >= buffer.start && address < buffer.start + buffer.size;
  });
  return found == buffers_.end() ? nullptr : &*found;
}

UserDriver* Process::driver() {
  UserDevices* const devices = kernel_.user_devices();
  if (driver_ == nullptr && devices != nullptr) driver_ = std::make_unique<UserDriver>(*devices, *this);
  return driver_.get();
}

unsigned Process::index_of(const std::string& name) const {
  for (unsigned i = 0; i < buffers_.size(); ++i) {
    if (buffers_[i].params.name == name) {
      return i;
    }
  }
  SVASIM_CHECK(false, "there is no buffer " + name);
}

Opening* Process::find_opening(const std::string& device) {
  const std::string& name = device.empty() ? params_.device : device;
  const auto found = std::find_if(openings_.begin(), openings_.end(),
                                  [&name](const Opening& opening) { return opening.name == name; });
  return found == openings_.end() ? nullptr : &*found;
}

Opening& Process::opening(const std::string& device) {
  Opening* found = find_opening(device);
  SVASIM_CHECK(found != nullptr, params_.name + " has no work queue of " + device);
  return *found;
}

bool Process::map_buffer(Buffer& buffer, Addr address) {
  const BufferParams& p = buffer.params;
  Vma vma;
  vma.write = p.writable;
  vma.content = p.content == "random" ? Content::kRandom : Content::kZero;
  vma.seed = fnv1a(params_.name + "." + p.name) + buffer.generation++;
  vma.kind = p.kind == "file"     ? AreaKind::kFile
             : p.kind == "device" ? AreaKind::kDevice
                                  : AreaKind::kAnonymous;
  vma.physical = p.physical;
  if (UserDevices* const devices = kernel_.user_devices()) vma.there = devices->vfio().there(p.physical);
  vma.huge = p.huge;
  vma.node = p.node;
  vma.inherited = p.inherited;
  buffer.size = (p.size + kPageSize - 1) & ~(kPageSize - 1);
  if (address == 0 && !space_.memory.has_room(buffer.size, vma)) {
    return false;
  }
  buffer.start = space_.memory.map(buffer.size, vma, address);
  buffer.mapped = true;
  if (buffer.is_device()) {
    buffer.shadow = kernel_.device_shadow();
    buffer.base = p.physical;
    return true;
  }
  if (buffer.shadow == nullptr) buffer.shadow = std::make_shared<Shadow>();
  buffer.shadow->map(*space_.memory.find_area(buffer.start));
  if (!space_.kernel) return true;
  for (std::uint64_t offset = 0; offset < buffer.size; offset += kPageSize) bring_in(buffer, offset);
  return true;
}

// SPEC: [LINUX mm/pgtable]: what is no page of the system is only mapped, and stays as it is.
Process::Task Process::lose(Buffer& buffer, std::uint64_t offset, std::uint64_t length) {
  if (buffer.is_device() || !buffer.mapped) {
    return [] {};
  }
  buffer.shadow->forget(offset, length);
  const auto flight = std::make_shared<Flight>();
  buffer.shadow->enter(*flight, offset, length, true);
  return [shadow = buffer.shadow, flight] { shadow->leave(*flight); };
}

void Process::bring_in(const Buffer& buffer, std::uint64_t offset) {
  const FaultResult result = space_.memory.fault(buffer.start + offset, true, buffer.params.writable);
  if (!is_handled(result)) kernel_.pages().too_small("the resident pages of " + params_.name);
}

void Process::set_up() {
  threads_.front()->set_up();
  for (const BufferParams& params : params_.buffers) {
    buffers_.emplace_back();
    buffers_.back().params = params;
    buffers_.back().size = (params.size + kPageSize - 1) & ~(kPageSize - 1);
    if (!params.mapped) {
      continue;
    }
    SVASIM_CHECK(map_buffer(buffers_.back(), 0), "the buffers of " + params_.name + " were checked");
    // Which pages are resident is drawn, how many is exact. Only what was exchanged is kept.
    const std::uint64_t count = buffers_.back().size >> kPageShift;
    std::map<std::uint64_t, std::uint64_t> exchanged;
    const auto at = [&](std::uint64_t place) {
      const auto found = exchanged.find(place);
      return found == exchanged.end() ? place : found->second;
    };
    const auto resident = static_cast<std::uint64_t>(params.resident * static_cast<double>(count) + 0.5);
    for (std::uint64_t i = 0; i < resident; ++i) {
      const std::uint64_t drawn = i + rng_.below(count - i);
      const std::uint64_t page = at(drawn);
      exchanged[drawn] = at(i);
      exchanged.erase(i);
      bring_in(buffers_.back(), page * kPageSize);
    }
  }
  for (std::size_t i = 1; i < threads_.size(); ++i) threads_[i]->set_up();
}

Process::Task Process::set_up_as_child(Process& parent) {
  const auto flight = std::make_shared<Flight>();
  std::vector<std::shared_ptr<Shadow>> shared;
  for (const Buffer& buffer : parent.buffers_) {
    buffers_.push_back(buffer);
    Buffer& own = buffers_.back();
    own.mapped = buffer.mapped && buffer.params.inherited;
    if (buffer.is_device()) continue;
    own.shadow = std::make_shared<Shadow>();
    if (!own.mapped) continue;
    own.shadow->inherit(*buffer.shadow);
    buffer.shadow->enter(*flight, 0, buffer.size, true, own.shadow.get());
    shared.push_back(buffer.shadow);
  }
  for (const auto& thread : threads_) thread->set_up();
  return [flight, shared = std::move(shared)] {
    for (const auto& shadow : shared) shadow->leave(*flight);
  };
}

void Process::call_ends() {
  if (--calls_ != 0) {
    return;
  }
  const std::vector<Task> tasks = std::move(when_idle_);
  when_idle_.clear();
  for (const Task& task : tasks) task();
}

void Process::when_idle(Task task) {
  if (calls_ == 0) {
    task();
  } else {
    when_idle_.push_back(std::move(task));
  }
}

void Process::run(std::function<void(bool exited)> done) {
  finished_ = std::move(done);
  running_ = threads_.size();
  for (const auto& thread : threads_) {
    // WHY: a thread that exits at once ends the others before they begin.
    if (!exited_) thread->run([this] { thread_ended(); });
  }
}

void Process::thread_ended() {
  if (--running_ != 0) {
    return;
  }
  for (Buffer& each : buffers_) verify_buffer(each);
  finished_(false);
}

void Process::exit() {
  kill();
  finished_(true);
}

void Process::kill() {
  exited_ = true;
  for (const auto& thread : threads_) thread->stop();
}

// Areas may have holes, and another thread may have unmapped everything meanwhile.
void Process::verify(Buffer& subject, std::uint64_t offset, std::uint64_t length) {
  Shadow::Comparison sum;
  for_mapped(subject, offset, length, [&](std::uint64_t at, std::uint64_t part) {
    const Shadow::Comparison one =
        subject.shadow->compare(space_.memory, subject.start + at, subject.base + at, part);
    sum.compared += one.compared;
    sum.wrong += one.wrong;
  });
  kernel_.stats().bytes_verified.add(sum.compared);
  kernel_.stats().bytes_wrong.add(sum.wrong);
  if (sum.wrong != 0) {
    kernel_.log().push_back(fmt::format("{}: {} bytes of {} are wrong within {} bytes at {:#x}, {} ps",
                                        params_.name, sum.wrong, subject.params.name, length,
                                        subject.start + offset, kernel_.machine().now()));
  }
}

void Process::adopt(Buffer& subject, std::uint64_t offset, std::uint64_t length) {
  subject.shadow->blur(subject.base + offset, length);
  std::vector<unsigned char> bytes;
  for_mapped(subject, offset, length, [&](std::uint64_t at, std::uint64_t part) {
    if (subject.shadow->is_being_written(subject.base + at, part)) return;
    bytes.resize(part);
    space_.memory.read(subject.start + at, bytes.data(), part);
    subject.shadow->write(subject.base + at, bytes.data(), part);
  });
}

// By page, what of a part of a buffer has an area.
void Process::for_mapped(const Buffer& subject, std::uint64_t offset, std::uint64_t length,
                         const std::function<void(std::uint64_t at, std::uint64_t part)>& visit) const {
  const std::uint64_t end = offset + length;
  for (std::uint64_t at = offset; subject.mapped && at < end;) {
    const std::uint64_t part = std::min(end, (at & ~(kPageSize - 1)) + kPageSize) - at;
    if (space_.memory.find_area(subject.start + at) != nullptr) visit(at, part);
    at += part;
  }
}

// A page that neither is there nor was written holds what it has to by definition.
void Process::verify_pages(Buffer& subject, std::uint64_t offset, std::uint64_t length) {
  const Addr end = subject.start + offset + length;
  const std::uint64_t last = (subject.base + offset + length) >> kPageShift;
  for (std::uint64_t at = offset; subject.mapped && at < offset + length; at += kPageSize) {
    const std::uint64_t written = subject.shadow->next_written((subject.base + at) >> kPageShift, last);
    const Addr resident = space_.memory.next_resident(subject.start + at, end);
    at = std::min((written << kPageShift) - subject.base, resident - subject.start);
    if (at < offset + length) verify(subject, at, kPageSize);
  }
}

std::vector<std::pair<std::string, const StepParams*>> Process::left() const {
  std::vector<std::pair<std::string, const StepParams*>> steps;
  for (const auto& thread : threads_) {
    const StepParams* step = thread->left();
    if (step != nullptr && !exited_) steps.emplace_back(params_.name, step);
  }
  return steps;
}

std::uint64_t Process::done() const {
  std::uint64_t sum = 0;
  for (const auto& thread : threads_) sum += thread->done();
  return sum;
}

std::uint64_t Process::total() const {
  if (exited_) {
    return done();
  }
  std::uint64_t sum = 0;
  for (const auto& thread : threads_) sum += thread->total();
  return sum;
}

std::uint64_t Process::in_flight() const {
  std::uint64_t sum = 0;
  for (const auto& thread : threads_) sum += thread->operations().in_flight();
  return sum;
}

void Process::dump_in_flight(std::ostream& out) const {
  for (const auto& thread : threads_) thread->operations().dump_in_flight(out);
}

}  // namespace svasim
