// Host cost of a page fault through the whole loop, in E: prints lines "name value". See docs/performance.md.
//
// A DSA device writes to memory nobody has touched, in fills of 1 MiB: every page is a translation request, a
// page request, a descriptor in the queue, the driver, a handler, a page-table entry, a group response and a
// second translation. 17 pages are asked for at a time. WHY DSA: the host drives no other device. Then
// madvise gives the pages back, 8000 at a time, so that memory does not grow.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <systemc>
#include <vector>

#include "base/check.h"
#include "perf/unit_costs.h"
#include "sim/simulation.h"

namespace svasim::perf {
namespace {

constexpr unsigned kPages = 8'000;
constexpr unsigned kRounds = 125;
constexpr std::uint64_t kFaults = std::uint64_t{kPages} * kRounds;
constexpr unsigned kSamples = 5;

// WHY CPU time: what other programs take on a shared machine is not ours.
double cpu_ns() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

std::string configuration() {
  std::string text =
      "extends: configs/quickstart.yaml\n"
      "checks: null\n"
      "sim: {protocol_checks: false}\n"
      "components:\n"
      "  dsa0: {access_size: 4096, buffer_size: 4 KiB, pages_ahead: 16}\n"
      "  host0:\n"
      "    faults: {handlers: 16}\n"
      "    invalidation: {poll_interval: 200 ns}\n"
      "    dsa: {poll_interval: 1 us}\n"
      "workload:\n"
      "  processes:\n"
      "    - name: alice\n"
      "      device: dsa0\n"
      "      outstanding: 1\n"
      "      verify_each: false\n"
      "      buffers:\n";
  text += fmt::format("        - {{name: a, size: {} KiB, resident: 0}}\n      steps:\n", kPages * 4);
  for (unsigned i = 0; i < kRounds; ++i) {
    text += fmt::format("        - {{do: fill, to: a, size: 1000 KiB, count: {}}}\n", kPages / 250);
    text += "        - {do: madvise, to: a}\n";
  }
  return text;
}

int run() {
  SelfWake wake("wake");
  Problems problems;
  const Config config = load_config_text(configuration(), "fault_bench.yaml", {}, problems);
  Simulation simulation(check_system_config(config, problems));
  const auto mapped = [&] { return *simulation.stats().counter_value("host0.faults.pages_mapped"); };

  std::vector<double> faults;
  std::uint64_t done = 0;
  double since = cpu_ns();
  simulation.run(nullptr, [&] {
    const std::uint64_t now = mapped();
    if (now - done < kFaults / kSamples && now != kFaults) return;
    if (now != done) faults.push_back((cpu_ns() - since) / static_cast<double>(now - done));
    done = now;
    since = cpu_ns();
  });
  SVASIM_CHECK(simulation.checks().ok() && mapped() == kFaults, "every page is one fault");
  std::vector<double> units;
  for (unsigned i = 0; i < kSamples; ++i) {
    constexpr unsigned kWakes = 1'000'000;
    const double start = cpu_ns();
    wake.run(kWakes);
    units.push_back((cpu_ns() - start) / kWakes);
  }
  std::printf("page_faults %llu\n", static_cast<unsigned long long>(mapped()));
  std::printf("page_fault_ns %.0f\n", median(faults));
  std::printf("page_fault_ratio %.1f\n", median(faults) / median(units));
  return 0;
}

}  // namespace
}  // namespace svasim::perf

int sc_main(int, char**) {
  sc_core::sc_set_time_resolution(1, sc_core::SC_PS);
  return svasim::perf::run();
}
