// BAR0 and the commands of a DSA, by the tables of the specification.
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "models/dsa/dsa_commands.h"

namespace svasim {
namespace {

// A device without engines: what is pending is what the test says.
class Device : public DsaCommandTarget {
 public:
  explicit Device(const DsaParams& p = dsa_params().defaults())
      : params(p), registers(params), commands(params, registers, *this) {}

  unsigned pending(unsigned queue) const override { return queued.count(queue) ? queued.at(queue) : 0; }
  unsigned pending_of(Pasid) const override { return of_pasid; }
  void discard(unsigned queue) override { queued[queue] = 0; }
  void discard_of(Pasid) override { of_pasid = 0; }
  void device_enabled() override {}
  void queue_enabled(unsigned queue) override { enabled.push_back(queue); }

  void write32(std::uint32_t offset, std::uint64_t value) {
    const auto word = static_cast<std::uint32_t>(value);
    if (registers.write(offset, &word, 4)) commands.begin();
  }
  void write64(std::uint32_t offset, std::uint64_t value) { registers.write(offset, &value, 8); }
  void order(DsaCommand code, std::uint32_t operand = 0) {
    write32(dsa_reg::kCmd,
            DsaCmd::CODE::make(static_cast<std::uint64_t>(code)) | DsaCmd::OPERAND::make(operand));
  }
  // Gives the command and executes it; its error code, or -1 while it waits.
  int run(DsaCommand code, std::uint32_t operand = 0) {
    order(code, operand);
    return commands.execute() ? error() : -1;
  }
  int error() const { return static_cast<int>(DsaCmdstatus::ERROR::get(registers.command_status())); }
  std::uint32_t wqcfg(unsigned queue, std::uint32_t word) const {
    return dsa_reg::kWqcfg + queue * DsaWqcfg::stride(DsaRegisters::kWqcfgSize) + word;
  }
  void group(unsigned number, std::uint64_t queues, std::uint64_t engines) {
    write64(dsa_reg::kGrpcfg + number * DsaGrpcfg::kStride, queues);
    write64(dsa_reg::kGrpcfg + number * DsaGrpcfg::kStride + DsaGrpcfg::kEngineBitmap, engines);
  }
  void mode(unsigned queue, std::uint64_t more = 0) {
    write32(wqcfg(queue, DsaWqcfg::kMode), DsaWqcfg::DEDICATED::make(1) | DsaWqcfg::PRIORITY::make(5) | more);
    write32(wqcfg(queue, DsaWqcfg::kLimits), DsaWqcfg::MAX_TRANSFER::make(21));
  }
  // Queue 0 with 16 entries in group 0 with engine 0.
  void configure() {
    write32(wqcfg(0, DsaWqcfg::kSize), 16);
    group(0, 1, 1);
    mode(0);
  }

  DsaParams params;
  DsaRegisters registers;
  DsaCommands commands;
  std::map<unsigned, unsigned> queued;
  unsigned of_pasid = 0;
  std::vector<unsigned> enabled;
};

TEST(DsaRegisters, CapabilitiesOfTheDefaultDevice) {
  const Device d;
  const DsaRegisters& r = d.registers;
  EXPECT_EQ(r.get32(dsa_reg::kVersion), 0x100U);
  // CAL: SPR: 8 queues, 128 entries, 4 groups, 4 engines, 96 read buffers, 2 GiB.
  EXPECT_EQ(DsaWqcap::QUEUES::get(r.get64(dsa_reg::kWqcap)), 8U);
  EXPECT_EQ(DsaWqcap::TOTAL_SIZE::get(r.get64(dsa_reg::kWqcap)), 128U);
  EXPECT_EQ(DsaGrpcap::GROUPS::get(r.get64(dsa_reg::kGrpcap)), 4U);
  EXPECT_EQ(DsaGrpcap::READ_BUFFERS::get(r.get64(dsa_reg::kGrpcap)), 96U);
  EXPECT_EQ(DsaEngcap::ENGINES::get(r.get64(dsa_reg::kEngcap)), 4U);
  EXPECT_EQ(DsaGencap::MAX_TRANSFER::get(r.get64(dsa_reg::kGencap)), 31U);
  // SPEC: [DSA 8.3]: no-op to dualcast, CRC and DIF, cache flush.
  EXPECT_EQ(r.get64(dsa_reg::kOpcap), 0x1003F03FFULL);
  EXPECT_EQ(DsaGencap::MAX_BATCH::get(r.get64(dsa_reg::kGencap)), 10U);
  for (const std::uint32_t dsacap : {0x180U, 0x188U, 0x190U}) EXPECT_EQ(r.get64(dsacap), 0U) << "version 3";
  EXPECT_EQ(DsaOffsets::WQCFG::get(r.get64(dsa_reg::kOffsets)) * DsaOffsets::kUnit, dsa_reg::kWqcfg);
  EXPECT_EQ(DsaOffsets::GRPCFG::get(r.get64(dsa_reg::kOffsets)) * DsaOffsets::kUnit, dsa_reg::kGrpcfg);
}

// SPEC: [DSA 9.2, revision history]
TEST(DsaRegisters, CapabilitiesOfVersion2) {
  DsaParams params = dsa_params().defaults();
  params.version = 2;
  const Device d(params);
  const DsaRegisters& r = d.registers;
  EXPECT_EQ(r.get32(dsa_reg::kVersion), 0x200U);
  EXPECT_EQ(r.get64(dsa_reg::kOpcap), 0x100BF07FFULL) << "and translation fetch, DIX generate";
  const std::uint64_t added = r.get64(dsa_reg::kGencap) & ~Device().registers.get64(dsa_reg::kGencap);
  EXPECT_EQ(added, (1U << 7) | (1U << 10) | (1U << 11) | (1U << 12) | (1U << 15));
}

TEST(DsaRegisters, WhatCanBeWritten) {
  Device d;
  d.write64(dsa_reg::kGencap, 0);
  EXPECT_NE(d.registers.get64(dsa_reg::kGencap), 0U);
  d.write32(d.wqcfg(0, DsaWqcfg::kThreshold), 0x12345);
  EXPECT_EQ(d.registers.get32(d.wqcfg(0, DsaWqcfg::kThreshold)), 0x2345U);
  const std::uint8_t byte = 0xAB;
  d.registers.write(d.wqcfg(0, DsaWqcfg::kSize) + 1, &byte, 1);
  EXPECT_EQ(d.registers.get32(d.wqcfg(0, DsaWqcfg::kSize)), 0xAB00U);
  d.write32(d.wqcfg(0, DsaWqcfg::kSize), 16);
  d.group(0, 1, 1);
  d.mode(0);
  ASSERT_EQ(d.run(DsaCommand::kEnableDevice), 0);
  // SPEC: [DSA 2, 3]: sizes and groups only while the device is disabled.
  d.write32(d.wqcfg(0, DsaWqcfg::kSize), 32);
  d.group(0, 3, 3);
  d.write32(dsa_reg::kGencfg, 0);
  EXPECT_EQ(d.registers.queue_config(0).size, 16U);
  EXPECT_EQ(d.registers.group_queues(0), 1U);
  EXPECT_EQ(DsaGencfg::READ_BUFFER_LIMIT::get(d.registers.get32(dsa_reg::kGencfg)), 96U);
  d.mode(0, DsaWqcfg::PASID::make(77));
  EXPECT_EQ(d.registers.queue_config(0).pasid, Pasid(77));
  ASSERT_EQ(d.run(DsaCommand::kEnableWq, 0), 0);
  d.mode(0, DsaWqcfg::PASID::make(78));
  EXPECT_EQ(d.registers.queue_config(0).pasid, Pasid(77)) << "an enabled queue keeps its configuration";
}

TEST(DsaRegisters, ErrorsAreKeptUntilCleared) {
  Device d;
  EXPECT_TRUE(d.registers.report_error(DsaSwerror::ERROR::make(0x1A), 0, 0x5000));
  EXPECT_FALSE(d.registers.report_error(DsaSwerror::ERROR::make(0x53), 0, 0x6000));
  std::uint64_t word = d.registers.get64(dsa_reg::kSwerror);
  EXPECT_EQ(DsaSwerror::ERROR::get(word), 0x1AU);
  EXPECT_EQ(DsaSwerror::OVERFLOW_BIT::get(word), 1U);
  EXPECT_EQ(d.registers.get64(dsa_reg::kSwerror + 16), 0x5000U);
  d.write32(dsa_reg::kSwerror, DsaSwerror::VALID::kMask | DsaSwerror::OVERFLOW_BIT::kMask);
  EXPECT_TRUE(d.registers.report_error(DsaSwerror::ERROR::make(0x53), 0, 0x6000));
  word = d.registers.get64(dsa_reg::kSwerror);
  EXPECT_EQ(DsaSwerror::ERROR::get(word), 0x53U);
}

TEST(DsaRegisters, MsixMaskAndPending) {
  Device d;
  EXPECT_TRUE(d.registers.vector(0).masked) << "reset value";
  d.write64(dsa_reg::kMsixTable, 0xFEE00000);
  d.write32(dsa_reg::kMsixTable + 8, 0x41);
  d.write32(dsa_reg::kMsixTable + 12, 0xFFFFFFFE);
  EXPECT_FALSE(d.registers.vector(0).masked);
  EXPECT_EQ(d.registers.vector(0).data, 0x41U);
  d.registers.set_pending(8, true);
  EXPECT_TRUE(d.registers.pending(8));
  d.write32(dsa_reg::kMsixPba, 0);
  EXPECT_TRUE(d.registers.pending(8)) << "read only";
}

TEST(DsaCommands, EnableDeviceErrors) {
  const auto with = [](const std::function<void(Device&)>& change) {
    Device d;
    d.configure();
    change(d);
    return d.run(DsaCommand::kEnableDevice);
  };
  EXPECT_EQ(with([](Device&) {}), 0x00);
  EXPECT_EQ(with([](Device& d) { d.run(DsaCommand::kEnableDevice); }), 0x10);
  EXPECT_EQ(with([](Device& d) { d.write32(d.wqcfg(0, DsaWqcfg::kSize), 0); }), 0x14);
  EXPECT_EQ(with([](Device& d) { d.write32(d.wqcfg(0, DsaWqcfg::kSize), 129); }), 0x14);
  EXPECT_EQ(with([](Device& d) { d.group(0, 1, 0); }), 0x15);
  EXPECT_EQ(with([](Device& d) { d.group(1, 0, 2); }), 0x15);
  EXPECT_EQ(with([](Device& d) { d.group(1, 1, 2); }), 0x16) << "queue in two groups";
  EXPECT_EQ(with([](Device& d) { d.group(0, 0, 0); }), 0x16) << "active queue in no group";
  EXPECT_EQ(with([](Device& d) { d.group(0, 3, 1); }), 0x16) << "inactive queue in a group";
  EXPECT_EQ(with([](Device& d) { d.group(0, 0x101, 1); }), 0x16) << "queue 8 of 8";
  EXPECT_EQ(with([](Device& d) {
              d.write32(d.wqcfg(1, DsaWqcfg::kSize), 16);
              d.group(1, 2, 1);
            }),
            0x17)
      << "engine in two groups";
  EXPECT_EQ(with([](Device& d) { d.group(0, 1, 0x10); }), 0x17) << "engine 4 of 4";
  EXPECT_EQ(with([](Device& d) {
              d.write64(dsa_reg::kGrpcfg + DsaGrpcfg::kFlags, DsaGrpcfg::READ_BUFFERS_ALLOWED::make(3));
            }),
            0x18);
}

TEST(DsaCommands, EnableQueueErrors) {
  const auto with = [](const std::function<void(Device&)>& change, std::uint32_t operand = 0) {
    Device d;
    d.configure();
    d.run(DsaCommand::kEnableDevice);
    change(d);
    return d.run(DsaCommand::kEnableWq, operand);
  };
  EXPECT_EQ(with([](Device&) {}), 0x00);
  EXPECT_EQ(with([](Device&) {}, 8), 0x02);
  EXPECT_EQ(with([](Device&) {}, 0x100), 0x04);
  EXPECT_EQ(with([](Device& d) { d.run(DsaCommand::kEnableWq, 0); }), 0x21);
  EXPECT_EQ(with([](Device&) {}, 1), 0x22) << "size 0";
  EXPECT_EQ(with([](Device& d) { d.write32(d.wqcfg(0, DsaWqcfg::kMode), 1); }), 0x23) << "priority 0";
  EXPECT_EQ(with([](Device& d) { d.write32(d.wqcfg(0, DsaWqcfg::kMode), DsaWqcfg::PRIORITY::make(1)); }),
            0x24)
      << "shared";
  EXPECT_EQ(
      with([](Device& d) { d.mode(0, DsaWqcfg::BLOCK_ON_FAULT::kMask | DsaWqcfg::PRS_DISABLE::kMask); }),
      0x25);
  EXPECT_EQ(with([](Device& d) { d.write64(d.wqcfg(0, DsaWqcfg::kOperations), ~0ULL); }), 0x2D);
  EXPECT_EQ(with([](Device& d) {
              d.write32(d.wqcfg(0, DsaWqcfg::kLimits),
                        static_cast<std::uint32_t>(DsaWqcfg::MAX_TRANSFER::make(20) |
                                                   DsaWqcfg::MAX_BATCH::make(11)));
            }),
            0x27);
  Device off;
  off.configure();
  EXPECT_EQ(off.run(DsaCommand::kEnableWq, 0), 0x20) << "device disabled";
  DsaParams small = dsa_params().defaults();
  small.max_transfer = 1U << 20;
  Device d(small);
  d.configure();
  d.run(DsaCommand::kEnableDevice);
  EXPECT_EQ(d.run(DsaCommand::kEnableWq, 0), 0x28);
}

TEST(DsaCommands, OthersErrors) {
  Device d;
  d.configure();
  EXPECT_EQ(d.run(DsaCommand::kDisableDevice), 0x31);
  EXPECT_EQ(d.run(static_cast<DsaCommand>(0)), 0x01);
  EXPECT_EQ(d.run(DsaCommand::kRequestInterruptHandle), 0x01) << "CMDCAP does not offer it";
  d.run(DsaCommand::kEnableDevice);
  EXPECT_EQ(d.run(DsaCommand::kDrainWq, 1), 0x32);
  EXPECT_EQ(d.run(DsaCommand::kDrainWq, 0x100), 0x02) << "queue 8 of 8";
  EXPECT_EQ(d.run(DsaCommand::kDrainWq, 0x10001), 0x02) << "queue 16";
}

TEST(DsaCommands, OneAtATime) {
  Device d;
  d.configure();
  d.order(DsaCommand::kEnableDevice);
  EXPECT_EQ(DsaCmdstatus::ACTIVE::get(d.registers.command_status()), 1U);
  EXPECT_FALSE(d.commands.begin());
  EXPECT_TRUE(d.commands.execute());
  EXPECT_EQ(DsaCmdstatus::ACTIVE::get(d.registers.command_status()), 0U);
}

TEST(DsaCommands, DrainAndDisableWaitAbortDoesNot) {
  Device d;
  d.configure();
  d.run(DsaCommand::kEnableDevice);
  d.run(DsaCommand::kEnableWq, 0);
  d.queued[0] = 2;
  EXPECT_EQ(d.run(DsaCommand::kDrainWq, 1), -1);
  EXPECT_EQ(d.registers.queue_state(0), DsaWqState::kEnabled) << "still takes descriptors";
  EXPECT_FALSE(d.commands.progress());
  d.queued[0] = 0;
  EXPECT_TRUE(d.commands.progress());
  EXPECT_EQ(d.error(), 0);
  d.queued[0] = 1;
  EXPECT_EQ(d.run(DsaCommand::kDisableWq, 1), -1);
  EXPECT_EQ(d.registers.queue_state(0), DsaWqState::kBusy);
  d.queued[0] = 0;
  EXPECT_TRUE(d.commands.progress());
  EXPECT_EQ(d.registers.queue_state(0), DsaWqState::kDisabled);
  d.run(DsaCommand::kEnableWq, 0);
  d.queued[0] = 3;
  EXPECT_EQ(d.run(DsaCommand::kAbortWq, 1), 0);
  EXPECT_EQ(d.queued[0], 0U);
  d.of_pasid = 1;
  EXPECT_EQ(d.run(DsaCommand::kDrainPasid, 5), -1);
  d.of_pasid = 0;
  EXPECT_TRUE(d.commands.progress());
  d.queued[0] = 1;
  EXPECT_EQ(d.run(DsaCommand::kDisableDevice), -1);
  EXPECT_EQ(d.registers.state(), DsaDeviceState::kBusy);
  d.queued[0] = 0;
  EXPECT_TRUE(d.commands.progress());
  EXPECT_EQ(d.registers.state(), DsaDeviceState::kDisabled);
}

TEST(DsaCommands, ResetClearsTheConfiguration) {
  Device d;
  d.configure();
  d.write32(dsa_reg::kMsixTable + 12, 0);
  d.registers.report_error(0, 0, 0);
  d.run(DsaCommand::kEnableDevice);
  d.run(DsaCommand::kEnableWq, 0);
  EXPECT_EQ(d.run(DsaCommand::kResetDevice), 0);
  EXPECT_EQ(d.registers.state(), DsaDeviceState::kDisabled);
  EXPECT_EQ(d.registers.queue_state(0), DsaWqState::kDisabled);
  EXPECT_EQ(d.registers.group_queues(0), 0U);
  EXPECT_EQ(DsaGrpcfg::READ_BUFFERS_ALLOWED::get(d.registers.get64(dsa_reg::kGrpcfg + DsaGrpcfg::kFlags)),
            96U);
  // SPEC: [DSA 3.3]: SWERROR and the MSI-X table survive.
  EXPECT_EQ(DsaSwerror::VALID::get(d.registers.get64(dsa_reg::kSwerror)), 1U);
  EXPECT_FALSE(d.registers.vector(0).masked);
  EXPECT_NE(d.registers.get64(dsa_reg::kGencap), 0U);
}

}  // namespace
}  // namespace svasim
