// One process's memory: what is mapped where, and which pages are there.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/host/address_span.h"
#include "models/host/page_table.h"

namespace svasim {

// What a page holds before anybody wrote to it.
enum class Content : std::uint8_t {
  kZero,
  kRandom,  // a fixed function of `seed` and the page's place: as read back from a file or swap
};

enum class AreaKind : std::uint8_t {
  kAnonymous,
  kFile,    // first contents come from storage
  kDevice,  // physical addresses of a device, from `physical`
};

struct Vma {
  Addr start = 0;
  Addr end = 0;  // behind the last byte
  bool read = true;
  bool write = true;
  bool execute = false;
  Content content = Content::kZero;
  std::uint64_t seed = 0;
  AreaKind kind = AreaKind::kAnonymous;
  Addr physical = 0;
  const bool* there = nullptr;  // kDevice: whether the device answers; nullptr: always
  bool huge = false;            // 2 MiB pages where there is room
  unsigned node = 0;            // of the memory its pages come from first
  bool inherited = true;        // by fork
  std::uint64_t first = 0;      // number of the page at `start`, for its first contents

  bool contains(Addr address) const { return address >= start && address < end; }
  bool operator==(const Vma& other) const;
};

// Fills a buffer of one page with the first contents of the page at `page` of this area.
void fill_initial(const Vma& vma, Addr page, unsigned char* data);

// SPEC: [LINUX mm/memory.c, iommu-sva.c] What a fault leads to.
enum class FaultResult : std::uint8_t {
  kMapped,         // a page was brought in
  kAlreadyMapped,  // somebody else was faster
  kCopied,         // a page shared since a fork was copied
  kNoArea,         // no VMA at the address
  kNoRight,        // the VMA does not allow it
  kNotThere,       // the memory of the device is switched off: SIGBUS
  kNoMemory,
};
constexpr bool is_handled(FaultResult result) {
  return result == FaultResult::kMapped || result == FaultResult::kAlreadyMapped ||
         result == FaultResult::kCopied;
}

// What a change of page tables leaves: devices may still have what was there. The pages are to be freed
// when no device can reach them any more.
struct Stale {
  std::vector<AddressSpan> spans;
  std::vector<Addr> pages;
  std::uint64_t reclaim = 0;  // its number, if it is one
  bool empty() const { return spans.empty(); }
};

// MODEL: a read fault brings in a page of its own, writable if its area is; Linux maps the shared
// zero page and copies on the first write. Effect: one fault where Linux may take two.
// MODEL: files are private: no page is shared by way of a page cache. Fork splits huge pages.
class ProcessMemory {
 public:
  // Areas are placed from kFirstArea up to kEnd, the end of what user space has with tables of 4 levels;
  // those that find no room there from kLowArea up.
  static constexpr Addr kFirstArea = 0x7F00'0000'0000;
  static constexpr Addr kEnd = 0x7FFF'FFFF'F000;
  static constexpr Addr kLowArea = 0x1000'0000'0000;
  static constexpr std::uint64_t kHugeSize = std::uint64_t{1} << 21U;

  // SPEC: [LINUX Documentation/arch/x86/x86_64/mm.rst]: vmalloc areas of a kernel with 4 levels.
  static constexpr Addr kFirstKernelArea = 0xFFFF'C900'0000'0000;
  static constexpr Addr kKernelEnd = 0xFFFF'E900'0000'0000;

  ProcessMemory(std::string name, const PageTableFormat& format, PhysicalMemory& memory, PageAllocator& pages,
                PageTable::Owner owner = PageTable::Owner::kUser)
      : name_(std::move(name)),
        memory_(memory),
        pages_(pages),
        table_(format, memory, pages, owner),
        next_area_(owner == PageTable::Owner::kUser ? kFirstArea : kFirstKernelArea) {}

  const std::string& name() const { return name_; }
  Addr table() const { return table_.root(); }

  // Whether there are addresses that were never used for an area of this size.
  bool has_room(std::uint64_t size, const Vma& like) const { return free_place(size, like).has_value(); }
  // Adds an area of `size` bytes (rounded up to pages) at `address`, or behind everything mapped so
  // far if that is 0. Returns its address. InternalError if it overlaps another area, or there is no room.
  Addr map(std::uint64_t size, const Vma& like, Addr address = 0);

  // The following change [start, end), whole pages, areas or not, and return what devices may still have.
  // Removes areas and the entries of their pages.
  Stale unmap(Addr start, Addr end);
  // The area that begins at `start` (InternalError otherwise).
  Stale unmap(Addr start);
  // Changes rights. Pages of an area that may not even be read stay, without entries.
  Stale protect(Addr start, Addr end, bool read, bool write);
  // Drops pages and what they hold: the next fault finds first contents.
  Stale discard(Addr start, Addr end);
  // Takes pages away to write them out; page_out() of this reclaim follows when no device can reach them. A
  // fault in between gets its page back.
  Stale reclaim(Addr start, Addr end);
  std::uint64_t page_out(const Stale& reclaimed);  // how many pages were still without an entry
  // The parts of areas of a device that map these physical addresses.
  std::vector<AddressSpan> device_spans(AddressSpan physical) const;
  // Moves [start, end), which has to lie in one area (InternalError), with its pages behind everything mapped
  // so far, and returns where that is. nullopt: no addresses or no memory for its tables; nothing has
  // changed.
  std::optional<Addr> move(Addr start, Addr end, Stale& stale);
  // Shares all inherited areas with `child`, an address space without areas. Stale are this one's
  // entries that may no longer be written. False: no memory for the child's tables.
  bool fork_into(ProcessMemory& child, Stale& stale);

  // Brings in the page of `address` if the area allows the access. What is stale after a copy is added.
  FaultResult fault(Addr address, bool read, bool write, Stale* stale = nullptr);
  // Whether a fault there would have to wait for storage.
  bool is_major(Addr address) const;

  // The CPU's view: a page not there reads as its first contents, or as it was written out.
  void read(Addr address, void* data, std::size_t length) const;
  // The CPU's store; the pages must be there (InternalError).
  void write(Addr address, const void* data, std::size_t length);

  const Vma* find_area(Addr address) const;
  // The first page from `address` on, below `end`, that has an entry; `end` when there is none.
  Addr next_resident(Addr address, Addr end) const { return table_.next_mapped(address, end); }
  // The CPU's access to a page that needs no fault: what is behind guest-physical memory has to be there too.
  void access(Addr address) const;
  // Physical address of a byte whose page is there (InternalError otherwise).
  Addr translate(Addr address) const;
  bool is_resident(Addr address) const { return table_.find(address).has_value(); }
  // That a load, or a store, of the CPU needs no fault there.
  bool is_accessible(Addr address, bool write) const;
  std::uint64_t resident_pages() const { return resident_; }
  // Pages written out.
  std::uint64_t swapped_pages() const { return swap_.size(); }

  // Removes everything, as exit does. The tables stay until release().
  Stale clear();
  // Gives back everything; the address space is dead afterwards.
  void release();

 private:
  using Page = std::array<unsigned char, kPageSize>;

  // A page without an entry: of an area that may not be read, or, with the reclaim's number, being written
  // out.
  struct Parked {
    Addr page = 0;
    std::uint64_t reclaim = 0;
  };

  std::optional<Addr> free_place(std::uint64_t size, const Vma& like) const;
  void split(Addr va);
  void split_all(Addr start, Addr end);
  // Makes pages end at `at`, and areas.
  void cut_pages(Addr at);
  void cut(Addr at);
  // The areas that begin in [start, end), after cutting at both.
  std::map<Addr, Vma>::iterator first_in(Addr start, Addr end);
  // Makes one area of those in [start, end), and of its neighbours, that go on where the one before ends.
  void merge(Addr start, Addr end);
  // What areas have of [start, end); areas stay whole.
  void for_parts(Addr start, Addr end, const std::function<void(const Vma& vma, Addr from, Addr to)>& visit);
  // Removes the entries of [start, end): each page goes to `keep` with its address.
  bool remove_entries(Addr start, Addr end, const std::function<void(Addr va, Addr page)>& keep);
  FaultResult fault_present(const Vma& vma, Addr va, const PageTable::Leaf& leaf, bool write, Stale* stale);
  bool fault_huge(const Vma& vma, Addr va, bool write);
  bool is_pinned(Addr page, std::uint64_t size) const;
  bool can_be_huge(const Vma& vma, Addr va) const;
  void first_contents(const Vma& vma, Addr va, unsigned char* data) const;

  std::string name_;
  PhysicalMemory& memory_;
  PageAllocator& pages_;
  PageTable table_;
  std::map<Addr, Vma> areas_;      // by start
  std::map<Addr, Parked> parked_;  // by address
  std::uint64_t reclaims_ = 0;
  std::map<Addr, std::shared_ptr<const Page>> swap_;  // what was written out
  Addr next_area_;
  Addr next_low_ = kLowArea;
  std::uint64_t resident_ = 0;
};

}  // namespace svasim
