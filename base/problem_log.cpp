#include "base/problem_log.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace svasim {

ProblemLog::~ProblemLog() {
  for (const auto& [number, kind] : kinds_) {
    if (kind.lines > kind.most) {
      print(fmt::format("{} more of \"{}\"", kind.lines - kind.most, kind.name));
    }
  }
}

void ProblemLog::print(const std::string& text) const { spdlog::warn("{}: {}", owner_, text); }

}  // namespace svasim
