// The operating system: drivers, shared address spaces, processes, from boot to the end of the workload.
#pragma once

#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "models/host/accel_queues.h"
#include "models/host/dma_clients.h"
#include "models/host/dsa_driver.h"
#include "models/host/guest.h"
#include "models/host/iommu_driver.h"
#include "models/host/process_kernel.h"
#include "models/host/user_devices.h"

namespace svasim {

class OperatingSystem : private SvaHardware, public ProcessKernel {
 public:
  // `done` when the workload has ended and everything is torn down, or could not be begun.
  OperatingSystem(const Ground& ground, const HostParams& params, const Platform& platform,
                  Machine::Task done);

  void boot();

  std::uint64_t work_done() const;
  std::uint64_t work_total() const;
  // Some thread, of a guest too, was told to do nothing until then.
  Ps asleep_until() const;
  // What has to hold when the work is done.
  std::vector<HostCheck> checks() const;
  const PageAllocator& page_allocator() const { return pages_; }
  std::uint64_t in_flight() const;
  void dump_in_flight(std::ostream& out) const;

 private:
  using Task = Machine::Task;

  // Work queues given to processes.
  struct DeviceQueues {
    std::vector<bool> shared;                // by number
    std::map<std::string, unsigned> common;  // those processes have in common, by kind
    std::optional<AccelQueues> divided;      // by accel-config; nothing of the above then
  };

  void make_drivers();
  void make_guests();
  DsaDivision division_for(std::size_t device) const;
  Opening make_opening(const std::string& device, const ProcessParams& process);
  void start_devices(std::size_t device);
  SvaDeviceInfo describe(std::size_t device) const;
  DsaDriver::KernelMemory kernel_memory(const DsaDriver& device, std::size_t index);
  SvaDeviceInfo describe_to(const GuestParams& guest, std::size_t device) const;
  void start_workload();
  void finish();
  IoTranslation translation_of(const SvaSpace& space) const;
  IommuDriver& iommu_of(unsigned device) { return *iommus_[devices_[device]->iommu()]; }
  RequesterId requester_of(unsigned device) const { return devices_[device]->requester(); }

  // ProcessKernel.
  bool can_share(Process& process, const Opening& opening) override;
  void open_queue(Opening& opening, Task done) override;
  void open_mapping(Process& process, Opening& opening, Result result) override;
  void close_mapping(Opening& opening, Task done) override;
  void close_queue(Opening& opening, Task done) override;

  // Kernel.
  UserDevices* user_devices() override { return &user_devices_; }
  void destroy_guest(const std::string& name, Result result) override;

  // SvaHardware.
  void attach(unsigned device, Pasid pasid, SvaSpace& space, Task done) override;
  void detach(unsigned device, Pasid pasid, Task done) override;
  void silence(unsigned device, Pasid pasid, Task done) override;
  void end_silence(unsigned device, Pasid pasid, Task done) override;
  void invalidate(unsigned iommu, Pasid pasid, AddressSpan span, const std::vector<unsigned>& devices,
                  Task done) override;
  void enable_page_requests(unsigned device, Task done) override;
  void disable_page_requests(unsigned device, Task done) override;

  Task done_;
  std::vector<std::unique_ptr<IommuDriver>> iommus_;
  std::vector<std::unique_ptr<DsaDriver>> devices_;
  std::vector<bool> attached_;        // by device: its context entry is there
  std::vector<DeviceQueues> queues_;  // by device
  DomainIds domains_;
  DmaClients dma_;
  UserDevices user_devices_;
  std::vector<std::unique_ptr<Guest>> guests_;
  bool finished_ = false;
};

}  // namespace svasim
