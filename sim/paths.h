// Names of files, as results and shown configurations have them.
#pragma once

#include <filesystem>
#include <string>

namespace svasim {

inline std::string absolute_path(const std::string& path) {
  std::filesystem::path whole = std::filesystem::absolute(path).lexically_normal();
  if (!whole.has_filename() && whole.has_relative_path()) whole = whole.parent_path();  // "folder/"
  return whole.string();
}

// Without the folders before it: what does not depend on the machine. Empty stays empty.
inline std::string file_name_of(const std::string& path) {
  return path.empty() ? path : std::filesystem::path(absolute_path(path)).filename().string();
}

}  // namespace svasim
