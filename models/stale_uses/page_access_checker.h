// A module to put in front of a memory: nobody may reach a page that is free.
#pragma once

#include <systemc>

#include "models/stale_uses/page_life.h"
#include "tlm/delay_queue.h"
#include "tlm/protocol_checker.h"
#include "tlm/sockets.h"
#include "tlm/wake.h"

namespace svasim {

// Looks at each access of devices and IOMMUs when it arrives at the memory: data, page tables, structures and
// queues. Changes no time and no order. Debug accesses are the CPUs' and are not looked at.
//
// | rule      | broken by                                       |
// |-----------|-------------------------------------------------|
// | page_free | a read or write of a page that nobody has        |
class PageAccessChecker : public sc_core::sc_module,
                          public ProtocolChecker,
                          private FwReceiver,
                          private BwReceiver {
 public:
  PageAccessChecker(const sc_core::sc_module_name& name, PageLife life);

  TargetSocket<> target;
  InitiatorSocket<> initiator;

  const ViolationLog& violations() const override { return log_; }
  void finish() override {}
  std::uint64_t observed() const override { return observed_; }

 private:
  struct Arrival {
    Addr address = 0;
    bool write = false;
  };

  tlm::tlm_sync_enum nb_transport_fw(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override;
  tlm::tlm_sync_enum nb_transport_bw(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override;
  void b_transport(unsigned port, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
  unsigned transport_dbg(unsigned port, tlm::tlm_generic_payload& payload) override;

  void arrived();
  void look(const Arrival& arrival, Ps time);

  PageLife life_;
  Wake wake_;
  DelayQueue<Arrival> arrivals_;
  std::uint64_t observed_ = 0;
  ViolationLog log_;
};

}  // namespace svasim
