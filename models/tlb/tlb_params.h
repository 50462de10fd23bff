// Parameters of a set-associative cache.
#pragma once

#include <string>

#include "base/bits.h"
#include "base/params.h"
#include "models/tlb/replacement.h"

namespace svasim {

struct TlbParams {
  bool enable;
  unsigned entries;
  unsigned ways;
  std::string policy;
  bool infinite;
};

// The parameters of a struct derived from TlbParams, to be continued.
template <typename P>
ParamTable<P> tlb_table(const char* summary) {
  return ParamTable<P>(summary)
      .flag("enable", &P::enable, "true", "Whether the cache keeps anything; off, every look-up misses.",
            "MODEL")
      .count("entries", static_cast<unsigned P::*>(&P::entries), "64", 1, 1U << 20,
             "Number of entries, all page sizes together.", "MODEL")
      .count("ways", static_cast<unsigned P::*>(&P::ways), "4", 0, 1U << 20,
             "Entries per set; 0 makes it fully associative.", "MODEL")
      .choice("policy", &P::policy, "lru", replacement_names(), "Replacement policy within a set.", "MODEL")
      .flag("infinite", &P::infinite, "false",
            "Never evicts: entries, ways and policy do not matter. A bound, not hardware.", "MODEL")
      .check([](const P& p, const Complain& bad) {
        if (p.ways != 0 && p.entries % p.ways != 0) {
          bad("ways",
              std::to_string(p.ways) + " ways do not divide " + std::to_string(p.entries) + " entries");
        } else if (p.ways != 0 && !is_power_of_two(p.entries / p.ways)) {
          bad("entries", std::to_string(p.entries) + " entries in " + std::to_string(p.ways) + " ways make " +
                             std::to_string(p.entries / p.ways) + " sets, which is no power of two");
        }
      });
}

inline void only_iotlb_knows(const std::string& policy, const Complain& bad) {
  if (policy == kOraclePolicy) bad("policy", "only an IOMMU's IOTLB can be told the future");
}

inline const ParamTable<TlbParams>& tlb_params() {
  static const ParamTable<TlbParams> table =
      tlb_table<TlbParams>("Set-associative cache").check([](const TlbParams& p, const Complain& bad) {
        only_iotlb_knows(p.policy, bad);
      });
  return table;
}

// A cache of translations, whose entries belong to a domain and a PASID.
struct TranslationTlbParams : TlbParams {
  unsigned partitions;
  std::string partition_by;
};

template <typename P>
ParamTable<P> translation_tlb_table(const char* summary) {
  return tlb_table<P>(summary)
      .count("partitions", static_cast<unsigned P::*>(&P::partitions), "1", 1, 1U << 16,
             "Equal parts of the sets; a page lies in the part of its owner, owner modulo partitions. A "
             "power of two.",
             "MODEL")
      .choice("partition_by", &P::partition_by, "domain", {"domain", "pasid"},
              "Who owns a part. Second-stage entries carry no PASID and belong to PASID 0.", "MODEL")
      .check([](const P& p, const Complain& bad) {
        const unsigned sets = p.ways == 0 ? 1 : p.entries / p.ways;
        if (!is_power_of_two(p.partitions)) {
          bad("partitions", std::to_string(p.partitions) + " is no power of two");
        } else if (p.partitions > sets) {
          bad("partitions", std::to_string(p.partitions) + " parts of " + std::to_string(sets) + " sets");
        } else if (p.infinite && p.partitions != 1) {
          bad("partitions", "an infinite cache has no parts");
        }
      });
}

inline const ParamTable<TranslationTlbParams>& translation_tlb_params() {
  static const ParamTable<TranslationTlbParams> table =
      translation_tlb_table<TranslationTlbParams>("Set-associative cache of translations")
          .check([](const TranslationTlbParams& p, const Complain& bad) { only_iotlb_knows(p.policy, bad); });
  return table;
}

}  // namespace svasim
