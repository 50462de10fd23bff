// A copy of a sample capture in a temporary folder, to be edited.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "base/archive_source.h"

namespace svasim {

class CaptureCopy {
 public:
  explicit CaptureCopy(const std::string& archive) {
    std::string name = (std::filesystem::temp_directory_path() / "svasim-capture-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    const ArchiveSource source(archive);
    for (const std::string& member : source.members()) {
      const auto stream = source.open(member);
      std::string text;
      char buffer[1 << 16];
      while (const std::size_t count = stream->read(buffer, sizeof buffer)) text.append(buffer, count);
      write(member, text);
    }
  }
  ~CaptureCopy() { std::filesystem::remove_all(folder_); }
  CaptureCopy(const CaptureCopy&) = delete;
  CaptureCopy& operator=(const CaptureCopy&) = delete;

  std::string path() const { return folder_.string(); }
  std::string path_of(const std::string& member) const { return (folder_ / member).string(); }

  std::string read(const std::string& member) const {
    std::ifstream in(folder_ / member, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  void write(const std::string& member, const std::string& bytes) const {
    std::ofstream(folder_ / member, std::ios::binary) << bytes;
  }

  using Fields = std::vector<std::string>;
  // Calls `edit` with the fields of every line of the trace; a line whose fields it clears goes.
  void edit_trace(const std::function<void(std::size_t line, Fields& fields)>& edit) const {
    std::istringstream in(read("dma.trace"));
    std::string text;
    std::size_t number = 0;
    for (std::string line; std::getline(in, line);) {
      Fields fields;
      std::istringstream words(line);
      for (std::string word; std::getline(words, word, ' ');) fields.push_back(word);
      edit(++number, fields);
      for (std::size_t i = 0; i < fields.size(); ++i) text += (i == 0 ? "" : " ") + fields[i];
      if (!fields.empty()) text += "\n";
    }
    write("dma.trace", text);
  }

 private:
  std::filesystem::path folder_;
};

// Samples of the source tree, and the captures they come from where those lie beside it.
inline std::vector<std::string> all_captures() {
  std::vector<std::string> found;
  for (const char* folder : {"traces", "../shared/data/linux-vtd"}) {
    std::error_code none;
    for (const auto& file : std::filesystem::directory_iterator(folder, none)) {
      if (file.path().extension() == ".zst") found.push_back(file.path().string());
    }
  }
  return found;
}

}  // namespace svasim
