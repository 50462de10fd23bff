// The lines of page tables that one walk has read.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/types.h"

namespace svasim {

// WHY of one walk: no request that comes after an invalidation joins a walk it overtook, and no cache learns
// from that walk. So what a walk has read never outlives an invalidation that covers it.
class LineBuffer {
 public:
  static constexpr unsigned kLineBytes = 64;
  using Line = std::array<std::uint64_t, kLineBytes / 8>;

  static constexpr Addr line_of(Addr address) { return address & ~Addr{kLineBytes - 1}; }
  static constexpr std::size_t place_of(Addr address) { return (address % kLineBytes) / 8; }

  explicit LineBuffer(unsigned entries) : addresses_(entries, kNone), lines_(entries) {}

  // A walk begins.
  void clear() {
    for (Addr& address : addresses_) address = kNone;
    next_ = 0;
  }
  // The line with that entry, or nullptr.
  const Line* find(Addr entry) const {
    for (std::size_t i = 0; i < addresses_.size(); ++i) {
      if (addresses_[i] == line_of(entry)) return &lines_[i];
    }
    return nullptr;
  }
  // Keeps a line that is not in it; the oldest goes.
  void keep(Addr entry, const Line& line) {
    if (addresses_.empty()) return;
    addresses_[next_] = line_of(entry);
    lines_[next_] = line;
    next_ = (next_ + 1) % addresses_.size();
  }
  // An entry is being changed.
  void drop(Addr entry) {
    for (Addr& address : addresses_) {
      if (address == line_of(entry)) address = kNone;
    }
  }

 private:
  static constexpr Addr kNone = ~Addr{0};
  std::vector<Addr> addresses_;
  std::vector<Line> lines_;
  std::size_t next_ = 0;
};

}  // namespace svasim
