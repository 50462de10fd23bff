// PASIDs of the whole system. SPEC: [LINUX drivers/iommu/iommu-sva.c]
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/check.h"
#include "base/types.h"

namespace svasim {

// First free from 1 up; 0 means "no PASID" and is never given out.
class PasidAllocator {
 public:
  // limit: PASIDs below it may be used; at most 2^20. nullopt when all of them are.
  std::optional<Pasid> allocate(std::uint32_t limit) {
    std::uint32_t pasid = first_free_;
    while (pasid < used_.size() && used_[pasid]) {
      ++pasid;
    }
    if (pasid >= limit || pasid > kMaxPasid) {
      return std::nullopt;
    }
    if (pasid >= used_.size()) {
      used_.resize(pasid + 1, false);
    }
    used_[pasid] = true;
    first_free_ = pasid + 1;
    return Pasid(pasid);
  }

  // InternalError when it is not in use.
  void free(Pasid pasid) {
    SVASIM_CHECK(pasid.value() != 0 && pasid.value() < used_.size() && used_[pasid.value()],
                 "a PASID was freed that is not in use");
    used_[pasid.value()] = false;
    first_free_ = pasid.value() < first_free_ ? pasid.value() : first_free_;
  }

 private:
  std::vector<bool> used_{true};
  std::uint32_t first_free_ = 1;
};

}  // namespace svasim
