// Speed as ratios within one process: prints lines "name value". See docs/timing-model.md.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <map>
#include <string>
#include <systemc>
#include <vector>

#include "perf/dma_system.h"
#include "perf/rtl_cycles.h"
#include "perf/unit_costs.h"

namespace svasim::perf {
namespace {

constexpr int kRepetitions = 5;

// Keeps the median time per item of every benchmark.
class MedianReporter : public benchmark::ConsoleReporter {
 public:
  MedianReporter() : ConsoleReporter(OO_Tabular) {}
  void ReportRuns(const std::vector<Run>& runs) override {
    ConsoleReporter::ReportRuns(runs);
    for (const Run& run : runs) {
      if (run.run_type == Run::RT_Aggregate && run.aggregate_name == "median") {
        medians_[run.run_name.function_name] = run.counters.at("ns_per_item").value;
      }
    }
  }
  // 0 when the benchmark was filtered out.
  double median(const std::string& name) const {
    const auto found = medians_.find(name);
    return found == medians_.end() ? 0 : found->second;
  }

 private:
  std::map<std::string, double> medians_;
};

// WHY CPU time: what other programs take on a shared machine is not ours.
double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// Measures work() and reports the time per item; work() returns the items it did.
template <typename Work>
void measure(const char* name, Work work) {
  benchmark::RegisterBenchmark(name,
                               [work](benchmark::State& state) {
                                 double items = 0;
                                 double ns = 0;
                                 for (auto _ : state) {
                                   const double start = cpu_seconds();
                                   items += static_cast<double>(work());
                                   const double spent = cpu_seconds() - start;
                                   state.SetIterationTime(spent);
                                   ns += spent * 1e9;
                                 }
                                 state.counters["ns_per_item"] = ns / items;
                               })
      ->UseManualTime()
      ->Repetitions(kRepetitions)
      ->MinTime(0.2)
      ->Unit(benchmark::kMillisecond);
}

struct Systems {
  SelfWake wake{"wake"};
  BareCall call{"call"};
  DmaSystem loose_hit{{"loose_hit", Timing::kLoose, 64, 200'000}};
  DmaSystem approx_hit{{"approx_hit", Timing::kApproximate, 64, 50'000}};
  DmaSystem approx_walk{{"approx_walk", Timing::kApproximate, 4096, 20'000, false, false}};
  DmaSystem approx_nested{{"approx_nested", Timing::kApproximate, 4096, 5'000, false, false, 6, true}};
  DmaSystem walkers_1{{"walkers_1", Timing::kApproximate, 4096, 4'000, false, false, 1}};
  DmaSystem walkers_2{{"walkers_2", Timing::kApproximate, 4096, 4'000, false, false, 2}};
  DmaSystem walkers_4{{"walkers_4", Timing::kApproximate, 4096, 4'000, false, false, 4}};
  DmaSystem walkers_8{{"walkers_8", Timing::kApproximate, 4096, 4'000, false, false, 8}};
  RtlCycles rtl{"rtl"};
};

int run(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  Systems systems;
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  for (DmaSystem* system :
       {&systems.loose_hit, &systems.approx_hit, &systems.approx_walk, &systems.approx_nested,
        &systems.walkers_1, &systems.walkers_2, &systems.walkers_4, &systems.walkers_8}) {
    system->enable();
    system->run();  // fills the caches
  }
  measure("unit_E", [&] {
    systems.wake.run(500'000);
    return 500'000;
  });
  measure("unit_L", [&] {
    benchmark::DoNotOptimize(systems.call.run(2'000'000));
    return 2'000'000;
  });
  const auto accesses = [](DmaSystem& system) {
    return [&system] {
      system.run();
      return system.accesses();
    };
  };
  measure("loose_iotlb_hit", accesses(systems.loose_hit));
  measure("approx_iotlb_hit", accesses(systems.approx_hit));
  measure("approx_walk4", accesses(systems.approx_walk));
  measure("approx_nested_walk", accesses(systems.approx_nested));
  measure("rtl_bare_cycle", [&] { return systems.rtl.run_bare(5'000); });
  measure("rtl_system_cycle", [&] { return systems.rtl.run_system(5'000); });

  // WHY in one go: E and L are measured in the same minute as what is divided by them.
  MedianReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  const auto events = [](DmaSystem& system) {
    const std::uint64_t before = system.wakeups();
    system.run();
    return static_cast<double>(system.wakeups() - before) / static_cast<double>(system.accesses());
  };
  const auto ratio = [&](const char* name, const char* what, const char* unit) {
    if (reporter.median(what) != 0 && reporter.median(unit) != 0) {
      std::printf("%s %.2f\n", name, reporter.median(what) / reporter.median(unit));
    }
  };
  std::printf("\n");
  ratio("loose_iotlb_hit_ratio", "loose_iotlb_hit", "unit_L");
  ratio("approx_iotlb_hit_ratio", "approx_iotlb_hit", "unit_E");
  ratio("approx_walk4_ratio", "approx_walk4", "unit_E");
  ratio("approx_nested_walk_ratio", "approx_nested_walk", "unit_E");
  std::printf("approx_iotlb_hit_events %.2f\n", events(systems.approx_hit));
  std::printf("approx_walk4_events %.2f\n", events(systems.approx_walk));
  ratio("rtl_walker_ratio", "rtl_system_cycle", "rtl_bare_cycle");
  // Simulated throughput against that of one walker.
  const auto scaling = [&](const char* name, const DmaSystem& system) {
    std::printf("%s %.2f\n", name,
                static_cast<double>(systems.walkers_1.duration()) / static_cast<double>(system.duration()));
  };
  scaling("walker_scaling_2", systems.walkers_2);
  scaling("walker_scaling_4", systems.walkers_4);
  scaling("walker_scaling_8", systems.walkers_8);
  return 0;
}

}  // namespace
}  // namespace svasim::perf

int sc_main(int argc, char** argv) {
  sc_core::sc_set_time_resolution(1, sc_core::SC_PS);
  return svasim::perf::run(argc, argv);
}
