#include "models/atc/atc_stats.h"

namespace svasim {

const char* fault_part_name(FaultPart part) {
  static constexpr const char* kNames[kFaultParts] = {
      "miss", "credits", "request", "event", "handler_queue", "service", "response", "retry", "rejected"};
  return kNames[static_cast<std::size_t>(part)];
}

void AtcStats::describe(StatRegistry& registry, const std::string& prefix) const {
  const auto count = [&](const char* name, const Counter& counter, StatKind kind, const char* text) {
    registry.counter(prefix + "." + name, &counter, StatUnit::kCount, kind, text);
  };
  const auto latency = [&](const char* name, const Histogram& histogram, const char* text) {
    registry.histogram(prefix + "." + name, &histogram, StatUnit::kPs, StatKind::kTiming, text);
  };
  constexpr StatKind kTiming = StatKind::kTiming;
  count("accesses", accesses, StatKind::kInvariant,
        "Reads, writes and translation requests of the device, at arrival.");
  count("hits", hits, kTiming, "First look-ups that found a translation with the needed rights.");
  count("misses", misses, kTiming, "First look-ups that found no translation.");
  count("rights_misses", rights_misses, kTiming,
        "First look-ups that found a translation without the needed rights.");
  count("held", held, kTiming,
        "Accesses by a translation that their work descriptor holds, without a look-up.");
  registry.ratio(prefix + ".hit_rate", {&hits}, {&hits, &misses, &rights_misses}, kTiming,
                 "Hits per first look-up.");
  count("merged", merged, kTiming, "Accesses that joined an outstanding translation request for their page.");
  count("translation_requests", translation_requests, kTiming, "ATS translation requests sent.");
  count("translations_received", translations_received, kTiming,
        "Entries of successful translation completions.");
  count("stale", stale, kTiming, "Translations received and dropped as an invalidation had overtaken them.");
  count("translation_ur", translation_ur, kTiming,
        "Translation completions with Unsupported Request: ATS goes off.");
  count("translation_ca", translation_ca, kTiming, "Translation completions with Completer Abort.");
  count("translation_malformed", translation_malformed, kTiming,
        "Translation completions with a status no translation request may have (CRS).");
  count("no_rights", no_rights, kTiming, "Accesses whose translation completion lacked the needed rights.");
  count("untranslated", untranslated, kTiming,
        "Accesses sent untranslated: ATS off, interrupts, U set by the agent.");
  count("held_for_order", held_for_order, kTiming, "Translated writes that waited for an earlier write.");
  count("faults", faults, kTiming, "Accesses answered to the device with a fault.");
  count("page_groups", page_groups, kTiming, "Page request groups sent.");
  count("page_requests", page_requests, kTiming, "Page request messages sent.");
  count("responses_success", responses_success, kTiming, "Page group responses with Success.");
  count("responses_invalid", responses_invalid, kTiming, "Page group responses with Invalid Request.");
  count("responses_failure", responses_failure, kTiming,
        "Page group responses with Response Failure: PRI goes off.");
  count("responses_unexpected", responses_unexpected, kTiming,
        "Page group responses with an index not outstanding.");
  count("response_timeouts", response_timeouts, kTiming,
        "Page request groups given up because no response came in time.");
  count("stopped", stopped, kTiming, "Accesses that ended because their PASID was stopped.");
  count("stop_markers", stop_markers, kTiming, "Stop markers sent.");
  count("retries", retries, kTiming, "Translations tried again after a page group response with Success.");
  count("invalidations", invalidations, kTiming, "Invalidate requests received.");
  count("invalidations_drained", invalidations_drained, kTiming,
        "Invalidate requests that waited for outstanding reads.");
  count("invalidate_completions", invalidate_completions, kTiming, "Invalidate completion messages sent.");
  count("misbehaved", misbehaved, kTiming, "Rules broken as configured (misbehave).");
  latency("translation_latency", translation_latency,
          "Translation request until its completion, at the completion.");
  latency("page_request_latency", page_request_latency, "First wish for a page until the group's response.");
  latency("invalidation_latency", invalidation_latency,
          "Invalidate request's arrival until its completion is sent.");
  latency("page_fault.latency", page_fault_latency,
          "Access's arrival until its translation, of accesses that waited for a page and got it.");
  static constexpr const char* kSentences[kFaultParts] = {
      "Part of it until the device knew that the page was missing.",
      "Part of it until the page request was sent: credits, a free group.",
      "Part of it until the page request was in the queue in memory.",
      "Part of it until the driver took it out of the queue: interrupt, wake-up, requests before it.",
      "Part of it until a handler took it.",
      "Part of it until the handler had decided.",
      "Part of it until the response was at the device.",
      "Part of it until the device had the translation.",
      "Part of it spent on tries whose page requests did not get into the queue, and on pauses behind them."};
  for (std::size_t i = 0; i < kFaultParts; ++i) {
    registry.counter(prefix + ".page_fault." + fault_part_name(static_cast<FaultPart>(i)),
                     &page_fault_parts[i], StatUnit::kPs, kTiming, kSentences[i]);
  }
}

}  // namespace svasim
