// Every error code of commands this model has, each by the command that earns it. docs/compliance.md lists
// them.
#include <gtest/gtest.h>

#include <functional>

#include "unit/dsa_command_bench.h"

namespace svasim {
namespace {

using Device = DsaCommandBench;
using Change = std::function<void(Device&)>;

DsaParams second() {
  DsaParams p = dsa_params().defaults();
  p.version = 2;
  return p;
}
int enable_device(const Change& change, const DsaParams& p = dsa_params().defaults()) {
  Device d(p);
  d.configure();
  change(d);
  return d.run(DsaCommand::kEnableDevice);
}
int enable_queue(const Change& change, const DsaParams& p = dsa_params().defaults(),
                 std::uint32_t operand = 0) {
  Device d(p);
  d.configure();
  d.run(DsaCommand::kEnableDevice);
  change(d);
  return d.run(DsaCommand::kEnableWq, operand);
}
void event_log(Device& d, std::uint64_t base, std::uint64_t entries) {
  d.write32(dsa_reg::kGencfg, DsaGencfg::EVENT_LOG::kMask);
  d.write64(dsa_reg::kEvlcfg, base);
  d.write64(dsa_reg::kEvlcfg + 8, entries);
}
void nothing(Device& /*d*/) {}

TEST(DsaCommandError, X00Success) {
  EXPECT_EQ(enable_device(nothing), 0x00);
  EXPECT_EQ(enable_queue(nothing), 0x00);
  EXPECT_EQ(enable_device([](Device& d) { event_log(d, 0x10000, 64); }, second()), 0x00);
}

TEST(DsaCommandError, X01Unsupported) {
  Device d;
  EXPECT_EQ(d.run(static_cast<DsaCommand>(0)), 0x01);
  EXPECT_EQ(d.run(DsaCommand::kRequestInterruptHandle), 0x01) << "CMDCAP does not offer it";
  EXPECT_EQ(d.run(DsaCommand::kRequestIdptHandle), 0x01);
}

TEST(DsaCommandError, X02QueueIndex) {
  EXPECT_EQ(enable_queue(nothing, dsa_params().defaults(), 8), 0x02);
  Device d;
  d.configure();
  d.run(DsaCommand::kEnableDevice);
  EXPECT_EQ(d.run(DsaCommand::kDrainWq, 0x100), 0x02) << "queue 8 of 8";
  EXPECT_EQ(d.run(DsaCommand::kDrainWq, 0x10001), 0x02) << "queue 16";
}

TEST(DsaCommandError, X04Reserved) {
  EXPECT_EQ(enable_queue(nothing, dsa_params().defaults(), 0x100), 0x04);
  for (const unsigned code : {1U, 2U, 3U, 4U, 5U}) {
    EXPECT_EQ(Device().run(static_cast<DsaCommand>(code), 1), 0x04) << code;
  }
  Device d;
  d.write32(dsa_reg::kCmd, DsaCmd::CODE::make(3) | (1U << 25));
  EXPECT_TRUE(d.commands.execute());
  EXPECT_EQ(d.error(), 0x04) << "bits 30:25 of the register";
  DsaParams p = dsa_params().defaults();
  p.interrupt_handles = 1;
  EXPECT_EQ(Device(p).run(DsaCommand::kRequestInterruptHandle, 1U << 17), 0x04);
}

TEST(DsaCommandError, X10DeviceNotDisabled) {
  EXPECT_EQ(enable_device([](Device& d) { d.run(DsaCommand::kEnableDevice); }), 0x10);
}

TEST(DsaCommandError, X14QueueSizes) {
  EXPECT_EQ(enable_device([](Device& d) { d.write32(d.wqcfg(0, DsaWqcfg::kSize), 0); }), 0x14);
  EXPECT_EQ(enable_device([](Device& d) { d.write32(d.wqcfg(0, DsaWqcfg::kSize), 129); }), 0x14);
}

TEST(DsaCommandError, X15GroupIncomplete) {
  EXPECT_EQ(enable_device([](Device& d) { d.group(0, 1, 0); }), 0x15);
  EXPECT_EQ(enable_device([](Device& d) { d.group(1, 0, 2); }), 0x15);
}

TEST(DsaCommandError, X16GroupQueues) {
  EXPECT_EQ(enable_device([](Device& d) { d.group(1, 1, 2); }), 0x16) << "queue in two groups";
  EXPECT_EQ(enable_device([](Device& d) { d.group(0, 0, 0); }), 0x16) << "active queue in no group";
  EXPECT_EQ(enable_device([](Device& d) { d.group(0, 3, 1); }), 0x16) << "inactive queue in a group";
  EXPECT_EQ(enable_device([](Device& d) { d.group(0, 0x101, 1); }), 0x16) << "queue 8 of 8";
}

TEST(DsaCommandError, X17GroupEngines) {
  EXPECT_EQ(enable_device([](Device& d) {
              d.write32(d.wqcfg(1, DsaWqcfg::kSize), 16);
              d.group(1, 2, 1);
            }),
            0x17)
      << "engine in two groups";
  EXPECT_EQ(enable_device([](Device& d) { d.group(0, 1, 0x10); }), 0x17) << "engine 4 of 4";
}

TEST(DsaCommandError, X18ReadBuffers) {
  const auto allowed = [](unsigned buffers) {
    return [buffers](Device& d) {
      d.write64(dsa_reg::kGrpcfg + DsaGrpcfg::kFlags, DsaGrpcfg::READ_BUFFERS_ALLOWED::make(buffers));
    };
  };
  EXPECT_EQ(enable_device(allowed(3)), 0x18) << "four per engine";
  EXPECT_EQ(enable_device(allowed(4)), 0x00);
  EXPECT_EQ(enable_device(allowed(97)), 0x18) << "of 96";
  DsaParams large = dsa_params().defaults();
  large.access_size = 1024;
  EXPECT_EQ(enable_device(allowed(7), large), 0x18) << "two accesses take 8, and nothing would ever start";
  EXPECT_EQ(enable_device(allowed(8), large), 0x00);
}

TEST(DsaCommandError, X19EventLog) {
  EXPECT_EQ(enable_device([](Device& d) { event_log(d, 0x10000, 64); }), 0x19) << "version 1 has none";
  EXPECT_EQ(enable_device([](Device& d) { event_log(d, 0x10000, 63); }, second()), 0x19);
  EXPECT_EQ(enable_device([](Device& d) { event_log(d, 0xFFFFFFFFFFFFF000, 65); }, second()), 0x19);
  EXPECT_EQ(enable_device([](Device& d) { event_log(d, 0xFFFFFFFFFFFFF000, 64); }, second()), 0x00);
}

TEST(DsaCommandError, X1bPasidConfiguration) {
  const auto with = [](std::uint64_t flags) {
    return [flags](Device& d) { event_log(d, 0x10000 | flags, 64); };
  };
  DsaParams without = second();
  without.pasid = false;
  EXPECT_EQ(enable_device(with(DsaEvlcfg::PASID_ENABLE::kMask), without), 0x1B);
  EXPECT_EQ(enable_device(with(DsaEvlcfg::PASID_ENABLE::kMask), second()), 0x00);
  DsaParams unprivileged = second();
  unprivileged.privileged = false;
  EXPECT_EQ(enable_device(with(DsaEvlcfg::PASID_ENABLE::kMask | DsaEvlcfg::PRIV::kMask), unprivileged), 0x1B);
}

TEST(DsaCommandError, X20DeviceNotEnabled) {
  Device d;
  d.configure();
  EXPECT_EQ(d.run(DsaCommand::kEnableWq, 0), 0x20);
}

TEST(DsaCommandError, X21QueueNotDisabled) {
  EXPECT_EQ(enable_queue([](Device& d) { d.run(DsaCommand::kEnableWq, 0); }), 0x21);
}

TEST(DsaCommandError, X22QueueSizeZero) {
  EXPECT_EQ(enable_queue(nothing, dsa_params().defaults(), 1), 0x22);
}

TEST(DsaCommandError, X23PriorityZero) {
  EXPECT_EQ(enable_queue([](Device& d) { d.write32(d.wqcfg(0, DsaWqcfg::kMode), 1); }), 0x23);
}

// A shared queue, with all it needs.
void shared(Device& d) {
  d.write32(d.wqcfg(0, DsaWqcfg::kMode), DsaWqcfg::PRIORITY::make(5) | DsaWqcfg::PASID_ENABLE::make(1));
}

TEST(DsaCommandError, X24Mode) {
  DsaParams dedicated = dsa_params().defaults();
  dedicated.shared_queues = false;
  EXPECT_EQ(enable_queue(shared, dedicated), 0x24);
  EXPECT_EQ(enable_queue(shared), 0x00);
}

TEST(DsaCommandError, X25BlockOnFault) {
  DsaParams p = dsa_params().defaults();
  p.page_requests = false;
  EXPECT_EQ(enable_queue([](Device& d) { d.mode(0, DsaWqcfg::BLOCK_ON_FAULT::kMask); }, p), 0x25);
  EXPECT_EQ(enable_queue(
                [](Device& d) { d.mode(0, DsaWqcfg::BLOCK_ON_FAULT::kMask | DsaWqcfg::PRS_DISABLE::kMask); }),
            0x25);
}

TEST(DsaCommandError, X26Pasid) {
  EXPECT_EQ(
      enable_queue([](Device& d) { d.write32(d.wqcfg(0, DsaWqcfg::kMode), DsaWqcfg::PRIORITY::make(5)); }),
      0x26)
      << "a shared queue without";
  DsaParams p = dsa_params().defaults();
  p.pasid = false;
  EXPECT_EQ(enable_queue([](Device& d) { d.mode(0, DsaWqcfg::PASID_ENABLE::kMask); }, p), 0x26);
}

TEST(DsaCommandError, X27MaxBatch) {
  EXPECT_EQ(enable_queue([](Device& d) {
              d.write32(d.wqcfg(0, DsaWqcfg::kLimits),
                        DsaWqcfg::MAX_TRANSFER::make(20) | DsaWqcfg::MAX_BATCH::make(11));
            }),
            0x27);
}

TEST(DsaCommandError, X28MaxTransfer) {
  DsaParams small = dsa_params().defaults();
  small.max_transfer = 1U << 20;
  EXPECT_EQ(enable_queue(nothing, small), 0x28);
}

TEST(DsaCommandError, X2aPrivileged) {
  const auto privileged = [](Device& d) { d.mode(0, DsaWqcfg::PASID_ENABLE::kMask | DsaWqcfg::PRIV::kMask); };
  DsaParams p = dsa_params().defaults();
  p.privileged = false;
  EXPECT_EQ(enable_queue(privileged, p), 0x2A);
  EXPECT_EQ(enable_queue(privileged), 0x00);
}

TEST(DsaCommandError, X2bOccupancyInterrupt) {
  const auto with = [](std::uint32_t handle, const DsaParams& p) {
    return enable_queue(
        [handle](Device& d) {
          d.write32(d.wqcfg(0, DsaWqcfg::kOccupancyInterrupt), handle);
          d.write32(d.wqcfg(0, DsaWqcfg::kOccupancyLimit), DsaWqcfg::INTERRUPT_ENABLE::kMask | 4U);
        },
        p);
  };
  EXPECT_EQ(with(8, dsa_params().defaults()), 0x00);
  EXPECT_EQ(with(9, dsa_params().defaults()), 0x2B) << "vector 9 of 9";
  EXPECT_EQ(with(0x10000, dsa_params().defaults()), 0x2B) << "no IMS";
  DsaParams handles = dsa_params().defaults();
  handles.interrupt_handles = 4;
  EXPECT_EQ(with(0, handles), 0x2B) << "a handle nobody has requested";
}

TEST(DsaCommandError, X2dOperations) {
  EXPECT_EQ(enable_queue([](Device& d) { d.write64(d.wqcfg(0, DsaWqcfg::kOperations), ~0ULL); }), 0x2D);
}

TEST(DsaCommandError, X2ePageRequestsDisabled) {
  const auto disabled = [](Device& d) { d.mode(0, DsaWqcfg::PRS_DISABLE::kMask); };
  EXPECT_EQ(enable_queue(disabled), 0x2E) << "version 1 cannot";
  EXPECT_EQ(enable_queue(disabled, second()), 0x2E) << "no event log";
  Device d(second());
  d.configure();
  event_log(d, 0x10000, 64);
  d.run(DsaCommand::kEnableDevice);
  disabled(d);
  EXPECT_EQ(d.run(DsaCommand::kEnableWq, 0), 0x00);
}

TEST(DsaCommandError, X31DisableNotEnabled) {
  Device d;
  d.configure();
  EXPECT_EQ(d.run(DsaCommand::kDisableDevice), 0x31);
}

TEST(DsaCommandError, X32QueueNotEnabled) {
  Device d;
  d.configure();
  d.run(DsaCommand::kEnableDevice);
  for (const DsaCommand command : {DsaCommand::kDisableWq, DsaCommand::kDrainWq, DsaCommand::kAbortWq}) {
    EXPECT_EQ(d.run(command, 1), 0x32);
  }
  EXPECT_EQ(d.run(DsaCommand::kResetWq, 1), 0x00) << "a reset does not mind";
}

TEST(DsaCommandError, X41X42InterruptHandles) {
  DsaParams p = dsa_params().defaults();
  p.interrupt_handles = 2;
  Device d(p);
  EXPECT_EQ(d.run(DsaCommand::kRequestInterruptHandle, 9), 0x41) << "vector 9 of 9";
  EXPECT_EQ(d.run(DsaCommand::kRequestInterruptHandle, 0x10000), 0x41) << "no IMS";
  EXPECT_EQ(d.run(DsaCommand::kReleaseInterruptHandle, 0), 0x41) << "not given out";
  EXPECT_EQ(d.run(DsaCommand::kRequestInterruptHandle, 3), 0x00);
  EXPECT_EQ(d.run(DsaCommand::kRequestInterruptHandle, 4), 0x00);
  EXPECT_EQ(d.run(DsaCommand::kRequestInterruptHandle, 5), 0x42) << "both are in use";
}

}  // namespace
}  // namespace svasim
