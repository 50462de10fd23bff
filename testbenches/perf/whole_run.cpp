#include "perf/whole_run.h"

#include <algorithm>
#include <ctime>
#include <systemc>
#include <vector>

#include "base/check.h"
#include "perf/unit_costs.h"
#include "sim/simulation.h"
#include "tlm/time.h"

namespace svasim::perf {
namespace {

constexpr unsigned kSamples = 5;

// WHY CPU time: what other programs take on a shared machine is not ours.
double cpu_ns() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

double median(std::vector<double> values) {
  SVASIM_CHECK(!values.empty(), "nothing was measured");
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

WholeRun measure_run(const std::string& text, const std::string& counter, std::uint64_t total) {
  SelfWake wake("wake");
  Problems problems;
  const Config config = load_config_text(text, "bench.yaml", {}, problems);
  Simulation simulation(check_system_config(config, problems));
  const auto count = [&] { return *simulation.stats().counter_value(counter); };

  std::vector<double> costs;
  struct Mark {
    std::uint64_t count;
    Ps time;
  };
  std::vector<Mark> marks;  // while there is more to do
  std::uint64_t before = 0;
  double since = cpu_ns();
  simulation.run(nullptr, [&] {
    const std::uint64_t now = count();
    if (now == before || (now - before < total / kSamples && now != total)) return;
    costs.push_back((cpu_ns() - since) / static_cast<double>(now - before));
    if (now != total) marks.push_back({now, now_ps()});
    before = now;
    since = cpu_ns();
  });
  SVASIM_CHECK(simulation.checks().ok() && count() == total, "the run does what is to be measured");
  SVASIM_CHECK(marks.size() > 1, "the run is long enough to be measured");
  std::vector<double> units;
  for (unsigned i = 0; i < kSamples; ++i) {
    constexpr unsigned kWakes = 1'000'000;
    const double start = cpu_ns();
    wake.run(kWakes);
    units.push_back((cpu_ns() - start) / kWakes);
  }
  WholeRun run;
  run.ns = median(costs);
  run.ratio = run.ns / median(units);
  run.per_second = static_cast<double>(marks.back().count - marks.front().count) /
                   (static_cast<double>(marks.back().time - marks.front().time) * 1e-12);
  return run;
}

}  // namespace svasim::perf
