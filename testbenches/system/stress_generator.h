// Random configurations with random workloads, for the life-cycle stress.
#pragma once

#include <cstdint>
#include <string>

namespace svasim {

struct StressSize {
  std::uint64_t operations = 2000;  // device operations and steps, about
  unsigned processes = 64;
  unsigned devices = 8;
};

// A configuration as text; the same seed and size give the same bytes.
std::string stress_configuration(std::uint64_t seed, const StressSize& size);

}  // namespace svasim
