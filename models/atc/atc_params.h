// Parameters of a device's address translation cache.
#pragma once

#include "base/params.h"
#include "models/atc/misbehave_params.h"
#include "models/atc/retry_policy.h"
#include "models/formats/ats_messages.h"
#include "models/tlb/tlb_params.h"

namespace svasim {

// Page requests. SPEC: [PRI 5, 6]
struct PageRequestParams {
  bool enable;
  unsigned capacity;
  unsigned allocation;
  unsigned groups;
  unsigned pages_per_group;
  unsigned max_retries;
  Ps retry_delay;
  std::string retry;
  Ps response_timeout;

  // Page requests that may be outstanding.
  unsigned credits() const { return std::min(capacity, allocation); }
};

inline const ParamTable<PageRequestParams>& page_request_params() {
  static const ParamTable<PageRequestParams> table =
      ParamTable<PageRequestParams>("Page request interface of a device")
          .flag("enable", &PageRequestParams::enable, "true",
                "Whether the device asks for pages it has no right to; otherwise the access fails.", "PRI 5")
          .count("capacity", &PageRequestParams::capacity, "512", 1, 1U << 20,
                 "Page requests the device can have outstanding: its Outstanding Page Request Capacity.",
                 "DSA C")
          .count("allocation", &PageRequestParams::allocation, "512", 1, 1U << 20,
                 "Page requests software lets it have outstanding: the Outstanding Page Request Allocation. "
                 "The smaller one of the two counts.",
                 "DSA C")
          .count("groups", &PageRequestParams::groups, "512", 1, kPrgIndices,
                 "Page request groups that may be outstanding, each with an index of its own.", "PRI 6")
          .count("pages_per_group", &PageRequestParams::pages_per_group, "1", 1, 512,
                 "Most pages asked for in one group: faults that wait already, then pages the device will "
                 "use next.",
                 "MODEL")
          .count("max_retries", &PageRequestParams::max_retries, "8", 0, 1000,
                 "How often an access translates again after a Success before it fails.", "MODEL")
          .time("retry_delay", &PageRequestParams::retry_delay, "1 us", "0 ps", "1 s",
                "Wait before the second retry of an access; the first comes at once.", "MODEL")
          .choice("retry", &PageRequestParams::retry, "exponential", retry_policy_names(),
                  "How the wait grows with further retries: doubled (ten times at most), by retry_delay, not "
                  "at all; or no wait.",
                  "MODEL")
          .time("response_timeout", &PageRequestParams::response_timeout, "0 ps", "0 ps", "1000 s",
                "From a page request group leaving to the device giving its accesses up; the group stays "
                "outstanding. 0: never.",
                "MODEL");
  return table;
}

struct AtcParams {
  TlbParams cache;
  unsigned engines;
  unsigned fields;
  unsigned traffic_classes;
  Ps latency;
  Ps invalidation_latency;
  Ps combine_window;
  unsigned accesses;
  unsigned translation_requests;
  unsigned translations;
  bool ats;
  bool read_only_requests;
  bool untranslated_fallback;
  bool plain_invalidation_drops_pasid;
  PageRequestParams page_requests;
  MisbehaveParams misbehave;
};

inline const ParamTable<AtcParams>& atc_params() {
  static const ParamTable<AtcParams> table =
      ParamTable<AtcParams>("Address translation cache of a device, with its ATS and PRI agent")
          .group("cache", &AtcParams::cache, tlb_params(), "The translations it keeps.")
          .count(
              "engines", &AtcParams::engines, "1", 1, 256,
              "Caches of that kind: one for each engine of the device, by engine number modulo this; 1: all "
              "engines share one.",
              "MODEL")
          .count(
              "fields", &AtcParams::fields, "1", 1, 16,
              "Caches of that kind an engine has: one for each address field of a work descriptor, by field "
              "number modulo this; 1: all fields share one. A DSA has 7 fields: source, source 2, "
              "destination, destination 2, completion record, descriptor list and record of a batch.",
              "MODEL; CAL DA: of a DSA, 7 with one entry each")
          .count("traffic_classes", &AtcParams::traffic_classes, "1", 1, 8,
                 "Traffic classes of the device's requests: its engine's number modulo this. An invalidate "
                 "request is completed once in each (CC).",
                 "ATS 4.2")
          .time("latency", &AtcParams::latency, "2 ns", "1 ps", "1 ms",
                "From arrival of an access to the translated request or the translation request, without "
                "queueing.",
                "MODEL")
          .time("invalidation_latency", &AtcParams::invalidation_latency, "20 ns", "1 ps", "1 ms",
                "From arrival of an invalidate request to its completion when nothing has to drain.", "MODEL")
          .time(
              "combine_window", &AtcParams::combine_window, "0 ps", "0 ps", "1 ms",
              "How long an invalidate completion waits for others to leave with it, as one message; 0: none "
              "waits.",
              "ATS 4.2")
          .count("accesses", &AtcParams::accesses, "256", 1, 65536,
                 "Accesses between arrival and response; more wait at the input.", "MODEL")
          .count("translation_requests", &AtcParams::translation_requests, "32", 1, 4096,
                 "ATS translation requests outstanding.", "MODEL")
          .count("translations", &AtcParams::translations, "1", 1, kMaxTranslations,
                 "Translations asked for at a time: the page that missed and those behind it.", "ATS 3")
          .flag("ats", &AtcParams::ats, "true",
                "Whether ATS is enabled from the start; without it accesses go out untranslated.", "ATS 5")
          .flag("read_only_requests", &AtcParams::read_only_requests, "true",
                "Whether translation requests for reads set No Write, which keeps pages clean.", "ATS 3")
          .flag("untranslated_fallback", &AtcParams::untranslated_fallback, "true",
                "Whether accesses go out untranslated when ATS is off; otherwise they fail.", "MODEL")
          .flag("plain_invalidation_drops_pasid", &AtcParams::plain_invalidation_drops_pasid, "false",
                "Whether an invalidate request without PASID drops all translations with PASID as well.",
                "ATS 4.1: sources differ")
          .group("page_requests", &AtcParams::page_requests, page_request_params(), "Page request interface.")
          .group("misbehave", &AtcParams::misbehave, misbehave_params(),
                 "Rules the device breaks, to see who notices.");
  return table;
}

}  // namespace svasim
