// Identity of input files.
#pragma once

#include <string>
#include <vector>

namespace svasim {

// SHA-256 in hexadecimal. Of a folder: of the lines "name hash" of all files in it, sorted.
// Throws std::runtime_error when it cannot be read.
std::string sha256_of_path(const std::string& path);
std::string sha256_of_text(const std::string& text);

}  // namespace svasim
