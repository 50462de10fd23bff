#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <ostream>

#include "base/units.h"
#include "sim/cli_options.h"
#include "sim/output_folder.h"
#include "sim/results.h"
#include "sim/stat_checks.h"
#include "sim/stop_signal.h"
#include "sim/summary.h"
#include "sim/system_checks.h"
#include "sim/text.h"

namespace svasim {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

// What depends on the machine, kept out of results.json.
nlohmann::json host_figures(double seconds, Ps simulated) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto cpu = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return {{"wall_seconds", seconds},
          {"user_seconds", cpu(usage.ru_utime)},
          {"system_seconds", cpu(usage.ru_stime)},
          {"peak_memory_bytes", static_cast<std::uint64_t>(usage.ru_maxrss) * 1024},
          {"simulated_ps_per_second", seconds > 0 ? static_cast<double>(simulated) / seconds : 0.0}};
}

int run(SystemConfig config, const fs::path& out, bool quiet, Console& console) {
  const std::vector<InputHash> inputs = hash_inputs(config);
  for (const ConfiguredPart& part : config.parts) part.component->read_inputs();
  Problems problems;
  check_memory(config.parts, problems);
  problems.throw_if_any();

  const std::vector<std::string> names = {"host.json", kResultsFile, "stats.csv"};
  const StopSignal stop;  // from here on there is something to clean up
  OutputFolder folder(out);
  folder.check_targets(names);
  const auto start = std::chrono::steady_clock::now();
  auto simulation = std::make_unique<Simulation>(std::move(config), folder.staging());
  folder.check_targets(names);
  check_stat_names(simulation->config(), simulation->stats());
  ProgressBar bar(console.err);
  simulation->run(console.progress && !quiet ? &bar : nullptr, StopSignal::check);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;

  const nlohmann::json results = make_results(*simulation, inputs);
  const RunEnd end = simulation->end();
  const RunChecks checks = simulation->checks();
  const std::vector<std::pair<std::string, std::string>> files = {
      {"stats.csv", simulation->stats().to_csv(end.time)},
      {"host.json", host_figures(taken.count(), end.time).dump(2) + "\n"},
      {kResultsFile, results_text(results)}};
  // Waves are whole only when who writes them is gone.
  simulation.reset();
  folder.commit(files, results["configuration"]);

  if (!quiet) {
    print_summary(console.out, results);
    console.out << fmt::format("\n{:.2f} s on this machine; results in {}\n", taken.count(), folder.name());
  }
  if (checks.ok()) return kExitOk;
  console.err << "svasim: " << end.sentence() << "; failed checks:";
  for (const RunCheck& check : checks.all()) {
    if (!check.ok) console.err << " " << check.name;
  }
  console.err << "\n";
  for (const std::string& line : end.in_flight) console.err << "in flight: " << line << "\n";
  return kExitFailed;
}

}  // namespace

int run_command(const std::vector<std::string>& args, Console& console) {
  CommandOptions options("svasim run CONFIG [--set PATH=VALUE]... [--out DIR] [--seed N] [--quiet]",
                         "Runs one simulation and writes results.json, stats.csv and host.json into DIR.");
  options.positional("CONFIG", 1);
  options.option()(
      "set", po::value<std::vector<std::string>>()->composing(),
      "replace a value of the configuration: path.to.key=value; an empty value removes the entry; may "
      "be repeated");
  options.option()("out", po::value<std::string>(),
                   "folder for the results (default: out/NAME of the configuration)");
  options.option()("seed", po::value<std::string>(),
                   "seed of all random streams; the same as --set sim.seed=N");
  options.option()("quiet,q", "no summary, no progress and no warnings");
  if (!options.parse(args, console)) return kExitOk;

  const std::string file = options.required("CONFIG");
  std::vector<std::string> overrides = options.texts("set");
  if (options.has("seed")) {
    std::uint64_t seed = 0;
    if (!parse_unsigned(options.text("seed"), seed)) throw UsageError("--seed needs a whole number");
    overrides.push_back("sim.seed=" + options.text("seed"));
  }
  const bool quiet = options.has("quiet");
  if (quiet) spdlog::default_logger()->set_level(spdlog::level::err);

  const fs::path out =
      options.has("out") ? fs::path(options.text("out")) : fs::path("out") / fs::path(file).stem();
  SystemConfig config = load_system_config(file, overrides);
  try {
    return run(std::move(config), out, quiet, console);
  } catch (const Stopped& stopped) {
    StopSignal::end_by(stopped.signal);
  }
}

}  // namespace svasim
