// The page-table walker as a TLM model.
#pragma once

#include <algorithm>
#include <memory>
#include <systemc>
#include <vector>

#include "models/walker/entry_access.h"
#include "models/walker/page_walk.h"
#include "models/walker/walk_observer.h"
#include "models/walker/walk_queue.h"
#include "models/walker/walker_base.h"
#include "models/walker/walker_params.h"
#include "models/walker/walker_stats.h"
#include "tlm/context.h"
#include "tlm/inspect.h"
#include "tlm/memory_port.h"
#include "tlm/wake.h"

namespace svasim {

// `slots` walks at a time; what does not fit waits in the queue. Every step is a real read of a page-table
// entry, or of the line it lies in, through the memory socket. A walk costs one wake-up, at its beginning, or
// none when nobody else can ask for the slot; its steps run in the answers of the memory.
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
  using Need = PageWalk::Need;
  struct Slot {
    Slot(std::uint32_t number, const WalkerParams& params)
        : access(number, params.read_bytes != sizeof(std::uint64_t)), lines(params.line_buffer_entries) {}
    EntryAccess access;
    LineBuffer lines;
    PageWalk machine;
    QueuedWalk walk;
    Ps started = 0;
    Ps left = 0;  // the access under way
  };

  tlm::tlm_sync_enum nb_transport_fw(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override;
  void b_transport(unsigned port, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
  void memory_response(tlm::tlm_generic_payload& payload, Ps delay) override;

  void run();
  // When the first walk begins, as far as known.
  Ps next_begin() const { return std::max(queue_.due(), free_.due()); }
  void begin(const QueuedWalk& walk, Ps now);
  // Puts a walk into a slot.
  void occupy(Slot& slot, const QueuedWalk& walk, Ps when);
  // One step of logic, and what it leads to; `when` it begins.
  void advance(Slot& slot, Need need, Ps when);
  // Does what the walk needs at `leave`; its last entry was there at `when`.
  void act(Slot& slot, Need need, Ps when, Ps leave);
  // Whether the entry wanted is in a line of this walk; then `need` is what comes after it.
  bool in_line(Slot& slot, Need& need, Ps when);
  static void prepare(Slot& slot, Need need);
  // After the answer, which was there at `when`.
  Need resume(Slot& slot, Ps when);
  void ask(Slot& slot, Ps leave);
  static void tell_tables(Slot& slot);
  void tell(const Slot& slot, bool update, bool ok, std::uint64_t value, Ps answered);
  void finish(Slot& slot, Ps leave);

  WalkerParams params_;
  std::vector<std::unique_ptr<TargetSocket<WalkProtocol>>> requesters_;
  MemoryPort memory_;
  Wake wake_;
  WalkQueue queue_;
  const bool buffered_;  // walks keep lines
  std::vector<std::unique_ptr<Slot>> slots_;
  DelayQueue<Slot*> free_;  // from the time at which they are free
  WalkerStats stats_;
  WalkObserver* observer_ = nullptr;
};

}  // namespace svasim
