// PASIDs of the whole system. SPEC: [LINUX drivers/iommu/iommu-sva.c]
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/check.h"
#include "base/types.h"

namespace svasim {

// 0 means "no PASID" and is never given out.
class PasidAllocator {
 public:
  // Of all that it may ever give out; both included.
  explicit PasidAllocator(std::uint32_t lowest = 1, std::uint32_t highest = kMaxPasid)
      : lowest_(std::max<std::uint32_t>(lowest, 1)), highest_(std::min<std::uint32_t>(highest, kMaxPasid)) {}

  std::uint32_t lowest() const { return lowest_; }
  std::uint32_t highest() const { return highest_; }

  // The first free one within [low, high]; nullopt when all of them are in use.
  std::optional<Pasid> allocate(std::uint32_t low, std::uint32_t high) {
    std::uint32_t pasid = std::max(low, lowest_);
    high = std::min(high, highest_);
    // Below first_free_ nothing is free.
    pasid = std::max(pasid, first_free_);
    while (pasid < used_.size() && used_[pasid]) {
      ++pasid;
    }
    if (pasid > high) {
      return std::nullopt;
    }
    if (pasid >= used_.size()) {
      used_.resize(std::size_t{pasid} + 1, false);
    }
    used_[pasid] = true;
    first_free_ += pasid == first_free_ ? 1 : 0;
    return Pasid(pasid);
  }

  // InternalError when it is not in use.
  void free(Pasid pasid) {
    SVASIM_CHECK(pasid.value() != 0 && pasid.value() < used_.size() && used_[pasid.value()],
                 "a PASID was freed that is not in use");
    used_[pasid.value()] = false;
    first_free_ = std::min(first_free_, pasid.value());
  }

 private:
  std::uint32_t lowest_;
  std::uint32_t highest_;
  std::vector<bool> used_{true};
  std::uint32_t first_free_ = 1;
};

}  // namespace svasim
