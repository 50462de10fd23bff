#include "models/iommu/iommu_stats.h"

namespace svasim {

void IommuStats::describe(StatRegistry& registry, const std::string& prefix) const {
  const auto count = [&](const char* name, const Counter& counter, StatKind kind, const char* text) {
    registry.counter(prefix + "." + name, &counter, StatUnit::kCount, kind, text);
  };
  const auto time = [&](const char* name, const Histogram& histogram, const char* text) {
    registry.histogram(prefix + "." + name, &histogram, StatUnit::kPs, StatKind::kTiming, text);
  };
  using K = StatKind;
  count("untranslated", untranslated, K::kTiming, "Untranslated memory requests looked up.");
  count("translation_requests", translation_requests, K::kTiming, "ATS translation requests looked up.");
  count("translated", translated, K::kTiming, "Translated memory requests looked up.");
  count("translated_refused", translated_refused, K::kTiming,
        "Translated memory requests to pages their device holds no translation for (check_translated).");
  count("page_requests", page_requests, K::kTiming, "Page request messages received.");
  count("invalidate_completions", invalidate_completions, K::kTiming, "Invalidate completions received.");
  count("interrupts", interrupts, K::kTiming, "Untranslated writes to the interrupt address range.");
  count("completed", completed, K::kTiming, "Requests answered without a fault.");
  count("faulted", faulted, K::kTiming, "Requests that met a fault.");
  count("rejected", rejected, K::kTiming,
        "Requests answered Unsupported Request without a fault: ATS while off, malformed.");
  count("faults_recorded", faults_recorded, K::kTiming, "Faults written to a fault record.");
  count("faults_dropped", faults_dropped, K::kTiming, "Faults that found no free record.");
  registry.counter(prefix + ".bytes", &bytes, StatUnit::kBytes, K::kTiming,
                   "Data of memory requests forwarded to memory.");
  count("rewalks", rewalks, K::kTiming, "IOTLB hits walked again for more rights or the dirty bit.");
  count("merged_walks", merged_walks, K::kTiming, "Requests that waited for a walk already under way.");
  count("walks_started", walks_started, K::kTiming, "Walks sent to the walker.");
  count("walks_finished", walks_finished, K::kTiming, "Walks answered by the walker.");
  count("stale_walks", stale_walks, K::kTiming,
        "Walks whose result no cache kept because an invalidation overtook them.");
  count("prefetch_walks", prefetch_walks, K::kTiming, "Walks started for a page behind one that missed.");
  count(
      "prefetch_neighbours", prefetch_neighbours, K::kTiming,
      "Pages behind one that missed whose entry stood in the line of its walk, so that no walk was started.");
  count("prefetches_dropped", prefetches_dropped, K::kTiming,
        "Of both, those that met a fault, no rights, or bits to set, and were dropped.");
  count("prefetches_used", prefetches_used, K::kTiming, "First uses of IOTLB entries fetched ahead.");
  count("structure_fetches", structure_fetches, K::kTiming, "Context and PASID entries fetched.");
  count("structure_reads", structure_reads, K::kTiming,
        "Memory reads of root, context and PASID structures.");
  count("merged_fetches", merged_fetches, K::kTiming, "Requests that waited for a fetch already under way.");
  count("descriptors", descriptors, K::kTiming, "Invalidation descriptors executed.");
  count("cache_invalidations", cache_invalidations, K::kTiming,
        "Context, PASID and IOTLB invalidation descriptors executed.");
  count("device_invalidations", device_invalidations, K::kTiming, "Invalidate requests sent to devices.");
  count("waits", waits, K::kTiming, "Wait descriptors completed.");
  count("group_responses", group_responses, K::kTiming, "PRG responses sent for descriptors.");
  count("auto_responses", auto_responses, K::kTiming,
        "PRG responses sent by the hardware itself, for faults and overflow.");
  count("queue_errors", queue_errors, K::kTiming, "IQE, ICE and ITE errors set.");
  count("stale_uses", stale_uses, K::kInvariant,
        "Uses of a translation after the invalidation that covers it was reported complete; always 0.");
  time("queue_wait", queue_wait, "Arrival at the IOMMU to the start of the look-up, and waiting for a slot.");
  time("walk_latency", walk_latency, "IOTLB miss to the walk's result, waiting for a walk included.");
  time("fetch_latency", fetch_latency, "Context or PASID cache miss to the entry, waiting included.");
  time("drain_latency", drain_latency, "Wait descriptor executed to its completion.");
  time("device_latency", device_latency, "Invalidate request sent to its last completion.");
}

}  // namespace svasim
