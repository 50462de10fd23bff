#include "models/host/submitter.h"

#include <utility>

#include <algorithm>

namespace svasim {

void Submitter::submit(const Opening& opening, const DsaDescriptor& descriptor, Task closed) {
  if (!opening.driver->is_shared(opening.queue)) {
    opening.driver->submit(opening.queue, descriptor);
    return;
  }
  waiting_.push_back({&opening, descriptor, std::move(closed)});
  if (waiting_.size() == 1) enqueue(0);
}

void Submitter::enqueue(unsigned tries) {
  if (stopped_) {
    waiting_.clear();
    return;
  }
  if (!waiting_.front().opening->ready) {
    const Task closed = std::move(waiting_.front().closed);
    closed();
    next();
    return;
  }
  const Opening& opening = *waiting_.front().opening;
  Machine& machine = kernel_.machine();
  kernel_.stats().idxd.enqcmds.add();
  opening.driver->enqueue(opening.queue, *opening.bond->space->pasid, waiting_.front().descriptor,
                          [this, &machine, tries, began = machine.now()](std::uint64_t accepted) {
                            const Ps took = machine.now() - began;
                            const Ps least = kernel_.params().dsa.enqcmd_time;
                            machine.after(least > took ? least - took : 1,
                                          [this, tries, accepted] { answered(tries, accepted != 0); });
                          });
}

void Submitter::answered(unsigned tries, bool accepted) {
  if (accepted) {
    next();
    return;
  }
  IdxdStats& stats = kernel_.stats().idxd;
  stats.enqcmd_retries.add();
  if (tries < kernel_.params().dsa.enqcmd_retries) {
    enqueue(tries + 1);
    return;
  }
  stats.enqcmd_again.add();
  kernel_.machine().after(kernel_.params().dsa.enqcmd_pause, [this] { enqueue(0); });
}

void Submitter::next() {
  waiting_.pop_front();
  if (!waiting_.empty()) {
    enqueue(0);
  } else if (!stopped_) {
    idle_();
  }
}

}  // namespace svasim
