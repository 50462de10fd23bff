// What software asked to be invalidated and how far that has come. Kept only while somebody watches uses.
#pragma once

#include <cstdint>
#include <deque>

#include "models/iommu/invalidation_operation.h"
#include "tlm/translation_monitor.h"

namespace svasim {

// Written down from the descriptors, beside the caches: it does not know what was done about them.
class InvalidationHistory {
 public:
  // A descriptor lies in the queue.
  void queued(const InvalidationOperation& operation, Ps now) { waiting_.push_back({operation, now}); }
  // The queue starts anew: what has not been executed never will.
  void restart() { waiting_.clear(); }
  // The operation at the head was executed; `arrived`: how many invalidations had taken effect before it.
  void executed(const InvalidationOperation& operation, std::uint64_t arrived, Ps now);
  // The same without the queue, of a command of the registers.
  void commanded(const InvalidationOperation& operation, std::uint64_t arrived, Ps now);

  // Number of invalidations executed so far, and that all of the first `count` are complete.
  std::uint64_t count() const { return first_ + executed_.size(); }
  void completed(std::uint64_t count, Ps now);

  CoveringInvalidation covering(const TranslationUse& use) const;

 private:
  struct Item {
    InvalidationOperation operation;
    Ps queued = 0;
    Ps executed = kNever;
    Ps done = kNever;
    std::uint64_t arrived = 0;
  };
  static bool covers(const Item& item, const TranslationUse& use);
  void keep(const Item& item);

  // MODEL: an invalidation further back is forgotten; a use that only it forbids counts as exposed.
  static constexpr std::size_t kRemembered = 4096;
  std::deque<Item> waiting_;   // queued, not executed
  std::deque<Item> executed_;  // the last ones
  std::uint64_t first_ = 0;    // number of executed_.front()
  std::uint64_t completed_ = 0;
};

}  // namespace svasim
