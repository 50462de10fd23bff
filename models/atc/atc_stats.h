// Statistics of a device's address translation cache.
#pragma once

#include <string>

#include "base/stats.h"

namespace svasim {

struct AtcStats {
  Counter accesses;
  Counter hits;
  Counter misses;
  Counter rights_misses;
  Counter held;
  Counter merged;
  Counter translation_requests;
  Counter translations_received;
  Counter stale;
  Counter translation_ur;
  Counter translation_ca;
  Counter translation_malformed;
  Counter no_rights;
  Counter untranslated;
  Counter held_for_order;
  Counter faults;  // answered to the device
  Counter page_groups;
  Counter page_requests;
  Counter responses_success;
  Counter responses_invalid;
  Counter responses_failure;
  Counter responses_unexpected;
  Counter response_timeouts;
  Counter stopped;
  Counter stop_markers;
  Counter retries;
  Counter invalidations;
  Counter invalidations_drained;
  Counter invalidate_completions;
  Counter misbehaved;
  Histogram translation_latency;
  Histogram page_request_latency;
  Histogram invalidation_latency;

  void describe(StatRegistry& registry, const std::string& prefix) const;
};

}  // namespace svasim
