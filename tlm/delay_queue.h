// Work that falls due at a simulated time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/types.h"

namespace svasim {

// A queue ordered by (due time, key). Entries equal in both keep the order in which they were
// pushed. Pushing at or near the end, the usual case when delays are nearly constant, costs O(1);
// in general it costs as many moves as there are later entries. Never allocates while the number
// of entries stays below the highest it has been.
//
// WHY: not tlm_utils::peq_with_cb_and_phase, which searches a list from its head and does not
// order equal times by anything but the order of calls.
template <typename T>
class DelayQueue {
 public:
  struct Entry {
    Ps due;
    std::uint64_t key;
    T value;
  };

  explicit DelayQueue(std::size_t capacity = 64) {
    std::size_t size = 8;
    while (size < capacity) {
      size *= 2;
    }
    ring_.resize(size);
  }

  bool empty() const { return head_ == tail_; }
  std::size_t size() const { return tail_ - head_; }

  // The earliest due time, or kNever.
  Ps due() const { return empty() ? kNever : at(head_).due; }

  const Entry& front() const { return at(head_); }
  Entry& front() { return at(head_); }

  // Entry i counted from the front.
  const Entry& operator[](std::size_t i) const { return at(head_ + i); }

  void push(Ps due, std::uint64_t key, T value) {
    if (size() == ring_.size()) {
      grow();
    }
    std::size_t place = tail_++;
    while (place != head_ && later(at(place - 1), due, key)) {
      at(place) = std::move(at(place - 1));
      --place;
    }
    at(place) = Entry{due, key, std::move(value)};
  }

  // Forgets the front.
  void drop() { ++head_; }

  T pop() {
    SVASIM_CHECK(!empty(), "pop from an empty delay queue");
    return std::move(at(head_++).value);
  }

 private:
  static bool later(const Entry& entry, Ps due, std::uint64_t key) {
    return entry.due > due || (entry.due == due && entry.key > key);
  }
  Entry& at(std::size_t i) { return ring_[i & (ring_.size() - 1)]; }
  const Entry& at(std::size_t i) const { return ring_[i & (ring_.size() - 1)]; }

  void grow() {
    std::vector<Entry> bigger(ring_.size() * 2);
    const std::size_t count = size();
    for (std::size_t i = 0; i < count; ++i) {
      bigger[i] = std::move(at(head_ + i));
    }
    ring_.swap(bigger);
    head_ = 0;
    tail_ = count;
  }

  std::vector<Entry> ring_;
  std::size_t head_ = 0;
  std::size_t tail_ = 0;
};

}  // namespace svasim
