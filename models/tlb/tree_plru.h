// Tree pseudo-LRU.
#pragma once

#include "models/tlb/replacement.h"

namespace svasim {

// A binary tree over the ways of a set; every node points to the half used less recently.
// For 4 ways, bit 1 is the root and bits 2, 3 its children:
//
//            1
//          /   \          bit clear: the victim is to the left
//         2     3         bit set:   the victim is to the right
//        / \   / \        touching a way makes every node on its path point away from it
//       w0 w1 w2 w3
//
// With a number of ways that is no power of two the tree is that of the next power; a victim that
// does not exist is replaced by the last way that does, as pruned trees in hardware do.
class TreePlru final : public ReplacementPolicy {
 public:
  TreePlru(ReplacementShape shape, RngStream& /*rng*/) : ways_(shape.ways) {
    while ((1U << depth_) < ways_) {
      ++depth_;
    }
    leaves_ = 1U << depth_;
    bits_.assign(std::size_t{shape.sets} * leaves_, 0);
  }

  void touch(unsigned set, unsigned way) override {
    std::uint8_t* bits = &bits_[std::size_t{set} * leaves_];
    unsigned node = 1;
    for (unsigned level = depth_; level-- > 0;) {
      const unsigned right = (way >> level) & 1U;
      bits[node] = right == 0 ? 1 : 0;
      node = 2 * node + right;
    }
  }
  void fill(unsigned set, unsigned way) override { touch(set, way); }
  void invalidate(unsigned set, unsigned way) override {
    std::uint8_t* bits = &bits_[std::size_t{set} * leaves_];
    unsigned node = 1;
    for (unsigned level = depth_; level-- > 0;) {
      const unsigned right = (way >> level) & 1U;
      bits[node] = static_cast<std::uint8_t>(right);
      node = 2 * node + right;
    }
  }
  unsigned victim(unsigned set) const override {
    const std::uint8_t* bits = &bits_[std::size_t{set} * leaves_];
    unsigned node = 1;
    for (unsigned level = 0; level < depth_; ++level) {
      node = 2 * node + bits[node];
    }
    const unsigned way = node - leaves_;
    return way < ways_ ? way : ways_ - 1;
  }

 private:
  unsigned ways_;
  unsigned depth_ = 0;
  unsigned leaves_ = 1;
  std::vector<std::uint8_t> bits_;
};

}  // namespace svasim
