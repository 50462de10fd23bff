// Host cost of a page fault through the whole loop, in E: prints lines "name value". See docs/performance.md.
//
// A DSA device writes to memory nobody has touched, in fills of 1 MiB: every page is a translation request, a
// page request, a descriptor in the queue, the driver, a handler, a page-table entry, a group response and a
// second translation. 17 pages are asked for at a time. WHY DSA: the host drives no other device. Then
// madvise gives the pages back, 8000 at a time, so that memory does not grow.
#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <systemc>

#include "perf/whole_run.h"

namespace svasim::perf {
namespace {

constexpr unsigned kPages = 8'000;
constexpr unsigned kRounds = 125;
constexpr std::uint64_t kFaults = std::uint64_t{kPages} * kRounds;

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

}  // namespace
}  // namespace svasim::perf

int sc_main(int, char**) {
  sc_core::sc_set_time_resolution(1, sc_core::SC_PS);
  using namespace svasim::perf;
  const WholeRun run = measure_run(configuration(), "host0.faults.pages_mapped", kFaults);
  std::printf("page_faults %llu\n", static_cast<unsigned long long>(kFaults));
  std::printf("page_fault_ns %.0f\n", run.ns);
  std::printf("page_fault_ratio %.1f\n", run.ratio);
  return 0;
}
