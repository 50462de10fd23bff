// An ATC against a scripted agent: times from formulas, messages from the specification.
#include <gmock/gmock.h>

#include "timing/atc_bench.h"

namespace svasim {
namespace {

constexpr Ps kSend = 1000;    // the device's accesses leave 1 ns after their call
constexpr Ps kLookup = 2000;  // default ATC latency
constexpr Ps kTranslate = 300000;
constexpr Ps kMemory = 100000;
constexpr Ps kRespond = 5000000;
constexpr Ps kMs = 1000000000;
constexpr Addr kVa = 0x7f0000001000;
constexpr Addr kPa = 0x40003000;

Ps total(const TestAccess& access) { return access.end - access.sent; }

TEST(AtcTiming, MissAsksOnceThenHits) {
  AtcBench b;
  b.agent.map(5, kVa, kPa, true, true);
  b.agent.memory.fill(kPa, 64, [](std::size_t i) { return static_cast<unsigned char>(i + 1); });
  TestAccess& miss = b.device.read(5, kVa + 0x40);
  b.until(2 * kMs);
  TestAccess& hit = b.device.read(5, kVa);
  b.until(3 * kMs);

  // Look-up, translation request and answer, 1 ps to turn round, read.
  EXPECT_EQ(total(miss), kLookup + kTranslate + 1 + kMemory);
  EXPECT_EQ(total(hit), kLookup + kMemory);
  EXPECT_EQ(hit.data[0], 1);
  ASSERT_EQ(b.agent.seen.size(), 3U);
  EXPECT_EQ(b.agent.seen[0].kind, TlpKind::kTranslationRequest);
  EXPECT_EQ(b.agent.seen[0].at, AddressType::kTranslationRequest);
  EXPECT_EQ(b.agent.seen[0].address, kVa);
  EXPECT_EQ(b.agent.seen[0].pasid, Pasid(5));
  EXPECT_TRUE(b.agent.seen[0].no_write) << "a read needs no right to write";
  EXPECT_EQ(b.agent.seen[1].at, AddressType::kTranslated);
  EXPECT_EQ(b.agent.seen[1].address, kPa + 0x40);
  EXPECT_FALSE(b.agent.seen[1].has_pasid);
  // The device finds its request as it was.
  EXPECT_EQ(miss.transaction->get_address(), kVa + 0x40);
  EXPECT_TRUE(miss.transaction->pcie.has_pasid);
  EXPECT_EQ(miss.transaction->pcie.translation.address, kPa);
  const Attribution& where = miss.transaction->pcie.attribution;
  EXPECT_EQ(where[Stage::kDevice], kSend);
  EXPECT_EQ(where[Stage::kAtc], kLookup + 1);
  EXPECT_EQ(where[Stage::kWalkRead], kTranslate);
  EXPECT_EQ(where[Stage::kMemory], kMemory);
  EXPECT_EQ(where.total(), kSend + total(miss));
  b.expect_clean();
}

TEST(AtcTiming, MissesOfOnePageMerge) {
  AtcBench b;
  b.agent.map(5, kVa, kPa, true, true);
  TestAccess& first = b.device.read(5, kVa);
  b.until(100000);
  TestAccess& second = b.device.read(5, kVa + 64);  // 100 ns later, the answer is still under way
  b.until(kMs);
  EXPECT_EQ(b.agent.seen_of(TlpKind::kTranslationRequest).size(), 1U);
  EXPECT_EQ(first.end, second.end);
  EXPECT_EQ(b.atc.stats().merged.value, 1U);
  // The second's time is that of the translation since it arrived: no look-up of its own but the wait.
  const Attribution& where = second.transaction->pcie.attribution;
  EXPECT_EQ(where[Stage::kWalkRead], kTranslate + kLookup - 100000);
  b.expect_clean();
}

TEST(AtcTiming, WriteNeedsMoreThanAReadersTranslation) {
  AtcBench b;
  b.agent.map(5, kVa, kPa, true, true);
  b.device.read(5, kVa);
  b.until(kMs);
  TestAccess& write = b.device.write(5, kVa);
  b.until(2 * kMs);
  const auto requests = b.agent.seen_of(TlpKind::kTranslationRequest);
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_FALSE(requests[1].no_write);
  EXPECT_EQ(total(write), kLookup + kTranslate + 1 + kMemory);
  EXPECT_EQ(write.left - write.sent, kLookup + kTranslate + 1) << "posted when it leaves";
  EXPECT_EQ(b.atc.stats().rights_misses.value, 1U);
  b.expect_clean();
}

TEST(AtcTiming, WriteDoesNotJoinAReadersTranslationRequest) {
  AtcBench b;
  b.agent.map(5, kVa, kPa, true, true);
  b.device.read(5, kVa);
  TestAccess& write = b.device.write(5, kVa);
  b.until(kMs);
  EXPECT_EQ(b.agent.seen_of(TlpKind::kTranslationRequest).size(), 2U);
  EXPECT_TRUE(b.agent.seen_of(TlpKind::kPageRequest).empty());
  EXPECT_EQ(total(write), kLookup + kTranslate + 1 + kMemory);
  b.expect_clean();
}

// SPEC: [ATS 3]: an agent may ignore NW, the device may not.
TEST(AtcTiming, NoWriteBindsTheDeviceWhateverTheAgentAnswers) {
  AtcBench b;
  b.agent.ignores_no_write = true;
  b.agent.map(5, kVa, kPa, true, true);
  b.device.read(5, kVa);
  b.until(kMs);
  b.device.write(5, kVa);
  b.until(2 * kMs);
  EXPECT_EQ(b.agent.seen_of(TlpKind::kTranslationRequest).size(), 2U);
  b.expect_clean();
}

TEST(AtcTiming, PrivilegedAccesses) {
  AtcBench b;
  b.agent.map(5, kVa, kPa, true, true);
  for (const bool privileged : {false, true}) {
    TestAccess& access = b.device.issue(TlpKind::kMemRead, 5, kVa);
    access.transaction->pcie.privileged = privileged;
    b.device.send(access);
    b.until(now_ps() + kMs);
    EXPECT_EQ(access.transaction->pcie.privileged, privileged);
  }
  EXPECT_EQ(b.agent.seen_of(TlpKind::kTranslationRequest).size(), 2U)
      << "the rights of one are not the other's";
  b.expect_clean();
}

TEST(AtcTiming, SuperpageServesItsWholeRange) {
  AtcBench b;
  b.agent.map(5, 0x40000000, 0x80000000, true, true, 30);
  b.device.read(5, 0x40000000);
  b.until(kMs);
  b.device.read(5, 0x7fff2345 & ~63ULL);
  b.until(2 * kMs);
  EXPECT_EQ(b.agent.seen_of(TlpKind::kTranslationRequest).size(), 1U);
  EXPECT_EQ(b.agent.seen.back().address, 0x80000000 + (0x3fff2345 & ~63ULL));
  b.expect_clean();
}

TEST(AtcTiming, PasidsDoNotShareTranslations) {
  AtcBench b;
  b.agent.map(5, kVa, kPa, true, true);
  b.agent.map(6, kVa, kPa + 0x10000, true, true);
  b.device.read(5, kVa);
  b.until(kMs);
  b.device.read(6, kVa);
  b.until(2 * kMs);
  EXPECT_EQ(b.agent.seen.back().address, kPa + 0x10000);
  EXPECT_EQ(b.agent.seen_of(TlpKind::kTranslationRequest).size(), 2U);
  b.expect_clean();
}

TEST(AtcTiming, OutstandingTranslationsAreLimited) {
  AtcParams params = atc_params().defaults();
  params.translation_requests = 2;
  AtcBench b(params);
  for (Addr i = 0; i < 4; ++i) b.agent.map(5, kVa + i * kPageSize, kPa + i * kPageSize, true, true);
  for (Addr i = 0; i < 4; ++i) b.device.read(5, kVa + i * kPageSize);
  b.until(kMs);
  const auto requests = b.agent.seen_of(TlpKind::kTranslationRequest);
  ASSERT_EQ(requests.size(), 4U);
  EXPECT_EQ(requests[1].time, requests[0].time);
  EXPECT_EQ(requests[2].time, requests[0].time + kTranslate + kLookup) << "when the first answer is there";
  b.expect_clean();
}

TEST(AtcTiming, FaultWithoutPageRequest) {
  AtcBench b;
  TestAccess& access = b.device.write(5, kVa, true);
  b.until(kMs);
  EXPECT_EQ(access.outcome(), AccessOutcome::kPageFault);
  EXPECT_EQ(total(access), kLookup + kTranslate + 1);
  EXPECT_EQ(b.agent.seen.size(), 1U) << "nothing but the translation request";
  // No rights are not kept: the next access asks again. SPEC: [ATS 3.2]
  b.device.write(5, kVa, true);
  b.until(2 * kMs);
  EXPECT_EQ(b.agent.seen_of(TlpKind::kTranslationRequest).size(), 2U);
  b.expect_clean();
}

TEST(AtcTiming, PageRequestThenRetry) {
  AtcBench b;
  b.agent.on_group = [&](const SeenTlp&) {
    b.agent.map(5, kVa, kPa, true, true);
    return 0;
  };
  b.agent.response_parts = {
      {Stage::kHandlerQueue, 1000000}, {Stage::kHandler, 3000000}, {Stage::kResponse, 200000}};
  TestAccess& access = b.device.write(5, kVa + 0x80);
  b.until(kMs);
  const auto requests = b.agent.seen_of(TlpKind::kPageRequest);
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(PageRequestBody::ADDR::in_place(requests[0].body), kVa);
  EXPECT_EQ(PageRequestBody::W::get(requests[0].body), 1U);
  EXPECT_EQ(PageRequestBody::R::get(requests[0].body), 0U);
  EXPECT_EQ(PageRequestBody::L::get(requests[0].body), 1U);
  EXPECT_EQ(requests[0].pasid, Pasid(5));
  const Ps wait = kLookup + kRespond;  // message leaves after the ATC's latency
  EXPECT_EQ(total(access), kLookup + kTranslate + wait + kLookup + kTranslate + 1 + kMemory);
  EXPECT_EQ(access.outcome(), AccessOutcome::kDone);
  const Attribution& where = access.transaction->pcie.attribution;
  EXPECT_EQ(where[Stage::kHandlerQueue], 1000000U);
  EXPECT_EQ(where[Stage::kHandler], 3000000U);
  EXPECT_EQ(where[Stage::kResponse], 200000U);
  EXPECT_EQ(where[Stage::kPageRequest], wait - 4200000);
  EXPECT_EQ(where[Stage::kWalkRead], 2 * kTranslate);
  EXPECT_EQ(where.total(), kSend + total(access));
  b.expect_clean();
}

TEST(AtcTiming, SuccessMeansTryAgainAFewTimes) {
  AtcParams params = atc_params().defaults();
  params.page_requests.max_retries = 2;
  params.page_requests.retry_delay = 7000000;
  AtcBench b(params);
  TestAccess& access = b.device.read(5, kVa);
  b.until(kMs);
  // Three groups: the first and two retries. The second retry waits retry_delay; what follows it fails.
  EXPECT_EQ(b.agent.seen_of(TlpKind::kPageRequest).size(), 3U);
  EXPECT_EQ(b.agent.seen_of(TlpKind::kTranslationRequest).size(), 4U);
  EXPECT_EQ(access.outcome(), AccessOutcome::kInvalidResponse);
  const Ps round = kLookup + kTranslate + kLookup + kRespond;
  // After the third response the wait is twice retry_delay.
  EXPECT_EQ(total(access), 3 * round + 7000000 + 14000000 + kLookup + kTranslate + 1);
  b.expect_clean();
}

TEST(AtcTiming, InvalidRequestFailsTheAccessOnly) {
  AtcBench b;
  b.agent.on_group = [](const SeenTlp&) { return 1; };
  TestAccess& bad = b.device.read(5, kVa);
  b.until(kMs);
  EXPECT_EQ(bad.outcome(), AccessOutcome::kInvalidResponse);
  EXPECT_TRUE(b.atc.page_requests_enabled());
  b.expect_clean();
}

TEST(AtcTiming, ResponseFailureTurnsPageRequestsOff) {
  AtcBench b;
  b.agent.on_group = [](const SeenTlp& request) {
    return PageRequestBody::ADDR::in_place(request.body) == kVa ? 0xF : -1;
  };
  TestAccess& first = b.device.read(5, kVa + kPageSize);  // its group gets no answer
  TestAccess& second = b.device.read(5, kVa);
  b.until(kMs);
  EXPECT_EQ(first.outcome(), AccessOutcome::kResponseFailure);
  EXPECT_EQ(second.outcome(), AccessOutcome::kResponseFailure);
  EXPECT_FALSE(b.atc.page_requests_enabled());
  TestAccess& later = b.device.read(5, kVa + 2 * kPageSize);
  b.until(2 * kMs);
  EXPECT_EQ(later.outcome(), AccessOutcome::kPageFault);
  EXPECT_EQ(b.agent.seen_of(TlpKind::kPageRequest).size(), 2U);
  // The late response of the other group is ignored; one for no group is unexpected.
  b.agent.respond(0, 0, true, 5, 1000, kDevice);
  b.until(3 * kMs);
  EXPECT_EQ(b.atc.stats().responses_unexpected.value, 0U);
  b.expect_clean();
}

TEST(AtcTiming, CreditsHoldPageRequestsBack) {
  AtcParams params = atc_params().defaults();
  params.page_requests.allocation = 1;
  AtcBench b(params, Timing::kApproximate, [] {
    AtsRuleOptions rules;
    rules.page_request_credits = 1;
    return rules;
  }());
  b.agent.on_group = [&](const SeenTlp& request) {
    const Addr page = PageRequestBody::ADDR::in_place(request.body);
    b.agent.map(5, page, kPa + page - kVa, true, true);
    return 0;
  };
  b.device.read(5, kVa);
  b.device.read(5, kVa + kPageSize);
  b.device.read(5, kVa + 64);  // joins the first
  b.until(kMs);
  const auto requests = b.agent.seen_of(TlpKind::kPageRequest);
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[1].time, requests[0].time + kRespond + kLookup);
  b.expect_clean();
}

TEST(AtcTiming, GroupOfSeveralPagesHasOneLast) {
  AtcParams params = atc_params().defaults();
  params.page_requests.pages_per_group = 4;
  AtcBench b(params);
  b.agent.on_group = [&](const SeenTlp&) {
    for (Addr i = 0; i < 8; ++i) b.agent.map(5, kVa + i * kPageSize, kPa + i * kPageSize, true, true);
    return 0;
  };
  TestAccess& access = b.device.issue(TlpKind::kMemRead, 5, kVa);
  access.transaction->pcie.ahead = 3 * kPageSize - 64;  // exactly three pages
  b.device.send(access);
  b.until(kMs);
  const auto requests = b.agent.seen_of(TlpKind::kPageRequest);
  ASSERT_EQ(requests.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(PageRequestBody::ADDR::in_place(requests[i].body), kVa + i * kPageSize);
    EXPECT_EQ(PageRequestBody::L::get(requests[i].body), i == 2 ? 1U : 0U);
    EXPECT_EQ(PageRequestBody::PRGI::get(requests[i].body), PageRequestBody::PRGI::get(requests[0].body));
  }
  b.expect_clean();
}

TEST(AtcTiming, InvalidationWaitsForReadsThatUsedTheEntry) {
  AtcBench b;
  b.agent.map(5, kVa, kPa, true, true);
  b.agent.map(5, kVa + kPageSize, kPa + kPageSize, true, true);
  b.device.read(5, kVa);
  b.device.read(5, kVa + kPageSize);
  b.until(kMs);
  TestAccess& covered = b.device.read(5, kVa);
  b.agent.invalidate(3, encode_range(kVa, 12), true, 5, false, 10000, kDevice);
  b.until(kMs + 50000);
  // Arrives 10 ns on: the read, sent at 3 ns, is outstanding until 103 ns.
  b.agent.map(5, kVa, kPa + 0x5000, true, true);
  b.until(2 * kMs);
  const auto completions = b.agent.seen_of(TlpKind::kInvalidateCompletion);
  ASSERT_EQ(completions.size(), 1U);
  EXPECT_EQ(completions[0].itag_vector, 1U << 3);
  EXPECT_EQ(completions[0].time, covered.end + 1);
  b.device.read(5, kVa);
  TestAccess& other = b.device.read(5, kVa + kPageSize);
  b.until(3 * kMs);
  EXPECT_EQ(b.agent.seen.back().address, kPa + 0x5000) << "translated anew";
  EXPECT_EQ(total(other), kLookup + kMemory) << "a page outside the range stays";
  b.expect_clean();
}

TEST(AtcTiming, InvalidationWithNothingOutstanding) {
  AtcBench b;
  b.agent.invalidate(0, encode_range(kVa, 12), true, 5, false, 10000, kDevice);
  b.until(kMs);
  const auto completions = b.agent.seen_of(TlpKind::kInvalidateCompletion);
  ASSERT_EQ(completions.size(), 1U);
  EXPECT_EQ(completions[0].time, 10000 + atc_params().defaults().invalidation_latency);
  TestAccess& access = b.device.write(5, kVa, true);
  b.until(2 * kMs);
  EXPECT_EQ(access.outcome(), AccessOutcome::kPageFault);
  b.expect_clean();
}

TEST(AtcTiming, TranslationUnderWayIsNotUsedAfterAnInvalidation) {
  AtcBench b;
  b.agent.map(5, kVa, kPa, true, true);
  TestAccess& access = b.device.read(5, kVa);
  // The agent has looked at the tables at 3 ns; the invalidation arrives before the answer.
  b.until(50000);
  b.agent.map(5, kVa, kPa + 0x7000, true, true);
  b.agent.invalidate(1, encode_range(kVa, 12), true, 5, false, 10000, kDevice);
  b.until(kMs);
  EXPECT_EQ(b.atc.stats().stale.value, 1U);
  EXPECT_EQ(b.agent.seen_of(TlpKind::kTranslationRequest).size(), 2U);
  EXPECT_EQ(b.agent.seen_of(TlpKind::kMemRead).back().address, kPa + 0x7000);
  EXPECT_EQ(total(access), kLookup + kTranslate + kLookup + kTranslate + 1 + kMemory);
  // The completion need not wait for it.
  EXPECT_EQ(b.agent.seen_of(TlpKind::kInvalidateCompletion)[0].time, 60000U + 20000U);
  b.expect_clean();
}

TEST(AtcTiming, StaleAnswerLargerThanThePageAskedFor) {
  AtcBench b;
  // A 2-MiB page is broken up while its translation is under way: the part invalidated is not the
  // page asked for, but the answer covers it.
  b.agent.map(5, 0x40000000, 0x80000000, true, true, 21);
  b.device.read(5, 0x40000000);
  b.until(50000);
  b.agent.invalidate(1, encode_range(0x40100000, 12), true, 5, false, 10000, kDevice);
  b.until(kMs);
  EXPECT_EQ(b.atc.stats().stale.value, 1U);
  b.expect_clean();
}

TEST(AtcTiming, WritesArePushedAheadOfTheInvalidateCompletion) {
  AtcParams params = atc_params().defaults();
  params.invalidation_latency = 1;
  AtcBench b(params);
  b.agent.map(5, kVa, kPa, true, true);
  b.device.write(5, kVa);
  b.until(kMs);
  TestAccess& write = b.device.write(5, kVa);  // looked up at +1 ns, leaves at +3 ns
  b.agent.invalidate(2, encode_range(kVa, 12), true, 5, false, 2000, kDevice);
  b.until(2 * kMs);
  const auto& last = b.agent.seen.back();
  EXPECT_EQ(last.kind, TlpKind::kInvalidateCompletion);
  EXPECT_EQ(last.time, write.left + 1) << "right behind the write, which it need not see finished";
  b.expect_clean();
}

TEST(AtcTiming, WritesKeepTheirOrderUnlessRelaxed) {
  AtcBench b;
  b.agent.map(5, kVa, kPa, true, true);
  b.agent.map(5, kVa + kPageSize, kPa + kPageSize, true, true);
  b.device.write(5, kVa + kPageSize);
  b.until(kMs);
  TestAccess& miss = b.device.write(5, kVa);
  TestAccess& hit = b.device.write(5, kVa + kPageSize);
  TestAccess& read = b.device.read(5, kVa + kPageSize);
  TestAccess& relaxed = b.device.issue(TlpKind::kMemWrite, 5, kVa + kPageSize);
  relaxed.transaction->pcie.relaxed = true;
  b.device.send(relaxed);
  b.until(2 * kMs);
  EXPECT_EQ(miss.left - miss.sent, kLookup + kTranslate + 1);
  EXPECT_EQ(hit.left, miss.left) << "held back";
  EXPECT_EQ(read.left - read.sent, kLookup);
  EXPECT_EQ(relaxed.left - relaxed.sent, kLookup);
  const auto writes = b.agent.seen_of(TlpKind::kMemWrite);
  EXPECT_EQ(writes[2].address, kPa);
  EXPECT_EQ(writes[3].address, kPa + kPageSize);
  EXPECT_EQ(b.atc.stats().held_for_order.value, 1U);
  b.expect_clean();
}

TEST(AtcTiming, HeldWriteIsTranslatedAgainAfterAnInvalidation) {
  AtcBench b;
  b.agent.map(5, kVa, kPa, true, true);
  b.agent.map(5, kVa + kPageSize, kPa + kPageSize, true, true);
  b.device.write(5, kVa + kPageSize);
  b.until(kMs);
  b.device.write(5, kVa);
  TestAccess& held = b.device.write(5, kVa + kPageSize);
  b.until(kMs + 50000);
  b.agent.map(5, kVa + kPageSize, kPa + 0x9000, true, true);
  b.agent.invalidate(2, encode_range(kVa + kPageSize, 12), true, 5, false, 1000, kDevice);
  b.until(2 * kMs);
  EXPECT_EQ(b.agent.seen_of(TlpKind::kMemWrite).back().address, kPa + 0x9000);
  EXPECT_EQ(held.outcome(), AccessOutcome::kDone);
  b.expect_clean();
}

TEST(AtcTiming, UnsupportedRequestTurnsAtsOff) {
  AtcBench b;
  b.agent.translation_status = CompletionStatus::kUnsupportedRequest;
  TestAccess& access = b.device.read(5, kVa);
  b.until(kMs);
  EXPECT_FALSE(b.atc.ats_enabled());
  EXPECT_EQ(total(access), kLookup + kTranslate + kLookup + kMemory);
  EXPECT_EQ(b.agent.seen.back().at, AddressType::kUntranslated);
  EXPECT_EQ(b.agent.seen.back().address, kVa);
  EXPECT_TRUE(b.agent.seen.back().has_pasid);
  b.device.read(5, kVa);
  b.until(2 * kMs);
  EXPECT_EQ(b.agent.seen_of(TlpKind::kTranslationRequest).size(), 1U) << "no request once ATS is off";
  b.expect_clean();
}

TEST(AtcTiming, UnsupportedRequestWithoutFallback) {
  AtcParams params = atc_params().defaults();
  params.untranslated_fallback = false;
  AtcBench b(params);
  b.agent.translation_status = CompletionStatus::kUnsupportedRequest;
  TestAccess& access = b.device.read(5, kVa);
  b.until(kMs);
  EXPECT_EQ(access.outcome(), AccessOutcome::kTranslationError);
  b.expect_clean();
}

TEST(AtcTiming, CompleterAbortFailsTheAccessAndKeepsAtsOn) {
  AtcBench b;
  b.agent.translation_status = CompletionStatus::kCompleterAbort;
  TestAccess& access = b.device.read(5, kVa);
  b.until(kMs);
  EXPECT_EQ(access.outcome(), AccessOutcome::kTranslationError);
  EXPECT_EQ(access.transaction->pcie.status, CompletionStatus::kCompleterAbort);
  EXPECT_TRUE(b.atc.ats_enabled());
  b.expect_clean();
}

TEST(AtcTiming, UntranslatedOnlyPageAndInterrupts) {
  AtcBench b;
  Translation u;
  u.address = kPa;
  u.page_shift = 12;
  u.read = u.write = u.untranslated_only = true;
  b.agent.map(5, kVa, u);
  b.device.read(5, kVa);
  b.until(kMs);
  EXPECT_EQ(b.agent.seen.back().at, AddressType::kUntranslated);
  EXPECT_EQ(b.agent.seen.back().address, kVa);
  TestAccess& interrupt = b.device.write(0, 0xFEE00000);
  b.until(2 * kMs);
  EXPECT_EQ(total(interrupt), kLookup + kMemory);
  EXPECT_EQ(b.agent.seen_of(TlpKind::kTranslationRequest).size(), 1U);
  b.expect_clean();
}

TEST(AtcTiming, DeviceMakesSureOfAPage) {
  AtcBench b;
  b.agent.on_group = [&](const SeenTlp&) {
    b.agent.map(5, kVa, kPa, true, true);
    return 0;
  };
  TestAccess& request = b.device.send(b.device.issue(TlpKind::kTranslationRequest, 5, kVa));
  b.until(kMs);
  EXPECT_EQ(request.transaction->pcie.translation.address, kPa);
  EXPECT_TRUE(request.transaction->pcie.translation.write);
  TestAccess& write = b.device.write(5, kVa);
  b.until(2 * kMs);
  EXPECT_EQ(total(write), kLookup + kMemory);
  b.expect_clean();
}

TEST(AtcTiming, OnlySoManyAccessesAtATime) {
  AtcParams params = atc_params().defaults();
  params.accesses = 2;
  AtcBench b(params);
  b.agent.map(5, kVa, kPa, true, true);
  b.device.read(5, kVa);
  b.until(kMs);
  TestAccess* reads[3];
  for (auto& read : reads) read = &b.device.read(5, kVa);
  b.until(2 * kMs);
  EXPECT_EQ(total(*reads[0]), kLookup + kMemory);
  EXPECT_EQ(reads[1]->end, reads[0]->end);
  EXPECT_EQ(reads[2]->end, reads[0]->end + kLookup + kMemory);
  EXPECT_EQ(reads[2]->transaction->pcie.attribution[Stage::kAtc], kLookup + kMemory + kLookup);
  b.expect_clean();
}

TEST(AtcTiming, LooseTimingTakesTheSameTimeWithoutContention) {
  AtcBench b(atc_params().defaults(), Timing::kLoose);
  b.agent.map(5, kVa, kPa, true, true);
  b.agent.on_group = [&](const SeenTlp&) {
    b.agent.map(5, kVa + kPageSize, kPa + kPageSize, true, true);
    return 0;
  };
  TestAccess* miss = nullptr;
  TestAccess* hit = nullptr;
  b.until(1);
  miss = &b.device.read(5, kVa);
  b.until(kMs);
  hit = &b.device.read(5, kVa);
  TestAccess& fault = b.device.write(5, kVa + kPageSize);
  b.until(2 * kMs);
  EXPECT_EQ(total(*miss), kLookup + kTranslate + kMemory);
  EXPECT_EQ(total(*hit), kLookup + kMemory);
  EXPECT_TRUE(fault.blocked);
  EXPECT_EQ(fault.outcome(), AccessOutcome::kDone);
  EXPECT_EQ(total(fault), kLookup + kTranslate + kLookup + kRespond + kLookup + kTranslate + 1 + kMemory);
  EXPECT_EQ(b.agent.seen_of(TlpKind::kTranslationRequest).size(), 3U);
  EXPECT_EQ(b.agent.seen_of(TlpKind::kPageRequest).size(), 1U);
  EXPECT_EQ(b.atc.stats().accesses.value, 3U);
  b.expect_clean();
}

}  // namespace
}  // namespace svasim
