// What a process may ask of the operating system.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/rng.h"
#include "models/host/dsa_driver.h"
#include "models/host/errno.h"
#include "models/host/host_params.h"
#include "models/host/host_stats.h"
#include "models/host/machine.h"
#include "models/host/shadow.h"
#include "models/host/step_board.h"
#include "models/host/sva.h"
#include "models/host/sva_space.h"

namespace svasim {

class AddressView;
class DmaView;
class Guest;
class Process;
class UserDevices;

// A work queue that a process has opened.
struct Opening {
  std::string name;  // of the device
  unsigned device = 0;
  unsigned queue = 0;
  unsigned entries = 0;  // of the queue
  DsaDriver* driver = nullptr;
  bool recovers = true;               // from pages that are not there
  SvaCore::Handle bond = nullptr;     // of an address space that the device shares
  DmaView* dma = nullptr;             // or what the device sees of the memory, mapped by the kernel
  const AddressView* view = nullptr;  // or where the device finds it, mapped by the process
  std::optional<Pasid> pasid;
  bool open = false;   // somebody opens it, has it open or closes it
  bool ready = false;  // its portal is mapped

  // Who drives a device from user space does not go on after a fault that the device could not wait for.
  DsaDriver::Faults faults() const {
    const bool final = !recovers || (view != nullptr && driver->faults(queue) != DsaDriver::Faults::kBlock);
    return final ? DsaDriver::Faults::kFinal : driver->faults(queue);
  }
};

// System calls. Those with a Result end by calling it, at once or later.
class Kernel {
 public:
  using Task = Machine::Task;
  using Result = std::function<void(Errno)>;
  virtual ~Kernel() = default;

  virtual Machine& machine() = 0;
  virtual PageAllocator& pages() = 0;
  virtual const HostParams& params() const = 0;
  virtual HostStats& stats() = 0;
  virtual HostLog& log() = 0;
  virtual StepBoard& board() = 0;
  // A random stream of this user's own.
  virtual RngStream rng(const std::string& who) = 0;
  // What all memory of devices has to hold, by physical address.
  virtual const std::shared_ptr<Shadow>& device_shadow() = 0;
  // When the workload began.
  virtual Ps began() const = 0;
  // A thread does nothing until then because it was told so: that is no hang.
  virtual void note_sleep(Ps until) = 0;

  // SPEC: [LINUX idxd_cdev_open, idxd_cdev_release]
  virtual void open(Process& process, Opening& opening, Result result) = 0;
  virtual void close(Process& process, Opening& opening, Result result) = 0;
  // The address space alone.
  using Bound = std::function<void(Errno, SvaCore::Handle)>;
  virtual void bind(Process& process, const std::string& device, Bound result) = 0;
  virtual void unbind(Process& process, SvaCore::Handle handle, Task done) = 0;
  virtual void set_feature(const std::string& device, SvaFeature feature, bool on, Result result) = 0;

  // The living address space that has this PASID, as the IOMMU layer finds it; nullptr: none has.
  virtual SvaSpace* find_space(Pasid pasid) = 0;

  // Has devices forget what is stale, then frees the pages.
  virtual void shoot_down(SvaSpace& space, const Stale& stale, Task done) = 0;
  // The virtual machine it runs in; nullptr: it is the host's kernel.
  virtual Guest* guest() { return nullptr; }
  // Ends a virtual machine, whatever its devices do. kNoEntry when it has ended.
  virtual void destroy_guest(const std::string& name, Result result) = 0;
  // Devices that user space drives; nullptr: it has none.
  virtual UserDevices* user_devices() { return nullptr; }
  // Begins the process that was declared as this one's child.
  virtual void fork(Process& parent, const std::string& child, Result result) = 0;
};

}  // namespace svasim
