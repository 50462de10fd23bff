// The driver's side of an IOMMU's invalidation queue.
#pragma once

#include <cstdint>
#include <deque>
#include <initializer_list>
#include <ostream>
#include <string>
#include <vector>

#include "models/formats/vtd_invalidation.h"
#include "models/host/host_params.h"
#include "models/host/host_stats.h"
#include "models/host/machine.h"
#include "models/host/page_allocator.h"

namespace svasim {

// A ring of 256-bit descriptors. Every submission ends with a wait descriptor whose status write
// tells that all of it is done. SPEC: [VTD 6.5.2], [LINUX qi_submit_sync]
class InvalidationQueue {
 public:
  using Task = Machine::Task;

  // registers: the IOMMU's register block. The ring has 2^(order + 7) entries.
  InvalidationQueue(Machine& machine, PageAllocator& pages, Addr registers, unsigned order,
                    const InvalidationParams& params, HostStats& stats);

  // What IQA has to hold.
  std::uint64_t iqa() const;

  // Queues the descriptors and runs `done` when software has seen that they are done. `drain` makes
  // the wait descriptor wait for page requests too (PD), `fence` adds one that holds back the
  // descriptors behind it (FN) in front of them.
  void submit(std::initializer_list<InvalidationDescriptor> descriptors, Task done, bool drain = false,
              bool fence = false);
  void submit(const std::vector<InvalidationDescriptor>& descriptors, Task done, bool drain = false,
              bool fence = false);

  // The hardware gave up on the device (ITE) with its head at this offset: what it had fetched by then and
  // not completed is asked for again, behind `first`, without the device. SPEC: [VTD 6.5.2.10]
  void restart(Addr head, RequesterId failed, const std::vector<InvalidationDescriptor>& first);

  // The invalidation completion event arrived.
  void on_event();

  std::size_t outstanding() const { return waits_.size() + backlog_.size(); }
  void dump(const std::string& who, std::ostream& out) const;

 private:
  struct Submission {
    std::vector<InvalidationDescriptor> descriptors;
    Task done;
    bool drain = false;
    Ps asked = 0;
  };
  struct Wait {
    std::uint64_t end = 0;  // entries up to here are free when this is the oldest
    Addr status = 0;
    Ps asked = 0;
    bool seen = false;
    bool drain = false;
    std::vector<InvalidationDescriptor> descriptors;
    Task done;
  };

  void pump();
  void place(Submission submission);
  void poll();
  void scan();

  Machine& machine_;
  Addr registers_;
  InvalidationParams params_;
  HostStats& stats_;
  unsigned order_;
  Addr ring_ = 0;
  Addr status_ = 0;
  std::uint64_t entries_;
  std::uint64_t first_ = 0;  // oldest entry in use, counting from the beginning of time
  std::uint64_t next_ = 0;
  bool polling_ = false;
  std::deque<Wait> waits_;
  std::deque<Submission> backlog_;  // no room in the ring
};

}  // namespace svasim
