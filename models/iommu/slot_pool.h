// Numbered slots that become free at a known time.
#pragma once

#include <cstdint>
#include <vector>

#include "tlm/delay_queue.h"

namespace svasim {

// A slot given back counts from the time it is back; nothing has to happen then unless somebody
// waits for it.
class SlotPool {
 public:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  explicit SlotPool(std::uint32_t count) : total_(count), returning_(count) {
    free_.reserve(count);
    for (std::uint32_t slot = count; slot-- > 0;) {
      free_.push_back(slot);
    }
  }

  // A slot that is free at `now`, or kNone.
  std::uint32_t take(Ps now) {
    while (returning_.due() <= now) {
      free_.push_back(returning_.pop());
    }
    if (free_.empty()) {
      return kNone;
    }
    const std::uint32_t slot = free_.back();
    free_.pop_back();
    return slot;
  }
  void give_back(std::uint32_t slot, Ps when) { returning_.push(when, 0, slot); }

  // When the next slot comes back, as far as known.
  Ps next() const { return free_.empty() ? returning_.due() : 0; }
  std::uint32_t in_use() const {
    return total_ - static_cast<std::uint32_t>(free_.size()) - static_cast<std::uint32_t>(returning_.size());
  }

 private:
  std::uint32_t total_;
  std::vector<std::uint32_t> free_;
  DelayQueue<std::uint32_t> returning_;
};

}  // namespace svasim
