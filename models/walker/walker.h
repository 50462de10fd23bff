// The page-table walker as a TLM model.
#pragma once

#include <deque>
#include <memory>
#include <systemc>
#include <vector>

#include "models/walker/walk_machine.h"
#include "models/walker/walker_if.h"
#include "models/walker/walker_params.h"
#include "models/walker/walker_stats.h"
#include "tlm/compare_swap.h"
#include "tlm/context.h"
#include "tlm/delay_queue.h"
#include "tlm/inspect.h"
#include "tlm/memory_port.h"
#include "tlm/wake.h"

namespace svasim {

// `slots` walks at a time; what does not fit waits in order of arrival. Every step is a real read
// of a page-table entry through the memory socket. A walk costs one wake-up, at its arrival; its
// steps run in the answers of the memory.
class PageTableWalker : public sc_core::sc_module,
                        public Inspectable,
                        private FwReceiver,
                        private MemoryClient {
 public:
  PageTableWalker(sc_core::sc_module_name name, const WalkerParams& params, SimContext& context,
                  unsigned requesters = 1);

  // Sockets of the requesters by number; every one has to be bound.
  TargetSocket<WalkProtocol>& requester(unsigned number) { return *requesters_.at(number); }
  InitiatorSocket<>& memory_socket() { return memory_.socket(); }
  const WalkerStats& stats() const { return stats_; }
  const Wake& wake() const { return wake_; }

  std::uint64_t in_flight() const override;
  void dump_in_flight(std::ostream& out) const override;

 private:
  // A memory access of one slot, reused for all of them.
  class Access : public tlm::tlm_generic_payload {
   public:
    explicit Access(std::uint32_t slot_number) : slot(slot_number) { set_extension(&source); }
    ~Access() override { clear_extension(&source); }
    Access(const Access&) = delete;
    Access& operator=(const Access&) = delete;

    SourceTag source;
    CompareSwap swap;
    std::uint64_t word = 0;
    std::uint32_t slot;
  };
  struct Walk {
    tlm::tlm_generic_payload* payload = nullptr;
    unsigned port = 0;
    Ps arrival = 0;
  };
  struct Slot {
    explicit Slot(std::uint32_t number) : access(number) {}
    Access access;
    WalkMachine machine;
    Walk walk;
    Ps started = 0;
  };

  tlm::tlm_sync_enum nb_transport_fw(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override;
  void b_transport(unsigned port, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
  void memory_response(tlm::tlm_generic_payload& payload, Ps delay) override;

  void run();
  void begin(const Walk& walk, Ps now);
  void advance(Slot& slot, WalkMachine::Need need, Ps when);
  static void prepare(Access& access, const WalkMachine& machine, WalkMachine::Need need);
  static WalkMachine::Need resume(Slot& slot);
  void count(const WalkResult& result);

  WalkerParams params_;
  std::vector<std::unique_ptr<TargetSocket<WalkProtocol>>> requesters_;
  MemoryPort memory_;
  Wake wake_;
  DelayQueue<Walk> arrivals_;
  std::deque<Walk> waiting_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<Slot*> free_;
  WalkerStats stats_;
};

}  // namespace svasim
