// BAR0 and the commands of a DSA, by the tables of the specification.
#include <gtest/gtest.h>

#include "unit/dsa_command_bench.h"

namespace svasim {
namespace {

using Device = DsaCommandBench;

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
  EXPECT_EQ(added, (1U << 7) | (1U << 10) | (1U << 11) | (1U << 12) | (1U << 13) | (1U << 15))
      << "the event log has 64-byte entries";
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
  d.submit(0);
  EXPECT_EQ(d.run(DsaCommand::kDrainWq, 1), -1);
  EXPECT_EQ(d.registers.queue_state(0), DsaWqState::kEnabled) << "still takes descriptors";
  EXPECT_FALSE(d.commands.progress());
  d.submitted.clear();
  EXPECT_TRUE(d.commands.progress());
  EXPECT_EQ(d.error(), 0);
  d.submit(0);
  EXPECT_EQ(d.run(DsaCommand::kDisableWq, 1), -1);
  EXPECT_EQ(d.registers.queue_state(0), DsaWqState::kBusy);
  d.submitted.clear();
  EXPECT_TRUE(d.commands.progress());
  EXPECT_EQ(d.registers.queue_state(0), DsaWqState::kDisabled);
  d.run(DsaCommand::kEnableWq, 0);
  d.submit(0);
  EXPECT_EQ(d.run(DsaCommand::kAbortWq, 1), 0);
  EXPECT_TRUE(d.submitted.empty());
  d.submit(0);
  EXPECT_EQ(d.run(DsaCommand::kDisableDevice), -1);
  EXPECT_EQ(d.registers.state(), DsaDeviceState::kBusy);
  d.submitted.clear();
  EXPECT_TRUE(d.commands.progress());
  EXPECT_EQ(d.registers.state(), DsaDeviceState::kDisabled);
}

// SPEC: [DSA 9.2, Table 9-5]: a drain is about what was submitted before it, and about one PASID if that is
// asked.
TEST(DsaCommands, DrainIsAboutWhatWasBefore) {
  Device d;
  d.configure();
  d.run(DsaCommand::kEnableDevice);
  d.run(DsaCommand::kEnableWq, 0);
  d.submit(0, 5);
  d.submit(0, 6);
  EXPECT_EQ(d.run(DsaCommand::kDrainPasid, 7), 0) << "nothing of this PASID";
  EXPECT_EQ(d.run(DsaCommand::kDrainPasid, 5), -1);
  d.submit(0, 5);
  d.submitted.erase(d.submitted.begin());
  EXPECT_TRUE(d.commands.progress()) << "6 and the later 5 do not count";
  EXPECT_EQ(d.run(DsaCommand::kAbortPasid, 5), 0);
  ASSERT_EQ(d.submitted.size(), 1U);
  EXPECT_EQ(d.submitted[0].pasid, Pasid(6));
  EXPECT_EQ(d.run(DsaCommand::kDrainAll), -1);
  d.submit(0, 8);
  d.submitted.erase(d.submitted.begin());
  EXPECT_TRUE(d.commands.progress());
}

TEST(DsaCommands, AbortAllTakesNoSubmissions) {
  Device d;
  d.configure();
  d.run(DsaCommand::kEnableDevice);
  EXPECT_FALSE(d.commands.refuses_submissions());
  d.order(DsaCommand::kAbortAll);
  EXPECT_TRUE(d.commands.refuses_submissions());
  EXPECT_TRUE(d.commands.execute());
  EXPECT_FALSE(d.commands.refuses_submissions());
}

TEST(DsaCommands, InterruptHandles) {
  DsaParams p = dsa_params().defaults();
  p.interrupt_handles = 2;
  Device d(p);
  EXPECT_FALSE(d.registers.vector_of(0)) << "none given out yet";
  EXPECT_EQ(d.run(DsaCommand::kRequestInterruptHandle, 7), 0);
  const unsigned handle = d.result();
  EXPECT_EQ(d.registers.vector_of(handle), 7U);
  EXPECT_EQ(d.run(DsaCommand::kReleaseInterruptHandle, handle), 0);
  EXPECT_FALSE(d.registers.vector_of(handle));
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
