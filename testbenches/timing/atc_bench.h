// An ATC between a scripted device and a scripted agent, every socket watched by the checkers.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <systemc>

#include "models/atc/atc.h"
#include "timing/atc_agent.h"
#include "tlm/at_checker.h"
#include "tlm/ats_checker.h"

namespace svasim {

inline const RequesterId kDevice = RequesterId::from_bdf(0x6a, 1, 0);

// An access and what became of it.
struct TestAccess {
  Transaction* transaction = nullptr;
  std::array<unsigned char, 64> data{};
  Ps sent = 0;
  Ps left = 0;           // END_REQ
  Ps end = 0;            // BEGIN_RESP, 0 while it has none
  bool blocked = false;  // answered kWait by b_transport
  AccessOutcome outcome() const { return transaction->pcie.outcome; }
};

class TestDevice : public sc_core::sc_module, private FwReceiver, private BwReceiver {
 public:
  TestDevice(const sc_core::sc_module_name& name, SimContext& context)
      : sc_core::sc_module(name), up("up", *this, 0), down("down", *this, 1), context_(context) {}

  InitiatorSocket<PcieProtocol> up;
  TargetSocket<PcieProtocol> down;

  // PASID 0: without. Leaves 1 ns from now.
  TestAccess& issue(TlpKind kind, unsigned pasid, Addr address, bool no_page_request = false,
                    unsigned length = 64) {
    accesses_.emplace_back();
    TestAccess& access = accesses_.back();
    const bool write = kind == TlpKind::kMemWrite;
    access.transaction = &context_.pool.allocate(write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND,
                                                 address, access.data.data(),
                                                 kind == TlpKind::kTranslationRequest ? 8 : length, now_ps());
    PcieExtension& pcie = access.transaction->pcie;
    pcie.kind = kind;
    pcie.at =
        kind == TlpKind::kTranslationRequest ? AddressType::kTranslationRequest : AddressType::kUntranslated;
    pcie.requester = kDevice;
    pcie.has_pasid = pasid != 0;
    pcie.pasid = Pasid(pasid);
    pcie.no_page_request = no_page_request;
    pcie.id = accesses_.size() - 1;
    access.sent = now_ps() + 1000;
    return access;
  }
  TestAccess& read(unsigned pasid, Addr address, bool no_page_request = false) {
    return send(issue(TlpKind::kMemRead, pasid, address, no_page_request));
  }
  TestAccess& write(unsigned pasid, Addr address, bool no_page_request = false) {
    return send(issue(TlpKind::kMemWrite, pasid, address, no_page_request));
  }
  TestAccess& send(TestAccess& access) {
    sc_core::sc_time delay = to_sc(1000);
    if (context_.loose()) {
      up->b_transport(*access.transaction, delay);
      if (access.outcome() != AccessOutcome::kWait) {
        access.end = now_ps() + delay.value();
        return access;
      }
      access.blocked = true;
      access.transaction->set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
    }
    tlm::tlm_phase phase = tlm::BEGIN_REQ;
    up->nb_transport_fw(*access.transaction, phase, delay);
    return access;
  }
  void release_all() {
    for (TestAccess& access : accesses_) access.transaction->release();
  }
  std::deque<TestAccess>& accesses() { return accesses_; }

 private:
  tlm::tlm_sync_enum nb_transport_bw(unsigned, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override {
    TestAccess& access = accesses_[payload.get_extension<PcieExtension>()->id];
    (phase == tlm::END_REQ ? access.left : access.end) = now_ps() + delay.value();
    return phase == tlm::END_REQ ? tlm::TLM_ACCEPTED : tlm::TLM_COMPLETED;
  }
  tlm::tlm_sync_enum nb_transport_fw(unsigned, tlm::tlm_generic_payload&, tlm::tlm_phase&,
                                     sc_core::sc_time&) override {
    ADD_FAILURE() << "this device has no registers";
    return tlm::TLM_ACCEPTED;
  }
  void b_transport(unsigned, tlm::tlm_generic_payload&, sc_core::sc_time&) override {}

  SimContext& context_;
  std::deque<TestAccess> accesses_;
};

struct AtcBench {
  TransactionPool pool;
  StatRegistry stats;
  SimContext context;
  TestDevice device;
  Atc atc;
  TestAgent agent;
  AtChecker<PcieProtocol> device_checker{"device_checker"};
  AtChecker<PcieProtocol> up_checker{"up_checker"};
  AtChecker<PcieProtocol> down_checker{"down_checker"};
  AtsChecker ats_checker;

  explicit AtcBench(AtcParams params = atc_params().defaults(), Timing timing = Timing::kApproximate,
                    AtsRuleOptions rules = {})
      : context{1, timing, pool, stats},
        device("device", context),
        atc("atc", params, context),
        agent("agent", context),
        ats_checker("ats_checker", rules) {
    device.up.bind(device_checker.target);
    device_checker.initiator.bind(atc.up_in());
    atc.up_out().bind(up_checker.target);
    up_checker.initiator.bind(ats_checker.upstream_target);
    ats_checker.upstream_initiator.bind(agent.up);
    agent.down.bind(ats_checker.downstream_target);
    ats_checker.downstream_initiator.bind(down_checker.target);
    down_checker.initiator.bind(atc.down_in());
    atc.down_out().bind(device.down);
  }

  static void until(Ps time) { sc_core::sc_start(to_sc(time - now_ps())); }

  // Ends a run that left nothing behind.
  void expect_clean() {
    for (ProtocolChecker* checker :
         std::initializer_list<ProtocolChecker*>{&device_checker, &up_checker, &down_checker, &ats_checker}) {
      checker->finish();
      EXPECT_EQ(checker->violations().count(), 0U) << checker->violations();
      EXPECT_TRUE(checker == &down_checker || checker->observed() != 0);
    }
    EXPECT_EQ(atc.in_flight(), 0U);
    for (const TestAccess& access : device.accesses()) {
      EXPECT_NE(access.end, 0U);
      const Attribution& where = access.transaction->pcie.attribution;
      EXPECT_EQ(where.mark(), access.end);
    }
    device.release_all();
    EXPECT_EQ(pool.live(), 0U);
  }
};

}  // namespace svasim
