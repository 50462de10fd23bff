// Statistics of a page-table walker.
#pragma once

#include <string>

#include "base/stats.h"

namespace svasim {

struct WalkerStats {
  Counter started;
  Counter finished;
  Counter faulted;
  Counter reads;
  Counter updates;
  Histogram wait;
  Histogram duration;

  void describe(StatRegistry& registry, const std::string& prefix) const;
};

}  // namespace svasim
