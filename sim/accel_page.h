// What an accel-config file means, for people.
#pragma once

#include <string>

#include "models/dsa/dsa_params.h"
#include "models/host/accel_config.h"

namespace svasim {

// Tables of groups and work queues, and what is unusual about them.
std::string accel_page(const AccelConfig& config);

// What a device of the name has unless configured otherwise: dsa as in Sapphire Rapids. Of others only the
// sizes of fields are known.
AccelLimits usual_limits(const AccelDevice& device);
AccelLimits limits_of(const DsaParams& dsa);

}  // namespace svasim
