// The parameters of a script's system, from its `set` lines.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/script/statement.h"

namespace svasim {

// "iommu.walks=2" and where it stands.
struct ScriptSetting {
  std::uint64_t line = 0;
  std::string text;
};

// What is wrong is added to `lines` as "file:line: path: reason".
ScriptParams load_script_params(const std::string& file, const std::vector<ScriptSetting>& settings,
                                std::vector<std::string>& lines);

}  // namespace svasim
