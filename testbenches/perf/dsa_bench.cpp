// Host cost of a memory move of 4 KiB by a calibrated DSA, in E: prints lines "name value". See
// docs/performance.md.
//
// With accesses of 64 bytes and with accesses of whole pages, which have to take the same simulated time: the
// program fails when their throughput differs by more than 5 %.
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <string>
#include <systemc>

#include "base/check.h"
#include "perf/whole_run.h"

namespace svasim::perf {
namespace {

std::string configuration(const std::string& components, unsigned moves) {
  return fmt::format(
      "extends: configs/profiles/spr_dsa1.yaml\n"
      "components:\n"
      "{}"
      "workload:\n"
      "  processes:\n"
      "    - name: user\n"
      "      device: dsa0\n"
      "      outstanding: 32\n"
      "      verify_each: false\n"
      "      buffers: [{{name: source, size: 1 MiB}}, {{name: target, size: 1 MiB}}]\n"
      "      steps: [{{do: memmove, from: source, to: target, size: 4 KiB, count: {}}}]\n",
      components, moves);
}

// WHY a process of its own: SystemC elaborates once.
WholeRun measure_apart(const std::string& components, unsigned moves) {
  int ends[2];
  SVASIM_CHECK(pipe(ends) == 0, "no pipe");
  const pid_t child = fork();
  SVASIM_CHECK(child >= 0, "no process");
  WholeRun run;
  if (child == 0) {
    run = measure_run(configuration(components, moves), "dsa0.completed", moves);
    _exit(write(ends[1], &run, sizeof run) == sizeof run ? 0 : 1);
  }
  close(ends[1]);
  const bool whole = read(ends[0], &run, sizeof run) == sizeof run;
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  SVASIM_CHECK(whole && status == 0, "the run of its own failed");
  return run;
}

}  // namespace
}  // namespace svasim::perf

int sc_main(int, char**) {
  sc_core::sc_set_time_resolution(1, sc_core::SC_PS);
  using namespace svasim::perf;
  const WholeRun access = measure_apart("  dsa0: {access_size: 64}\n", 20'000);
  // WHY more buffers: a page holds those of its bytes that are still to come, too. A page takes one channel,
  // so channels take turns by pages.
  const WholeRun page = measure_apart(
      "  memory0: {interleave: 4 KiB}\n"
      "  dsa0: {access_granularity: page, buffer_size: 512 B}\n",
      200'000);
  std::printf("dsa_memmove_ratio %.1f\n", access.ratio);
  std::printf("dsa_memmove_page_ratio %.1f\n", page.ratio);
  const double agreement = page.per_second / access.per_second;
  std::printf("dsa_memmove_agreement %.3f\n", agreement);
  return std::abs(agreement - 1) <= 0.05 ? 0 : 1;
}
