// Statistics of the IOMMU front end.
#pragma once

#include <string>

#include "base/stats.h"

namespace svasim {

struct IommuStats {
  // By what they are.
  Counter untranslated;
  Counter translation_requests;
  Counter translated;
  Counter translated_refused;
  Counter page_requests;
  Counter invalidate_completions;
  Counter interrupts;

  Counter completed;
  Counter faulted;
  Counter rejected;
  Counter faults_recorded;
  Counter faults_dropped;
  Counter bytes;

  Counter rewalks;
  Counter merged_walks;
  Counter walks_started;
  Counter walks_finished;
  Counter stale_walks;
  Counter prefetch_walks;
  Counter prefetch_neighbours;
  Counter prefetches_dropped;
  Counter prefetches_used;
  Counter structure_fetches;
  Counter structure_reads;
  Counter merged_fetches;

  Counter descriptors;
  Counter cache_invalidations;
  Counter device_invalidations;
  Counter waits;
  Counter group_responses;
  Counter auto_responses;
  Counter queue_errors;
  Counter stale_uses;

  Histogram queue_wait;      // input buffer and slots
  Histogram walk_latency;    // miss to result, waiting included
  Histogram fetch_latency;   // structure fetch, waiting included
  Histogram drain_latency;   // wait descriptor executed to completed
  Histogram device_latency;  // device-TLB invalidation sent to completed

  void describe(StatRegistry& registry, const std::string& prefix) const;
};

}  // namespace svasim
