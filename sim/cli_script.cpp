#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <fstream>
#include <memory>
#include <ostream>

#include "sim/cli_options.h"
#include "sim/script/parser.h"
#include "sim/script/runner.h"
#include "sim/script/script_system.h"

namespace svasim {

namespace {

void print_faults(const std::string& file, const FaultEvidence& evidence, std::ostream& out) {
  for (const FaultCase& met : evidence.cases()) {
    out << fmt::format("{}:{}: fault {:#04x} {} {} {}\n", file, met.line, met.code,
                       request_kind_name(met.kind), met.answer, met.logged ? "logged" : "not-logged");
  }
}

}  // namespace

int script_command(const std::vector<std::string>& args, Console& console) {
  CommandOptions options(
      "svasim script FILE... [--quiet] [--faults]",
      "Runs register scripts, each on a system of its own: an IOMMU with memory, walker, page\n"
      "request queue and a device that does what the script says. docs/scripts.md is the manual.");
  options.positional("FILE", -1);
  options.option()("quiet,q", "print only what fails, and the summary");
  options.option()("faults", "print also which fault and answer each request met, as proved by the checks");
  if (!options.parse(args, console)) return kExitOk;
  options.required("FILE");

  std::vector<RegisterScript> scripts;
  std::vector<std::string> problems;
  for (const std::string& file : options.texts("FILE")) {
    std::ifstream in(file);
    std::string line;
    if (!in || in.peek() == std::ifstream::traits_type::eof()) {
      problems.push_back(file + ": cannot be read, or is empty: give the path of a script");
      continue;
    }
    scripts.push_back(parse_script(in, file, problems));
  }
  if (!problems.empty()) {
    for (const std::string& problem : problems) console.err << problem << "\n";
    return kExitUsage;
  }

  // WHY: what scripts do wrong they do on purpose.
  if (options.has("quiet")) spdlog::default_logger()->set_level(spdlog::level::err);
  // WHY all systems first: SystemC constructs no module once time has begun.
  std::vector<std::unique_ptr<ScriptSystem>> systems;
  for (std::size_t i = 0; i < scripts.size(); ++i) {
    systems.push_back(std::make_unique<ScriptSystem>(fmt::format("s{}_", i), scripts[i].params));
  }
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  std::uint64_t checks = 0;
  std::uint64_t failed = 0;
  for (std::size_t i = 0; i < scripts.size(); ++i) {
    ScriptRunner runner(scripts[i], *systems[i], console.out);
    const ScriptResult result = runner.run();
    checks += result.checks;
    failed += result.failed ? 1 : 0;
    if (!options.has("quiet") || result.failed) {
      console.out << fmt::format("{} {} ({} checks)\n", result.failed ? "FAIL" : "ok  ", scripts[i].file,
                                 result.checks);
    }
    if (options.has("faults")) print_faults(scripts[i].file, runner.evidence(), console.out);
  }
  console.out << fmt::format("{} scripts, {} checks, {} failed\n", scripts.size(), checks, failed);
  return failed == 0 ? kExitOk : kExitFailed;
}

}  // namespace svasim
