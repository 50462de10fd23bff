// Resources that serve one transfer at a time each and deliver it a fixed latency later.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "tlm/delay_queue.h"

namespace svasim {

// Transfers are served in the order (arrival, key), whatever the order of the calls: a transfer
// gets its turn only when no earlier one can still come, which is when simulated time has reached
// its arrival. The owner wakes at next() and serves what is ready; the deliveries lie at or after that
// time, so one wake-up serves all transfers that arrived while the first was on its way.
template <typename T>
class SerialChannel {
 public:
  struct Served {
    T value;
    Ps wait;  // for its turn
    Ps done;  // its delivery
  };

  // quickest: of the transfers that are passed by, from arrival to delivery; kNever when there are none.
  explicit SerialChannel(Ps latency, unsigned lanes = 1, Ps quickest = kNever)
      : latency_(latency), quickest_(quickest), busy_until_(lanes, 0) {}

  // A transfer that arrives at `arrival` (after now) and occupies lane `lane` for `duration`; one
  // of duration 0 takes no turn. Returns its earliest possible delivery.
  Ps push(Ps arrival, std::uint64_t key, Ps duration, T value, unsigned lane = 0) {
    arrivals_.push(arrival, key, Arrival{duration, lane, std::move(value)});
    return arrival + shortest(duration);
  }

  // A transfer has arrived and can be served.
  bool ready(Ps now) const { return arrivals_.due() <= now; }

  // The first transfer that has arrived.
  const T& first() const { return arrivals_.front().value.value; }

  // Gives it its turn, `later` after its arrival at the earliest.
  Served serve(Ps later = 0) {
    const Ps arrival = arrivals_.due();
    Arrival& transfer = arrivals_.front().value;
    Served served{std::move(transfer.value), 0, arrival + later + latency_};
    if (transfer.duration != 0) {
      Ps& busy_until = busy_until_[transfer.lane];
      const Ps start = std::max(arrival + later, busy_until);
      busy_until = start + transfer.duration;
      served.wait = start - arrival - later;
      served.done = busy_until + latency_;
    }
    arrivals_.drop();
    return served;
  }

  // Delivers it `after` its arrival, without a turn.
  Served pass_by(Ps after) {
    Served served{std::move(arrivals_.front().value.value), 0, arrivals_.due() + after};
    arrivals_.drop();
    return served;
  }

  // The earliest possible delivery; kNever when there is none. WHY only a bound: an earlier transfer
  // may still arrive, and the lane may be busy.
  Ps next() const {
    Ps earliest = kNever;
    for (std::size_t i = 0; i < arrivals_.size(); ++i) {
      const auto& entry = arrivals_[i];
      if (entry.due + std::min(latency_, quickest_) >= earliest) {
        break;
      }
      earliest = std::min(earliest, entry.due + shortest(entry.value.duration));
    }
    return earliest;
  }

  std::size_t size() const { return arrivals_.size(); }

  // visit(value), of what has arrived by `now`, in order of arrival.
  template <typename Visit>
  void for_each_arrived(Ps now, Visit visit) const {
    for (std::size_t i = 0; i < arrivals_.size() && arrivals_[i].due <= now; ++i)
      visit(arrivals_[i].value.value);
  }

  // visit(value, arrival)
  template <typename Visit>
  void for_each(Visit visit) const {
    for (std::size_t i = 0; i < arrivals_.size(); ++i) {
      visit(arrivals_[i].value.value, arrivals_[i].due);
    }
  }

 private:
  struct Arrival {
    Ps duration = 0;
    unsigned lane = 0;
    T value{};
  };

  Ps shortest(Ps duration) const { return std::min(duration + latency_, quickest_); }

  Ps latency_;
  Ps quickest_;
  std::vector<Ps> busy_until_;
  DelayQueue<Arrival> arrivals_;
};

}  // namespace svasim
