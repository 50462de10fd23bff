// Resources that serve one transfer at a time each and deliver it a fixed latency later.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "tlm/delay_queue.h"

namespace svasim {

// Transfers are served in the order (arrival, key), whatever the order of the calls: a transfer
// gets its place only when no earlier one can still come, which is when simulated time has reached
// its arrival. The owner wakes at next() and calls run(). An uncontended transfer costs the owner
// one wake-up, at its delivery.
template <typename T>
class SerialChannel {
 public:
  explicit SerialChannel(Ps latency, unsigned lanes = 1) : latency_(latency), busy_until_(lanes, 0) {}

  // A transfer that arrives at `arrival` (after now) and occupies lane `lane` for `duration`; one
  // of duration 0 takes no turn. Returns its earliest possible delivery.
  Ps push(Ps arrival, std::uint64_t key, Ps duration, T value, unsigned lane = 0) {
    arrivals_.push(arrival, key, Arrival{duration, lane, std::move(value)});
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

  // Gives every transfer that has arrived its turn, in order: take(value).
  template <typename Take>
  void take_turns(Ps now, Take take) {
    while (arrivals_.due() <= now) {
      const auto& entry = arrivals_.front();
      Ps end = entry.due;
      Ps wait = 0;
      const Ps duration = entry.value.duration;
      if (duration != 0) {
        Ps& busy_until = busy_until_[entry.value.lane];
        const Ps start = std::max(entry.due, busy_until);
        wait = start - entry.due;
        end = start + duration;
        busy_until = end;
        busy_ += duration;
      }
      take(entry.value.value);
      deliveries_.push(end + latency_, entry.key, Delivery{wait, entry.value.value});
      arrivals_.drop();
    }
  }

  // Gives out every transfer whose delivery is due: deliver(value, wait) with the time it waited
  // for its turn. deliver() may push.
  template <typename Deliver>
  void run(Ps now, Deliver deliver) {
    take_turns(now, [](const T&) {});
    while (deliveries_.due() <= now) {
      const Delivery delivery = deliveries_.pop();
      deliver(delivery.value, delivery.wait);
    }
  }

  std::size_t size() const { return arrivals_.size() + deliveries_.size(); }
  // Total time spent on transfers, over all lanes.
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
  struct Arrival {
    Ps duration = 0;
    unsigned lane = 0;
    T value{};
  };
  struct Delivery {
    Ps wait = 0;
    T value{};
  };

  Ps latency_;
  std::vector<Ps> busy_until_;
  Ps busy_ = 0;
  DelayQueue<Arrival> arrivals_;
  DelayQueue<Delivery> deliveries_;
};

}  // namespace svasim
