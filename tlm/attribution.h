// Where the time of one access went.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "base/types.h"

namespace svasim {

// The parts a device access is made of, in the order in which it meets them.
enum class Stage : std::uint8_t {
  kDevice,        // inside the device, before the first request left it and between its requests
  kAtc,           // look-up in the device's ATC and waiting for one of its entries or slots
  kLink,          // PCIe link, both directions: waiting for credits and the wire, transfer, flight
  kIommuQueue,    // waiting in the IOMMU's input queue or for a free request slot
  kIommuLookup,   // context, PASID and IOTLB look-up
  kContextFetch,  // reads of root, context and PASID structures
  kWalkWait,      // waiting for a page-table walker, or for a walk of the same page
  kWalkLogic,     // the walker's own cycles
  kWalkRead,      // the walker's memory reads and A/D updates
  kPageRequest,   // page request message until it is in the page request queue in memory
  kHandlerQueue,  // from interrupt until a fault handler thread takes the request
  kHandler,       // page fault service in the operating system
  kResponse,      // page group response until it is at the device
  kMemory,        // the data access itself, memory bus included
  kCount
};

inline constexpr std::size_t kStages = static_cast<std::size_t>(Stage::kCount);

// Short lower-case name of a stage, as results print it: "walk_read".
const char* stage_name(Stage stage);

// Splits the time from start() to the last charge() into stages; the parts sum to it exactly.
class Attribution {
 public:
  void start(Ps now) {
    parts_.fill(0);
    start_ = now;
    mark_ = now;
  }

  // All time since the previous mark went to `stage`. `until` may lie in the future when the
  // duration is already known; it never lies before the previous mark.
  void charge(Stage stage, Ps until) {
    parts_[static_cast<std::size_t>(stage)] += until - mark_;
    mark_ = until;
  }

  // Takes the parts of a sub-request that started at the last charge.
  void adopt(const Attribution& sub) {
    SVASIM_CHECK(sub.start_ == mark_, "a sub-request's time follows on the time charged before");
    for (std::size_t i = 0; i < kStages; ++i) {
      parts_[i] += sub.parts_[i];
    }
    mark_ = sub.mark_;
  }

  // Takes what a shared sub-request spent since mark(): it may have started earlier, then its first
  // parts are left out. What it does not explain of the time until `until` goes to `rest`.
  void adopt_since_mark(const Attribution& sub, Ps until, Stage rest) {
    const Ps begin = sub.mark_ - sub.total();
    Ps skip = mark_ > begin ? mark_ - begin : 0;
    if (begin > mark_) {
      charge(rest, begin < until ? begin : until);
    }
    for (std::size_t i = 0; i < kStages; ++i) {
      const Ps cut = sub.parts_[i] < skip ? sub.parts_[i] : skip;
      skip -= cut;
      const Ps left = until - mark_;
      const Ps part = sub.parts_[i] - cut;
      charge(static_cast<Stage>(i), mark_ + (part < left ? part : left));
    }
    charge(rest, until);
  }

  Ps mark() const { return mark_; }
  Ps operator[](Stage stage) const { return parts_[static_cast<std::size_t>(stage)]; }
  const std::array<Ps, kStages>& parts() const { return parts_; }
  // From start() to the last charge(): the sum of the parts, as every charge adds to both.
  Ps total() const { return mark_ - start_; }

 private:
  std::array<Ps, kStages> parts_{};
  Ps start_ = 0;
  Ps mark_ = 0;
};

}  // namespace svasim
