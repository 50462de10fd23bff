// How a thread hands descriptors to a work queue.
#pragma once

#include <deque>

#include "models/host/kernel.h"

namespace svasim {

// To a dedicated queue by MOVDIR64B. To a shared one by ENQCMD, one at a time: the thread goes on when the
// device has answered. SPEC: [DSA 3.3], [LINUX idxd_enqcmds]
class Submitter {
 public:
  using Task = Machine::Task;

  // `idle` runs when an ENQCMD was accepted and no other waits.
  Submitter(Kernel& kernel, Task idle) : kernel_(kernel), idle_(std::move(idle)) {}

  // `closed` runs when the portal is gone before an ENQCMD is accepted.
  void submit(const Opening& opening, const DsaDescriptor& descriptor, Task closed);
  bool busy() const { return !waiting_.empty(); }
  void stop() { stopped_ = true; }

 private:
  struct Waiting {
    const Opening* opening;
    DsaDescriptor descriptor;
    Task closed;
  };
  void next();
  void enqueue(unsigned tries);
  void answered(unsigned tries, bool accepted);

  Kernel& kernel_;
  Task idle_;
  std::deque<Waiting> waiting_;  // the first is being submitted
  bool stopped_ = false;
};

}  // namespace svasim
