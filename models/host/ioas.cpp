#include "models/host/ioas.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace svasim {

// Address 0 is never given out: it is a mistake more often than an address.
Errno Ioas::allocate(std::uint64_t size, Addr& iova) const {
  constexpr std::uint64_t kHuge = std::uint64_t{1} << 21U;
  const std::uint64_t align = size >= kHuge ? kHuge : kPageSize;
  const auto aligned = [align](Addr at) { return (at + align - 1) & ~(align - 1); };
  for (const AddressSpan& range : iova_ranges()) {
    Addr at = aligned(std::max<Addr>(range.start, kPageSize));
    for (auto area = areas_.begin(); area != areas_.end(); ++area) {
      if (area->first >= at + size) break;
      if (area->first + area->second.size > at) at = aligned(area->first + area->second.size);
    }
    if (at + size <= range.end) {
      iova = at;
      return Errno::kNone;
    }
  }
  return Errno::kNoSpace;
}

// SPEC: [LINUX iopt_check_iova, iopt_alloc_area_pages]
Errno Ioas::check_fixed(Addr iova, std::uint64_t size) const {
  if (size == 0 || (iova | size) % kPageSize != 0) return Errno::kInvalid;
  if (iova + size < iova) return Errno::kOverflow;
  const std::vector<AddressSpan> ranges = iova_ranges();
  const auto fits = [&](const AddressSpan& range) { return iova >= range.start && iova + size <= range.end; };
  if (std::none_of(ranges.begin(), ranges.end(), fits)) return Errno::kInvalid;
  const auto behind = areas_.lower_bound(iova + size);
  if (behind != areas_.begin()) {
    const auto& [start, area] = *std::prev(behind);
    if (start + area.size > iova) return Errno::kExists;
  }
  return Errno::kNone;
}

// Runs of adjacent pages at once, so that large ones can be used.
Errno Ioas::fill(IoDomain& domain, Addr iova, const Area& area) {
  for (std::size_t first = 0; first < area.pages.size();) {
    std::size_t end = first + 1;
    while (end < area.pages.size() &&
           area.pages[end].page == area.pages[first].page + (end - first) * kPageSize) {
      ++end;
    }
    const Errno error = domain.map(iova + first * kPageSize, area.pages[first].page,
                                   (end - first) * kPageSize, area.writable);
    if (error != Errno::kNone) {
      IoDomain::Removed removed;
      SVASIM_CHECK(domain.unmap(iova, area.size, removed), "what was just mapped can be unmapped");
      return error;
    }
    first = end;
  }
  return Errno::kNone;
}

Errno Ioas::insert(Addr iova, Area area) {
  for (std::size_t i = 0; i < domains_.size(); ++i) {
    const Errno error = fill(*domains_[i], iova, area);
    if (error == Errno::kNone) continue;
    IoDomain::Removed removed;
    while (i-- > 0) SVASIM_CHECK(domains_[i]->unmap(iova, area.size, removed), "a new mapping can be undone");
    return error;
  }
  areas_.emplace(iova, std::move(area));
  stats_.maps.add();
  return Errno::kNone;
}

// Whole areas are removed, so that no large page has to be split, which would need memory.
void Ioas::take(Addr iova, const Area& area) {
  if (area.revoked) return;
  IoDomain::Removed removed;
  for (IoDomain* domain : domains_) {
    SVASIM_CHECK(domain->unmap(iova, area.size, removed), "a whole area can be unmapped");
  }
}

void Ioas::invalidate(AddressSpan span, Task done) {
  if (domains_.empty()) {
    done();
    return;
  }
  const Task one = after_all(domains_.size(), std::move(done));
  for (IoDomain* domain : domains_) domain->invalidate(span, one);
}

// SPEC: [LINUX iopt_unmap_iova_range, iopt_unmap_all]
Errno Ioas::unmap(Addr iova, std::uint64_t size, std::function<void(std::uint64_t bytes)> done) {
  const bool everything = iova == 0 && size == kEverything;
  const Addr end = everything ? end_ : iova + size;
  if (end < iova) return Errno::kOverflow;
  auto first = areas_.lower_bound(iova);
  if (first != areas_.begin() && std::prev(first)->first + std::prev(first)->second.size > iova) {
    return Errno::kNoEntry;
  }
  const auto behind = areas_.lower_bound(end);
  if (behind != areas_.begin() && std::prev(behind)->first + std::prev(behind)->second.size > end) {
    return Errno::kNoEntry;
  }
  if (first == behind && !everything) return Errno::kNoEntry;
  if (first == behind) {
    done(0);
    return Errno::kNone;
  }
  const AddressSpan span{first->first, std::prev(behind)->first + std::prev(behind)->second.size};
  std::vector<UserPage> pages;
  std::uint64_t bytes = 0;
  for (; first != behind; first = areas_.erase(first)) {
    take(first->first, first->second);
    pages.insert(pages.end(), first->second.pages.begin(), first->second.pages.end());
    bytes += first->second.size;
    stats_.unmaps.add();
  }
  invalidate(span, [this, pages = std::move(pages), bytes, done = std::move(done)] {
    pages_.unpin(pages);
    done(bytes);
  });
  return Errno::kNone;
}

void Ioas::revoke(AddressSpan physical, bool invalidate_too, const Task& done) {
  std::vector<AddressSpan> spans;
  for (auto& [iova, area] : areas_) {
    const bool inside = std::any_of(area.pages.begin(), area.pages.end(), [&](const UserPage& each) {
      return !each.counted && each.page >= physical.start && each.page < physical.end;
    });
    if (!inside || area.revoked) continue;
    take(iova, area);
    area.revoked = true;
    spans.push_back({iova, iova + area.size});
    stats_.revoked.add();
  }
  if (spans.empty() || !invalidate_too) {
    done();
    return;
  }
  const Task one = after_all(spans.size(), done);
  for (const AddressSpan& span : spans) invalidate(span, one);
}

Errno Ioas::add_domain(IoDomain& domain) {
  for (const auto& [iova, area] : areas_) {
    if (area.revoked) continue;
    if (const Errno error = fill(domain, iova, area); error != Errno::kNone) return error;
  }
  domains_.push_back(&domain);
  return Errno::kNone;
}

void Ioas::remove_domain(IoDomain& domain) {
  domains_.erase(std::remove(domains_.begin(), domains_.end(), &domain), domains_.end());
}

}  // namespace svasim
