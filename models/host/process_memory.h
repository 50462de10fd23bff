// One process's memory: what is mapped where, and which pages are there.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "models/host/page_table.h"

namespace svasim {

// What a page holds before anybody wrote to it.
enum class Content : std::uint8_t {
  kZero,
  kRandom,  // a fixed function of `seed` and the page's place: as read back from a file or swap
};

struct Vma {
  Addr start = 0;
  Addr end = 0;  // behind the last byte
  bool read = true;
  bool write = true;
  Content content = Content::kZero;
  std::uint64_t seed = 0;

  bool contains(Addr address) const { return address >= start && address < end; }
};

// Fills a buffer of one page with the first contents of the page at `page` of this area.
void fill_initial(const Vma& vma, Addr page, unsigned char* data);

// SPEC: [LINUX mm/memory.c, iommu-sva.c] What a fault leads to.
enum class FaultResult : std::uint8_t {
  kMapped,         // a page was brought in
  kAlreadyMapped,  // somebody else was faster
  kNoArea,         // no VMA at the address
  kNoRight,        // the VMA does not allow it
  kNoMemory,
};
constexpr bool is_handled(FaultResult result) {
  return result == FaultResult::kMapped || result == FaultResult::kAlreadyMapped;
}

// MODEL: a read fault brings in a page of its own, writable if its area is; Linux maps the shared
// zero page and copies on the first write. Effect: one fault where Linux may take two.
class ProcessMemory {
 public:
  // Areas are placed from kFirstArea up.
  static constexpr Addr kFirstArea = 0x7F00'0000'0000;

  ProcessMemory(std::string name, const PageTableFormat& format, PhysicalMemory& memory, PageAllocator& pages)
      : name_(std::move(name)), memory_(memory), pages_(pages), table_(format, memory, pages) {}

  const std::string& name() const { return name_; }
  Addr table() const { return table_.root(); }

  // Adds an area of `size` bytes (rounded up to pages) at `address`, or behind everything mapped so
  // far if that is 0. Returns its address. InternalError if it overlaps another area.
  Addr map(std::uint64_t size, const Vma& like, Addr address = 0);

  // Removes the area that begins at `start`, and the entries of its pages. The pages themselves are
  // returned: the caller frees them when no device can use them any more.
  std::vector<Addr> unmap(Addr start);

  // Brings in the page of `address` if the area allows the access.
  FaultResult fault(Addr address, bool read, bool write);

  // The CPU's view: a page not there reads as its first contents.
  void read(Addr address, void* data, std::size_t length) const;
  // The CPU's store; the pages must be there (InternalError).
  void write(Addr address, const void* data, std::size_t length);

  const Vma* find_area(Addr address) const;
  // Physical address of a byte whose page is there (InternalError otherwise).
  Addr translate(Addr address) const;
  bool is_resident(Addr address) const { return table_.find(address).has_value(); }
  std::uint64_t resident_pages() const { return resident_; }

  // ConfigError: no page was free for what cannot be done without.
  [[noreturn]] void too_small(const std::string& what) const { pages_.too_small(what); }

  // Gives back everything; the address space is dead afterwards.
  void release();

 private:
  std::string name_;
  PhysicalMemory& memory_;
  PageAllocator& pages_;
  PageTable table_;
  std::map<Addr, Vma> areas_;  // by start
  Addr next_area_ = kFirstArea;
  std::uint64_t resident_ = 0;
};

}  // namespace svasim
