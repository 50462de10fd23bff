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
};

inline const ParamTable<TlbParams>& tlb_params() {
  static const ParamTable<TlbParams> table =
      ParamTable<TlbParams>("Set-associative cache")
          .flag("enable", &TlbParams::enable, "true",
                "Whether the cache keeps anything; off, every look-up misses.", "MODEL")
          .count("entries", &TlbParams::entries, "64", 1, 1U << 20,
                 "Number of entries, all page sizes together.", "MODEL")
          .count("ways", &TlbParams::ways, "4", 0, 1U << 20, "Entries per set; 0 makes it fully associative.",
                 "MODEL")
          .choice("policy", &TlbParams::policy, "lru", replacement_names(),
                  "Replacement policy within a set.", "MODEL")
          .check([](const TlbParams& p, const Complain& bad) {
            if (p.ways != 0 && p.entries % p.ways != 0) {
              bad("ways",
                  std::to_string(p.ways) + " ways do not divide " + std::to_string(p.entries) + " entries");
            } else if (p.ways != 0 && !is_power_of_two(p.entries / p.ways)) {
              bad("entries", std::to_string(p.entries) + " entries in " + std::to_string(p.ways) +
                                 " ways make " + std::to_string(p.entries / p.ways) +
                                 " sets, which is no power of two");
            }
          });
  return table;
}

}  // namespace svasim
