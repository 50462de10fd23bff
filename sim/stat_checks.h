// The `checks:` of a configuration: conditions on statistics.
#pragma once

#include "base/stats.h"
#include "sim/checks.h"
#include "sim/system_config.h"

namespace svasim {

// That every check names a number there is. Throws ConfigError.
void check_stat_names(const SystemConfig& config, const StatRegistry& stats);
// The same before anything is constructed for a run: makes components of its own, without sockets
// between them. Only for a process that does not simulate.
void check_stat_names(SystemConfig&& given);

// The outcome at the end of a run.
void add_stat_checks(const SystemConfig& config, const nlohmann::json& statistics, RunChecks& checks);

}  // namespace svasim
