#include "models/host/operating_system.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/check.h"

namespace svasim {

namespace {

// Of a guest; of the host itself when `guest` is empty.
std::vector<ProcessParams> processes_of(const HostParams& params, const std::string& guest) {
  std::vector<ProcessParams> processes;
  std::copy_if(params.processes.begin(), params.processes.end(), std::back_inserter(processes),
               [&guest](const ProcessParams& process) { return process.guest == guest; });
  return processes;
}

}  // namespace

OperatingSystem::OperatingSystem(const Ground& ground, const HostParams& params, const Platform& platform,
                                 Machine::Task done)
    : ProcessKernel(ground, params, platform, {params.memory_base, params.memory_size, ground.name}, *this),
      done_(std::move(done)),
      queues_(platform.devices.size()),
      dma_(*this, sva_, domains_,
           [this](unsigned device) {
             return DmaClients::Device{&iommu_of(device), requester_of(device)};
           }),
      user_devices_(*this, {[this](unsigned device) -> IommuDriver& { return iommu_of(device); },
                            [this](unsigned device) -> DsaDriver& { return *devices_[device]; }, faults_,
                            sva_, domains_, [this] { return spaces(); },
                            [this](unsigned device) { return dma_.uses(device); }}) {
  for (const NodeParams& node : params_.nodes) pages_.add_node(node.base, node.size);
  make_drivers();
  make_programs(processes_of(params_, ""), [this](const std::string& device, const ProcessParams& process) {
    return make_opening(device, process);
  });
  make_guests();
}

void OperatingSystem::make_guests() {
  const Ground ground{name_, seed_, machine_, stats_, log_, journeys_, board_};
  const VirtualIommu::Host host{machine_, faults_, journeys_, sva_,
                                [this](unsigned device) -> IommuDriver& { return iommu_of(device); }};
  for (const GuestParams& guest : params_.guests) {
    guests_.push_back(std::make_unique<Guest>(
        ground, params_, guest, processes_of(params_, guest.name), platform_,
        [this](const std::string& device, const ProcessParams& process) {
          return make_opening(device, process);
        },
        host, pages_, domains_.allocate()));
  }
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
    if (const AccelDevice* divided = params_.dsa.divided(place.name)) {
      queues_[devices_.size() - 1].divided.emplace(*divided);
    }
  }
}

Opening OperatingSystem::make_opening(const std::string& device, const ProcessParams& process) {
  Opening opening;
  opening.name = device;
  opening.device = device_number(device);
  DeviceQueues& queues = queues_[opening.device];
  if (queues.divided) {
    std::string why;
    const AccelQueue* queue = queues.divided->choose(process, why);
    SVASIM_CHECK(queue != nullptr, why);
    opening.queue = queue->number;
    opening.entries = queue->size;
    opening.driver = devices_[opening.device].get();
    return opening;
  }
  opening.entries = params_.dsa.wq_size;
  const auto fresh = static_cast<unsigned>(queues.shared.size());
  opening.queue = process.queue == "own" ? fresh : queues.common.insert({process.queue, fresh}).first->second;
  if (opening.queue == fresh) queues.shared.push_back(process.queue == "shared");
  opening.driver = devices_[opening.device].get();
  return opening;
}

DsaDivision OperatingSystem::division_for(std::size_t device) const {
  const Platform::Dsa& place = platform_.devices[device];
  if (const AccelDevice* divided = params_.dsa.divided(place.name)) {
    return division_of(*divided, params_.dsa.accel_force);
  }
  const bool blocks = place.ats && place.page_requests && params_.dsa.block_on_fault != "false";
  return default_division(params_.dsa, queues_[device].shared, blocks);
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
    start_workload();
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
    device.start(division_for(index), kernel_memory(device, index),
                 [this, index, &device] { device.usable() ? start_devices(index + 1) : finish(); });
  };
  iommus_[device.iommu()]->attach(device.requester(), {info.ats, info.page_requests}, attached);
}

// SPEC: [VTD 9.6]: requests without PASID pass through. MODEL: a kernel without IOMMU protection for its own
// memory (iommu=pt). Where somebody else owns these requests the device has to do without its event log.
DsaDriver::KernelMemory OperatingSystem::kernel_memory(const DsaDriver& device, std::size_t index) {
  IommuDriver& iommu = *iommus_[device.iommu()];
  const std::string& name = platform_.devices[index].name;
  const bool taken =
      std::any_of(params_.processes.begin(), params_.processes.end(), [&](const ProcessParams& process) {
        const std::vector<std::string> opened = devices_opened(process);
        bool found = process.addressing == "default" && std::count(opened.begin(), opened.end(), name) != 0;
        for_each_step(process, [&](const StepParams& step) {
          found = found || (step.action == "iommufd_bind" &&
                            (step.device.empty() ? process.device : step.device) == name);
        });
        return found;
      });
  IoTranslation translation;
  translation.kind = IoTranslation::Kind::kPassThrough;
  if (taken || iommu.lacks(translation) != nullptr) {
    return {};
  }
  translation.domain = domains_.allocate();
  return [&iommu, requester = device.requester(), translation](Task done) {
    iommu.bind(requester, kNoPasid, translation, std::move(done));
  };
}

SvaDeviceInfo OperatingSystem::describe_to(const GuestParams& guest, std::size_t index) const {
  SvaDeviceInfo info = describe(index);
  info.compatible_tables = iommus_[info.iommu]->nests(params_.sva.paging_levels, guest.huge());
  info.iommu = 0;
  info.lowest_pasid = 1;  // the host's PASID is what the device sends
  return info;
}

// --- processes ---

void OperatingSystem::start_workload() {
  const Task one = after_all(guests_.size() + 1, [this] { finish(); });
  run_programs(one);
  for (std::size_t i = 0; i < guests_.size(); ++i) {
    std::vector<SvaDeviceInfo> devices;
    for (std::size_t device = 0; device < devices_.size(); ++device) {
      devices.push_back(describe_to(params_.guests[i], device));
    }
    guests_[i]->run(devices, one);
  }
}

void OperatingSystem::destroy_guest(const std::string& name, Result result) {
  const auto found = std::find_if(guests_.begin(), guests_.end(),
                                  [&name](const auto& guest) { return guest->guest_name() == name; });
  if (found == guests_.end()) {
    result(Errno::kNoEntry);
    return;
  }
  (*found)->destroy(std::move(result));
}

void OperatingSystem::finish() {
  finished_ = true;
  if (params_.teardown) {
    dma_.release();
    release_kernel_space();
  }
  note_left_steps();
  for (const auto& guest : guests_) guest->note_left_steps();
  done_();
}

bool OperatingSystem::can_share(Process& process, const Opening& opening) {
  const IommuDriver& iommu = iommu_of(opening.device);
  const char* what = iommu.lacks(translation_of(process.space()));
  if (what != nullptr) {
    log_.push_back(fmt::format("{}: {} needs {}, which the IOMMU does not offer", iommu.name(),
                               process.params().name, what));
  }
  return what == nullptr;
}

void OperatingSystem::open_queue(Opening& opening, Task done) {
  const DsaDriver::Identity identity{sva_.get_pasid(opening.bond), opening.bond->space->kernel,
                                     opening.faults() == DsaDriver::Faults::kBlock, opening.bond->space};
  opening.driver->open(opening.queue, identity, std::move(done));
}

void OperatingSystem::open_mapping(Process& process, Opening& opening, Result result) {
  if (sva_.is_owned(opening.device)) return result(Errno::kBusy);
  dma_.open(process.params(), process.space().memory, process.records(), opening,
            [this, &opening, result = std::move(result)](Errno error) {
              if (error != Errno::kNone) {
                return result(error);
              }
              opening.driver->open(
                  opening.queue, {opening.pasid, false, false, nullptr}, [this, &opening, result] {
                    opening.driver->usable() ? result(Errno::kNone)
                                             : dma_.close(opening, [result] { result(Errno::kInvalid); });
                  });
            });
}

void OperatingSystem::close_mapping(Opening& opening, Task done) { dma_.close(opening, std::move(done)); }

void OperatingSystem::close_queue(Opening& opening, Task done) {
  const std::optional<Pasid> pasid =
      opening.bond == nullptr ? opening.pasid : std::optional(sva_.get_pasid(opening.bond));
  opening.driver->close(opening.queue, pasid, std::move(done));
}

// --- what the IOMMU drivers do for shared virtual addressing ---

void OperatingSystem::attach(unsigned device, Pasid pasid, SvaSpace& space, Task done) {
  IopfQueue& queue = faults_.queue(devices_[device]->iommu());
  if (queue.has_device(requester_of(device))) {
    queue.set_handler(requester_of(device), pasid, faults_.sva_handler(space));
  }
  iommu_of(device).bind(requester_of(device), pasid, translation_of(space), std::move(done));
}

IoTranslation OperatingSystem::translation_of(const SvaSpace& space) const {
  IoTranslation translation;
  translation.first = space.memory.table();
  translation.first_levels = params_.sva.paging_levels;
  translation.supervisor = space.kernel;
  return translation;
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
  std::uint64_t sum = programs_done() + (finished_ ? 1 : 0);
  for (const auto& guest : guests_) sum += guest->work_done();
  return sum;
}

Ps OperatingSystem::asleep_until() const {
  Ps until = ProcessKernel::asleep_until();
  for (const auto& guest : guests_) until = std::max(until, guest->asleep_until());
  return until;
}

std::uint64_t OperatingSystem::work_total() const {
  std::uint64_t sum = programs_total() + 1;
  for (const auto& guest : guests_) sum += guest->work_total();
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
  if (params_.teardown && !params_.processes.empty()) {
    add("unbound", stats_.unbinds.value == stats_.binds.value, stats_.unbinds.value,
        std::to_string(stats_.binds.value));
    const IommufdStats& user = stats_.user_devices;
    if (user.maps.value != 0) {
      add("pages_unpinned", user.pages_unpinned.value == user.pages_pinned.value, user.pages_unpinned.value,
          std::to_string(user.pages_pinned.value));
      add("iommufd_objects", user_devices_.objects() == 0, user_devices_.objects(), "0");
    }
  }
  for (const HostCheck& check : board_.checks()) result.push_back(check);
  return result;
}

std::uint64_t OperatingSystem::in_flight() const {
  std::uint64_t count = faults_.in_flight() + user_devices_.in_flight() + programs_in_flight();
  for (const auto& iommu : iommus_) count += iommu->in_flight();
  for (const auto& guest : guests_) count += guest->in_flight();
  return count;
}

void OperatingSystem::dump_in_flight(std::ostream& out) const {
  faults_.dump_in_flight(name_, out);
  user_devices_.dump_in_flight(name_, out);
  for (const auto& iommu : iommus_) iommu->dump_in_flight(out);
  dump_programs(out);
  for (const auto& guest : guests_) guest->dump_in_flight(out);
}

}  // namespace svasim
