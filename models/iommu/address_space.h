// What a request translates with: decoded context and PASID-table entries.
#pragma once

#include <cstdint>

#include "base/types.h"
#include "models/formats/page_table_format.h"
#include "models/formats/vtd_context.h"

namespace svasim {

enum class SpaceKind : std::uint8_t { kFirstStage, kSecondStage, kPassThrough };

// The name of an address space in the IOTLB and the paging-structure caches: first stage by domain
// and PASID, second stage by domain. SPEC: [VTD 6.2.1, Table 17]
class SpaceTag {
 public:
  SpaceTag() = default;
  SpaceTag(SpaceKind kind, DomainId did, Pasid pasid)
      : bits_((std::uint64_t{static_cast<std::uint8_t>(kind)} << 36) |
              (std::uint64_t{did.value()} << kDomainShift) |
              (kind == SpaceKind::kFirstStage ? pasid.value() : 0)) {}
  explicit SpaceTag(std::uint64_t bits) : bits_(bits) {}

  std::uint64_t bits() const { return bits_; }
  SpaceKind kind() const { return static_cast<SpaceKind>(bits_ >> 36); }
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

// An address space and how it is walked.
struct AddressSpace {
  const PageTableFormat* format = nullptr;  // nullptr: pass-through
  Addr root = 0;                            // of the top table
  SpaceTag tag;
  DomainId did;
  Pasid pasid;  // it was found by; RID_PASID for requests without one, 0 in legacy mode
  SpaceKind kind = SpaceKind::kPassThrough;
  std::uint8_t input_bits = 0;   // wider second-stage and pass-through addresses fault
  bool legacy = false;           // faults carry the legacy codes
  bool quiet = false;            // FPD: qualified faults are not recorded
  bool supervisor = false;       // SRE
  bool write_protect = false;    // WPE
  bool extended_access = false;  // EAFE
  bool update_ad = false;
  bool walk_snoop = true;
  bool page_snoop = false;  // PGSNP
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
  // Legacy: the entry names the address space itself.
  AddressSpace space;
};

}  // namespace svasim
