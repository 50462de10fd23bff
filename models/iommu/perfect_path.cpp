// The perfect IOTLB: a walk in no time, behind the back of everything that takes time.
#include "base/check.h"
#include "models/iommu/iommu.h"
#include "models/walker/page_walk.h"

namespace svasim {

// WHY not at once: a store may reach memory at this very instant, and who comes first within an instant
// must not matter. All messages of an instant are delivered in its first delta cycle; the tables are
// looked at in the next.
void Iommu::look_perfectly(std::uint32_t index) {
  requests_[index].state = RequestState::kWalk;
  perfect_.push_back(index);
  perfect_event_.notify(sc_core::SC_ZERO_TIME);
}

void Iommu::perfect_looks() {
  const std::vector<std::uint32_t> ready = std::move(perfect_);
  perfect_.clear();
  for (const std::uint32_t index : ready) {
    Request& r = requests_[index];
    walk_at_once(r);
    act(index, conclude(r));
  }
}

void Iommu::walk_at_once(Request& r) {
  // From the top: paging-structure caches may hold what is no longer there.
  WalkRequest request;
  translator_.describe_walk(r, request);
  PageWalk machine;
  std::uint64_t word = 0;
  const auto access = [&](tlm::tlm_command command) {
    return debug_access(command, machine.address(), word);
  };
  PageWalk::Need need = machine.start(request);
  while (need != PageWalk::Need::kDone) {
    const bool ok = access(tlm::TLM_READ_COMMAND);
    if (need == PageWalk::Need::kRead) {
      need = machine.on_read(ok, word);
      continue;
    }
    const std::uint64_t seen = word;
    word = machine.desired();
    need = machine.on_update(ok && (seen != machine.expected() || access(tlm::TLM_WRITE_COMMAND)), seen);
  }
  translator_.take(r, request, machine.result(), translator_.stale_check().count());
  r.hit = r.found = r.fault == FaultReason::kNone;
}

}  // namespace svasim
