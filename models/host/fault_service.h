// Device page faults: groups of page requests, handler threads, responses.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "base/rng.h"
#include "models/formats/vtd_invalidation.h"
#include "models/host/host_params.h"
#include "models/host/host_stats.h"
#include "models/host/iommu_driver.h"
#include "models/host/machine.h"
#include "models/host/process_memory.h"
#include "tlm/page_fault_log.h"

namespace svasim {

// SPEC: [LINUX io-pgfault.c, iommu-sva.c]: requests are collected until the last of their group, the
// group is queued, a free handler serves its pages one after the other and answers once.
class FaultService : public PageRequestSink {
 public:
  // Finds the address space of a PASID; nullptr when it is bound to none.
  using Find = std::function<ProcessMemory*(RequesterId device, Pasid pasid)>;
  using Respond =
      std::function<void(unsigned iommu, const PageRequest& last, PageResponseCode code, Machine::Task done)>;

  FaultService(Machine& machine, const FaultHandlerParams& params, RngStream rng, HostStats& stats,
               PageFaultLog& journeys, Find find, Respond respond);

  void page_request(unsigned iommu, const PageRequest& request) override;
  void page_requests_lost(unsigned iommu) override;

  std::uint64_t in_flight() const;
  void dump_in_flight(const std::string& who, std::ostream& out) const;

 private:
  struct Group {
    unsigned iommu = 0;
    std::vector<PageRequest> requests;  // the last one is last
    Ps queued = 0;
  };
  struct Handler {
    bool busy = false;
    bool answering = false;
    Group group;
    std::size_t next = 0;  // request served now
    Ps taken = 0;
    PageResponseCode code = PageResponseCode::kSuccess;
  };
  struct Partial {
    unsigned iommu;
    PageRequest request;
  };

  void dispatch();
  void serve(std::uint32_t index);
  void served(std::uint32_t index);
  void answer(std::uint32_t index);
  void log(const Handler& handler, Stage stage);
  Ps service_time();

  Machine& machine_;
  FaultHandlerParams params_;
  RngStream rng_;
  HostStats& stats_;
  PageFaultLog& journeys_;
  Find find_;
  Respond respond_;
  std::vector<Partial> partials_;
  std::deque<Group> waiting_;
  std::vector<Handler> handlers_;
};

}  // namespace svasim
