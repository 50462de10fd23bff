// I/O addresses that were unmapped and not yet invalidated.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>

#include "base/types.h"
#include "models/host/machine.h"

namespace svasim {

// SPEC: [LINUX drivers/iommu/dma-iommu.c queue_iova, fq_flush_timeout]: an address waits until a flush of the
// whole domain that began after it came. There is one when the ring is full, and one `timeout` after the
// first that came since the last one of the timer.
// MODEL: one ring for all CPUs; Linux has one for each.
class FlushQueue {
 public:
  using Task = Machine::Task;
  // Invalidates everything of the domain.
  using Flush = std::function<void(Task done)>;
  // The address may be given out again.
  using Free = std::function<void(Addr iova)>;

  // entries: of the ring, of which one always stays free.
  FlushQueue(Machine& machine, unsigned entries, Ps timeout, Flush flush, Free free)
      : machine_(machine),
        room_(entries - 1),
        timeout_(timeout),
        flush_(std::move(flush)),
        free_(std::move(free)) {}

  // `done` when the caller may go on: at once, or when a full ring has been flushed.
  void add(Addr iova, Task done);
  // Everything was invalidated by other means.
  void flushed();
  std::size_t waiting() const { return ring_.size(); }

 private:
  struct Entry {
    Addr iova = 0;
    std::uint64_t came = 0;  // flushes that had begun
  };
  void flush(Task done);
  void free_until(std::uint64_t finished);
  void timer();

  Machine& machine_;
  std::size_t room_;
  Ps timeout_;
  Flush flush_;
  Free free_;
  std::deque<Entry> ring_;
  std::uint64_t begun_ = 0;  // flushes
  bool timer_on_ = false;
};

}  // namespace svasim
