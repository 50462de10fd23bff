// Translation requests of several pages, and caches for each engine.
#include "timing/atc_bench.h"

namespace svasim {
namespace {

constexpr Ps kLookup = 2000;  // default ATC latency
constexpr Ps kTranslate = 300000;
constexpr Ps kMemory = 100000;
constexpr Ps kMs = 1000000000;
constexpr Addr kVa = 0x7f0000001000;
constexpr Addr kPa = 0x40003000;

Ps total(const TestAccess& access) { return access.end - access.sent; }

AtcParams ranges(unsigned translations) {
  AtcParams params = atc_params().defaults();
  params.translations = translations;
  return params;
}

// Pages from kVa on; page i lies at 2 * i pages behind kPa, so that a wrong sum of addresses shows.
void map_pages(AtcBench& b, unsigned first, unsigned count) {
  for (unsigned i = first; i < first + count; ++i) {
    b.agent.map(5, kVa + i * kPageSize, kPa + 2 * i * kPageSize, true, true);
  }
}
std::size_t requests(const AtcBench& b) { return b.agent.seen_of(TlpKind::kTranslationRequest).size(); }

class AtcRanges : public ::testing::TestWithParam<Timing> {};
INSTANTIATE_TEST_SUITE_P(Both, AtcRanges, ::testing::Values(Timing::kApproximate, Timing::kLoose),
                         [](const auto& test) { return test.param == Timing::kLoose ? "loose" : "timed"; });

TEST_P(AtcRanges, OneRequestForSeveralPages) {
  AtcBench b(ranges(4), GetParam());
  b.agent.translations = 4;
  map_pages(b, 0, 5);
  b.until(1);
  TestAccess& miss = b.device.read(5, kVa + 0x40);
  b.until(kMs);
  ASSERT_EQ(requests(b), 1U);
  EXPECT_EQ(b.agent.seen[0].translations, 4U);
  EXPECT_EQ(b.atc.stats().translations_received.value, 4U);
  EXPECT_EQ(total(miss), kLookup + kTranslate + (GetParam() == Timing::kLoose ? 0 : 1) + kMemory);
  for (unsigned i = 1; i < 4; ++i) {
    TestAccess& hit = b.device.read(5, kVa + i * kPageSize + 0x80);
    b.until((1 + i) * kMs);
    EXPECT_EQ(total(hit), kLookup + kMemory);
    EXPECT_EQ(b.agent.seen.back().address, kPa + 2 * i * kPageSize + 0x80);
  }
  b.device.read(5, kVa + 4 * kPageSize);
  b.until(6 * kMs);
  EXPECT_EQ(requests(b), 2U) << "the fifth page was not asked for";
  b.expect_clean();
}

TEST_P(AtcRanges, FewerMayBeAnswered) {
  AtcBench b(ranges(8), GetParam());
  b.agent.translations = 8;
  map_pages(b, 0, 2);
  map_pages(b, 3, 1);  // behind a hole
  b.until(1);
  b.device.read(5, kVa);
  b.until(kMs);
  EXPECT_EQ(b.atc.stats().translations_received.value, 2U);
  b.device.read(5, kVa + kPageSize);
  b.until(2 * kMs);
  EXPECT_EQ(requests(b), 1U);
  b.device.read(5, kVa + 3 * kPageSize);
  b.until(3 * kMs);
  EXPECT_EQ(requests(b), 2U);
  EXPECT_EQ(b.agent.seen.back().address, kPa + 6 * kPageSize);
  b.expect_clean();
}

TEST_P(AtcRanges, OneEntryOfALargePageAnswersForAll) {
  AtcBench b(ranges(4), GetParam());
  b.agent.translations = 4;
  b.agent.map(5, 0x40000000, 0x80000000, true, true, 21);
  b.until(1);
  b.device.read(5, 0x40003000);
  b.until(kMs);
  EXPECT_EQ(b.atc.stats().translations_received.value, 1U);
  b.device.read(5, 0x401FF000);
  b.until(2 * kMs);
  EXPECT_EQ(requests(b), 1U);
  EXPECT_EQ(b.agent.seen.back().address, 0x801FF000U);
  b.expect_clean();
}

TEST_P(AtcRanges, TheNextLargePageFollows) {
  AtcBench b(ranges(4), GetParam());
  b.agent.translations = 4;
  b.agent.map(5, 0x40000000, 0x80000000, true, true, 21);
  b.agent.map(5, 0x40200000, 0xC0000000, true, true, 21);
  b.until(1);
  b.device.read(5, 0x401FE000);  // the third page asked for begins the next 2 MiB
  b.until(kMs);
  EXPECT_EQ(b.atc.stats().translations_received.value, 2U);
  b.device.read(5, 0x40345000);
  b.until(2 * kMs);
  EXPECT_EQ(requests(b), 1U);
  EXPECT_EQ(b.agent.seen.back().address, 0xC0145000U);
  b.expect_clean();
}

TEST_P(AtcRanges, AsksUpToThePageItKnows) {
  AtcBench b(ranges(4), GetParam());
  b.agent.translations = 1;
  map_pages(b, 0, 4);
  b.until(1);
  b.device.read(5, kVa + 2 * kPageSize);
  b.until(kMs);
  b.device.read(5, kVa);
  b.until(2 * kMs);
  const auto asked = b.agent.seen_of(TlpKind::kTranslationRequest);
  ASSERT_EQ(asked.size(), 2U);
  EXPECT_EQ(asked[0].translations, 4U);
  EXPECT_EQ(asked[1].translations, 2U);
  b.expect_clean();
}

TEST(AtcRange, MissesOfTheRangeJoin) {
  AtcBench b(ranges(4));
  b.agent.translations = 4;
  map_pages(b, 0, 5);
  TestAccess& first = b.device.read(5, kVa);
  b.until(100000);
  TestAccess& second = b.device.read(5, kVa + 2 * kPageSize);
  b.until(200000);
  TestAccess& behind = b.device.read(5, kVa + 4 * kPageSize);
  b.until(kMs);
  EXPECT_EQ(requests(b), 2U) << "the fifth page was not asked for";
  EXPECT_EQ(b.atc.stats().merged.value, 1U);
  EXPECT_EQ(second.end, first.end);
  EXPECT_EQ(total(behind), kLookup + kTranslate + 1 + kMemory);
  b.expect_clean();
}

TEST(AtcRange, WhoJoinedAndGotNothingAsksForItself) {
  AtcBench b(ranges(4));
  b.agent.translations = 4;
  map_pages(b, 0, 1);
  map_pages(b, 2, 1);
  TestAccess& first = b.device.read(5, kVa);
  TestAccess& second = b.device.read(5, kVa + 2 * kPageSize);
  b.until(kMs);
  EXPECT_EQ(total(first), kLookup + kTranslate + 1 + kMemory);
  EXPECT_EQ(total(second), 2 * (kLookup + kTranslate) + 1 + kMemory);
  EXPECT_EQ(requests(b), 2U);
  b.expect_clean();
}

// An abort is about the page asked for; who joined with another one is not concerned.
TEST(AtcRange, AnAbortConcernsThePageAskedForOnly) {
  AtcBench b(ranges(2));
  b.agent.translations = 2;
  map_pages(b, 0, 2);
  b.agent.translation_status = CompletionStatus::kCompleterAbort;
  TestAccess& first = b.device.read(5, kVa);
  TestAccess& second = b.device.read(5, kVa + kPageSize);
  b.until(100000);
  b.agent.translation_status = CompletionStatus::kSuccess;
  b.until(kMs);
  EXPECT_EQ(first.outcome(), AccessOutcome::kTranslationError);
  EXPECT_EQ(second.outcome(), AccessOutcome::kDone);
  b.expect_clean();
}

TEST(AtcRange, AnInvalidationUnderWayHitsOnlyItsPages) {
  AtcBench b(ranges(4));
  b.agent.translations = 4;
  map_pages(b, 0, 4);
  TestAccess& first = b.device.read(5, kVa);
  b.until(50000);
  b.agent.map(5, kVa + 2 * kPageSize, kPa + 0x70000, true, true);
  b.agent.invalidate(1, encode_range(kVa + 2 * kPageSize, 12), true, 5, false, 10000, kDevice);
  b.until(kMs);
  EXPECT_EQ(total(first), kLookup + kTranslate + 1 + kMemory) << "its own page is not concerned";
  EXPECT_EQ(b.atc.stats().stale.value, 1U);
  b.device.read(5, kVa + kPageSize);
  b.device.read(5, kVa + 3 * kPageSize);
  b.until(2 * kMs);
  EXPECT_EQ(requests(b), 1U);
  b.device.read(5, kVa + 2 * kPageSize);
  b.until(3 * kMs);
  EXPECT_EQ(requests(b), 2U);
  EXPECT_EQ(b.agent.seen.back().address, kPa + 0x70000);
  b.expect_clean();
}

TestAccess& read_by(AtcBench& b, unsigned engine, Addr address) {
  TestAccess& access = b.device.issue(TlpKind::kMemRead, 5, address);
  access.transaction->pcie.engine = static_cast<std::uint8_t>(engine);
  return b.device.send(access);
}

TEST_P(AtcRanges, EnginesHaveCachesOfTheirOwn) {
  AtcParams params = atc_params().defaults();
  params.engines = 2;
  AtcBench b(params, GetParam());
  map_pages(b, 0, 1);
  b.until(1);
  Ps now = 0;
  const auto requests_after = [&](unsigned engine) {
    read_by(b, engine, kVa);
    b.until(now += kMs);
    return requests(b);
  };
  EXPECT_EQ(requests_after(0), 1U);
  EXPECT_EQ(requests_after(1), 2U) << "it does not see the other's entry";
  EXPECT_EQ(requests_after(0), 2U);
  EXPECT_EQ(requests_after(3), 2U) << "engine 3 uses cache 1";
  b.agent.invalidate(1, encode_range(kVa, 12), true, 5, false, 10000, kDevice);
  b.until(now += kMs);
  EXPECT_EQ(requests_after(0), 3U);
  EXPECT_EQ(requests_after(1), 4U) << "an invalidation reaches every cache";
  b.expect_clean();
}

TEST(AtcRange, EnginesDoNotShareARequestUnderWay) {
  AtcParams params = atc_params().defaults();
  params.engines = 2;
  AtcBench b(params);
  map_pages(b, 0, 1);
  read_by(b, 0, kVa);
  read_by(b, 1, kVa);
  read_by(b, 1, kVa + 64);
  b.until(kMs);
  EXPECT_EQ(requests(b), 2U);
  EXPECT_EQ(b.atc.stats().merged.value, 1U);
  b.expect_clean();
}

}  // namespace
}  // namespace svasim
