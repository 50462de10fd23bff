// The accesses of a capture to come, for a replacement policy that knows the future.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

#include "base/access_future.h"
#include "models/traffic/replay_session.h"

namespace svasim {

// Goes through the whole capture once, ahead of the replay. What invalidations remove it decides by
// itself, from the descriptors.
class ReplayFuture final : public AccessFuture {
 public:
  // `live` is the session that is replayed. by_requester: pages of different requesters differ.
  ReplayFuture(const TraceDataset& dataset, const ReplaySession& live, bool probes, bool by_requester);

  std::uint64_t now() const override { return live_.issued(); }
  std::uint64_t next_use(RequesterId requester, DomainId domain, Pasid pasid, Addr page,
                         unsigned shift) const override;

 private:
  // Domain first, then page, so that invalidations meet neighbours.
  struct Page {
    std::uint16_t domain = 0;
    std::uint8_t shift = 0;
    Addr first = 0;
    std::uint16_t requester = 0;
    std::uint32_t pasid = 0;
    bool first_stage = false;  // follows from the domain
    bool operator<(const Page& other) const {
      return std::tie(domain, shift, first, requester, pasid) <
             std::tie(other.domain, other.shift, other.first, other.requester, other.pasid);
    }
  };
  struct Range {
    Range(Addr address, unsigned order) : first(address), shift(kPageShift + order) {}
    bool meets(const Page& page) const {
      const unsigned wider = std::max(shift, unsigned{page.shift});
      return wider >= 64 || ((first ^ page.first) >> wider) == 0;
    }
    Addr first;
    unsigned shift;
  };
  struct Use {
    std::uint64_t access = 0;
    std::uint64_t invalidated = 0;  // last access before the last invalidation of the page before this use
  };
  struct History {
    std::vector<Use> uses;
    std::uint64_t invalidated = 0;
  };

  void use(const ReplayAccess& access, std::uint64_t number);
  void invalidate(const InvalidationDescriptor& descriptor, std::uint64_t number);
  template <typename Match>
  void drop(DomainId domain, std::uint64_t number, Match match) {
    Page from;
    from.domain = domain.value();
    for (auto at = pages_.lower_bound(from); at != pages_.end() && at->first.domain == from.domain; ++at) {
      if (match(at->first)) at->second.invalidated = number;
    }
  }

  const ReplaySession& live_;
  bool by_requester_;
  std::map<Page, History> pages_;
};

}  // namespace svasim
