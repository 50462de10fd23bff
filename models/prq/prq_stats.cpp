#include "models/prq/prq_stats.h"

namespace svasim {

void PrqStats::describe(StatRegistry& registry, const std::string& prefix) const {
  const auto count = [&](const char* name, const Counter& counter, const char* text) {
    registry.counter(prefix + "." + name, &counter, StatUnit::kCount, StatKind::kTiming, text);
  };
  count("requests", requests, "Page requests that arrived, stop markers included.");
  count("queued", queued, "Page requests whose descriptor became visible in memory.");
  count("overflows", overflows,
        "Times PRO was set: a page request met a full queue, or a descriptor write failed.");
  count("rejected", rejected, "Page requests not queued because of overflow.");
  count("markers_dropped", markers_dropped, "Stop markers dropped because of overflow.");
  count("write_errors", write_errors, "Descriptor writes memory answered with an error.");
  count("events", events, "Interrupt messages sent.");
  count("events_held", events_held, "Page request events that found their interrupt masked.");
  registry.histogram(prefix + ".wait", &wait, StatUnit::kPs, StatKind::kTiming,
                     "From arrival of a page request to its turn.");
  registry.histogram(prefix + ".latency", &latency, StatUnit::kPs, StatKind::kTiming,
                     "From arrival of a page request to its descriptor visible in memory.");
  registry.histogram(prefix + ".depth", &depth, StatUnit::kCount, StatKind::kTiming,
                     "Descriptors in the queue that software has not taken, at each new one.");
}

}  // namespace svasim
