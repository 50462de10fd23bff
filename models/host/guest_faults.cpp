#include "models/host/guest_faults.h"

#include <fmt/format.h>

#include <utility>

namespace svasim {

IopfQueue::Handler GuestFaults::handler(Pasid pasid) {
  return [this, pasid](const IopfGroupRef& group) {
    const Errno error = forward(group, pasid);
    if (error != Errno::kNone) stats_.faults_refused.add();
    return error;
  };
}

// --- to the guest ---

Errno GuestFaults::forward(const IopfGroupRef& group, Pasid pasid) {
  const std::size_t room = std::size_t{1} << (params_.faults.queue_order + 7);
  if (machine_.stopped()) return Errno::kNoDevice;
  if (forwarded_.size() == kGroups || requests_ + group->requests.size() > room) return Errno::kBusy;
  unsigned number = 0;
  while (forwarded_.count(number) != 0) ++number;
  forwarded_[number] = {group, machine_.now()};
  requests_ += group->requests.size();
  stats_.faults_forwarded.add();
  machine_.after(params_.injection_time + group->requests.size() * params_.faults.queue_read_time,
                 [this, number, pasid] { deliver(number, pasid); });
  deadlines_.push_back({machine_.now() + params_.answer_timeout, group});
  watch();
  return Errno::kNone;
}

void GuestFaults::deliver(unsigned number, Pasid pasid) {
  const IopfGroupRef group = forwarded_.at(number).group;
  host_.journeys.reached(group->device, group->last().prg_index, FaultStep::kHandled, machine_.now());
  for (PageRequest request : group->requests) {
    request.pasid = pasid;
    request.prg_index = static_cast<std::uint16_t>(number);
    if (guest_->page_request(0, request) != Errno::kNone && request.last) {
      answer(request, PageResponseCode::kInvalidRequest, [] {});
    }
  }
}

// --- from the guest ---

void GuestFaults::answer(const PageRequest& last, PageResponseCode code, const Task& taken) {
  machine_.call_host(
      [this, number = last.prg_index, code](const Task& answered) {
        const Forwarded done = forwarded_.at(number);
        forwarded_.erase(number);
        requests_ -= done.group->requests.size();
        if (respond(done.group, code, answered)) {
          stats_.fault_latency.record(machine_.now() - done.since);
        } else {
          stats_.answers_late.add();
          answered();
        }
      },
      taken);
}

// False: the device does not wait for it any more.
bool GuestFaults::respond(const IopfGroupRef& group, PageResponseCode code, const Task& taken) {
  if (!group->pending) return false;
  host_.journeys.reached(group->device, group->last().prg_index, FaultStep::kDecided, machine_.now());
  return host_.faults.queue(group->queue).respond(group, code, taken) == Errno::kNone;
}

// WHY Invalid Request: Response Failure would take page requests from all functions of the device.
void GuestFaults::watch() {
  if (watching_ || deadlines_.empty()) return;
  watching_ = true;
  host_.machine.after(deadlines_.front().at - machine_.now(), [this] {
    watching_ = false;
    while (!deadlines_.empty() &&
           (!deadlines_.front().group->pending || deadlines_.front().at <= machine_.now())) {
      const IopfGroupRef group = deadlines_.front().group;
      deadlines_.pop_front();
      if (group->pending && respond(group, PageResponseCode::kInvalidRequest, [] {})) {
        stats_.faults_unanswered.add();
      }
    }
    watch();
  });
}

void GuestFaults::refuse_if(const std::function<bool(const IopfGroup&)>& which) {
  for (const auto& [number, forwarded] : forwarded_) {
    const IopfGroupRef group = forwarded.group;
    if (group->pending && which(*group) && respond(group, PageResponseCode::kInvalidRequest, [] {})) {
      stats_.faults_refused.add();
    }
  }
}

void GuestFaults::refuse(RequesterId device, Pasid pasid) {
  refuse_if([device, pasid](const IopfGroup& group) {
    return group.device == device && group.last().has_pasid && group.last().pasid == pasid;
  });
}

void GuestFaults::refuse_all() {
  refuse_if([](const IopfGroup&) { return true; });
  forwarded_.clear();
  requests_ = 0;
}

std::uint64_t GuestFaults::in_flight() const {
  std::uint64_t count = 0;
  for (const auto& [number, forwarded] : forwarded_) count += forwarded.group->pending ? 1 : 0;
  return count;
}

void GuestFaults::dump_in_flight(const std::string& who, std::ostream& out) const {
  for (const auto& [number, forwarded] : forwarded_) {
    const PageRequest& last = forwarded.group->last();
    if (!forwarded.group->pending) continue;
    out << fmt::format("{}: page request of {}, PASID {}, page {:#x}, group {}: waits for the guest\n", who,
                       to_string(last.requester), last.pasid.value(), last.page, last.prg_index);
  }
}

}  // namespace svasim
