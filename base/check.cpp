#include "base/check.h"

namespace svasim {

void fail_check(const char* file, int line, const char* condition, const std::string& what) {
  throw InternalError(what + " (" + condition + ", " + file + ":" + std::to_string(line) + ")");
}

}  // namespace svasim
