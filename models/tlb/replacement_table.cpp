#include "base/check.h"
#include "models/tlb/clear_when_full.h"
#include "models/tlb/fifo.h"
#include "models/tlb/lru.h"
#include "models/tlb/oracle.h"
#include "models/tlb/random.h"
#include "models/tlb/replacement.h"
#include "models/tlb/srrip.h"
#include "models/tlb/tree_plru.h"

namespace svasim {

namespace {

template <typename Policy>
std::unique_ptr<ReplacementPolicy> make(ReplacementShape shape, RngStream& rng) {
  return std::make_unique<Policy>(shape, rng);
}

}  // namespace

const std::vector<ReplacementEntry>& replacement_table() {
  static const std::vector<ReplacementEntry> table = {
      {"lru", "Evicts the way used longest ago.", true, make<Lru>},
      {"plru", "Tree pseudo-LRU: one bit per node of a binary tree over the ways.", true, make<TreePlru>},
      {"fifo", "Evicts the way filled longest ago.", true, make<Fifo>},
      {"random", "Evicts a way drawn from the run's random stream.", true, make<RandomReplacement>},
      {"srrip", "Re-reference interval prediction, 2 bits: a hit predicts a near use, a fill a far one.",
       true, make<Srrip>},
      {"clear_when_full", "Empties the whole cache when a fill finds no free way.", false,
       make<ClearWhenFull>},
      {kOraclePolicy,
       "Evicts the page whose next use is farthest away; needs a replay that knows the future.", false,
       make<Oracle>},
  };
  return table;
}

std::vector<std::string> replacement_names() {
  std::vector<std::string> names;
  for (const ReplacementEntry& entry : replacement_table()) {
    names.emplace_back(entry.name);
  }
  return names;
}

std::vector<std::string> plain_replacement_names() {
  std::vector<std::string> names;
  for (const ReplacementEntry& entry : replacement_table()) {
    if (entry.plain) {
      names.emplace_back(entry.name);
    }
  }
  return names;
}

std::unique_ptr<ReplacementPolicy> make_replacement(std::string_view name, ReplacementShape shape,
                                                    RngStream& rng) {
  for (const ReplacementEntry& entry : replacement_table()) {
    if (name == entry.name) {
      return entry.make(shape, rng);
    }
  }
  throw InternalError("no replacement policy named " + std::string(name));
}

}  // namespace svasim
