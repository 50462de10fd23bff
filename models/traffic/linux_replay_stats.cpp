#include "models/traffic/linux_replay_stats.h"

namespace svasim {

void LinuxReplayStats::describe(StatRegistry& registry, const std::string& prefix) const {
  accesses.describe(registry, prefix);
  const auto count = [&](const char* what, const Counter& counter, StatKind kind, const char* text) {
    registry.counter(prefix + "." + what, &counter, StatUnit::kCount, kind, text);
  };
  count("stores", stores, StatKind::kInvariant, "Stores of the host to tables, status words and the ring.");
  count("register_accesses", register_accesses, StatKind::kTiming, "Register accesses of the host.");
  count("status_polls", status_polls, StatKind::kTiming, "Looks at the status of a wait descriptor.");
  count("device_invalidations", device_invalidations, StatKind::kInvariant,
        "Device-TLB invalidations answered.");
  count("memory_errors", memory_errors, StatKind::kInvariant, "Accesses that memory refused.");
  count("queue_errors", queue_errors, StatKind::kInvariant,
        "Descriptors at which the invalidation queue stopped.");
  registry.histogram(
      prefix + ".invalidation_latency", &invalidation_latency, StatUnit::kPs, StatKind::kTiming,
      "From the write of the queue's tail to the host seeing the status of its wait descriptor.");
}

}  // namespace svasim
