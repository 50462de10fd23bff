// The walks a walker has no slot for yet.
#pragma once

#include <array>
#include <memory>
#include <tlm>
#include <vector>

#include "models/walker/walk_order.h"
#include "models/walker/walker_if.h"
#include "models/walker/walker_params.h"
#include "tlm/delay_queue.h"

namespace svasim {

struct QueuedWalk {
  tlm::tlm_generic_payload* payload = nullptr;
  WalkExtension* extension = nullptr;  // of the payload
  unsigned port = 0;
  Ps arrival = 0;
};

// Walks that have arrived wait for their turn: of those of the best priority the one that the order names.
class WalkQueue {
 public:
  explicit WalkQueue(const WalkerParams& params);

  // In order of arrival and without priorities: who comes first goes first.
  bool plain() const { return order_ == nullptr; }
  bool empty() const { return arrivals_.empty() && waiting_.empty(); }
  std::size_t size() const { return arrivals_.size() + waiting_.size(); }
  // From when on a walk can be taken.
  Ps due() const { return waiting_.empty() ? arrivals_.due() : waiting_.front().arrival; }

  void push(const QueuedWalk& walk) {
    arrivals_.push(walk.arrival, (std::uint64_t{walk.port} << 56U) | walk.extension->request.id, walk);
  }
  // The walk that goes next; due() is not after `now`.
  QueuedWalk take(Ps now) { return plain() ? arrivals_.pop() : choose(now); }

  template <typename Visit>
  void for_each(Visit visit) const {
    for (const QueuedWalk& walk : waiting_) visit(walk);
    for (std::size_t i = 0; i < arrivals_.size(); ++i) visit(arrivals_[i].value);
  }

 private:
  QueuedWalk choose(Ps now);

  std::array<unsigned, kWalkClasses> priority_;
  std::unique_ptr<WalkOrder> order_;  // none: plain
  DelayQueue<QueuedWalk> arrivals_;
  // Of walks that have arrived, by arrival; only where there is an order.
  std::vector<QueuedWalk> waiting_;
  std::vector<WaitingWalk> candidates_;  // of the best priority, and
  std::vector<std::size_t> places_;      // where they wait
};

}  // namespace svasim
