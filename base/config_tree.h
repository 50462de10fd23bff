// Files of others that are YAML, or JSON as people write it: commas behind the last entry are read too.
#pragma once

#include <string>

#include "base/config.h"

namespace svasim {

// The tree of a file whatever its root is, and without meaning for `extends`. Null when it cannot be read,
// which is added to `problems` with the file as its place.
ConfigNode load_tree(const std::string& file, Problems& problems);

}  // namespace svasim
