// A DSA behind an ATC: bytes, completion records, faults, order. Each case with both timings.
#include <gmock/gmock.h>

#include "base/rng.h"
#include "system/dsa_bench.h"

namespace svasim {
namespace {

constexpr Addr kSource = 0x10000000;
constexpr Addr kDestination = 0x20000000;

unsigned char pattern(std::size_t i) { return static_cast<unsigned char>(i * 7 + (i >> 8) * 13 + 1); }

class DsaSystem : public ::testing::TestWithParam<Timing> {
 protected:
  DsaBench b{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Timings, DsaSystem, ::testing::Values(Timing::kApproximate, Timing::kLoose),
                         [](const auto& timing) {
                           return timing.param == Timing::kLoose ? std::string("loose")
                                                                 : std::string("approximate");
                         });

TEST_P(DsaSystem, NoOpWritesARecord) {
  b.set_up();
  b.submit(DsaBench::descriptor(DsaOpcode::kNoop, 0, 0, 0, 0));
  b.run(kMs);
  EXPECT_EQ(b.status(0), DsaStatus::kSuccess);
  EXPECT_EQ(b.record(0).bytes_completed, 0U);
  b.expect_clean();
}

TEST_P(DsaSystem, NoRecordUnlessAsked) {
  b.set_up();
  DsaDescriptor d = DsaBench::descriptor(DsaOpcode::kNoop, 0, 0, 0, 0);
  d.set_operation(DsaOpcode::kNoop, DsaFlags::COMPLETION_ADDRESS_VALID::kMask);
  b.submit(d);
  b.run(kMs);
  EXPECT_EQ(b.status(0), DsaStatus::kNone);
  EXPECT_EQ(b.dsa.stats().completed.value, 1U);
  b.expect_clean();
}

// Random sizes and alignments, one after the other against memmove on a plain array.
TEST_P(DsaSystem, MovesAndFillsLikeMemmove) {
  b.set_up(true, 2);
  constexpr std::size_t kArena = 16 * kPageSize;
  b.map(kSource, kArena);
  b.agent.memory.fill(kSource + DsaBench::kOffset, kArena, pattern);
  std::vector<unsigned char> expected = b.agent.memory.bytes(kSource + DsaBench::kOffset, kArena);
  RngStream rng(7, "dsa");
  std::uint64_t bytes = 0;
  for (unsigned i = 0; i < 60; ++i) {
    const auto size = static_cast<std::uint32_t>(1 + rng.below(rng.chance(0.5) ? 300 : 3 * kPageSize));
    const Addr from = rng.below(kArena - size);
    const Addr to =
        rng.chance(0.5) ? rng.below(kArena - size) : std::min<Addr>(kArena - size, from + rng.below(600));
    bytes += size;
    if (rng.chance(0.7)) {
      b.submit(DsaBench::descriptor(DsaOpcode::kMemmove, i, kSource + from, kSource + to, size));
      std::memmove(&expected[to], &expected[from], size);
    } else {
      const std::uint64_t value = rng.next();
      b.submit(DsaBench::descriptor(DsaOpcode::kFill, i, value, kSource + to, size));
      for (std::size_t k = 0; k < size; ++k)
        expected[to + k] = static_cast<unsigned char>(value >> (8 * (k % 8)));
    }
    b.run(kMs);
    ASSERT_EQ(b.status(i), DsaStatus::kSuccess) << i;
    ASSERT_EQ(b.record(i).bytes_completed, size);
    ASSERT_EQ(b.agent.memory.bytes(kSource + DsaBench::kOffset, kArena), expected) << i;
  }
  EXPECT_EQ(b.dsa.stats().bytes.value, bytes);
  EXPECT_EQ(b.dsa.stats().bytes_written.value, bytes);
  b.expect_clean();
}

TEST_P(DsaSystem, ManyAtOnceOnSeveralEngines) {
  b.set_up(true, 4, 2);
  constexpr unsigned kCount = 48;
  constexpr std::uint32_t kSize = 2 * kPageSize + 100;
  constexpr Addr kStride = 4 * kPageSize;
  b.map(DsaBench::kRecords, kPageSize, true, DsaBench::kPasid + 1);
  for (unsigned i = 0; i < kCount; ++i) {
    b.map(kSource + i * kStride + 17, kSize, false, DsaBench::kPasid + i % 2);
    b.map(kDestination + i * kStride + 3, kSize, true, DsaBench::kPasid + i % 2);
    b.agent.memory.fill(kSource + DsaBench::kOffset + i * kStride + 17, kSize,
                        [i](std::size_t k) { return pattern(k + i); });
    b.submit(DsaBench::descriptor(DsaOpcode::kMemmove, i, kSource + i * kStride + 17,
                                  kDestination + i * kStride + 3, kSize),
             i % 2, 1000 + i * 10000);
  }
  b.run(5 * kMs);
  for (unsigned i = 0; i < kCount; ++i) {
    ASSERT_EQ(b.status(i), DsaStatus::kSuccess) << i;
    ASSERT_EQ(b.agent.memory.bytes(kDestination + DsaBench::kOffset + i * kStride + 3, kSize),
              b.agent.memory.bytes(kSource + DsaBench::kOffset + i * kStride + 17, kSize))
        << i;
  }
  EXPECT_EQ(b.dsa.stats().completed.value, kCount);
  b.expect_clean();
}

// SPEC: [DSA Table 5-3]: the record follows the data, the interrupt follows the record.
TEST_P(DsaSystem, RecordAfterDataAndInterruptAfterRecord) {
  b.configure(true);
  b.write32(dsa_reg::kGencfg, DsaGencfg::USER_INTERRUPTS::kMask);
  b.write64(dsa_reg::kMsixTable + 16 * 3, 0xFEE01000);
  b.write32(dsa_reg::kMsixTable + 16 * 3 + 8, 0x4A);
  b.write32(dsa_reg::kMsixTable + 16 * 3 + 12, 0);
  b.write32(dsa_reg::kMsixperm + 3 * DsaMsixperm::kStride,
            DsaMsixperm::PASID_ENABLE::make(1) | DsaMsixperm::PASID::make(DsaBench::kPasid));
  b.enable();
  b.map(kSource, 3 * kPageSize);
  b.map(kDestination, 3 * kPageSize);
  DsaDescriptor d = DsaBench::descriptor(DsaOpcode::kMemmove, 0, kSource, kDestination, 2 * kPageSize,
                                         DsaFlags::REQUEST_COMPLETION_INTERRUPT::kMask);
  d.interrupt_handle = 3;
  b.submit(d);
  b.run(kMs);
  const auto writes = b.agent.seen_of(TlpKind::kMemWrite);
  ASSERT_EQ(writes.size(), 2 * kPageSize / b.params.access_size + 2);
  const SeenTlp& record = writes[writes.size() - 2];
  const SeenTlp& interrupt = writes.back();
  EXPECT_EQ(record.address, DsaBench::record_address(0) + DsaBench::kOffset);
  EXPECT_EQ(interrupt.address, 0xFEE01000U);
  EXPECT_EQ(interrupt.at, AddressType::kUntranslated);
  EXPECT_FALSE(interrupt.has_pasid);
  EXPECT_EQ(b.agent.memory.load<std::uint32_t>(0xFEE01000), 0x4AU);
  for (std::size_t i = 0; i + 2 < writes.size(); ++i) EXPECT_LE(writes[i].time, record.time);
  EXPECT_GE(interrupt.time, record.time);
  EXPECT_EQ(b.dsa.stats().interrupts.value, 1U);
  b.expect_clean();
}

TEST_P(DsaSystem, FaultWithoutBlocking) {
  b.set_up();
  b.map(kSource, 4 * kPageSize);
  b.map(kDestination, 4 * kPageSize);
  b.agent.unmap(DsaBench::kPasid, kSource + 2 * kPageSize);
  b.agent.memory.fill(kSource + DsaBench::kOffset, 4 * kPageSize, pattern);
  b.submit(DsaBench::descriptor(DsaOpcode::kMemmove, 0, kSource + 100, kDestination + 200, 3 * kPageSize));
  b.run(kMs);
  const DsaCompletionRecord record = b.record(0);
  EXPECT_EQ(record.code(), DsaStatus::kPageFault);
  EXPECT_EQ(DsaCompletionRecord::WRITE::get(record.status), 0U);
  EXPECT_EQ(record.bytes_completed, 2 * kPageSize - 100);
  EXPECT_EQ(record.fault_address, kSource + 2 * kPageSize);
  EXPECT_EQ(record.result, 0U);
  // Exactly the bytes before the fault are there.
  const auto got = b.agent.memory.bytes(kDestination + DsaBench::kOffset, 4 * kPageSize);
  for (std::size_t i = 0; i < 4 * kPageSize; ++i) {
    const bool moved = i >= 200 && i < 200 + 2 * kPageSize - 100;
    ASSERT_EQ(got[i], moved ? pattern(i - 200 + 100) : 0) << i;
  }
  EXPECT_TRUE(b.agent.seen_of(TlpKind::kPageRequest).empty());
  b.expect_clean();
}

TEST_P(DsaSystem, WriteFaultOnReadOnlyDestination) {
  b.set_up();
  b.map(kDestination, kPageSize);
  b.map(kDestination + kPageSize, kPageSize, false);
  b.submit(
      DsaBench::descriptor(DsaOpcode::kFill, 0, 0x1122334455667788, kDestination + 40, 2 * kPageSize - 40));
  b.run(kMs);
  const DsaCompletionRecord record = b.record(0);
  EXPECT_EQ(record.code(), DsaStatus::kPageFault);
  EXPECT_EQ(DsaCompletionRecord::WRITE::get(record.status), 1U);
  EXPECT_EQ(record.bytes_completed, kPageSize - 40);
  EXPECT_EQ(record.fault_address, kDestination + kPageSize);
  b.expect_clean();
}

// A copy onto its own tail goes downwards; a fault leaves the end of the buffer done.
TEST_P(DsaSystem, FaultInADownwardCopy) {
  b.set_up();
  constexpr Addr kArena = 4 * kPageSize;
  b.map(kSource, kArena);
  b.agent.unmap(DsaBench::kPasid, kSource);
  b.agent.memory.fill(kSource + DsaBench::kOffset, kArena, pattern);
  const std::uint32_t size = 2 * kPageSize;
  const Addr from = kSource + 1000;
  const Addr to = kSource + 1500;
  b.submit(DsaBench::descriptor(DsaOpcode::kMemmove, 0, from, to, size));
  b.run(kMs);
  const DsaCompletionRecord record = b.record(0);
  EXPECT_EQ(record.code(), DsaStatus::kPageFault);
  EXPECT_EQ(record.result, 1U);
  // The source meets the missing page first: its bytes from page 1 on are done.
  EXPECT_EQ(record.bytes_completed, size - (kPageSize - 1000));
  EXPECT_EQ(record.fault_address & ~(kPageSize - 1), kSource);
  const auto got = b.agent.memory.bytes(kSource + DsaBench::kOffset, kArena);
  for (std::size_t i = kPageSize + 500; i < 1500 + size; ++i) ASSERT_EQ(got[i], pattern(i - 500)) << i;
  for (std::size_t i = kPageSize; i < kPageSize + 500; ++i) ASSERT_EQ(got[i], pattern(i)) << i;
  b.expect_clean();
}

TEST_P(DsaSystem, BlockOnFaultAsksForThePageAndGoesOn) {
  b.set_up();
  b.agent.on_group = [&](const SeenTlp& request) {
    b.map(PageRequestBody::ADDR::in_place(request.body), 1);
    return 0;
  };
  b.agent.memory.fill(kSource + DsaBench::kOffset, 4 * kPageSize, pattern);
  b.submit(DsaBench::descriptor(DsaOpcode::kMemmove, 0, kSource + 8, kDestination + 8, 3 * kPageSize,
                                DsaFlags::BLOCK_ON_FAULT::kMask));
  b.run(kMs);
  EXPECT_EQ(b.status(0), DsaStatus::kSuccess);
  EXPECT_EQ(b.agent.memory.bytes(kDestination + DsaBench::kOffset + 8, 3 * kPageSize),
            b.agent.memory.bytes(kSource + DsaBench::kOffset + 8, 3 * kPageSize));
  const auto requests = b.agent.seen_of(TlpKind::kPageRequest);
  EXPECT_EQ(requests.size(), 8U) << "four pages of each buffer";
  for (const SeenTlp& request : requests) {
    const Addr page = PageRequestBody::ADDR::in_place(request.body);
    EXPECT_EQ(PageRequestBody::W::get(request.body), page >= kDestination ? 1U : 0U);
  }
  // The wait shows: some access waited at least for one response.
  EXPECT_GE(b.dsa.stats().attribution[static_cast<std::size_t>(Stage::kPageRequest)].value,
            b.agent.response_latency);
  b.expect_clean();
}

TEST_P(DsaSystem, InvalidResponse) {
  b.set_up();
  b.map(kSource, kPageSize);
  b.agent.on_group = [](const SeenTlp&) { return 1; };
  b.submit(DsaBench::descriptor(DsaOpcode::kMemmove, 0, kSource, kDestination, 64,
                                DsaFlags::BLOCK_ON_FAULT::kMask));
  b.run(kMs);
  EXPECT_EQ(b.status(0), DsaStatus::kPageFaultInvalidResponse);
  EXPECT_EQ(DsaCompletionRecord::WRITE::get(b.record(0).status), 1U);
  EXPECT_EQ(b.record(0).bytes_completed, 0U);
  EXPECT_EQ(b.record(0).fault_address, kDestination);
  b.expect_clean();
}

TEST_P(DsaSystem, ResponseFailureIsATranslationError) {
  b.set_up();
  b.agent.on_group = [](const SeenTlp&) { return 0xF; };
  b.submit(DsaBench::descriptor(DsaOpcode::kFill, 0, 1, kDestination, 64, DsaFlags::BLOCK_ON_FAULT::kMask));
  b.run(kMs);
  EXPECT_EQ(b.status(0), DsaStatus::kTranslationError);
  EXPECT_FALSE(b.atc.page_requests_enabled());
  b.expect_clean();
}

TEST_P(DsaSystem, BlockedDescriptorDoesNotHoldTheOthers) {
  b.set_up();
  b.agent.response_latency = 300 * kUs;
  b.map(kSource, kPageSize);
  b.map(kDestination, kPageSize);
  b.agent.on_group = [&](const SeenTlp& request) {
    b.map(PageRequestBody::ADDR::in_place(request.body), 1);
    return 0;
  };
  b.submit(DsaBench::descriptor(DsaOpcode::kFill, 0, 1, kDestination + 0x100000, 64,
                                DsaFlags::BLOCK_ON_FAULT::kMask));
  b.submit(DsaBench::descriptor(DsaOpcode::kMemmove, 1, kSource, kDestination, 4096));
  b.run(100 * kUs);
  EXPECT_EQ(b.status(0), DsaStatus::kNone);
  EXPECT_EQ(b.status(1), DsaStatus::kSuccess);
  b.run(kMs);
  EXPECT_EQ(b.status(0), DsaStatus::kSuccess);
  b.expect_clean();
}

// SPEC: [DSA 3.13.2]: the record's address ignores the Block on Fault flag and waits when PRS is on.
TEST_P(DsaSystem, RecordPageIsAlwaysWaitedFor) {
  b.set_up(false);
  b.agent.unmap(DsaBench::kPasid, DsaBench::kRecords);
  b.agent.on_group = [&](const SeenTlp& request) {
    b.map(PageRequestBody::ADDR::in_place(request.body), 1);
    return 0;
  };
  b.submit(DsaBench::descriptor(DsaOpcode::kNoop, 0, 0, 0, 0));
  b.run(kMs);
  EXPECT_EQ(b.status(0), DsaStatus::kSuccess);
  EXPECT_EQ(b.agent.seen_of(TlpKind::kPageRequest).size(), 1U);
  b.expect_clean();
}

TEST_P(DsaSystem, RecordPageNotToBeHad) {
  b.set_up();
  b.agent.unmap(DsaBench::kPasid, DsaBench::kRecords);
  b.agent.on_group = [](const SeenTlp&) { return 1; };
  b.submit(DsaBench::descriptor(DsaOpcode::kNoop, 0, 0, 0, 0));
  b.run(kMs);
  const std::uint64_t error = b.dsa.registers().get64(dsa_reg::kSwerror);
  EXPECT_EQ(DsaSwerror::VALID::get(error), 1U);
  EXPECT_EQ(DsaSwerror::ERROR::get(error), 0x1AU);
  EXPECT_EQ(DsaSwerror::PASID::get(error), DsaBench::kPasid);
  EXPECT_EQ(b.dsa.registers().get64(dsa_reg::kSwerror + 16), DsaBench::record_address(0));
  b.expect_clean();
}

TEST_P(DsaSystem, TranslationAndReadErrors) {
  b.set_up();
  b.map(kSource, kPageSize);
  b.map(kDestination, kPageSize);
  b.agent.read_status = CompletionStatus::kCompleterAbort;
  b.submit(DsaBench::descriptor(DsaOpcode::kMemmove, 0, kSource, kDestination, 64));
  b.run(kMs);
  EXPECT_EQ(b.status(0), DsaStatus::kHardwareError);
  b.agent.translation_status = CompletionStatus::kCompleterAbort;
  b.submit(DsaBench::descriptor(DsaOpcode::kFill, 1, 1, kDestination + 0x100000, 64));
  b.run(kMs);
  EXPECT_EQ(b.status(1), DsaStatus::kTranslationError);
  b.expect_clean();
}

TEST_P(DsaSystem, InvalidDescriptorsGetTheirStatus) {
  b.set_up(false);
  b.submit(DsaBench::descriptor(static_cast<DsaOpcode>(0x30), 0, 0, 0, 0));
  b.submit(DsaBench::descriptor(DsaOpcode::kNoop, 1, 0, 0, 0, DsaFlags::BLOCK_ON_FAULT::kMask));
  b.submit(DsaBench::descriptor(DsaOpcode::kNoop, 2, 8, 0, 0));
  b.submit(DsaBench::descriptor(DsaOpcode::kFill, 3, 0, kDestination, 0));
  b.submit(DsaBench::descriptor(DsaOpcode::kFill, 4, 0, kDestination, (1U << 22) + 1));
  b.run(kMs);
  EXPECT_EQ(b.status(0), DsaStatus::kBadOpcode);
  EXPECT_EQ(b.status(1), DsaStatus::kInvalidFlags);
  EXPECT_EQ(b.record(1).specific[0], DsaFlags::BLOCK_ON_FAULT::kMask);
  EXPECT_EQ(b.status(2), DsaStatus::kReservedField);
  EXPECT_EQ(b.status(3), DsaStatus::kTransferSize);
  EXPECT_EQ(b.status(4), DsaStatus::kTransferSize);
  DsaDescriptor misaligned = DsaBench::descriptor(DsaOpcode::kNoop, 5, 0, 0, 0);
  misaligned.completion_address += 8;
  b.submit(misaligned);
  b.run(kMs);
  EXPECT_EQ(DsaSwerror::ERROR::get(b.dsa.registers().get64(dsa_reg::kSwerror)), 0x1BU);
  b.expect_clean();
}

TEST_P(DsaSystem, FullQueueDropsAndReports) {
  b.set_up(true, 1, 1, 4);
  b.agent.on_group = [](const SeenTlp&) { return -1; };  // everything in progress blocks for good
  const unsigned fits = b.params.descriptors_in_progress + 4;
  for (unsigned i = 0; i < fits + 1; ++i) {
    b.submit(DsaBench::descriptor(DsaOpcode::kFill, i, 1, kDestination + i * kPageSize, 64,
                                  DsaFlags::BLOCK_ON_FAULT::kMask),
             0, 1000 + i * kUs);
  }
  b.run(kMs);
  EXPECT_EQ(b.dsa.stats().submitted.value, fits);
  EXPECT_EQ(b.dsa.stats().dropped.value, 1U);
  EXPECT_EQ(DsaSwerror::ERROR::get(b.dsa.registers().get64(dsa_reg::kSwerror)), 0x53U);
  EXPECT_NE(b.dsa.in_flight(), 0U);
  std::ostringstream text;
  b.dsa.dump_in_flight(text);
  EXPECT_THAT(text.str(), ::testing::HasSubstr("fill of queue 0"));
  EXPECT_THAT(text.str(), ::testing::HasSubstr("4 descriptors wait in queue 0"));
}

TEST_P(DsaSystem, DisableDrainsTheQueueAndPortalsGoDead) {
  b.set_up();
  b.map(kSource, 64 * kPageSize);
  b.map(kDestination, 64 * kPageSize);
  for (unsigned i = 0; i < 8; ++i) {
    b.submit(DsaBench::descriptor(DsaOpcode::kMemmove, i, kSource + i * 8 * kPageSize,
                                  kDestination + i * 8 * kPageSize, 8 * kPageSize));
  }
  b.run(2000);
  EXPECT_EQ(b.command(DsaCommand::kDisableWq, 1), 0U);
  for (unsigned i = 0; i < 8; ++i) EXPECT_EQ(b.status(i), DsaStatus::kSuccess) << i;
  EXPECT_EQ(b.dsa.registers().queue_state(0), DsaWqState::kDisabled);
  b.submit(DsaBench::descriptor(DsaOpcode::kNoop, 9, 0, 0, 0));
  b.run(kMs);
  EXPECT_EQ(b.status(9), DsaStatus::kNone);
  EXPECT_EQ(b.dsa.stats().dropped.value, 1U);
  EXPECT_EQ(b.command(DsaCommand::kDrainWq, 1), 0x32U) << "not enabled";
  EXPECT_EQ(b.command(DsaCommand::kDisableDevice), 0U);
  EXPECT_EQ(b.dsa.registers().state(), DsaDeviceState::kDisabled);
  b.expect_clean();
}

TEST_P(DsaSystem, InvalidationDuringAMoveIsObeyed) {
  b.set_up();
  constexpr std::uint32_t kSize = 16 * kPageSize;
  b.map(kSource, kSize);
  b.map(kDestination, kSize);
  b.agent.memory.fill(kSource + DsaBench::kOffset, kSize, pattern);
  b.submit(DsaBench::descriptor(DsaOpcode::kMemmove, 0, kSource, kDestination, kSize));
  b.agent.invalidate(1, encode_range(0, 64), true, DsaBench::kPasid, false, 2 * kUs, b.params.bdf);
  b.agent.invalidate(2, encode_range(kSource, 16), true, DsaBench::kPasid, false, 3 * kUs, b.params.bdf);
  b.run(kMs);
  EXPECT_EQ(b.status(0), DsaStatus::kSuccess);
  EXPECT_EQ(b.agent.memory.bytes(kDestination + DsaBench::kOffset, kSize),
            b.agent.memory.bytes(kSource + DsaBench::kOffset, kSize));
  EXPECT_EQ(b.agent.seen_of(TlpKind::kInvalidateCompletion).size(), 2U);
  b.expect_clean();
}

// The second chunk cannot be read: what was read behind it stays unused.
TEST_P(DsaSystem, ReadErrorInTheMiddle) {
  b.set_up();
  b.map(kSource, kPageSize);
  b.map(kDestination, kPageSize);
  b.agent.memory.fill(kSource + DsaBench::kOffset, kPageSize, pattern);
  b.agent.read_status = CompletionStatus::kUnsupportedRequest;
  b.agent.read_error_from = kSource + DsaBench::kOffset + b.params.access_size;
  b.agent.read_error_to = b.agent.read_error_from + b.params.access_size;
  b.submit(DsaBench::descriptor(DsaOpcode::kMemmove, 0, kSource, kDestination, kPageSize));
  b.run(kMs);
  EXPECT_EQ(b.status(0), DsaStatus::kHardwareError);
  EXPECT_EQ(b.record(0).bytes_completed, b.params.access_size);
  EXPECT_EQ(b.record(0).fault_address, kSource + b.params.access_size);
  const auto got = b.agent.memory.bytes(kDestination + DsaBench::kOffset, kPageSize);
  for (std::size_t i = 0; i < kPageSize; ++i)
    ASSERT_EQ(got[i], i < b.params.access_size ? pattern(i) : 0) << i;
  b.expect_clean();
}

// The destination's translation goes away between the device's check of the page and its write.
class DsaRace : public ::testing::TestWithParam<bool> {
 protected:
  // Unmaps it too if the parameter says so.
  void race(DsaBench& b) {
    b.set_up(false);
    b.map(kSource, kPageSize);
    b.map(kDestination, kPageSize);
    b.submit(DsaBench::descriptor(DsaOpcode::kMemmove, 0, kSource, kDestination, 64));
    const DsaParams& p = b.params;
    const Ps lookup = atc_params().defaults().latency;
    // Both pages known: the read leaves and takes memory_latency, in which the invalidation arrives.
    const Ps reading = 1000 + p.portal_latency + p.descriptor_latency + 3 * p.request_interval + lookup +
                       b.agent.translation_latency + lookup;
    b.agent.invalidate(4, encode_range(kDestination, 12), true, DsaBench::kPasid, false,
                       reading + b.agent.memory_latency / 2, p.bdf);
    if (GetParam()) {
      b.run(reading);
      b.agent.unmap(DsaBench::kPasid, kDestination);
    }
    b.run(kMs);
    EXPECT_EQ(b.atc.stats().misses.value, 4U) << "source, destination twice, record";
  }
};

INSTANTIATE_TEST_SUITE_P(Unmapped, DsaRace, ::testing::Bool());

TEST_P(DsaRace, RecordStaysBehindTheWrite) {
  DsaBench b;
  b.agent.translation_latency = 3000000;
  race(b);
  const auto writes = b.agent.seen_of(TlpKind::kMemWrite);
  if (GetParam()) {
    ASSERT_EQ(writes.size(), 1U);
    EXPECT_EQ(b.status(0), DsaStatus::kPageFault);
    EXPECT_EQ(DsaCompletionRecord::WRITE::get(b.record(0).status), 1U);
    EXPECT_EQ(b.record(0).bytes_completed, 0U);
    EXPECT_TRUE(b.agent.seen_of(TlpKind::kPageRequest).empty()) << "Block on Fault is off";
  } else {
    ASSERT_EQ(writes.size(), 2U);
    EXPECT_EQ(writes[0].address, kDestination + DsaBench::kOffset);
    EXPECT_EQ(b.status(0), DsaStatus::kSuccess);
  }
  b.expect_clean();
}

// One page is refused at once, the answer for the other comes when the engine would already work on
// the next descriptor.
TEST(DsaTiming, LatePageAnswerBelongsToItsDescriptor) {
  DsaParams p = dsa_params().defaults();
  p.descriptors_in_progress = 1;
  DsaBench b(Timing::kApproximate, p);
  b.set_up();
  int late = -1;
  b.agent.on_group = [&](const SeenTlp& request) {
    if (PageRequestBody::ADDR::in_place(request.body) == kSource) return 1;
    late = static_cast<int>(PageRequestBody::PRGI::get(request.body));
    return -1;
  };
  b.submit(DsaBench::descriptor(DsaOpcode::kMemmove, 0, kSource, kDestination, 64,
                                DsaFlags::BLOCK_ON_FAULT::kMask));
  b.map(kSource + 0x100000, kPageSize);
  b.map(kDestination + 0x100000, kPageSize);
  b.submit(DsaBench::descriptor(DsaOpcode::kMemmove, 1, kSource + 0x100000, kDestination + 0x100000, 64));
  b.run(kMs);
  ASSERT_GE(late, 0);
  EXPECT_EQ(b.status(0), DsaStatus::kNone) << "a descriptor keeps its place until all its answers are there";
  b.agent.respond(static_cast<unsigned>(late), 1, true, DsaBench::kPasid, 1000, b.params.bdf);
  b.run(kMs);
  EXPECT_EQ(b.status(0), DsaStatus::kPageFaultInvalidResponse);
  EXPECT_EQ(b.record(0).fault_address, kSource) << "at one position the source counts";
  EXPECT_EQ(b.status(1), DsaStatus::kSuccess);
  b.expect_clean();
}

TEST(DsaTiming, EnginesShareFewBuffers) {
  DsaParams p = dsa_params().defaults();
  p.read_buffers = 8;
  p.write_buffers = 2;
  DsaBench b(Timing::kApproximate, p);
  b.configure(true, 2);
  b.write64(dsa_reg::kGrpcfg + DsaGrpcfg::kFlags, DsaGrpcfg::READ_BUFFERS_ALLOWED::make(8));
  b.enable();
  constexpr std::uint32_t kSize = 8 * kPageSize;
  b.map(kSource, 16 * kSize);
  b.map(kDestination, 16 * kSize);
  for (unsigned i = 0; i < 16; ++i) {
    b.submit(DsaBench::descriptor(i % 4 == 0 ? DsaOpcode::kFill : DsaOpcode::kMemmove, i, kSource + i * kSize,
                                  kDestination + i * kSize, kSize));
  }
  b.run(20 * kMs);
  for (unsigned i = 0; i < 16; ++i) ASSERT_EQ(b.status(i), DsaStatus::kSuccess) << i;
  b.expect_clean();
}

TEST(DsaTiming, OnlyWholePortalWritesCount) {
  DsaBench b;
  b.set_up();
  const DsaDescriptor d = DsaBench::descriptor(DsaOpcode::kNoop, 0, 0, 0, 0);
  const Addr portal = b.params.bar2 + dsa_portal_offset(0, DsaPortal::kUnlimited);
  b.agent.mmio_write(portal + 32, &d, sizeof d, 1000);
  b.agent.mmio_write(portal, &d, 32, 1000);
  b.agent.mmio_write(b.params.bar2 + dsa_portal_offset(0, DsaPortal::kLimitedIms), &d, sizeof d, 1000);
  b.agent.mmio_write(b.params.bar2 + dsa_portal_offset(1, DsaPortal::kLimited), &d, sizeof d, 1000);
  b.run(kMs);
  EXPECT_EQ(b.dsa.stats().dropped.value, 4U);
  EXPECT_EQ(b.status(0), DsaStatus::kNone);
  b.agent.mmio_write(portal + 15 * 64, &d, sizeof d, 1000);  // any slot of the page will do
  b.run(kMs);
  EXPECT_EQ(b.status(0), DsaStatus::kSuccess);
  b.expect_clean();
}

// The device's own latencies, without ATC misses: formula from the parameters.
TEST(DsaTiming, LatencyOfANoOp) {
  DsaBench b;
  b.set_up();
  for (const bool first : {true, false}) {
    const Ps start = now_ps();
    b.submit(DsaBench::descriptor(DsaOpcode::kNoop, 0, 0, 0, 0));
    b.run(kMs);
    const DsaParams& p = b.params;
    const Ps lookup = atc_params().defaults().latency;
    // Portal, decoding, then the translation of the record's page, in whose shadow the rest is done.
    const Ps translation = first ? lookup + b.agent.translation_latency + 1 : lookup;
    const Ps record = std::max(1 + translation, p.completion_latency) + std::max<Ps>(1, 0);
    const SeenTlp write = b.agent.seen_of(TlpKind::kMemWrite).back();
    EXPECT_EQ(write.time - start, 1000 + p.portal_latency + p.descriptor_latency + record + lookup);
  }
  EXPECT_EQ(b.dsa.stats().latency.count(), 2U);
  b.expect_clean();
}

// Reads in flight are bounded by the read buffers: bytes per round trip.
TEST(DsaTiming, ReadBuffersBoundThroughput) {
  DsaParams p = dsa_params().defaults();
  p.read_buffers = 8;
  p.access_size = 64;
  p.buffer_size = 64;
  DsaBench b(Timing::kApproximate, p);
  b.configure(true);
  b.write64(dsa_reg::kGrpcfg + DsaGrpcfg::kFlags, DsaGrpcfg::READ_BUFFERS_ALLOWED::make(8));
  b.enable();
  constexpr std::uint32_t kSize = 1U << 20;
  b.map(kSource, kSize);
  b.map(kDestination, kSize);
  b.submit(DsaBench::descriptor(DsaOpcode::kMemmove, 0, kSource, kDestination, kSize));
  b.run(50 * kMs);
  ASSERT_EQ(b.status(0), DsaStatus::kSuccess);
  const auto reads = b.agent.seen_of(TlpKind::kMemRead);
  ASSERT_EQ(reads.size(), kSize / 64);
  const double time = static_cast<double>(reads.back().time - reads.front().time);
  // A buffer is busy from the read's send to the write's: ATC, memory, and the engine's slots.
  const double round = static_cast<double>(atc_params().defaults().latency + b.agent.memory_latency);
  const double expected = static_cast<double>(kSize) / (8 * 64) * round;
  EXPECT_GT(time, expected);
  EXPECT_LT(time, expected * 1.35) << "engine slots and page changes may add to the round trip";
  b.expect_clean();
}

TEST(DsaTiming, BothTimingsAgreeOnWhatDoesNotDependOnTime) {
  // One simulation per process: the loose and the approximate run of the same descriptors are compared
  // through what the specification fixes, here the number of accesses of a move.
  DsaBench b(Timing::kLoose);
  b.set_up();
  b.map(kSource, 4 * kPageSize);
  b.map(kDestination, 4 * kPageSize);
  b.submit(DsaBench::descriptor(DsaOpcode::kMemmove, 0, kSource, kDestination, 4 * kPageSize));
  b.run(kMs);
  EXPECT_EQ(b.dsa.stats().reads.value, 4 * kPageSize / b.params.access_size);
  EXPECT_EQ(b.dsa.stats().writes.value, 4 * kPageSize / b.params.access_size);
  EXPECT_EQ(b.dsa.stats().translation_requests.value, 4U + 4U + 1U);
  b.expect_clean();
}

}  // namespace
}  // namespace svasim
