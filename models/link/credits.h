// Flow-control credits as timestamps.
#pragma once

#include "tlm/delay_queue.h"

namespace svasim {

// A receiver's buffer slots as its sender knows them. A returned credit counts from the time it is
// back; nothing has to happen at that time unless somebody waits.
class Credits {
 public:
  explicit Credits(unsigned count) : free_(count), total_(count) {}

  // Takes a credit that is free at `time`; false when there is none.
  bool take(Ps time) {
    while (returning_.due() <= time) {
      returning_.pop();
      ++free_;
    }
    if (free_ == 0) {
      return false;
    }
    --free_;
    return true;
  }

  void give_back(Ps when) { returning_.push(when, 0, 0); }

  // When the next credit comes back, as far as known.
  Ps next() const { return returning_.due(); }

  // Credits in use: not free and not on their way back.
  unsigned in_use() const { return total_ - free_ - static_cast<unsigned>(returning_.size()); }

 private:
  unsigned free_;
  unsigned total_;
  DelayQueue<char> returning_;
};

}  // namespace svasim
