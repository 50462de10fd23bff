#include "models/reference/page_table_builder.h"

#include "base/check.h"
#include "models/formats/riscv_page_table.h"
#include "models/formats/vtd_second_stage.h"
#include "models/formats/x86_first_stage.h"

namespace svasim {
namespace {

constexpr std::uint64_t kAddressBits = FirstStageEntry::ADDR::kMask;
constexpr std::uint64_t kPageSizeBit = FirstStageEntry::PS::kMask;  // the same bit in both stages
static_assert(kAddressBits == SecondStageEntry::ADDR::kMask && kPageSizeBit == SecondStageEntry::PS::kMask);

unsigned level_of_shift(unsigned page_shift, const TableShape& shape) {
  SVASIM_CHECK(page_shift % 9 == 3 && page_shift >= 12 && page_shift <= shape.largest_page(),
               "no page size of these tables");
  return (page_shift - 3) / 9;
}

}  // namespace

TableShape shape_of(std::string_view format) {
  using Entries = TableShape::Entries;
  struct Row {
    std::string_view name;
    TableShape shape;
  };
  static constexpr Row kRows[] = {
      {"x86-fs4", {Entries::kVtd, TableStage::kFirst, 4}},
      {"x86-fs5", {Entries::kVtd, TableStage::kFirst, 5}},
      {"vtd-ss3", {Entries::kVtd, TableStage::kSecond, 3}},
      {"vtd-ss4", {Entries::kVtd, TableStage::kSecond, 4}},
      {"vtd-ss5", {Entries::kVtd, TableStage::kSecond, 5}},
      {"riscv-sv39", {Entries::kRiscv, TableStage::kFirst, 3}},
      {"riscv-sv48", {Entries::kRiscv, TableStage::kFirst, 4}},
      {"riscv-sv57", {Entries::kRiscv, TableStage::kFirst, 5}},
      {"riscv-sv39x4", {Entries::kRiscv, TableStage::kSecond, 3}},
      {"riscv-sv48x4", {Entries::kRiscv, TableStage::kSecond, 4}},
      {"riscv-sv57x4", {Entries::kRiscv, TableStage::kSecond, 5}},
  };
  for (const Row& row : kRows) {
    if (row.name == format) return row.shape;
  }
  SVASIM_CHECK(false, "the reference does not know this page-table format");
  return {};
}

Addr TablePages::allocate() {
  if (!free_.empty()) {
    const Addr page = free_.back();
    free_.pop_back();
    return page;
  }
  SVASIM_CHECK(next_ + kPageSize <= end_, "the range for tables is used up");
  const Addr page = next_;
  next_ += kPageSize;
  return page;
}

Addr TablePages::allocate_aligned(unsigned count) {
  const Addr bytes = count * kPageSize;
  const Addr first = (next_ + bytes - 1) / bytes * bytes;
  for (; next_ < first; next_ += kPageSize) free_.push_back(next_);
  SVASIM_CHECK(first + bytes <= end_, "the range for tables is used up");
  next_ = first + bytes;
  return first;
}

PageTableBuilder::PageTableBuilder(MemoryView& memory, PageMemory* pages_of, TablePages& allocator,
                                   const TableShape& shape)
    : memory_(memory),
      pages_of_(pages_of),
      allocator_(allocator),
      shape_(shape),
      read_bit_(shape.internal_rights ? SecondStageEntry::IR::kMask : SecondStageEntry::R::kMask),
      write_bit_(shape.internal_rights ? SecondStageEntry::IW::kMask : SecondStageEntry::W::kMask) {
  // SPEC: [RVPRIV Two-Stage Address Translation] 16 KiB for two more bits of address.
  root_ = new_table(shape.riscv() && shape.stage == TableStage::kSecond ? 4 : 1);
}

Addr PageTableBuilder::new_table(unsigned pages) {
  const Addr table = pages == 1 ? allocator_.allocate() : allocator_.allocate_aligned(pages);
  for (Addr page = table; page < table + pages * kPageSize; page += kPageSize) {
    if (pages_of_ != nullptr) pages_of_->add_page(page);
    for (Addr entry = page; entry < page + kPageSize; entry += 8) write(entry, 0);
  }
  return table;
}

Addr PageTableBuilder::slot(Addr table, Addr iova, unsigned level) const {
  const bool wide = level == shape_.levels && shape_.riscv() && shape_.stage == TableStage::kSecond;
  return table + ((iova >> (3 + 9 * level)) & (wide ? 0x7FF : 0x1FF)) * 8;
}

Addr PageTableBuilder::address_in(std::uint64_t entry) const {
  return shape_.riscv() ? RiscvEntry::PPN::get(entry) * kPageSize : entry & kAddressBits;
}

std::uint64_t PageTableBuilder::read(Addr address) const {
  std::uint64_t value = 0;
  // WHY: a test may have made an entry point nowhere; nothing is mapped there.
  return memory_.read64(address, value) ? value : 0;
}

void PageTableBuilder::write(Addr address, std::uint64_t value) {
  SVASIM_CHECK(memory_.write64(address, value), "a table lies in memory");
}

bool PageTableBuilder::present(std::uint64_t entry) const {
  if (shape_.riscv()) return RiscvEntry::V::get(entry) != 0;
  return shape_.stage == TableStage::kFirst ? (entry & FirstStageEntry::P::kMask) != 0
                                            : (entry & (read_bit_ | write_bit_)) != 0;
}

bool PageTableBuilder::is_leaf(std::uint64_t entry, unsigned level) const {
  if (shape_.riscv()) return RiscvEntry::R::get(entry) != 0 || RiscvEntry::X::get(entry) != 0;
  return level == 1 || (level <= 3 && (entry & kPageSizeBit) != 0);
}

std::uint64_t PageTableBuilder::leaf_entry(Addr pa, unsigned level, const LeafRights& rights) const {
  if (shape_.riscv()) {
    using E = RiscvEntry;
    return E::PPN::make(pa / kPageSize) | E::V::kMask | E::R::make(rights.read) | E::W::make(rights.write) |
           E::U::make(rights.user) | rights.extra;
  }
  std::uint64_t entry = (pa & kAddressBits) | rights.extra | (level > 1 ? kPageSizeBit : 0);
  if (shape_.stage == TableStage::kFirst) {
    entry |= FirstStageEntry::P::kMask | FirstStageEntry::RW::make(rights.write) |
             FirstStageEntry::US::make(rights.user);
  } else {
    entry |= (rights.read ? read_bit_ : 0) | (rights.write ? write_bit_ : 0);
  }
  return entry;
}

std::uint64_t PageTableBuilder::table_entry(Addr table) const {
  if (shape_.riscv()) return RiscvEntry::PPN::make(table / kPageSize) | RiscvEntry::V::kMask;
  if (shape_.stage == TableStage::kSecond) return table | read_bit_ | write_bit_;
  return table | FirstStageEntry::P::kMask | FirstStageEntry::RW::kMask | FirstStageEntry::US::kMask;
}

bool PageTableBuilder::map(Addr iova, Addr pa, unsigned page_shift, const LeafRights& rights) {
  const unsigned target = level_of_shift(page_shift, shape_);
  SVASIM_CHECK(((iova | pa) & ((Addr{1} << page_shift) - 1)) == 0, "a page is aligned to its size");
  Addr table = root_;
  for (unsigned level = shape_.levels; level > target; --level) {
    const Addr where = slot(table, iova, level);
    std::uint64_t found = 0;
    if (!memory_.read64(where, found)) return false;
    if (!present(found)) {
      found = table_entry(new_table());
      write(where, found);
    } else if (is_leaf(found, level)) {
      return false;
    }
    table = address_in(found);
  }
  const Addr where = slot(table, iova, target);
  std::uint64_t found = 0;
  if (!memory_.read64(where, found)) return false;
  if (present(found) && !is_leaf(found, target)) return false;
  write(where, leaf_entry(pa, target, rights));
  return true;
}

bool PageTableBuilder::map_range(Addr iova, Addr pa, std::uint64_t bytes, const LeafRights& rights,
                                 unsigned largest) {
  while (bytes != 0) {
    unsigned shift = 12;
    for (const unsigned candidate : {21U, 30U}) {
      const Addr size = Addr{1} << candidate;
      if (candidate <= largest && bytes >= size && ((iova | pa) & (size - 1)) == 0) shift = candidate;
    }
    if (!map(iova, pa, shift, rights)) return false;
    const Addr size = Addr{1} << shift;
    iova += size;
    pa += size;
    bytes = bytes > size ? bytes - size : 0;
  }
  return true;
}

Addr PageTableBuilder::entry_address(Addr iova, unsigned level) const {
  Addr table = root_;
  for (unsigned at = shape_.levels; at > level; --at) {
    const std::uint64_t found = read(slot(table, iova, at));
    if (!present(found) || is_leaf(found, at)) return 0;
    table = address_in(found);
  }
  return slot(table, iova, level);
}

std::uint64_t PageTableBuilder::entry(Addr iova, unsigned level) const {
  const Addr where = entry_address(iova, level);
  return where == 0 ? 0 : read(where);
}

void PageTableBuilder::set_entry(Addr iova, unsigned level, std::uint64_t value) {
  const Addr where = entry_address(iova, level);
  SVASIM_CHECK(where != 0, "the tables reach down to the level");
  write(where, value);
}

unsigned PageTableBuilder::leaf_level(Addr iova) const {
  Addr table = root_;
  for (unsigned level = shape_.levels;; --level) {
    const std::uint64_t found = read(slot(table, iova, level));
    if (!present(found)) return 0;
    if (is_leaf(found, level)) return level;
    table = address_in(found);
  }
}

bool PageTableBuilder::unmap(Addr iova) {
  const unsigned level = leaf_level(iova);
  if (level == 0) return false;
  set_entry(iova, level, 0);
  return true;
}

void PageTableBuilder::cut(Addr iova, unsigned level) {
  const Addr where = entry_address(iova, level);
  if (where == 0) return;
  const std::uint64_t found = read(where);
  write(where, 0);
  if (present(found) && !is_leaf(found, level)) free_table(address_in(found), level - 1);
}

void PageTableBuilder::free_table(Addr table, unsigned level) {
  if (level > 1) {
    for (unsigned i = 0; i < 512; ++i) {
      const std::uint64_t found = read(table + 8 * i);
      if (present(found) && !is_leaf(found, level)) free_table(address_in(found), level - 1);
    }
  }
  allocator_.release(table);
}

}  // namespace svasim
