// Statistics of devices that user space drives.
#pragma once

#include <string>

#include "base/stats.h"

namespace svasim {

struct IommufdStats {
  Counter maps;
  Counter unmaps;
  Counter pages_pinned;
  Counter pages_unpinned;
  Counter attaches;
  Counter detaches;
  Counter groups_delivered;
  Counter groups_read;
  Counter groups_answered;
  Counter groups_discarded;
  Histogram answer_latency;
  // Memory of devices.
  Counter fault_ins;
  Counter lock_drops;
  Counter zapped;
  Counter zaps;
  Counter revoked;

  void describe(StatRegistry& registry, const std::string& prefix) const;
};

}  // namespace svasim
