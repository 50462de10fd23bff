#include "models/host/fault_queue.h"

#include <iterator>
#include <utility>

namespace svasim {

void FaultQueue::deliver(Source source, const IopfGroupRef& group) {
  waiting_.push_back({source, group, machine_.now()});
  stats_.groups_delivered.add();
  wake();
}

void FaultQueue::wake() {
  const std::vector<Task> pollers = std::exchange(pollers_, {});
  for (const Task& task : pollers) machine_.after(1, task);
}

void FaultQueue::when_readable(Task task) {
  if (readable()) {
    machine_.after(1, std::move(task));
  } else {
    pollers_.push_back(std::move(task));
  }
}

Errno FaultQueue::read(std::uint64_t bytes, std::vector<IommufdFault>& records) {
  if (bytes % sizeof(IommufdFault) != 0) {
    return Errno::kSeek;
  }
  std::uint64_t room = bytes / sizeof(IommufdFault);
  while (!waiting_.empty() && waiting_.front().group->requests.size() <= room) {
    Group group = std::move(waiting_.front());
    waiting_.pop_front();
    // SPEC: [LINUX XA_FLAGS_ALLOC1]: the lowest free one, from 1.
    std::uint32_t cookie = 1;
    while (read_.count(cookie) != 0) ++cookie;
    for (const PageRequest& request : group.group->requests) {
      IommufdFault record;
      record.flags =
          (request.has_pasid ? IommufdFault::kPasidValid : 0) | (request.last ? IommufdFault::kLastPage : 0);
      record.dev_id = group.source.dev_id;
      record.pasid = request.has_pasid ? request.pasid.value() : 0;
      record.grpid = request.prg_index;
      record.perm = (request.read ? IommufdFault::kRead : 0) | (request.write ? IommufdFault::kWrite : 0) |
                    (request.execute ? IommufdFault::kExecute : 0) |
                    (request.privileged ? IommufdFault::kPrivileged : 0);
      record.addr = request.page;
      record.cookie = cookie;
      records.push_back(record);
    }
    room -= group.group->requests.size();
    stats_.groups_read.add();
    read_.emplace(cookie, std::move(group));
  }
  return Errno::kNone;
}

Errno FaultQueue::write(std::uint32_t cookie, bool success) {
  const auto found = read_.find(cookie);
  if (found == read_.end()) {
    return Errno::kInvalid;
  }
  const Group group = std::move(found->second);
  read_.erase(found);
  stats_.groups_answered.add();
  stats_.answer_latency.record(machine_.now() - group.delivered);
  respond_(group.group, success ? PageResponseCode::kSuccess : PageResponseCode::kInvalidRequest);
  return Errno::kNone;
}

void FaultQueue::discard(Source source) {
  const auto answer = [this](const Group& group) {
    stats_.groups_discarded.add();
    respond_(group.group, PageResponseCode::kInvalidRequest);
  };
  for (auto group = waiting_.begin(); group != waiting_.end();) {
    const bool mine = group->source == source;
    if (mine) answer(*group);
    group = mine ? waiting_.erase(group) : std::next(group);
  }
  for (auto group = read_.begin(); group != read_.end();) {
    const bool mine = group->second.source == source;
    if (mine) answer(group->second);
    group = mine ? read_.erase(group) : std::next(group);
  }
}

}  // namespace svasim
