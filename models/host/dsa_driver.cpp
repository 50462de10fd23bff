#include "models/host/dsa_driver.h"

#include <fmt/format.h>

#include <algorithm>

namespace svasim {

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

void DsaDriver::start(unsigned queues, Task done) {
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
      .step([this, queues, done](const Task& next) {
        if (queues > DsaWqcap::QUEUES::get(wqcap_)) {
          refuse(fmt::format("{} processes, but {} work queues", queues, DsaWqcap::QUEUES::get(wqcap_)));
        } else if (queues * params_.wq_size > DsaWqcap::TOTAL_SIZE::get(wqcap_)) {
          refuse(fmt::format("{} work queues of {} entries, but {} entries in all", queues, params_.wq_size,
                             DsaWqcap::TOTAL_SIZE::get(wqcap_)));
        }
        if (!usable_ || queues == 0) {
          done();
          return;
        }
        Script rest(machine_);
        configure(queues, rest);
        command(rest, DsaCommand::kEnableDevice, 0);
        rest.run(next);
      });
  script.run(std::move(done));
}

void DsaDriver::configure(unsigned queues, Script& script) {
  const auto log2 = [](std::uint64_t value) { return 63U - static_cast<unsigned>(__builtin_clzll(value)); };
  const std::uint64_t max_transfer =
      std::min<std::uint64_t>(log2(params_.max_transfer), DsaGencap::MAX_TRANSFER::get(gencap_));
  const std::uint64_t max_batch =
      std::min<std::uint64_t>(log2(params_.max_batch), DsaGencap::MAX_BATCH::get(gencap_));
  for (unsigned queue = 0; queue < queues; ++queue) {
    script.write32(queue_config(queue, DsaWqcfg::kSize), params_.wq_size)
        .write32(queue_config(queue, DsaWqcfg::kThreshold), 0)
        .write32(queue_config(queue, DsaWqcfg::kMode), mode_word({}))
        .write32(queue_config(queue, DsaWqcfg::kLimits),
                 static_cast<std::uint32_t>(DsaWqcfg::MAX_TRANSFER::make(max_transfer) |
                                            DsaWqcfg::MAX_BATCH::make(max_batch)));
  }
  const std::uint64_t engines = (std::uint64_t{1} << DsaEngcap::ENGINES::get(engcap_)) - 1;
  script.write64(grpcfg_ + DsaGrpcfg::kWqBitmap, (std::uint64_t{1} << queues) - 1)
      .write64(grpcfg_ + DsaGrpcfg::kEngineBitmap, engines);
}

std::uint32_t DsaDriver::mode_word(const Identity& identity) const {
  return static_cast<std::uint32_t>(
      DsaWqcfg::DEDICATED::make(1) | DsaWqcfg::BLOCK_ON_FAULT::make(identity.block_on_fault) |
      DsaWqcfg::PRIORITY::make(params_.priority) |
      DsaWqcfg::PASID::make(identity.pasid.value_or(Pasid(0)).value()) |
      DsaWqcfg::PASID_ENABLE::make(identity.pasid.has_value()) | DsaWqcfg::PRIV::make(identity.privileged));
}

void DsaDriver::open(unsigned queue, const Identity& identity, Task done) {
  Script script(machine_);
  script.write32(queue_config(queue, DsaWqcfg::kMode), mode_word(identity));
  command(script, DsaCommand::kEnableWq, queue);
  run_locked(script, std::move(done));
}

// SPEC: [DSA 9.2.12]: queues are named by a bitmap of 16 and the number of that sixteen.
void DsaDriver::close(unsigned queue, Task done) {
  Script script(machine_);
  command(script, DsaCommand::kDisableWq, (std::uint32_t{1} << (queue % 16)) | ((queue / 16) << 16U));
  run_locked(script, std::move(done));
}

void DsaDriver::submit(unsigned queue, const DsaDescriptor& descriptor) {
  // One after the other through the 64 slots of the page, as Linux does.
  const Addr slot = (submitted_++ % (kDsaPortalPage / kDsaPortalBytes)) * kDsaPortalBytes;
  machine_.write_register(bar2_ + dsa_portal_offset(queue, DsaPortal::kLimited) + slot, &descriptor,
                          sizeof descriptor);
}

}  // namespace svasim
