#include "models/host/host.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "models/formats/vtd_registers.h"
#include "models/formats/x86_first_stage.h"
#include "tlm/transaction.h"

namespace svasim {

Host::Host(const sc_core::sc_module_name& name, const HostParams& params, SimContext& context)
    : sc_core::sc_module(name),
      params_(params),
      context_(context),
      port_("memory", *this),
      interrupts_("interrupts", *this, 0),
      wake_("wake"),
      done_event_("done"),
      memory_(*this),
      pages_(params.memory_base, params.memory_size, this->name()),
      // The reserved address bits are the IOMMU's business; the allocator hands out low addresses.
      format_(make_x86_first_stage(4, PageFormatOptions{})) {
  SC_HAS_PROCESS(Host);
  SC_METHOD(run);
  sensitive << wake_.event();
  dont_initialize();
  stats_.describe(context.stats, this->name());
}

// --- time and tasks ---

void Host::push(Ps due, Work work, std::uint64_t number, Task task) {
  work_.push(due, (static_cast<std::uint64_t>(work) << 56U) | number, std::move(task));
  wake_.arm(due);
}

void Host::after(Ps delay, Task task) {
  push(now_ps() + std::max<Ps>(delay, 1), Work::kTask, number_++, std::move(task));
}

void Host::run() {
  wake_.fired();
  const Ps now = now_ps();
  while (work_.due() <= now) {
    const Task task = work_.pop();
    task();
  }
  wake_.arm(work_.due());
}

// --- memory and registers ---

void Host::BusMemory::transfer(tlm::tlm_command command, Addr address, unsigned char* data,
                               std::size_t length) {
  payload_.set_command(command);
  payload_.set_address(address);
  payload_.set_data_ptr(data);
  payload_.set_data_length(static_cast<unsigned>(length));
  payload_.set_streaming_width(static_cast<unsigned>(length));
  payload_.set_byte_enable_ptr(nullptr);
  payload_.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  SVASIM_CHECK(
      host_.port_.debug(payload_) == length,
      fmt::format("{}: there is no memory at {:#x}; memory_base and memory_size do not fit the memory",
                  host_.name(), address));
}

void Host::BusMemory::read(Addr address, void* data, std::size_t length) {
  transfer(tlm::TLM_READ_COMMAND, address, static_cast<unsigned char*>(data), length);
}

void Host::BusMemory::write(Addr address, const void* data, std::size_t length) {
  // The payload's type is not const; a write does not change the data.
  transfer(tlm::TLM_WRITE_COMMAND, address,
           const_cast<unsigned char*>(static_cast<const unsigned char*>(data)), length);
}

Host::Access& Host::begin_access(tlm::tlm_command command, Addr address, unsigned bytes) {
  if (free_accesses_.empty()) {
    free_accesses_.push_back(static_cast<std::uint32_t>(access_slots_.size()));
    accesses_.emplace_back();
    access_slots_.push_back(&accesses_.back());
  }
  const std::uint32_t slot = free_accesses_.back();
  free_accesses_.pop_back();
  Access& access = *access_slots_[slot];
  access.number = number_++;
  access.read = command == tlm::TLM_READ_COMMAND;
  access.payload = &context_.pool.allocate(command, address, access.data, bytes, now_ps());
  access.payload->pcie.slot = slot;
  access.payload->source.key = access.number;
  stats_.register_accesses.add();
  return access;
}

void Host::send(Access& access) {
  const Ps now = now_ps();
  const Ps time = std::max(now + 1, next_access_);
  next_access_ = time + params_.register_interval;
  if (!context_.loose()) {
    port_.send(*access.payload, time - now);
    return;
  }
  Ps delay = time - now;
  port_.access(*access.payload, delay);
  memory_response(*access.payload, delay);
}

void Host::read_register(Addr address, unsigned bytes, Answer answer) {
  Access& access = begin_access(tlm::TLM_READ_COMMAND, address, bytes);
  access.answer = std::move(answer);
  send(access);
}

void Host::write_register(Addr address, const void* data, unsigned bytes) {
  Access& access = begin_access(tlm::TLM_WRITE_COMMAND, address, bytes);
  std::memcpy(access.data, data, bytes);
  access.answer = nullptr;
  send(access);
}

// Called by whoever answers: only queues.
void Host::memory_response(tlm::tlm_generic_payload& payload, Ps delay) {
  const std::uint32_t slot = payload.get_extension<PcieExtension>()->slot;
  push(now_ps() + std::max<Ps>(delay, 1), Work::kAnswer, access_slots_[slot]->number,
       [this, slot] { end_access(slot); });
}

void Host::end_access(std::uint32_t slot) {
  Access& access = *access_slots_[slot];
  std::uint64_t value = 0;
  if (access.payload->is_response_error()) {
    stats_.register_errors.add();
    log_.push_back(
        fmt::format("{}: no answer from the register at {:#x}", name(), access.payload->get_address()));
    value = ~std::uint64_t{0};  // what a CPU reads when nobody answers
  } else if (access.read) {
    std::memcpy(&value, access.data, access.payload->get_data_length());
  }
  access.payload->release();
  access.payload = nullptr;
  const Answer answer = std::move(access.answer);
  access.answer = nullptr;
  free_accesses_.push_back(slot);
  if (answer) {
    answer(value);
  }
}

// --- interrupts ---

InterruptMessage Host::add_interrupt(Task handler) {
  vectors_.push_back(std::move(handler));
  return InterruptMessage{kInterruptRangeFirst,
                          kFirstVector + static_cast<std::uint32_t>(vectors_.size()) - 1};
}

tlm::tlm_sync_enum Host::nb_transport_fw(unsigned port, tlm::tlm_generic_payload& payload,
                                         tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  if (phase == tlm::BEGIN_REQ) {
    b_transport(port, payload, delay);
  }
  return tlm::TLM_COMPLETED;
}

void Host::b_transport(unsigned /*port*/, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  std::uint32_t data = 0;
  if (!payload.is_write() || payload.get_data_length() != sizeof data) {
    payload.set_response_status(tlm::TLM_COMMAND_ERROR_RESPONSE);
    return;
  }
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
  std::memcpy(&data, payload.get_data_ptr(), sizeof data);
  const std::uint32_t vector = data - kFirstVector;
  const Ps due = now_ps() + std::max<Ps>(delay.value(), 1) + params_.interrupt_latency;
  push(due, Work::kInterrupt, data, [this, vector] {
    stats_.interrupts.add();
    if (vector < vectors_.size()) {
      vectors_[vector]();
    } else {
      log_.push_back(fmt::format("{}: spurious interrupt {:#x}", name(), vector + kFirstVector));
    }
  });
}

// --- life of the system ---

void Host::start(const Platform& platform) {
  SVASIM_CHECK(!started_, "a host is started once");
  started_ = true;
  platform_ = platform;
  faults_ = std::make_unique<FaultService>(
      *this, params_.faults, RngStream(context_.seed, std::string(name()) + ".faults"), stats_,
      context_.page_faults, [this](RequesterId device, Pasid pasid) { return find(device, pasid); },
      [this](unsigned iommu, const PageRequest& last, PageResponseCode code, Task done) {
        iommus_[iommu]->respond(last, code, std::move(done));
      });
  for (unsigned i = 0; i < platform_.iommus.size(); ++i) {
    const Platform::Iommu& place = platform_.iommus[i];
    iommus_.push_back(std::make_unique<IommuDriver>(std::string(name()) + "." + place.name, i, *this, pages_,
                                                    place.registers, params_, stats_, log_));
  }
  for (const Platform::Dsa& place : platform_.devices) {
    // SPEC: [DSA 9.1.3] without ATS a device does not notice that a write faults.
    const DsaDriver::Faults faults = !place.ats                              ? DsaDriver::Faults::kUnseen
                                     : !place.page_requests                  ? DsaDriver::Faults::kReported
                                     : params_.dsa.block_on_fault == "false" ? DsaDriver::Faults::kReported
                                                                             : DsaDriver::Faults::kBlock;
    devices_.push_back(std::make_unique<DsaDriver>(std::string(name()) + "." + place.name, *this, place.bar0,
                                                   place.bar2, place.requester, place.iommu, faults,
                                                   params_.dsa, log_));
  }
  std::vector<unsigned> queues(platform_.devices.size(), 0);
  for (const ProcessParams& process : params_.processes) {
    Bond bond;
    while (bond.device < platform_.devices.size() && platform_.devices[bond.device].name != process.device) {
      ++bond.device;
    }
    SVASIM_CHECK(bond.device < platform_.devices.size(),
                 "process " + process.name + " names an unknown device");
    bond.queue = queues[bond.device]++;
    bond.space = std::make_unique<ProcessMemory>(process.name, format_, memory_, pages_);
    bond.process = std::make_unique<Process>(
        process, params_, *this, pages_, *bond.space,
        RngStream(context_.seed, std::string(name()) + "." + process.name), stats_, log_);
    bonds_.push_back(std::move(bond));
  }
  after(1, [this] { boot(); });
}

void Host::boot() {
  Script script(*this);
  for (const auto& iommu : iommus_) {
    const auto index = static_cast<unsigned>(&iommu - iommus_.data());
    IommuDriver::Devices devices;
    for (const Platform::Dsa& place : platform_.devices) {
      devices.ats = devices.ats || (place.iommu == index && place.ats);
      devices.page_requests = devices.page_requests || (place.iommu == index && place.page_requests);
    }
    script.step(
        [this, driver = iommu.get(), devices](const Task& next) { driver->start(*faults_, devices, next); });
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

void Host::start_devices(std::size_t index) {
  if (index == devices_.size()) {
    start_processes();
    return;
  }
  DsaDriver& device = *devices_[index];
  unsigned queues = 0;
  for (const Bond& bond : bonds_) {
    queues += bond.device == index ? 1 : 0;
  }
  const Platform::Dsa& place = platform_.devices[index];
  const auto attached = [this, index, &device, queues] {
    device.start(queues, [this, index, &device] { device.usable() ? start_devices(index + 1) : finish(); });
  };
  iommus_[device.iommu()]->attach(device.requester(), {place.ats, place.page_requests}, attached);
}

void Host::start_processes() {
  running_ = bonds_.size();
  if (running_ == 0) {
    finish();
    return;
  }
  for (std::size_t i = 0; i < bonds_.size(); ++i) {
    start_process(i);
  }
}

// SPEC: [LINUX iommu_sva_bind_device, idxd_cdev_open]
void Host::start_process(std::size_t index) {
  Bond& bond = bonds_[index];
  DsaDriver& device = *devices_[bond.device];
  IommuDriver& iommu = *iommus_[device.iommu()];
  const auto pasid = pasids_.allocate(iommu.pasid_limit());
  if (!pasid.has_value()) {
    log_.push_back(bond.space->name() + ": no PASID is left");
    process_ended();
    return;
  }
  bond.pasid = *pasid;
  bond.bound = true;
  bond.process->set_up();
  iommu.bind(device.requester(), bond.pasid, bond.space->table(), [this, index] {
    Bond& mine = bonds_[index];
    devices_[mine.device]->open(mine.queue, mine.pasid, [this, index] {
      Bond& opened = bonds_[index];
      DsaDriver& dsa = *devices_[opened.device];
      if (!dsa.usable()) {
        end_process(index);
        return;
      }
      const auto invalidate = [this, index](Addr start, Addr end, Task done) {
        const Bond& own = bonds_[index];
        const DsaDriver& user = *devices_[own.device];
        iommus_[user.iommu()]->invalidate(own.pasid, start, end, {user.requester()}, std::move(done));
      };
      opened.process->run(dsa, opened.queue, invalidate, [this, index] { end_process(index); });
    });
  });
}

// SPEC: [LINUX idxd_cdev_release, iommu_sva_unbind_device]: the device stops first, so that no
// access and no page request of the PASID can follow.
void Host::end_process(std::size_t index) {
  if (!params_.teardown) {
    process_ended();
    return;
  }
  Bond& bond = bonds_[index];
  devices_[bond.device]->close(bond.queue, [this, index] {
    Bond& mine = bonds_[index];
    DsaDriver& device = *devices_[mine.device];
    iommus_[device.iommu()]->unbind(device.requester(), mine.pasid, [this, index] {
      Bond& gone = bonds_[index];
      gone.bound = false;
      pasids_.free(gone.pasid);
      gone.space->release();
      process_ended();
    });
  });
}

void Host::process_ended() {
  if (--running_ == 0) {
    finish();
  }
}

void Host::finish() {
  done_ = true;
  done_event_.notify(sc_core::SC_ZERO_TIME);
}

ProcessMemory* Host::find(RequesterId device, Pasid pasid) {
  for (const Bond& bond : bonds_) {
    if (bond.bound && bond.pasid == pasid && devices_[bond.device]->requester() == device) {
      return bond.space.get();
    }
  }
  return nullptr;
}

// --- inspection ---

std::uint64_t Host::work_done() const {
  std::uint64_t sum = done_ ? 1 : 0;
  for (const Bond& bond : bonds_) sum += bond.process->done();
  return sum;
}

std::uint64_t Host::work_total() const {
  std::uint64_t sum = 1;
  for (const Bond& bond : bonds_) sum += bond.process->total();
  return sum;
}

std::vector<HostCheck> Host::checks() const {
  const auto none = [](const char* what, std::uint64_t count) {
    return HostCheck{what, count == 0, count, "0"};
  };
  std::vector<HostCheck> result;
  result.push_back({"work_done", work_done() == work_total(), work_done(), std::to_string(work_total())});
  result.push_back(none("operations_failed", stats_.operations_failed.value));
  result.push_back(
      {"bytes_verified", stats_.bytes_wrong.value == 0, stats_.bytes_verified.value, "none of them wrong"});
  result.push_back(none("bytes_wrong", stats_.bytes_wrong.value));
  result.push_back({"page_groups_answered",
                    stats_.page_groups.value == stats_.responses.value + stats_.responses_dropped.value,
                    stats_.responses.value, std::to_string(stats_.page_groups.value)});
  result.push_back(none("dma_faults", stats_.dma_faults.value));
  result.push_back(none("register_errors", stats_.register_errors.value));
  if (params_.teardown && !bonds_.empty()) {
    result.push_back({"unbound", stats_.unbinds.value == stats_.binds.value, stats_.unbinds.value,
                      std::to_string(stats_.binds.value)});
  }
  return result;
}

std::uint64_t Host::in_flight() const {
  std::uint64_t count = access_slots_.size() - free_accesses_.size();
  count += faults_ == nullptr ? 0 : faults_->in_flight();
  for (const auto& iommu : iommus_) count += iommu->in_flight();
  for (const Bond& bond : bonds_) count += bond.process->in_flight();
  return count;
}

void Host::dump_in_flight(std::ostream& out) const {
  for (const Access* access : access_slots_) {
    if (access->payload != nullptr) {
      out << fmt::format("{}: {} of the register at {:#x} waits for its answer\n", name(),
                         access->read ? "read" : "write", access->payload->get_address());
    }
  }
  if (faults_ != nullptr) {
    faults_->dump_in_flight(name(), out);
  }
  for (const auto& iommu : iommus_) iommu->dump_in_flight(out);
  for (const Bond& bond : bonds_) bond.process->dump_in_flight(out);
}

}  // namespace svasim
