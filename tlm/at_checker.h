// A module to put between two sockets: passes everything on and checks the transaction protocol.
#pragma once

#include <systemc>
#include <type_traits>

#include "tlm/at_rules.h"
#include "tlm/sockets.h"
#include "tlm/time.h"

namespace svasim {

// Types: tlm_base_protocol_types or PcieProtocol. See AtRules for the rules. Changes no time and no
// order, so it can stay in the path of a measurement.
template <typename Types = tlm::tlm_base_protocol_types>
class AtChecker : public sc_core::sc_module, public ProtocolChecker, private FwReceiver, private BwReceiver {
 public:
  // credits: PCIe requests allowed between BEGIN_REQ and END_REQ; 0: any number.
  explicit AtChecker(const sc_core::sc_module_name& name, unsigned credits = 0)
      : sc_core::sc_module(name),
        target("target", *this, 0),
        initiator("initiator", *this, 0),
        log_(this->name()),
        rules_(std::is_same_v<Types, PcieProtocol> ? AtProtocol::kPcie : AtProtocol::kBase, log_, credits) {}

  TargetSocket<Types> target;        // towards the initiator
  InitiatorSocket<Types> initiator;  // towards the target

  const ViolationLog& violations() const override { return log_; }
  void finish() override { rules_.finish(now_ps()); }
  std::uint64_t observed() const override { return rules_.observed(); }

 private:
  tlm::tlm_sync_enum nb_transport_fw(unsigned /*port*/, tlm::tlm_generic_payload& payload,
                                     tlm::tlm_phase& phase, sc_core::sc_time& delay) override {
    const tlm::tlm_phase sent = phase;
    rules_.forward_call(payload, phase, now_ps() + delay.value(), now_ps());
    const tlm::tlm_sync_enum status = initiator->nb_transport_fw(payload, phase, delay);
    rules_.forward_return(payload, sent, status, phase, now_ps() + delay.value());
    return status;
  }
  tlm::tlm_sync_enum nb_transport_bw(unsigned /*port*/, tlm::tlm_generic_payload& payload,
                                     tlm::tlm_phase& phase, sc_core::sc_time& delay) override {
    const tlm::tlm_phase sent = phase;
    rules_.backward_call(payload, phase, now_ps() + delay.value(), now_ps());
    const tlm::tlm_sync_enum status = target->nb_transport_bw(payload, phase, delay);
    rules_.backward_return(payload, sent, status, phase, now_ps() + delay.value());
    return status;
  }
  void b_transport(unsigned /*port*/, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override {
    const Ps start = now_ps() + delay.value();
    rules_.blocking_call(payload, start);
    initiator->b_transport(payload, delay);
    rules_.blocking_return(payload, start, now_ps() + delay.value());
    payload.set_dmi_allowed(false);  // it has to see every access
  }
  unsigned transport_dbg(unsigned /*port*/, tlm::tlm_generic_payload& payload) override {
    return initiator->transport_dbg(payload);
  }

  ViolationLog log_;
  AtRules rules_;
};

}  // namespace svasim
