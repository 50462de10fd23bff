// What a process may ask of the operating system.
#pragma once

#include <functional>
#include <string>

#include "base/rng.h"
#include "models/host/dsa_driver.h"
#include "models/host/errno.h"
#include "models/host/host_params.h"
#include "models/host/host_stats.h"
#include "models/host/machine.h"
#include "models/host/step_board.h"
#include "models/host/sva.h"
#include "models/host/sva_space.h"

namespace svasim {

class Process;

// A work queue that a process has opened.
struct Opening {
  std::string name;  // of the device
  unsigned device = 0;
  unsigned queue = 0;
  DsaDriver* driver = nullptr;
  SvaCore::Handle bond = nullptr;
  bool open = false;
  bool closing = false;
};

// System calls. Those with a Result end by calling it, at once or later.
class Kernel {
 public:
  using Task = Machine::Task;
  using Result = std::function<void(Errno)>;
  virtual ~Kernel() = default;

  virtual Machine& machine() = 0;
  virtual PageAllocator& pages() = 0;
  virtual const HostParams& params() const = 0;
  virtual HostStats& stats() = 0;
  virtual HostLog& log() = 0;
  virtual StepBoard& board() = 0;
  // A random stream of this user's own.
  virtual RngStream rng(const std::string& who) = 0;
  // When the workload began.
  virtual Ps began() const = 0;
  // A thread does nothing until then because it was told so: that is no hang.
  virtual void note_sleep(Ps until) = 0;

  // SPEC: [LINUX idxd_cdev_open, idxd_cdev_release]
  virtual void open(Process& process, Opening& opening, Result result) = 0;
  virtual void close(Process& process, Opening& opening, Result result) = 0;
  // The address space alone.
  using Bound = std::function<void(Errno, SvaCore::Handle)>;
  virtual void bind(Process& process, const std::string& device, Bound result) = 0;
  virtual void unbind(SvaCore::Handle handle, Task done) = 0;
  virtual void set_feature(const std::string& device, SvaFeature feature, bool on, Result result) = 0;

  // The living address space that has this PASID, as the IOMMU layer finds it; nullptr: none has.
  virtual SvaSpace* find_space(Pasid pasid) = 0;

  // Has devices forget what is stale, then frees the pages.
  virtual void shoot_down(SvaSpace& space, const Stale& stale, Task done) = 0;
  // Begins the process that was declared as this one's child.
  virtual void fork(Process& parent, const std::string& child, Result result) = 0;
};

}  // namespace svasim
