// Proves that no translation is used after the invalidation that removes it was reported complete.
#pragma once

#include <array>
#include <cstdint>

#include "models/iommu/invalidation_scope.h"

namespace svasim {

// Invalidations are numbered as they take effect. A translation remembers how many had taken effect
// when its walk began; using it is wrong when one of those that came later covers it and software
// has been told that it is complete. This is a check beside the caches, not the way they work.
class StaleCheck {
 public:
  // Number of invalidations that have taken effect.
  std::uint64_t count() const { return count_; }
  void executed(const InvalidationScope& scope) { recent_[count_++ % kRecent] = scope; }
  // A wait descriptor that stood behind the first `count` invalidations completed.
  void completed(std::uint64_t count) { completed_ = std::max(completed_, count); }

  // Whether match() holds for any that took effect when count() was `born` or more. True when that
  // is too long ago to know.
  template <typename Match>
  bool any_since(std::uint64_t born, Match match) const {
    if (count_ - born > kRecent) {
      return true;
    }
    for (std::uint64_t number = born; number < count_; ++number) {
      if (match(recent_[number % kRecent])) {
        return true;
      }
    }
    return false;
  }

  // `born` is count() when the walk of the translation began; it is advanced past what was checked, unless
  // something was found: every use is one too many.
  bool stale(std::uint64_t& born, SpaceTag tag, Addr page, unsigned shift) const {
    if (born >= completed_) {
      return false;
    }
    // MODEL: only the last kRecent invalidations are checked.
    std::uint64_t number = completed_ - born > kRecent ? completed_ - kRecent : born;
    if (count_ - number > kRecent) {
      number = count_ - kRecent;
    }
    bool found = false;
    for (; number < completed_; ++number) {
      found = found || recent_[number % kRecent].covers(tag, page, shift);
    }
    born = found ? born : completed_;
    return found;
  }

 private:
  static constexpr std::uint64_t kRecent = 256;
  std::array<InvalidationScope, kRecent> recent_{};
  std::uint64_t count_ = 0;
  std::uint64_t completed_ = 0;
};

}  // namespace svasim
