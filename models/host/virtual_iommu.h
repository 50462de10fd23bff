// The IOMMU that a guest sees, and what the host does for it: a guest's first stage over the host's second.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "models/host/guest_faults.h"
#include "models/host/guest_machine.h"
#include "models/host/io_domain.h"
#include "models/host/iommu_driver.h"
#include "models/host/platform.h"
#include "models/host/sva.h"
#include "models/host/translation_tables.h"

namespace svasim {

// The guest keeps PASID tables of its own in its memory. What it changes there it tells the host by an
// invalidation that exits; the host reads the entry and installs a nested one under a PASID of its own.
// SPEC: [VTD 3.8, 9.6], [LINUX drivers/iommu/intel/nested.c]
// MODEL: a guest has one virtual IOMMU for all its devices, which keep their requester ids; it tells of new
// entries too (CM). A PASID of the host for each PASID and device of a guest.
class VirtualIommu : public SvaHardware {
 public:
  struct Host {
    Machine& machine;
    FaultService& faults;
    PageFaultLog& journeys;
    SvaCore& sva;
    std::function<IommuDriver&(unsigned device)> iommu;
  };

  VirtualIommu(const Host& host, const GuestParams& params, const Platform& platform, GuestMachine& machine,
               IoDomain& domain, GuestStats& stats);
  // Once the guest's kernel is there.
  void start(FaultService& faults, PhysicalMemory& memory, PageAllocator& pages, unsigned paging_levels);

  // What a device has to send for a PASID of the guest.
  Pasid host_pasid(unsigned device, Pasid pasid) const { return pasids_.at({requester(device), pasid}); }

  // The machine has stopped: nothing of the guest is translated or waited for when `done` runs.
  void refuse_page_requests() { page_requests_.refuse_all(); }
  void detach_all(Task done);

  std::uint64_t in_flight() const { return page_requests_.in_flight(); }
  void dump_in_flight(const std::string& who, std::ostream& out) const {
    page_requests_.dump_in_flight(who, out);
  }

  // SvaHardware, for the guest's kernel.
  Errno reserve(unsigned device, Pasid pasid) override;
  void attach(unsigned device, Pasid pasid, SvaSpace& space, Task done) override;
  void detach(unsigned device, Pasid pasid, Task done) override;
  void silence(unsigned device, Pasid pasid, Task done) override;
  void end_silence(unsigned device, Pasid pasid, Task done) override;
  void invalidate(unsigned iommu, Pasid pasid, AddressSpan span, const std::vector<unsigned>& devices,
                  Task done) override;
  void enable_page_requests(unsigned device, Task done) override;
  void disable_page_requests(unsigned device, Task done) override;

 private:
  RequesterId requester(unsigned device) const { return platform_.devices[device].requester; }
  IopfQueue& guest_queue() { return faults_->queue(0); }

  // In the host, at an exit.
  void host_bind(unsigned device, Pasid pasid, const Task& answered);
  void host_unbind(unsigned device, Pasid pasid, const Task& answered);
  void host_invalidate(Pasid pasid, AddressSpan span, const std::vector<unsigned>& devices,
                       const Task& answered);

  Host host_;
  const Platform& platform_;
  GuestMachine& machine_;
  IoDomain& domain_;
  GuestStats& stats_;
  GuestFaults page_requests_;
  // The guest's.
  FaultService* faults_ = nullptr;
  std::unique_ptr<TranslationTables> tables_;
  unsigned paging_levels_ = 4;
  // The host's, by the guest's.
  std::map<IoTarget, Pasid> pasids_;
};

}  // namespace svasim
