// The page-table formats: masks per level against bit numbers from the specification, and rules
// every format of format_table() obeys.
#include <gtest/gtest.h>

#include "models/formats/page_table_format.h"
#include "models/formats/riscv_page_table.h"
#include "models/formats/vtd_second_stage.h"
#include "models/formats/x86_first_stage.h"

namespace svasim {
namespace {

TEST(FormatTable, NamesAndWidths) {
  ASSERT_EQ(format_table().size(), 11u);
  const PageFormatOptions options;
  const std::pair<const char*, unsigned> expected[] = {
      {"x86-fs4", 48},      {"x86-fs5", 57},      {"vtd-ss3", 39},     {"vtd-ss4", 48},
      {"vtd-ss5", 57},      {"riscv-sv39", 39},   {"riscv-sv48", 48},  {"riscv-sv57", 57},
      {"riscv-sv39x4", 41}, {"riscv-sv48x4", 50}, {"riscv-sv57x4", 59}};
  for (const auto& [name, bits] : expected) {
    const PageFormatEntry* entry = find_format(name);
    ASSERT_NE(entry, nullptr) << name;
    const PageTableFormat format = entry->make(options);
    EXPECT_EQ(format.name, name);
    EXPECT_EQ(format.input_bits, bits);
  }
  EXPECT_EQ(find_format("x86-fs6"), nullptr);
}

class EveryFormat : public testing::TestWithParam<PageFormatEntry> {};

TEST_P(EveryFormat, IndicesPartitionTheInput) {
  const PageTableFormat format = GetParam().make({});
  std::uint64_t covered = mask_between(11, 0);
  for (unsigned level = 1; level <= format.levels; ++level) {
    const bool wide = level == format.levels && format.input_bits % 9 == 5;  // x4
    const std::uint64_t bits =
        mask_between(format.level[level].shift + (wide ? 10U : 8U), format.level[level].shift);
    EXPECT_EQ(covered & bits, 0u) << "level " << level;
    covered |= bits;
    EXPECT_EQ(format.index(level, bits), wide ? 2047u : 511u);
    EXPECT_EQ(format.index(level, ~bits), 0u);
  }
  EXPECT_EQ(covered, mask_between(format.input_bits - 1U, 0));
}

TEST_P(EveryFormat, NoBitHasTwoMeanings) {
  for (const unsigned haw : {39u, 46u, 52u}) {
    PageFormatOptions options;
    options.host_address_width = haw;
    options.accessed_dirty = options.extended_accessed = options.snoop_control = true;
    const PageTableFormat format = GetParam().make(options);
    const std::uint64_t attributes = format.present | format.read | format.write | format.user |
                                     format.accessed | format.extended_accessed | format.dirty;
    EXPECT_EQ(attributes & format.table_address, 0u);
    const std::uint64_t of_tables = format.present |
                                    ((format.read | format.write | format.user) & ~format.leaf_rights) |
                                    format.table_accessed;
    const unsigned width = format.address_shift == 0 ? haw : 56;  // RISC-V: all of the page number
    for (unsigned level = 1; level <= format.levels; ++level) {
      const PageLevel& rules = format.level[level];
      EXPECT_EQ(attributes & rules.reserved_leaf, 0u) << level;
      if (rules.reserved_table != ~std::uint64_t{0}) {  // a table may be here
        EXPECT_EQ(of_tables & rules.reserved_table, 0u) << level;
        EXPECT_EQ(rules.reserved_table & format.table_address, 0u) << level;
        EXPECT_EQ(rules.leaf_bit & rules.reserved_table, 0u) << level;
      }
      EXPECT_EQ(rules.reserved_leaf & rules.leaf_address, 0u) << level;
      EXPECT_EQ(rules.leaf_bit & rules.reserved_leaf, 0u) << level;
      EXPECT_EQ(rules.may_be_leaf, rules.always_leaf || rules.leaf_bit != 0) << level;
      if (rules.may_be_leaf) {
        EXPECT_EQ(rules.leaf_address << format.address_shift, mask_between(width - 1, rules.shift)) << level;
      }
    }
  }
}

TEST_P(EveryFormat, AcceptsItsWidthAndNoMore) {
  const PageTableFormat format = GetParam().make({});
  const Addr top = Addr{1} << (format.input_bits - 1);
  EXPECT_TRUE(format.accepts(0));
  EXPECT_TRUE(format.accepts(top - 1));
  EXPECT_EQ(format.accepts(top), !format.canonical);
  EXPECT_EQ(format.accepts(0 - top), format.canonical);
  EXPECT_FALSE(format.accepts(top << 1));
  EXPECT_EQ(format.accepts(~Addr{0}), format.canonical);
}

INSTANTIATE_TEST_SUITE_P(All, EveryFormat, testing::ValuesIn(format_table()), [](const auto& test) {
  std::string name(test.param.name);
  for (char& c : name) c = c == '-' ? '_' : c;
  return name;
});

TEST(FirstStage, MasksByBitNumber) {
  PageFormatOptions options;
  options.host_address_width = 46;
  const PageTableFormat format = make_x86_first_stage(5, options);
  const auto bit = [](unsigned n) { return std::uint64_t{1} << n; };
  EXPECT_EQ(format.present, bit(0));
  EXPECT_EQ(format.write, bit(1));
  EXPECT_EQ(format.user, bit(2));
  EXPECT_EQ(format.accessed, bit(5));
  EXPECT_EQ(format.dirty, bit(6));
  EXPECT_EQ(format.read, 0u);
  const std::uint64_t beyond = mask_between(51, 46);
  EXPECT_EQ(format.level[5].reserved_table, beyond | bit(7));
  EXPECT_EQ(format.level[4].reserved_table, beyond | bit(7));
  EXPECT_EQ(format.level[3].reserved_table, beyond);
  EXPECT_EQ(format.level[3].reserved_leaf, beyond | mask_between(29, 13));
  EXPECT_EQ(format.level[2].reserved_leaf, beyond | mask_between(20, 13));
  EXPECT_EQ(format.level[1].reserved_leaf, beyond);
  options.first_stage_1g = false;
  EXPECT_EQ(make_x86_first_stage(4, options).level[3].reserved_table, beyond | bit(7));
  EXPECT_FALSE(make_x86_first_stage(4, options).is_leaf(3, bit(7)));
  EXPECT_EQ(format.extended_accessed, 0u);
  options.extended_accessed = true;
  EXPECT_EQ(make_x86_first_stage(4, options).extended_accessed, bit(10));
}

TEST(SecondStage, MasksByBitNumber) {
  PageFormatOptions options;
  options.host_address_width = 46;
  const auto bit = [](unsigned n) { return std::uint64_t{1} << n; };
  PageTableFormat format = make_vtd_second_stage(5, options);
  EXPECT_EQ(format.present, bit(0) | bit(1));
  EXPECT_EQ(format.read, bit(0));
  EXPECT_EQ(format.write, bit(1));
  EXPECT_EQ(format.accessed | format.dirty | format.snoop | format.user, 0u);
  const std::uint64_t always = mask_between(51, 46) | bit(62);
  EXPECT_EQ(format.level[5].reserved_table, always | bit(11) | bit(7));
  EXPECT_EQ(format.level[4].reserved_table, always | bit(11) | bit(7));
  EXPECT_EQ(format.level[3].reserved_table, always | bit(11));
  EXPECT_EQ(format.level[3].reserved_leaf, always | bit(11) | mask_between(29, 12));
  EXPECT_EQ(format.level[2].reserved_leaf, always | bit(11) | mask_between(20, 12));
  EXPECT_EQ(format.level[1].reserved_leaf, always | bit(11));
  options.snoop_control = true;
  options.accessed_dirty = true;
  options.internal_rights = true;
  options.second_stage_1g = false;
  format = make_vtd_second_stage(4, options);
  EXPECT_EQ(format.snoop, bit(11));
  EXPECT_EQ(format.accessed, bit(8));
  EXPECT_EQ(format.dirty, bit(9));
  EXPECT_EQ(format.present, bit(61) | bit(62));
  EXPECT_EQ(format.level[1].reserved_leaf, mask_between(51, 46));
  EXPECT_EQ(format.level[3].reserved_table, mask_between(51, 46) | bit(11) | bit(7));
}

TEST(Riscv, MasksByBitNumber) {
  const auto bit = [](unsigned n) { return std::uint64_t{1} << n; };
  const PageTableFormat format = make_riscv(TableStage::kFirst, 4);
  EXPECT_EQ(format.present, bit(0));
  EXPECT_EQ(format.read, bit(1));
  EXPECT_EQ(format.write, bit(2));
  EXPECT_EQ(format.user, bit(4));
  EXPECT_EQ(format.accessed, bit(6));
  EXPECT_EQ(format.dirty, bit(7));
  EXPECT_EQ(format.table_accessed, 0u);
  EXPECT_EQ(format.table_address, mask_between(53, 10));
  for (unsigned level = 1; level <= 4; ++level) {
    EXPECT_EQ(format.level[level].leaf_bit, bit(1) | bit(3));
    EXPECT_EQ(format.level[level].reserved_leaf, mask_between(63, 54) | mask_between(9 * level, 10)) << level;
    EXPECT_EQ(format.level[level].index_mask, 511u);
    if (level > 1) {
      EXPECT_EQ(format.level[level].reserved_table, mask_between(63, 54) | bit(4) | bit(6) | bit(7));
    }
  }
  EXPECT_TRUE(format.is_reserved(1, 0x1, false));
  EXPECT_FALSE(format.is_reserved(2, 0x1, false));
  for (const unsigned xwr : {0b010U, 0b110U}) EXPECT_TRUE(format.is_reserved(1, xwr << 1 | 1, true));
  for (const unsigned xwr : {0b001U, 0b011U, 0b100U, 0b101U, 0b111U}) {
    EXPECT_FALSE(format.is_reserved(1, xwr << 1 | 1, true));
  }
}

}  // namespace
}  // namespace svasim
