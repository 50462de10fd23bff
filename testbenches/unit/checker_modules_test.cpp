// The checker modules between real sockets: they pass everything on unchanged and see what a model
// does wrong, in the order of simulated time.
#include <gtest/gtest.h>

#include <deque>

#include "models/formats/ats_messages.h"
#include "tlm/at_checker.h"
#include "tlm/ats_checker.h"
#include "tlm/transaction.h"

namespace svasim {
namespace {

constexpr RequesterId kDevice = RequesterId::from_bdf(1, 0, 0);

// Both ends of an ATS link, driven by the test: every call arrives where it should or is counted.
template <typename Types>
class End : public sc_core::sc_module, private FwReceiver, private BwReceiver {
 public:
  explicit End(const sc_core::sc_module_name& name)
      : sc_core::sc_module(name), target("target", *this, 0), initiator("initiator", *this, 0) {}

  TargetSocket<Types> target;
  InitiatorSocket<Types> initiator;
  unsigned requests = 0;
  unsigned responses = 0;
  unsigned blocking = 0;
  unsigned debug = 0;
  tlm::tlm_sync_enum answer = tlm::TLM_ACCEPTED;

  void send(Transaction& t, Ps delay) {
    tlm::tlm_phase phase = tlm::BEGIN_REQ;
    sc_core::sc_time time = to_sc(delay);
    initiator->nb_transport_fw(t, phase, time);
  }
  void respond(Transaction& t, Ps delay) {
    tlm::tlm_phase phase = tlm::BEGIN_RESP;
    sc_core::sc_time time = to_sc(delay);
    t.set_response_status(tlm::TLM_OK_RESPONSE);
    target->nb_transport_bw(t, phase, time);
  }

 private:
  tlm::tlm_sync_enum nb_transport_fw(unsigned, tlm::tlm_generic_payload& payload, tlm::tlm_phase&,
                                     sc_core::sc_time&) override {
    ++requests;
    if (answer == tlm::TLM_COMPLETED) payload.set_response_status(tlm::TLM_OK_RESPONSE);
    return answer;
  }
  tlm::tlm_sync_enum nb_transport_bw(unsigned, tlm::tlm_generic_payload&, tlm::tlm_phase&,
                                     sc_core::sc_time&) override {
    ++responses;
    return tlm::TLM_COMPLETED;
  }
  void b_transport(unsigned, tlm::tlm_generic_payload& payload, sc_core::sc_time&) override {
    ++blocking;
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
  }
  unsigned transport_dbg(unsigned, tlm::tlm_generic_payload&) override {
    ++debug;
    return 7;
  }
};

struct Pool {
  TransactionPool pool;
  unsigned char data[64] = {};
  std::deque<Transaction*> made;
  ~Pool() {
    for (Transaction* t : made) t->release();
    EXPECT_EQ(pool.live(), 0U);
  }
  Transaction& make(TlpKind kind, Addr address = 0x1000) {
    const bool write = kind == TlpKind::kMemWrite || kind == TlpKind::kInvalidateRequest;
    Transaction& t =
        pool.allocate(write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND, address, data, 8, now_ps());
    t.pcie.kind = kind;
    t.pcie.requester = kDevice;
    made.push_back(&t);
    return t;
  }
};

TEST(AtCheckerModule, PassesEverythingOn) {
  Pool p;
  End<tlm::tlm_base_protocol_types> a("a");
  End<tlm::tlm_base_protocol_types> b("b");
  AtChecker<> checker("checker");
  AtChecker<> other("other");
  a.initiator.bind(checker.target);
  checker.initiator.bind(b.target);
  b.initiator.bind(other.target);
  other.initiator.bind(a.target);
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  Transaction& t = p.make(TlpKind::kMemRead);
  a.send(t, 5);
  EXPECT_EQ(b.requests, 1U);
  b.respond(t, 5);
  EXPECT_EQ(a.responses, 1U);
  Transaction& u = p.make(TlpKind::kMemRead);
  sc_core::sc_time delay;
  a.initiator->b_transport(u, delay);
  EXPECT_EQ(b.blocking, 1U);
  EXPECT_EQ(a.initiator->transport_dbg(u), 7U);
  EXPECT_EQ(b.debug, 1U);
  checker.finish();
  EXPECT_EQ(checker.violations().count(), 0U) << checker.violations();
  EXPECT_EQ(checker.observed(), 2U);
  EXPECT_EQ(checker.violations().checker(), "checker");
}

TEST(AtCheckerModule, SeesASecondAnswer) {
  Pool p;
  End<PcieProtocol> a("a");
  End<PcieProtocol> b("b");
  AtChecker<PcieProtocol> checker("checker");
  a.initiator.bind(checker.target);
  checker.initiator.bind(b.target);
  AtChecker<PcieProtocol> other("other");
  b.initiator.bind(other.target);
  other.initiator.bind(a.target);
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  Transaction& t = p.make(TlpKind::kMemRead);
  a.send(t, 5);
  b.respond(t, 5);
  b.respond(t, 6);
  EXPECT_EQ(a.responses, 2U);
  EXPECT_EQ(checker.violations().count("phase_order"), 1U);
  EXPECT_EQ(checker.violations().count(), 1U) << checker.violations();
}

struct AtsBench : Pool {
  AtsBench() {
    device.initiator.bind(checker.upstream_target);
    checker.upstream_initiator.bind(root.target);
    root.initiator.bind(checker.downstream_target);
    checker.downstream_initiator.bind(device.target);
    sc_core::sc_start(sc_core::SC_ZERO_TIME);
  }
  void translate(Addr iova, Addr hpa, Ps request, Ps response) {
    Transaction& t = make(TlpKind::kTranslationRequest, iova);
    t.pcie.at = AddressType::kTranslationRequest;
    device.send(t, request);
    t.pcie.translation.address = hpa;
    t.pcie.translation.page_shift = 12;
    t.pcie.translation.read = true;
    t.pcie.translation.write = true;
    root.respond(t, response);
  }
  void invalidate(Addr iova, Ps arrival) {
    Transaction& t = make(TlpKind::kInvalidateRequest);
    t.pcie.body = make_invalidate_request_body(encode_range(iova, 12), false);
    root.send(t, arrival);
  }
  void complete_invalidation(Ps departure) {
    Transaction& t = make(TlpKind::kInvalidateCompletion);
    t.pcie.itag_vector = 1;
    device.send(t, departure);
  }
  void read(Addr hpa, Ps departure) {
    Transaction& t = make(TlpKind::kMemRead, hpa);
    t.pcie.at = AddressType::kTranslated;
    device.send(t, departure);
  }
  End<PcieProtocol> device{"device"};
  End<PcieProtocol> root{"root"};
  AtsChecker checker{"checker"};
};

TEST(AtsCheckerModule, OrdersWhatItSeesByTimeNotByCalls) {
  AtsBench b;
  // Called in this order, but the read leaves before the completion does.
  b.translate(0x5000, 0x9000, 1, 10);
  b.invalidate(0x5000, 20);
  b.complete_invalidation(40);
  b.read(0x9000, 30);
  b.checker.finish();
  EXPECT_EQ(b.checker.violations().count(), 0U) << b.checker.violations();
  EXPECT_EQ(b.checker.observed(), 4U);
}

TEST(AtsCheckerModule, SeesUseAfterInvalidation) {
  AtsBench b;
  b.read(0x9000, 50);
  b.complete_invalidation(40);
  b.invalidate(0x5000, 20);
  b.translate(0x5000, 0x9000, 1, 10);
  b.checker.finish();
  EXPECT_EQ(b.checker.violations().count("translated_unknown"), 1U) << b.checker.violations();
  EXPECT_EQ(b.checker.violations().count(), 1U);
  EXPECT_EQ(b.checker.violations().violations().front().time, 50U);
}

TEST(AtsCheckerModule, TheSameInstantIsNoViolation) {
  AtsBench b;
  b.translate(0x5000, 0x9000, 1, 10);
  b.invalidate(0x5000, 20);
  b.complete_invalidation(30);
  b.read(0x9000, 30);
  b.checker.finish();
  EXPECT_EQ(b.checker.violations().count(), 0U) << b.checker.violations();
}

TEST(AtsCheckerModule, LooseTimingCountsInTheOrderOfCalls) {
  AtsBench b;
  Transaction& t = b.make(TlpKind::kTranslationRequest, 0x5000);
  t.pcie.at = AddressType::kTranslationRequest;
  t.pcie.translation.address = 0x9000;
  t.pcie.translation.page_shift = 12;
  t.pcie.translation.read = true;
  sc_core::sc_time delay = to_sc(1000);
  b.device.initiator->b_transport(t, delay);
  Transaction& read = b.make(TlpKind::kMemRead, 0x9000);
  read.pcie.at = AddressType::kTranslated;
  sc_core::sc_time later = to_sc(2000);
  b.device.initiator->b_transport(read, later);
  EXPECT_EQ(b.checker.violations().count(), 0U) << b.checker.violations();
  Transaction& write = b.make(TlpKind::kMemWrite, 0x9000);
  write.pcie.at = AddressType::kTranslated;
  b.device.initiator->b_transport(write, later);
  EXPECT_EQ(b.checker.violations().count("translated_unknown"), 1U);
}

}  // namespace
}  // namespace svasim
