// Statistics of virtual machines, all of a host together.
#pragma once

#include <string>

#include "base/stats.h"

namespace svasim {

struct GuestStats {
  Counter exits;
  Counter binds;
  Counter invalidations;
  Counter faults_forwarded;
  Counter faults_refused;
  Counter faults_unanswered;
  Counter answers_late;
  Counter pages_taken;
  Counter pages_given_back;
  Counter pages_migrated;
  Counter destroyed;
  Histogram fault_latency;
  Histogram invalidation_latency;

  void describe(StatRegistry& registry, const std::string& prefix) const;
};

}  // namespace svasim
