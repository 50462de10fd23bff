#include "sim/version.h"

namespace svasim {

const char* const kVersion = SVASIM_VERSION;

}  // namespace svasim
