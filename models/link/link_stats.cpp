#include "models/link/link_stats.h"

namespace svasim {

void LinkStats::describe(StatRegistry& registry, const std::string& prefix) const {
  const auto count = [&](const char* name, const Counter& counter, StatUnit unit, const char* text) {
    registry.counter(prefix + "." + name, &counter, unit, StatKind::kTiming, text);
  };
  count("up_packets", up_packets, StatUnit::kCount,
        "Requests sent by the device, and answers to accesses of it.");
  count("up_bytes", up_bytes, StatUnit::kBytes, "Bytes on the wire towards the root, overhead included.");
  count("down_packets", down_packets, StatUnit::kCount,
        "Completions, messages and accesses sent to the device.");
  count("down_bytes", down_bytes, StatUnit::kBytes,
        "Bytes on the wire towards the device, overhead included.");
  count("credit_stalls", credit_stalls, StatUnit::kCount,
        "Requests that had to wait for a flow-control credit.");
  registry.histogram(prefix + ".credit_wait", &credit_wait, StatUnit::kPs, StatKind::kTiming,
                     "How long they waited.");
}

}  // namespace svasim
