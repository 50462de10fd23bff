// The Verilated page-table walker behind the walker interface.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "models/rtl/rtl_walker_core.h"
#include "models/walker/entry_access.h"
#include "models/walker/walker_base.h"
#include "models/walker/walker_params.h"
#include "tlm/context.h"
#include "tlm/delay_queue.h"
#include "tlm/memory_port.h"

namespace svasim {

// One walk at a time, in the order (arrival, requester, number). Clock edges lie at the multiples of
// the clock period; the walker is clocked only while it has something to do: a burst of edges runs
// within one wake-up, up to the edge that hands something over, and edges during which it only
// waits for memory are counted and left out. What arrives at the time of an edge is seen by it.
class RtlWalker : public Walker, private FwReceiver, private MemoryClient {
 public:
  // waves_file: FST file to write; empty for none.
  RtlWalker(sc_core::sc_module_name name, const WalkerParams& params, SimContext& context,
            unsigned requesters = 1, const std::string& waves_file = "");

  TargetSocket<WalkProtocol>& requester(unsigned number) override { return *requesters_.at(number); }
  InitiatorSocket<>& memory_socket() override { return memory_.socket(); }
  const WalkerStats& stats() const override { return stats_; }
  const Wake& wake() const override { return wake_; }
  const RtlWalkerCore& core() const { return core_; }

  std::uint64_t in_flight() const override;
  void dump_in_flight(std::ostream& out) const override;

 private:
  struct Walk {
    tlm::tlm_generic_payload* payload = nullptr;
    unsigned port = 0;
    Ps arrival = 0;
  };

  tlm::tlm_sync_enum nb_transport_fw(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override;
  void b_transport(unsigned port, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
  void memory_response(tlm::tlm_generic_payload& payload, Ps delay) override;

  void run();
  Ps edge_from(Ps time) const { return (time + period_ - 1) / period_ * period_; }
  // Puts a walk at the pins; the edge at `edge` takes it.
  void take(const Walk& walk, Ps edge);
  // Clocks from `edge` on until the walker hands over an access, which is prepared, or its result:
  // then true. Leaves `edge_` at that edge.
  bool clock(Ps edge);
  // Gives the walker the answer that was there at `when`; returns the edge that sees it.
  Ps answer(Ps when);
  // The same for walks that go on in the background.
  void begin(const Walk& walk);
  void advance(Ps edge);
  void finish(WalkExtension& extension);

  Ps period_;
  std::vector<std::unique_ptr<TargetSocket<WalkProtocol>>> requesters_;
  MemoryPort memory_;
  Wake wake_;
  DelayQueue<Walk> arrivals_;
  std::deque<Walk> waiting_;
  RtlWalkerCore core_;
  EntryAccess access_{0};
  Walk walk_;         // under way; no payload: none
  Ps taken_ = 0;      // edge that took it
  Ps edge_ = 0;       // latest edge clocked
  Ps free_from_ = 0;  // first edge that can take a walk
  WalkerStats stats_;
};

}  // namespace svasim
