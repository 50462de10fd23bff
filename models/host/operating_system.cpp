#include "models/host/operating_system.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/check.h"
#include "models/formats/x86_first_stage.h"

namespace svasim {

OperatingSystem::OperatingSystem(const Ground& ground, const HostParams& params, const Platform& platform,
                                 Machine::Task done)
    : name_(ground.name),
      seed_(ground.seed),
      machine_(ground.machine),
      params_(params),
      platform_(platform),
      stats_(ground.stats),
      log_(ground.log),
      done_(std::move(done)),
      pages_(params.memory_base, params.memory_size, ground.name),
      // The reserved address bits are the IOMMU's business; the allocator hands out low addresses.
      format_(make_x86_first_stage(params.sva.paging_levels, PageFormatOptions{})),
      faults_(ground.machine, params.faults, RngStream(ground.seed, ground.name + ".faults"), ground.stats,
              ground.journeys,
              [this](SvaSpace& space, const Stale& stale, Task then) {
                shoot_down(space, stale, std::move(then));
              }),
      sva_(*this, PasidAllocator(params.sva.lowest_pasid, params.sva.highest_pasid), !params.sva.strict),
      board_(ground.statistic) {
  for (const NodeParams& node : params_.nodes) pages_.add_node(node.base, node.size);
  make_drivers();
  make_programs();
}

void OperatingSystem::make_drivers() {
  for (unsigned i = 0; i < platform_.iommus.size(); ++i) {
    const Platform::Iommu& place = platform_.iommus[i];
    iommus_.push_back(std::make_unique<IommuDriver>(name_ + "." + place.name, i, machine_, pages_,
                                                    place.registers, params_, stats_, log_));
    faults_.add_queue();
  }
  for (const Platform::Dsa& place : platform_.devices) {
    // SPEC: [DSA 9.1.3] without ATS a device does not notice that a write faults.
    const DsaDriver::Faults faults = !place.ats                              ? DsaDriver::Faults::kUnseen
                                     : !place.page_requests                  ? DsaDriver::Faults::kReported
                                     : params_.dsa.block_on_fault == "false" ? DsaDriver::Faults::kReported
                                                                             : DsaDriver::Faults::kBlock;
    devices_.push_back(std::make_unique<DsaDriver>(name_ + "." + place.name, *this, place, faults));
    attached_.push_back(false);
  }
}

void OperatingSystem::make_programs() {
  queues_.resize(platform_.devices.size());
  // The queues that processes have in common: by device and kind.
  std::map<std::pair<unsigned, std::string>, unsigned> common;
  for (const ProcessParams& process : params_.processes) {
    std::vector<Opening> openings;
    for (const std::string& device : devices_opened(process)) {
      Opening opening;
      opening.name = device;
      opening.device = device_number(device);
      std::vector<bool>& queues = queues_[opening.device];
      const auto fresh = static_cast<unsigned>(queues.size());
      opening.queue = process.queue == "own"
                          ? fresh
                          : common.insert({{opening.device, process.queue}, fresh}).first->second;
      if (opening.queue == fresh) queues.push_back(process.queue == "shared");
      opening.driver = devices_[opening.device].get();
      openings.push_back(std::move(opening));
    }
    Program program;
    program.child = !process.parent.empty();
    program.space = std::make_unique<SvaSpace>(process.name, format_, machine_.memory(), pages_);
    program.space->dma_compatible = !process.tagged_pointers;
    program.process = std::make_unique<Process>(process, *this, *program.space, std::move(openings));
    programs_.push_back(std::move(program));
    for_each_step(process, [&](const StepParams& step) {
      if (step.action != "expect" || step.statistic.empty()) return;
      board_.note_expected(step.statistic);
      if (!step.since.empty()) {
        board_.watch(full_step_name(process.name, step.since), step.statistic, step.field);
      }
    });
  }
}

unsigned OperatingSystem::device_number(const std::string& name) const {
  for (unsigned i = 0; i < platform_.devices.size(); ++i) {
    if (platform_.devices[i].name == name) return i;
  }
  SVASIM_CHECK(false, "there is no device " + name);
}

// --- boot ---

void OperatingSystem::boot() {
  Script script(machine_);
  for (const auto& iommu : iommus_) {
    const auto index = static_cast<unsigned>(&iommu - iommus_.data());
    IommuDriver::Devices devices;
    for (const Platform::Dsa& place : platform_.devices) {
      devices.ats = devices.ats || (place.iommu == index && place.ats);
      devices.page_requests = devices.page_requests || (place.iommu == index && place.page_requests);
    }
    script.step(
        [this, driver = iommu.get(), devices](const Task& next) { driver->start(faults_, devices, next); });
  }
  script.run([this] {
    for (const auto& iommu : iommus_) {
      if (!iommu->usable()) {
        finish();
        return;
      }
    }
    start_devices(0);
  });
}

SvaDeviceInfo OperatingSystem::describe(std::size_t index) const {
  const Platform::Dsa& place = platform_.devices[index];
  const IommuDriver& iommu = *iommus_[place.iommu];
  SvaDeviceInfo info;
  info.name = place.name;
  info.requester = place.requester;
  info.iommu = place.iommu;
  info.ats = place.ats;
  info.page_requests = place.page_requests;
  info.compatible_tables = iommu.walks(params_.sva.paging_levels, params_.sva.gigabyte_pages);
  info.group = place.name;
  info.highest_pasid = iommu.pasid_limit() - 1;
  if (const auto found = params_.sva.devices.find(place.name); found != params_.sva.devices.end()) {
    const SvaDeviceParams& own = found->second;
    info.lowest_pasid = own.lowest_pasid;
    info.highest_pasid = std::min(info.highest_pasid, own.highest_pasid);
    if (!own.group.empty()) info.group = own.group;
  }
  return info;
}

void OperatingSystem::start_devices(std::size_t index) {
  if (index == devices_.size()) {
    start_processes();
    return;
  }
  DsaDriver& device = *devices_[index];
  const SvaDeviceInfo info = describe(index);
  const unsigned number = sva_.add_device(info);
  if (info.page_requests) {
    static_cast<void>(sva_.enable(number, SvaFeature::kIopf, [] {}));
  }
  if (const Errno error = sva_.enable(number, SvaFeature::kSva, [] {}); error != Errno::kNone) {
    log_.push_back(fmt::format("{}: SVA cannot be enabled: {}", device.name(), errno_name(error)));
  }
  const auto attached = [this, index, &device] {
    attached_[index] = true;
    device.start(queues_[index], kernel_memory(device),
                 [this, index, &device] { device.usable() ? start_devices(index + 1) : finish(); });
  };
  iommus_[device.iommu()]->attach(device.requester(), {info.ats, info.page_requests}, attached);
}

// SPEC: [VTD 9.6]: requests without PASID pass through. MODEL: a kernel without IOMMU protection for its own
// memory (iommu=pt).
DsaDriver::KernelMemory OperatingSystem::kernel_memory(const DsaDriver& device) {
  IommuDriver& iommu = *iommus_[device.iommu()];
  if (!iommu.can_pass_through()) {
    return {};
  }
  return [&iommu, requester = device.requester()](Task done) {
    constexpr DomainId kKernelDomain{2};
    IoTranslation translation;
    translation.kind = IoTranslation::Kind::kPassThrough;
    translation.domain = kKernelDomain;
    iommu.bind(requester, kNoPasid, translation, std::move(done));
  };
}

// --- processes ---

void OperatingSystem::start_processes() {
  began_ = machine_.now();
  running_ = static_cast<std::size_t>(std::count_if(programs_.begin(), programs_.end(),
                                                    [](const Program& program) { return !program.child; }));
  if (running_ == 0) {
    finish();
    return;
  }
  for (std::size_t i = 0; i < programs_.size(); ++i) {
    if (programs_[i].child) continue;
    programs_[i].process->set_up();
    run_program(i);
  }
}

void OperatingSystem::run_program(std::size_t index) {
  Program& program = programs_[index];
  program.begun = true;
  Process& process = *program.process;
  const auto run = [this, index, &process] {
    process.run([this, index](bool exited) { end_program(index, exited); });
  };
  if (process.params().device.empty()) {
    run();
    return;
  }
  open(process, process.opening(""), [this, index, &process, run](Errno error) {
    if (error == Errno::kNone) {
      run();
      return;
    }
    log_.push_back(fmt::format("{} cannot open {}: {}", process.params().name, process.params().device,
                               errno_name(error)));
    end_program(index, false);
  });
}

// SPEC: [LINUX kernel/exit.c]: at an exit the address space goes before what is open.
void OperatingSystem::end_program(std::size_t index, bool exited) {
  const std::string& ended = programs_[index].process->params().name;
  board_.process_ended(ended);
  for (Program& child : programs_) {
    if (!child.begun && child.process->params().parent == ended) forgo(child);
  }
  if (!exited) {
    if (!params_.teardown) {
      program_ended();
      return;
    }
    close_all(index, [this, index] {
      programs_[index].space->memory.release();
      program_ended();
    });
    return;
  }
  SvaSpace& space = *programs_[index].space;
  stats_.exits.add();
  sva_.release(space, [this, index, &space] {
    space.memory.release();
    close_all(index, [this] { program_ended(); });
  });
}

void OperatingSystem::close_all(std::size_t index, Task done) {
  Process& process = *programs_[index].process;
  const auto again = [this, index, done] { close_all(index, done); };
  for (Opening& opening : process.openings()) {
    if (opening.closing) {
      // A thread of the process has begun to.
      constexpr Ps kAgain = 1'000'000;
      machine().after(kAgain, again);
      return;
    }
    if (opening.open) {
      close(process, opening, [again](Errno) { again(); });
      return;
    }
  }
  for (auto& [device, handles] : process.binds()) {
    if (!handles.empty()) {
      const SvaCore::Handle handle = handles.back();
      handles.pop_back();
      unbind(handle, again);
      return;
    }
  }
  sva_.drop(*programs_[index].space);
  done();
}

// Nobody will fork it any more.
void OperatingSystem::forgo(Program& child) {
  child.begun = true;
  child.process->forgo();
  const std::string& name = child.process->params().name;
  board_.process_ended(name);
  for (Program& grandchild : programs_) {
    if (!grandchild.begun && grandchild.process->params().parent == name) forgo(grandchild);
  }
}

void OperatingSystem::program_ended() {
  if (--running_ == 0) {
    finish();
  }
}

void OperatingSystem::finish() {
  finished_ = true;
  for (const Program& program : programs_) {
    for (const auto& [thread, step] : program.process->left()) board_.not_done(thread, *step);
  }
  done_();
}

// --- system calls ---

void OperatingSystem::open(Process& process, Opening& opening, Result result) {
  if (opening.open) {
    result(Errno::kBusy);
    return;
  }
  if (!opening.driver->claim(opening.queue)) {
    result(Errno::kBusy);
    return;
  }
  const auto on_exit = [this](unsigned, const std::any&) { stats_.exit_callbacks.add(); };
  // A bond there already runs it at once.
  opening.bond = sva_.find(opening.device, process.space());
  const auto attached = [this, &process, &opening, result] {
    opening.driver->open(opening.queue, sva_.get_pasid(opening.bond), process.space(), [&opening, result] {
      result(opening.driver->usable() ? Errno::kNone : Errno::kInvalid);
    });
  };
  opening.open = true;
  const auto bound = sva_.bind(opening.device, process.space(), &opening, on_exit, attached);
  if (bound.error == Errno::kNone) {
    opening.bond = bound.handle;
    return;
  }
  opening.open = false;
  opening.bond = nullptr;
  opening.driver->give_back(opening.queue);
  result(bound.error);
}

void OperatingSystem::close(Process& /*process*/, Opening& opening, Result result) {
  if (!opening.open || opening.closing) {
    return result(Errno::kInvalid);
  }
  opening.closing = true;
  // The device stops first, so that no access and no page request of the PASID can follow.
  opening.driver->close(opening.queue, sva_.get_pasid(opening.bond), [this, &opening, result] {
    sva_.unbind(opening.bond, [&opening, result] {
      opening.open = opening.closing = false;
      opening.bond = nullptr;
      result(Errno::kNone);
    });
  });
}

void OperatingSystem::bind(Process& process, const std::string& device, Bound result) {
  const unsigned number = device_number(device);
  const auto on_exit = [this](unsigned, const std::any&) { stats_.exit_callbacks.add(); };
  const auto bound = sva_.bind(number, process.space(), {}, on_exit, [this, number, &process, result] {
    result(Errno::kNone, sva_.find(number, process.space()));
  });
  if (bound.error != Errno::kNone) {
    result(bound.error, nullptr);
  }
}

void OperatingSystem::unbind(SvaCore::Handle handle, Task done) { sva_.unbind(handle, std::move(done)); }

void OperatingSystem::set_feature(const std::string& device, SvaFeature feature, bool on, Result result) {
  const unsigned number = device_number(device);
  const auto done = [result] { result(Errno::kNone); };
  const Errno error = on ? sva_.enable(number, feature, done) : sva_.disable(number, feature, done);
  if (error != Errno::kNone) {
    result(error);
  }
}

SvaSpace* OperatingSystem::find_space(Pasid pasid) {
  for (const Program& program : programs_) {
    if (program.space->alive && program.space->pasid == pasid) return program.space.get();
  }
  return nullptr;
}

void OperatingSystem::shoot_down(SvaSpace& space, const Stale& stale, Task done) {
  if (stale.empty()) {
    done();
    return;
  }
  const Task one = after_all(stale.spans.size(), [this, pages = stale.pages, done = std::move(done)] {
    for (const Addr page : pages) pages_.free(page);
    done();
  });
  for (const AddressSpan& span : stale.spans) sva_.invalidate(space, span, one);
}

void OperatingSystem::fork(Process& parent, const std::string& name, Result result) {
  machine_.after(params_.fork_time, [this, &parent, name, result] {
    std::size_t index = 0;
    while (programs_[index].process->params().name != name) ++index;
    Program& child = programs_[index];
    if (!parent.space().alive || child.begun) {
      result(Errno::kInvalid);
      return;
    }
    Stale stale;
    if (!parent.space().memory.fork_into(child.space->memory, stale)) {
      child.space->memory.release();
      forgo(child);
      result(Errno::kNoMemory);
      return;
    }
    ++running_;
    stats_.forks.add();
    child.process->set_up_as_child(parent);
    shoot_down(parent.space(), stale, [this, index, result] {
      run_program(index);
      result(Errno::kNone);
    });
  });
}

// --- what the IOMMU drivers do for shared virtual addressing ---

void OperatingSystem::attach(unsigned device, Pasid pasid, SvaSpace& space, Task done) {
  IopfQueue& queue = faults_.queue(devices_[device]->iommu());
  if (queue.has_device(requester_of(device))) {
    queue.set_handler(requester_of(device), pasid, faults_.sva_handler(space));
  }
  IoTranslation translation;
  translation.first = space.memory.table();
  translation.first_levels = params_.sva.paging_levels;
  iommu_of(device).bind(requester_of(device), pasid, translation, std::move(done));
}

void OperatingSystem::detach(unsigned device, Pasid pasid, Task done) {
  iommu_of(device).unbind(requester_of(device), pasid, [this, device, pasid, done = std::move(done)] {
    faults_.queue(devices_[device]->iommu()).remove_handler(requester_of(device), pasid);
    done();
  });
}

void OperatingSystem::silence(unsigned device, Pasid pasid, Task done) {
  iommu_of(device).silence(requester_of(device), pasid, std::move(done));
}

void OperatingSystem::end_silence(unsigned device, Pasid pasid, Task done) {
  iommu_of(device).end_silence(requester_of(device), pasid, [this, device, pasid, done = std::move(done)] {
    faults_.queue(devices_[device]->iommu()).remove_handler(requester_of(device), pasid);
    done();
  });
}

void OperatingSystem::invalidate(unsigned iommu, Pasid pasid, AddressSpan span,
                                 const std::vector<unsigned>& devices, Task done) {
  std::vector<RequesterId> requesters;
  for (const unsigned device : devices) requesters.push_back(requester_of(device));
  iommus_[iommu]->invalidate_first(IoTranslation::kSharedDomain, pasid, span, requesters, std::move(done));
}

void OperatingSystem::enable_page_requests(unsigned device, Task done) {
  DsaDriver& driver = *devices_[device];
  const Errno error = faults_.queue(driver.iommu())
                          .add_device(driver.requester(), [this, device](const PageRequest& last,
                                                                         PageResponseCode code, Task taken) {
                            iommu_of(device).respond(last, code, std::move(taken));
                          });
  SVASIM_CHECK(error == Errno::kNone, "a device reports faults twice");
  if (attached_[device]) {
    iommu_of(device).set_page_requests(driver.requester(), true, std::move(done));
  } else {
    done();  // attaching it will
  }
}

void OperatingSystem::disable_page_requests(unsigned device, Task done) {
  const RequesterId requester = requester_of(device);
  const unsigned iommu = devices_[device]->iommu();
  iommu_of(device).set_page_requests(requester, false, [this, requester, iommu, done = std::move(done)] {
    faults_.flush(iommu, [this, requester, iommu, done] {
      faults_.remove_device(iommu, requester);
      done();
    });
  });
}

// --- what it can say about itself ---

std::uint64_t OperatingSystem::work_done() const {
  std::uint64_t sum = finished_ ? 1 : 0;
  for (const Program& program : programs_) sum += program.process->done();
  return sum;
}

std::uint64_t OperatingSystem::work_total() const {
  std::uint64_t sum = 1;
  for (const Program& program : programs_) sum += program.process->total();
  return sum;
}

std::vector<HostCheck> OperatingSystem::checks() const {
  std::vector<HostCheck> result;
  const auto add = [&](const char* what, bool ok, std::uint64_t figure, std::string expected) {
    result.push_back({what, ok, static_cast<double>(figure), std::move(expected)});
  };
  // Not when the workload says itself how often that has to happen.
  const auto none = [&](const char* what, const char* statistic, std::uint64_t count) {
    if (!board_.expects(name_ + "." + statistic)) add(what, count == 0, count, "0");
  };
  add("work_done", work_done() == work_total(), work_done(), std::to_string(work_total()));
  none("operations_failed", "operations.failed", stats_.operations_failed.value);
  if (!board_.expects(name_ + ".verify.wrong")) {
    add("bytes_verified", stats_.bytes_wrong.value == 0, stats_.bytes_verified.value, "none of them wrong");
  }
  none("bytes_wrong", "verify.wrong", stats_.bytes_wrong.value);
  add("page_groups_answered",
      stats_.page_groups.value == stats_.responses.value + stats_.responses_dropped.value,
      stats_.responses.value, std::to_string(stats_.page_groups.value));
  none("dma_faults", "dma_faults", stats_.dma_faults.value);
  none("register_errors", "registers.errors", stats_.register_errors.value);
  if (params_.teardown && !programs_.empty()) {
    add("unbound", stats_.unbinds.value == stats_.binds.value, stats_.unbinds.value,
        std::to_string(stats_.binds.value));
  }
  for (const HostCheck& check : board_.checks()) result.push_back(check);
  return result;
}

std::uint64_t OperatingSystem::in_flight() const {
  std::uint64_t count = faults_.in_flight();
  for (const auto& iommu : iommus_) count += iommu->in_flight();
  for (const Program& program : programs_) count += program.process->in_flight();
  return count;
}

void OperatingSystem::dump_in_flight(std::ostream& out) const {
  faults_.dump_in_flight(name_, out);
  for (const auto& iommu : iommus_) iommu->dump_in_flight(out);
  for (const Program& program : programs_) program.process->dump_in_flight(out);
}

}  // namespace svasim
