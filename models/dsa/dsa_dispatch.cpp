#include "models/dsa/dsa_dispatch.h"

#include <algorithm>

namespace svasim {

void DsaDispatch::set_group(unsigned group, std::uint64_t queues) {
  groups_[group] = Group();
  for (; queues != 0; queues &= queues - 1) {
    groups_[group].queues.push_back(static_cast<unsigned>(__builtin_ctzll(queues)));
  }
}

void DsaDispatch::configure(unsigned queue, unsigned size, unsigned priority) {
  queues_[queue].size = size;
  queues_[queue].priority = queues_[queue].turns = priority;
}

bool DsaDispatch::push(const DsaSubmission& submission) {
  Queue& queue = queues_[submission.queue];
  if (queue.entries.size() >= queue.size) {
    return false;
  }
  queue.entries.push_back(submission);
  return true;
}

bool DsaDispatch::take(unsigned group_number, Ps now, Room room, DsaSubmission& submission) {
  Group& group = groups_[group_number];
  const std::size_t count = group.queues.size();
  for (const bool reloaded : {false, true}) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t place = (group.next + i) % count;
      Queue& queue = queues_[group.queues[place]];
      if (!ready(group.queues[place], now, room) || queue.turns == 0) {
        continue;
      }
      --queue.turns;
      submission = queue.entries.front();
      queue.entries.pop_front();
      group.next = (place + 1) % count;
      return true;
    }
    if (!reloaded) {
      for (const unsigned queue : group.queues) {
        queues_[queue].turns = queues_[queue].priority;
      }
    }
  }
  return false;
}

Ps DsaDispatch::next_ready(unsigned group, Room room) const {
  Ps earliest = kNever;
  for (const unsigned queue : groups_[group].queues) {
    if (!queues_[queue].entries.empty() && room.for_one(queues_[queue].entries.front())) {
      earliest = std::min(earliest, queues_[queue].entries.front().ready);
    }
  }
  return earliest;
}

bool DsaDispatch::any_waiting(const DsaScope& scope) const {
  return std::any_of(queues_.begin(), queues_.end(), [&](const Queue& queue) {
    return std::any_of(queue.entries.begin(), queue.entries.end(),
                       [&](const DsaSubmission& submission) { return scope.covers(submission); });
  });
}

void DsaDispatch::discard(const DsaScope& scope) {
  for (Queue& queue : queues_) {
    queue.entries.erase(
        std::remove_if(queue.entries.begin(), queue.entries.end(),
                       [&](const DsaSubmission& submission) { return scope.covers(submission); }),
        queue.entries.end());
  }
}

std::size_t DsaDispatch::waiting() const {
  std::size_t sum = 0;
  for (const Queue& queue : queues_) {
    sum += queue.entries.size();
  }
  return sum;
}

}  // namespace svasim
