#include <fmt/format.h>

#include <fstream>
#include <memory>
#include <ostream>

#include "sim/cli_options.h"
#include "sim/script/parser.h"
#include "sim/script/runner.h"
#include "sim/script/script_system.h"

namespace svasim {

int script_command(const std::vector<std::string>& args, Console& console) {
  CommandOptions options(
      "svasim script FILE... [--quiet]",
      "Runs register scripts, each on a system of its own: an IOMMU with memory, walker, page\n"
      "request queue and a device that does what the script says. docs/scripts.md is the manual.");
  options.positional("FILE", -1);
  options.option()("quiet,q", "print only what fails, and the summary");
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

  // WHY all systems first: SystemC constructs no module once time has begun.
  std::vector<std::unique_ptr<ScriptSystem>> systems;
  for (std::size_t i = 0; i < scripts.size(); ++i) {
    systems.push_back(std::make_unique<ScriptSystem>(fmt::format("s{}_", i), scripts[i].params));
  }
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  std::uint64_t checks = 0;
  std::uint64_t failed = 0;
  for (std::size_t i = 0; i < scripts.size(); ++i) {
    const ScriptResult result = ScriptRunner(scripts[i], *systems[i], console.out).run();
    checks += result.checks;
    failed += result.failed ? 1 : 0;
    if (!options.has("quiet") || result.failed) {
      console.out << fmt::format("{} {} ({} checks)\n", result.failed ? "FAIL" : "ok  ", scripts[i].file,
                                 result.checks);
    }
  }
  console.out << fmt::format("{} scripts, {} checks, {} failed\n", scripts.size(), checks, failed);
  return failed == 0 ? kExitOk : kExitFailed;
}

}  // namespace svasim
