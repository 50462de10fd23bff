#include "models/host/user_devices.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "models/formats/vtd_second_stage.h"

namespace svasim {

UserDevices::UserDevices(Kernel& kernel, System system)
    : kernel_(kernel),
      system_(std::move(system)),
      user_pages_(kernel.machine(), kernel.pages(),
                  {kernel.params().page_fault_time, kernel.params().vfio.lookup_time,
                   kernel.params().iommufd.pin_page_time, kernel.params().vfio.retries},
                  kernel.stats().user_devices,
                  [&kernel](SvaSpace& space, const Stale& stale, Task done) {
                    kernel.shoot_down(space, stale, std::move(done));
                  }),
      vfio_(kernel, system_.spaces, [this] {
        std::vector<Iommufd*> contexts;
        for (const auto& each : contexts_) contexts.push_back(each.get());
        return contexts;
      }) {}

// MODEL: all tables are such as every IOMMU walks: 4 levels, 4-KiB pages, and 2-MiB ones if all know them.
Iommufd& UserDevices::open() {
  PageFormatOptions options;
  unsigned bits = 48;
  for (unsigned device = 0; device < kernel_.params().devices.size(); ++device) {
    const IommuDriver& iommu = system_.iommu(device);
    options.second_stage_2m = options.second_stage_2m && iommu.second_stage().level[2].may_be_leaf;
    bits = std::min(bits, iommu.second_stage_bits());
  }
  contexts_.push_back(std::make_unique<Iommufd>(
      Iommufd::Ground{kernel_.machine(), kernel_.pages(), system_.ids, make_vtd_second_stage(4, options),
                      bits, user_pages_, *this, kernel_.stats().user_devices,
                      kernel_.params().iommufd.call_time},
      contexts_.size() + 1));
  return *contexts_.back();
}

// --- work queues ---

void UserDevices::enable_queue(Opening& opening, Pasid pasid, const AddressView& view, Result result) {
  if (opening.open || !opening.driver->claim(opening.queue)) return result(Errno::kBusy);
  opening.open = true;
  opening.view = &view;
  opening.pasid = pasid == kNoPasid ? std::nullopt : std::optional(pasid);
  enabled_.push_back(&opening);
  DsaDriver::Identity identity;
  identity.pasid = opening.pasid;
  identity.block_on_fault = opening.driver->faults(opening.queue) == DsaDriver::Faults::kBlock;
  opening.driver->open(opening.queue, identity, [&opening, result] {
    opening.ready = true;
    result(opening.driver->usable() ? Errno::kNone : Errno::kInvalid);
  });
}

void UserDevices::disable_queue(Opening& opening, Task done) {
  opening.ready = false;
  opening.driver->close(opening.queue, opening.pasid, [this, &opening, done = std::move(done)] {
    opening.driver->give_back(opening.queue);
    enabled_.erase(std::remove(enabled_.begin(), enabled_.end(), &opening), enabled_.end());
    opening.open = false;
    opening.pasid.reset();
    opening.view = nullptr;
    done();
  });
}

// --- what the kernel does for contexts ---

Errno UserDevices::claim(unsigned device, std::uint64_t owner) {
  return system_.is_mapped(device) ? Errno::kBusy : system_.sva.own(device, owner);
}

// SPEC: [LINUX vfio_pci_core_close_device]: the device does nothing for user space when the kernel gets it.
void UserDevices::give_back(unsigned device, Task done) {
  const Task again = [this, device, done] { give_back(device, done); };
  for (Opening* opening : enabled_) {
    if (opening->device != device) continue;
    if (opening->ready) return disable_queue(*opening, again);
    // A step of its process has begun to.
    constexpr Ps kAgain = 1'000'000;
    return kernel_.machine().after(kAgain, again);
  }
  system_.sva.disown(device);
  done();
}

bool UserDevices::has_second_stage(unsigned device) const {
  IoTranslation translation;
  translation.kind = IoTranslation::Kind::kSecondStage;
  translation.second_levels = 4;
  return system_.iommu(device).lacks(translation) == nullptr;
}

bool UserDevices::has_page_requests(unsigned device) const {
  return queue_of(device).has_device(requester(device));
}

std::uint32_t UserDevices::highest_pasid(unsigned device) const {
  return system_.iommu(device).pasid_limit() - 1;
}

void UserDevices::attach(unsigned device, Pasid pasid, IoDomain& domain, Task done) {
  domain.attach(system_.iommu(device), {requester(device), pasid}, std::move(done));
}

void UserDevices::replace(unsigned device, Pasid pasid, IoDomain& from, IoDomain& to, Task done) {
  from.replace(to, {requester(device), pasid}, std::move(done));
}

void UserDevices::detach(unsigned device, Pasid pasid, IoDomain& domain, Task done) {
  domain.detach({requester(device), pasid}, std::move(done));
}

void UserDevices::set_fault_handler(unsigned device, Pasid pasid, IopfQueue::Handler handler) {
  const auto key = pasid == kNoPasid ? std::nullopt : std::optional(pasid);
  if (handler == nullptr) {
    queue_of(device).remove_handler(requester(device), key);
    return;
  }
  queue_of(device).set_handler(requester(device), key, [this, handler](const IopfGroupRef& group) {
    const Errno error = handler(group);
    if (error == Errno::kNone) system_.faults.log(*group, FaultStep::kHandled);
    if (error == Errno::kNone) kernel_.stats().page_groups.add();
    return error;
  });
}

void UserDevices::respond(const IopfGroupRef& group, PageResponseCode code) {
  system_.faults.log(*group, FaultStep::kDecided);
  const Errno error = system_.faults.queue(group->queue).respond(group, code, [] {});
  // Otherwise it was answered when its device stopped reporting faults.
  if (error == Errno::kNone) kernel_.stats().responses.add();
}

std::size_t UserDevices::objects() const {
  std::size_t count = 0;
  for (const auto& context : contexts_) count += context->objects();
  return count;
}

std::uint64_t UserDevices::in_flight() const {
  std::uint64_t count = 0;
  for (const auto& context : contexts_) count += context->pending_faults();
  return count;
}

void UserDevices::dump_in_flight(const std::string& who, std::ostream& out) const {
  for (const auto& context : contexts_) {
    if (const std::uint64_t count = context->pending_faults(); count != 0) {
      out << fmt::format("{}: {} page request groups wait for user space to answer them\n", who, count);
    }
  }
}

}  // namespace svasim
