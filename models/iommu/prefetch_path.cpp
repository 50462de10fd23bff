// Next-page prefetch: walks for pages nobody has asked for yet.
#include <algorithm>

#include "models/iommu/iommu.h"

namespace svasim {

// Walks for the pages behind that of `ahead_`, as far as walks are free. MODEL: the walker itself
// serves walks in order of their arrival.
void Iommu::prefetch(unsigned shift) {
  Request& ahead = ahead_;
  const Addr page = ahead.iova >> shift;
  for (unsigned i = 1; i <= params_.iotlb.prefetch && walk_queue_.empty() && !free_walks_.empty(); ++i) {
    const std::uint32_t number = free_walks_.back();
    Walk& walk = *walks_[number];
    if (!translator_.make_prefetch(ahead, (page + i) << shift, walk.payload.walk.request)) {
      continue;
    }
    const WalkKey key = walk_key(ahead);
    const auto same = [&](const WalkKey& other) { return other.page == key.page && other.tag == key.tag; };
    if (std::any_of(walk_keys_.begin(), walk_keys_.end(), same)) {
      continue;
    }
    free_walks_.pop_back();
    walk_keys_[number] = key;
    walk.no_fill = false;
    walk.prefetch = true;
    walk.space = *ahead.space;
    walk.requester = ahead.requester;
    walk.page = ahead.iova & ~(kPageSize - 1);
    walk.waiters = WaitList();
    stats_.prefetch_walks.add();
    send_walk(number, now_ps() + params_.paging_latency);
  }
}

// Who joined looks again: what the walk left out may be what it needs.
void Iommu::prefetch_done(Walk& walk) {
  if (!walk.no_fill) {
    prefetch_learned(walk.space, walk.requester, walk.payload.walk, walk.born);
  }
  const Ps now = now_ps();
  WaitList waiters = walk.waiters;
  while (!waiters.empty()) {
    const std::uint32_t index = pop(waiters);
    Request& r = requests_[index];
    stats_.walk_latency.record(now - r.missed);
    r.payload->pcie.attribution.charge(Stage::kWalkWait, now);
    act(index, look(r));
  }
}

void Iommu::prefetch_learned(const AddressSpace& space, RequesterId requester, const WalkExtension& done,
                             std::uint64_t born) {
  const WalkResult& result = done.result;
  if (result.fault != FaultReason::kNone || (!result.read && !result.write)) {
    return stats_.prefetches_dropped.add();
  }
  if (!translator_.learn(space, requester, done.request, result, born, true)) {
    stats_.stale_walks.add();
  }
}

// Loose timing. Pages behind the one that missed; takes no time of the request.
void Iommu::prefetch_now(const Request& r, unsigned shift) {
  WalkExtension& extension = walks_[0]->payload.walk;
  Request ahead = r;
  for (unsigned i = 1; i <= params_.iotlb.prefetch; ++i) {
    if (!translator_.make_prefetch(ahead, ((r.iova >> shift) + i) << shift, extension.request)) {
      continue;
    }
    extension.request.id = ++walk_number_;
    extension.attribution.start(now_ps());
    stats_.prefetch_walks.add();
    const std::uint64_t born = translator_.stale_check().count();
    sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
    walk_socket_->b_transport(walks_[0]->payload, delay);
    prefetch_learned(*r.space, r.requester, extension, born);
  }
}

}  // namespace svasim
