// Device page faults: handler threads, and how they serve a shared address space.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "base/rng.h"
#include "models/host/host_params.h"
#include "models/host/host_stats.h"
#include "models/host/iommu_driver.h"
#include "models/host/iopf.h"
#include "models/host/machine.h"
#include "models/host/service_time.h"
#include "models/host/sva_space.h"
#include "tlm/page_fault_log.h"

namespace svasim {

// SPEC: [LINUX iommu_sva_handle_mm]: what one page request does to an address space. No time passes.
FaultResult handle_sva_fault(SvaSpace& space, const PageRequest& request, Stale& stale);

// Workers take groups in the order in which they were completed; each serves the pages of its group one
// after the other and answers once. SPEC: [LINUX iommu-sva.c, iommu_sva_handle_iopf]
class FaultService : public PageRequestSink {
 public:
  using Task = Machine::Task;
  // Has all devices forget what is stale, and frees the pages.
  using ShootDown = std::function<void(SvaSpace& space, const Stale& stale, Task done)>;

  FaultService(Machine& machine, const FaultHandlerParams& params, RngStream rng, HostStats& stats,
               PageFaultLog& journeys, ShootDown shoot_down);

  // One for each IOMMU, numbered from 0.
  IopfQueue& add_queue();
  IopfQueue& queue(unsigned iommu) { return *queues_[iommu]; }
  // Handles faults of a shared address space.
  IopfQueue::Handler sva_handler(SvaSpace& space);

  Errno page_request(unsigned iommu, const PageRequest& request) override;
  void page_requests_lost(unsigned iommu) override;
  void flush(unsigned iommu, Task done) override;
  // The device reports no faults any more; what it waits for is answered.
  void remove_device(unsigned iommu, RequesterId device);

  // Notes what a group has reached on its way.
  void log(const IopfGroup& group, FaultStep step);

  std::uint64_t in_flight() const;
  void dump_in_flight(const std::string& who, std::ostream& out) const;

 private:
  struct Waiting {
    IopfGroupRef group;
    IopfQueue::Work work;
    Ps queued = 0;
  };
  struct Worker {
    bool busy = false;
    bool answering = false;
    IopfGroupRef group;
    Ps queued = 0;
  };
  // A worker's way through a group.
  struct Serving {
    IopfGroupRef group;
    SvaSpace* space;
    std::size_t next = 0;  // request served now
    Ps taken = 0;
    Task done;
  };

  void dispatch();
  void serve(const std::shared_ptr<Serving>& serving);
  void served(const std::shared_ptr<Serving>& serving);
  void go_on(const std::shared_ptr<Serving>& serving);
  void answer(const Serving& serving, PageResponseCode code);
  Worker* worker_of(const IopfGroupRef& group);

  Machine& machine_;
  FaultHandlerParams params_;
  ServiceTime service_time_;
  HostStats& stats_;
  PageFaultLog& journeys_;
  ShootDown shoot_down_;
  std::vector<std::unique_ptr<IopfQueue>> queues_;
  std::deque<Waiting> waiting_;
  std::vector<Worker> workers_;
};

}  // namespace svasim
