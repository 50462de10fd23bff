// Where the time of a page fault went after its page request left the device.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/types.h"
#include "models/formats/ats_messages.h"
#include "tlm/attribution.h"

namespace svasim {

// What a page request group reaches on its way, in this order.
enum class FaultStep : std::uint8_t {
  kQueued,   // its last descriptor is in the queue in memory
  kTaken,    // the driver took it out
  kHandled,  // a handler began with it
  kDecided,  // its response is known
  kCount
};

// A page request becomes a descriptor in memory, which has no room for book-keeping, and comes back
// as a response. This log carries its attribution and the times of its steps meanwhile, by requester and page
// request group. It is observation only: no model decides anything by it.
class PageFaultLog {
 public:
  // Time of each step; 0: it did not happen.
  using Steps = std::array<Ps, static_cast<std::size_t>(FaultStep::kCount)>;

  // A request is in the page request queue; the last one of its group makes that a step.
  void queued(RequesterId requester, unsigned prg_index, bool last, const Attribution& so_far) {
    Journey& journey = of(requester, prg_index);
    journey.attribution = so_far;
    journey.steps = Steps{};
    journey.steps[static_cast<std::size_t>(FaultStep::kQueued)] = last ? so_far.mark() : 0;
    journey.under_way = true;
  }

  // A later step. What was waited for a handler, and what it took, goes to its stage.
  void reached(RequesterId requester, unsigned prg_index, FaultStep step, Ps now) {
    Journey& journey = of(requester, prg_index);
    if (!journey.under_way) {
      return;
    }
    journey.steps[static_cast<std::size_t>(step)] = now;
    if (step == FaultStep::kHandled || step == FaultStep::kDecided) {
      journey.attribution.charge(step == FaultStep::kHandled ? Stage::kHandlerQueue : Stage::kHandler,
                                 std::max(now, journey.attribution.mark()));
    }
  }

  // The response leaves: its attribution. One that starts now, and no steps, if no such request was queued.
  Attribution take(RequesterId requester, unsigned prg_index, Ps now) {
    Journey& journey = of(requester, prg_index);
    if (!std::exchange(journey.under_way, false)) {
      journey.attribution.start(now);
      journey.steps = Steps{};
    }
    return journey.attribution;
  }

  // Of the request whose response left last.
  const Steps& steps(RequesterId requester, unsigned prg_index) { return of(requester, prg_index).steps; }

 private:
  struct Journey {
    Attribution attribution;
    Steps steps{};
    bool under_way = false;
  };
  struct Device {
    RequesterId requester;
    std::vector<Journey> journeys;  // by page request group
  };

  Journey& of(RequesterId requester, unsigned prg_index) {
    for (Device& device : devices_) {
      if (device.requester == requester) return device.journeys[prg_index % kPrgIndices];
    }
    devices_.push_back({requester, std::vector<Journey>(kPrgIndices)});
    return devices_.back().journeys[prg_index % kPrgIndices];
  }
  std::vector<Device> devices_;
};

}  // namespace svasim
