// First-stage tables: the x86-64 shape, shared with the CPUs. SPEC: [VTD 3.6, 9.8]
#pragma once

#include "models/formats/page_table_format.h"

namespace svasim {

// Bits of a first-stage entry.
struct FirstStageEntry {
  using P = Bit<0>;
  using RW = Bit<1>;
  using US = Bit<2>;
  using PWT = Bit<3>;
  using PCD = Bit<4>;
  using A = Bit<5>;
  using D = Bit<6>;    // leaf only
  using PS = Bit<7>;   // level 2 and 3
  using G = Bit<8>;    // ignored by the IOMMU
  using EA = Bit<10>;  // with EAFE
  using ADDR = Field<51, 12>;
  using XD = Bit<63>;  // ignored: there are no execute requests
};

// levels is 4 or 5.
constexpr PageTableFormat make_x86_first_stage(unsigned levels, const PageFormatOptions& options) {
  using E = FirstStageEntry;
  PageTableFormat format;
  format.name = levels == 5 ? "x86-fs5" : "x86-fs4";
  format.stage = TableStage::kFirst;
  format.levels = static_cast<std::uint8_t>(levels);
  format.input_bits = static_cast<std::uint8_t>(12 + 9 * levels);
  format.canonical = true;
  format.present = E::P::kMask;
  format.read = 0;  // every valid translation can be read
  format.write = E::RW::kMask;
  format.user = E::US::kMask;
  format.user_rule = UserRule::kBindsUnprivileged;
  format.privileged_writes = true;  // SPEC: [VTD 3.6.1]
  format.accessed = E::A::kMask;
  format.extended_accessed = options.extended_accessed ? E::EA::kMask : 0;
  format.table_accessed = format.accessed | format.extended_accessed;
  format.dirty = E::D::kMask;
  format.table_address = mask_between(options.host_address_width - 1, 12);
  const std::uint64_t beyond_width = mask_between(51, options.host_address_width);
  for (unsigned n = 1; n <= levels; ++n) {
    PageLevel& level = format.level[n];
    level.shift = static_cast<std::uint8_t>(12 + 9 * (n - 1));
    level.always_leaf = n == 1;
    level.may_be_leaf = n == 1 || n == 2 || (n == 3 && options.first_stage_1g);
    level.leaf_bit = n > 1 && level.may_be_leaf ? E::PS::kMask : 0;
    // Bit 7 of an entry that cannot be a large page is reserved; at level 1 it is PAT.
    level.reserved_table = beyond_width | (n == 1 ? 0 : E::PS::kMask & ~level.leaf_bit);
    if (level.may_be_leaf) {
      level.leaf_address = mask_between(options.host_address_width - 1, level.shift);
      // Bit 12 of a large page is PAT; the address bits between it and the page size are reserved.
      level.reserved_leaf = beyond_width | mask_between(level.shift - 1U, 13);
    }
  }
  return format;
}

}  // namespace svasim
