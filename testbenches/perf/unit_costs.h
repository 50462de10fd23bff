// The two units of speed: E, one timed self-wake of an SC_METHOD, and L, one bare b_transport call
// that adds a delay.
#pragma once

#include <systemc>

#include "tlm/sockets.h"
#include "tlm/transaction.h"

namespace svasim::perf {

// Wakes itself every ns until it has done so `count` times.
class SelfWake : public sc_core::sc_module {
 public:
  explicit SelfWake(sc_core::sc_module_name name);
  void run(std::uint64_t count);

 private:
  void wake();
  sc_core::sc_event event_;
  std::uint64_t left_ = 0;
};

// A target whose b_transport only adds a delay, and an initiator that calls it.
class BareCall : public sc_core::sc_module, private FwReceiver, private BwReceiver {
 public:
  explicit BareCall(sc_core::sc_module_name name);
  // Calls `count` times; returns the delays' sum, which nobody may optimise away.
  Ps run(std::uint64_t count);

 private:
  tlm::tlm_sync_enum nb_transport_fw(unsigned, tlm::tlm_generic_payload&, tlm::tlm_phase&,
                                     sc_core::sc_time&) override {
    return tlm::TLM_COMPLETED;
  }
  void b_transport(unsigned port, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
  tlm::tlm_sync_enum nb_transport_bw(unsigned, tlm::tlm_generic_payload&, tlm::tlm_phase&,
                                     sc_core::sc_time&) override {
    return tlm::TLM_COMPLETED;
  }
  InitiatorSocket<> out_;
  TargetSocket<> in_;
  TransactionPool pool_;
};

}  // namespace svasim::perf
