// What drivers have to say.
#pragma once

#include <string>
#include <vector>

namespace svasim {

// Lines, newest last.
using HostLog = std::vector<std::string>;

}  // namespace svasim
