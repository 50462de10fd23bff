// A whole configuration, checked without constructing anything.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/config.h"
#include "sim/component.h"
#include "sim/sim_params.h"

namespace svasim {

struct ConfiguredPart {
  std::string name;
  const ComponentType* type = nullptr;
  Where where;
  ConfigNode node;    // what it was made from
  bool sound = true;  // nothing was wrong with that alone
  std::unique_ptr<Component> component;
};

struct SystemConfig {
  std::string description;
  SimParams sim;
  std::vector<StatCheckParams> checks;
  std::vector<ConfigNode> check_nodes;  // what they were made from
  std::vector<ConfiguredPart> parts;    // in the order of the file
  std::vector<std::string> files;       // all files of the configuration
  nlohmann::json resolved;              // everything with all defaults; what results record
  nlohmann::json runnable;              // the same with paths that hold anywhere on this machine

  std::vector<std::string> input_files() const;
};

// Reads and checks everything that can be known before elaboration. Throws ConfigError with all
// problems. `overrides`: "path=value", as for --set.
SystemConfig load_system_config(const std::string& file, const std::vector<std::string>& overrides);

// The same from an already loaded tree; problems found so far are included.
SystemConfig check_system_config(const Config& config, Problems& problems);

// JSON schema of whole configurations.
nlohmann::json system_schema();

}  // namespace svasim
