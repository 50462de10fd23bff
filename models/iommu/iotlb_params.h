// Parameters of the IOTLB.
#pragma once

#include <string>

#include "models/tlb/tlb_params.h"

namespace svasim {

struct IotlbParams : TranslationTlbParams {
  std::string tag;
  bool split;
  unsigned prefetch;
  bool perfect;

  bool by_requester() const { return tag == "requester"; }
};

inline const ParamTable<IotlbParams>& iotlb_params() {
  static const ParamTable<IotlbParams> table =
      translation_tlb_table<IotlbParams>("IOTLB")
          .choice("tag", &IotlbParams::tag, "domain", {"domain", "requester"},
                  "What entries are found by besides the page. domain: domain and, first stage, PASID, so "
                  "that devices of a domain share them; requester: also requester and PASID.",
                  "VTD 6.2.1, Table 17")
          .flag("split", &IotlbParams::split, "false",
                "4-KiB pages only; 2-MiB and larger pages have the caches iotlb_2m and iotlb_1g.", "MODEL")
          .count("prefetch", &IotlbParams::prefetch, "0", 0, 16,
                 "Pages behind one that missed for which a walk is started, when nobody waits for a walk. "
                 "They never fault, set no bits in tables and ask for no pages.",
                 "MODEL")
          .flag("perfect", &IotlbParams::perfect, "false",
                "Every look-up hits: what it finds is read from the tables at that instant, in no time and "
                "without traffic; accessed and dirty bits are set as by a walk. A bound, not hardware.",
                "MODEL")
          .check([](const IotlbParams& p, const Complain& bad) {
            if (!p.enable && (p.perfect || p.infinite || p.prefetch != 0)) {
              bad("enable", "an IOTLB that is off cannot be perfect or infinite, or be fetched ahead for");
            }
            if (p.perfect && (p.infinite || p.split || p.prefetch != 0 || p.policy == kOraclePolicy)) {
              bad("perfect", "keeps nothing: infinite, split, prefetch and the policy oracle have no use");
            }
            if (p.policy == kOraclePolicy && p.split) bad("policy", "oracle needs one IOTLB for all sizes");
            if (p.policy == kOraclePolicy && p.prefetch != 0) {
              bad("policy", "oracle knows nothing of pages fetched ahead; set prefetch to 0");
            }
          });
  return table;
}

}  // namespace svasim
