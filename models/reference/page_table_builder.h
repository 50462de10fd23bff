// Builds page tables for tests, entry by entry, without the helpers the walkers use.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "models/formats/page_table_format.h"
#include "models/reference/memory_view.h"

namespace svasim {

// Hands out table pages of a range of physical memory, lowest address first, freed ones again last
// in first out.
class TablePages {
 public:
  TablePages(Addr first, Addr end) : next_(first), end_(end) {}
  // Throws InternalError when the range is used up.
  Addr allocate();
  // `count` pages in a row (a power of two), aligned to their size together.
  Addr allocate_aligned(unsigned count);
  void release(Addr page) { free_.push_back(page); }

 private:
  Addr next_;
  Addr end_;
  std::vector<Addr> free_;
};

struct LeafRights {
  bool read = true;  // not the x86 first stage
  bool write = true;
  bool user = true;         // not the VT-d second stage
  std::uint64_t extra = 0;  // further bits of the leaf (A, D, X, SNP, ignored bits)
};

// What kind of tables a builder writes.
struct TableShape {
  enum class Entries : std::uint8_t { kVtd, kRiscv };
  Entries entries = Entries::kVtd;
  TableStage stage = TableStage::kFirst;
  unsigned levels = 4;
  bool internal_rights = false;  // IR and IW of a VT-d second stage

  bool riscv() const { return entries == Entries::kRiscv; }
  // Width of the input address.
  unsigned input_bits() const { return 12 + 9 * levels + (riscv() && stage == TableStage::kSecond ? 2 : 0); }
  // The largest page: 1 GiB, or where every level may hold a leaf that of the top level.
  unsigned largest_page() const { return riscv() ? 3 + 9 * levels : 30; }
};

// The shape of a format of format_table(). Throws InternalError when the reference does not know it.
TableShape shape_of(std::string_view format);

class PageTableBuilder {
 public:
  // Table pages must exist in `memory`: with a PageMemory, pass `memory` itself as `pages_of` and they
  // are added as they are allocated; with other memories pass nullptr.
  PageTableBuilder(MemoryView& memory, PageMemory* pages_of, TablePages& allocator, const TableShape& shape);
  PageTableBuilder(MemoryView& memory, PageMemory* pages_of, TablePages& allocator, TableStage stage,
                   unsigned levels, bool internal_rights = false)
      : PageTableBuilder(memory, pages_of, allocator,
                         TableShape{TableShape::Entries::kVtd, stage, levels, internal_rights}) {}
  PageTableBuilder(PageMemory& memory, TablePages& allocator, TableStage stage, unsigned levels,
                   bool internal_rights = false)
      : PageTableBuilder(memory, &memory, allocator, stage, levels, internal_rights) {}

  Addr root() const { return root_; }
  unsigned levels() const { return shape_.levels; }

  // Maps one page of 2^page_shift bytes (12, 21, 30; RISC-V also 39 and 48). Replaces a leaf of the same
  // size. False, and nothing changed, when a table, a larger page or an entry that points nowhere is in the
  // way. Tables above grant everything.
  bool map(Addr iova, Addr pa, unsigned page_shift, const LeafRights& rights = {});

  // Maps a range with the largest pages its alignment and `largest` allow.
  bool map_range(Addr iova, Addr pa, std::uint64_t bytes, const LeafRights& rights = {},
                 unsigned largest = 12);

  // Clears the leaf that maps `iova`. False when none does. Tables stay.
  bool unmap(Addr iova);
  // Clears whatever is in the level-`level` entry for `iova` and gives the tables below back.
  void cut(Addr iova, unsigned level);

  // The entry of `level` on the way to `iova`; 0 when the tables do not reach that far down.
  Addr entry_address(Addr iova, unsigned level) const;
  std::uint64_t entry(Addr iova, unsigned level) const;
  void set_entry(Addr iova, unsigned level, std::uint64_t value);
  // Level of the leaf that maps `iova`; 0 when none does.
  unsigned leaf_level(Addr iova) const;

 private:
  Addr new_table(unsigned pages = 1);
  Addr slot(Addr table, Addr iova, unsigned level) const;
  Addr address_in(std::uint64_t entry) const;
  bool present(std::uint64_t entry) const;
  bool is_leaf(std::uint64_t entry, unsigned level) const;
  std::uint64_t leaf_entry(Addr pa, unsigned level, const LeafRights& rights) const;
  std::uint64_t table_entry(Addr table) const;
  std::uint64_t read(Addr address) const;
  void write(Addr address, std::uint64_t value);
  void free_table(Addr table, unsigned level);

  MemoryView& memory_;
  PageMemory* pages_of_;
  TablePages& allocator_;
  TableShape shape_;
  std::uint64_t read_bit_;
  std::uint64_t write_bit_;
  Addr root_ = 0;
};

}  // namespace svasim
