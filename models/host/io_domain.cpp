#include "models/host/io_domain.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/check.h"

namespace svasim {

IoDomain::IoDomain(DomainId id, const PageTableFormat& format, PhysicalMemory& memory, PageAllocator& pages)
    : id_(id), format_(format), table_(format, memory, pages) {
  SVASIM_CHECK(format.stage == TableStage::kSecond, "a domain of its own has a second stage");
}

IoTranslation IoDomain::translation() const {
  IoTranslation translation;
  translation.kind = IoTranslation::Kind::kSecondStage;
  translation.domain = id_;
  translation.second = table_.root();
  translation.second_levels = format_.levels;
  return translation;
}

// --- mappings ---

Errno IoDomain::map_pages(Addr iova, Addr physical, std::uint64_t size, bool writable,
                          std::uint64_t& mapped) {
  constexpr std::uint64_t kHuge = std::uint64_t{1} << 21U;
  while (mapped < size) {
    const Addr from = iova + mapped;
    const Addr to = physical + mapped;
    const bool huge = format_.level[2].may_be_leaf && from % kHuge == 0 && to % kHuge == 0 &&
                      size - mapped >= kHuge && !table_.has_table(from, 1);
    if (table_.find(from).has_value()) {
      return Errno::kExists;
    }
    if (!table_.map(from, to, huge ? 2 : 1, writable, false)) {
      return Errno::kNoMemory;
    }
    mapped += huge ? kHuge : kPageSize;
  }
  return Errno::kNone;
}

Errno IoDomain::map(Addr iova, Addr physical, std::uint64_t size, bool writable) {
  SVASIM_CHECK((iova | physical | size) % kPageSize == 0 && size != 0, "mappings are whole pages");
  if (!format_.accepts(iova) || !format_.accepts(iova + size - 1) || iova + size < iova) {
    return Errno::kRange;
  }
  std::uint64_t mapped = 0;
  const Errno error = map_pages(iova, physical, size, writable, mapped);
  mapped_ += mapped;
  if (error != Errno::kNone && mapped != 0) {
    Removed undone;
    SVASIM_CHECK(unmap(iova, mapped, undone), "what was just mapped can be unmapped");
  }
  return error;
}

bool IoDomain::unmap(Addr iova, std::uint64_t size, Removed& removed) {
  const Addr end = iova + size;
  for (const Addr edge : {iova, end}) {
    const auto leaf = table_.find(edge);
    const bool inside = leaf.has_value() && edge % (std::uint64_t{1} << leaf->shift) != 0;
    if (inside && !table_.split(edge)) return false;
  }
  removed.span = {iova, end};
  for (Addr at = iova; at < end;) {
    const auto leaf = table_.unmap(at);
    const std::uint64_t step = leaf.has_value() ? std::uint64_t{1} << leaf->shift : kPageSize;
    if (leaf.has_value()) {
      for (std::uint64_t offset = 0; offset < step; offset += kPageSize) {
        removed.pages.push_back(leaf->page + offset);
      }
      mapped_ -= step;
    }
    at += step;
  }
  return true;
}

std::optional<Addr> IoDomain::find(Addr iova) const {
  const auto leaf = table_.find(iova);
  if (!leaf.has_value()) return std::nullopt;
  return leaf->page | (iova & ((std::uint64_t{1} << leaf->shift) - 1));
}

// --- devices ---

void IoDomain::attach(IommuDriver& iommu, IoTarget target, Task done) {
  attachments_.push_back({&iommu, target, false, false});
  iommu.bind(target.device, target.pasid, translation(), std::move(done));
}

void IoDomain::attach_nested(IommuDriver& iommu, IoTarget target, Addr first, unsigned levels, Task done) {
  attachments_.push_back({&iommu, target, true, false});
  IoTranslation nested = translation();
  nested.kind = IoTranslation::Kind::kNested;
  nested.first = first;
  nested.first_levels = levels;
  iommu.bind(target.device, target.pasid, nested, std::move(done));
}

IoDomain::Attachment& IoDomain::attachment_of(IoTarget target) {
  const auto found = std::find_if(attachments_.begin(), attachments_.end(),
                                  [&](const Attachment& each) { return each.target == target; });
  SVASIM_CHECK(found != attachments_.end(), "a device is detached that was not attached");
  return *found;
}

void IoDomain::replace(IoDomain& to, IoTarget target, Task done) {
  const Attachment attachment = attachment_of(target);
  attachments_.erase(attachments_.begin() + (&attachment_of(target) - attachments_.data()));
  to.attachments_.push_back(attachment);
  attachment.iommu->replace(target.device, target.pasid, to.translation(), std::move(done));
}

void IoDomain::silence(IoTarget target, Task done) {
  Attachment& attachment = attachment_of(target);
  attachment.silenced = true;
  attachment.iommu->silence(target.device, target.pasid, std::move(done));
}

void IoDomain::detach(IoTarget target, Task done) {
  const Attachment attachment = attachment_of(target);
  attachments_.erase(attachments_.begin() + (&attachment_of(target) - attachments_.data()));
  IommuDriver& iommu = *attachment.iommu;
  attachment.silenced ? iommu.end_silence(target.device, target.pasid, std::move(done))
                      : iommu.unbind(target.device, target.pasid, std::move(done));
}

void IoDomain::invalidate(AddressSpan span, Task done) {
  struct Targets {
    std::vector<IoTarget> plain;
    std::vector<IoTarget> nested;
  };
  std::vector<std::pair<IommuDriver*, Targets>> by_iommu;
  for (const Attachment& each : attachments_) {
    auto found = std::find_if(by_iommu.begin(), by_iommu.end(),
                              [&](const auto& entry) { return entry.first == each.iommu; });
    if (found == by_iommu.end()) found = by_iommu.insert(by_iommu.end(), {each.iommu, {}});
    (each.nested ? found->second.nested : found->second.plain).push_back(each.target);
  }
  if (by_iommu.empty()) {
    done();
    return;
  }
  const Task one = after_all(by_iommu.size(), std::move(done));
  for (const auto& [iommu, targets] : by_iommu) {
    iommu->invalidate_second(id_, span, targets.plain, targets.nested, one);
  }
}

void IoDomain::release() {
  SVASIM_CHECK(attachments_.empty(), "a domain is released that devices are attached to");
  table_.release();
}

}  // namespace svasim
