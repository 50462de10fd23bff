#pragma once

namespace svasim {

extern const char* const kVersion;  // "0.1.0"

}  // namespace svasim
