// Statistics of a device's address translation cache.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/stats.h"

namespace svasim {

// What a page fault of an access is made of, in order; DESIGN: where its time went.
enum class FaultPart : std::uint8_t {
  kMiss,          // until the device knows that the page is missing: look-up, translation request
  kCredits,       // until its page request is sent
  kRequest,       // until that is in the queue in memory
  kEvent,         // until the driver takes it out: interrupt, wake-up, the requests before it
  kHandlerQueue,  // until a handler takes it
  kService,       // until the handler has decided
  kResponse,      // until the response is at the device
  kRetry,         // until the device has its translation
  kRejected,      // tries before, whose page requests did not get into the queue, and their pauses
  kCount
};
inline constexpr std::size_t kFaultParts = static_cast<std::size_t>(FaultPart::kCount);
const char* fault_part_name(FaultPart part);

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
  // Accesses that waited for a page and got it. The parts sum to the latency.
  Histogram page_fault_latency;
  std::array<Counter, kFaultParts> page_fault_parts;

  void describe(StatRegistry& registry, const std::string& prefix) const;
};

}  // namespace svasim
