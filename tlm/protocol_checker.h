// What protocol checkers report: violations are data, so that a run or a test can fail on them and
// still show everything else it found.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "base/types.h"

namespace svasim {

struct Violation {
  Ps time = 0;
  std::string checker;  // name of the checker module
  std::string rule;     // short lower-case name, see the checker's list
  std::string text;     // what was seen
};

class ViolationLog {
 public:
  // Descriptions beyond this number are counted and dropped.
  static constexpr std::size_t kMaxDescribed = 100;

  explicit ViolationLog(std::string checker) : checker_(std::move(checker)) {}

  void add(Ps time, const char* rule, std::string text);

  std::uint64_t count() const { return count_; }
  // How often one rule was broken.
  std::uint64_t count(const std::string& rule) const;
  const std::vector<Violation>& violations() const { return violations_; }
  const std::string& checker() const { return checker_; }

 private:
  std::string checker_;
  std::uint64_t count_ = 0;
  std::vector<Violation> violations_;
  std::vector<std::pair<std::string, std::uint64_t>> by_rule_;
};

// One line per described violation: "time ps checker: rule: text".
std::ostream& operator<<(std::ostream& out, const ViolationLog& log);

// Implemented by every checker module.
class ProtocolChecker {
 public:
  virtual ~ProtocolChecker() = default;
  virtual const ViolationLog& violations() const = 0;
  // Call once when the run is over: what should have been answered by now and was not is a violation.
  virtual void finish() = 0;
  // Transactions seen, to prove that a checker was in the path.
  virtual std::uint64_t observed() const = 0;
};

}  // namespace svasim
