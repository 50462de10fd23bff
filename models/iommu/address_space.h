// What a request translates with: decoded context and PASID-table entries.
#pragma once

#include <cstdint>

#include "base/types.h"
#include "models/formats/page_table_format.h"
#include "models/formats/vtd_context.h"

namespace svasim {

enum class SpaceKind : std::uint8_t { kFirstStage, kSecondStage, kPassThrough, kNested };

// Its tables start with a first stage: rights, A/D bits and invalidations are those of one.
constexpr bool has_first_stage(SpaceKind kind) {
  return kind == SpaceKind::kFirstStage || kind == SpaceKind::kNested;
}

// The name of an address space in the IOTLB: by domain and PASID. In the paging-structure caches a second
// stage is known by its domain alone. SPEC: [VTD 6.2.1, Table 17]
class SpaceTag {
 public:
  SpaceTag() = default;
  SpaceTag(SpaceKind kind, DomainId did, Pasid pasid)
      : bits_((std::uint64_t{static_cast<std::uint8_t>(kind)} << 36) |
              (std::uint64_t{did.value()} << kDomainShift) | pasid.value()) {}
  explicit SpaceTag(std::uint64_t bits) : bits_(bits) {}

  std::uint64_t bits() const { return bits_; }
  // Of its entries in the paging-structure caches. WHY with the levels: a table of one tree must not answer
  // for another of a different height, should software give both to one domain.
  std::uint64_t table_bits(unsigned levels) const {
    const std::uint64_t bits = has_first_stage(kind()) ? bits_ : bits_ & ~std::uint64_t{kMaxPasid};
    return bits | (std::uint64_t{levels} << 40);
  }
  SpaceKind kind() const { return static_cast<SpaceKind>((bits_ >> 36) & 0xF); }
  // The part of a cache's sets that an owner's pages lie in; `Cache` is a Tlb.
  template <typename Cache, typename Params>
  static typename Cache::Partition partition(const Params& params) {
    return {params.partitions, params.partition_by == "domain" ? kDomainShift : 0};
  }
  DomainId did() const { return DomainId(static_cast<std::uint16_t>(bits_ >> kDomainShift)); }
  Pasid pasid() const { return Pasid(static_cast<std::uint32_t>(bits_ & kMaxPasid)); }

 private:
  static constexpr unsigned kDomainShift = 20;
  std::uint64_t bits_ = 0;
};

// An address space and how it is walked. Nested: `format` and `root`, a guest-physical address, are those of
// the first stage.
struct AddressSpace {
  const PageTableFormat* format = nullptr;  // nullptr: pass-through
  Addr root = 0;                            // of the top table
  SpaceTag tag;
  DomainId did;
  SpaceKind kind = SpaceKind::kPassThrough;
  std::uint8_t input_bits = 0;  // wider second-stage and pass-through addresses fault
  bool legacy = false;          // faults carry the legacy codes
  bool quiet = false;           // FPD: qualified faults are not recorded
  bool supervisor = false;      // SRE
  bool write_protect = false;   // WPE
  bool update_ad = false;
  bool walk_snoop = true;
  bool page_snoop = false;  // PGSNP

  // The second stage of a nested space.
  bool second_update_ad = false;  // SSADE
  std::uint8_t second_input_bits = 0;
  const PageTableFormat* second_format = nullptr;
  Addr second_root = 0;

  std::uint64_t born = 0;  // invalidations that had taken effect when its entry was asked for

  Addr entry = 0;  // where it was read: a PASID-table or legacy context entry

  // Of the paging-structure cache that knows the tables walked.
  std::uint64_t table_bits() const { return tag.table_bits(format->levels); }
  // The second stage of a nested space shares its tables with the domain's other spaces. SPEC: [VTD Table 17]
  SpaceTag second_tag() const { return {SpaceKind::kSecondStage, did, Pasid()}; }
  std::uint64_t second_table_bits() const { return second_tag().table_bits(second_format->levels); }
};

// A context entry of either mode.
struct ContextEntry {
  bool legacy = false;
  bool quiet = false;  // FPD
  // Scalable.
  bool device_tlb = false;      // DTE; legacy: TT allows ATS
  bool pasid_enable = false;    // PASIDE
  bool page_requests = false;   // PRE
  bool rid_privileged = false;  // RID_PRIV
  Pasid rid_pasid;
  std::uint32_t pasid_limit = 0;  // first PASID the directory does not cover
  Addr directory = 0;
  Addr entry = 0;  // where it was read
  // Legacy: the entry names the address space itself.
  AddressSpace space;
  std::uint64_t born = 0;  // as that of an AddressSpace
};

}  // namespace svasim
