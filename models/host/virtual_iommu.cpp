#include "models/host/virtual_iommu.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace svasim {

VirtualIommu::VirtualIommu(const Host& host, const GuestParams& params, const Platform& platform,
                           GuestMachine& machine, IoDomain& domain, GuestStats& stats)
    : host_(host),
      platform_(platform),
      machine_(machine),
      domain_(domain),
      stats_(stats),
      page_requests_({host.machine, host.faults, host.journeys}, params, machine, stats) {}

void VirtualIommu::start(FaultService& faults, PhysicalMemory& memory, PageAllocator& pages,
                         unsigned paging_levels) {
  constexpr unsigned kPasidBits = 20;
  faults_ = &faults;
  faults.add_queue();
  page_requests_.start(faults);
  paging_levels_ = paging_levels;
  tables_ = std::make_unique<TranslationTables>(memory, pages);
  for (const Platform::Dsa& device : platform_.devices) {
    tables_->add_device(device.requester, device.ats, device.page_requests, kPasidBits);
  }
}

// --- bind and unbind ---

Errno VirtualIommu::reserve(unsigned device, Pasid pasid) {
  const auto hosts = host_.sva.alloc_global_pasid(device);
  if (!hosts.has_value()) return Errno::kNoSpace;
  pasids_.emplace(IoTarget{requester(device), pasid}, *hosts);
  return Errno::kNone;
}

void VirtualIommu::attach(unsigned device, Pasid pasid, SvaSpace& space, Task done) {
  const RequesterId id = requester(device);
  if (guest_queue().has_device(id)) guest_queue().set_handler(id, pasid, faults_->sva_handler(space));
  IoTranslation translation;
  translation.first = space.memory.table();
  translation.first_levels = paging_levels_;
  tables_->set(id, pasid, translation, true);
  machine_.call_host([=](const Task& answered) { host_bind(device, pasid, answered); }, std::move(done));
}

// SPEC: [VTD 9.6]: of the guest's entry only what is about the first stage counts.
void VirtualIommu::host_bind(unsigned device, Pasid pasid, const Task& answered) {
  const auto entry = tables_->get(requester(device), pasid);
  SVASIM_CHECK(entry.has_value() && entry->kind == IoTranslation::Kind::kFirstStage,
               "a guest binds what is not in its PASID table");
  const IoTarget target{requester(device), host_pasid(device, pasid)};
  IopfQueue& queue = host_.faults.queue(platform_.devices[device].iommu);
  if (queue.has_device(target.device)) {
    queue.set_handler(target.device, target.pasid, page_requests_.handler(pasid));
  }
  stats_.binds.add();
  domain_.attach_nested(host_.iommu(device), target, entry->first, entry->first_levels, answered);
}

void VirtualIommu::host_unbind(unsigned device, Pasid pasid, const Task& answered) {
  const IoTarget guests{requester(device), pasid};
  const IoTarget target{requester(device), host_pasid(device, pasid)};
  domain_.detach(target, [=] {
    page_requests_.refuse(target.device, target.pasid);
    host_.faults.queue(platform_.devices[device].iommu).remove_handler(target.device, target.pasid);
    pasids_.erase(guests);
    host_.sva.free_global_pasid(device, target.pasid);
    answered();
  });
}

// SPEC: [LINUX intel_pasid_tear_down_entry, intel_drain_pasid_prq]: the order of any kernel; the entry is
// freed when the guest's own workers have ended.
void VirtualIommu::detach(unsigned device, Pasid pasid, Task done) {
  tables_->take_present(requester(device), pasid, 0);
  end_silence(device, pasid, std::move(done));
}

void VirtualIommu::silence(unsigned device, Pasid pasid, Task done) {
  tables_->take_present(requester(device), pasid, PasidTableEntry::FPD::kMask);
  machine_.call_host(
      [=](const Task& answered) {
        domain_.silence({requester(device), host_pasid(device, pasid)}, answered);
      },
      std::move(done));
}

void VirtualIommu::end_silence(unsigned device, Pasid pasid, Task done) {
  machine_.call_host([=](const Task& answered) { host_unbind(device, pasid, answered); },
                     [this, device, pasid, done = std::move(done)] {
                       faults_->flush(0, [this, device, pasid, done] {
                         guest_queue().remove_handler(requester(device), pasid);
                         tables_->clear(requester(device), pasid);
                         done();
                       });
                     });
}

void VirtualIommu::detach_all(Task done) {
  if (pasids_.empty()) {
    done();
    return;
  }
  const IoTarget guests = pasids_.begin()->first;
  const Pasid pasid = pasids_.begin()->second;
  unsigned device = 0;
  while (requester(device) != guests.device) ++device;
  const bool attached = std::any_of(domain_.attachments().begin(), domain_.attachments().end(),
                                    [&](const IoDomain::Attachment& each) {
                                      return each.target == IoTarget{guests.device, pasid};
                                    });
  if (attached) {
    host_unbind(device, guests.pasid, [this, done] { detach_all(done); });
    return;
  }
  // It was only reserved: its machine stopped on the way to the host.
  pasids_.erase(guests);
  host_.sva.free_global_pasid(device, pasid);
  detach_all(std::move(done));
}

// --- invalidation ---

void VirtualIommu::invalidate(unsigned /*iommu*/, Pasid pasid, AddressSpan span,
                              const std::vector<unsigned>& devices, Task done) {
  stats_.invalidations.add();
  const Ps asked = machine_.now();
  machine_.call_host([=](const Task& answered) { host_invalidate(pasid, span, devices, answered); },
                     [this, asked, done = std::move(done)] {
                       stats_.invalidation_latency.record(machine_.now() - asked);
                       done();
                     });
}

void VirtualIommu::host_invalidate(Pasid pasid, AddressSpan span, const std::vector<unsigned>& devices,
                                   const Task& answered) {
  const Task one = after_all(devices.size(), answered);
  for (const unsigned device : devices) {
    const auto target = pasids_.find({requester(device), pasid});
    if (target == pasids_.end()) {
      one();  // unbound meanwhile, which has invalidated everything
      continue;
    }
    host_.iommu(device).invalidate_first(domain_.id(), target->second, span, {requester(device)}, one);
  }
}

// --- page requests ---

// MODEL: whether a device may ask for pages (PRE) is the host's business; a guest that does not want them
// refuses them.
void VirtualIommu::enable_page_requests(unsigned device, Task done) {
  const Errno error = guest_queue().add_device(
      requester(device), [this](const PageRequest& last, PageResponseCode code, const Task& taken) {
        page_requests_.answer(last, code, taken);
      });
  SVASIM_CHECK(error == Errno::kNone, "a device reports faults twice");
  done();
}

void VirtualIommu::disable_page_requests(unsigned device, Task done) {
  faults_->flush(0, [this, device, done = std::move(done)] {
    faults_->remove_device(0, requester(device));
    done();
  });
}

}  // namespace svasim
