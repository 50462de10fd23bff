#include "models/walker/walker_stats.h"

namespace svasim {

void WalkerStats::describe(StatRegistry& registry, const std::string& prefix) const {
  const auto count = [&](const char* name, const Counter& counter, const char* text) {
    registry.counter(prefix + "." + name, &counter, StatUnit::kCount, StatKind::kTiming, text);
  };
  count("started", started, "Walks that got a slot.");
  count("finished", finished, "Walks answered.");
  count("faulted", faulted, "Walks answered with a fault.");
  count("reads", reads, "Page-table entries read, from memory or a line.");
  count("updates", updates, "Atomic updates of accessed and dirty bits.");
  count("line_hits", line_hits, "Of the entries read, those in a line the walk had read before.");
  registry.histogram(prefix + ".wait", &wait, StatUnit::kPs, StatKind::kTiming,
                     "From the arrival of a walk to its slot.");
  registry.histogram(prefix + ".duration", &duration, StatUnit::kPs, StatKind::kTiming,
                     "From a walk's slot to its answer leaving the walker.");
  constexpr const char* kClasses[] = {"demand", "page_request", "prefetch"};
  for (std::size_t i = 0; i < kWalkClasses; ++i) {
    const std::string name = prefix + "." + kClasses[i];
    registry.counter(name + ".walks", &by_class[i].walks, StatUnit::kCount, StatKind::kTiming,
                     "Walks of this class that got a slot.");
    registry.histogram(name + ".wait", &by_class[i].wait, StatUnit::kPs, StatKind::kTiming,
                       "From the arrival of a walk of this class to its slot.");
  }
}

}  // namespace svasim
