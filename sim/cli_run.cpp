#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <filesystem>
#include <ostream>

#include "base/units.h"
#include "sim/cli_options.h"
#include "sim/results.h"
#include "sim/summary.h"
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

// The folder of the results, made before the run so that a long run does not end in vain. What it
// made goes away again if nothing was put into it.
class OutputFolder {
 public:
  explicit OutputFolder(fs::path path) : path_(std::move(path)) {
    for (fs::path made = path_; !made.empty() && !fs::exists(made); made = made.parent_path())
      made_.push_back(made);
    std::error_code error;
    fs::create_directories(path_, error);
    if (error) throw UsageError("cannot create '" + path_.string() + "': " + error.message());
  }
  ~OutputFolder() {
    std::error_code not_empty;
    for (const fs::path& made : made_) fs::remove(made, not_empty);
  }
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  std::string name() const { return path_.string(); }
  std::string file(const char* name) const { return (path_ / name).string(); }

 private:
  fs::path path_;
  std::vector<fs::path> made_;  // innermost first
};

}  // namespace

int run_command(const std::vector<std::string>& args, Console& console) {
  CommandOptions options("svasim run CONFIG [--set PATH=VALUE]... [--out DIR] [--seed N] [--quiet]",
                         "Runs one simulation and writes results.json, stats.csv and host.json into DIR.");
  options.positional("CONFIG", 1);
  options.option()("set", po::value<std::vector<std::string>>()->composing(),
                   "replace a value of the configuration: path.to.key=value; may be repeated");
  options.option()("out", po::value<std::string>(),
                   "folder for the results (default: out/NAME of the configuration)");
  options.option()("seed", po::value<std::string>(),
                   "seed of all random streams; the same as --set sim.seed=N");
  options.option()("quiet,q", "no summary and no progress");
  if (!options.parse(args, console)) return kExitOk;

  const std::string file = options.required("CONFIG");
  std::vector<std::string> overrides = options.texts("set");
  if (options.has("seed")) {
    std::uint64_t seed = 0;
    if (!parse_unsigned(options.text("seed"), seed)) throw UsageError("--seed needs a whole number");
    overrides.push_back("sim.seed=" + options.text("seed"));
  }
  const bool quiet = options.has("quiet");

  SystemConfig config = load_system_config(file, overrides);
  const std::vector<InputHash> inputs = hash_inputs(config);
  for (const ConfiguredPart& part : config.parts) part.component->read_inputs();
  OutputFolder folder(options.has("out") ? fs::path(options.text("out"))
                                         : fs::path("out") / fs::path(file).stem());

  const auto start = std::chrono::steady_clock::now();
  Simulation simulation(std::move(config), folder.name());
  ProgressBar bar(console.err);
  simulation.run(console.progress && !quiet ? &bar : nullptr);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;

  const nlohmann::json results = make_results(simulation, inputs);
  write_file(folder.file("stats.csv"), simulation.stats().to_csv(simulation.end().time));
  write_file(folder.file("host.json"), host_figures(taken.count(), simulation.end().time).dump(2) + "\n");
  write_file(folder.file("results.json"), results.dump(2) + "\n");
  if (!quiet) {
    print_summary(console.out, results);
    console.out << fmt::format("\n{:.2f} s on this machine; results in {}\n", taken.count(), folder.name());
  }
  if (simulation.checks().ok()) return kExitOk;
  console.err << "svasim: " << simulation.end().sentence() << "; failed checks:";
  for (const RunCheck& check : simulation.checks().all()) {
    if (!check.ok) console.err << " " << check.name;
  }
  console.err << "\n";
  for (const std::string& line : simulation.end().in_flight) console.err << "in flight: " << line << "\n";
  return kExitFailed;
}

}  // namespace svasim
