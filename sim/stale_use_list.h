// What the stale-use detector found, for results.json.
#pragma once

#include <nlohmann/json.hpp>

#include "models/stale_uses/stale_use_detector.h"

namespace svasim {

// {"errors": [...], "exposed": [...]}, the first of each in order of time.
nlohmann::json stale_use_list(const StaleUseDetector& detector);

}  // namespace svasim
