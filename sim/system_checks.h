// What can be wrong between the components of a configuration.
#pragma once

#include <vector>

#include "sim/system_config.h"

namespace svasim {

// Addresses, requester IDs and memory; needs no references.
void check_alone(const std::vector<ConfiguredPart>& parts, Problems& problems);
// That memory is where components need it: part of the above, and again when inputs have been read.
void check_memory(const std::vector<ConfiguredPart>& parts, Problems& problems);
// Contradictions along references, all of which have to be right.
void check_together(const std::vector<ConfiguredPart>& parts, Problems& problems);

}  // namespace svasim
