// Parameters of a device's address translation cache.
#pragma once

#include "base/params.h"
#include "models/formats/ats_messages.h"
#include "models/tlb/tlb_params.h"

namespace svasim {

// Page requests. SPEC: [PRI 5, 6]
struct PageRequestParams {
  bool enable;
  unsigned allocation;
  unsigned groups;
  unsigned pages_per_group;
  unsigned max_retries;
  Ps retry_delay;
};

inline const ParamTable<PageRequestParams>& page_request_params() {
  static const ParamTable<PageRequestParams> table =
      ParamTable<PageRequestParams>("Page request interface of a device")
          .flag("enable", &PageRequestParams::enable, "true",
                "Whether the device asks for pages it has no right to; otherwise the access fails.", "PRI 5")
          .count("allocation", &PageRequestParams::allocation, "512", 1, 1U << 20,
                 "Page requests that may be outstanding: the Outstanding Page Request Allocation.", "DSA C")
          .count("groups", &PageRequestParams::groups, "512", 1, kPrgIndices,
                 "Page request groups that may be outstanding, each with an index of its own.", "PRI 6")
          .count("pages_per_group", &PageRequestParams::pages_per_group, "1", 1, 512,
                 "Most pages asked for in one group: faults that wait already, then pages the device will "
                 "use next.",
                 "MODEL")
          .count("max_retries", &PageRequestParams::max_retries, "8", 0, 1000,
                 "How often an access translates again after a Success before it fails.", "MODEL")
          .time("retry_delay", &PageRequestParams::retry_delay, "1 us", "0 ps", "1 s",
                "Wait before the second retry of an access, doubled at each further one; the first comes at "
                "once.",
                "MODEL");
  return table;
}

struct AtcParams {
  TlbParams cache;
  Ps latency;
  Ps invalidation_latency;
  unsigned accesses;
  unsigned translation_requests;
  bool ats;
  bool read_only_requests;
  bool untranslated_fallback;
  bool plain_invalidation_drops_pasid;
  PageRequestParams page_requests;
};

inline const ParamTable<AtcParams>& atc_params() {
  static const ParamTable<AtcParams> table =
      ParamTable<AtcParams>("Address translation cache of a device, with its ATS and PRI agent")
          .group("cache", &AtcParams::cache, tlb_params(), "The translations it keeps.")
          .time("latency", &AtcParams::latency, "2 ns", "1 ps", "1 ms",
                "From arrival of an access to the translated request or the translation request, without "
                "queueing.",
                "MODEL")
          .time("invalidation_latency", &AtcParams::invalidation_latency, "20 ns", "1 ps", "1 ms",
                "From arrival of an invalidate request to its completion when nothing has to drain.", "MODEL")
          .count("accesses", &AtcParams::accesses, "256", 1, 65536,
                 "Accesses between arrival and response; more wait at the input.", "MODEL")
          .count("translation_requests", &AtcParams::translation_requests, "32", 1, 4096,
                 "ATS translation requests outstanding.", "MODEL")
          .flag("ats", &AtcParams::ats, "true",
                "Whether ATS is enabled from the start; without it accesses go out untranslated.", "ATS 5")
          .flag("read_only_requests", &AtcParams::read_only_requests, "true",
                "Whether translation requests for reads set No Write, which keeps pages clean.", "ATS 3")
          .flag("untranslated_fallback", &AtcParams::untranslated_fallback, "true",
                "Whether accesses go out untranslated when ATS is off; otherwise they fail.", "MODEL")
          .flag("plain_invalidation_drops_pasid", &AtcParams::plain_invalidation_drops_pasid, "false",
                "Whether an invalidate request without PASID drops all translations with PASID as well.",
                "ATS 4.1: sources differ")
          .group("page_requests", &AtcParams::page_requests, page_request_params(),
                 "Page request interface.");
  return table;
}

}  // namespace svasim
