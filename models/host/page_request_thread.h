// The driver's side of an IOMMU's page request queue.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "models/formats/vtd_page_request.h"
#include "models/host/errno.h"
#include "models/host/host_log.h"
#include "models/host/host_params.h"
#include "models/host/host_stats.h"
#include "models/host/machine.h"
#include "models/host/page_allocator.h"
#include "models/host/script.h"

namespace svasim {

// Who handles page requests.
class PageRequestSink {
 public:
  virtual ~PageRequestSink() = default;
  // A request from the queue, in queue order; not a stop marker. Anything but kNone after a last request:
  // nobody will answer, so the driver does.
  virtual Errno page_request(unsigned iommu, const PageRequest& request) = 0;
  // The queue overflowed and is empty now: groups that are not complete never will be.
  virtual void page_requests_lost(unsigned iommu) = 0;
  // Runs `done` when all it was given up to now is handled.
  virtual void flush(unsigned iommu, Machine::Task done) = 0;
};

// Empties the queue when the IOMMU's page request event tells. SPEC: [VTD 7.5], [LINUX prq_event_thread]
class PageRequestThread {
 public:
  using Task = Machine::Task;
  // What the driver knows and does.
  struct Driver {
    std::string name;
    unsigned index;
    Addr registers;
    std::function<bool(RequesterId)> knows;
    // Answers Invalid Request.
    std::function<void(const PageRequest& last)> refuse;
  };

  PageRequestThread(Driver driver, Machine& machine, PageAllocator& pages, const HostParams& params,
                    HostStats& stats, HostLog& log);

  // Gives the queue to the hardware.
  void set_up(Script& script, PageRequestSink& sink);
  void on_event();
  // Runs `next` when no request of this PASID is in the queue.
  void scan(RequesterId device, Pasid pasid, const Task& next);

 private:
  void read_pointers();
  void take();
  void taken();
  void check_overflow();
  bool is_malformed(const PageRequest& request) const;
  PageRequest read_at(std::uint64_t offset);
  Addr reg(std::uint32_t offset) const { return driver_.registers + offset; }

  Driver driver_;
  Machine& machine_;
  const HostParams& params_;
  HostStats& stats_;
  HostLog& log_;
  PageRequestSink* sink_ = nullptr;
  std::uint64_t bytes_;
  Addr queue_;
  std::uint64_t head_ = 0;
  std::uint64_t tail_ = 0;
  bool reading_ = false;        // the thread runs
  bool event_pending_ = false;  // and has to run again
};

}  // namespace svasim
