#include "models/atc/atc_cache.h"

#include <algorithm>

namespace svasim {

bool AtcInvalidation::covers(const AtsSpace& space, Addr page, unsigned shift, bool global) const {
  if (!has_pasid && space.has_pasid) {
    return drops_pasid;
  }
  if (has_pasid != space.has_pasid) {
    return false;
  }
  if (has_pasid && !all_pasids && (global || space.pasid != pasid)) {
    return false;
  }
  return range.contains(page) || ((range.address ^ page) >> shift) == 0;
}

bool InvalidationLog::hit_since(std::uint64_t position, const AtsSpace& space, Addr page, unsigned shift,
                                bool global) const {
  if (next_ - position > kRemembered) {
    return true;
  }
  for (std::uint64_t i = position; i != next_; ++i) {
    if (recent_[i % kRemembered].what.covers(space, page, shift, global)) {
      return true;
    }
  }
  return false;
}

CoveringInvalidation InvalidationLog::covering(const AtsSpace& space, const TranslationUse& use) const {
  const Addr page = use.iova & ~(kPageSize - 1);
  CoveringInvalidation first;
  for (std::uint64_t i = std::max(use.born, next_ - std::min<std::uint64_t>(next_, kRemembered)); i != next_;
       ++i) {
    const Item& item = recent_[i % kRemembered];
    if (!item.what.covers(space, page, kPageShift, false)) continue;
    if (item.done != kNever && use.after(item.done)) return {item.arrived, item.done};
    if (!first.exists()) first = {item.arrived, item.done};
  }
  return first;
}

AtsSpace AtcCache::space_of(std::uint64_t key) {
  return AtsSpace{((key >> 1U) & 1U) != 0, (key & 1U) != 0,
                  Pasid(static_cast<std::uint32_t>((key >> 2U) & kMaxPasid))};
}

const AtcEntry* AtcCache::find(const AtsSpace& space, Addr address) {
  const AtcEntry* entry = tlb_.lookup(space.key(), address);
  if (entry == nullptr && any_global_ && space.has_pasid) {
    entry = tlb_.lookup(kGlobal | (space.key() & 3U), address);
  }
  return entry;
}

bool AtcCache::holds(const AtsSpace& space, Addr address) const {
  return tlb_.peek(space.key(), address) != nullptr ||
         (any_global_ && space.has_pasid && tlb_.peek(kGlobal | (space.key() & 3U), address) != nullptr);
}

void AtcCache::fill(const AtsSpace& space, Addr address, const AtcEntry& translation) {
  // SPEC: [ATS 3.2]: Global means something only for requests with PASID.
  const bool global = translation.global && space.has_pasid;
  any_global_ = any_global_ || global;
  tlb_.fill(global ? kGlobal | (space.key() & 3U) : space.key(), address, translation.page_shift,
            translation);
}

unsigned AtcCache::invalidate(const AtcInvalidation& invalidation) {
  return tlb_.invalidate_if([&](std::uint64_t key, Addr page, unsigned shift, const AtcEntry&) {
    return invalidation.covers(space_of(key), page, shift, (key & kGlobal) != 0);
  });
}

}  // namespace svasim
