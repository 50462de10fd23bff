// Which lines of memory are in the last-level cache in front of it. Holds no data. No SystemC.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "models/memory/memory_params.h"
#include "models/tlb/replacement.h"
#include "tlm/pcie_protocol.h"

namespace svasim {

class LastLevelCache {
 public:
  static constexpr unsigned kLineShift = 6;

  LastLevelCache(const LlcParams& params, std::uint64_t seed, std::string_view name);

  bool enabled() const { return !lines_.empty(); }

  // An access of `length` bytes: true when all its lines are here. Lines that are not are entered when the
  // parameters say so for this kind of access.
  bool access(std::uint64_t address, std::uint64_t length, bool write, AccessOrigin origin);

 private:
  static constexpr std::uint64_t kEmpty = ~std::uint64_t{0};

  bool allocates(bool write, AccessOrigin origin) const;
  bool touch(std::uint64_t line, bool allocate);

  LlcParams params_;
  unsigned sets_ = 1;
  RngStream rng_;
  std::unique_ptr<ReplacementPolicy> policy_;
  std::vector<std::uint64_t> lines_;  // by set and way
};

}  // namespace svasim
