#include "sim/cli.h"

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <exception>
#include <memory>
#include <ostream>
#include <systemc>

#include "base/check.h"
#include "base/config.h"
#include "base/input_error.h"
#include "base/suggest.h"
#include "sim/cli_options.h"
#include "sim/version.h"

namespace svasim {
namespace {

const char* const kHelp =
    "usage: svasim COMMAND [ARGS...]\n"
    "\n"
    "Simulates Shared Virtual Addressing hardware: devices with ATCs, PCIe, IOMMUs, page-table walkers,\n"
    "page requests and the operating system that answers them.\n"
    "\n"
    "Commands\n"
    "  run CONFIG               one simulation\n"
    "  calibrate NAME           published experiments, repeated and compared\n"
    "  script FILE...           scripts that test registers, faults and invalidations\n"
    "  config check CONFIG      find what is wrong with a configuration\n"
    "  config show CONFIG       print it with everything filled in\n"
    "  config schema            JSON schema of configurations, for editors\n"
    "  list [WHAT]              components, parameters, statistics, policies, formats or steps there are\n"
    "  trace info PATH          what a captured trace contains\n"
    "\n"
    "  svasim COMMAND --help    more about a command\n"
    "  svasim --version\n"
    "\n"
    "Exit codes: 0 ok, 1 the simulation found an error, 2 bad usage, configuration or input, 3 internal.\n";

int dispatch(std::vector<std::string> args, Console& console) {
  if (!args.empty() && args.front() == "--version") {
    console.out << "svasim " << kVersion << "\n";
    return kExitOk;
  }
  const bool asked = !args.empty();
  const std::string command = take_subcommand(args);
  if (command.empty()) {
    (asked ? console.out : console.err) << kHelp;
    return asked ? kExitOk : kExitUsage;
  }
  if (command == "run") return run_command(args, console);
  if (command == "calibrate") return calibrate_command(args, console);
  if (command == "script") return script_command(args, console);
  if (command == "config") return config_command(args, console);
  if (command == "list") return list_command(args, console);
  if (command == "trace") return trace_command(args, console);
  throw UsageError("unknown command '" + command + "'" +
                   suggestion(command, {"run", "calibrate", "script", "config", "list", "trace"}));
}

// While it lives, the program's log goes to this stream, without times: the same run prints the same.
class LogTo {
 public:
  explicit LogTo(std::ostream& stream) : before_(spdlog::default_logger()) {
    const auto sink = std::make_shared<spdlog::sinks::ostream_sink_st>(stream);
    const auto logger = std::make_shared<spdlog::logger>("", sink);
    logger->set_pattern("%l: %v");
    spdlog::set_default_logger(logger);
  }
  ~LogTo() { spdlog::set_default_logger(before_); }
  LogTo(const LogTo&) = delete;
  LogTo& operator=(const LogTo&) = delete;

 private:
  std::shared_ptr<spdlog::logger> before_;
};

}  // namespace

int run_cli(const std::vector<std::string>& args, Console console) {
  const LogTo log(console.err);
  const auto fail = [&](int code, const std::string& what) {
    console.err << "svasim: " << what << std::endl;
    return code;
  };
  try {
    return dispatch(args, console);
  } catch (const UsageError& error) {
    return fail(kExitUsage, error.what());
  } catch (const ConfigError& error) {
    console.err << error.what() << std::endl;
    return kExitUsage;
  } catch (const InputError& error) {
    return fail(kExitUsage, error.what());
  } catch (const sc_core::sc_report& report) {
    return fail(kExitInternal, std::string("internal error: ") + report.what());
  } catch (const std::exception& error) {
    return fail(kExitInternal, std::string("internal error: ") + error.what());
  }
}

}  // namespace svasim
