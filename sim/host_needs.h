// What a host's software needs of the hardware it is given.
#pragma once

#include <string>

#include "models/host/host_params.h"
#include "sim/binder.h"

namespace svasim {

// That its drivers find what they need of the IOMMUs and devices, and its processes what they ask for.
void check_host(const std::string& name, const HostParams& host, Binder& binder, Contradictions& bad);

}  // namespace svasim
