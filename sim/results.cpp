#include "sim/results.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>

#include "base/input_error.h"
#include "sim/sha256.h"
#include "sim/version.h"

namespace svasim {

std::vector<InputHash> hash_inputs(const SystemConfig& config) {
  std::vector<InputHash> inputs;
  for (const std::string& file : config.input_files()) {
    std::error_code none;
    const std::filesystem::file_status status = std::filesystem::status(file, none);
    // A device or a pipe has no end, or only one.
    if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status) &&
        !std::filesystem::is_directory(status)) {
      throw InputError(file, 0, "is neither a file nor a folder");
    }
    try {
      inputs.push_back({file, sha256_of_path(file)});
    } catch (const std::exception&) {
      throw InputError(file, 0, "cannot be read");
    }
  }
  return inputs;
}

nlohmann::json make_results(const Simulation& simulation, const std::vector<InputHash>& inputs) {
  nlohmann::json results;
  results["schema_version"] = kResultsVersion;
  results["program"] = {{"name", "svasim"}, {"version", kVersion}};
  results["configuration"] = simulation.config().resolved;
  results["seed"] = simulation.config().sim.seed;
  results["inputs"] = nlohmann::json::array();
  for (const InputHash& input : inputs) {
    results["inputs"].push_back({{"file", input.file}, {"sha256", input.sha256}});
  }
  const RunEnd& end = simulation.end();
  results["end"] = {{"reason", end.name()}, {"time_ps", end.time}, {"in_flight", end.in_flight}};
  results["ok"] = simulation.checks().ok();
  results["checks"] = nlohmann::json::array();
  for (const RunCheck& check : simulation.checks().all()) {
    results["checks"].push_back(
        {{"name", check.name}, {"ok", check.ok}, {"figure", check.figure}, {"expected", check.expected}});
  }
  results["notes"] = simulation.notes();
  results["warnings"] = simulation.warnings();
  results["statistics"] = simulation.stats().to_json(end.time);
  return results;
}

void write_file(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".tmp" + std::to_string(getpid());
  {
    std::ofstream stream(temporary, std::ios::binary | std::ios::trunc);
    stream << text;
    stream.close();
    if (!stream) {
      const std::string why = std::strerror(errno);
      std::filesystem::remove(temporary);
      throw InputError(path, 0, "cannot be written: " + why);
    }
  }
  std::filesystem::rename(temporary, path);
}

}  // namespace svasim
