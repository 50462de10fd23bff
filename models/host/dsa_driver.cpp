#include "models/host/dsa_driver.h"

#include <fmt/format.h>

#include <algorithm>

#include "models/host/idxd_event_log.h"
#include "models/host/kernel.h"

namespace svasim {

DsaDriver::DsaDriver(std::string name, Kernel& kernel, const Platform::Dsa& place, Faults faults)
    : name_(std::move(name)),
      kernel_(kernel),
      machine_(kernel.machine()),
      bar0_(place.bar0),
      bar2_(place.bar2),
      requester_(place.requester),
      iommu_(place.iommu),
      faults_(faults),
      params_(kernel.params().dsa),
      log_(kernel.log()) {}

DsaDriver::~DsaDriver() = default;

void DsaDriver::refuse(const std::string& why) {
  log_.push_back(name_ + ": " + why);
  usable_ = false;
}

void DsaDriver::command(Script& script, DsaCommand command, std::uint32_t operand) {
  const auto word = static_cast<std::uint32_t>(DsaCmd::OPERAND::make(operand) |
                                               DsaCmd::CODE::make(static_cast<std::uint64_t>(command)));
  const Addr status = bar0_ + dsa_reg::kCmdstatus;
  script.write32(bar0_ + dsa_reg::kCmd, word)
      .poll32(status, static_cast<std::uint32_t>(DsaCmdstatus::ACTIVE::kMask), 0)
      .read(status, 4, [this, command](std::uint64_t value) {
        if (const std::uint64_t error = DsaCmdstatus::ERROR::get(value); error != 0) {
          refuse(fmt::format("command {} failed with error {:#x}", static_cast<unsigned>(command), error));
        }
      });
}

// SPEC: [DSA 9.2.10]: a command written while another is active is discarded.
void DsaDriver::run_locked(Script script, Task done) {
  if (locked_) {
    waiting_.push_back([this, script, done = std::move(done)] { run_locked(script, done); });
    return;
  }
  locked_ = true;
  script.run([this, done = std::move(done)] {
    unlock();
    done();
  });
}

void DsaDriver::unlock() {
  locked_ = false;
  if (!waiting_.empty()) {
    const Task next = std::move(waiting_.front());
    waiting_.pop_front();
    next();
  }
}

void DsaDriver::start(const std::vector<bool>& shared, const KernelMemory& memory, Task done) {
  for (const bool each : shared) queues_.push_back({each, 0});
  Script script(machine_);
  script.read(bar0_ + dsa_reg::kGencap, 8, [this](std::uint64_t value) { gencap_ = value; })
      .read(bar0_ + dsa_reg::kWqcap, 8, [this](std::uint64_t value) { wqcap_ = value; })
      .read(bar0_ + dsa_reg::kEngcap, 8, [this](std::uint64_t value) { engcap_ = value; })
      .read(bar0_ + dsa_reg::kOffsets, 8,
            [this](std::uint64_t value) {
              grpcfg_ = bar0_ + DsaOffsets::GRPCFG::get(value) * DsaOffsets::kUnit;
              wqcfg_ = bar0_ + DsaOffsets::WQCFG::get(value) * DsaOffsets::kUnit;
              wqcfg_stride_ = DsaWqcfg::stride(DsaWqcap::WQCFG_SIZE::get(wqcap_));
            })
      .step([this, memory, done](const Task& next) {
        const auto queues = queues_.size();
        const bool sharing =
            std::any_of(queues_.begin(), queues_.end(), [](const Queue& q) { return q.shared; });
        if (queues > DsaWqcap::QUEUES::get(wqcap_)) {
          refuse(fmt::format("{} work queues are asked for, but it has {}", queues,
                             DsaWqcap::QUEUES::get(wqcap_)));
        } else if (queues * params_.wq_size > DsaWqcap::TOTAL_SIZE::get(wqcap_)) {
          refuse(fmt::format("{} work queues of {} entries, but {} entries in all", queues, params_.wq_size,
                             DsaWqcap::TOTAL_SIZE::get(wqcap_)));
        } else if (sharing && DsaWqcap::SHARED_MODE::get(wqcap_) == 0) {
          refuse("its work queues cannot be shared");
        }
        if (!usable_ || queues == 0) {
          done();
          return;
        }
        Script rest(machine_);
        configure(rest);
        if (DsaGencap::EVENT_LOG::get(gencap_) != 0 && memory) {
          events_ = std::make_unique<IdxdEventLog>(name_, bar0_, kernel_);
          rest.step(memory);
          events_->configure(rest);
          configure_interrupt(rest);
        } else if (DsaGencap::EVENT_LOG::get(gencap_) != 0) {
          log_.push_back(name_ +
                         ": works without its event log: requests without PASID, which the log needs, belong "
                         "to a process or may not pass through");
        }
        command(rest, DsaCommand::kEnableDevice, 0);
        for (unsigned queue = 0; queue < queues_.size(); ++queue) {
          if (queues_[queue].shared) command(rest, DsaCommand::kEnableWq, queue);
        }
        rest.run(next);
      });
  script.run(std::move(done));
}

void DsaDriver::configure(Script& script) {
  const auto log2 = [](std::uint64_t value) { return 63U - static_cast<unsigned>(__builtin_clzll(value)); };
  const std::uint64_t max_transfer =
      std::min<std::uint64_t>(log2(params_.max_transfer), DsaGencap::MAX_TRANSFER::get(gencap_));
  const std::uint64_t max_batch =
      std::min<std::uint64_t>(log2(params_.max_batch), DsaGencap::MAX_BATCH::get(gencap_));
  // A shared queue takes the PASID of each descriptor; a dedicated one gets its opener's.
  Identity shared_or_none;
  shared_or_none.pasid = Pasid(0);
  shared_or_none.block_on_fault = faults_ == Faults::kBlock;
  const unsigned threshold = params_.shared_threshold == 0 ? params_.wq_size : params_.shared_threshold;
  for (unsigned queue = 0; queue < queues_.size(); ++queue) {
    script.write32(queue_config(queue, DsaWqcfg::kSize), params_.wq_size)
        .write32(queue_config(queue, DsaWqcfg::kThreshold), queues_[queue].shared ? threshold : 0)
        .write32(queue_config(queue, DsaWqcfg::kMode), mode_word(queues_[queue], shared_or_none))
        .write32(queue_config(queue, DsaWqcfg::kLimits),
                 static_cast<std::uint32_t>(DsaWqcfg::MAX_TRANSFER::make(max_transfer) |
                                            DsaWqcfg::MAX_BATCH::make(max_batch)));
  }
  const std::uint64_t engines = (std::uint64_t{1} << DsaEngcap::ENGINES::get(engcap_)) - 1;
  script.write64(grpcfg_ + DsaGrpcfg::kWqBitmap, (std::uint64_t{1} << queues_.size()) - 1)
      .write64(grpcfg_ + DsaGrpcfg::kEngineBitmap, engines);
}

std::uint32_t DsaDriver::mode_word(const Queue& queue, const Identity& identity) const {
  return static_cast<std::uint32_t>(
      DsaWqcfg::DEDICATED::make(!queue.shared) | DsaWqcfg::BLOCK_ON_FAULT::make(identity.block_on_fault) |
      DsaWqcfg::PRIORITY::make(params_.priority) |
      DsaWqcfg::PASID::make(identity.pasid.value_or(Pasid(0)).value()) |
      DsaWqcfg::PASID_ENABLE::make(identity.pasid.has_value()) | DsaWqcfg::PRIV::make(identity.privileged));
}

// --- interrupts ---

void DsaDriver::configure_interrupt(Script& script) {
  const InterruptMessage message = machine_.add_interrupt([this] { on_interrupt(); });
  script.write64(bar0_ + dsa_reg::kMsixTable, message.address)
      .write32(bar0_ + dsa_reg::kMsixTable + 8, message.data)
      .write32(bar0_ + dsa_reg::kMsixTable + 12, 0)
      .write32(bar0_ + dsa_reg::kGenctrl,
               static_cast<std::uint32_t>(DsaGenctrl::SOFTWARE_ERROR_INTERRUPT::kMask |
                                          DsaGenctrl::EVENT_LOG_INTERRUPT::kMask));
}

// SPEC: [LINUX idxd_misc_thread]: what is read of INTCAUSE is written back first.
void DsaDriver::on_interrupt() {
  machine_.read_register(bar0_ + dsa_reg::kIntcause, 4, [this](std::uint64_t causes) {
    machine_.write_register32(bar0_ + dsa_reg::kIntcause, static_cast<std::uint32_t>(causes));
    const auto log = [this, causes] {
      if (DsaIntcause::EVENT_LOG::get(causes) != 0) events_->on_interrupt();
    };
    DsaIntcause::SOFTWARE_ERROR::get(causes) != 0 ? read_software_error(log) : log();
  });
}

void DsaDriver::read_software_error(Task done) {
  machine_.read_register(bar0_ + dsa_reg::kSwerror, 8, [this, done = std::move(done)](std::uint64_t word) {
    const auto status = static_cast<DsaStatus>(DsaSwerror::ERROR::get(word));
    kernel_.stats().idxd.software_errors.add();
    log_.push_back(fmt::format("{}: software error {:#x} ({})", name_, static_cast<unsigned>(status),
                               dsa_status_name(status)));
    machine_.write_register32(
        bar0_ + dsa_reg::kSwerror,
        static_cast<std::uint32_t>(DsaSwerror::VALID::kMask | DsaSwerror::OVERFLOW_BIT::kMask));
    done();
  });
}

// --- openers ---

bool DsaDriver::claim(unsigned queue) {
  if (!queues_[queue].shared && queues_[queue].openers != 0) {
    return false;
  }
  ++queues_[queue].openers;
  return true;
}

void DsaDriver::open(unsigned queue, const Identity& identity, Task done) {
  if (events_ != nullptr && identity.pasid.has_value() && identity.space != nullptr) {
    events_->add(*identity.pasid, *identity.space);
  }
  if (queues_[queue].shared) {
    machine_.after(1, std::move(done));
    return;
  }
  Script script(machine_);
  script.write32(queue_config(queue, DsaWqcfg::kMode), mode_word(queues_[queue], identity));
  command(script, DsaCommand::kEnableWq, queue);
  run_locked(script, std::move(done));
}

// SPEC: [DSA 9.2.12]: queues are named by a bitmap of 16 and the number of that sixteen. [LINUX
// idxd_cdev_release]: of a shared queue only what has this PASID is drained.
void DsaDriver::close(unsigned queue, std::optional<Pasid> pasid, Task done) {
  Script script(machine_);
  if (queues_[queue].shared) {
    command(script, DsaCommand::kDrainPasid, pasid.value().value());
  } else {
    command(script, DsaCommand::kDisableWq, (std::uint32_t{1} << (queue % 16)) | ((queue / 16) << 16U));
  }
  run_locked(script, [this, pasid, done = std::move(done)] {
    events_ != nullptr&& pasid.has_value() ? events_->remove(*pasid, done) : done();
  });
}

// --- submission ---

// One after the other through the 64 slots of the page, as Linux does.
Addr DsaDriver::portal(unsigned queue) {
  const Addr slot = (submitted_++ % (kDsaPortalPage / kDsaPortalBytes)) * kDsaPortalBytes;
  return bar2_ + dsa_portal_offset(queue, DsaPortal::kLimited) + slot;
}

void DsaDriver::submit(unsigned queue, const DsaDescriptor& descriptor) {
  machine_.write_register(portal(queue), &descriptor, sizeof descriptor);
}

void DsaDriver::enqueue(unsigned queue, Pasid pasid, DsaDescriptor descriptor, Machine::Answer answer) {
  descriptor.set_pasid(pasid, false);
  machine_.enqueue(portal(queue), &descriptor, std::move(answer));
}

}  // namespace svasim
