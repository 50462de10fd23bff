#include "models/reference/page_table_builder.h"

#include "base/check.h"
#include "models/formats/vtd_second_stage.h"
#include "models/formats/x86_first_stage.h"

namespace svasim {
namespace {

constexpr std::uint64_t kAddressBits = FirstStageEntry::ADDR::kMask;
constexpr std::uint64_t kPageSizeBit = FirstStageEntry::PS::kMask;  // the same bit in both stages
static_assert(kAddressBits == SecondStageEntry::ADDR::kMask && kPageSizeBit == SecondStageEntry::PS::kMask);

Addr slot(Addr table, Addr iova, unsigned level) { return table + ((iova >> (3 + 9 * level)) & 0x1FF) * 8; }

unsigned level_of_shift(unsigned page_shift) {
  SVASIM_CHECK(page_shift == 12 || page_shift == 21 || page_shift == 30,
               "page sizes are 4 KiB, 2 MiB, 1 GiB");
  return (page_shift - 3) / 9;
}

}  // namespace

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

PageTableBuilder::PageTableBuilder(MemoryView& memory, PageMemory* pages_of, TablePages& allocator,
                                   TableStage stage, unsigned levels, bool internal_rights)
    : memory_(memory),
      pages_of_(pages_of),
      allocator_(allocator),
      stage_(stage),
      levels_(levels),
      read_bit_(internal_rights ? SecondStageEntry::IR::kMask : SecondStageEntry::R::kMask),
      write_bit_(internal_rights ? SecondStageEntry::IW::kMask : SecondStageEntry::W::kMask) {
  root_ = new_table();
}

Addr PageTableBuilder::new_table() {
  const Addr table = allocator_.allocate();
  if (pages_of_ != nullptr) pages_of_->add_page(table);
  for (unsigned i = 0; i < 512; ++i) write(table + 8 * i, 0);
  return table;
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
  return stage_ == TableStage::kFirst ? (entry & FirstStageEntry::P::kMask) != 0
                                      : (entry & (read_bit_ | write_bit_)) != 0;
}

bool PageTableBuilder::is_leaf(std::uint64_t entry, unsigned level) const {
  return level == 1 || (level <= 3 && (entry & kPageSizeBit) != 0);
}

std::uint64_t PageTableBuilder::leaf_entry(Addr pa, unsigned level, const LeafRights& rights) const {
  std::uint64_t entry = (pa & kAddressBits) | rights.extra | (level > 1 ? kPageSizeBit : 0);
  if (stage_ == TableStage::kFirst) {
    entry |= FirstStageEntry::P::kMask | FirstStageEntry::RW::make(rights.write) |
             FirstStageEntry::US::make(rights.user);
  } else {
    entry |= (rights.read ? read_bit_ : 0) | (rights.write ? write_bit_ : 0);
  }
  return entry;
}

std::uint64_t PageTableBuilder::table_entry(Addr table) const {
  if (stage_ == TableStage::kSecond) return table | read_bit_ | write_bit_;
  return table | FirstStageEntry::P::kMask | FirstStageEntry::RW::kMask | FirstStageEntry::US::kMask;
}

bool PageTableBuilder::map(Addr iova, Addr pa, unsigned page_shift, const LeafRights& rights) {
  const unsigned target = level_of_shift(page_shift);
  SVASIM_CHECK(((iova | pa) & ((Addr{1} << page_shift) - 1)) == 0, "a page is aligned to its size");
  Addr table = root_;
  for (unsigned level = levels_; level > target; --level) {
    const Addr where = slot(table, iova, level);
    std::uint64_t found = 0;
    if (!memory_.read64(where, found)) return false;
    if (!present(found)) {
      found = table_entry(new_table());
      write(where, found);
    } else if (is_leaf(found, level)) {
      return false;
    }
    table = found & kAddressBits;
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
  for (unsigned at = levels_; at > level; --at) {
    const std::uint64_t found = read(slot(table, iova, at));
    if (!present(found) || is_leaf(found, at)) return 0;
    table = found & kAddressBits;
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
  for (unsigned level = levels_;; --level) {
    const std::uint64_t found = read(slot(table, iova, level));
    if (!present(found)) return 0;
    if (is_leaf(found, level)) return level;
    table = found & kAddressBits;
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
  if (present(found) && !is_leaf(found, level)) free_table(found & kAddressBits, level - 1);
}

void PageTableBuilder::free_table(Addr table, unsigned level) {
  if (level > 1) {
    for (unsigned i = 0; i < 512; ++i) {
      const std::uint64_t found = read(table + 8 * i);
      if (present(found) && !is_leaf(found, level)) free_table(found & kAddressBits, level - 1);
    }
  }
  allocator_.release(table);
}

}  // namespace svasim
