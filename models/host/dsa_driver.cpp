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
void DsaDriver::run_locked(const Script& script, Task done) {
  commands_.add([script, done = std::move(done)](const Task& next) {
    Script run = script;
    run.run([next, done] {
      next();
      done();
    });
  });
}

void DsaDriver::start(const DsaDivision& plan, const KernelMemory& memory, Task done) {
  plan_ = plan;
  openers_.assign(plan_.queues.size(), 0);
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
        if (const std::string why = lacks(); !why.empty()) refuse(why);
        if (!usable_ || plan_.queues.empty()) {
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
        for (unsigned queue = 0; queue < plan_.queues.size(); ++queue) {
          if (plan_.queues[queue].shared && plan_.queues[queue].size != 0) {
            command(rest, DsaCommand::kEnableWq, queue);
          }
        }
        rest.run(next);
      });
  script.run(std::move(done));
}

std::string DsaDriver::lacks() const {
  if (const auto queues = plan_.queues.size(); queues > DsaWqcap::QUEUES::get(wqcap_)) {
    return fmt::format("{} work queues are asked for, but it has {}", queues, DsaWqcap::QUEUES::get(wqcap_));
  }
  if (plan_.forced) return "";
  if (plan_.entries() > DsaWqcap::TOTAL_SIZE::get(wqcap_)) {
    return fmt::format("its work queues need {} entries, but it has {} in all", plan_.entries(),
                       DsaWqcap::TOTAL_SIZE::get(wqcap_));
  }
  const bool sharing = plan_.shares() && DsaWqcap::SHARED_MODE::get(wqcap_) == 0;
  return sharing ? "its work queues cannot be shared" : "";
}

void DsaDriver::configure(Script& script) {
  const auto at_most = [this](std::uint64_t wanted, std::uint64_t most) {
    return plan_.forced ? wanted : std::min(wanted, most);
  };
  // A shared queue takes the PASID of each descriptor; a dedicated one gets its opener's.
  Identity shared_or_none;
  shared_or_none.pasid = Pasid(0);
  for (unsigned number = 0; number < plan_.queues.size(); ++number) {
    const DsaDivision::Queue& queue = plan_.queues[number];
    const std::uint64_t max_transfer =
        at_most(queue.log2_max_transfer, DsaGencap::MAX_TRANSFER::get(gencap_));
    const std::uint64_t max_batch = at_most(queue.log2_max_batch, DsaGencap::MAX_BATCH::get(gencap_));
    shared_or_none.block_on_fault = queue.block_on_fault;
    script.write32(queue_config(number, DsaWqcfg::kSize), queue.size)
        .write32(queue_config(number, DsaWqcfg::kThreshold), queue.threshold)
        .write32(queue_config(number, DsaWqcfg::kMode), mode_word(queue, shared_or_none))
        .write32(queue_config(number, DsaWqcfg::kLimits),
                 static_cast<std::uint32_t>(DsaWqcfg::MAX_TRANSFER::make(max_transfer) |
                                            DsaWqcfg::MAX_BATCH::make(max_batch)));
    if (!queue.operations) continue;
    for (std::uint32_t word = 0; word < queue.operations->size(); ++word) {
      script.write32(queue_config(number, DsaWqcfg::kOperations + 4 * word), (*queue.operations)[word]);
    }
  }
  configure_groups(script);
}

void DsaDriver::configure_groups(Script& script) {
  const std::uint64_t engines = (std::uint64_t{1} << DsaEngcap::ENGINES::get(engcap_)) - 1;
  for (const DsaDivision::Group& group : plan_.groups) {
    const Addr place = grpcfg_ + group.number * DsaGrpcfg::kStride;
    script.write64(place + DsaGrpcfg::kWqBitmap, group.queues)
        .write64(place + DsaGrpcfg::kEngineBitmap, group.engines & engines);
    if (group.flags == 0) continue;
    script.read(place + DsaGrpcfg::kFlags, 8, [this, place, group](std::uint64_t before) {
      const std::uint64_t flags = (before & group.flags_kept) | group.flags;
      machine_.write_register32(place + DsaGrpcfg::kFlags, static_cast<std::uint32_t>(flags));
      machine_.write_register32(place + DsaGrpcfg::kFlags + 4, static_cast<std::uint32_t>(flags >> 32U));
    });
  }
  if (plan_.read_buffer_limit != 0) {
    script.write32(bar0_ + dsa_reg::kGencfg,
                   static_cast<std::uint32_t>(DsaGencfg::READ_BUFFER_LIMIT::make(plan_.read_buffer_limit)));
  }
}

std::uint32_t DsaDriver::mode_word(const DsaDivision::Queue& queue, const Identity& identity) const {
  return static_cast<std::uint32_t>(
      DsaWqcfg::DEDICATED::make(!queue.shared) | DsaWqcfg::BLOCK_ON_FAULT::make(identity.block_on_fault) |
      DsaWqcfg::ATS_DISABLE::make(queue.ats_disable) | DsaWqcfg::PRS_DISABLE::make(queue.prs_disable) |
      DsaWqcfg::PRIORITY::make(queue.priority) |
      DsaWqcfg::PASID::make(identity.pasid.value_or(Pasid(0)).value()) |
      DsaWqcfg::PASID_ENABLE::make(identity.pasid.has_value()) | DsaWqcfg::PRIV::make(identity.privileged));
}

DsaDriver::Faults DsaDriver::faults(unsigned queue) const {
  const DsaDivision::Queue& plan = plan_.queues[queue];
  if (plan.ats_disable) return Faults::kUnseen;
  return faults_ == Faults::kBlock && !plan.block_on_fault ? Faults::kReported : faults_;
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
  if (!is_shared(queue) && openers_[queue] != 0) {
    return false;
  }
  ++openers_[queue];
  return true;
}

void DsaDriver::open(unsigned queue, const Identity& identity, Task done) {
  if (events_ != nullptr && identity.pasid.has_value() && identity.space != nullptr) {
    events_->add(*identity.pasid, *identity.space);
  }
  if (is_shared(queue)) {
    machine_.after(1, std::move(done));
    return;
  }
  Script script(machine_);
  script.write32(queue_config(queue, DsaWqcfg::kMode), mode_word(plan_.queues[queue], identity));
  command(script, DsaCommand::kEnableWq, queue);
  run_locked(script, std::move(done));
}

// SPEC: [DSA 9.2.12]: queues are named by a bitmap of 16 and the number of that sixteen. [LINUX
// idxd_cdev_release]: of a shared queue only what has this PASID is drained.
void DsaDriver::close(unsigned queue, std::optional<Pasid> pasid, Task done) {
  Script script(machine_);
  if (is_shared(queue)) {
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
