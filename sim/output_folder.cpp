#include "sim/output_folder.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "base/input_error.h"
#include "sim/cli.h"
#include "sim/results.h"

namespace svasim {
namespace {

namespace fs = std::filesystem;

void write_text(const fs::path& file, const fs::path& place, const std::string& text) {
  std::ofstream stream(file, std::ios::binary | std::ios::trunc);
  stream << text;
  stream.close();
  if (!stream) throw InputError(place.string(), 0, std::string("cannot be written: ") + std::strerror(errno));
}

}  // namespace

OutputFolder::OutputFolder(const fs::path& path)
    : path_(path), staging_(path / (".svasim-" + std::to_string(getpid()))) {
  if (path_.empty()) throw UsageError("--out names no folder");
  std::error_code error;
  for (fs::path made = path_; !made.empty() && !fs::exists(made, error); made = made.parent_path()) {
    made_.push_back(made);
  }
  const auto refuse = [&](const char* what, const std::string& why) {
    std::error_code ignored;
    for (const fs::path& made : made_) fs::remove(made, ignored);
    throw UsageError(std::string(what) + " '" + path_.string() + "': " + why);
  };
  fs::create_directories(path_, error);
  if (error) refuse("cannot create", error.message());
  fs::remove_all(staging_, error);
  // WHY by trying: rights alone do not say it, a file system can be read-only or full.
  fs::create_directory(staging_, error);
  if (error) refuse("cannot write into", error.message());
}

OutputFolder::~OutputFolder() {
  std::error_code ignored;
  fs::remove_all(staging_, ignored);
  for (const fs::path& made : made_) fs::remove(made, ignored);  // only if nothing is in it
}

std::vector<std::string> OutputFolder::staged() const {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(staging_)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

void OutputFolder::check_targets(const std::vector<std::string>& names) const {
  std::vector<std::string> all = staged();
  all.insert(all.end(), names.begin(), names.end());
  for (const std::string& name : all) {
    std::error_code ignored;
    const fs::file_status status = fs::status(path_ / name, ignored);
    if (fs::exists(status) && !fs::is_regular_file(status)) {
      throw UsageError("cannot write '" + (path_ / name).string() + "': it is " +
                       (fs::is_directory(status) ? "a folder" : "no regular file"));
    }
  }
}

// Waves of an earlier run into this folder would seem to belong to these results.
void OutputFolder::remove_old_waves(const nlohmann::json& configuration) const {
  std::vector<std::string> names;
  const auto add_components = [&](const nlohmann::json& of) {
    if (!of.is_object() || !of.contains("components") || !of["components"].is_object()) return;
    names.reserve(names.size() + of["components"].size());
    for (const auto& [name, ignored] : of["components"].items()) names.push_back(name);
  };
  add_components(configuration);
  std::ifstream stream(path_ / kResultsFile);
  const nlohmann::json old = nlohmann::json::parse(stream, nullptr, false);
  if (old.is_object() && old.contains("configuration")) add_components(old["configuration"]);
  for (const std::string& name : names) {
    std::error_code ignored;
    const fs::path waves = path_ / fs::path(name + ".fst").filename();
    if (fs::is_regular_file(waves, ignored)) fs::remove(waves, ignored);
  }
}

void OutputFolder::commit(const std::vector<std::pair<std::string, std::string>>& files,
                          const nlohmann::json& configuration) {
  std::vector<std::string> names;
  names.reserve(files.size());
  for (const auto& [name, text] : files) names.push_back(name);
  check_targets(names);
  for (const auto& [name, text] : files) write_text(staging_ / name, path_ / name, text);
  const std::vector<std::string> all = staged();
  remove_old_waves(configuration);
  for (const std::string& name : all) {
    std::error_code error;
    fs::rename(staging_ / name, path_ / name, error);
    if (error) throw InputError((path_ / name).string(), 0, "cannot be written: " + error.message());
  }
}

}  // namespace svasim
