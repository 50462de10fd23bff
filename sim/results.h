// What a run leaves behind.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "sim/simulation.h"

namespace svasim {

inline constexpr int kResultsVersion = 1;
inline constexpr const char* kResultsFile = "results.json";

struct InputHash {
  std::string file;  // its name without folders: results are the same wherever the files are
  std::string sha256;
};

// Hashes of everything the run reads, sorted by name, none twice. Throws InputError.
std::vector<InputHash> hash_inputs(const SystemConfig& config);

// The contents of results.json: the same bytes for the same configuration and seed.
nlohmann::json make_results(const Simulation& simulation, const std::vector<InputHash>& inputs);

// Their text. Bytes that are not UTF-8, which only a capture can contain, become U+FFFD.
std::string results_text(const nlohmann::json& results);

}  // namespace svasim
