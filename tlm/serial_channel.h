// A resource that serves one transfer at a time and delivers each a fixed latency later.
#pragma once

#include <algorithm>
#include <cstdint>

#include "tlm/delay_queue.h"

namespace svasim {

// Transfers are served in the order (arrival, key), whatever the order of the calls: a transfer
// gets its place only when no earlier one can still come, which is when simulated time has reached
// its arrival. The owner wakes at next() and calls run(). An uncontended transfer costs the owner
// one wake-up, at its delivery.
template <typename T>
class SerialChannel {
 public:
  explicit SerialChannel(Ps latency) : latency_(latency) {}

  // A transfer that arrives at `arrival` (after now) and occupies the channel for `duration`; one
  // of duration 0 takes no turn. Returns its earliest possible delivery.
  Ps push(Ps arrival, std::uint64_t key, Ps duration, T value) {
    arrivals_.push(arrival, key, Transfer{duration, arrival, std::move(value)});
    return arrival + duration + latency_;
  }

  // When run() has something to do at the earliest; kNever when there is nothing.
  Ps next() const {
    Ps earliest = deliveries_.due();
    for (std::size_t i = 0; i < arrivals_.size(); ++i) {
      const auto& entry = arrivals_[i];
      if (entry.due + latency_ >= earliest) {
        break;
      }
      earliest = std::min(earliest, entry.due + entry.value.duration + latency_);
    }
    return earliest;
  }

  // Gives out every transfer whose delivery is due: deliver(value, wait) with the time it waited
  // for its turn. deliver() may push.
  template <typename Deliver>
  void run(Ps now, Deliver deliver) {
    while (arrivals_.due() <= now) {
      const Ps arrival = arrivals_.due();
      const std::uint64_t key = arrivals_.front().key;
      Transfer transfer = arrivals_.pop();
      Ps end = arrival;
      if (transfer.duration != 0) {
        const Ps start = std::max(arrival, busy_until_);
        transfer.wait = start - arrival;
        end = start + transfer.duration;
        busy_until_ = end;
        busy_ += transfer.duration;
      } else {
        transfer.wait = 0;
      }
      deliveries_.push(end + latency_, key, std::move(transfer));
    }
    while (deliveries_.due() <= now) {
      Transfer transfer = deliveries_.pop();
      deliver(transfer.value, transfer.wait);
    }
  }

  std::size_t size() const { return arrivals_.size() + deliveries_.size(); }
  // Total time spent on transfers.
  Ps busy() const { return busy_; }

  template <typename Visit>
  void for_each(Visit visit) const {
    for (std::size_t i = 0; i < arrivals_.size(); ++i) {
      visit(arrivals_[i].value.value, arrivals_[i].due);
    }
    for (std::size_t i = 0; i < deliveries_.size(); ++i) {
      visit(deliveries_[i].value.value, deliveries_[i].due);
    }
  }

 private:
  struct Transfer {
    Ps duration = 0;
    Ps wait = 0;
    T value{};
  };

  Ps latency_;
  Ps busy_until_ = 0;
  Ps busy_ = 0;
  DelayQueue<Transfer> arrivals_;
  DelayQueue<Transfer> deliveries_;
};

}  // namespace svasim
