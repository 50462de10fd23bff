// Which cached translations an invalidation removes.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/types.h"
#include "models/iommu/address_space.h"

namespace svasim {

struct InvalidationScope {
  // kNothing: of context or PASID cache, which is counted with the others.
  enum class Kind : std::uint8_t { kGlobal, kDomain, kDomainPage, kPasid, kPasidPage, kNothing };
  Kind kind = Kind::kGlobal;
  DomainId did;
  Pasid pasid;
  Addr address = 0;
  unsigned shift = kPageShift;  // of the range from `address`, for the page kinds
  bool leaf_only = false;       // IH: paging-structure caches may keep their entries

  bool overlaps(Addr first, unsigned other_shift) const {
    const unsigned wider = std::max(shift, other_shift);
    return wider >= 64 || ((address ^ first) >> wider) == 0;
  }

  // A translation of 2^page_shift bytes at `page`, cached or under way.
  // SPEC: [VTD 6.5.2.3, 6.5.2.4] A page of the second stage may be under any page, and any table, of a nested
  // space: page-selective invalidation of a domain takes all of them.
  bool covers(SpaceTag tag, Addr page, unsigned page_shift) const {
    const bool first_stage = has_first_stage(tag.kind());
    switch (kind) {
      case Kind::kGlobal:
        return true;
      case Kind::kDomain:
        return tag.did() == did;
      case Kind::kDomainPage:
        return tag.did() == did && (first_stage || overlaps(page, page_shift));
      case Kind::kPasid:
        return tag.did() == did && tag.pasid() == pasid;
      case Kind::kPasidPage:
        return first_stage && tag.did() == did && tag.pasid() == pasid && overlaps(page, page_shift);
      case Kind::kNothing:
        return false;
    }
    return true;
  }

  // An entry of a paging-structure cache that covers 2^span bytes from `first`.
  bool covers_table(SpaceTag tag, Addr first, unsigned span) const {
    const bool first_stage = has_first_stage(tag.kind());
    switch (kind) {
      case Kind::kGlobal:
        return true;
      case Kind::kDomain:
        return tag.did() == did;
      case Kind::kDomainPage:
        return tag.did() == did && (first_stage || (!leaf_only && overlaps(first, span)));
      case Kind::kPasid:
        return first_stage && tag.did() == did && tag.pasid() == pasid;
      case Kind::kPasidPage:
        return first_stage && tag.did() == did && tag.pasid() == pasid && !leaf_only && overlaps(first, span);
      case Kind::kNothing:
        return false;
    }
    return true;
  }
};

}  // namespace svasim
