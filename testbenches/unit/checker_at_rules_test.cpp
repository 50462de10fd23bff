// Each rule of the transaction protocols fires on a sequence that breaks it, and on nothing else.
#include <gtest/gtest.h>

#include "tlm/at_rules.h"
#include "tlm/transaction.h"

namespace svasim {
namespace {

constexpr tlm::tlm_phase_enum kNone = tlm::UNINITIALIZED_PHASE;

class AtRulesTest : public testing::Test {
 protected:
  Transaction& make(tlm::tlm_command command = tlm::TLM_READ_COMMAND, Addr address = 0x1000) {
    Transaction& t = pool.allocate(command, address, data, sizeof data, 0);
    made.push_back(&t);
    return t;
  }
  void TearDown() override {
    for (Transaction* t : made) t->release();
  }

  void fw(AtRules& rules, Transaction& t, tlm::tlm_phase_enum phase, Ps time,
          tlm::tlm_sync_enum answer = tlm::TLM_ACCEPTED, tlm::tlm_phase_enum answer_phase = kNone) {
    rules.forward_call(t, phase, time, time - delay);
    if (answer != tlm::TLM_ACCEPTED && phase == tlm::BEGIN_REQ &&
        (answer == tlm::TLM_COMPLETED || answer_phase == tlm::BEGIN_RESP)) {
      t.set_response_status(tlm::TLM_OK_RESPONSE);
    }
    rules.forward_return(t, phase, answer, answer == tlm::TLM_UPDATED ? answer_phase : phase, time);
  }
  void bw(AtRules& rules, Transaction& t, tlm::tlm_phase_enum phase, Ps time,
          tlm::tlm_sync_enum answer = tlm::TLM_ACCEPTED, tlm::tlm_phase_enum answer_phase = kNone) {
    if (phase == tlm::BEGIN_RESP && set_status) t.set_response_status(tlm::TLM_OK_RESPONSE);
    rules.backward_call(t, phase, time, time - delay);
    rules.backward_return(t, phase, answer, answer == tlm::TLM_UPDATED ? answer_phase : phase, time);
  }
  void expect_only(const char* rule, std::uint64_t count = 1) const {
    EXPECT_EQ(log.count(rule), count) << rule;
    EXPECT_EQ(log.count(), count) << log;
  }

  TransactionPool pool;
  std::vector<Transaction*> made;
  unsigned char data[64] = {};
  Ps delay = 1;
  bool set_status = true;
  ViolationLog log{"checker"};
  AtRules base{AtProtocol::kBase, log};
  AtRules pcie{AtProtocol::kPcie, log, 2};
};

TEST_F(AtRulesTest, FourPhasesAreLegal) {
  Transaction& t = make();
  fw(base, t, tlm::BEGIN_REQ, 10);
  bw(base, t, tlm::END_REQ, 20);
  bw(base, t, tlm::BEGIN_RESP, 30);
  fw(base, t, tlm::END_RESP, 40);
  base.finish(50);
  EXPECT_EQ(log.count(), 0U) << log;
  EXPECT_EQ(base.observed(), 1U);
}

TEST_F(AtRulesTest, ShortcutsAreLegal) {
  Transaction& t = make();
  fw(base, t, tlm::BEGIN_REQ, 10, tlm::TLM_COMPLETED);
  t.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  fw(base, t, tlm::BEGIN_REQ, 20, tlm::TLM_UPDATED, tlm::END_REQ);
  bw(base, t, tlm::BEGIN_RESP, 30, tlm::TLM_COMPLETED);
  t.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  fw(base, t, tlm::BEGIN_REQ, 40, tlm::TLM_UPDATED, tlm::BEGIN_RESP);
  fw(base, t, tlm::END_RESP, 50);
  t.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  fw(base, t, tlm::BEGIN_REQ, 60);
  bw(base, t, tlm::BEGIN_RESP, 70, tlm::TLM_UPDATED, tlm::END_RESP);
  base.finish(80);
  EXPECT_EQ(log.count(), 0U) << log;
}

TEST_F(AtRulesTest, RequestExclusion) {
  fw(base, make(), tlm::BEGIN_REQ, 10);
  fw(base, make(), tlm::BEGIN_REQ, 20);
  expect_only("request_exclusion");
}

TEST_F(AtRulesTest, PcieCredits) {
  fw(pcie, make(), tlm::BEGIN_REQ, 10);
  fw(pcie, make(), tlm::BEGIN_REQ, 10);
  EXPECT_EQ(log.count(), 0U) << log;
  fw(pcie, make(), tlm::BEGIN_REQ, 10);
  expect_only("request_exclusion");
}

TEST_F(AtRulesTest, PcieCreditComesBackWithEndOfRequest) {
  Transaction& first = make();
  fw(pcie, first, tlm::BEGIN_REQ, 10);
  fw(pcie, make(), tlm::BEGIN_REQ, 10);
  bw(pcie, first, tlm::END_REQ, 20);
  fw(pcie, make(), tlm::BEGIN_REQ, 30);
  EXPECT_EQ(log.count(), 0U) << log;
}

TEST_F(AtRulesTest, ResponseExclusion) {
  Transaction& a = make();
  Transaction& b = make();
  fw(base, a, tlm::BEGIN_REQ, 10, tlm::TLM_UPDATED, tlm::END_REQ);
  fw(base, b, tlm::BEGIN_REQ, 20, tlm::TLM_UPDATED, tlm::END_REQ);
  bw(base, a, tlm::BEGIN_RESP, 30);
  bw(base, b, tlm::BEGIN_RESP, 40);
  expect_only("response_exclusion");
}

TEST_F(AtRulesTest, PhaseOrder) {
  Transaction& t = make();
  bw(base, t, tlm::END_REQ, 10);
  bw(base, t, tlm::BEGIN_RESP, 10);
  fw(base, t, tlm::END_RESP, 10);
  expect_only("phase_order", 3);
}

TEST_F(AtRulesTest, AnsweredTwice) {
  Transaction& t = make();
  fw(pcie, t, tlm::BEGIN_REQ, 10);
  bw(pcie, t, tlm::BEGIN_RESP, 20, tlm::TLM_COMPLETED);
  EXPECT_EQ(log.count(), 0U) << log;
  bw(pcie, t, tlm::BEGIN_RESP, 30, tlm::TLM_COMPLETED);
  expect_only("phase_order");
}

TEST_F(AtRulesTest, PhaseDirection) {
  Transaction& t = make();
  fw(base, t, tlm::BEGIN_RESP, 10);
  bw(base, t, tlm::BEGIN_REQ, 10);
  fw(pcie, t, tlm::END_RESP, 10);
  expect_only("phase_direction", 3);
}

TEST_F(AtRulesTest, PayloadReused) {
  Transaction& t = make();
  fw(base, t, tlm::BEGIN_REQ, 10, tlm::TLM_UPDATED, tlm::END_REQ);
  fw(base, t, tlm::BEGIN_REQ, 20);
  expect_only("payload_reused");
}

TEST_F(AtRulesTest, PayloadMayBeReusedInsideItsResponse) {
  Transaction& t = make();
  fw(base, t, tlm::BEGIN_REQ, 10, tlm::TLM_UPDATED, tlm::END_REQ);
  t.set_response_status(tlm::TLM_OK_RESPONSE);
  base.backward_call(t, tlm::BEGIN_RESP, 20, 20);
  t.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  fw(base, t, tlm::BEGIN_REQ, 30, tlm::TLM_UPDATED, tlm::END_REQ);
  base.backward_return(t, tlm::BEGIN_RESP, tlm::TLM_COMPLETED, tlm::BEGIN_RESP, 20);
  EXPECT_EQ(base.in_flight(), 1U);
  bw(base, t, tlm::BEGIN_RESP, 40, tlm::TLM_COMPLETED);
  base.finish(50);
  EXPECT_EQ(log.count(), 0U) << log;
}

TEST_F(AtRulesTest, ReturnValues) {
  fw(pcie, make(), tlm::BEGIN_REQ, 10, tlm::TLM_UPDATED, tlm::END_REQ);  // PCIe has no shortcuts
  fw(base, make(), tlm::BEGIN_REQ, 10, tlm::TLM_UPDATED, tlm::END_RESP);
  expect_only("return_value", 2);
}

TEST_F(AtRulesTest, PcieResponseMustBeTakenAtOnce) {
  Transaction& t = make();
  fw(pcie, t, tlm::BEGIN_REQ, 10);
  bw(pcie, t, tlm::BEGIN_RESP, 20, tlm::TLM_ACCEPTED);
  expect_only("return_value");
}

TEST_F(AtRulesTest, TimeDoesNotRunBackwards) {
  Transaction& t = make();
  fw(base, t, tlm::BEGIN_REQ, 100);
  bw(base, t, tlm::END_REQ, 99);
  expect_only("timing");
}

TEST_F(AtRulesTest, PcieMessagesHaveADelay) {
  delay = 0;
  Transaction& t = make();
  fw(base, t, tlm::BEGIN_REQ, 100);
  EXPECT_EQ(log.count(), 0U) << log;
  Transaction& u = make();
  fw(pcie, u, tlm::BEGIN_REQ, 100);
  expect_only("timing");
}

TEST_F(AtRulesTest, Reference) {
  tlm::tlm_generic_payload foreign;
  foreign.set_command(tlm::TLM_READ_COMMAND);
  foreign.set_data_ptr(data);
  foreign.set_data_length(4);
  foreign.set_streaming_width(4);
  base.forward_call(foreign, tlm::BEGIN_REQ, 10, 10);
  expect_only("reference");
}

TEST_F(AtRulesTest, Attributes) {
  Transaction& a = make();
  a.set_data_ptr(nullptr);
  fw(base, a, tlm::BEGIN_REQ, 10, tlm::TLM_COMPLETED);
  Transaction& b = make();
  b.set_data_length(0);
  fw(base, b, tlm::BEGIN_REQ, 20, tlm::TLM_COMPLETED);
  Transaction& c = make();
  c.set_streaming_width(0);
  fw(base, c, tlm::BEGIN_REQ, 30, tlm::TLM_COMPLETED);
  Transaction& d = make();
  d.set_dmi_allowed(true);
  fw(base, d, tlm::BEGIN_REQ, 40, tlm::TLM_COMPLETED);
  Transaction& e = make();
  e.set_byte_enable_ptr(data);
  fw(base, e, tlm::BEGIN_REQ, 50, tlm::TLM_COMPLETED);
  expect_only("attributes", 5);
}

TEST_F(AtRulesTest, PcieCommand) {
  Transaction& t = make(tlm::TLM_WRITE_COMMAND);
  t.pcie.kind = TlpKind::kMemRead;
  fw(pcie, t, tlm::BEGIN_REQ, 10);
  expect_only("command");
}

TEST_F(AtRulesTest, InitialStatus) {
  Transaction& t = make();
  t.set_response_status(tlm::TLM_OK_RESPONSE);
  fw(base, t, tlm::BEGIN_REQ, 10);
  expect_only("initial_status");
}

TEST_F(AtRulesTest, ResponseStatus) {
  set_status = false;
  Transaction& t = make();
  fw(base, t, tlm::BEGIN_REQ, 10);
  bw(base, t, tlm::BEGIN_RESP, 20, tlm::TLM_COMPLETED);
  expect_only("response_status");
}

TEST_F(AtRulesTest, AddressChangedOnBaseProtocolOnly) {
  Transaction& a = make();
  fw(base, a, tlm::BEGIN_REQ, 10);
  a.set_address(0x2000);
  bw(base, a, tlm::BEGIN_RESP, 20, tlm::TLM_COMPLETED);
  expect_only("changed");
  Transaction& b = make();
  fw(pcie, b, tlm::BEGIN_REQ, 10);
  b.set_address(0x2000);  // the IOMMU's translation
  bw(pcie, b, tlm::BEGIN_RESP, 20, tlm::TLM_COMPLETED);
  expect_only("changed");
}

TEST_F(AtRulesTest, PcieRequestFieldChanged) {
  Transaction& t = make();
  t.pcie.has_pasid = true;
  t.pcie.pasid = Pasid(5);
  fw(pcie, t, tlm::BEGIN_REQ, 10);
  t.pcie.pasid = Pasid(6);
  bw(pcie, t, tlm::BEGIN_RESP, 20, tlm::TLM_COMPLETED);
  expect_only("changed");
}

TEST_F(AtRulesTest, OutcomeFieldsMayChange) {
  Transaction& t = make();
  fw(pcie, t, tlm::BEGIN_REQ, 10);
  t.pcie.status = CompletionStatus::kUnsupportedRequest;
  t.pcie.slot = 7;
  t.pcie.translation.address = 0x7000;
  bw(pcie, t, tlm::BEGIN_RESP, 20, tlm::TLM_COMPLETED);
  EXPECT_EQ(log.count(), 0U) << log;
}

TEST_F(AtRulesTest, WriteData) {
  Transaction& t = make(tlm::TLM_WRITE_COMMAND);
  fw(base, t, tlm::BEGIN_REQ, 10);
  data[63] ^= 1;
  bw(base, t, tlm::BEGIN_RESP, 20, tlm::TLM_COMPLETED);
  expect_only("write_data");
}

TEST_F(AtRulesTest, PcieExtension) {
  tlm::tlm_generic_payload foreign(&pool);
  foreign.set_command(tlm::TLM_READ_COMMAND);
  foreign.set_data_ptr(data);
  foreign.set_data_length(4);
  foreign.set_streaming_width(4);
  foreign.acquire();
  pcie.forward_call(foreign, tlm::BEGIN_REQ, 11, 10);
  expect_only("extension");
}

TEST_F(AtRulesTest, Unanswered) {
  fw(base, make(), tlm::BEGIN_REQ, 10);
  fw(pcie, make(), tlm::BEGIN_REQ, 10);
  base.finish(20);
  pcie.finish(20);
  expect_only("unanswered", 2);
}

TEST_F(AtRulesTest, BlockingTransport) {
  Transaction& good = make();
  base.blocking_call(good, 10);
  good.set_response_status(tlm::TLM_OK_RESPONSE);
  base.blocking_return(good, 10, 20);
  EXPECT_EQ(log.count(), 0U) << log;
  Transaction& bad = make();
  base.blocking_call(bad, 10);
  bad.set_address(0);
  base.blocking_return(bad, 10, 9);
  EXPECT_EQ(log.count("timing"), 1U);
  EXPECT_EQ(log.count("changed"), 1U);
  EXPECT_EQ(log.count("response_status"), 1U);
  EXPECT_EQ(log.count(), 3U) << log;
}

TEST(ViolationLogTest, CountsBeyondWhatItDescribes) {
  ViolationLog log("c");
  for (int i = 0; i < 1000; ++i) log.add(1, "rule", "text");
  EXPECT_EQ(log.count(), 1000U);
  EXPECT_EQ(log.count("rule"), 1000U);
  EXPECT_EQ(log.count("other"), 0U);
  EXPECT_EQ(log.violations().size(), ViolationLog::kMaxDescribed);
}

}  // namespace
}  // namespace svasim
