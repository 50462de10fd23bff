// The simulated memory's contents as the reference and the table builders see memory.
#pragma once

#include "models/memory/sparse_memory.h"
#include "models/reference/memory_view.h"

namespace svasim::test {

class SparseView : public MemoryView {
 public:
  explicit SparseView(SparseMemory& memory) : memory_(memory) {}

  bool read64(Addr address, std::uint64_t& value) const override {
    if (!memory_.contains(address, 8)) return false;
    value = memory_.read64(address);
    return true;
  }
  bool write64(Addr address, std::uint64_t value) override {
    if (!memory_.contains(address, 8)) return false;
    memory_.write64(address, value);
    return true;
  }

 private:
  SparseMemory& memory_;
};

}  // namespace svasim::test
