#include "models/host/idxd_record_copy.h"

#include <utility>

namespace svasim {

void IdxdRecordCopy::copy(SvaSpace* space, Addr address, const DsaCompletionRecord& record, Done done) {
  constexpr std::size_t kAll = sizeof record;
  if (space == nullptr) {
    kernel_.machine().after(1, [done = std::move(done)] { done(0); });
    return;
  }
  part(*space, address, record, 1, kAll, [this, space, address, record, done = std::move(done)](bool most) {
    if (!most) {
      done(0);
      return;
    }
    part(*space, address, record, 0, 1, [done](bool status) { done(status ? kAll : kAll - 1); });
  });
}

void IdxdRecordCopy::part(SvaSpace& space, Addr address, const DsaCompletionRecord& record, std::size_t from,
                          std::size_t to, const std::function<void(bool written)>& done) {
  const HostParams& params = kernel_.params();
  Ps time = params.dsa.record_copy_time;
  if (space.alive && !space.memory.is_accessible(address & ~(kPageSize - 1), true)) {
    const bool major = space.memory.is_major(address);
    kernel_.stats().major_faults.add(major ? 1 : 0);
    time += params.page_fault_time + (major ? params.faults.major_time : 0);
  }
  kernel_.machine().after(time, [this, &space, address, record, from, to, done] {
    Stale stale;
    // What has happened to the page meanwhile counts.
    const bool there = space.alive && is_handled(space.memory.fault(address, false, true, &stale));
    if (there) {
      space.memory.write(address + from, reinterpret_cast<const unsigned char*>(&record) + from, to - from);
    }
    kernel_.shoot_down(space, stale, [done, there] { done(there); });
  });
}

}  // namespace svasim
