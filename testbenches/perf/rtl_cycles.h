// Host cost of a busy clock cycle of the Verilated walker, bare and in a system.
#pragma once

#include <memory>
#include <systemc>

#include "models/formats/x86_first_stage.h"
#include "models/memory/memory.h"
#include "models/rtl/rtl_walker.h"
#include "models/rtl/rtl_walker_core.h"
#include "models/walker/walker_if.h"

namespace svasim::perf {

// Four-level walks one after the other: on the core alone, with entries answered at once, and on the
// walker module with its memory, each walk requested when the one before is answered.
class RtlCycles : public sc_core::sc_module, private BwReceiver {
 public:
  explicit RtlCycles(sc_core::sc_module_name name);

  // Both return the busy cycles they took.
  std::uint64_t run_bare(std::uint64_t walks);
  std::uint64_t run_system(std::uint64_t walks);

 private:
  tlm::tlm_sync_enum nb_transport_bw(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override;
  void send(Ps delay);

  TransactionPool pool_;
  StatRegistry stats_;
  SimContext context_{1, Timing::kApproximate, pool_, stats_};
  PageTableFormat format_ = make_x86_first_stage(4, PageFormatOptions());
  Memory memory_;
  RtlWalker walker_;
  InitiatorSocket<WalkProtocol> socket_;
  RtlWalkerCore core_;
  WalkTransaction walk_;
  std::uint64_t left_ = 0;
  std::uint64_t sent_ = 0;
};

}  // namespace svasim::perf
