#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <ostream>
#include <thread>

#include "base/input_error.h"
#include "base/units.h"
#include "sim/calibration.h"
#include "sim/cli_options.h"
#include "sim/process_pool.h"
#include "sim/results.h"

namespace svasim {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

// "dsa" is configs/calibration/dsa.yaml of the working folder; anything with a dot or slash is a file.
std::string file_of(const std::string& name) {
  if (name.find_first_of("./") != std::string::npos) return name;
  const fs::path file = fs::path("configs") / "calibration" / (name + ".yaml");
  if (!fs::exists(file)) {
    throw UsageError("there is no " + file.string() + " here; give the path of a calibration");
  }
  return file.string();
}

void write(const fs::path& file, const std::string& text) {
  std::ofstream out(file);
  out << text;
  out.close();
  if (!out) throw InputError(file.string(), 0, "cannot be written");
}

void simulate(Calibration& calibration, const fs::path& folder, unsigned jobs) {
  std::vector<std::function<int()>> pieces;
  const std::vector<Calibration::Run> runs = calibration.runs();
  std::vector<fs::path> folders;
  for (const Calibration::Run& run : runs) {
    folders.push_back(folder / run.point->name);
    fs::create_directories(folders.back());
    std::vector<std::string> arguments = run.arguments;
    arguments.insert(arguments.end(), {"--out", folders.back().string()});
    pieces.emplace_back([arguments, log = (folders.back() / "log.txt").string()] {
      std::ofstream out(log);
      return run_cli(arguments, Console{out, out});
    });
  }
  const std::vector<int> codes = run_in_processes(pieces, jobs);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (codes[i] != 0) {
      std::ifstream log(folders[i] / "log.txt");
      std::string first;
      std::getline(log, first);
      throw InputError(
          (folders[i] / "log.txt").string(), 0,
          fmt::format("the simulation of '{}' ended with {}: {}", runs[i].point->name, codes[i], first));
    }
    calibration.take(*runs[i].point, (folders[i] / kResultsFile).string());
  }
}

void print(const std::vector<Calibration::Outcome>& outcomes, std::ostream& out) {
  out << fmt::format("{:<7} {:<46} {:>10} {:>10} {:>8}  {:<19} {}\n", "target", "figure", "published",
                     "simulated", "error", "allowed", "pass");
  for (const Calibration::Outcome& outcome : outcomes) {
    const CalibrationPoint& p = *outcome.point;
    const auto error = outcome.error();
    out << fmt::format("{:<7} {:<46} {:>10} {:>10.4g} {:>8}  {:<19} {}\n", p.target, p.text,
                       p.published == 0 ? "" : fmt::format("{:.4g}", p.published), outcome.value,
                       error ? fmt::format("{:+.1f} %", *error * 100) : "",
                       fmt::format("{:.4g} to {:.4g} {}", p.low, p.high, p.unit), outcome.ok ? "yes" : "NO");
  }
}

}  // namespace

int calibrate_command(const std::vector<std::string>& args, Console& console) {
  CommandOptions options(
      "svasim calibrate NAME|FILE [--only TARGET]... [--quick] [--jobs N] [--out DIR]",
      "Repeats published experiments and compares the figures. NAME stands for\n"
      "configs/calibration/NAME.yaml. DIR gets the runs and calibration.html, a page with\n"
      "the table and the curves. Exit code 1 when a figure is out of its bounds.");
  options.positional("NAME", 1);
  options.option()("only", po::value<std::vector<std::string>>()->composing(), "judge this target only");
  options.option()("quick", "judge only the reduced set");
  options.option()("jobs,j", po::value<std::string>(), "simulations at a time (default: one per processor)");
  options.option()("out", po::value<std::string>(), "folder for the results (default: out/calibration)");
  if (!options.parse(args, console)) return kExitOk;

  std::uint64_t jobs = std::max(1U, std::thread::hardware_concurrency());
  if (options.has("jobs") && (!parse_unsigned(options.text("jobs"), jobs) || jobs == 0 || jobs > 1024)) {
    throw UsageError("--jobs needs a number from 1 to 1024");
  }
  Calibration calibration(file_of(options.required("NAME")), options.texts("only"), options.has("quick"));
  const fs::path folder = options.has("out") ? fs::path(options.text("out")) : fs::path("out/calibration");
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) throw UsageError(folder.string() + " cannot be made: " + failed.message());
  simulate(calibration, folder, static_cast<unsigned>(jobs));

  const std::vector<Calibration::Outcome> outcomes = calibration.outcomes();
  if (outcomes.empty()) throw UsageError("no point of the calibration has such a target");
  print(outcomes, console.out);
  write(folder / "calibration.html", calibration_page(calibration.params(), outcomes));
  const auto missed = std::count_if(outcomes.begin(), outcomes.end(), [](const auto& o) { return !o.ok; });
  console.out << fmt::format("\n{} figures, {} missed; {}\n", outcomes.size(), missed,
                             (folder / "calibration.html").string());
  return missed == 0 ? kExitOk : kExitFailed;
}

}  // namespace svasim
