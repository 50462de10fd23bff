// What a run leaves behind.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "sim/simulation.h"

namespace svasim {

inline constexpr int kResultsVersion = 1;

struct InputHash {
  std::string file;
  std::string sha256;
};

// Hashes of everything the run reads, sorted by name. Throws InputError.
std::vector<InputHash> hash_inputs(const SystemConfig& config);

// The contents of results.json: the same bytes for the same configuration and seed.
nlohmann::json make_results(const Simulation& simulation, const std::vector<InputHash>& inputs);

// Puts a file in place whole or not at all. Throws InputError.
void write_file(const std::string& path, const std::string& text);

}  // namespace svasim
