// Memory of a host without a simulated one.
#pragma once

#include <map>

#include "models/formats/x86_first_stage.h"
#include "models/host/page_allocator.h"
#include "models/host/sva_space.h"

namespace svasim {

class FakeMemory : public PhysicalMemory {
 public:
  void read(Addr address, void* data, std::size_t length) override {
    for (std::size_t i = 0; i < length; ++i) {
      const auto found = bytes.find(address + i);
      // What nobody wrote is garbage: software must not rely on it.
      static_cast<unsigned char*>(data)[i] = found == bytes.end() ? 0xEE : found->second;
    }
  }
  void write(Addr address, const void* data, std::size_t length) override {
    for (std::size_t i = 0; i < length; ++i) bytes[address + i] = static_cast<const unsigned char*>(data)[i];
  }
  std::map<Addr, unsigned char> bytes;
};

constexpr Addr kBase = 0x100000;

struct Space {
  FakeMemory memory;
  PageAllocator pages{kBase, 1024 * kPageSize};
  PageTableFormat format = make_x86_first_stage(4, PageFormatOptions{});
  ProcessMemory space{"p", format, memory, pages};
};

}  // namespace svasim
