#include <ostream>

#include "base/suggest.h"
#include "sim/accel_page.h"
#include "sim/cli_options.h"
#include "sim/stat_checks.h"
#include "sim/system_config.h"

namespace svasim {
namespace {

namespace po = boost::program_options;

const char* const kHelp =
    "usage: svasim config check CONFIG [--set PATH=VALUE]...\n"
    "       svasim config show CONFIG [--set PATH=VALUE]... [--format yaml|json]\n"
    "       svasim config schema\n"
    "       svasim config accel FILE\n"
    "\n"
    "check   says everything that is wrong with a configuration, each with file, line and column\n"
    "show    prints the configuration with extensions and overrides applied and all defaults filled in\n"
    "schema  prints the JSON schema of configurations, for editors\n"
    "accel   explains a file of accel-config save-config: groups, engines, work queues\n";

void add_config_options(CommandOptions& options) {
  options.positional("CONFIG", 1);
  options.option()(
      "set", po::value<std::vector<std::string>>()->composing(),
      "replace a value of the configuration: path.to.key=value; an empty value removes the entry; may "
      "be repeated");
}

int check(const std::vector<std::string>& args, Console& console) {
  CommandOptions options(
      "svasim config check CONFIG [--set PATH=VALUE]...",
      "Says everything that is wrong with a configuration; exit code 2 if there is anything.");
  add_config_options(options);
  if (!options.parse(args, console)) return kExitOk;
  const std::string file = options.required("CONFIG");
  SystemConfig config = load_system_config(file, options.texts("set"));
  const std::size_t components = config.parts.size();
  check_stat_names(std::move(config));
  console.out << file << ": ok, " << components << " components\n";
  return kExitOk;
}

int show(const std::vector<std::string>& args, Console& console) {
  CommandOptions options("svasim config show CONFIG [--set PATH=VALUE]... [--format yaml|json]",
                         "Prints a configuration with everything filled in; the output can be run.");
  add_config_options(options);
  options.option()("format", po::value<std::string>()->default_value("yaml"), "yaml or json");
  if (!options.parse(args, console)) return kExitOk;
  const std::string format = options.text("format");
  if (format != "yaml" && format != "json")
    throw UsageError("--format is yaml or json, not '" + format + "'");
  const SystemConfig config = load_system_config(options.required("CONFIG"), options.texts("set"));
  console.out << (format == "json" ? config.runnable.dump(2) + "\n" : json_to_yaml(config.runnable));
  return kExitOk;
}

int schema(const std::vector<std::string>& args, Console& console) {
  CommandOptions options("svasim config schema", "Prints the JSON schema (draft 2020-12) of configurations.");
  options.positional("CONFIG", 1);
  if (!options.parse(args, console)) return kExitOk;
  console.out << system_schema().dump(2) << "\n";
  return kExitOk;
}

int accel(const std::vector<std::string>& args, Console& console) {
  CommandOptions options(
      "svasim config accel FILE [--force]",
      "Explains what accel-config save-config wrote; exit code 2 if load-config, the driver "
      "or the device would refuse it.");
  options.positional("FILE", 1);
  options.option()("force", "explain what a device would refuse, too");
  if (!options.parse(args, console)) return kExitOk;
  Problems problems;
  const AccelConfig config = load_accel_config(options.required("FILE"), problems);
  problems.throw_if_any();
  for (const AccelDevice& device : config.devices) {
    check_accel_numbers(device, usual_limits(device), problems);
    if (!options.has("force")) check_accel_device(device, usual_limits(device), problems);
  }
  problems.throw_if_any();
  console.out << accel_page(config);
  return kExitOk;
}

}  // namespace

int config_command(const std::vector<std::string>& given, Console& console) {
  std::vector<std::string> args = given;
  const std::string what = take_subcommand(args);
  if (what == "check") return check(args, console);
  if (what == "show") return show(args, console);
  if (what == "schema") return schema(args, console);
  if (what == "accel") return accel(args, console);
  if (!what.empty()) {
    throw UsageError("unknown command 'config " + what + "'" +
                     suggestion(what, {"check", "show", "schema", "accel"}));
  }
  (given.empty() ? console.err : console.out) << kHelp;
  return given.empty() ? kExitUsage : kExitOk;
}

}  // namespace svasim
