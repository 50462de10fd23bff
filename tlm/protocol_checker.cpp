#include "tlm/protocol_checker.h"

#include <algorithm>

namespace svasim {

void ViolationLog::add(Ps time, const char* rule, std::string text) {
  ++count_;
  const auto known = std::find_if(by_rule_.begin(), by_rule_.end(),
                                  [rule](const auto& entry) { return entry.first == rule; });
  if (known == by_rule_.end()) {
    by_rule_.emplace_back(rule, 1);
  } else {
    ++known->second;
  }
  if (violations_.size() < kMaxDescribed) {
    violations_.push_back(Violation{time, checker_, rule, std::move(text)});
  }
}

std::uint64_t ViolationLog::count(const std::string& rule) const {
  for (const auto& [name, count] : by_rule_) {
    if (name == rule) {
      return count;
    }
  }
  return 0;
}

std::ostream& operator<<(std::ostream& out, const ViolationLog& log) {
  for (const Violation& violation : log.violations()) {
    out << violation.time << " ps " << violation.checker << ": " << violation.rule << ": " << violation.text
        << '\n';
  }
  return out;
}

}  // namespace svasim
