#include "models/host/flush_queue.h"

#include <algorithm>
#include <utility>

namespace svasim {

// Those that came before the flush of this number began.
void FlushQueue::free_until(std::uint64_t flush) {
  while (!ring_.empty() && ring_.front().came < flush) {
    const Addr iova = ring_.front().iova;
    ring_.pop_front();
    free_(iova);
  }
}

void FlushQueue::flush(Task done) {
  const std::uint64_t number = ++begun_;
  flush_([this, number, done = std::move(done)] {
    free_until(number);
    done();
  });
}

void FlushQueue::add(Addr iova, Task done) {
  if (ring_.size() >= room_) {
    flush([this, iova, done = std::move(done)] { add(iova, done); });
    return;
  }
  ring_.push_back({iova, begun_});
  if (!timer_on_) {
    timer_on_ = true;
    machine_.after(timeout_, [this] { timer(); });
  }
  done();
}

void FlushQueue::timer() {
  timer_on_ = false;
  if (!ring_.empty()) flush([] {});
}

void FlushQueue::flushed() { free_until(++begun_); }

}  // namespace svasim
