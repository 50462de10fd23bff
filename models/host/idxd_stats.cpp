#include "models/host/idxd_stats.h"

namespace svasim {

void IdxdStats::describe(StatRegistry& registry, const std::string& prefix) const {
  const auto count = [&](const char* name, const Counter& counter, const char* text) {
    registry.counter(prefix + "." + name, &counter, StatUnit::kCount, StatKind::kTiming, text);
  };
  count("enqcmds", enqcmds, "ENQCMDs executed, those answered Retry included.");
  count("enqcmd_retries", enqcmd_retries, "ENQCMDs answered Retry.");
  count("enqcmd_again", enqcmd_again,
        "Submissions that found the shared queue full dsa.enqcmd_retries times: EAGAIN.");
  count("events", events, "Entries read from event logs.");
  count("events_ignored", events_ignored, "Entries left alone because their process was closing.");
  count("events_logged", events_logged, "Entries about errors that only go to the log.");
  count("cr_faults", cr_faults, "Completion records found in event logs because of a fault.");
  count("cr_fault_failures", cr_fault_failures, "Of these, records not copied wholly to their process.");
  count("records_copied", records_copied, "Completion records copied wholly to their process.");
  count("records_partial", records_partial,
        "Completion records of which only the bytes behind the status were copied.");
  count("batches_failed", batches_failed,
        "Batches whose record tells that a member's record could not be copied.");
  count("drain_events", drain_events, "Completions of drains found in event logs.");
  count("software_errors", software_errors, "Errors read from SWERROR.");
}

}  // namespace svasim
