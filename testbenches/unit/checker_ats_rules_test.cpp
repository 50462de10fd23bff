// Each rule of ATS and PRI fires on a sequence that breaks it, and legal sequences are silent.
#include <gtest/gtest.h>

#include "models/formats/ats_messages.h"
#include "tlm/ats_rules.h"

namespace svasim {
namespace {

using Tlp = AtsRules::Tlp;
constexpr RequesterId kDevice = RequesterId::from_bdf(1, 0, 0);
constexpr Addr kIova = 0x7F0000000000;
constexpr Addr kHpa = 0x12345000;

class AtsRulesTest : public testing::Test {
 protected:
  Tlp tlp(TlpKind kind, std::uint32_t pasid = 5) {
    Tlp t;
    t.kind = kind;
    t.requester = kDevice;
    t.has_pasid = pasid != 0;
    t.pasid = Pasid(pasid);
    return t;
  }
  void request(int key, Addr iova = kIova, std::uint32_t pasid = 5) {
    Tlp t = tlp(TlpKind::kTranslationRequest, pasid);
    t.at = AddressType::kTranslationRequest;
    t.address = iova;
    t.length = 8;
    t.key = &keys[key];
    rules.upstream(t, ++now);
  }
  void complete(int key, Addr hpa = kHpa, bool write = true, std::uint8_t shift = 12) {
    Translation t;
    t.address = hpa;
    t.page_shift = shift;
    t.read = true;
    t.write = write;
    rules.translation_completed(kDevice, &keys[key], CompletionStatus::kSuccess, {t}, ++now);
  }
  void access(Addr hpa, bool write = false, unsigned length = 64) {
    Tlp t = tlp(write ? TlpKind::kMemWrite : TlpKind::kMemRead, 0);
    t.at = AddressType::kTranslated;
    t.address = hpa;
    t.length = length;
    rules.upstream(t, ++now);
  }
  void invalidate(unsigned itag, Addr iova = kIova, unsigned shift = 12, std::uint32_t pasid = 5,
                  bool global = false) {
    Tlp t = tlp(TlpKind::kInvalidateRequest, pasid);
    t.itag = static_cast<std::uint8_t>(itag);
    t.body = make_invalidate_request_body(encode_range(iova, shift), global);
    rules.downstream(t, ++now);
  }
  void invalidated(std::uint32_t vector, unsigned count = 1) {
    Tlp t = tlp(TlpKind::kInvalidateCompletion, 0);
    t.itag_vector = vector;
    t.completion_count = static_cast<std::uint8_t>(count);
    rules.upstream(t, ++now);
  }
  void page_request(unsigned index, bool last = true, std::uint32_t pasid = 5, bool read = true,
                    bool execute = false) {
    Tlp t = tlp(TlpKind::kPageRequest, pasid);
    t.execute = execute;
    t.body = make_page_request_body(kIova, read, false, last, index);
    rules.upstream(t, ++now);
  }
  void response(unsigned index, unsigned code = 0, std::uint32_t pasid = 5) {
    Tlp t = tlp(TlpKind::kPrgResponse, pasid);
    t.prg_index = static_cast<std::uint16_t>(index);
    t.response_code = static_cast<std::uint8_t>(code);
    rules.downstream(t, ++now);
  }
  void expect_only(const char* rule, std::uint64_t count = 1) const {
    EXPECT_EQ(log.count(rule), count) << rule;
    EXPECT_EQ(log.count(), count) << log;
  }
  void expect_clean() const { EXPECT_EQ(log.count(), 0U) << log; }

  char keys[8] = {};
  Ps now = 0;
  ViolationLog log{"ats"};
  AtsRuleOptions options = [] {
    AtsRuleOptions o;
    o.page_request_credits = 4;
    o.invalidation_timeout = 1000;
    return o;
  }();
  AtsRules rules{options, log};
};

TEST_F(AtsRulesTest, WholeLifeOfATranslationIsSilent) {
  request(0);
  complete(0);
  access(kHpa);
  access(kHpa + 0xFC0, true);
  invalidate(3);
  access(kHpa);  // still allowed until the completion
  invalidated(1U << 3);
  request(0);
  complete(0, kHpa + 0x1000);
  access(kHpa + 0x1000);
  rules.finish(++now);
  expect_clean();
}

TEST_F(AtsRulesTest, TranslatedAddressNeverGiven) {
  access(kHpa);
  expect_only("translated_unknown");
}

TEST_F(AtsRulesTest, WriteWithoutTheRight) {
  request(0);
  complete(0, kHpa, false);
  access(kHpa);
  expect_clean();
  access(kHpa, true);
  expect_only("translated_unknown");
}

TEST_F(AtsRulesTest, LargePageCoversItsRange) {
  request(0);
  complete(0, 0x40000000, true, 21);
  access(0x40000000 + 0x1FFFC0);
  expect_clean();
  access(0x40000000 + 0x200000);
  expect_only("translated_unknown");
}

TEST_F(AtsRulesTest, UseAfterInvalidationCompleted) {
  request(0);
  complete(0);
  invalidate(0);
  invalidated(1);
  access(kHpa);
  expect_only("translated_unknown");
}

TEST_F(AtsRulesTest, AnswerOnItsWayDuringInvalidationIsStale) {
  request(0);
  invalidate(0);
  complete(0);
  invalidated(1);
  access(kHpa);
  expect_only("translated_unknown");
}

TEST_F(AtsRulesTest, AnswerAfterCompletionToARequestBeforeInvalidationIsStale) {
  request(0);
  invalidate(0);
  invalidated(1);
  complete(0);
  access(kHpa);
  expect_only("translated_unknown");
}

TEST_F(AtsRulesTest, RequestAfterInvalidationIsFresh) {
  request(0);
  complete(0);
  invalidate(0);
  request(1);
  complete(1);
  invalidated(1);
  access(kHpa);
  expect_clean();
}

TEST_F(AtsRulesTest, InvalidationOfOtherPasidOrRangeKeepsGrants) {
  request(0);
  complete(0);
  invalidate(0, kIova, 12, 6);
  invalidate(1, kIova + 0x1000);
  invalidated(3);
  access(kHpa);
  expect_clean();
  invalidate(2, 0, 64, 6, true);  // G: all PASIDs
  invalidated(4);
  access(kHpa);
  expect_only("translated_unknown");
}

TEST_F(AtsRulesTest, InvalidationOfAPartOfALargePageEndsIt) {
  request(0, kIova + 0x5000);
  complete(0, 0x40000000, true, 21);
  invalidate(0, kIova + 0x9000);
  invalidated(1);
  access(0x40000000);
  expect_only("translated_unknown");
}

TEST_F(AtsRulesTest, NoRightsMeansNoGrant) {
  request(0);
  rules.translation_completed(kDevice, &keys[0], CompletionStatus::kUnsupportedRequest, {}, ++now);
  expect_clean();
  access(0);
  expect_only("translated_unknown");
}

TEST_F(AtsRulesTest, TranslationSize) {
  request(0);
  complete(0, kHpa, true, 21);
  expect_only("translation_size");
}

// Several translations. SPEC: [ATS 3]
class AtsRangeRules : public AtsRulesTest {
 protected:
  void ask(unsigned pages) {
    Tlp t = tlp(TlpKind::kTranslationRequest);
    t.at = AddressType::kTranslationRequest;
    t.address = kIova;
    t.length = 8 * pages;
    t.key = &keys[0];
    rules.upstream(t, ++now);
  }
  void answer(std::initializer_list<std::uint8_t> shifts) {
    std::vector<Translation> all;
    for (const std::uint8_t shift : shifts) {
      Translation t;
      t.address = 0x40000000 + all.size() * 0x200000;
      t.page_shift = shift;
      t.read = true;
      all.push_back(t);
    }
    rules.translation_completed(kDevice, &keys[0], CompletionStatus::kSuccess, all, ++now);
  }
};

TEST_F(AtsRangeRules, EveryEntryMayBeUsedAndEndsByItself) {
  ask(3);
  answer({12, 12, 12});
  for (const Addr page : {0x40000000, 0x40200000, 0x40400000}) access(page);
  invalidate(1, kIova + kPageSize);
  invalidated(1U << 1);
  access(0x40000000);
  access(0x40400000);
  EXPECT_EQ(log.count(), 0U);
  access(0x40200000);
  expect_only("translated_unknown");
}

TEST_F(AtsRangeRules, AnInvalidationUnderWayConcernsItsEntryOnly) {
  ask(2);
  invalidate(1, kIova + kPageSize);
  invalidated(1U << 1);
  answer({12, 12});
  access(0x40000000);
  EXPECT_EQ(log.count(), 0U);
  access(0x40200000);
  expect_only("translated_unknown");
}

TEST_F(AtsRangeRules, MoreThanAskedFor) {
  ask(1);
  answer({12, 12});
  expect_only("translation_count");
}

TEST_F(AtsRangeRules, SeveralSizes) {
  ask(2);
  answer({12, 21});
  expect_only("translation_size");
}

TEST_F(AtsRulesTest, StopMarkerBehindAnIncompleteGroupOfItsPasid) {
  page_request(1, false, 6);
  page_request(2, false, 5);
  Tlp t = tlp(TlpKind::kPageRequest, 5);
  t.body = make_page_request_body(0, false, false, true, 0);
  rules.upstream(t, ++now);
  expect_only("stop_marker");
}

TEST_F(AtsRulesTest, PageRequestsAreInTrafficClassZero) {
  Tlp t = tlp(TlpKind::kPageRequest, 5);
  t.body = make_page_request_body(kIova, true, false, true, 0);
  t.traffic_class = 1;
  rules.upstream(t, ++now);
  expect_only("traffic_class");
}

TEST_F(AtsRulesTest, AGroupWithoutLast) {
  page_request(1, false);
  rules.finish(++now);
  expect_only("incomplete_group");
}

TEST_F(AtsRulesTest, Lengths) {
  request(0);
  complete(0);
  access(kHpa + 0xFC1);
  access(kHpa, false, 0);
  access(kHpa, false, 4096);
  expect_only("length", 2);
  Tlp t = tlp(TlpKind::kTranslationRequest);
  t.at = AddressType::kTranslationRequest;
  t.length = 12;
  rules.upstream(t, ++now);
  t.length = 128;
  rules.upstream(t, ++now);
  expect_only("length", 4);
}

TEST_F(AtsRulesTest, TranslationRequestShape) {
  request(0, kIova + 8);
  expect_only("translation_address");
  Tlp t = tlp(TlpKind::kTranslationRequest);
  t.at = AddressType::kTranslationRequest;
  t.byte_enables = true;
  rules.upstream(t, ++now);
  EXPECT_EQ(log.count("byte_enables"), 1U);
}

TEST_F(AtsRulesTest, AddressType) {
  Tlp t = tlp(TlpKind::kMemWrite);
  t.length = 4;
  t.at = AddressType::kTranslationRequest;
  rules.upstream(t, ++now);
  Tlp u = tlp(TlpKind::kTranslationRequest);
  rules.upstream(u, ++now);
  expect_only("address_type", 2);
}

TEST_F(AtsRulesTest, Pasid) {
  request(0);
  complete(0);
  Tlp t = tlp(TlpKind::kMemRead);
  t.length = 4;
  t.pasid = Pasid(kMaxPasid + 1);
  rules.upstream(t, ++now);  // over 20 bits
  t.has_pasid = false;
  t.privileged = true;
  rules.upstream(t, ++now);  // privileged without PASID
  t = tlp(TlpKind::kMemRead);
  t.length = 4;
  t.at = AddressType::kTranslated;
  t.address = kHpa;
  rules.upstream(t, ++now);  // translated with PASID
  expect_only("pasid", 3);
}

TEST_F(AtsRulesTest, Direction) {
  rules.upstream(tlp(TlpKind::kPrgResponse), ++now);
  rules.upstream(tlp(TlpKind::kInvalidateRequest), ++now);
  rules.downstream(tlp(TlpKind::kPageRequest), ++now);
  rules.downstream(tlp(TlpKind::kTranslationRequest), ++now);
  rules.downstream(tlp(TlpKind::kInvalidateCompletion), ++now);
  expect_only("direction", 5);
}

TEST_F(AtsRulesTest, ItagReused) {
  invalidate(7);
  invalidate(7);
  expect_only("itag_reused");
}

TEST_F(AtsRulesTest, ItagMayBeReusedAfterTimeout) {
  invalidate(7);
  now += 2000;
  invalidate(7);
  expect_clean();
}

TEST_F(AtsRulesTest, ItagRangeAndBody) {
  invalidate(32);
  expect_only("itag_range");
  Tlp t = tlp(TlpKind::kInvalidateRequest);
  t.body = 1U << 4;
  rules.downstream(t, ++now);
  EXPECT_EQ(log.count("invalidate_body"), 1U);
}

TEST_F(AtsRulesTest, CompletionUnexpected) {
  invalidate(1);
  invalidated(1U << 2);
  invalidated(1U << 1);
  invalidated(1U << 1);
  invalidated(0);
  expect_only("completion_unexpected", 3);
}

TEST_F(AtsRulesTest, CompletionsAreCounted) {
  invalidate(1);
  invalidated(1U << 1, 2);
  invalidate(2);  // another ITag meanwhile
  invalidated(1U << 1, 2);
  expect_clean();
  invalidated(1U << 1, 2);
  expect_only("completion_unexpected");
}

TEST_F(AtsRulesTest, CompletionCountOfZeroIsEight) {
  invalidate(0);
  for (int i = 0; i < 8; ++i) invalidated(1, 0);
  rules.finish(++now);
  expect_clean();
}

TEST_F(AtsRulesTest, CompletionCountsDisagree) {
  invalidate(0);
  invalidated(1, 3);
  invalidated(1, 2);
  expect_only("completion_count");
}

TEST_F(AtsRulesTest, PageRequestGroupIsSilent) {
  page_request(9, false);
  page_request(9, false);
  page_request(9, true);
  page_request(8, true);
  response(9);
  response(8, 1);
  page_request(9, true);
  response(9);
  rules.finish(++now);
  expect_clean();
}

TEST_F(AtsRulesTest, PrgIndexReused) {
  page_request(9);
  page_request(9);
  expect_only("prg_index_reused");
}

TEST_F(AtsRulesTest, PrgPasid) {
  page_request(9, false, 5);
  page_request(9, true, 6);
  expect_only("prg_pasid");
}

TEST_F(AtsRulesTest, Credits) {
  for (unsigned i = 0; i < 4; ++i) page_request(i);
  expect_clean();
  response(0);
  page_request(4);
  expect_clean();
  page_request(5);
  expect_only("credits");
}

TEST_F(AtsRulesTest, StopMarkerTakesNeitherCreditNorIndex) {
  for (unsigned i = 0; i < 4; ++i) page_request(i);
  page_request(0, true, 5, false);
  expect_clean();
}

TEST_F(AtsRulesTest, PageRequestKind) {
  page_request(0, true, 5, false, true);
  EXPECT_EQ(log.count("page_request_kind"), 1U);
}

TEST_F(AtsRulesTest, OneResponsePerGroup) {
  page_request(1);
  response(1);
  response(1);
  expect_only("response_unexpected");
}

TEST_F(AtsRulesTest, ResponseBeforeLast) {
  page_request(1, false);
  response(1);
  expect_only("response_early");
  page_request(2, false);
  response(2, 0xF);  // a failure may come early
  expect_only("response_early");
}

TEST_F(AtsRulesTest, ResponseCodeAndPasid) {
  page_request(1);
  response(1, 2);
  expect_only("response_code");
  page_request(1);
  response(1, 0, 6);
  page_request(1);
  response(1, 0, 0);
  EXPECT_EQ(log.count("response_pasid"), 2U);
}

TEST_F(AtsRulesTest, UnansweredAtTheEnd) {
  invalidate(4);
  page_request(1);
  rules.finish(++now);
  EXPECT_EQ(log.count("unanswered_invalidation"), 1U);
  EXPECT_EQ(log.count("unanswered_group"), 1U);
  EXPECT_EQ(log.count(), 2U) << log;
}

}  // namespace
}  // namespace svasim
