#include "models/walker/walk_queue.h"

#include <algorithm>

#include "models/formats/page_table_format.h"

namespace svasim {

namespace {

std::uint64_t device_of(const QueuedWalk& walk) {
  return (std::uint64_t{walk.port} << 16U) | walk.extension->request.requester.value();
}

// Entries read when no page is large and nothing is cached on the way.
unsigned reads_of(const WalkRequest& request) {
  if (request.nested.format == nullptr) return request.level;
  const unsigned tables = request.level - (request.nested.table_known ? 1 : 0);
  return (tables + 1) * request.nested.format->levels + request.level;
}

}  // namespace

WalkQueue::WalkQueue(const WalkerParams& params)
    : priority_{params.demand_priority, params.page_request_priority, params.prefetch_priority} {
  if (params.order != "fifo" || !params.one_priority()) order_ = make_walk_order(params.order);
}

QueuedWalk WalkQueue::choose(Ps now) {
  while (arrivals_.due() <= now) waiting_.push_back(arrivals_.pop());
  unsigned best = ~0U;
  for (const QueuedWalk& walk : waiting_) {
    best = std::min(best, priority_[static_cast<std::size_t>(walk.extension->request.walk_class)]);
  }
  candidates_.clear();
  places_.clear();
  for (std::size_t i = 0; i < waiting_.size(); ++i) {
    const WalkRequest& request = waiting_[i].extension->request;
    if (priority_[static_cast<std::size_t>(request.walk_class)] != best) continue;
    candidates_.push_back({device_of(waiting_[i]), reads_of(request)});
    places_.push_back(i);
  }
  const std::size_t place = places_[order_->next(candidates_)];
  const QueuedWalk walk = waiting_[place];
  waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(place));
  return walk;
}

}  // namespace svasim
