// The svasim command line.
#pragma once

#include <iosfwd>
#include <stdexcept>
#include <string>
#include <vector>

namespace svasim {

// Exit codes.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;    // the simulation found an error: failed check, hang
inline constexpr int kExitUsage = 2;     // bad usage, configuration or input file
inline constexpr int kExitInternal = 3;  // a defect of svasim

// Wrong usage of the command line.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Where a command writes. `progress`: err is a terminal and may show a progress bar.
struct Console {
  std::ostream& out;
  std::ostream& err;
  bool progress = false;
};

// Runs `svasim ARGS...` and returns its exit code; throws nothing.
int run_cli(const std::vector<std::string>& args, Console console);

// The commands; `args` without the command's name. Throw UsageError, ConfigError, InputError, ...
int run_command(const std::vector<std::string>& args, Console& console);
int calibrate_command(const std::vector<std::string>& args, Console& console);
int script_command(const std::vector<std::string>& args, Console& console);
int config_command(const std::vector<std::string>& args, Console& console);
int list_command(const std::vector<std::string>& args, Console& console);
int trace_command(const std::vector<std::string>& args, Console& console);

}  // namespace svasim
