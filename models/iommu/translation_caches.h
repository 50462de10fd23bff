// The IOMMU's caches and what invalidations do to them.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "models/iommu/address_space.h"
#include "models/iommu/invalidation_scope.h"
#include "models/iommu/iommu_params.h"
#include "models/iommu/iotlb.h"
#include "models/tlb/tlb.h"

namespace svasim {

// "The table of `level` for these addresses is at `table`", with the rights of the entries above. Nested: a
// table of the first stage, at a host address.
struct PagingEntry {
  Addr table = 0;
  std::uint8_t level = 0;
  bool read = false;
  bool write = false;
  bool user = false;
  bool writable = true;  // nested: the second stage lets the table be written
};

// A cache whose last look-up is remembered. WHY: successive requests mostly use one context; asking
// again for the entry used last changes no replacement state, so it need not be searched.
template <typename Data>
class RememberingCache {
 public:
  RememberingCache(const TlbParams& params, std::uint64_t seed, std::string_view name)
      : tlb_(params, seed, name) {}

  const Data* lookup(std::uint64_t space, Addr address) {
    if (last_ != nullptr && space == last_space_ && address == last_address_) {
      tlb_.stats().hits.add();
      return last_;
    }
    last_ = tlb_.lookup(space, address);
    last_space_ = space;
    last_address_ = address;
    return last_;
  }
  // Counts the hits of look-ups that are known to have the answer of the one before.
  void repeat(std::uint64_t times = 1) { tlb_.stats().hits.add(times); }
  // What is granted depends on what is cached here.
  void set_listener(GrantListener& listener) { listener_ = &listener; }
  void fill(std::uint64_t space, Addr address, const Data& data) {
    change();
    tlb_.fill(space, address, kPageShift, data);
  }
  template <typename Match>
  void invalidate_if(Match match) {
    change();
    tlb_.invalidate_if(match);
  }
  const Tlb<Data>& tlb() const { return tlb_; }
  // Changes with the contents.
  std::uint64_t age() const { return age_; }

 private:
  void change() {
    last_ = nullptr;
    ++age_;
    if (listener_ != nullptr) {
      listener_->revoke(0, ~Addr{0});
    }
  }

  Tlb<Data> tlb_;
  GrantListener* listener_ = nullptr;
  std::uint64_t age_ = 0;
  const Data* last_ = nullptr;
  std::uint64_t last_space_ = 0;
  Addr last_address_ = 0;
};

class TranslationCaches {
 public:
  TranslationCaches(const IommuParams& params, std::uint64_t seed, std::string_view name);

  // SPEC: [VTD Table 17] context cache by requester; PASID cache by requester and PASID.
  const ContextEntry* context(RequesterId requester) { return context_.lookup(0, key(requester)); }
  void fill_context(RequesterId requester, const ContextEntry& entry) {
    context_.fill(0, key(requester), entry);
  }
  const AddressSpace* pasid(RequesterId requester, Pasid pasid) {
    return pasid_.lookup(requester.value(), key(pasid));
  }
  void fill_pasid(RequesterId requester, Pasid pasid, const AddressSpace& space) {
    pasid_.fill(requester.value(), key(pasid), space);
  }

  // Of context and PASID cache together.
  std::uint64_t contexts_age() const { return context_.age() + pasid_.age(); }
  // The look-ups of context and PASID cache once more, when they hold what they held at `age`.
  bool repeat_context(std::uint64_t age, bool legacy) {
    if (age != contexts_age()) {
      return false;
    }
    context_.repeat();
    if (!legacy) {
      pasid_.repeat();
    }
    return true;
  }

  // `times` look-ups of what both hold, in a row.
  void use_context(RequesterId requester, bool has_pasid, Pasid request_pasid, std::uint64_t times) {
    const ContextEntry* entry = context(requester);
    SVASIM_CHECK(entry != nullptr, "a grant ends with the context it was given in");
    context_.repeat(times - 1);
    if (!entry->legacy) {
      pasid(requester, has_pasid ? request_pasid : entry->rid_pasid);
      pasid_.repeat(times - 1);
    }
  }

  // Once; it must outlive the caches' last change.
  void set_listener(GrantListener& listener) {
    context_.set_listener(listener);
    pasid_.set_listener(listener);
    iotlb_.set_listener(listener);
  }

  Iotlb& translations() { return iotlb_; }
  const Iotlb& translations() const { return iotlb_; }

  // The lowest table known on the way to `iova`, or nullptr.
  const PagingEntry* table(const AddressSpace& space, Addr iova) {
    return paging(space.kind).lookup(space.table_bits(), iova);
  }
  // The same of the second stage of a nested space, for a guest-physical address.
  const PagingEntry* second_table(const AddressSpace& space, Addr guest) {
    return second_stage_.lookup(space.second_table_bits(), guest);
  }
  // A table of `level` serves the 2^span addresses that one entry of the level above maps.
  static unsigned span(unsigned level) { return kPageShift + PageTableFormat::kIndexBits * level; }
  // `bits`: AddressSpace::table_bits().
  void fill_table(SpaceKind kind, std::uint64_t bits, Addr iova, const PagingEntry& entry) {
    paging(kind).fill(bits, iova, span(entry.level), entry);
  }
  void fill_second_table(const AddressSpace& space, Addr guest, const PagingEntry& entry) {
    second_stage_.fill(space.second_table_bits(), guest, span(entry.level), entry);
  }

  // Context-cache invalidations. `mask`: bits of the requester that are not compared.
  void invalidate_contexts() {
    context_.invalidate_if([](auto...) { return true; });
  }
  void invalidate_contexts(DomainId legacy_domain);
  void invalidate_contexts(RequesterId requester, std::uint16_t mask);
  // PASID-cache invalidations.
  void invalidate_pasids() {
    pasid_.invalidate_if([](auto...) { return true; });
  }
  void invalidate_pasids(DomainId did);
  void invalidate_pasids(DomainId did, Pasid pasid);
  // IOTLB and paging-structure caches.
  void invalidate(const InvalidationScope& scope);
  void invalidate_all();

  const Tlb<ContextEntry>& contexts() const { return context_.tlb(); }
  const Tlb<AddressSpace>& pasids() const { return pasid_.tlb(); }
  const Tlb<IotlbEntry>& iotlb() const { return iotlb_.pages(); }
  const Tlb<PagingEntry>& first_stage_tables() const { return first_stage_; }
  const Tlb<PagingEntry>& second_stage_tables() const { return second_stage_; }

 private:
  static Addr key(RequesterId requester) { return Addr{requester.value()} << kPageShift; }
  static Addr key(Pasid pasid) { return Addr{pasid.value()} << kPageShift; }
  Tlb<PagingEntry>& paging(SpaceKind kind) { return has_first_stage(kind) ? first_stage_ : second_stage_; }

  RememberingCache<ContextEntry> context_;
  RememberingCache<AddressSpace> pasid_;
  Iotlb iotlb_;
  Tlb<PagingEntry> first_stage_;
  Tlb<PagingEntry> second_stage_;
};

}  // namespace svasim
