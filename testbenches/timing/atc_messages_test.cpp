// Invalidate completions in several traffic classes, stop markers, waiting for responses, and answers an ATC
// must not act on like on others.
#include "timing/atc_bench.h"

namespace svasim {
namespace {

constexpr Ps kSend = 1000;    // the device's accesses leave 1 ns after their call
constexpr Ps kLookup = 2000;  // default ATC latency
constexpr Ps kTranslate = 300000;
constexpr Ps kMemory = 100000;
constexpr Ps kRespond = 5000000;
constexpr Ps kUs = 1000000;
constexpr Ps kMs = 1000000000;
constexpr Addr kVa = 0x7f0000001000;
constexpr Addr kPa = 0x40003000;

Ps total(const TestAccess& access) { return access.end - access.sent; }

AtcParams with(const std::function<void(AtcParams&)>& change) {
  AtcParams params = atc_params().defaults();
  change(params);
  return params;
}

TestAccess& issue_by(AtcBench& b, TlpKind kind, unsigned engine, Addr address) {
  TestAccess& access = b.device.issue(kind, 5, address);
  access.transaction->pcie.engine = static_cast<std::uint8_t>(engine);
  return b.device.send(access);
}

// --- Invalidate completions. SPEC: [ATS 4.2]

TEST(AtcMessages, OneCompletionInEachTrafficClassBehindItsOwnReads) {
  AtcBench b(with([](AtcParams& p) { p.traffic_classes = 3; }));
  b.agent.map(5, kVa, kPa, true, true);
  issue_by(b, TlpKind::kMemRead, 0, kVa);
  b.until(kMs);
  TestAccess& read = issue_by(b, TlpKind::kMemRead, 4, kVa);  // class 1
  b.agent.invalidate(6, encode_range(kVa, 12), true, 5, false, 10000, kDevice);
  b.until(2 * kMs);
  EXPECT_EQ(b.agent.seen_of(TlpKind::kMemRead).back().traffic_class, 1U);
  const auto completions = b.agent.seen_of(TlpKind::kInvalidateCompletion);
  ASSERT_EQ(completions.size(), 3U);
  std::array<Ps, 3> times{};
  for (const SeenTlp& completion : completions) {
    EXPECT_EQ(completion.itag_vector, 1U << 6);
    EXPECT_EQ(completion.completion_count, 3U);
    times.at(completion.traffic_class) = completion.time;
  }
  const Ps arrived = kMs + 10000;
  EXPECT_EQ(times[0], arrived + atc_params().defaults().invalidation_latency);
  EXPECT_EQ(times[1], read.end + 1);
  EXPECT_EQ(times[2], times[0]);
  b.expect_clean();
}

TEST(AtcMessages, EightClassesAreCountedAsZero) {
  AtcBench b(with([](AtcParams& p) { p.traffic_classes = 8; }));
  b.agent.invalidate(0, encode_range(kVa, 12), true, 5, false, 10000, kDevice);
  b.until(kMs);
  const auto completions = b.agent.seen_of(TlpKind::kInvalidateCompletion);
  ASSERT_EQ(completions.size(), 8U);
  EXPECT_EQ(completions[0].completion_count, 0U);
  b.device.write(5, kVa, true);
  b.until(2 * kMs);
  b.expect_clean();
}

TEST(AtcMessages, ACompletionIsBehindTheWritesOfItsClass) {
  AtcBench b(with([](AtcParams& p) {
    p.traffic_classes = 2;
    p.invalidation_latency = 1;
  }));
  b.agent.map(5, kVa, kPa, true, true);
  issue_by(b, TlpKind::kMemWrite, 0, kVa);
  b.until(kMs);
  TestAccess& write = issue_by(b, TlpKind::kMemWrite, 1, kVa);
  b.agent.invalidate(2, encode_range(kVa, 12), true, 5, false, 2000, kDevice);
  b.until(2 * kMs);
  for (const SeenTlp& completion : b.agent.seen_of(TlpKind::kInvalidateCompletion)) {
    EXPECT_EQ(completion.time, completion.traffic_class == 1 ? write.left + 1 : kMs + 2000 + 1);
  }
  b.expect_clean();
}

TEST(AtcMessages, CompletionsLeaveTogether) {
  AtcBench b(with([](AtcParams& p) { p.combine_window = 100000; }));
  const auto invalidate = [&](unsigned itag, Ps at) {
    b.agent.invalidate(itag, encode_range(kVa + itag * kPageSize, 12), true, 5, false, at, kDevice);
  };
  invalidate(1, 10000);
  invalidate(2, 50000);
  invalidate(3, 120000);  // its latency ends when the first message has left
  b.until(kMs);
  const Ps latency = atc_params().defaults().invalidation_latency;
  const auto completions = b.agent.seen_of(TlpKind::kInvalidateCompletion);
  ASSERT_EQ(completions.size(), 2U);
  EXPECT_EQ(completions[0].itag_vector, 0b0110U);
  EXPECT_EQ(completions[0].time, 10000 + latency + 100000 + 1);
  EXPECT_EQ(completions[1].itag_vector, 0b1000U);
  EXPECT_EQ(completions[1].time, 120000 + latency + 100000 + 1);
  b.device.write(5, kVa, true);
  b.until(2 * kMs);
  b.expect_clean();
}

TEST(AtcMessages, ACombinedCompletionStillWaitsForReads) {
  AtcBench b(with([](AtcParams& p) { p.combine_window = 30000; }));
  b.agent.map(5, kVa, kPa, true, true);
  b.device.read(5, kVa);
  b.until(kMs);
  TestAccess& read = b.device.read(5, kVa);
  b.agent.invalidate(1, encode_range(kVa, 12), true, 5, false, 10000, kDevice);
  b.agent.invalidate(2, encode_range(kVa + kPageSize, 12), true, 5, false, 10000, kDevice);
  b.until(2 * kMs);
  const auto completions = b.agent.seen_of(TlpKind::kInvalidateCompletion);
  ASSERT_EQ(completions.size(), 2U);
  EXPECT_EQ(completions[0].itag_vector, 0b100U);
  EXPECT_EQ(completions[1].itag_vector, 0b010U);
  EXPECT_EQ(completions[1].time, read.end + 1 + 30000 + 1);
  b.expect_clean();
}

TEST(AtcMessages, AnswersFromBeforeAtsWasOffAreNotUsed) {
  AtcBench b;
  b.agent.map(5, kVa, kPa, true, true);
  b.device.read(5, kVa);
  b.until(50000);
  b.agent.map(5, kVa, kPa + 0x8000, true, true);
  b.atc.enable_ats(false);
  b.atc.enable_ats(true);
  b.until(kMs);
  EXPECT_EQ(b.atc.stats().stale.value, 1U);
  EXPECT_EQ(b.agent.seen.back().address, kPa + 0x8000);
  b.expect_clean();
}

// --- Stopping a PASID. SPEC: [PRI 8]

TestAccess& stop(AtcBench& b, unsigned pasid) {
  TestAccess& marker = b.device.issue(TlpKind::kPageRequest, pasid, 0);
  marker.transaction->set_command(tlm::TLM_IGNORE_COMMAND);
  marker.transaction->set_data_length(0);
  marker.transaction->set_data_ptr(nullptr);
  marker.transaction->pcie.at = AddressType::kUntranslated;
  marker.transaction->pcie.body = make_page_request_body(0, false, false, true, 0);
  tlm::tlm_phase phase = tlm::BEGIN_REQ;
  sc_core::sc_time delay = to_sc(kSend);
  b.device.up->nb_transport_fw(*marker.transaction, phase, delay);
  return marker;
}

class AtcStop : public ::testing::TestWithParam<Timing> {};
INSTANTIATE_TEST_SUITE_P(Both, AtcStop, ::testing::Values(Timing::kApproximate, Timing::kLoose),
                         [](const auto& test) { return test.param == Timing::kLoose ? "loose" : "timed"; });

TEST_P(AtcStop, EndsWhatWaitsForPagesOfThatPasid) {
  AtcBench b(with([](AtcParams& p) { p.page_requests.allocation = 4; }), GetParam());
  b.agent.on_group = [](const SeenTlp&) { return -1; };
  b.until(1);
  TestAccess& stopped = b.device.write(5, kVa);
  TestAccess& other = b.device.write(6, kVa);
  b.until(10 * kUs);
  TestAccess& marker = stop(b, 5);
  b.until(kMs);
  EXPECT_EQ(stopped.outcome(), AccessOutcome::kStopped);
  EXPECT_EQ(stopped.end, 10 * kUs + kSend + 1);
  EXPECT_EQ(marker.end, 10 * kUs + kSend + kLookup);
  EXPECT_EQ(other.end, 0U);
  const auto requests = b.agent.seen_of(TlpKind::kPageRequest);
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(requests[2].body, PageRequestBody::L::kMask) << "L alone, address and marker type 0";
  EXPECT_EQ(requests[2].pasid, Pasid(5));
  EXPECT_EQ(requests[2].traffic_class, 0U);
  // A response that was under way gives credit and index back, and nothing else.
  EXPECT_EQ(b.atc.page_requester().credits(), 2U);
  for (const SeenTlp& request : {requests[0], requests[1]}) {
    b.agent.respond(static_cast<unsigned>(PageRequestBody::PRGI::get(request.body)),
                    request.pasid == Pasid(6) ? 1 : 0, true, request.pasid.value(), 1000, kDevice);
  }
  b.until(2 * kMs);
  EXPECT_EQ(b.atc.page_requester().credits(), 4U);
  EXPECT_EQ(b.atc.stats().responses_unexpected.value, 0U);
  EXPECT_EQ(other.outcome(), AccessOutcome::kInvalidResponse);
  EXPECT_EQ(b.agent.seen_of(TlpKind::kPageRequest).size(), 3U) << "no marker is answered or counted";
  b.expect_clean();
}

TEST(AtcMessages, StopEndsWhatBacksOffOrIsTranslated) {
  AtcBench b(with([](AtcParams& p) { p.page_requests.retry_delay = kMs; }));
  TestAccess& backs_off = b.device.read(5, kVa);
  const Ps round = kLookup + kTranslate + kLookup + kRespond;
  b.until(2 * round + kUs);  // two responses came, the third translation waits for retry_delay
  TestAccess& translated = b.device.read(5, kVa + kPageSize);
  b.until(now_ps() + kUs / 10);
  const Ps now = now_ps();
  stop(b, 5);
  b.until(5 * kMs);
  EXPECT_EQ(backs_off.outcome(), AccessOutcome::kStopped);
  EXPECT_EQ(backs_off.end, now + kSend + 1);
  EXPECT_EQ(translated.outcome(), AccessOutcome::kStopped) << "no page request may follow the marker";
  EXPECT_EQ(b.agent.seen_of(TlpKind::kPageRequest).size(), 3U) << "two rounds and the marker";
  b.expect_clean();
}

// --- Waiting for pages

struct Retry {
  const char* policy;
  std::array<Ps, 4> waits;  // in units of retry_delay
};
class AtcRetry : public ::testing::TestWithParam<Retry> {};
INSTANTIATE_TEST_SUITE_P(Policies, AtcRetry,
                         ::testing::Values(Retry{"exponential", {0, 1, 2, 4}}, Retry{"linear", {0, 1, 2, 3}},
                                           Retry{"fixed", {0, 1, 1, 1}}, Retry{"immediate", {0, 0, 0, 0}}),
                         [](const auto& test) { return test.param.policy; });

TEST_P(AtcRetry, WaitsBeforeRetries) {
  AtcBench b(with([](AtcParams& p) {
    p.page_requests.retry = GetParam().policy;
    p.page_requests.retry_delay = 7 * kUs;
    p.page_requests.max_retries = 3;
  }));
  TestAccess& access = b.device.read(5, kVa);
  b.until(kMs);
  // Four groups, each answered with Success; the fourth retry finds no page and is one too many.
  Ps expected = 4 * (kLookup + kTranslate + kLookup + kRespond) + kLookup + kTranslate + 1;
  for (const Ps wait : GetParam().waits) expected += wait * 7 * kUs;
  EXPECT_EQ(total(access), expected);
  EXPECT_EQ(access.outcome(), AccessOutcome::kInvalidResponse);
  b.expect_clean();
}

TEST(AtcMessages, GivesUpWhenNoResponseComes) {
  AtcBench b(with([](AtcParams& p) {
    p.page_requests.allocation = 4;
    p.page_requests.response_timeout = 3 * kUs;
  }));
  bool answers = false;
  b.agent.on_group = [&](const SeenTlp&) { return answers ? 0 : -1; };
  b.agent.response_latency = 2 * kUs;
  TestAccess& late = b.device.read(5, kVa);
  b.until(kMs);
  EXPECT_EQ(late.outcome(), AccessOutcome::kResponseFailure);
  EXPECT_EQ(total(late), kLookup + kTranslate + kLookup + 3 * kUs + 1);
  EXPECT_EQ(b.atc.stats().response_timeouts.value, 1U);
  EXPECT_TRUE(b.atc.page_requests_enabled());
  EXPECT_EQ(b.atc.page_requester().credits(), 3U) << "the group is still outstanding";
  b.agent.respond(0, 0, true, 5, 1000, kDevice);
  b.until(2 * kMs);
  EXPECT_EQ(b.atc.page_requester().credits(), 4U);
  EXPECT_EQ(b.atc.stats().responses_unexpected.value, 0U);
  EXPECT_EQ(b.atc.stats().responses_success.value, 0U) << "nobody waits for it any more";
  answers = true;
  b.agent.map(5, kVa, kPa, true, true);
  TestAccess& in_time = b.device.read(5, kVa + kPageSize);
  b.until(3 * kMs);
  EXPECT_EQ(b.atc.stats().response_timeouts.value, 1U) << "an answered group is not given up";
  EXPECT_EQ(in_time.outcome(), AccessOutcome::kInvalidResponse);
  b.expect_clean();
}

TEST(AtcMessages, TheSmallerOfCapacityAndAllocationCounts) {
  AtsRuleOptions rules;
  rules.page_request_credits = 1;
  AtcBench b(with([](AtcParams& p) {
               p.page_requests.capacity = 1;
               p.page_requests.allocation = 8;
             }),
             Timing::kApproximate, rules);
  b.agent.on_group = [](const SeenTlp&) { return 1; };
  b.device.read(5, kVa);
  b.device.read(5, kVa + kPageSize);
  b.until(kMs);
  const auto requests = b.agent.seen_of(TlpKind::kPageRequest);
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[1].time, requests[0].time + kRespond + kLookup);
  b.expect_clean();
}

TEST(AtcMessages, StatusSaysWhatWentWrong) {
  AtcBench b;
  const PageRequester::Status& status = b.atc.page_requester().status();
  b.agent.on_group = [](const SeenTlp&) { return 0xF; };
  b.device.read(5, kVa);
  b.until(kMs);
  EXPECT_TRUE(status.response_failure);
  EXPECT_FALSE(status.unexpected_index);
  b.agent.respond(77, 0, true, 5, 1000, kDevice);
  b.until(2 * kMs);
  EXPECT_TRUE(status.unexpected_index);
  b.atc.enable_page_requests(8);
  EXPECT_FALSE(status.response_failure || status.unexpected_index);
  b.ats_checker.finish();
  EXPECT_EQ(b.ats_checker.violations().count("response_unexpected"), 1U);
  b.device.release_all();
}

// --- Answers. SPEC: [ATS 3.1, 3.2]

class AtcAnswers : public ::testing::TestWithParam<Timing> {};
INSTANTIATE_TEST_SUITE_P(Both, AtcAnswers, ::testing::Values(Timing::kApproximate, Timing::kLoose),
                         [](const auto& test) { return test.param == Timing::kLoose ? "loose" : "timed"; });

TEST_P(AtcAnswers, ARetryStatusIsMalformed) {
  AtcBench b(atc_params().defaults(), GetParam());
  b.agent.translation_status = CompletionStatus::kRequestRetry;
  b.until(1);
  TestAccess& access = b.device.read(5, kVa);
  b.until(kMs);
  EXPECT_EQ(access.outcome(), AccessOutcome::kTranslationError);
  EXPECT_TRUE(b.atc.ats_enabled());
  EXPECT_EQ(b.atc.stats().translation_malformed.value, 1U);
  b.expect_clean();
}

TEST_P(AtcAnswers, NClearsNoSnoop) {
  AtcBench b(atc_params().defaults(), GetParam());
  Translation snooped;
  snooped.address = kPa;
  snooped.page_shift = 12;
  snooped.read = snooped.write = true;
  b.agent.map(5, kVa, snooped);
  snooped.address = kPa + kPageSize;
  snooped.non_snooped = true;
  b.agent.map(5, kVa + kPageSize, snooped);
  b.until(1);
  for (const Addr offset : {Addr{0}, kPageSize}) {
    TestAccess& access = b.device.issue(TlpKind::kMemRead, 5, kVa + offset);
    access.transaction->pcie.no_snoop = true;
    b.device.send(access);
    b.until(now_ps() + kMs);
    EXPECT_EQ(b.agent.seen.back().no_snoop, offset == 0);
    EXPECT_TRUE(access.transaction->pcie.no_snoop) << "the device finds its request as it was";
  }
  b.device.read(5, kVa);
  b.until(now_ps() + kMs);
  EXPECT_FALSE(b.agent.seen.back().no_snoop);
  b.expect_clean();
}

}  // namespace
}  // namespace svasim
