// Devices that break the rules of ATS and PRI: what they do, and that the protocol checker names it.
#include "timing/atc_bench.h"

namespace svasim {
namespace {

constexpr Ps kMs = 1000000000;
constexpr Addr kVa = 0x7f0000001000;
constexpr Addr kPa = 0x40003000;

AtcParams misbehaving(const std::function<void(MisbehaveParams&)>& change) {
  AtcParams params = atc_params().defaults();
  change(params.misbehave);
  return params;
}

// What the checker names, and nothing else.
void expect_only(AtcBench& b, const char* rule, std::uint64_t count = 1) {
  b.ats_checker.finish();
  EXPECT_EQ(b.ats_checker.violations().count(rule), count) << b.ats_checker.violations();
  EXPECT_EQ(b.ats_checker.violations().count(), count) << b.ats_checker.violations();
  EXPECT_EQ(b.atc.stats().misbehaved.value, count);
  b.device.release_all();
}

void invalidate(AtcBench& b, unsigned itag) {
  b.agent.invalidate(itag, encode_range(kVa, 12), true, 5, false, 1000, kDevice);
  b.until(now_ps() + kMs);
}
std::vector<SeenTlp> completions(const AtcBench& b) {
  return b.agent.seen_of(TlpKind::kInvalidateCompletion);
}

TEST(AtcMisbehave, KeepsTranslations) {
  AtcBench b(misbehaving([](MisbehaveParams& m) { m.keeps_translations = true; }));
  b.agent.map(5, kVa, kPa, true, true);
  b.device.read(5, kVa);
  b.until(kMs);
  b.agent.unmap(5, kVa);
  invalidate(b, 3);
  ASSERT_EQ(completions(b).size(), 1U) << "it says that it obeyed";
  b.device.read(5, kVa);
  b.until(now_ps() + kMs);
  EXPECT_EQ(b.agent.seen.back().address, kPa);
  EXPECT_EQ(b.agent.seen.back().at, AddressType::kTranslated);
  expect_only(b, "translated_unknown");
}

TEST(AtcMisbehave, NeverCompletes) {
  AtcBench b(misbehaving([](MisbehaveParams& m) { m.never_completes = true; }));
  b.agent.map(5, kVa, kPa, true, true);
  b.device.read(5, kVa);
  b.until(kMs);
  invalidate(b, 3);
  EXPECT_TRUE(completions(b).empty());
  EXPECT_EQ(b.atc.cache().valid_entries(), 0U) << "it obeyed";
  expect_only(b, "unanswered_invalidation");
}

TEST(AtcMisbehave, CompletesTwice) {
  AtcBench b(misbehaving([](MisbehaveParams& m) { m.completes_twice = true; }));
  invalidate(b, 3);
  const auto seen = completions(b);
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[1].itag_vector, seen[0].itag_vector);
  EXPECT_EQ(seen[1].time, seen[0].time + 1);
  expect_only(b, "completion_unexpected");
}

TEST(AtcMisbehave, EverySoManieth) {
  AtcBench b(misbehaving([](MisbehaveParams& m) {
    m.completes_twice = true;
    m.every = 3;
  }));
  for (unsigned itag = 0; itag < 7; ++itag) invalidate(b, itag);
  EXPECT_EQ(completions(b).size(), 7U + 3U) << "the first, the fourth and the seventh";
  expect_only(b, "completion_unexpected", 3);
}

TEST(AtcMisbehave, WrongGroupIndex) {
  AtcParams params = misbehaving([](MisbehaveParams& m) { m.wrong_group_index = true; });
  params.page_requests.pages_per_group = 2;
  params.page_requests.response_timeout = kMs;
  AtcBench b(params);
  TestAccess& access = b.device.issue(TlpKind::kMemRead, 5, kVa);
  access.transaction->pcie.ahead = kPageSize;
  b.device.send(access);
  b.until(5 * kMs);
  const auto requests = b.agent.seen_of(TlpKind::kPageRequest);
  ASSERT_EQ(requests.size(), 2U);
  const auto index = [](const SeenTlp& tlp) { return PageRequestBody::PRGI::get(tlp.body); };
  EXPECT_EQ(index(requests[1]), index(requests[0]) + 1);
  // The response is to an index the device does not know: UPRGI. Its own group never gets one.
  EXPECT_TRUE(b.atc.page_requester().status().unexpected_index);
  EXPECT_EQ(b.atc.stats().response_timeouts.value, 1U);
  EXPECT_EQ(access.outcome(), AccessOutcome::kResponseFailure);
  expect_only(b, "incomplete_group");
}

TEST(AtcMisbehave, IgnoresCredits) {
  AtsRuleOptions rules;
  rules.page_request_credits = 2;
  AtcParams params = misbehaving([](MisbehaveParams& m) { m.ignores_credits = true; });
  params.page_requests.allocation = 2;
  AtcBench b(params, Timing::kApproximate, rules);
  b.agent.on_group = [](const SeenTlp&) { return 1; };
  for (Addr i = 0; i < 5; ++i) b.device.read(5, kVa + i * kPageSize);
  b.until(kMs);
  EXPECT_EQ(b.agent.seen_of(TlpKind::kPageRequest).size(), 5U);
  expect_only(b, "credits", 3);
}

class AtcForeignPasid : public ::testing::TestWithParam<Timing> {};
INSTANTIATE_TEST_SUITE_P(Both, AtcForeignPasid, ::testing::Values(Timing::kApproximate, Timing::kLoose),
                         [](const auto& test) { return test.param == Timing::kLoose ? "loose" : "timed"; });

TEST_P(AtcForeignPasid, IsUsedInsteadOfTheOwn) {
  AtcParams params = misbehaving([](MisbehaveParams& m) { m.foreign_pasid = 9; });
  AtcBench b(params, GetParam());
  b.agent.map(5, kVa, kPa, true, true);
  b.agent.on_group = [](const SeenTlp&) { return 1; };
  b.until(1);
  TestAccess& access = b.device.read(5, kVa);
  b.until(kMs);
  EXPECT_EQ(access.outcome(), AccessOutcome::kInvalidResponse);
  for (const SeenTlp& tlp : b.agent.seen) EXPECT_EQ(tlp.pasid, Pasid(9));
  EXPECT_EQ(access.transaction->pcie.pasid, Pasid(5)) << "the device finds its request as it was";
  b.expect_clean();
}

}  // namespace
}  // namespace svasim
