// The event log of a DSA: what goes into it, how, and what happens when it is full. SPEC: [DSA 5, 8]
#include <gtest/gtest.h>

#include "system/dsa_bench.h"

namespace svasim {
namespace {

constexpr Addr kList = 0x10000000;
constexpr Addr kNowhere = 0x70000000;  // no page there, and none to be had

class DsaEvents : public ::testing::TestWithParam<Timing> {
 protected:
  DsaEvents() : DsaEvents(false) {}
  static DsaParams params(bool overflow) {
    DsaParams p = dsa_params().defaults();
    p.version = 2;
    p.event_log_overflow = overflow;
    return p;
  }
  static void set_up(DsaBench& bench, std::uint64_t mode = 0) {
    bench.configure(mode == 0);
    bench.write32(bench.wqcfg(0) + DsaWqcfg::kMode,
                  bench.dsa.registers().get32(bench.wqcfg(0) + DsaWqcfg::kMode) | mode);
    bench.configure_event_log();
    bench.enable();
  }
  static DsaDescriptor lost(DsaOpcode opcode, unsigned number, Addr source = 0, std::uint32_t size = 0) {
    DsaDescriptor d = DsaBench::descriptor(opcode, number, source, 0, size);
    d.completion_address = kNowhere + 32 * number;
    return d;
  }
  void store(Addr address, const DsaDescriptor& d) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(&d);
    b.map(address, sizeof d);
    b.agent.memory.fill(address + DsaBench::kOffset, sizeof d, [&](std::size_t i) { return bytes[i]; });
  }
  static bool pending(const DsaBench& bench) {
    return DsaEvlstatus::INTERRUPT_PENDING::get(bench.dsa.registers().get64(dsa_reg::kEvlstatus)) != 0;
  }

  explicit DsaEvents(bool overflow) : b(GetParam(), params(overflow)) {
    b.agent.on_group = [](const SeenTlp&) { return 1; };
  }

  DsaBench b;
};

class DsaEventsLost : public DsaEvents {
 protected:
  DsaEventsLost() : DsaEvents(true) {}
};

const auto kName = [](const auto& timing) {
  return timing.param == Timing::kLoose ? std::string("loose") : std::string("approximate");
};

INSTANTIATE_TEST_SUITE_P(Timings, DsaEvents, ::testing::Values(Timing::kApproximate, Timing::kLoose), kName);
INSTANTIATE_TEST_SUITE_P(Timings, DsaEventsLost, ::testing::Values(Timing::kApproximate, Timing::kLoose),
                         kName);

// SPEC: [DSA Table 5-9]: by byte offset.
TEST_P(DsaEvents, EntryOfARecordThatCannotBeWritten) {
  set_up(b);
  DsaDescriptor d = lost(DsaOpcode::kCompare, 1, kList, 100);
  d.destination = kList + 200;
  d.interrupt_handle = 6;
  b.map(kList, kPageSize);
  b.agent.memory.byte(kList + DsaBench::kOffset + 250) = 1;
  b.submit(d);
  b.run(kMs);
  ASSERT_EQ(b.events(), 1U);
  std::array<std::uint8_t, 64> image{};
  const DsaEvent event = b.event(0);
  std::memcpy(image.data(), &event, sizeof event);
  EXPECT_EQ(image[0], 0xAC) << "descriptor, queue and error information valid, a write";
  EXPECT_EQ(image[1], 0x1A);
  EXPECT_EQ(image[2], 0) << "queue";
  EXPECT_EQ(image[4], 0x05) << "operation";
  EXPECT_EQ(image[5] | image[6] << 8U, static_cast<int>(DsaBench::kPasid));
  EXPECT_EQ(image[12] | image[13] << 8U, 6) << "interrupt handle";
  EXPECT_EQ(image[14] & 0x0C, 0x04) << "record requested, not in a batch";
  EXPECT_EQ(image[15] >> 5U, 5) << "operand";
  EXPECT_EQ(event.address, d.completion_address);
  EXPECT_EQ(event.record.code(), DsaStatus::kSuccess);
  EXPECT_EQ(event.record.result, 1U) << "they differ";
  EXPECT_EQ(event.record.bytes_completed, 50U);
  EXPECT_EQ(b.dsa.registers().get64(dsa_reg::kSwerror), 0U);
  EXPECT_EQ(b.dsa.stats().interrupts.value, 1U);
  EXPECT_TRUE(pending(b));
  EXPECT_EQ(b.dsa.registers().get32(dsa_reg::kIntcause), DsaIntcause::EVENT_LOG::kMask);
  b.expect_clean();
}

// SPEC: [DSA 5]: one interrupt until software clears what is pending.
TEST_P(DsaEvents, InterruptOnce) {
  set_up(b);
  for (unsigned i = 0; i < 3; ++i) b.submit(lost(DsaOpcode::kNoop, i));
  b.run(kMs);
  EXPECT_EQ(b.events(), 3U);
  EXPECT_EQ(b.dsa.stats().interrupts.value, 1U);
  b.write64(dsa_reg::kEvlstatus, DsaEvlstatus::INTERRUPT_PENDING::kMask | 3U);
  EXPECT_FALSE(pending(b));
  EXPECT_EQ(b.events(), 3U) << "the tail is the device's";
  b.submit(lost(DsaOpcode::kNoop, 3));
  b.run(kMs);
  EXPECT_EQ(b.dsa.stats().interrupts.value, 2U);
  b.expect_clean();
}

// What has no record address, and what is wrong with a descriptor's rights.
TEST_P(DsaEvents, ErrorsWithoutRecord) {
  set_up(b);
  DsaDescriptor d = DsaBench::descriptor(DsaOpcode::kNoop, 0, 8, 0, 0);
  d.set_operation(DsaOpcode::kNoop, 0);
  b.submit(d);
  b.run(kMs);
  d = DsaBench::descriptor(DsaOpcode::kNoop, 0, 0, 0, 0);
  d.completion_address += 8;
  b.submit(d);
  b.run(kMs);
  d = DsaBench::descriptor(DsaOpcode::kNoop, 1, 0, 0, 0, DsaFlags::REQUEST_COMPLETION_INTERRUPT::kMask);
  d.interrupt_handle = 200;
  b.submit(d);
  b.run(kMs);
  ASSERT_EQ(b.events(), 3U);
  EXPECT_EQ(b.event(0).status(), DsaStatus::kReservedField);
  EXPECT_EQ(b.event(1).status(), DsaStatus::kCompletionRecordAlignment);
  EXPECT_EQ(b.event(2).status(), DsaStatus::kInterruptHandle);
  EXPECT_EQ(DsaEvent::INTERRUPT_HANDLE::get(b.event(2).info), 200U);
  EXPECT_EQ(b.event(2).record.code(), DsaStatus::kInterruptHandle) << "a copy of the record";
  EXPECT_EQ(b.status(1), DsaStatus::kInterruptHandle) << "which is written too";
  b.expect_clean();
}

// SPEC: [DSA 5]: members first, then the batch, whose record is only in the log.
TEST_P(DsaEvents, BatchAfterItsMembers) {
  set_up(b);
  store(kList, lost(DsaOpcode::kNoop, 1));
  store(kList + 64, DsaBench::descriptor(DsaOpcode::kNoop, 2, 0, 0, 0));
  store(kList + 128, lost(DsaOpcode::kNoop, 3));
  b.submit(DsaBench::descriptor(DsaOpcode::kBatch, 0, kList, 0, 3));
  b.run(kMs);
  ASSERT_EQ(b.events(), 3U);
  const DsaEvent batch = b.event(2);
  unsigned first = 0;
  for (unsigned i = 0; i < 2; ++i) {
    const DsaEvent member = b.event(i);
    EXPECT_EQ(member.status(), DsaStatus::kCompletionRecordFault);
    EXPECT_EQ(DsaSwerror::BATCH_MEMBER::get(member.what), 1U);
    EXPECT_EQ(DsaEvent::BATCH::get(member.what), DsaEvent::BATCH::get(batch.what));
    EXPECT_EQ(member.address, kNowhere + 32 * (DsaEvent::BATCH_INDEX::get(member.info) + 1));
    EXPECT_EQ(DsaEvent::FIRST_ERROR_IN_BATCH::get(member.info), i == 0 ? 1U : 0U);
    first += DsaEvent::BATCH_INDEX::get(member.info) == 0 ? 1 : 0;
  }
  EXPECT_EQ(first, 1U) << "each once";
  EXPECT_EQ(batch.status(), DsaStatus::kBatchEventLog);
  EXPECT_EQ(DsaSwerror::BATCH_MEMBER::get(batch.what), 0U);
  EXPECT_EQ(batch.address, DsaBench::record_address(0));
  EXPECT_EQ(DsaEvent::RECORD_REQUESTED::get(batch.info), 1U);
  EXPECT_EQ(batch.record.code(), DsaStatus::kSuccess) << "whether a copy fails only software will know";
  EXPECT_EQ(batch.record.bytes_completed, 3U);
  EXPECT_EQ(b.status(0), DsaStatus::kNone);
  EXPECT_EQ(b.status(2), DsaStatus::kSuccess);
  b.expect_clean();
}

// SPEC: [DSA 10]: with page requests off a drain ends in the log, in order behind what it waited for.
TEST_P(DsaEvents, DrainBehindAFault) {
  set_up(b, DsaWqcfg::PRS_DISABLE::kMask);
  b.submit(lost(DsaOpcode::kNoop, 1));
  b.submit(DsaBench::descriptor(DsaOpcode::kDrain, 0, 0, 0, 0));
  b.run(kMs);
  ASSERT_EQ(b.events(), 2U);
  EXPECT_TRUE(b.agent.seen_of(TlpKind::kPageRequest).empty());
  EXPECT_EQ(b.event(0).status(), DsaStatus::kCompletionRecordFault);
  EXPECT_EQ(b.event(1).status(), DsaStatus::kDrainEventLog);
  EXPECT_EQ(b.event(1).address, DsaBench::record_address(0));
  EXPECT_EQ(b.event(1).record.code(), DsaStatus::kSuccess);
  EXPECT_EQ(b.status(0), DsaStatus::kNone);
  b.expect_clean();
}

// SPEC: [DSA 9.2.17]: with size 64 the log holds 63; without overflow support the device waits.
TEST_P(DsaEvents, FullLogHoldsTheDescriptor) {
  set_up(b);
  for (unsigned i = 0; i < 64; ++i) b.submit(lost(DsaOpcode::kNoop, i), 0, 1000 + i * 20 * kUs);
  b.run(3 * kMs);
  EXPECT_EQ(b.events(), 63U);
  EXPECT_EQ(b.dsa.stats().completed.value, 63U);
  EXPECT_NE(b.dsa.in_flight(), 0U);
}

TEST_P(DsaEvents, RoomInTheLogLetsItGoOn) {
  set_up(b);
  for (unsigned i = 0; i < 64; ++i) b.submit(lost(DsaOpcode::kNoop, i), 0, 1000 + i * 20 * kUs);
  b.run(3 * kMs);
  b.write32(dsa_reg::kEvlstatus, 10);
  b.run(kMs);
  EXPECT_EQ(b.dsa.stats().completed.value, 64U);
  EXPECT_EQ(b.events(), 0U) << "the tail has wrapped";
  EXPECT_EQ(b.event(63).address, kNowhere + 32 * 63);
  b.expect_clean();
}

TEST_P(DsaEventsLost, FullLog) {
  set_up(b);
  for (unsigned i = 0; i < 65; ++i) b.submit(lost(DsaOpcode::kNoop, i), 0, 1000 + i * 20 * kUs);
  b.run(3 * kMs);
  EXPECT_EQ(b.dsa.stats().completed.value, 65U);
  EXPECT_EQ(b.dsa.stats().events.value, 63U);
  EXPECT_EQ(b.dsa.stats().events_lost.value, 2U);
  const std::uint64_t error = b.dsa.registers().get64(dsa_reg::kSwerror);
  EXPECT_EQ(DsaSwerror::ERROR::get(error), 0x54U);
  EXPECT_EQ(DsaSwerror::OVERFLOW_BIT::get(error), 1U);
  EXPECT_EQ(b.dsa.stats().interrupts.value, 2U) << "one for the log, one for SWERROR";
  b.expect_clean();
}

// The log's own page is not there.
TEST_P(DsaEvents, LogThatCannotBeWritten) {
  set_up(b);
  b.agent.unmap(0, DsaBench::kLog);
  b.submit(lost(DsaOpcode::kNoop, 0));
  b.run(kMs);
  EXPECT_EQ(b.events(), 0U);
  const std::uint64_t error = b.dsa.registers().get64(dsa_reg::kSwerror);
  EXPECT_EQ(DsaSwerror::ERROR::get(error), 0x54U);
  EXPECT_EQ(b.dsa.registers().get64(dsa_reg::kSwerror + 16), DsaBench::kLog);
  b.expect_clean();
}

TEST_P(DsaEvents, EnablingTheDeviceEmptiesTheLog) {
  set_up(b);
  b.submit(lost(DsaOpcode::kNoop, 0));
  b.run(kMs);
  ASSERT_EQ(b.events(), 1U);
  EXPECT_EQ(b.command(DsaCommand::kDisableDevice), 0U);
  EXPECT_EQ(b.events(), 1U);
  EXPECT_EQ(b.command(DsaCommand::kEnableDevice), 0U);
  EXPECT_EQ(b.dsa.registers().get64(dsa_reg::kEvlstatus), 0U);
}

}  // namespace
}  // namespace svasim
