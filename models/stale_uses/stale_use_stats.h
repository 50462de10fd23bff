// Statistics of the stale-use detector.
#pragma once

#include <string>

#include "base/stats.h"

namespace svasim {

// Name of the detector in a simulation.
inline constexpr const char* kStaleUses = "stale_uses";

struct StaleUseStats {
  Counter checked;
  Counter errors;
  // By where the translation came from (walk, IOTLB, ATC); an atomic counts as a write.
  Counter reads[3];
  Counter writes[3];
  Counter pages;
  Counter reused;
  Counter given_away;
  Histogram age;

  void describe(StatRegistry& registry, const std::string& name) const;
};

}  // namespace svasim
