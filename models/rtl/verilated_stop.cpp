// Where $stop, $error and failed assertions of Verilated models end up.
#include <verilated.h>

#include <string>

#include "base/check.h"

// WHY: Verilator's own version aborts the process, without a chance to say which walk it was.
void vl_stop(const char* file, int line, const char* /*hierarchy*/) {
  throw svasim::InternalError(std::string("RTL assertion failed at ") + file + ":" + std::to_string(line));
}
