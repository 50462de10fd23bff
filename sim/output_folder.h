// The folder a run leaves its results in.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace svasim {

// Made, and tried, before the run, so that a long run does not end in vain. Everything is written into
// a hidden folder inside it and put in place at the end, at once; if that does not happen, what was
// there before stays as it was, and what this made goes away again.
class OutputFolder {
 public:
  // Throws UsageError when results could not be written into it.
  explicit OutputFolder(const std::filesystem::path& path);
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  std::string name() const { return path_.string(); }
  // Where models write files of their own while the run lasts.
  std::string staging() const { return staging_.string(); }

  // That everything found in staging so far, and `names`, can be put in place. Throws UsageError.
  void check_targets(const std::vector<std::string>& names) const;
  // Puts these files, and what models wrote, in place; `configuration` is that of the results. Throws
  // InputError.
  void commit(const std::vector<std::pair<std::string, std::string>>& files,
              const nlohmann::json& configuration);

 private:
  std::vector<std::string> staged() const;
  void remove_old_waves(const nlohmann::json& configuration) const;

  std::filesystem::path path_;
  std::filesystem::path staging_;
  std::vector<std::filesystem::path> made_;  // innermost first
};

}  // namespace svasim
