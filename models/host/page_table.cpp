#include "models/host/page_table.h"

#include "base/check.h"

namespace svasim {

PageTable::PageTable(const PageTableFormat& format, PhysicalMemory& memory, PageAllocator& pages, Owner owner)
    : format_(format), memory_(memory), pages_(pages), owner_(owner) {
  root_ = pages_.needed(pages_.allocate(), "a page table");
  memory_.zero_page(root_);
  tables_.push_back(root_);
}

// SPEC: [LINUX arch/x86/include/asm/pgtable_types.h _PAGE_TABLE, drivers/iommu/intel/iommu.c]: A is set in
// advance, so that no walk has to.
std::uint64_t PageTable::table_entry(Addr table) const {
  const std::uint64_t user = owner_ == Owner::kUser ? format_.user : 0;
  const std::uint64_t accessed = format_.stage == TableStage::kFirst ? format_.table_accessed : 0;
  return table | format_.present | format_.write | user | accessed;
}

Addr PageTable::descend(Addr va, unsigned level, bool create) {
  Addr table = root_;
  for (unsigned at = format_.levels; at > level; --at) {
    const Addr place = format_.entry_address(at, table, va);
    const std::uint64_t entry = memory_.read64(place);
    if (format_.is_present(entry)) {
      SVASIM_CHECK(!format_.is_leaf(at, entry), "a page is mapped inside a larger one");
      table = format_.next_table(entry);
      continue;
    }
    if (!create) {
      return 0;
    }
    const auto page = pages_.allocate();
    if (!page.has_value()) {
      return 0;
    }
    memory_.zero_page(*page);
    tables_.push_back(*page);
    memory_.write64(place, table_entry(*page));
    table = *page;
  }
  return format_.entry_address(level, table, va);
}

bool PageTable::map(Addr va, Addr pa, unsigned level, bool writable, bool dirty) {
  const Addr place = descend(va, level, true);
  if (place == 0) {
    return false;
  }
  SVASIM_CHECK(!format_.is_present(memory_.read64(place)), "a page is mapped twice");
  const bool first = format_.stage == TableStage::kFirst;
  std::uint64_t entry = pa | (first ? format_.present : format_.read);
  entry |= first && owner_ == Owner::kUser ? format_.user : 0;
  entry |= first ? format_.accessed : 0;
  entry |= writable ? format_.write : 0;
  entry |= first && writable && dirty ? format_.dirty : 0;
  entry |= format_.level[level].leaf_bit;
  memory_.write64(place, entry);
  return true;
}

PageTable::Leaf PageTable::leaf_of(Addr place, std::uint64_t entry, unsigned level) const {
  return {place,
          entry,
          level,
          format_.page_address(level, entry),
          format_.page_shift(level),
          PageTableFormat::grants(entry, format_.write)};
}

std::optional<PageTable::Leaf> PageTable::find(Addr va) const {
  Addr table = root_;
  for (unsigned level = format_.levels; level >= 1; --level) {
    const Addr place = format_.entry_address(level, table, va);
    const std::uint64_t entry = memory_.read64(place);
    if (!format_.is_present(entry)) {
      return std::nullopt;
    }
    if (format_.is_leaf(level, entry)) {
      return leaf_of(place, entry, level);
    }
    table = format_.next_table(entry);
  }
  return std::nullopt;
}

bool PageTable::has_table(Addr va, unsigned level) const {
  Addr table = root_;
  for (unsigned at = format_.levels; at > level; --at) {
    const std::uint64_t entry = memory_.read64(format_.entry_address(at, table, va));
    if (!format_.is_present(entry) || format_.is_leaf(at, entry)) {
      return false;
    }
    table = format_.next_table(entry);
  }
  return true;
}

std::optional<PageTable::Leaf> PageTable::next_leaf(Addr& va, Addr end) const {
  while (va < end) {
    Addr table = root_;
    for (unsigned level = format_.levels;; --level) {
      const Addr place = format_.entry_address(level, table, va);
      const std::uint64_t entry = memory_.read64(place);
      if (!format_.is_present(entry)) {
        va = (va | ((Addr{1} << format_.page_shift(level)) - 1)) + 1;
        break;
      }
      if (format_.is_leaf(level, entry)) {
        return leaf_of(place, entry, level);
      }
      table = format_.next_table(entry);
    }
    if (va == 0) break;  // beyond the last address
  }
  return std::nullopt;
}

Addr PageTable::next_mapped(Addr va, Addr end) const { return next_leaf(va, end).has_value() ? va : end; }

void PageTable::for_each(Addr start, Addr end,
                         const std::function<void(Addr va, const Leaf& leaf)>& visit) const {
  for (Addr va = start; const auto leaf = next_leaf(va, end);) {
    va &= ~((Addr{1} << leaf->shift) - 1);
    visit(va, *leaf);
    va += Addr{1} << leaf->shift;
  }
}

std::optional<PageTable::Leaf> PageTable::unmap(Addr va) {
  const auto leaf = find(va);
  if (leaf.has_value()) {
    memory_.write64(leaf->entry, 0);
    if (const auto table = aside_.find(leaf->entry); table != aside_.end()) {
      pages_.free(table->second);
      aside_.erase(table);
    }
  }
  return leaf;
}

void PageTable::set_writable(const Leaf& leaf, bool writable) {
  const std::uint64_t entry = memory_.read64(leaf.entry);
  memory_.write64(leaf.entry, writable ? entry | format_.write : entry & ~format_.write);
}

bool PageTable::put_table_aside(Addr va) {
  const auto table = pages_.allocate();
  if (table.has_value()) aside_.emplace(find(va)->entry, *table);
  return table.has_value();
}

bool PageTable::split(Addr va) {
  for (auto leaf = find(va); leaf.has_value() && leaf->level > 1; leaf = find(va)) {
    const unsigned level = leaf->level - 1;
    std::optional<Addr> table;
    if (const auto aside = aside_.find(leaf->entry); aside != aside_.end()) {
      table = aside->second;
      aside_.erase(aside);
    } else {
      table = pages_.allocate();
    }
    if (!table.has_value()) {
      return false;
    }
    tables_.push_back(*table);
    // Everything of the entry but where the page is, and the bit that makes a leaf of it where lower
    // levels need none.
    const std::uint64_t bits = (leaf->value & ~format_.level[leaf->level].leaf_bit & 0xFFF) |
                               (leaf->value & ~((std::uint64_t{1} << 52U) - 1)) |
                               format_.level[level].leaf_bit;
    for (std::uint64_t i = 0; i < kPageSize / sizeof(std::uint64_t); ++i) {
      memory_.write64(*table + i * sizeof(std::uint64_t),
                      (leaf->page + (i << format_.page_shift(level))) | bits);
    }
    memory_.write64(leaf->entry, table_entry(*table));
  }
  return true;
}

void PageTable::release() {
  for (const Addr table : tables_) {
    pages_.free(table);
  }
  for (const auto& [entry, table] : aside_) {
    pages_.free(table);
  }
  tables_.clear();
  aside_.clear();
  root_ = 0;
}

}  // namespace svasim
