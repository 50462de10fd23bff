// Least recently used.
#pragma once

#include "models/tlb/replacement.h"

namespace svasim {

// Every way carries the number of its last use; the smallest is the victim.
class Lru final : public ReplacementPolicy {
 public:
  Lru(ReplacementShape shape, RngStream& /*rng*/)
      : ways_(shape.ways), used_(std::size_t{shape.sets} * shape.ways, 0) {}

  void touch(unsigned set, unsigned way) override { used_[set * ways_ + way] = ++clock_; }
  void fill(unsigned set, unsigned way) override { touch(set, way); }
  void invalidate(unsigned set, unsigned way) override { used_[set * ways_ + way] = 0; }
  unsigned victim(unsigned set) const override {
    const std::uint64_t* used = &used_[set * ways_];
    unsigned oldest = 0;
    for (unsigned way = 1; way < ways_; ++way) {
      if (used[way] < used[oldest]) {
        oldest = way;
      }
    }
    return oldest;
  }

 private:
  std::size_t ways_;
  std::vector<std::uint64_t> used_;
  std::uint64_t clock_ = 0;
};

}  // namespace svasim
