// Editor of the page tables of one address space, which CPUs or IOMMUs walk.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "models/formats/page_table_format.h"
#include "models/host/page_allocator.h"
#include "models/host/physical_memory.h"

namespace svasim {

// Writes real entries into simulated memory, in the order a walker may rely on: a table is zeroed
// before an entry points to it.
class PageTable {
 public:
  // Of first-stage pages: who may use them. Second stages do not know the difference.
  enum class Owner : std::uint8_t { kUser, kKernel };

  struct Leaf {
    Addr entry = 0;  // where the entry is
    std::uint64_t value = 0;
    unsigned level = 1;
    Addr page = 0;
    unsigned shift = kPageShift;
    bool writable = false;
  };

  // Throws InternalError when there is no memory for the top table.
  PageTable(const PageTableFormat& format, PhysicalMemory& memory, PageAllocator& pages,
            Owner owner = Owner::kUser);

  Addr root() const { return root_; }

  // Maps one page of level 1, 2 or 3 (4 KiB, 2 MiB, 1 GiB) that is not mapped yet. `dirty`: the
  // mapping is made for a write. False when there is no memory for a table.
  bool map(Addr va, Addr pa, unsigned level, bool writable, bool dirty);
  // Replaces the leaf that maps `va` by the same with or without the right to write; dirty stays.
  void set_writable(const Leaf& leaf, bool writable);
  // Turns a larger page that maps `va` into 4 KiB pages with the same rights and bits. True when the page
  // is a small one or there is none, too; false when there is no memory for the tables.
  bool split(Addr va);
  // Reserves the table with which the 2 MiB page at `va` will be split. False when there is no memory.
  bool put_table_aside(Addr va);
  // Makes the tables that a 4 KiB page at `va` needs. False when there is no memory for one.
  bool prepare(Addr va) { return descend(va, 1, true) != 0; }
  // Removes the leaf that maps `va` and returns it as it was; nullopt when there is none.
  std::optional<Leaf> unmap(Addr va);
  // The leaf that maps `va`.
  std::optional<Leaf> find(Addr va) const;
  // The first address from `va` on, below `end`, that a leaf maps; `end` when there is none. The time it
  // takes depends on the tables there are, not on the addresses in between.
  Addr next_mapped(Addr va, Addr end) const;
  // Each leaf of [start, end), in order, with its address; `visit` may change or remove it.
  void for_each(Addr start, Addr end, const std::function<void(Addr va, const Leaf& leaf)>& visit) const;
  // Whether a table for pages of `level` is there at this address.
  bool has_table(Addr va, unsigned level) const;
  // Gives all tables back; leaves still there are forgotten. The address space is dead afterwards.
  void release();

 private:
  // An entry that points to a table, which allows everything: the leaf decides.
  std::uint64_t table_entry(Addr table) const;
  // Address of the entry of `va` at `level`; 0 when a table above is missing and `create` is false,
  // or there is no memory for it.
  Addr descend(Addr va, unsigned level, bool create);

  Leaf leaf_of(Addr place, std::uint64_t entry, unsigned level) const;
  // Moves `va` to the first address from there on that a leaf maps.
  std::optional<Leaf> next_leaf(Addr& va, Addr end) const;

  const PageTableFormat& format_;
  PhysicalMemory& memory_;
  PageAllocator& pages_;
  Owner owner_;
  Addr root_ = 0;
  std::vector<Addr> tables_;
  std::map<Addr, Addr> aside_;  // by place of the entry of a 2 MiB page: the table to split it with
};

}  // namespace svasim
