// The page-table walker as a TLM model.
#pragma once

#include <algorithm>
#include <memory>
#include <systemc>
#include <vector>

#include "models/walker/entry_access.h"
#include "models/walker/page_walk.h"
#include "models/walker/walk_observer.h"
#include "models/walker/walker_base.h"
#include "models/walker/walker_params.h"
#include "models/walker/walker_stats.h"
#include "tlm/context.h"
#include "tlm/delay_queue.h"
#include "tlm/inspect.h"
#include "tlm/memory_port.h"
#include "tlm/wake.h"

namespace svasim {

// `slots` walks at a time; what does not fit waits in order of arrival. Every step is a real read
// of a page-table entry through the memory socket. A walk costs one wake-up, at its beginning, or none when
// nobody else can ask for the slot; its steps run in the answers of the memory.
class PageTableWalker : public Walker, private FwReceiver, private MemoryClient {
 public:
  PageTableWalker(sc_core::sc_module_name name, const WalkerParams& params, SimContext& context,
                  unsigned requesters = 1);

  TargetSocket<WalkProtocol>& requester(unsigned number) override { return *requesters_.at(number); }
  InitiatorSocket<>& memory_socket() override { return memory_.socket(); }
  const WalkerStats& stats() const override { return stats_; }
  const Wake& wake() const override { return wake_; }
  // Before the first walk; nullptr for none.
  void set_observer(WalkObserver* observer) { observer_ = observer; }

  std::uint64_t in_flight() const override;
  void dump_in_flight(std::ostream& out) const override;

 private:
  struct Walk {
    tlm::tlm_generic_payload* payload = nullptr;
    WalkExtension* extension = nullptr;  // of the payload
    unsigned port = 0;
    Ps arrival = 0;
  };
  struct Slot {
    explicit Slot(std::uint32_t number) : access(number) {}
    EntryAccess access;
    PageWalk machine;
    Walk walk;
    Ps started = 0;
    Ps left = 0;  // the access under way
  };

  tlm::tlm_sync_enum nb_transport_fw(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override;
  void b_transport(unsigned port, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
  void memory_response(tlm::tlm_generic_payload& payload, Ps delay) override;

  void run();
  // When the first walk begins, as far as known.
  Ps next_begin() const { return std::max(arrivals_.due(), free_.due()); }
  void begin(const Walk& walk, Ps now);
  void advance(Slot& slot, WalkMachine::Need need, Ps when);
  static void prepare(EntryAccess& access, const PageWalk& machine, WalkMachine::Need need);
  static WalkMachine::Need resume(Slot& slot);
  void tell(const Slot& slot, Ps answered);
  void count(const WalkResult& result);

  WalkerParams params_;
  std::vector<std::unique_ptr<TargetSocket<WalkProtocol>>> requesters_;
  MemoryPort memory_;
  Wake wake_;
  DelayQueue<Walk> arrivals_;
  std::vector<std::unique_ptr<Slot>> slots_;
  DelayQueue<Slot*> free_;  // from the time at which they are free
  WalkerStats stats_;
  WalkObserver* observer_ = nullptr;
};

}  // namespace svasim
