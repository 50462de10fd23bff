// Reads scripts.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "sim/script/statement.h"

namespace svasim {

// Everything that is wrong is added to `problems` as "file:line: reason"; what is returned then is
// not to be run.
RegisterScript parse_script(std::istream& in, const std::string& file, std::vector<std::string>& problems);

// Names every script knows, with what they stand for.
struct ScriptConstant {
  const char* name;
  std::uint64_t value;
  const char* meaning;
};
const std::vector<ScriptConstant>& script_constants();

}  // namespace svasim
