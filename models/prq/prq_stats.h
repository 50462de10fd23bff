// Statistics of a page request queue.
#pragma once

#include <string>

#include "base/stats.h"

namespace svasim {

struct PrqStats {
  Counter requests;
  Counter queued;
  Counter overflows;
  Counter rejected;
  Counter markers_dropped;
  Counter write_errors;
  Counter events;
  Counter events_held;
  Histogram wait;
  Histogram latency;
  Histogram depth;

  void describe(StatRegistry& registry, const std::string& prefix) const;
};

}  // namespace svasim
