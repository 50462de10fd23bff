// A module to put between a device and its link: passes everything on and checks ATS and PRI.
#pragma once

#include <systemc>

#include "tlm/ats_rules.h"
#include "tlm/delay_queue.h"
#include "tlm/sockets.h"

namespace svasim {

// See AtsRules for the rules. Belongs next to the device: requests are seen when they leave it,
// completions and messages when they arrive there. Changes no time and no order.
class AtsChecker : public sc_core::sc_module, public ProtocolChecker, private FwReceiver, private BwReceiver {
 public:
  explicit AtsChecker(const sc_core::sc_module_name& name, const AtsRuleOptions& options = {});

  TargetSocket<PcieProtocol> upstream_target;          // from the device
  InitiatorSocket<PcieProtocol> upstream_initiator;    // to the link
  TargetSocket<PcieProtocol> downstream_target;        // from the link
  InitiatorSocket<PcieProtocol> downstream_initiator;  // to the device

  const ViolationLog& violations() const override { return log_; }
  void finish() override;
  std::uint64_t observed() const override { return rules_.observed(); }

 private:
  enum Port : unsigned { kUpstream, kDownstream };
  struct Observation {
    bool completion = false;  // of the translation request tlp.key
    Port port = kUpstream;
    AtsRules::Tlp tlp;
    CompletionStatus status = CompletionStatus::kSuccess;
    std::vector<Translation> translations;
  };

  tlm::tlm_sync_enum nb_transport_fw(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override;
  tlm::tlm_sync_enum nb_transport_bw(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override;
  void b_transport(unsigned port, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
  unsigned transport_dbg(unsigned port, tlm::tlm_generic_payload& payload) override;

  void observe(Ps due, const Observation& observation);
  // Presents what is due to the rules, in the order of simulated time.
  void drain(Ps until);
  void present(const Observation& observation, Ps time);

  ViolationLog log_;
  AtsRules rules_;
  DelayQueue<Observation> pending_;
};

}  // namespace svasim
