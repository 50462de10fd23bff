#include "models/host/iommufd.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace svasim {

// --- calls ---

void Iommufd::call(Call call, Result result) {
  calls_.add([this, call = std::move(call), result = std::move(result)](const Task& next) {
    ground_.machine.after(ground_.call_time, [call, result, next] {
      call([result, next](const Outcome& outcome) {
        next();
        result(outcome);
      });
    });
  });
}

// --- devices ---

// SPEC: [LINUX iommufd_bind_device, iommu_device_claim_dma_owner]
void Iommufd::bind(unsigned device, std::uint64_t cookie, Result result) {
  call(
      [this, device, cookie](const Result& finish) {
        if (closed_) return finish(failed(Errno::kBadFile));
        for (const auto& [id, each] : devices_) {
          if (each.device == device || each.cookie == cookie) return finish(failed(Errno::kBusy));
        }
        if (!ground_.hardware.has_second_stage(device)) return finish(failed(Errno::kNoDevice));
        if (const Errno error = ground_.hardware.claim(device, owner_); error != Errno::kNone) {
          return finish(failed(error));
        }
        const std::uint32_t id = next_id_++;
        devices_[id] = {device, cookie, {}};
        finish({Errno::kNone, id, 0});
      },
      std::move(result));
}

void Iommufd::unbind(std::uint32_t dev_id, Result result) {
  call([this, dev_id](const Result& finish) { unbind_now(dev_id, finish); }, std::move(result));
}

void Iommufd::unbind_now(std::uint32_t dev_id, const Result& finish) {
  const auto found = devices_.find(dev_id);
  if (found == devices_.end()) return finish(failed(Errno::kNoEntry));
  if (!found->second.attached.empty()) {
    detach_now(dev_id, found->second.attached.begin()->first,
               [this, dev_id, finish] { unbind_now(dev_id, finish); });
    return;
  }
  ground_.hardware.give_back(found->second.device, [this, dev_id, finish] {
    devices_.erase(dev_id);
    if (closed_ && devices_.empty()) tear_down();
    finish({});
  });
}

// --- I/O address spaces ---

void Iommufd::ioas_alloc(Result result) {
  call(
      [this](const Result& finish) {
        if (closed_) return finish(failed(Errno::kBadFile));
        const std::uint32_t id = next_id_++;
        ioases_.emplace(id, Ioas(ground_.user_pages, ground_.stats, ground_.iova_bits));
        finish({Errno::kNone, id, 0});
      },
      std::move(result));
}

void Iommufd::ioas_map(std::uint32_t ioas, const Map& map, Result result) {
  call([this, ioas, map](const Result& finish) { map_now(ioas, map, finish); }, std::move(result));
}

// The addresses stay free while pages are being pinned: nobody else maps meanwhile.
void Iommufd::map_now(std::uint32_t id, const Map& map, const Result& finish) {
  if (closed_) return finish(failed(Errno::kBadFile));
  const auto found = ioases_.find(id);
  if (found == ioases_.end()) return finish(failed(Errno::kNoEntry));
  Ioas& ioas = found->second;
  const std::uint64_t size = map.user.end - map.user.start;
  Addr iova = map.iova.value_or(0);
  const Errno error = map.iova.has_value() ? ioas.check_fixed(iova, size) : ioas.allocate(size, iova);
  if (error != Errno::kNone) return finish(failed(error));
  ground_.user_pages.pin(
      *map.space, map.user, map.write,
      [this, &ioas, iova, size, write = map.write, finish](Errno pinned, const std::vector<UserPage>& pages) {
        Errno result = pinned;
        if (result == Errno::kNone) {
          result = ioas.insert(iova, {size, write, false, pages});
          if (result != Errno::kNone) ground_.user_pages.unpin(pages);
        }
        finish({result, 0, iova});
      });
}

void Iommufd::ioas_unmap(std::uint32_t id, Addr iova, std::uint64_t size, Result result) {
  call(
      [this, id, iova, size](const Result& finish) {
        const auto found = ioases_.find(id);
        if (closed_ || found == ioases_.end()) {
          return finish(failed(closed_ ? Errno::kBadFile : Errno::kNoEntry));
        }
        const Errno error = found->second.unmap(iova, size, [finish](std::uint64_t bytes) {
          finish({Errno::kNone, 0, bytes});
        });
        if (error != Errno::kNone) finish(failed(error));
      },
      std::move(result));
}

// --- fault queues and hardware page tables ---

void Iommufd::fault_queue_alloc(Result result) {
  call(
      [this](const Result& finish) {
        if (closed_) return finish(failed(Errno::kBadFile));
        const std::uint32_t id = next_id_++;
        faults_.emplace(id, FaultQueue(ground_.machine, ground_.stats,
                                       [this](const IopfGroupRef& group, PageResponseCode code) {
                                         ground_.hardware.respond(group, code);
                                       }));
        finish({Errno::kNone, id, 0});
      },
      std::move(result));
}

void Iommufd::hwpt_alloc(std::uint32_t dev_id, std::uint32_t ioas, std::optional<std::uint32_t> faults,
                         Result result) {
  call(
      [this, dev_id, ioas, faults](const Result& finish) {
        if (closed_) return finish(failed(Errno::kBadFile));
        if (devices_.count(dev_id) == 0 || ioases_.count(ioas) == 0 ||
            (faults.has_value() && faults_.count(*faults) == 0)) {
          return finish(failed(Errno::kNoEntry));
        }
        Outcome outcome;
        outcome.error = make_hwpt(ioas, faults.value_or(0), false, outcome.id);
        finish(outcome);
      },
      std::move(result));
}

Errno Iommufd::make_hwpt(std::uint32_t ioas, std::uint32_t faults, bool automatic, std::uint32_t& id) {
  if (ground_.ids.full()) return Errno::kNoSpace;
  const DomainId number = ground_.ids.allocate();
  auto domain = std::make_unique<IoDomain>(number, ground_.format, ground_.machine.memory(), ground_.pages);
  if (const Errno error = ioases_.at(ioas).add_domain(*domain); error != Errno::kNone) {
    domain->release();
    ground_.ids.free(number);
    return error;
  }
  id = next_id_++;
  hwpts_[id] = {id, ioas, faults, automatic, 0, std::move(domain)};
  return Errno::kNone;
}

void Iommufd::drop_hwpt(std::uint32_t id) {
  Hwpt& hwpt = hwpts_.at(id);
  ioases_.at(hwpt.ioas).remove_domain(*hwpt.domain);
  hwpt.domain->release();
  ground_.ids.free(hwpt.domain->id());
  hwpts_.erase(id);
}

// The hwpt itself, or the one that an ioas makes for whoever names it directly.
Errno Iommufd::table_of(std::uint32_t id, Hwpt*& hwpt) {
  if (const auto found = hwpts_.find(id); found != hwpts_.end() && !found->second.automatic) {
    hwpt = &found->second;
    return Errno::kNone;
  }
  if (ioases_.count(id) == 0) {
    return devices_.count(id) != 0 || faults_.count(id) != 0 ? Errno::kInvalid : Errno::kNoEntry;
  }
  for (auto& [number, each] : hwpts_) {
    if (each.automatic && each.ioas == id) {
      hwpt = &each;
      return Errno::kNone;
    }
  }
  std::uint32_t made = 0;
  if (const Errno error = make_hwpt(id, 0, true, made); error != Errno::kNone) return error;
  hwpt = &hwpts_.at(made);
  return Errno::kNone;
}

// --- attach and detach ---

IopfQueue::Handler Iommufd::handler(std::uint32_t dev_id, Pasid pasid, std::uint32_t hwpt) {
  const std::uint32_t queue = hwpts_.at(hwpt).faults;
  if (queue == 0) return nullptr;
  return [this, dev_id, pasid, queue](const IopfGroupRef& group) {
    faults_.at(queue).deliver({dev_id, pasid.value()}, group);
    return Errno::kNone;
  };
}

void Iommufd::attach(std::uint32_t dev_id, Pasid pasid, std::uint32_t table, Result result) {
  call([=](const Result& finish) { attach_now(dev_id, pasid, table, finish); }, std::move(result));
}

// SPEC: [LINUX iommufd_device_attach, iommufd_device_replace]
void Iommufd::attach_now(std::uint32_t dev_id, Pasid pasid, std::uint32_t table, const Result& finish) {
  if (closed_) return finish(failed(Errno::kBadFile));
  const auto found = devices_.find(dev_id);
  if (found == devices_.end()) return finish(failed(Errno::kNoEntry));
  Bound& bound = found->second;
  if (pasid.value() > ground_.hardware.highest_pasid(bound.device)) return finish(failed(Errno::kInvalid));
  Hwpt* hwpt = nullptr;
  if (const Errno error = table_of(table, hwpt); error != Errno::kNone) return finish(failed(error));
  if (hwpt->faults != 0 && !ground_.hardware.has_page_requests(bound.device)) {
    return finish(failed(Errno::kNoDevice));
  }
  const auto now = bound.attached.find(pasid);
  const std::uint32_t before = now == bound.attached.end() ? 0 : now->second;
  if (before == hwpt->id) return finish({});
  ++hwpt->users;
  const std::uint32_t id = hwpt->id;
  ground_.hardware.set_fault_handler(bound.device, pasid, handler(dev_id, pasid, id));
  const Task done = [=] {
    attached(dev_id, pasid, id, before);
    finish({});
  };
  if (before == 0) {
    ground_.hardware.attach(bound.device, pasid, *hwpt->domain, done);
  } else {
    ground_.hardware.replace(bound.device, pasid, *hwpts_.at(before).domain, *hwpt->domain, done);
  }
}

void Iommufd::attached(std::uint32_t dev_id, Pasid pasid, std::uint32_t hwpt, std::uint32_t before) {
  devices_.at(dev_id).attached[pasid] = hwpt;
  ground_.stats.attaches.add();
  if (before == 0) return;
  const std::uint32_t queue = hwpts_.at(before).faults;
  // What came for the table that was there and lies in another queue has nobody to answer it.
  if (queue != 0 && queue != hwpts_.at(hwpt).faults) faults_.at(queue).discard({dev_id, pasid.value()});
  release(before);
}

void Iommufd::release(std::uint32_t id) {
  Hwpt& hwpt = hwpts_.at(id);
  if (--hwpt.users == 0 && hwpt.automatic) drop_hwpt(id);
}

void Iommufd::detach(std::uint32_t dev_id, Pasid pasid, Result result) {
  call(
      [=](const Result& finish) {
        const auto found = devices_.find(dev_id);
        if (found == devices_.end()) return finish(failed(Errno::kNoEntry));
        if (found->second.attached.count(pasid) == 0) return finish(failed(Errno::kInvalid));
        detach_now(dev_id, pasid, [finish] { finish({}); });
      },
      std::move(result));
}

// SPEC: [LINUX iommufd_hwpt_detach_device, iommufd_auto_response_faults]: first nothing is translated any
// more, then what waits for user space is answered.
void Iommufd::detach_now(std::uint32_t dev_id, Pasid pasid, const Task& done) {
  const Bound& bound = devices_.at(dev_id);
  const std::uint32_t id = bound.attached.at(pasid);
  const unsigned device = bound.device;
  ground_.hardware.detach(device, pasid, *hwpts_.at(id).domain, [=] {
    ground_.hardware.set_fault_handler(device, pasid, nullptr);
    if (const std::uint32_t queue = hwpts_.at(id).faults; queue != 0) {
      faults_.at(queue).discard({dev_id, pasid.value()});
    }
    devices_.at(dev_id).attached.erase(pasid);
    ground_.stats.detaches.add();
    release(id);
    done();
  });
}

// --- the end of objects ---

void Iommufd::destroy(std::uint32_t id, Result result) {
  call(
      [this, id](const Result& finish) {
        if (closed_) return finish(failed(Errno::kBadFile));
        if (const Errno error = destroy_now(id, finish); error != Errno::kNone) finish(failed(error));
      },
      std::move(result));
}

// SPEC: [LINUX iommufd_destroy]: a bound device, and what something uses, is not destroyed.
Errno Iommufd::destroy_now(std::uint32_t id, const Result& finish) {
  if (devices_.count(id) != 0) return Errno::kBusy;
  if (const auto hwpt = hwpts_.find(id); hwpt != hwpts_.end()) {
    if (hwpt->second.users != 0) return Errno::kBusy;
    drop_hwpt(id);
    finish({});
    return Errno::kNone;
  }
  if (const auto queue = faults_.find(id); queue != faults_.end()) {
    const auto uses = [id](const auto& each) { return each.second.faults == id; };
    if (std::any_of(hwpts_.begin(), hwpts_.end(), uses)) return Errno::kBusy;
    SVASIM_CHECK(queue->second.pending() == 0, "faults wait of tables that are gone");
    queue->second.wake();
    faults_.erase(queue);
    finish({});
    return Errno::kNone;
  }
  const auto ioas = ioases_.find(id);
  if (ioas == ioases_.end()) return Errno::kNoEntry;
  if (ioas->second.is_used()) return Errno::kBusy;
  return ioas->second.unmap(0, Ioas::kEverything, [this, id, finish](std::uint64_t) {
    ioases_.erase(id);
    finish({});
  });
}

void Iommufd::close(Task done) {
  call(
      [this](const Result& finish) {
        closed_ = true;
        for (auto& [id, queue] : faults_) queue.wake();
        if (devices_.empty()) tear_down();
        finish({});
      },
      [done = std::move(done)](const Outcome&) { done(); });
}

// Users before what they use. Nothing is attached, so no fault waits.
void Iommufd::tear_down() {
  while (!hwpts_.empty()) drop_hwpt(hwpts_.begin()->first);
  faults_.clear();
  for (auto& [id, ioas] : ioases_) {
    // No domain is left that could take time.
    static_cast<void>(ioas.unmap(0, Ioas::kEverything, [](std::uint64_t) {}));
  }
  ioases_.clear();
  gone_ = true;
}

void Iommufd::revoke(AddressSpan physical, bool invalidate, Task done) {
  call(
      [this, physical, invalidate](const Result& finish) {
        if (ioases_.empty()) return finish({});
        const Task one = after_all(ioases_.size(), [finish] { finish({}); });
        for (auto& [id, ioas] : ioases_) ioas.revoke(physical, invalidate, one);
      },
      [done = std::move(done)](const Outcome&) { done(); });
}

// --- what there is ---

const Ioas* Iommufd::ioas(std::uint32_t id) const {
  const auto found = ioases_.find(id);
  return found == ioases_.end() ? nullptr : &found->second;
}

FaultQueue* Iommufd::fault_queue(std::uint32_t id) {
  const auto found = faults_.find(id);
  return closed_ || found == faults_.end() ? nullptr : &found->second;
}

std::uint32_t Iommufd::attached_ioas(std::uint32_t dev_id, Pasid pasid) const {
  const auto device = devices_.find(dev_id);
  if (device == devices_.end()) return 0;
  const auto attached = device->second.attached.find(pasid);
  return attached == device->second.attached.end() ? 0 : hwpts_.at(attached->second).ioas;
}

std::vector<std::uint32_t> Iommufd::bound() const {
  std::vector<std::uint32_t> ids;
  for (const auto& [id, each] : devices_) ids.push_back(id);
  return ids;
}

std::uint64_t Iommufd::pending_faults() const {
  std::uint64_t count = 0;
  for (const auto& [id, queue] : faults_) count += queue.pending();
  return count;
}

std::size_t Iommufd::objects() const {
  return devices_.size() + ioases_.size() + hwpts_.size() + faults_.size();
}

}  // namespace svasim
