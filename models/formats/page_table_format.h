// A page-table format as data: what a walker needs to know about each level, without an algorithm.
//
// The timed walker, the RTL wrapper and the host's tables all work from one of these objects, so
// adding a format is one header that fills it and one line in format_table.cpp. The masks are
// computed once from the options; using them per entry costs an AND and a compare.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bits.h"
#include "base/types.h"

namespace svasim {

enum class TableStage : std::uint8_t { kFirst, kSecond };

// What the user bit of the entries means to a request.
enum class UserRule : std::uint8_t {
  kNone,               // nothing: the format keeps no such bit
  kBindsUnprivileged,  // unprivileged requests need it, privileged ones pass over it
  kSeparates,          // unprivileged requests need it; it keeps privileged ones out unless they are let in
  kBindsAll,           // every request counts as unprivileged
};

// What the tables' meaning depends on beside their contents. Taken from the capability registers,
// the PASID-table entry and RTADDR by whoever makes the format.
struct PageFormatOptions {
  unsigned host_address_width = 46;  // HAW; higher address bits of an entry are reserved
  bool first_stage_1g = true;        // CAP.FS1GP
  bool second_stage_2m = true;       // CAP.SSLPS bit 0
  bool second_stage_1g = true;       // CAP.SSLPS bit 1
  bool extended_accessed = false;    // EAFE of the PASID-table entry (first stage)
  bool accessed_dirty = false;       // SSADE of the PASID-table entry (second stage)
  bool snoop_control = false;        // ECAP.SC: bit 11 of a second-stage leaf is SNP
  bool internal_rights = false;      // RTADDR.SSIRWE: IR and IW instead of R and W (second stage)
};

inline constexpr unsigned kMaxLevels = 5;

// Rules of one level.
struct PageLevel {
  std::uint64_t leaf_bit = 0;        // an entry with any of these bits is a leaf; 0: no leaf here by a bit
  std::uint64_t reserved_table = 0;  // bits that must be 0 in an entry that points to a table; all: none may
  std::uint64_t reserved_leaf = 0;   // bits that must be 0 in a leaf
  std::uint64_t leaf_address = 0;    // address bits of a leaf
  std::uint16_t index_mask = 511;    // the table here has one entry more than this
  std::uint8_t shift = 0;            // lowest IOVA bit of the index = page shift of a leaf here
  bool always_leaf = false;          // every entry is a leaf, without a bit for it
  bool may_be_leaf = false;
};

// Levels count from 1 (the entries of 4-KiB pages) to `levels` (the top table), as in the
// specifications' "L1 ... L5"; there is no level 0.
struct PageTableFormat {
  std::string_view name;
  TableStage stage = TableStage::kFirst;
  std::uint8_t levels = 0;
  std::uint8_t input_bits = 0;     // width of the input address
  bool canonical = false;          // bits above must equal the top input bit; otherwise they must be 0
  std::uint8_t address_shift = 0;  // an address lies this far below its place in an entry

  std::uint64_t present = 0;  // an entry is present when any of these is 1
  // An encoding that is reserved whatever the level: entry & encoding_bits == reserved_encoding. By
  // default there is none.
  std::uint64_t encoding_bits = 0;
  std::uint64_t reserved_encoding = 1;
  // Rights. A right exists when its bit is 1 at every level; a mask of 0 means the format does not
  // restrict it.
  std::uint64_t read = 0;
  std::uint64_t write = 0;
  std::uint64_t user = 0;
  std::uint64_t leaf_rights = 0;   // rights an entry that points to a table does not restrict
  bool present_by_rights = false;  // a page without any right left is not present
  bool privileged_writes = false;  // a privileged request passes over `write` unless write-protected
  UserRule user_rule = UserRule::kNone;
  // Bits set by hardware. Accessed on the leaf (with extended accessed in the same update), dirty on
  // the leaf of a write, table_accessed on an entry that points to a table. A mask of 0: the format
  // keeps no such bit.
  std::uint64_t accessed = 0;
  std::uint64_t extended_accessed = 0;
  std::uint64_t dirty = 0;
  std::uint64_t table_accessed = 0;
  bool marks_required = false;      // where hardware is not to set a missing bit the page is not present
  std::uint64_t snoop = 0;          // SNP of a leaf
  std::uint64_t table_address = 0;  // address bits of an entry that points to a table
  std::array<PageLevel, kMaxLevels + 1> level{};  // [0] unused

  static constexpr unsigned kIndexBits = 9;
  static constexpr unsigned kEntrySize = 8;
  static constexpr unsigned kEntriesPerTable = 1U << kIndexBits;  // of 4 KiB; a top table may be larger

  constexpr unsigned index(unsigned at_level, Addr iova) const {
    return static_cast<unsigned>(iova >> level[at_level].shift) & level[at_level].index_mask;
  }
  constexpr Addr entry_address(unsigned at_level, Addr table, Addr iova) const {
    return table + std::uint64_t{index(at_level, iova)} * kEntrySize;
  }
  constexpr bool is_present(std::uint64_t entry) const { return (entry & present) != 0; }
  constexpr bool is_leaf(unsigned at_level, std::uint64_t entry) const {
    const PageLevel& rules = level[at_level];
    return rules.always_leaf || (entry & rules.leaf_bit) != 0;
  }
  // Reserved bits that are set, for an entry is_leaf has classified.
  constexpr std::uint64_t reserved_bits(unsigned at_level, std::uint64_t entry, bool leaf) const {
    return entry & (leaf ? level[at_level].reserved_leaf : level[at_level].reserved_table);
  }
  // The entry is malformed: reserved bits or the reserved encoding.
  constexpr bool is_reserved(unsigned at_level, std::uint64_t entry, bool leaf) const {
    return reserved_bits(at_level, entry, leaf) != 0 || (entry & encoding_bits) == reserved_encoding;
  }
  constexpr Addr next_table(std::uint64_t entry) const { return (entry & table_address) << address_shift; }
  // Address of the page a leaf maps, aligned to its size.
  constexpr Addr page_address(unsigned at_level, std::uint64_t entry) const {
    return (entry & level[at_level].leaf_address) << address_shift;
  }
  constexpr unsigned page_shift(unsigned at_level) const { return level[at_level].shift; }
  // Every bit of `mask` set in `entry`; true for a right the format does not restrict.
  static constexpr bool grants(std::uint64_t entry, std::uint64_t mask) { return (entry & mask) == mask; }

  // The input address can be looked up at all (canonical, or within the width).
  constexpr bool accepts(Addr iova) const {
    if (!canonical) return input_bits >= 64 || (iova >> input_bits) == 0;
    const unsigned top = input_bits - 1U;
    const std::uint64_t upper = iova >> top;
    return upper == 0 || upper == (~std::uint64_t{0} >> top);
  }
};

// One line per format.
struct PageFormatEntry {
  std::string_view name;
  std::string_view description;
  PageTableFormat (*make)(const PageFormatOptions& options);
};

const std::vector<PageFormatEntry>& format_table();

// nullptr when there is no such format.
const PageFormatEntry* find_format(std::string_view name);

}  // namespace svasim
