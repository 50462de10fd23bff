// Devices that user space drives: contexts of iommufd, work queues, and what the kernel does for them.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "models/host/fault_service.h"
#include "models/host/iommu_driver.h"
#include "models/host/iommufd.h"
#include "models/host/kernel.h"
#include "models/host/vfio.h"

namespace svasim {

class UserDevices : private IommufdHardware {
 public:
  using Task = Machine::Task;
  using Result = Kernel::Result;
  struct System {
    std::function<IommuDriver&(unsigned device)> iommu;
    std::function<DsaDriver&(unsigned device)> device;
    FaultService& faults;
    SvaCore& sva;
    DomainIds& ids;
    Vfio::Spaces spaces;
    std::function<bool(unsigned device)> is_mapped;  // a driver of the kernel uses it by the DMA API
  };
  UserDevices(Kernel& kernel, System system);

  // A new context; it stays, empty, when it is closed.
  Iommufd& open();

  // Enables a work queue of a device that the process drives, with a PASID or without (kNoPasid). kBusy: it
  // is enabled. Disabling waits for what was submitted.
  void enable_queue(Opening& opening, Pasid pasid, const AddressView& view, Result result);
  void disable_queue(Opening& opening, Task done);

  Vfio& vfio() { return vfio_; }
  // Of all contexts.
  std::size_t objects() const;
  std::uint64_t in_flight() const;
  void dump_in_flight(const std::string& who, std::ostream& out) const;

 private:
  // IommufdHardware.
  Errno claim(unsigned device, std::uint64_t owner) override;
  void give_back(unsigned device, Task done) override;
  bool has_second_stage(unsigned device) const override;
  bool has_page_requests(unsigned device) const override;
  std::uint32_t highest_pasid(unsigned device) const override;
  void attach(unsigned device, Pasid pasid, IoDomain& domain, Task done) override;
  void replace(unsigned device, Pasid pasid, IoDomain& from, IoDomain& to, Task done) override;
  void detach(unsigned device, Pasid pasid, IoDomain& domain, Task done) override;
  void set_fault_handler(unsigned device, Pasid pasid, IopfQueue::Handler handler) override;
  void respond(const IopfGroupRef& group, PageResponseCode code) override;

  RequesterId requester(unsigned device) const { return system_.device(device).requester(); }
  IopfQueue& queue_of(unsigned device) const { return system_.faults.queue(system_.device(device).iommu()); }

  Kernel& kernel_;
  System system_;
  UserPages user_pages_;
  Vfio vfio_;
  std::vector<std::unique_ptr<Iommufd>> contexts_;
  std::vector<Opening*> enabled_;  // work queues
};

}  // namespace svasim
