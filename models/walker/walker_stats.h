// Statistics of a page-table walker.
#pragma once

#include <string>

#include "base/stats.h"
#include "models/walker/walker_if.h"

namespace svasim {

struct WalkerStats {
  Counter started;
  Counter finished;
  Counter faulted;
  Counter reads;
  Counter updates;
  Counter line_hits;
  Histogram wait;
  Histogram duration;
  struct Class {
    Counter walks;
    Histogram wait;
  };
  std::array<Class, kWalkClasses> by_class;

  // A walk got its slot.
  void begin(WalkClass walk_class, Ps waited) {
    started.add();
    wait.record(waited);
    Class& its = by_class[static_cast<std::size_t>(walk_class)];
    its.walks.add();
    its.wait.record(waited);
  }
  void describe(StatRegistry& registry, const std::string& prefix) const;
};

}  // namespace svasim
