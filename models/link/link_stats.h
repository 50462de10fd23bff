// Statistics of a PCIe link.
#pragma once

#include <string>

#include "base/stats.h"

namespace svasim {

struct LinkStats {
  Counter up_packets;
  Counter up_bytes;
  Counter down_packets;
  Counter down_bytes;
  Counter credit_stalls;
  Histogram credit_wait;

  void describe(StatRegistry& registry, const std::string& prefix) const;
};

}  // namespace svasim
