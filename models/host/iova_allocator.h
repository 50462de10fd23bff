// Addresses for DMA mappings.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "base/types.h"

namespace svasim {

// SPEC: [LINUX drivers/iommu/iova.c alloc_iova]: the highest free range below a limit whose address is a
// multiple of its size rounded up to a power of two.
// MODEL: no caches of freed ranges by CPU and size, and no remembered place to begin at: a range that was
// freed is found again at once, by its address alone.
class IovaAllocator {
 public:
  // Address 0 is never given out: drivers take it for none.
  static constexpr Addr kLowest = kPageSize;

  // limit: behind the last byte that may ever be given out.
  explicit IovaAllocator(Addr limit);

  // Takes [start, end) out for good; what is outside of the limits or taken already does not matter.
  void reserve(Addr start, Addr end);
  // bytes: a multiple of 4 KiB. The range ends at `limit` at the most. nullopt: no room.
  std::optional<Addr> allocate(std::uint64_t bytes, Addr limit);
  // What allocate() gave, whole (InternalError otherwise).
  void free(Addr start);

  std::uint64_t used() const { return used_; }

 private:
  std::optional<Addr> highest_fit(std::uint64_t bytes, Addr limit) const;
  void take(Addr start, Addr end);

  std::map<Addr, Addr> free_;           // ranges by start, never adjacent; the end behind the last byte
  std::map<Addr, std::uint64_t> live_;  // bytes by start
  std::uint64_t used_ = 0;
};

}  // namespace svasim
