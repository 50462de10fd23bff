#include "models/host/process.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "base/check.h"

namespace svasim {

namespace {

constexpr std::uint64_t kRecordSpacing = 64;  // a cache line each

bool is_operation(const StepParams& step) {
  return step.action == "memmove" || step.action == "fill" || step.action == "noop";
}

}  // namespace

Process::Process(const ProcessParams& params, const HostParams& host, Machine& machine, PageAllocator& pages,
                 ProcessMemory& space, RngStream rng, HostStats& stats, HostLog& log)
    : params_(params),
      host_(host),
      machine_(machine),
      pages_(pages),
      space_(space),
      rng_(rng),
      stats_(stats),
      log_(log),
      slots_(host.dsa.wq_size) {
  for (const StepParams& step : params_.steps) {
    total_ += is_operation(step) ? step.count : 1;
  }
}

unsigned Process::buffer_index(const std::string& name) const {
  for (unsigned i = 0; i < buffers_.size(); ++i) {
    if (buffers_[i].params.name == name) {
      return i;
    }
  }
  SVASIM_CHECK(false, "there is no buffer " + name);
}

Process::Buffer& Process::buffer(const std::string& name) { return buffers_[buffer_index(name)]; }

void Process::map_buffer(Buffer& buffer, Addr address) {
  Vma vma;
  vma.write = buffer.params.writable;
  vma.content = buffer.params.content == "random" ? Content::kRandom : Content::kZero;
  vma.seed = fnv1a(params_.name + "." + buffer.params.name) + buffer.generation++;
  buffer.size = (buffer.params.size + kPageSize - 1) & ~(kPageSize - 1);
  buffer.start = space_.map(buffer.size, vma, address);
  buffer.shadow = Shadow(*space_.find_area(buffer.start));
}

void Process::set_up() {
  records_ = space_.map(slots_.size() * kRecordSpacing, Vma{});
  for (std::uint64_t offset = 0; offset < slots_.size() * kRecordSpacing; offset += kPageSize) {
    if (!is_handled(space_.fault(records_ + offset, true, true))) {
      space_.too_small("the completion records of " + params_.name);
    }
    record_pages_.push_back(space_.translate(records_ + offset));
  }
  polled_.resize(slots_.size() * kRecordSpacing);
  for (const BufferParams& params : params_.buffers) {
    buffers_.emplace_back();
    buffers_.back().params = params;
    map_buffer(buffers_.back(), 0);
    // Which pages are resident is drawn, how many is exact.
    const std::uint64_t count = buffers_.back().size >> kPageShift;
    std::vector<std::uint64_t> order(count);
    std::iota(order.begin(), order.end(), 0);
    const auto resident = static_cast<std::uint64_t>(params.resident * static_cast<double>(count) + 0.5);
    for (std::uint64_t i = 0; i < resident; ++i) {
      std::swap(order[i], order[i + rng_.below(count - i)]);
      const FaultResult result =
          space_.fault(buffers_.back().start + order[i] * kPageSize, true, params.writable);
      if (!is_handled(result)) {
        space_.too_small("the resident pages of " + params_.name);
      }
    }
  }
}

void Process::run(DsaDriver& device, unsigned queue, Invalidate invalidate, Task done) {
  device_ = &device;
  queue_ = queue;
  invalidate_ = std::move(invalidate);
  finished_ = std::move(done);
  begin_step();
}

// --- steps ---

void Process::begin_step() {
  if (step_ == params_.steps.size()) {
    for (Buffer& each : buffers_) {
      verify_buffer(each);
    }
    finished_();
    return;
  }
  const StepParams& step = params_.steps[step_];
  started_ = 0;
  ended_ = 0;
  prepared_ = false;
  if (is_operation(step)) {
    pump();
    return;
  }
  // Operations of earlier steps have all ended: end_step waits for them.
  const auto end = [this] {
    ++done_;
    end_step();
  };
  if (step.action == "sleep") {
    machine_.after(step.time, end);
    return;
  }
  Buffer& subject = buffer(step.to);
  const auto map = [this, &subject, place = step.place, end](Addr old) {
    map_buffer(subject, place == "same" ? old : 0);
    end();
  };
  if (step.action == "verify") {
    verify_buffer(subject);
    machine_.after(1, end);
  } else if (step.action == "munmap") {
    munmap(subject, end);
  } else if (step.action == "mmap") {
    SVASIM_CHECK(subject.start == 0, "buffer " + step.to + " is mapped already");
    map(0);
  } else {
    const Addr old = subject.start;
    munmap(subject, [map, old] { map(old); });
  }
}

void Process::end_step() {
  ++step_;
  begin_step();
}

// Pages go back to the system only when no device can reach them any more.
void Process::munmap(Buffer& subject, Task done) {
  const Ps called = machine_.now();
  const std::uint64_t count = subject.size >> kPageShift;
  machine_.after(host_.munmap_time + count * host_.munmap_page_time,
                 [this, &subject, called, done = std::move(done)] {
                   const Addr start = subject.start;
                   verify_buffer(subject);
                   const std::vector<Addr> removed = space_.unmap(start);
                   subject.start = 0;
                   const auto release = [this, removed, called, done] {
                     for (const Addr page : removed) {
                       pages_.free(page);
                     }
                     stats_.unmaps.add();
                     stats_.pages_unmapped.add(removed.size());
                     stats_.unmap_latency.record(machine_.now() - called);
                     done();
                   };
                   if (removed.empty()) {
                     release();
                   } else {
                     invalidate_(start, start + subject.size, release);
                   }
                 });
}

void Process::verify(Buffer& subject, std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t wrong = subject.shadow.compare(space_, offset, length);
  stats_.bytes_verified.add(length);
  stats_.bytes_wrong.add(wrong);
  if (wrong != 0) {
    log_.push_back(fmt::format("{}: {} bytes of {} are wrong within {} bytes at {:#x}, {} ps", params_.name,
                               wrong, subject.params.name, length, subject.start + offset, machine_.now()));
  }
}

void Process::verify_buffer(Buffer& subject) {
  if (subject.start == 0) {
    return;
  }
  for (std::uint64_t offset = 0; offset < subject.size; offset += kPageSize) {
    // A page that neither is there nor was written holds what it has to by definition.
    if (subject.shadow.is_written(offset >> kPageShift) || space_.is_resident(subject.start + offset)) {
      verify(subject, offset, kPageSize);
    }
  }
}

// --- operations ---

// Decides the next operation from the step and the random stream only, so that the sequence is the
// same however long operations take.
void Process::prepare() {
  const StepParams& step = params_.steps[step_];
  next_ = Operation();
  prepared_ = true;
  touched_ = false;
  if (step.action == "noop") {
    return;
  }
  const auto pick = [&](const std::string& name) {
    Span span;
    span.buffer = buffer_index(name);
    span.length = step.size;
    const std::uint64_t size = buffers_[span.buffer].size;
    if (step.order == "random") {
      span.offset = rng_.below((size - step.size) / 64 + 1) * 64;
    } else {
      span.offset = (started_ % (size / step.size)) * step.size;
    }
    return span;
  };
  next_.opcode = step.action == "fill" ? DsaOpcode::kFill : DsaOpcode::kMemmove;
  next_.pattern = step.pattern;
  if (next_.opcode == DsaOpcode::kMemmove) {
    next_.from = pick(step.from);
  }
  next_.to = pick(step.to);
}

// Outstanding operations may end in any order, so none may read or write what another one writes.
bool Process::depends_on_outstanding() const {
  for (const Operation& other : slots_) {
    if (other.active &&
        (next_.to.overlaps(other.to) || next_.to.overlaps(other.from) || next_.from.overlaps(other.to))) {
      return true;
    }
  }
  return false;
}

void Process::pump() {
  const StepParams& step = params_.steps[step_];
  const unsigned limit = step.outstanding != 0 ? step.outstanding : params_.outstanding;
  while (started_ < step.count && outstanding_ < limit && !touching_) {
    if (!prepared_) {
      prepare();
    }
    if (depends_on_outstanding()) {
      return;
    }
    const Ps now = machine_.now();
    if (now < next_submit_) {
      if (!submit_armed_) {
        submit_armed_ = true;
        machine_.after(next_submit_ - now, [this] {
          submit_armed_ = false;
          pump();
        });
      }
      return;
    }
    if (!touch_first()) {
      return;
    }
    std::uint32_t slot = 0;
    while (slots_[slot].active) {
      ++slot;
    }
    submit(slot);
  }
}

std::uint64_t Process::missing_pages(const Span& span) const {
  if (span.length == 0) {
    return 0;
  }
  const Addr start = buffers_[span.buffer].start + span.offset;
  std::uint64_t missing = 0;
  for (Addr at = start & ~(kPageSize - 1); at < start + span.length; at += kPageSize) {
    missing += space_.is_resident(at) ? 0 : 1;
  }
  return missing;
}

// A load or store to each page. The first that is refused ends it.
FaultResult Process::touch(const Span& span, bool write) {
  if (span.length == 0) {
    return FaultResult::kAlreadyMapped;
  }
  const Addr start = buffers_[span.buffer].start + span.offset;
  for (Addr at = start & ~(kPageSize - 1); at < start + span.length; at += kPageSize) {
    const FaultResult result = space_.fault(at, !write, write);
    if (!is_handled(result)) {
      return result;
    }
    stats_.pages_touched.add(result == FaultResult::kMapped ? 1 : 0);
  }
  return FaultResult::kAlreadyMapped;
}

// SPEC: [DSA 9.1.3] Without ATS the device does not notice that a write faults, and a read that does is a
// hardware error. So a process brings in the pages of an operation before it submits it. False: not yet.
bool Process::touch_first() {
  if (device_->faults() != DsaDriver::Faults::kUnseen || touched_) {
    return true;
  }
  touched_ = true;
  const std::uint64_t missing = missing_pages(next_.from) + missing_pages(next_.to);
  if (missing == 0) {
    return true;
  }
  touching_ = true;
  machine_.after(missing * host_.page_fault_time, [this] {
    touching_ = false;
    pump();
  });
  return false;
}

void Process::submit(std::uint32_t slot) {
  Operation& operation = slots_[slot];
  operation = next_;
  operation.active = true;
  operation.submitted = machine_.now();
  prepared_ = false;
  ++started_;
  ++outstanding_;
  last_news_ = machine_.now();
  if (!polling_) {
    polling_ = true;
    machine_.after(host_.dsa.poll_interval, [this] { poll(); });
  }
  if (device_->faults() == DsaDriver::Faults::kUnseen &&
      (!is_handled(touch(operation.from, false)) || !is_handled(touch(operation.to, true)))) {
    fail(slot, "a page may not be touched, or there is no memory for it");
    return;
  }
  send(slot);
}

void Process::send(std::uint32_t slot) {
  const Operation& operation = slots_[slot];
  next_submit_ = std::max(machine_.now(), next_submit_) + host_.dsa.submit_interval;
  const Addr record = records_ + slot * kRecordSpacing;
  const DsaCompletionRecord empty;
  space_.write(record, &empty, sizeof empty);
  DsaDescriptor descriptor;
  descriptor.completion_address = record;
  descriptor.transfer_size = static_cast<std::uint32_t>(operation.to.length);
  std::uint64_t flags =
      DsaFlags::COMPLETION_ADDRESS_VALID::kMask | DsaFlags::REQUEST_COMPLETION_RECORD::kMask;
  if (operation.opcode != DsaOpcode::kNoop) {
    flags |= device_->faults() == DsaDriver::Faults::kBlock ? DsaFlags::BLOCK_ON_FAULT::kMask : 0;
    descriptor.destination = buffers_[operation.to.buffer].start + operation.to.offset;
    descriptor.source = operation.opcode == DsaOpcode::kFill
                            ? operation.pattern
                            : buffers_[operation.from.buffer].start + operation.from.offset;
  }
  descriptor.set_operation(operation.opcode, flags);
  device_->submit(queue_, descriptor);
}

void Process::poll() {
  // All records at once: they lie behind each other.
  for (std::size_t page = 0; page < record_pages_.size(); ++page) {
    const std::size_t begin = page * kPageSize;
    machine_.memory().read(record_pages_[page], polled_.data() + begin,
                           std::min<std::size_t>(polled_.size() - begin, kPageSize));
  }
  for (std::uint32_t slot = 0; slot < slots_.size(); ++slot) {
    if (slots_[slot].active && polled_[slot * kRecordSpacing] != 0) {
      last_news_ = machine_.now();
      complete(slot);
    }
  }
  poll_again();
  const StepParams& step = params_.steps[step_];
  if (ended_ == step.count && outstanding_ == 0) {
    end_step();
  } else {
    pump();
  }
}

void Process::poll_again() {
  polling_ = outstanding_ != 0;
  if (polling_) {
    machine_.after(poll_pause(host_.dsa.poll_interval, machine_.now() - last_news_), [this] { poll(); });
  }
}

void Process::complete(std::uint32_t slot) {
  const Operation& operation = slots_[slot];
  DsaCompletionRecord record;
  std::memcpy(&record, polled_.data() + slot * kRecordSpacing, sizeof record);
  if (record.code() == DsaStatus::kSuccess) {
    stats_.operations.add();
    stats_.bytes.add(operation.to.length);
    write_shadow(operation, 0, operation.to.length);
    end_operation(slot);
    return;
  }
  // What the device has to have written: the part a failed operation reports.
  // SPEC: [DSA 8.3.3]: Result 1 tells that an overlapping move went backwards.
  const std::uint64_t done = std::min<std::uint64_t>(operation.to.length, record.bytes_completed);
  write_shadow(operation, record.result == 1 ? operation.to.length - done : 0, done);
  if (record.code() == DsaStatus::kPageFault && device_->faults() == DsaDriver::Faults::kReported) {
    stats_.bytes.add(done);
    go_on(slot, record);
    return;
  }
  fail(slot, fmt::format("ended with {} ({:#x}) after {} bytes, fault address {:#x}",
                         dsa_status_name(record.code()), record.status, record.bytes_completed,
                         record.fault_address));
}

void Process::end_operation(std::uint32_t slot) {
  Operation& operation = slots_[slot];
  operation.active = false;
  --outstanding_;
  ++ended_;
  ++done_;
  stats_.operation_latency.record(machine_.now() - operation.submitted);
}

void Process::fail(std::uint32_t slot, const std::string& why) {
  stats_.operations_failed.add();
  log_.push_back(fmt::format("{}: {} {}", params_.name, dsa_opcode_name(slots_[slot].opcode), why));
  end_operation(slot);
}

// SPEC: [DSA 3.13.2] After a partial completion software touches the page and submits what is left.
void Process::go_on(std::uint32_t slot, const DsaCompletionRecord& record) {
  Operation& operation = slots_[slot];
  const std::uint64_t done = std::min<std::uint64_t>(operation.to.length, record.bytes_completed);
  operation.to.length -= done;
  if (operation.opcode == DsaOpcode::kMemmove) operation.from.length -= done;
  if (record.result != 1) {
    operation.to.offset += done;
    operation.from.offset += done;
    const unsigned turn = done % 8 * 8;
    if (turn != 0) operation.pattern = operation.pattern >> turn | operation.pattern << (64 - turn);
  }
  const DsaCompletionRecord empty;
  space_.write(records_ + slot * kRecordSpacing, &empty, sizeof empty);
  const Addr address = record.fault_address;
  const bool write = record.status >> 7U != 0;
  machine_.after(host_.page_fault_time, [this, slot, address, write] {
    const FaultResult result = space_.fault(address, !write, write);
    if (!is_handled(result)) {
      fail(slot, fmt::format("met a page at {:#x} that may not be touched", address));
      return;
    }
    stats_.pages_touched.add(result == FaultResult::kMapped ? 1 : 0);
    stats_.operations_resubmitted.add();
    last_news_ = machine_.now();
    send(slot);
  });
}

// The device has written this part of the destination.
void Process::write_shadow(const Operation& operation, std::uint64_t first, std::uint64_t length) {
  if (length == 0) {
    return;
  }
  scratch_.resize(length);
  if (operation.opcode == DsaOpcode::kFill) {
    for (std::size_t i = 0; i < scratch_.size(); ++i) {
      scratch_[i] = static_cast<unsigned char>(operation.pattern >> (i % 8 * 8));
    }
  } else {
    buffers_[operation.from.buffer].shadow.read(operation.from.offset + first, scratch_.data(),
                                                scratch_.size());
  }
  Buffer& to = buffers_[operation.to.buffer];
  to.shadow.write(operation.to.offset + first, scratch_.data(), scratch_.size());
  if (params_.verify_each) {
    verify(to, operation.to.offset + first, length);
  }
}

void Process::dump_in_flight(std::ostream& out) const {
  for (std::uint32_t slot = 0; slot < slots_.size(); ++slot) {
    const Operation& operation = slots_[slot];
    if (!operation.active) {
      continue;
    }
    out << fmt::format("{}: {} of {} bytes", params_.name, dsa_opcode_name(operation.opcode),
                       operation.to.length);
    if (operation.opcode == DsaOpcode::kMemmove) {
      out << fmt::format(" from {:#x}", buffers_[operation.from.buffer].start + operation.from.offset);
    }
    if (operation.opcode != DsaOpcode::kNoop) {
      out << fmt::format(" to {:#x}", buffers_[operation.to.buffer].start + operation.to.offset);
    }
    out << fmt::format(" on {}, submitted at {} ps: no completion record\n", device_->name(),
                       operation.submitted);
  }
}

}  // namespace svasim
