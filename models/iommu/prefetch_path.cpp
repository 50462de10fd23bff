// Next-page prefetch: walks for pages nobody has asked for yet.
#include <algorithm>

#include "models/iommu/iommu.h"

namespace svasim {

// Asks for the pages behind that of `ahead_`: in the line of its walk, and by walks, as far as they are free.
// MODEL: by default the walker itself serves walks in order of their arrival.
void Iommu::prefetch(unsigned shift) {
  Request& ahead = ahead_;
  const Addr page = ahead.iova >> shift;
  for (unsigned i = 1; i <= params_.iotlb.prefetch; ++i) {
    if (!translator_.aim_prefetch(ahead, (page + i) << shift) || know_neighbour(ahead, ahead_born_)) {
      continue;
    }
    if (!walk_queue_.empty() || free_walks_.empty()) {
      return;
    }
    const WalkKey key = walk_key(ahead);
    const auto same = [&](const WalkKey& other) { return other.page == key.page && other.tag == key.tag; };
    if (std::any_of(walk_keys_.begin(), walk_keys_.end(), same)) {
      continue;
    }
    const std::uint32_t number = free_walks_.back();
    Walk& walk = *walks_[number];
    translator_.make_walk(ahead, walk.payload.walk.request);
    Translator::make_prefetch(walk.payload.walk.request);
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

bool Iommu::know_neighbour(const Request& r, std::uint64_t born) {
  WalkRequest walk;
  WalkResult result;
  translator_.describe_walk(r, walk);
  Translator::make_prefetch(walk);
  if (!neighbours_.walk(walk, result)) {
    return false;
  }
  stats_.prefetch_neighbours.add();
  prefetch_learned(*r.space, r.requester, walk, result, born);
  return true;
}

// Who joined looks again: what the walk left out may be what it needs.
void Iommu::prefetch_done(Walk& walk) {
  if (!walk.no_fill) {
    const WalkExtension& done = walk.payload.walk;
    prefetch_learned(walk.space, walk.requester, done.request, done.result, walk.born);
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

void Iommu::prefetch_learned(const AddressSpace& space, RequesterId requester, const WalkRequest& walk,
                             const WalkResult& result, std::uint64_t born) {
  if (result.fault != FaultReason::kNone || (!result.read && !result.write)) {
    return stats_.prefetches_dropped.add();
  }
  if (!translator_.learn(space, requester, walk, result, born, true)) {
    stats_.stale_walks.add();
  }
}

// Loose timing. Pages behind the one that missed; takes no time of the request.
void Iommu::prefetch_now(const Request& r, unsigned shift) {
  Walk& walk = *walks_[0];
  WalkExtension& extension = walk.payload.walk;
  neighbours_ = NeighbourEntries(extension);
  const std::uint64_t born = walk.born;
  Request ahead = r;
  for (unsigned i = 1; i <= params_.iotlb.prefetch; ++i) {
    if (!translator_.aim_prefetch(ahead, ((r.iova >> shift) + i) << shift) || know_neighbour(ahead, born)) {
      continue;
    }
    translator_.make_walk(ahead, extension.request);
    Translator::make_prefetch(extension.request);
    extension.request.id = ++walk_number_;
    extension.attribution.start(now_ps());
    stats_.prefetch_walks.add();
    walk.born = translator_.stale_check().count();
    sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
    walk_socket_->b_transport(walk.payload, delay);
    if (extension.request.nested.cached) {
      learn_second_tables(walk);
    }
    prefetch_learned(*r.space, r.requester, extension.request, extension.result, walk.born);
  }
}

}  // namespace svasim
