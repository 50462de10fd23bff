// Devices take turns.
#pragma once

#include "models/walker/walk_order.h"

namespace svasim {

// The turn goes to the next higher device that waits, and after the highest to the lowest again; of one
// device the walk that came first. A walk waits for at most one walk of every other device once its own
// device's earlier ones are served.
class RoundRobinOrder final : public WalkOrder {
 public:
  std::size_t next(const std::vector<WaitingWalk>& waiting) override {
    std::size_t best = 0;
    for (std::size_t i = 1; i < waiting.size(); ++i) {
      if (distance(waiting[i].device) < distance(waiting[best].device)) best = i;
    }
    last_ = waiting[best].device;
    return best;
  }

 private:
  // From the device served last upwards; its own turn is the farthest away.
  std::uint64_t distance(std::uint64_t device) const { return device - last_ - 1; }

  std::uint64_t last_ = ~std::uint64_t{0};
};

}  // namespace svasim
