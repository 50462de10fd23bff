// Shared virtual addressing: features of devices, binding of address spaces, PASIDs, mmu notifiers.
#pragma once

#include <any>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "models/host/errno.h"
#include "models/host/machine.h"
#include "models/host/pasid_allocator.h"
#include "models/host/sva_space.h"

namespace svasim {

// A device and its way to memory, as the system found them.
struct SvaDeviceInfo {
  std::string name;
  RequesterId requester;
  unsigned iommu = 0;
  bool ats = true;
  bool page_requests = true;
  bool pasid = true;
  // The IOMMU walks the tables the CPUs use: their levels, their page sizes.
  bool compatible_tables = true;
  std::string group;  // devices with the same name cannot be told apart by the IOMMU; empty: none
  std::uint32_t lowest_pasid = 1;
  std::uint32_t highest_pasid = kMaxPasid;
};

// What the IOMMU drivers do for it. Devices are numbers in the order in which they were added.
class SvaHardware {
 public:
  using Task = Machine::Task;
  virtual ~SvaHardware() = default;
  // Before attach(): whether the device can use one more PASID.
  virtual Errno reserve(unsigned /*device*/, Pasid /*pasid*/) { return Errno::kNone; }
  // Lets the device's requests with this PASID use the address space.
  virtual void attach(unsigned device, Pasid pasid, SvaSpace& space, Task done) = 0;
  // The opposite. Afterwards no translation of the PASID and no page request is left anywhere.
  virtual void detach(unsigned device, Pasid pasid, Task done) = 0;
  // The process exits with the device still active: translations go, faults are not recorded any more;
  // page requests are not drained. Later end_silence() drains.
  virtual void silence(unsigned device, Pasid pasid, Task done) = 0;
  virtual void end_silence(unsigned device, Pasid pasid, Task done) = 0;
  // No cache of these devices, which are behind one IOMMU, has translations of [start, end) any more when
  // `done` runs; kEverywhere: of the whole PASID.
  virtual void invalidate(unsigned iommu, Pasid pasid, AddressSpan span, const std::vector<unsigned>& devices,
                          Task done) = 0;
  virtual void enable_page_requests(unsigned device, Task done) = 0;
  // Ends what the device waits for with Invalid Request.
  virtual void disable_page_requests(unsigned device, Task done) = 0;
};

enum class SvaFeature : std::uint8_t { kIopf, kSva };

// SPEC: [LINUX drivers/iommu/iommu-sva.c]
class SvaCore {
 public:
  using Task = Machine::Task;
  // Told at the process's exit, before translations go: the driver stops the device's work.
  using ExitCallback = std::function<void(unsigned device, const std::any& data)>;

  struct Bond;
  using Handle = Bond*;
  struct Bond {
    unsigned device = 0;
    SvaSpace* space = nullptr;
    std::any data;
    ExitCallback on_exit;
    unsigned users = 0;
    bool attached = false;
    bool silenced = false;
    std::vector<Task> waiting;  // for the attach
    std::vector<Task> ended;    // waits for its end, which has begun: there are no users
  };
  struct Bound {
    Errno error = Errno::kNone;
    Handle handle = nullptr;
  };

  // Devices without ATS or PASIDs are refused unless `lenient`. MODEL: a lenient kernel leaves it to
  // processes to touch the pages such a device uses.
  SvaCore(SvaHardware& hardware, PasidAllocator pasids, bool lenient)
      : hardware_(hardware), pasids_(std::move(pasids)), lenient_(lenient) {}

  unsigned add_device(const SvaDeviceInfo& info);

  bool has(unsigned device, SvaFeature feature) const;
  bool enabled(unsigned device, SvaFeature feature) const;
  // `done` runs, unless there is an error, when hardware has followed.
  Errno enable(unsigned device, SvaFeature feature, Task done);
  Errno disable(unsigned device, SvaFeature feature, Task done);

  // One handle per device and address space, with a use count. `attached` runs, unless there is an error,
  // when the device can use it. Data and callback are those of the first bind.
  Bound bind(unsigned device, SvaSpace& space, std::any data, ExitCallback on_exit, Task attached);
  // Runs the task, at once or later, when no bond of the two is ending: bind() would find it.
  void when_not_ending(unsigned device, const SvaSpace& space, Task task);
  // Every bind needs one, also after the process's exit. `done` at the end of what it has to do.
  void unbind(Handle handle, Task done);
  Pasid get_pasid(Handle handle) const { return *handle->space->pasid; }
  Handle find(unsigned device, const SvaSpace& space) const;
  unsigned bonds_of(const SvaSpace& space) const;

  // The mmu notifier: page-table entries of [start, end) were removed or lost rights.
  void invalidate(SvaSpace& space, AddressSpan span, Task done);
  // SPEC: [LINUX mm/mmu_notifier.c]: the process is exiting. Nothing of it is translated when `done` runs.
  void release(SvaSpace& space, Task done);
  // The process no longer holds its address space.
  void drop(SvaSpace& space);

  // A PASID of the same space for something else than a shared address space; nullopt: none is left that the
  // device can send. SPEC: [LINUX iommu_alloc_global_pasid]
  std::optional<Pasid> alloc_global_pasid(unsigned device);
  void free_global_pasid(unsigned device, Pasid pasid);

  // Gives a device, with all devices of its group, to somebody who attaches what he wants to all its PASIDs.
  // kBusy: it is bound, a PASID is claimed, or another owner has one of the group.
  // SPEC: [LINUX iommu_device_claim_dma_owner]
  Errno own(unsigned device, std::uint64_t owner);
  void disown(unsigned device);
  bool is_owned(unsigned device) const { return owner_of(devices_[device]) != 0; }

  // Has the PASID of a device used by a domain that is not shared (another kind of attachment).
  Errno claim(unsigned device, Pasid pasid);

 private:
  struct Device {
    SvaDeviceInfo info;
    bool iopf = false;
    bool sva = false;
    std::vector<Pasid> claimed;
    std::uint64_t owner = 0;  // 0: the kernel
  };

  Errno can_bind(const Device& device, const SvaSpace& space) const;
  Errno give_pasid(const Device& device, SvaSpace& space);
  // Whose the device's group is; 0: the kernel's.
  std::uint64_t owner_of(const Device& device) const;
  unsigned group_size(const std::string& group) const;
  void forget(Handle handle);

  SvaHardware& hardware_;
  PasidAllocator pasids_;
  bool lenient_;
  std::vector<Device> devices_;
  std::list<Bond> bonds_;
};

}  // namespace svasim
