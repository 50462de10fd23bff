#include "models/traffic/traffic_stats.h"

namespace svasim {

void AccessStats::describe(StatRegistry& registry, const std::string& prefix) const {
  const auto count = [&](const char* name, const Counter& counter, StatUnit unit, const char* text) {
    registry.counter(prefix + "." + name, &counter, unit, StatKind::kInvariant, text);
  };
  count("reads", reads, StatUnit::kCount, "Reads completed, with or without a fault.");
  count("writes", writes, StatUnit::kCount, "Writes completed, with or without a fault.");
  count("bytes", bytes, StatUnit::kBytes, "Bytes of the accesses completed.");
  count("faults", faults, StatUnit::kCount,
        "Accesses that ended with Unsupported Request or Completer Abort.");
  count("wrong_data", wrong_data, StatUnit::kCount, "Reads whose data was not what it had to be.");
  registry.rate(prefix + ".throughput", &bytes, StatUnit::kBytesPerSecond,
                "Bytes completed per simulated second.");
  registry.histogram(prefix + ".latency", &latency, StatUnit::kPs, StatKind::kTiming,
                     "From an access leaving the device to its completion there.");
  for (std::size_t i = 0; i < kStages; ++i) {
    registry.counter(prefix + ".attribution." + stage_name(static_cast<Stage>(i)), &stage[i], StatUnit::kPs,
                     StatKind::kTiming, "Time of all completed accesses that went to this stage.");
  }
}

}  // namespace svasim
