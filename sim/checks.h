// What a run proved about itself.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace svasim {

struct RunCheck {
  std::string name;  // "dsa0.bytes_verified"
  bool ok = false;
  nlohmann::json figure;  // the number behind it
  std::string expected;   // what the figure has to be, in words: "0", "at least 1"
};

class RunChecks {
 public:
  void add(std::string name, bool ok, nlohmann::json figure, std::string expected) {
    checks_.push_back({std::move(name), ok, std::move(figure), std::move(expected)});
  }
  // Nothing of a bad kind happened.
  void none(std::string name, std::uint64_t count) { add(std::move(name), count == 0, count, "0"); }
  void equal(std::string name, std::uint64_t figure, std::uint64_t expected) {
    add(std::move(name), figure == expected, figure, std::to_string(expected));
  }

  const std::vector<RunCheck>& all() const { return checks_; }
  bool ok() const {
    for (const RunCheck& check : checks_) {
      if (!check.ok) return false;
    }
    return true;
  }

 private:
  std::vector<RunCheck> checks_;
};

}  // namespace svasim
