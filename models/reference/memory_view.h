// Memory as the reference sees it: 64-bit reads and writes that may fail.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>

#include "base/bits.h"
#include "base/types.h"

namespace svasim {

class MemoryView {
 public:
  virtual ~MemoryView() = default;
  // `address` is a multiple of 8. False when the address cannot be read or written.
  virtual bool read64(Addr address, std::uint64_t& value) const = 0;
  virtual bool write64(Addr address, std::uint64_t value) = 0;
};

// Pages of 4 KiB that exist once they have been added; anything else cannot be accessed.
class PageMemory : public MemoryView {
 public:
  using Page = std::array<std::uint64_t, kPageSize / 8>;

  bool read64(Addr address, std::uint64_t& value) const override;
  bool write64(Addr address, std::uint64_t value) override;

  // The page at this address, filled with zeros when it is new.
  Page& add_page(Addr address);
  void remove_page(Addr address);
  bool has_page(Addr address) const { return pages_.count(address / kPageSize) != 0; }

 private:
  std::unordered_map<std::uint64_t, std::unique_ptr<Page>> pages_;
};

}  // namespace svasim
