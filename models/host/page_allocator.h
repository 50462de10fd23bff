// The operating system's physical pages.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/types.h"

namespace svasim {

// Pages of one range of memory. WHY the page freed last is given out first: a use after free then
// shows at once.
class PageAllocator {
 public:
  // base and size in bytes, multiples of 4 KiB.
  PageAllocator(Addr base, std::uint64_t size) : base_(base), next_(base), end_(base + size) {}

  // A page of unspecified contents; nullopt when memory is full.
  std::optional<Addr> allocate();
  // Adjacent pages at an address that is a multiple of their size rounded up to a power of two.
  std::optional<Addr> allocate_contiguous(std::uint64_t pages);
  // InternalError when the page is not allocated.
  void free(Addr page);

  std::uint64_t used() const { return used_; }

 private:
  void mark(Addr page, bool used);

  Addr base_;
  Addr next_;  // never given out from here on
  Addr end_;
  std::vector<Addr> free_;
  std::vector<bool> in_use_;  // by page from base_, up to next_
  std::uint64_t used_ = 0;
};

}  // namespace svasim
