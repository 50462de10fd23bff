// Statistics of a set-associative cache.
#pragma once

#include <string>

#include "base/stats.h"

namespace svasim {

struct TlbStats {
  Counter hits;
  Counter misses;
  Counter fills;
  Counter evictions;
  Counter invalidations;
  Counter clears;

  void describe(StatRegistry& registry, const std::string& prefix) const;
};

}  // namespace svasim
