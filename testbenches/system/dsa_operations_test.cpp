// Batches, fences, drains; going on after a partial completion; few buffers.
#include <gmock/gmock.h>

#include "models/formats/dsa_operands.h"
#include "models/reference/reference_dsa.h"
#include "system/dsa_bench.h"

namespace svasim {
namespace {

constexpr Addr kA = 0x10000000;
constexpr Addr kB = 0x20000000;
constexpr Addr kC = 0x30000000;
constexpr Addr kList = 0x40000000;
constexpr std::uint64_t kFence = DsaFlags::FENCE::kMask;

class DsaOperationsSystem : public ::testing::TestWithParam<Timing> {
 protected:
  DsaOperationsSystem() { bench_.map(kList, kPageSize); }
  void member(unsigned number, const DsaDescriptor& d) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(&d);
    bench_.agent.memory.fill(kList + DsaBench::kOffset + number * sizeof d, sizeof d,
                             [&](std::size_t i) { return bytes[i]; });
  }
  static DsaDescriptor batch(unsigned count, unsigned record = 0) {
    return DsaBench::descriptor(DsaOpcode::kBatch, record, kList, 0, count);
  }
  unsigned char& at(Addr address) { return bench_.agent.memory.byte(address + DsaBench::kOffset); }
  DsaCompletionRecord run(const DsaDescriptor& d) {
    bench_.submit(d);
    bench_.run(kMs);
    return bench_.record(0);
  }
  static DsaParams params() {
    DsaParams p = dsa_params().defaults();
    p.version = 2;
    return p;
  }

  DsaBench bench_{GetParam(), params()};
};

INSTANTIATE_TEST_SUITE_P(Timings, DsaOperationsSystem,
                         ::testing::Values(Timing::kApproximate, Timing::kLoose), [](const auto& timing) {
                           return timing.param == Timing::kLoose ? std::string("loose")
                                                                 : std::string("approximate");
                         });

// Each member copies what the one before it wrote.
TEST_P(DsaOperationsSystem, FencesMakeAChain) {
  bench_.set_up();
  bench_.map(kA, 32 * kPageSize);
  constexpr unsigned kCount = 20;
  for (unsigned i = 0; i < 3000; ++i) at(kA + i) = static_cast<unsigned char>(i * 3 + 1);
  for (unsigned i = 0; i < kCount; ++i) {
    member(i, DsaBench::descriptor(DsaOpcode::kMemmove, i + 1, kA + i * kPageSize, kA + (i + 1) * kPageSize,
                                   3000, kFence));
  }
  const DsaCompletionRecord record = run(batch(kCount));
  EXPECT_EQ(record.code(), DsaStatus::kSuccess);
  EXPECT_EQ(record.bytes_completed, kCount);
  EXPECT_EQ(record.result, 0U);
  for (unsigned i = 0; i < 3000; ++i) {
    ASSERT_EQ(at(kA + kCount * kPageSize + i), static_cast<unsigned char>(i * 3 + 1)) << i;
  }
  EXPECT_EQ(bench_.dsa.stats().batch_members.value, kCount);
  bench_.expect_clean();
}

// SPEC: [DSA 8.3]: a false predicate before a fence ends the batch.
TEST_P(DsaOperationsSystem, FenceAfterFailureAbandonsTheRest) {
  bench_.set_up();
  for (const Addr buffer : {kA, kB}) bench_.map(buffer, kPageSize);
  DsaDescriptor compare =
      DsaBench::descriptor(DsaOpcode::kCompare, 1, kA, kB, 64, DsaFlags::CHECK_RESULT::kMask);
  set_dsa_operands(compare, DsaCompareOperands{1, {}});  // they are equal
  member(0, compare);
  member(1, DsaBench::descriptor(DsaOpcode::kNoop, 2, 0, 0, 0));
  member(2, DsaBench::descriptor(DsaOpcode::kFill, 3, ~0ULL, kA, 8, kFence));
  member(3, DsaBench::descriptor(DsaOpcode::kNoop, 4, 0, 0, 0));
  const DsaCompletionRecord record = run(batch(4));
  EXPECT_EQ(record.code(), DsaStatus::kBatchFail);
  EXPECT_EQ(record.bytes_completed, 2U);
  EXPECT_EQ(bench_.status(1), DsaStatus::kSuccessFalsePredicate);
  EXPECT_EQ(bench_.status(2), DsaStatus::kSuccess);
  EXPECT_EQ(bench_.status(3), DsaStatus::kNone);
  EXPECT_EQ(bench_.status(4), DsaStatus::kNone);
  EXPECT_EQ(at(kA), 0U);
  bench_.expect_clean();
}

TEST_P(DsaOperationsSystem, BatchEndsAfterItsMembers) {
  bench_.set_up(true, 2);
  for (const Addr buffer : {kA, kB}) bench_.map(buffer, 32 * kPageSize);
  for (unsigned i = 0; i < 32; ++i) {
    member(i, DsaBench::descriptor(DsaOpcode::kMemmove, i + 1, kA + i * kPageSize, kB + i * kPageSize,
                                   4096 - i * 90));
  }
  EXPECT_EQ(run(batch(32)).code(), DsaStatus::kSuccess);
  Ps batch_record = 0;
  Ps last_member = 0;
  for (const SeenTlp& write : bench_.agent.seen_of(TlpKind::kMemWrite)) {
    const Addr record = write.address - DsaBench::kOffset - DsaBench::kRecords;
    if (record == 0) batch_record = write.time;
    if (record > 0 && record <= 1024) last_member = std::max(last_member, write.time);
  }
  EXPECT_GT(last_member, 0U);
  EXPECT_GT(batch_record, last_member);
  bench_.expect_clean();
}

// More batches than there is room for, none waits for ever.
TEST_P(DsaOperationsSystem, ManyBatches) {
  bench_.set_up(true, 2);
  bench_.map(kA, kPageSize);
  for (unsigned i = 0; i < 8; ++i) member(i, DsaBench::descriptor(DsaOpcode::kFill, 30, i, kA + i * 64, 64));
  for (unsigned i = 0; i < 20; ++i) bench_.submit(batch(8, i), 0, 1000 + i * 1000);
  bench_.run(kMs);
  for (unsigned i = 0; i < 20; ++i) EXPECT_EQ(bench_.status(i), DsaStatus::kSuccess) << i;
  EXPECT_EQ(bench_.dsa.stats().batch_members.value, 160U);
  bench_.expect_clean();
}

TEST_P(DsaOperationsSystem, DrainWaitsForWhatCameBefore) {
  bench_.set_up(true, 2);
  bench_.agent.response_latency = 200 * kUs;
  bench_.agent.on_group = [&](const SeenTlp& request) {
    bench_.map(PageRequestBody::ADDR::in_place(request.body), 1);
    return 0;
  };
  bench_.submit(DsaBench::descriptor(DsaOpcode::kFill, 0, 7, kB, 64, DsaFlags::BLOCK_ON_FAULT::kMask));
  bench_.submit(DsaBench::descriptor(DsaOpcode::kDrain, 1, 0, 0, 0), 0, 2000);
  bench_.submit(DsaBench::descriptor(DsaOpcode::kNoop, 2, 0, 0, 0), 0, 3000);
  bench_.run(100 * kUs);
  EXPECT_EQ(bench_.status(1), DsaStatus::kNone);
  EXPECT_EQ(bench_.status(2), DsaStatus::kSuccess) << "what comes after does not wait";
  bench_.run(kMs);
  EXPECT_EQ(bench_.status(0), DsaStatus::kSuccess);
  EXPECT_EQ(bench_.status(1), DsaStatus::kSuccess);
  bench_.expect_clean();
}

// Ends at a missing page, is submitted again for the rest as its record says, and comes to the CRC of
// all. SPEC: [DSA 8.2]
TEST_P(DsaOperationsSystem, CrcGoesOnAfterAFault) {
  bench_.set_up();
  constexpr std::uint32_t kSize = 2 * kPageSize + 777;
  bench_.map(kA, 4 * kPageSize);
  bench_.map(kB, kPageSize);
  std::vector<std::uint8_t> data(kSize);
  for (unsigned i = 0; i < kSize; ++i)
    at(kA + 100 + i) = data[i] = static_cast<std::uint8_t>(i * 11 + i / 256);
  DsaDescriptor d = DsaBench::descriptor(DsaOpcode::kCopyCrc, 0, kA + 100, kB + 30, kSize);
  DsaCompletionRecord record = run(d);
  ASSERT_EQ(record.status, 0x83U);
  ASSERT_EQ(record.bytes_completed, kPageSize - 30);
  bench_.map(kB, 4 * kPageSize);
  d.source += record.bytes_completed;
  d.destination += record.bytes_completed;
  d.transfer_size -= record.bytes_completed;
  set_dsa_operands(d, DsaCrcOperands{dsa_results<DsaCrcResult>(record).value, 0, 0});
  record = run(d);
  EXPECT_EQ(record.code(), DsaStatus::kSuccess);
  const std::uint64_t whole = reference_crc(data, 0xFFFFFFFF, 32, 0x1EDC6F41, true);
  EXPECT_EQ(dsa_results<DsaCrcResult>(record).value, reference_reversed(whole, 32) ^ 0xFFFFFFFF);
  for (unsigned i = 0; i < kSize; ++i) ASSERT_EQ(at(kB + 30 + i), data[i]) << i;
  bench_.expect_clean();
}

// The same with tags: the second half is submitted with those of the record.
TEST_P(DsaOperationsSystem, DifGoesOnAfterAFault) {
  bench_.set_up();
  constexpr unsigned kBlocks = 20;
  bench_.map(kA, 4 * kPageSize);
  bench_.map(kB, kPageSize);
  DsaDifOperands operands;
  operands.destination = {100, 0, 0x4000};
  operands.destination_flags = DsaDifDestinationFlags::APPLICATION_INCREMENTS::kMask;
  DsaDescriptor d = DsaBench::descriptor(DsaOpcode::kDifInsert, 0, kA, kB, kBlocks * 512);
  set_dsa_operands(d, operands);
  DsaCompletionRecord record = run(d);
  ASSERT_EQ(record.status, 0x83U);
  ASSERT_EQ(record.bytes_completed, 7 * 512U) << "seven blocks of 520 fit into a page";
  EXPECT_EQ(at(kB + 7 * 520), 0U) << "and nothing of the eighth is there";
  bench_.map(kB, 4 * kPageSize);
  d.source += record.bytes_completed;
  d.destination += record.bytes_completed / 512 * 520;
  d.transfer_size -= record.bytes_completed;
  operands.destination = dsa_results<DsaDifResults>(record).destination;
  set_dsa_operands(d, operands);
  EXPECT_EQ(run(d).code(), DsaStatus::kSuccess);
  for (unsigned block = 0; block < kBlocks; ++block) {
    const Addr field = kB + block * 520 + 512;
    EXPECT_EQ(at(field + 2) * 256U + at(field + 3), 0x4000U + block);
    EXPECT_EQ(at(field + 7), 100 + block);
  }
  bench_.expect_clean();
}

// A delta record that turns the first buffer into the second one, created and applied.
TEST_P(DsaOperationsSystem, DeltaThereAndBack) {
  bench_.set_up();
  constexpr std::uint32_t kSize = 3 * kPageSize;
  for (const Addr buffer : {kA, kB, kC}) bench_.map(buffer, 4 * kPageSize);
  for (unsigned i = 0; i < kSize; i += 40) at(kB + 8 + i) = static_cast<unsigned char>(i / 40 + 1);
  DsaDescriptor create = DsaBench::descriptor(DsaOpcode::kCreateDelta, 0, kA, kB + 8, kSize);
  DsaCreateDeltaOperands operands;
  operands.delta_address = kC + 8;
  operands.max_delta_size = 4000;
  set_dsa_operands(create, operands);
  const DsaCompletionRecord record = run(create);
  ASSERT_EQ(record.code(), DsaStatus::kSuccess);
  EXPECT_EQ(record.result, 1U);
  // One entry per difference; every 256th byte written is 0, which is none.
  const unsigned entries = (kSize + 39) / 40 - (kSize / 40 + 1) / 256;
  EXPECT_EQ(dsa_results<DsaDeltaResult>(record).size, 10 * entries);
  DsaDescriptor apply = DsaBench::descriptor(DsaOpcode::kApplyDelta, 0, kC + 8, kA, kSize);
  DsaApplyDeltaOperands size;
  size.delta_size = 10 * entries;
  set_dsa_operands(apply, size);
  EXPECT_EQ(run(apply).code(), DsaStatus::kSuccess);
  for (unsigned i = 0; i < kSize; ++i) ASSERT_EQ(at(kA + i), at(kB + 8 + i)) << i;
  // No room for all: as much as fits.
  for (unsigned i = 0; i < kSize; ++i) at(kA + i) = 0;
  operands.max_delta_size = 80;
  set_dsa_operands(create, operands);
  const DsaCompletionRecord full = run(create);
  EXPECT_EQ(full.result, 2U);
  EXPECT_EQ(dsa_results<DsaDeltaResult>(full).size, 80U);
  EXPECT_EQ(full.bytes_completed, 8 * 40U) << "the ninth difference";
  bench_.expect_clean();
}

TEST_P(DsaOperationsSystem, TranslationFetchFillsTheAtcOnly) {
  bench_.set_up();
  bench_.map(kA, 8 * kPageSize);
  DsaDescriptor d = DsaBench::descriptor(DsaOpcode::kTranslationFetch, 0, kA, 0, 8 * kPageSize,
                                         DsaFlags::USE_STRIDE::kMask);
  set_dsa_operands(d, DsaTranslationFetchOperands{0, 2 * kPageSize, 0});
  EXPECT_EQ(run(d).code(), DsaStatus::kSuccess);
  std::vector<Addr> pages;
  for (const SeenTlp& tlp : bench_.agent.seen_of(TlpKind::kTranslationRequest)) {
    if (tlp.address < DsaBench::kRecords) pages.push_back(tlp.address);
  }
  EXPECT_THAT(
      pages, ::testing::UnorderedElementsAre(kA, kA + 2 * kPageSize, kA + 4 * kPageSize, kA + 6 * kPageSize));
  EXPECT_TRUE(bench_.agent.seen_of(TlpKind::kMemRead).empty());
  bench_.expect_clean();
}

// SPEC: [DSA 8.3]: a descriptor list and a readback address ignore the Block on Fault flag and wait.
TEST_P(DsaOperationsSystem, ListsAndReadbacksWaitForTheirPages) {
  bench_.set_up();
  bench_.map(kA, kPageSize);
  for (unsigned i = 0; i < 2; ++i)
    member(i, DsaBench::descriptor(DsaOpcode::kFill, i + 1, 9, kA + i * 64, 64));
  bench_.agent.unmap(DsaBench::kPasid, kList);
  bench_.agent.on_group = [&](const SeenTlp& request) {
    bench_.map(PageRequestBody::ADDR::in_place(request.body), 1);
    return 0;
  };
  const DsaCompletionRecord record = run(batch(2));
  EXPECT_EQ(record.code(), DsaStatus::kSuccess);
  EXPECT_EQ(record.bytes_completed, 2U);
  EXPECT_EQ(run(DsaBench::descriptor(DsaOpcode::kDrain, 0, kB, 0, 0, DsaFlags::READBACK_1::kMask)).code(),
            DsaStatus::kSuccess);
  EXPECT_EQ(bench_.agent.seen_of(TlpKind::kPageRequest).size(), 2U);
  bench_.expect_clean();
}

// The destination's page is taken away while the source is read. What the record says of the CRC is
// that of the bytes completed: none.
TEST(DsaOperationsTiming, CrcOfAWriteThatFails) {
  DsaBench b;
  b.agent.translation_latency = 3 * kUs;
  b.set_up(false);
  b.map(kA, kPageSize);
  b.map(kB, kPageSize);
  b.agent.memory.fill(kA + DsaBench::kOffset, 64,
                      [](std::size_t i) { return static_cast<unsigned char>(i); });
  b.submit(DsaBench::descriptor(DsaOpcode::kCopyCrc, 0, kA, kB, 64));
  const Ps lookup = atc_params().defaults().latency;
  const Ps reading = 1000 + b.params.portal_latency + b.params.descriptor_latency +
                     3 * b.params.request_interval + lookup + b.agent.translation_latency + lookup;
  b.agent.invalidate(4, encode_range(kB, 12), true, DsaBench::kPasid, false,
                     reading + b.agent.memory_latency / 2, b.params.bdf);
  b.run(reading);
  b.agent.unmap(DsaBench::kPasid, kB);
  b.run(kMs);
  EXPECT_EQ(b.record(0).status, 0x83U);
  EXPECT_EQ(b.record(0).bytes_completed, 0U);
  EXPECT_EQ(dsa_results<DsaCrcResult>(b.record(0)).value, 0U);
  b.expect_clean();
}

// With buffers for two accesses of the whole device, operations that need two at a time and those that
// gather their writes all come to an end.
TEST(DsaOperationsTiming, FewBuffers) {
  DsaParams p = dsa_params().defaults();
  p.read_buffers = 8;
  p.write_buffers = 2;
  DsaBench b(Timing::kApproximate, p);
  b.write64(dsa_reg::kGrpcfg + DsaGrpcfg::kFlags, DsaGrpcfg::READ_BUFFERS_ALLOWED::make(8));
  b.set_up(true, 2);
  constexpr std::uint32_t kSize = 2 * kPageSize;
  for (const Addr buffer : {kA, kB, kC}) b.map(buffer, 64 * kPageSize);
  b.agent.memory.fill(kB + DsaBench::kOffset, 64 * kPageSize,
                      [](std::size_t i) { return static_cast<unsigned char>(i % 40 == 0); });
  for (unsigned i = 0; i < 24; ++i) {
    const Addr offset = i * kSize;
    DsaDescriptor d;
    switch (i % 3) {
      case 0: {
        d = DsaBench::descriptor(DsaOpcode::kCreateDelta, i, kA + offset, kB + offset, kSize);
        DsaCreateDeltaOperands operands;
        operands.delta_address = kC + offset;
        operands.max_delta_size = 4000;
        set_dsa_operands(d, operands);
        break;
      }
      case 1:
        d = DsaBench::descriptor(DsaOpcode::kDualcast, i, kB + offset, kA + offset, kSize);
        set_dsa_operands(d, DsaDualcastOperands{kC + offset, {}});
        break;
      default:
        d = DsaBench::descriptor(DsaOpcode::kCompare, i, kB + offset, kB, kSize);
        break;
    }
    b.submit(d, 0, 1000 + i * 1000);
  }
  b.run(5 * kMs);
  for (unsigned i = 0; i < 24; ++i) EXPECT_EQ(b.status(i), DsaStatus::kSuccess) << i;
  b.expect_clean();
}

}  // namespace
}  // namespace svasim
