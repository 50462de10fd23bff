// Which work queue of a device each process opens, when accel-config divided the device.
#pragma once

#include <string>
#include <vector>

#include "models/host/accel_config.h"
#include "models/host/workload_params.h"

namespace svasim {

// Those a process names by `wq`, or the first ones of its kind that fit. To be asked for each process, in
// order. SPEC: [LINUX drivers/dma/idxd/cdev.c]: processes open queues of type user.
class AccelQueues {
 public:
  explicit AccelQueues(const AccelDevice& device) : device_(&device), owned_(device.queues.size(), false) {}

  // nullptr when there is none; `why` tells then.
  const AccelQueue* choose(const ProcessParams& process, std::string& why);

 private:
  const AccelDevice* device_;
  std::vector<bool> owned_;  // for one process each
};

}  // namespace svasim
