// First come, first served.
#pragma once

#include "models/walker/walk_order.h"

namespace svasim {

class FifoOrder final : public WalkOrder {
 public:
  std::size_t next(const std::vector<WaitingWalk>& /*waiting*/) override { return 0; }
};

}  // namespace svasim
