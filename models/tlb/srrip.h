// Static re-reference interval prediction with hit priority.
#pragma once

#include <algorithm>

#include "models/tlb/replacement.h"

namespace svasim {

// Every way predicts in two bits how far away its next use is: 0 near, 3 distant. A fill predicts
// "long", 2, so that a page used once leaves before one that was used again; a hit predicts 0. The
// victim is the first way at 3; where there is none, all ways age until there is one.
// WHY these constants: they are those of SRRIP-HP with M = 2.
class Srrip final : public ReplacementPolicy {
 public:
  static constexpr std::uint8_t kDistant = 3;
  static constexpr std::uint8_t kLong = 2;

  Srrip(ReplacementShape shape, RngStream& /*rng*/)
      : ways_(shape.ways), value_(std::size_t{shape.sets} * shape.ways, kDistant) {}

  void touch(unsigned set, unsigned way) override { value_[set * ways_ + way] = 0; }
  // The ageing that made this way the victim becomes real; filling an empty way ages nobody.
  void fill(unsigned set, unsigned way) override {
    std::uint8_t* values = &value_[set * ways_];
    const auto years = static_cast<std::uint8_t>(kDistant - *std::max_element(values, values + ways_));
    std::for_each(values, values + ways_, [years](std::uint8_t& v) { v = std::uint8_t(v + years); });
    values[way] = kLong;
  }
  void invalidate(unsigned set, unsigned way) override { value_[set * ways_ + way] = kDistant; }
  unsigned victim(unsigned set) const override {
    const std::uint8_t* values = &value_[set * ways_];
    return static_cast<unsigned>(std::max_element(values, values + ways_) - values);
  }

 private:
  std::size_t ways_;
  std::vector<std::uint8_t> value_;
};

}  // namespace svasim
