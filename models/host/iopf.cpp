#include "models/host/iopf.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace svasim {

Errno IopfQueue::add_device(RequesterId device, PageResponse response) {
  if (response == nullptr) {
    return Errno::kNoDevice;
  }
  if (!devices_.emplace(device, Device{std::move(response), {}, {}, {}}).second) {
    return Errno::kBusy;
  }
  return Errno::kNone;
}

std::uint64_t IopfQueue::remove_device(RequesterId id) {
  const auto found = devices_.find(id);
  if (found == devices_.end()) {
    return 0;
  }
  const Device device = std::move(found->second);
  devices_.erase(found);
  std::uint64_t count = 0;
  for (const IopfGroupRef& group : device.faults) {
    group->pending = false;
    count += group->dropped ? 0 : 1;
    device.response(group->last(), PageResponseCode::kInvalidRequest, [] {});
  }
  return count;
}

void IopfQueue::set_handler(RequesterId device, std::optional<Pasid> pasid, Handler handler) {
  const auto found = devices_.find(device);
  SVASIM_CHECK(found != devices_.end(), "a domain's faults are handled of a device that reports none");
  found->second.handlers[key(pasid)] = std::move(handler);
}

void IopfQueue::remove_handler(RequesterId device, std::optional<Pasid> pasid) {
  if (const auto found = devices_.find(device); found != devices_.end()) {
    found->second.handlers.erase(key(pasid));
  }
}

Errno IopfQueue::report(const PageRequest& request) {
  const auto found = devices_.find(request.requester);
  if (found == devices_.end()) {
    return Errno::kInvalid;
  }
  Device& device = found->second;
  if (!request.last) {
    device.partial.push_back(request);
    return Errno::kNone;
  }
  // The PASID is not compared: a group that mixes PASIDs is judged by the one of its last request.
  const auto mine = std::stable_partition(
      device.partial.begin(), device.partial.end(),
      [&](const PageRequest& partial) { return partial.prg_index != request.prg_index; });
  auto group = std::make_shared<IopfGroup>();
  group->queue = number_;
  group->device = request.requester;
  group->requests.assign(mine, device.partial.end());
  group->requests.push_back(request);
  device.partial.erase(mine, device.partial.end());

  const auto handler =
      device.handlers.find(key(request.has_pasid ? std::optional(request.pasid) : std::nullopt));
  if (handler == device.handlers.end() || handler->second == nullptr) {
    return Errno::kInvalid;
  }
  device.faults.push_back(group);
  ++groups_;
  // A copy: the handler may change what handles the domain.
  const Handler handle = handler->second;
  const Errno error = handle(group);
  if (error != Errno::kNone) {
    group->pending = false;
    device.faults.erase(std::remove(device.faults.begin(), device.faults.end(), group), device.faults.end());
  }
  return error;
}

Errno IopfQueue::respond(const IopfGroupRef& group, PageResponseCode code, Task taken) {
  const auto device = devices_.find(group->device);
  if (!group->pending || device == devices_.end()) {
    return Errno::kInvalid;
  }
  group->pending = false;
  std::vector<IopfGroupRef>& faults = device->second.faults;
  faults.erase(std::remove(faults.begin(), faults.end(), group), faults.end());
  device->second.response(group->last(), code, std::move(taken));
  return Errno::kNone;
}

Errno IopfQueue::queue_work(const IopfGroupRef& group, Work work) {
  if (std::exchange(group->working, true)) {
    return Errno::kBusy;
  }
  const std::uint64_t number = next_work_++;
  work_.emplace(number, group);
  workers_(group, [this, number, work = std::move(work)](const Task& done) {
    work([this, number, done] {
      done();
      work_ended(number);
    });
  });
  return Errno::kNone;
}

void IopfQueue::work_ended(std::uint64_t number) {
  const auto ended = work_.find(number);
  ended->second->working = false;
  work_.erase(ended);
  std::vector<Task> finished;
  const auto over = [&](const Flush& flush) { return work_.empty() || work_.begin()->first > flush.up_to; };
  for (Flush& flush : flushes_) {
    if (over(flush)) finished.push_back(std::move(flush.done));
  }
  flushes_.erase(std::remove_if(flushes_.begin(), flushes_.end(), over), flushes_.end());
  for (const Task& task : finished) task();
}

void IopfQueue::flush(Task done) {
  if (work_.empty()) {
    done();
    return;
  }
  flushes_.push_back({work_.rbegin()->first, std::move(done)});
}

std::uint64_t IopfQueue::discard_partial() {
  const std::uint64_t count = partials();
  for (auto& [id, device] : devices_) device.partial.clear();
  return count;
}

std::uint64_t IopfQueue::partials() const {
  std::uint64_t count = 0;
  for (const auto& [id, device] : devices_) count += device.partial.size();
  return count;
}

std::uint64_t IopfQueue::pending() const {
  std::uint64_t count = 0;
  for (const auto& [id, device] : devices_) count += device.faults.size();
  return count;
}

void IopfQueue::dump_partials(const std::function<void(const PageRequest&)>& line) const {
  for (const auto& [id, device] : devices_) {
    for (const PageRequest& partial : device.partial) line(partial);
  }
}

}  // namespace svasim
