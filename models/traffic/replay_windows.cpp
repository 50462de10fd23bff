#include "models/traffic/replay_windows.h"

namespace svasim {
namespace {

constexpr std::uint8_t kShifts[] = {12, 21, 30};

// IOTLB and PASID-based IOTLB descriptors have these fields in the same places.
struct Target {
  DomainId domain;
  Addr address;
  unsigned order;  // 2^order pages
};
Target target_of(const InvalidationDescriptor& d) {
  using I = IotlbDescriptor;
  return {DomainId(static_cast<std::uint16_t>(I::DID::get(d))), I::ADDR::in_place(d),
          static_cast<unsigned>(I::AM::get(d))};
}

}  // namespace

void UnmapWindows::open(DomainId domain, const Stale& stale) {
  open_[domain.value()].emplace(stale.leaf.iova, stale);
}

void UnmapWindows::close(const InvalidationDescriptor& descriptor) {
  const Target target = target_of(descriptor);
  switch (static_cast<InvalidationType>(invalidation_type(descriptor))) {
    case InvalidationType::kIotlb:
      switch (static_cast<IotlbGranularity>(IotlbDescriptor::G::get(descriptor))) {
        case IotlbGranularity::kGlobal:
          open_.clear();
          break;
        case IotlbGranularity::kDomain:
          open_.erase(target.domain.value());
          break;
        case IotlbGranularity::kPage:
          close_pages(target.domain, target.address, target.order, true);
          break;
      }
      break;
    case InvalidationType::kPasidIotlb:
      // MODEL: the windows do not keep the PASID: captured domains are used with one PASID each.
      switch (static_cast<PasidIotlbGranularity>(PasidIotlbDescriptor::G::get(descriptor))) {
        case PasidIotlbGranularity::kPasid:
          open_.erase(target.domain.value());
          break;
        case PasidIotlbGranularity::kPage:
          close_pages(target.domain, target.address, target.order, false);
          break;
      }
      break;
    default:
      break;
  }
}

// A page descriptor of the IOTLB removes everything of the domain that is first stage, and the range
// of what is second stage; one of the PASID-based IOTLB the range, first stage only.
void UnmapWindows::close_pages(DomainId domain, Addr address, unsigned order, bool iotlb_descriptor) {
  const auto found = open_.find(domain.value());
  if (found == open_.end()) return;
  const unsigned shift = kPageShift + order;
  const Addr first = shift >= 64 ? 0 : address >> shift << shift;
  const Addr last = shift >= 64 ? ~Addr{0} : first + ((Addr{1} << shift) - 1);
  ByAddress& leaves = found->second;
  // Leaves start at most 1 GiB below the range they reach into.
  const Addr reach = (Addr{1} << 30U) - 1;
  for (auto at = leaves.lower_bound(iotlb_descriptor || first < reach ? 0 : first - reach);
       at != leaves.end();) {
    const Stale& stale = at->second;
    const bool first_stage = stale.stage == TableStage::kFirst;
    const bool overlaps = stale.leaf.iova <= last && stale.leaf.end() - 1 >= first;
    if (!iotlb_descriptor && stale.leaf.iova > last) break;
    const bool gone = iotlb_descriptor ? first_stage || overlaps : first_stage && overlaps;
    at = gone ? leaves.erase(at) : std::next(at);
  }
  if (leaves.empty()) open_.erase(found);
}

void UnmapWindows::find(DomainId domain, Addr iova, std::vector<Stale>& found) const {
  found.clear();
  const auto leaves = open_.find(domain.value());
  if (leaves == open_.end()) return;
  for (const std::uint8_t shift : kShifts) {
    const auto [first, last] = leaves->second.equal_range(iova >> shift << shift);
    for (auto at = first; at != last; ++at) {
      if (at->second.leaf.page_shift == shift) found.push_back(at->second);
    }
  }
}

bool UnmapWindows::contains(DomainId domain, const TableLeaf& leaf) const {
  const auto leaves = open_.find(domain.value());
  if (leaves == open_.end()) return false;
  const auto [first, last] = leaves->second.equal_range(leaf.iova);
  for (auto at = first; at != last; ++at) {
    if (at->second.leaf.page_shift == leaf.page_shift && at->second.leaf.address == leaf.address) return true;
  }
  return false;
}

std::size_t UnmapWindows::size() const {
  std::size_t count = 0;
  for (const auto& [domain, leaves] : open_) count += leaves.size();
  return count;
}

}  // namespace svasim
