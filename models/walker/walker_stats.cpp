#include "models/walker/walker_stats.h"

namespace svasim {

void WalkerStats::describe(StatRegistry& registry, const std::string& prefix) const {
  const auto count = [&](const char* name, const Counter& counter, const char* text) {
    registry.counter(prefix + "." + name, &counter, StatUnit::kCount, StatKind::kTiming, text);
  };
  count("started", started, "Walks that got a slot.");
  count("finished", finished, "Walks answered.");
  count("faulted", faulted, "Walks answered with a fault.");
  count("reads", reads, "Page-table entries read.");
  count("updates", updates, "Atomic updates of accessed and dirty bits.");
  registry.histogram(prefix + ".wait", &wait, StatUnit::kPs, StatKind::kTiming,
                     "From the arrival of a walk to its slot.");
  registry.histogram(prefix + ".duration", &duration, StatUnit::kPs, StatKind::kTiming,
                     "From a walk's slot to its answer leaving the walker.");
}

}  // namespace svasim
