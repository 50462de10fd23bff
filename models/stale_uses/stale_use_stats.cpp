#include "models/stale_uses/stale_use_stats.h"

namespace svasim {

void StaleUseStats::describe(StatRegistry& registry, const std::string& name) const {
  constexpr StatKind kTiming = StatKind::kTiming;
  const auto count = [&](const std::string& what, const Counter& counter, const std::string& text) {
    registry.counter(name + "." + what, &counter, StatUnit::kCount, kTiming, text);
  };
  count("checked", checked, "Uses of translations that were compared with the tables.");
  count("errors", errors,
        "Uses that differ from the tables after the invalidation that covers them was complete, and "
        "given_away; always 0.");
  count(
      "given_away", given_away,
      "Uses of a page that the operating system had freed, or given to somebody else, since the translation "
      "was last right.");
  static constexpr const char* kFrom[] = {"walk", "iotlb", "atc"};
  static constexpr const char* kText[] = {"a page walk of their own", "the IOTLB", "an ATC"};
  for (unsigned i = 0; i < 3; ++i) {
    count(
        std::string("exposed.") + kFrom[i] + "_reads", reads[i],
        std::string("Reads that differ from the tables before any invalidation that covers them is complete; "
                    "their translations come from ") +
            kText[i] + ".");
    count(std::string("exposed.") + kFrom[i] + "_writes", writes[i],
          std::string("The same of writes; translations from ") + kText[i] + ".");
  }
  count("exposed.pages", pages, "Different pages, by requester, PASID and address, with an exposed use.");
  count(
      "exposed.reused", reused,
      "Stale uses, errors included, of a physical page that was rightfully used through another translation "
      "since.");
  registry.histogram(name + ".exposed.age", &age, StatUnit::kPs, kTiming,
                     "Per exposed use: time since the first use of this translation that differed from the "
                     "tables. Its maximum is the longest exposure seen.");
}

}  // namespace svasim
