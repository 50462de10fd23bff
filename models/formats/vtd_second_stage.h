// Second-stage tables: the EPT-like shape. SPEC: [VTD 3.7, 9.9]
#pragma once

#include "models/formats/page_table_format.h"

namespace svasim {

// Bits of a second-stage entry.
struct SecondStageEntry {
  using R = Bit<0>;
  using W = Bit<1>;
  using EMT = Field<5, 3>;  // leaf
  using IPAT = Bit<6>;      // leaf
  using PS = Bit<7>;        // level 2 and 3
  using A = Bit<8>;         // with SSADE
  using D = Bit<9>;         // leaf, with SSADE
  using SNP = Bit<11>;      // leaf, with ECAP.SC
  using ADDR = Field<51, 12>;
  using IR = Bit<61>;  // with RTADDR.SSIRWE
  using IW = Bit<62>;  // with RTADDR.SSIRWE, otherwise reserved
};

// levels is 3, 4 or 5.
constexpr PageTableFormat make_vtd_second_stage(unsigned levels, const PageFormatOptions& options) {
  using E = SecondStageEntry;
  PageTableFormat format;
  format.name = levels == 5 ? "vtd-ss5" : levels == 4 ? "vtd-ss4" : "vtd-ss3";
  format.stage = TableStage::kSecond;
  format.levels = static_cast<std::uint8_t>(levels);
  format.input_bits = static_cast<std::uint8_t>(12 + 9 * levels);
  format.canonical = false;
  format.read = options.internal_rights ? E::IR::kMask : E::R::kMask;
  format.write = options.internal_rights ? E::IW::kMask : E::W::kMask;
  format.user = 0;
  format.present = format.read | format.write;
  format.present_by_rights = true;  // SPEC: [VTD 3.7]
  format.accessed = options.accessed_dirty ? E::A::kMask : 0;
  format.table_accessed = format.accessed;
  format.dirty = options.accessed_dirty ? E::D::kMask : 0;
  format.snoop = options.snoop_control ? E::SNP::kMask : 0;
  format.table_address = mask_between(options.host_address_width - 1, 12);
  const std::uint64_t reserved =
      mask_between(51, options.host_address_width) | (options.internal_rights ? 0 : E::IW::kMask);
  for (unsigned n = 1; n <= levels; ++n) {
    PageLevel& level = format.level[n];
    level.shift = static_cast<std::uint8_t>(12 + 9 * (n - 1));
    level.always_leaf = n == 1;
    level.may_be_leaf = n == 1 || (n == 2 && options.second_stage_2m) || (n == 3 && options.second_stage_1g);
    level.leaf_bit = n > 1 && level.may_be_leaf ? E::PS::kMask : 0;
    level.reserved_table = reserved | E::SNP::kMask | (n == 1 ? 0 : E::PS::kMask & ~level.leaf_bit);
    if (level.may_be_leaf) {
      level.leaf_address = mask_between(options.host_address_width - 1, level.shift);
      level.reserved_leaf =
          reserved | (options.snoop_control ? 0 : E::SNP::kMask) | mask_between(level.shift - 1U, 12);
    }
  }
  return format;
}

}  // namespace svasim
