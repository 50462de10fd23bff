// First in, first out.
#pragma once

#include "models/tlb/replacement.h"

namespace svasim {

// Every way carries the number of its fill; use does not change it.
class Fifo final : public ReplacementPolicy {
 public:
  Fifo(ReplacementShape shape, RngStream& /*rng*/)
      : ways_(shape.ways), filled_(std::size_t{shape.sets} * shape.ways, 0) {}

  void touch(unsigned /*set*/, unsigned /*way*/) override {}
  void fill(unsigned set, unsigned way) override { filled_[set * ways_ + way] = ++clock_; }
  void invalidate(unsigned set, unsigned way) override { filled_[set * ways_ + way] = 0; }
  unsigned victim(unsigned set) const override {
    const std::uint64_t* filled = &filled_[set * ways_];
    unsigned oldest = 0;
    for (unsigned way = 1; way < ways_; ++way) {
      if (filled[way] < filled[oldest]) {
        oldest = way;
      }
    }
    return oldest;
  }

 private:
  std::size_t ways_;
  std::vector<std::uint64_t> filled_;
  std::uint64_t clock_ = 0;
};

}  // namespace svasim
