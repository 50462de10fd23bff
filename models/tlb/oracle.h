// Replacement that knows the future: a bound for every other policy.
#pragma once

#include "models/tlb/replacement.h"

namespace svasim {

// Evicts the page whose next use is farthest away (Belady's MIN). Without a future, and among pages
// never used again, the one used longest ago.
class Oracle final : public ReplacementPolicy {
 public:
  Oracle(ReplacementShape shape, RngStream& /*rng*/)
      : ways_(shape.ways), way_(std::size_t{shape.sets} * shape.ways) {}

  void set_future(const FutureUses* future) override { future_ = future; }
  void name(unsigned set, unsigned way, const PageName& page) override { at(set, way).page = page; }
  void touch(unsigned set, unsigned way) override {
    Way& w = at(set, way);
    w.used = ++clock_;
    w.next = next_use(w.page);
  }
  void fill(unsigned set, unsigned way) override { touch(set, way); }
  void invalidate(unsigned set, unsigned way) override { at(set, way).used = 0; }
  unsigned victim(unsigned set) const override {
    unsigned best = 0;
    std::uint64_t farthest = 0;
    for (unsigned i = 0; i < ways_; ++i) {
      const Way& w = way_[set * ways_ + i];
      // What was expected has not come; ask again.
      const bool passed = future_ != nullptr && w.next <= future_->now();
      const std::uint64_t next = passed ? next_use(w.page) : w.next;
      if (i == 0 || next > farthest || (next == farthest && w.used < way_[set * ways_ + best].used)) {
        best = i;
        farthest = next;
      }
    }
    return best;
  }

 private:
  struct Way {
    PageName page;
    std::uint64_t used = 0;
    std::uint64_t next = FutureUses::kNever;
  };
  Way& at(unsigned set, unsigned way) { return way_[set * ways_ + way]; }
  std::uint64_t next_use(const PageName& page) const {
    return future_ == nullptr ? FutureUses::kNever : future_->next_use(page);
  }

  std::size_t ways_;
  std::vector<Way> way_;
  std::uint64_t clock_ = 0;
  const FutureUses* future_ = nullptr;
};

}  // namespace svasim
