// Host cost of something a whole simulation does many times.
#pragma once

#include <cstdint>
#include <string>

namespace svasim::perf {

struct WholeRun {
  double ns = 0;          // CPU time for one, median of five parts of the run
  double ratio = 0;       // the same in E
  double per_second = 0;  // how many in a simulated second; first and last part do not count
};

// Runs the configuration `text` to its end, in which the statistic `counter` reaches `total`. Once per
// process.
WholeRun measure_run(const std::string& text, const std::string& counter, std::uint64_t total);

}  // namespace svasim::perf
