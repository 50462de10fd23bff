#include "models/host/sva.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace svasim {

unsigned SvaCore::add_device(const SvaDeviceInfo& info) {
  devices_.push_back({info, false, false, {}, 0});
  return static_cast<unsigned>(devices_.size()) - 1;
}

// --- features, SPEC: [LINUX drivers/iommu/iommu.c, drivers/iommu/intel/iommu.c] ---

bool SvaCore::has(unsigned index, SvaFeature feature) const {
  const SvaDeviceInfo& info = devices_[index].info;
  if (feature == SvaFeature::kIopf) {
    return info.page_requests;
  }
  return info.compatible_tables && info.pasid && info.ats;
}

bool SvaCore::enabled(unsigned index, SvaFeature feature) const {
  const Device& device = devices_[index];
  return feature == SvaFeature::kIopf ? device.iopf : device.sva;
}

Errno SvaCore::enable(unsigned index, SvaFeature feature, Task done) {
  Device& device = devices_[index];
  const SvaDeviceInfo& info = device.info;
  if (feature == SvaFeature::kIopf) {
    if (!info.page_requests) return Errno::kNoDevice;
    if (device.iopf) return Errno::kBusy;
    device.iopf = true;
    hardware_.enable_page_requests(index, std::move(done));
    return Errno::kNone;
  }
  if (!info.compatible_tables) return Errno::kNoDevice;
  if (!info.pasid || (!info.ats && !lenient_)) return Errno::kInvalid;
  // A device that can ask for pages has to; one that cannot may know another way to recover.
  if (info.page_requests && !device.iopf) return Errno::kInvalid;
  if (device.sva) return Errno::kBusy;
  device.sva = true;
  done();
  return Errno::kNone;
}

Errno SvaCore::disable(unsigned index, SvaFeature feature, Task done) {
  Device& device = devices_[index];
  const bool bound =
      std::any_of(bonds_.begin(), bonds_.end(), [&](const Bond& bond) { return bond.device == index; });
  if (!enabled(index, feature)) return Errno::kInvalid;
  if (feature == SvaFeature::kSva) {
    if (bound) return Errno::kBusy;
    device.sva = false;
    done();
    return Errno::kNone;
  }
  if (device.sva) return Errno::kBusy;
  device.iopf = false;
  hardware_.disable_page_requests(index, std::move(done));
  return Errno::kNone;
}

// --- bind, SPEC: [LINUX iommu_sva_bind_device, iommu_alloc_mm_data] ---

unsigned SvaCore::group_size(const std::string& group) const {
  return static_cast<unsigned>(std::count_if(devices_.begin(), devices_.end(),
                                             [&](const Device& d) { return d.info.group == group; }));
}

Errno SvaCore::can_bind(const Device& device, const SvaSpace& space) const {
  if (device.info.group.empty()) return Errno::kNoDevice;
  if (!space.dma_compatible) return Errno::kBusy;
  if (group_size(device.info.group) != 1) return Errno::kInvalid;
  if (!device.sva) return Errno::kNoDevice;
  if (owner_of(device) != 0) return Errno::kBusy;
  return Errno::kNone;
}

Errno SvaCore::give_pasid(const Device& device, SvaSpace& space) {
  const SvaDeviceInfo& info = device.info;
  if (space.pasid.has_value()) {
    const std::uint32_t pasid = space.pasid->value();
    return pasid < info.lowest_pasid || pasid > info.highest_pasid ? Errno::kOverflow : Errno::kNone;
  }
  space.pasid = pasids_.allocate(info.lowest_pasid, info.highest_pasid);
  return space.pasid.has_value() ? Errno::kNone : Errno::kNoSpace;
}

SvaCore::Handle SvaCore::find(unsigned device, const SvaSpace& space) const {
  for (const Bond& bond : bonds_) {
    if (bond.device == device && bond.space == &space) return const_cast<Handle>(&bond);
  }
  return nullptr;
}

unsigned SvaCore::bonds_of(const SvaSpace& space) const {
  return static_cast<unsigned>(
      std::count_if(bonds_.begin(), bonds_.end(), [&](const Bond& bond) { return bond.space == &space; }));
}

SvaCore::Bound SvaCore::bind(unsigned index, SvaSpace& space, std::any data, ExitCallback on_exit,
                             Task attached) {
  SVASIM_CHECK(space.alive, "an address space is bound after its process's exit");
  Device& device = devices_[index];
  if (const Errno error = can_bind(device, space); error != Errno::kNone) {
    return {error, nullptr};
  }
  if (const Errno error = give_pasid(device, space); error != Errno::kNone) {
    return {error, nullptr};
  }
  if (const Handle old = find(index, space); old != nullptr) {
    SVASIM_CHECK(old->users != 0, "a bond is used that is ending");
    ++old->users;
    if (old->attached) {
      attached();
    } else {
      old->waiting.push_back(std::move(attached));
    }
    return {Errno::kNone, old};
  }
  if (std::find(device.claimed.begin(), device.claimed.end(), *space.pasid) != device.claimed.end()) {
    return {Errno::kBusy, nullptr};
  }
  if (const Errno error = hardware_.reserve(index, *space.pasid); error != Errno::kNone) {
    return {error, nullptr};
  }
  bonds_.emplace_back();
  const Handle bond = &bonds_.back();
  bond->device = index;
  bond->space = &space;
  bond->data = std::move(data);
  bond->on_exit = std::move(on_exit);
  bond->users = 1;
  bond->waiting.push_back(std::move(attached));
  ++space.holders;
  hardware_.attach(index, *space.pasid, space, [bond] {
    bond->attached = true;
    const std::vector<Task> waiting = std::move(bond->waiting);
    for (const Task& task : waiting) task();
  });
  return {Errno::kNone, bond};
}

std::uint64_t SvaCore::owner_of(const Device& device) const {
  for (const Device& other : devices_) {
    if (other.info.group == device.info.group && other.owner != 0) return other.owner;
  }
  return 0;
}

Errno SvaCore::own(unsigned index, std::uint64_t owner) {
  Device& device = devices_[index];
  const auto in_group = [&](unsigned other) { return devices_[other].info.group == device.info.group; };
  for (const Bond& bond : bonds_) {
    if (in_group(bond.device)) return Errno::kBusy;
  }
  for (unsigned other = 0; other < devices_.size(); ++other) {
    if (in_group(other) && !devices_[other].claimed.empty()) return Errno::kBusy;
  }
  if (device.owner != 0 || (owner_of(device) != 0 && owner_of(device) != owner)) return Errno::kBusy;
  device.owner = owner;
  return Errno::kNone;
}

void SvaCore::disown(unsigned index) { devices_[index].owner = 0; }

Errno SvaCore::claim(unsigned index, Pasid pasid) {
  if (owner_of(devices_[index]) != 0) return Errno::kBusy;
  for (const Bond& bond : bonds_) {
    if (bond.device == index && bond.space->pasid == pasid) return Errno::kBusy;
  }
  devices_[index].claimed.push_back(pasid);
  return Errno::kNone;
}

std::optional<Pasid> SvaCore::alloc_global_pasid(unsigned index) {
  Device& device = devices_[index];
  if (owner_of(device) != 0) return std::nullopt;
  const auto pasid = pasids_.allocate(device.info.lowest_pasid, device.info.highest_pasid);
  if (pasid.has_value()) device.claimed.push_back(*pasid);
  return pasid;
}

void SvaCore::free_global_pasid(unsigned index, Pasid pasid) {
  std::vector<Pasid>& claimed = devices_[index].claimed;
  claimed.erase(std::remove(claimed.begin(), claimed.end(), pasid), claimed.end());
  pasids_.free(pasid);
}

// SPEC: [LINUX drivers/iommu/iommu-sva.c]: bind and unbind exclude each other (iommu_sva_lock).
void SvaCore::when_not_ending(unsigned device, const SvaSpace& space, Task task) {
  const Handle bond = find(device, space);
  if (bond == nullptr || bond->users != 0) {
    task();
  } else {
    bond->ended.push_back(std::move(task));
  }
}

void SvaCore::unbind(Handle handle, Task done) {
  SVASIM_CHECK(handle->users != 0, "a bond is undone more often than it was made");
  if (--handle->users != 0) {
    done();
    return;
  }
  const auto gone = [this, handle, done = std::move(done)] {
    const std::vector<Task> ended = std::move(handle->ended);
    const unsigned device = handle->device;
    const SvaSpace& space = *handle->space;
    forget(handle);
    done();
    // The first of them may bind and unbind again.
    for (const Task& task : ended) when_not_ending(device, space, task);
  };
  const Pasid pasid = *handle->space->pasid;
  if (handle->silenced) {
    hardware_.end_silence(handle->device, pasid, gone);
  } else {
    hardware_.detach(handle->device, pasid, gone);
  }
}

void SvaCore::forget(Handle handle) {
  SvaSpace& space = *handle->space;
  bonds_.remove_if([handle](const Bond& bond) { return &bond == handle; });
  drop(space);
}

void SvaCore::drop(SvaSpace& space) {
  SVASIM_CHECK(space.holders != 0, "an address space is dropped more often than it is held");
  if (--space.holders == 0 && space.pasid.has_value()) {
    pasids_.free(*space.pasid);
    space.pasid.reset();
  }
}

// --- notifier ---

void SvaCore::invalidate(SvaSpace& space, AddressSpan span, Task done) {
  std::map<unsigned, std::vector<unsigned>> by_iommu;
  for (const Bond& bond : bonds_) {
    if (bond.space == &space && !bond.silenced)
      by_iommu[devices_[bond.device].info.iommu].push_back(bond.device);
  }
  if (by_iommu.empty()) {
    done();
    return;
  }
  const Task one = after_all(by_iommu.size(), std::move(done));
  for (const auto& [iommu, devices] : by_iommu) {
    hardware_.invalidate(iommu, *space.pasid, span, devices, one);
  }
}

void SvaCore::release(SvaSpace& space, Task done) {
  space.alive = false;
  std::vector<Handle> live;
  for (Bond& bond : bonds_) {
    if (bond.space == &space && !bond.silenced) live.push_back(&bond);
  }
  if (live.empty()) {
    done();
    return;
  }
  const Task one = after_all(live.size(), std::move(done));
  for (const Handle bond : live) {
    bond->silenced = true;
    if (bond->on_exit) bond->on_exit(bond->device, bond->data);
    hardware_.silence(bond->device, *space.pasid, one);
  }
}

}  // namespace svasim
