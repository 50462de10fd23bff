#include "models/iommu/translation_caches.h"

#include <string>

namespace svasim {

TranslationCaches::TranslationCaches(const IommuParams& params, std::uint64_t seed, std::string_view name)
    : context_(params.context_cache, seed, std::string(name) + ".context_cache"),
      pasid_(params.pasid_cache, seed, std::string(name) + ".pasid_cache"),
      iotlb_(params, seed, std::string(name)),
      first_stage_(params.first_stage_cache, seed, std::string(name) + ".first_stage_cache",
                   SpaceTag::partition<Tlb<PagingEntry>>(params.first_stage_cache)),
      second_stage_(params.second_stage_cache, seed, std::string(name) + ".second_stage_cache",
                    SpaceTag::partition<Tlb<PagingEntry>>(params.second_stage_cache)) {}

void TranslationCaches::invalidate_contexts(DomainId legacy_domain) {
  context_.invalidate_if([&](std::uint64_t, Addr, unsigned, const ContextEntry& entry) {
    return entry.legacy && entry.space.did == legacy_domain;
  });
}

void TranslationCaches::invalidate_contexts(RequesterId requester, std::uint16_t mask) {
  context_.invalidate_if([&](std::uint64_t, Addr address, unsigned, const ContextEntry&) {
    const auto other = static_cast<std::uint16_t>(address >> kPageShift);
    return ((other ^ requester.value()) & ~mask & 0xFFFF) == 0;
  });
}

void TranslationCaches::invalidate_pasids(DomainId did) {
  pasid_.invalidate_if(
      [&](std::uint64_t, Addr, unsigned, const AddressSpace& space) { return space.did == did; });
}

void TranslationCaches::invalidate_pasids(DomainId did, Pasid pasid) {
  pasid_.invalidate_if([&](std::uint64_t, Addr address, unsigned, const AddressSpace& space) {
    return space.did == did && address == key(pasid);
  });
}

void TranslationCaches::invalidate(const InvalidationScope& scope) {
  iotlb_.invalidate_if([&](std::uint64_t space, Addr page, unsigned shift, const IotlbEntry&) {
    return scope.covers(IotlbKey(space).tag(), page, shift);
  });
  const auto table = [&](std::uint64_t space, Addr first, unsigned shift, const PagingEntry&) {
    return scope.covers_table(SpaceTag(space), first, shift);
  };
  first_stage_.invalidate_if(table);
  second_stage_.invalidate_if(table);
}

void TranslationCaches::invalidate_all() {
  invalidate_contexts();
  invalidate_pasids();
  invalidate(InvalidationScope());
}

}  // namespace svasim
