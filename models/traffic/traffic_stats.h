// Statistics of a device's accesses, shared by the devices in this folder.
#pragma once

#include <array>
#include <string>

#include "base/stats.h"
#include "tlm/attribution.h"

namespace svasim {

struct AccessStats {
  Counter reads;
  Counter writes;
  Counter bytes;
  Counter faults;
  Counter wrong_data;
  Histogram latency;
  std::array<Counter, kStages> stage;

  void describe(StatRegistry& registry, const std::string& prefix) const;

  // Accesses that took attribution.total() each from start to end.
  void complete(bool write, std::uint64_t length, const Attribution& attribution, std::uint64_t times = 1) {
    (write ? writes : reads).add(times);
    bytes.add(length * times);
    // WHY the condition: without it the loop is vectorised, and reading in pairs what was just written
    // one by one stalls.
    for (std::size_t i = 0; i < kStages; ++i) {
      if (const Ps part = attribution.parts()[i]; part != 0) {
        stage[i].value += part * times;
      }
    }
    latency.record(attribution.total(), times);
  }
};

}  // namespace svasim
