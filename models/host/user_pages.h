// Pinning pages of a process, so that they stay where they are while devices use them.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "models/host/address_span.h"
#include "models/host/errno.h"
#include "models/host/iommufd_stats.h"
#include "models/host/machine.h"
#include "models/host/page_allocator.h"
#include "models/host/sva_space.h"

namespace svasim {

struct UserPage {
  Addr page = 0;
  bool counted = true;  // false: of a device, which nobody counts users of
};

// SPEC: [LINUX mm/gup.c pin_user_pages_remote; vfio_iommu_type1.c vaddr_get_pfns, follow_fault_pfn]
class UserPages {
 public:
  using Task = Machine::Task;
  using Done = std::function<void(Errno error, std::vector<UserPage> pages)>;
  using ShootDown = std::function<void(SvaSpace& space, const Stale& stale, Task done)>;
  struct Times {
    Ps fault = 1;   // of a page that is not there
    Ps lookup = 1;  // until the look-up behind it
    Ps pin = 0;     // of each page
    unsigned retries = 0;
  };

  UserPages(Machine& machine, PageAllocator& pages, const Times& times, IommufdStats& stats,
            ShootDown shoot_down);

  // Pins whole pages of the span, in order, bringing in what is not there. kFault: no area, or a right is
  // missing; kNoMemory. Of a BAR whose entries are taken away again and again: kAgain, or kInvalid when
  // there are no retries. After an error nothing is pinned.
  void pin(SvaSpace& space, AddressSpan span, bool write, Done done);
  void unpin(const std::vector<UserPage>& pages);

 private:
  struct Pinning {
    SvaSpace& space;
    AddressSpan span;
    bool write;
    Done done;
    std::vector<UserPage> pages;
    unsigned tries = 0;
    bool faulted = false;  // a fault for the page at span.start has been handled
  };
  using Ref = std::shared_ptr<Pinning>;

  void go_on(const Ref& pinning);
  void fault_in(const Ref& pinning, bool device);
  void faulted(const Ref& pinning, bool device);
  void fail(const Ref& pinning, Errno error);

  Machine& machine_;
  PageAllocator& pages_;
  Times times_;
  IommufdStats& stats_;
  ShootDown shoot_down_;
};

}  // namespace svasim
