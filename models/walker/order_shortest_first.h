// The walk with the fewest entries to read.
#pragma once

#include "models/walker/walk_order.h"

namespace svasim {

// Of equally long ones the one that came first.
class ShortestFirstOrder final : public WalkOrder {
 public:
  std::size_t next(const std::vector<WaitingWalk>& waiting) override {
    std::size_t best = 0;
    for (std::size_t i = 1; i < waiting.size(); ++i) {
      if (waiting[i].reads < waiting[best].reads) best = i;
    }
    return best;
  }
};

}  // namespace svasim
