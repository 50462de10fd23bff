#include "models/host/user_pages.h"

#include <algorithm>
#include <utility>

namespace svasim {

UserPages::UserPages(Machine& machine, PageAllocator& pages, const Times& times, IommufdStats& stats,
                     ShootDown shoot_down)
    : machine_(machine), pages_(pages), times_(times), stats_(stats), shoot_down_(std::move(shoot_down)) {}

void UserPages::pin(SvaSpace& space, AddressSpan span, bool write, Done done) {
  go_on(std::make_shared<Pinning>(Pinning{space, span, write, std::move(done), {}}));
}

void UserPages::unpin(const std::vector<UserPage>& pages) {
  for (const UserPage& each : pages) {
    if (!each.counted) continue;
    pages_.unpin(each.page);
    stats_.pages_unpinned.add();
  }
}

// The area is looked up for each page, because it may have gone while the lock was dropped.
void UserPages::go_on(const Ref& pinning) {
  ProcessMemory& memory = pinning->space.memory;
  for (Addr& at = pinning->span.start; at < pinning->span.end; at += kPageSize) {
    const Vma* vma = pinning->space.alive ? memory.find_area(at) : nullptr;
    if (vma == nullptr) {
      return fail(pinning, Errno::kFault);
    }
    const bool device = vma->kind == AreaKind::kDevice;
    if (!memory.is_resident(at)) {
      if (device && pinning->faulted) {
        // SPEC: [LINUX follow_fault_pfn] The entry was there, and was taken away before it was looked up.
        stats_.zapped.add();
        if (++pinning->tries > times_.retries) {
          return fail(pinning, times_.retries == 0 ? Errno::kInvalid : Errno::kAgain);
        }
      }
      return fault_in(pinning, device);
    }
    if (pinning->write && !memory.is_accessible(at, true)) {
      // An entry of a BAR is not made writable; a page of memory may only wait for its copy.
      if (device || pinning->faulted) {
        return fail(pinning, Errno::kFault);
      }
      return fault_in(pinning, device);
    }
    const Addr page = memory.translate(at);
    if (!device) {
      pages_.pin(page);
      stats_.pages_pinned.add();
    }
    pinning->pages.push_back({page, !device});
    pinning->faulted = false;
  }
  machine_.after(std::max<Ps>(1, pinning->pages.size() * times_.pin),
                 [pinning] { pinning->done(Errno::kNone, std::move(pinning->pages)); });
}

void UserPages::fault_in(const Ref& pinning, bool device) {
  stats_.fault_ins.add(device ? 1 : 0);
  machine_.after(times_.fault, [this, pinning, device] { faulted(pinning, device); });
}

void UserPages::faulted(const Ref& pinning, bool device) {
  Stale stale;
  const FaultResult result =
      pinning->space.alive ? pinning->space.memory.fault(pinning->span.start, true, pinning->write, &stale)
                           : FaultResult::kNoArea;
  if (!is_handled(result)) {
    return fail(pinning, result == FaultResult::kNoMemory ? Errno::kNoMemory : Errno::kFault);
  }
  pinning->faulted = true;
  const Task look_again = [this, pinning] { go_on(pinning); };
  if (device) {
    stats_.lock_drops.add();
    machine_.after(times_.lookup, look_again);
  } else if (stale.empty()) {
    look_again();
  } else {
    shoot_down_(pinning->space, stale, look_again);
  }
}

void UserPages::fail(const Ref& pinning, Errno error) {
  unpin(pinning->pages);
  machine_.after(1, [pinning, error] { pinning->done(error, {}); });
}

}  // namespace svasim
