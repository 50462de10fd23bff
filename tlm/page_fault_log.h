// Where the time of a page fault went after its page request left the device.
#pragma once

#include <algorithm>
#include <cstdint>
#include <unordered_map>

#include "base/types.h"
#include "tlm/attribution.h"

namespace svasim {

// A page request becomes a descriptor in memory, which has no room for book-keeping, and comes back
// as a response. This log carries its attribution meanwhile, by requester and page request group.
// It is observation only: no model decides anything by it.
class PageFaultLog {
 public:
  // The request is in the page request queue; of a group with several requests the last one counts.
  void queued(RequesterId requester, unsigned prg_index, const Attribution& so_far) {
    journeys_[key(requester, prg_index)] = so_far;
  }

  // The time since the last step went to `stage`. Nothing, for a group that is not in the log.
  void charge(RequesterId requester, unsigned prg_index, Stage stage, Ps until) {
    const auto found = journeys_.find(key(requester, prg_index));
    if (found != journeys_.end()) {
      found->second.charge(stage, std::max(until, found->second.mark()));
    }
  }

  // The response leaves: its attribution, and the log forgets it. One that starts now, if none is known.
  Attribution take(RequesterId requester, unsigned prg_index, Ps now) {
    Attribution journey;
    journey.start(now);
    const auto found = journeys_.find(key(requester, prg_index));
    if (found != journeys_.end()) {
      journey = found->second;
      journeys_.erase(found);
    }
    return journey;
  }

 private:
  static std::uint32_t key(RequesterId requester, unsigned prg_index) {
    return (std::uint32_t{requester.value()} << 16U) | prg_index;
  }
  std::unordered_map<std::uint32_t, Attribution> journeys_;
};

}  // namespace svasim
