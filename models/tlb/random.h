// Random replacement.
#pragma once

#include "models/tlb/replacement.h"

namespace svasim {

// The victim of a set is drawn when the previous one was filled, so that victim() has no effect.
class RandomReplacement final : public ReplacementPolicy {
 public:
  RandomReplacement(ReplacementShape shape, RngStream& rng) : ways_(shape.ways), rng_(rng) { draw(); }

  void touch(unsigned /*set*/, unsigned /*way*/) override {}
  void fill(unsigned /*set*/, unsigned /*way*/) override { draw(); }
  void invalidate(unsigned /*set*/, unsigned /*way*/) override {}
  unsigned victim(unsigned /*set*/) const override { return next_; }

 private:
  void draw() { next_ = static_cast<unsigned>(rng_.below(ways_)); }

  unsigned ways_;
  RngStream& rng_;
  unsigned next_ = 0;
};

}  // namespace svasim
