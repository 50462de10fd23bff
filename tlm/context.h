// What every model of one simulation shares.
#pragma once

#include <cstdint>

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

  bool loose() const { return timing == Timing::kLoose; }
};

}  // namespace svasim
