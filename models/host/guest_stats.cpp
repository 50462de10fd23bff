#include "models/host/guest_stats.h"

namespace svasim {

void GuestStats::describe(StatRegistry& registry, const std::string& prefix) const {
  const auto count = [&](const char* name, const Counter& counter, StatKind kind, const char* text) {
    registry.counter(prefix + "." + name, &counter, StatUnit::kCount, kind, text);
  };
  const auto time = [&](const char* name, const Histogram& histogram, const char* text) {
    registry.histogram(prefix + "." + name, &histogram, StatUnit::kPs, StatKind::kTiming, text);
  };
  constexpr auto kTiming = StatKind::kTiming;
  constexpr auto kInvariant = StatKind::kInvariant;
  count("exits", exits, kTiming, "Times a guest's CPU left for the host: bindings, invalidations, answers.");
  count("binds", binds, kInvariant, "Nested translations installed for guests.");
  count("invalidations", invalidations, kTiming, "Invalidations that guests asked for.");
  count("faults.forwarded", faults_forwarded, kTiming, "Page request groups injected into guests.");
  count(
      "faults.refused", faults_refused, kTiming,
      "Page request groups answered by the host because their guest's queue was full, its PASID was unbound "
      "or the guest had ended.");
  count("faults.unanswered", faults_unanswered, kTiming,
        "Page request groups answered by the host because the guest had not within answer_timeout.");
  count("faults.late", answers_late, kTiming, "Answers of guests to groups that the host had answered.");
  time("faults.latency", fault_latency,
       "From a group leaving the page request queue until the host had the guest's answer.");
  time("invalidation.latency", invalidation_latency,
       "From a guest's request to invalidate until the guest's CPU goes on.");
  count("pages_taken", pages_taken, kInvariant, "Pages of guests taken away by the host.");
  count("pages_given_back", pages_given_back, kInvariant, "Pages given back to guests.");
  count("pages_migrated", pages_migrated, kInvariant, "Pages of guests moved to other host memory.");
  count("destroyed", destroyed, kInvariant, "Guests that were ended from outside.");
}

}  // namespace svasim
