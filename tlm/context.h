// What every model of one simulation shares.
#pragma once

#include <cstdint>
#include <string>

#include "tlm/page_fault_log.h"
#include "tlm/translation_monitor.h"

namespace svasim {

class StatRegistry;
class TransactionPool;

enum class Timing : std::uint8_t { kApproximate, kLoose };

// Lives as long as the simulation. Passed by reference to every model's constructor.
struct SimContext {
  std::uint64_t seed = 1;
  Timing timing = Timing::kApproximate;
  TransactionPool& pool;
  StatRegistry& stats;
  std::string output{};  // folder for files that models write themselves; empty: the current one
  PageFaultLog page_faults{};
  // Sees every use of a translation; nullptr: nobody does. While there is one, no device may be given a way
  // to memory that no IOMMU sees.
  TranslationMonitor* monitor = nullptr;

  bool loose() const { return timing == Timing::kLoose; }
};

}  // namespace svasim
