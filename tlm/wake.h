// The one wake-up event of a module.
#pragma once

#include <systemc>

#include "base/check.h"
#include "tlm/time.h"

namespace svasim {

// An event with the earliest time it is armed for. The module's SC_METHOD is sensitive to event()
// and calls fired() first, does what is due, and arms the next due time.
class Wake {
 public:
  explicit Wake(const char* name) : event_(name) {}

  const sc_core::sc_event& event() const { return event_; }
  operator const sc_core::sc_event&() const { return event_; }  // NOLINT: used in sensitivity lists

  // Asks for a wake-up at `time` (not before now) unless an earlier one is armed. kNever is ignored.
  void arm(Ps time) {
    if (time >= armed_) {
      return;
    }
    armed_ = time;
    const Ps now = now_ps();
    SVASIM_CHECK(time >= now, "wake-up armed in the past");
    event_.notify(to_sc(time - now));
  }

  void fired() {
    armed_ = kNever;
    ++wakeups_;
  }

  // Kernel wake-ups so far: the cost a benchmark counts.
  std::uint64_t wakeups() const { return wakeups_; }

 private:
  sc_core::sc_event event_;
  Ps armed_ = kNever;
  std::uint64_t wakeups_ = 0;
};

}  // namespace svasim
