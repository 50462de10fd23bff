// Statistics of a replay: accesses of its devices and the host's own work.
#pragma once

#include <string>

#include "models/traffic/traffic_stats.h"

namespace svasim {

struct LinuxReplayStats {
  AccessStats accesses;
  Counter stores;
  Counter register_accesses;
  Counter status_polls;
  Counter device_invalidations;
  Counter memory_errors;
  Counter queue_errors;
  Histogram invalidation_latency;

  void describe(StatRegistry& registry, const std::string& prefix) const;
};

}  // namespace svasim
