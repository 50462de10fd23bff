// No replacement: a cache without room starts anew.
#pragma once

#include "models/tlb/replacement.h"

namespace svasim {

class ClearWhenFull final : public ReplacementPolicy {
 public:
  ClearWhenFull(ReplacementShape /*shape*/, RngStream& /*rng*/) {}

  bool clears() const override { return true; }
  void touch(unsigned /*set*/, unsigned /*way*/) override {}
  void fill(unsigned /*set*/, unsigned /*way*/) override {}
  void invalidate(unsigned /*set*/, unsigned /*way*/) override {}
  // The way the fill takes when everything is gone.
  unsigned victim(unsigned /*set*/) const override { return 0; }
};

}  // namespace svasim
