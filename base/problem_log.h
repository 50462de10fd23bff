// Lines for people about what goes wrong in the simulated world.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace svasim {

// Prints the first few lines of each kind, and at its end how many it left out. Nothing of the simulation
// depends on it. Lines go where the program's log goes; svasim sends it to stderr.
class ProblemLog {
 public:
  static constexpr std::uint64_t kLinesPerKind = 4;

  explicit ProblemLog(std::string owner) : owner_(std::move(owner)) {}
  ~ProblemLog();
  ProblemLog(const ProblemLog&) = delete;
  ProblemLog& operator=(const ProblemLog&) = delete;

  // At most `most` lines of the kind. WHY a function for the text: it is made for printed lines only.
  template <typename Text>
  void warn(unsigned number, const char* kind, std::uint64_t most, const Text& text) {
    Kind& counted = kinds_[number];
    counted.name = kind;
    counted.most = most;
    if (counted.lines++ < most) {
      print(text());
    }
  }
  template <typename Text>
  void warn(unsigned number, const char* kind, const Text& text) {
    warn(number, kind, kLinesPerKind, text);
  }

 private:
  struct Kind {
    const char* name = "";
    std::uint64_t lines = 0;
    std::uint64_t most = 0;
  };
  void print(const std::string& text) const;

  std::string owner_;
  std::map<unsigned, Kind> kinds_;
};

}  // namespace svasim
