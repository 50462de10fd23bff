#include "sim/results.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <filesystem>
#include <tuple>

#include "base/input_error.h"
#include "sim/paths.h"
#include "sim/sha256.h"
#include "sim/stale_use_list.h"
#include "sim/version.h"

namespace svasim {

std::vector<InputHash> hash_inputs(const SystemConfig& config) {
  std::vector<InputHash> inputs;
  for (const std::string& file : config.input_files()) {
    std::error_code none;
    const std::filesystem::file_status status = std::filesystem::status(file, none);
    if (!std::filesystem::exists(status)) throw InputError(file, 0, "no such file or folder");
    // A device or a pipe has no end, or only one.
    if (!std::filesystem::is_regular_file(status) && !std::filesystem::is_directory(status)) {
      throw InputError(file, 0, "is neither a file nor a folder");
    }
    errno = 0;
    try {
      inputs.push_back({file_name_of(file), sha256_of_path(file)});
    } catch (const std::filesystem::filesystem_error& error) {
      throw InputError(file, 0, "cannot be read: " + error.code().message());
    } catch (const std::exception&) {
      throw InputError(
          file, 0, errno != 0 ? std::string("cannot be read: ") + std::strerror(errno) : "cannot be read");
    }
  }
  const auto key = [](const InputHash& input) { return std::tie(input.file, input.sha256); };
  std::sort(inputs.begin(), inputs.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
  const auto same = [&](const auto& a, const auto& b) { return key(a) == key(b); };
  inputs.erase(std::unique(inputs.begin(), inputs.end(), same), inputs.end());
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
  if (const StaleUseDetector* found = simulation.stale_uses()) results["stale_uses"] = stale_use_list(*found);
  results["statistics"] = simulation.stats().to_json(end.time);
  return results;
}

std::string results_text(const nlohmann::json& results) {
  return results.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace svasim
