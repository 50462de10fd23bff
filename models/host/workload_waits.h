// Steps that wait for each other.
#pragma once

#include "models/host/host_params.h"

namespace svasim {

// Complains of each wait step that can never end, whatever happens.
void check_waits(const HostParams& host, const Complain& bad);

}  // namespace svasim
