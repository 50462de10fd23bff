// Random damage to text and bytes, the same on every machine.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "base/rng.h"

namespace svasim::test {

inline std::string read_file(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

// A file of its own, gone at the end.
class ScratchFile {
 public:
  explicit ScratchFile(const std::string& name)
      : path_(std::filesystem::temp_directory_path() / ("svasim_fuzz_" + name)) {}
  ~ScratchFile() { std::filesystem::remove(path_); }
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  void write(const std::string& contents) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << contents;
  }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

// One of: a byte changed, inserted, removed; a stretch doubled, removed, moved elsewhere; a number replaced
// by an extreme one; the end cut off.
inline void damage(std::string& text, RngStream& rng) {
  static const char* const kWords[] = {"0",    "-1",    "4294967296", "18446744073709551616",
                                       "0x",   "1e400", "nan",        "",
                                       "null", "~",     "[",          "{",
                                       "]",    "}",     ": :",        "*a",
                                       "&a",   "\t",    "#",          "'",
                                       "\"",   "5 XB"};
  if (text.empty()) {
    text = "x";
    return;
  }
  const std::size_t at = rng.below(text.size());
  const std::size_t length = 1 + rng.below(std::min<std::size_t>(text.size() - at, 40));
  switch (rng.below(8)) {
    case 0:
      text[at] = static_cast<char>(rng.below(256));
      break;
    case 1:
      text.insert(at, 1, static_cast<char>(rng.below(128)));
      break;
    case 2:
      text.erase(at, 1);
      break;
    case 3:
      text.insert(at, text.substr(at, length));
      break;
    case 4:
      text.erase(at, length);
      break;
    case 5: {
      const std::string part = text.substr(at, length);
      text.erase(at, length);
      text.insert(rng.below(text.size() + 1), part);
      break;
    }
    case 6: {
      const std::size_t first = text.find_first_of("0123456789", at);
      if (first != std::string::npos) {
        const std::size_t last = text.find_first_not_of("0123456789abcdefx", first);
        text.replace(first, (last == std::string::npos ? text.size() : last) - first,
                     kWords[rng.below(std::size(kWords))]);
      }
      break;
    }
    default:
      if (rng.below(4) == 0) {
        text.resize(at);
      } else {
        text.insert(at, kWords[rng.below(std::size(kWords))]);
      }
      break;
  }
}

}  // namespace svasim::test
