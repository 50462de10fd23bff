#include <ostream>

#include "base/suggest.h"
#include "base/trace_info.h"
#include "sim/cli_options.h"

namespace svasim {
namespace {

const char* const kHelp =
    "usage: svasim trace info PATH\n"
    "\n"
    "info    what a captured trace contains: devices, records, pages, faults, snapshots\n";

int info(const std::vector<std::string>& args, Console& console) {
  CommandOptions options("svasim trace info PATH",
                         "Reads a whole capture, a folder or an archive of one, and says what it contains.");
  options.positional("PATH", 1);
  if (!options.parse(args, console)) return kExitOk;
  print(console.out, trace_info(options.required("PATH")));
  return kExitOk;
}

}  // namespace

int trace_command(const std::vector<std::string>& given, Console& console) {
  std::vector<std::string> args = given;
  const std::string what = take_subcommand(args);
  if (what == "info") return info(args, console);
  if (!what.empty()) throw UsageError("unknown command 'trace " + what + "'" + suggestion(what, {"info"}));
  (given.empty() ? console.err : console.out) << kHelp;
  return given.empty() ? kExitUsage : kExitOk;
}

}  // namespace svasim
