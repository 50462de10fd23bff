// Statistics of the driver of DSA devices.
#pragma once

#include <string>

#include "base/stats.h"

namespace svasim {

struct IdxdStats {
  Counter enqcmds;
  Counter enqcmd_retries;
  Counter enqcmd_again;
  Counter events;
  Counter events_ignored;
  Counter events_logged;
  Counter cr_faults;
  Counter cr_fault_failures;
  Counter records_copied;
  Counter records_partial;
  Counter batches_failed;
  Counter drain_events;
  Counter software_errors;

  void describe(StatRegistry& registry, const std::string& prefix) const;
};

}  // namespace svasim
