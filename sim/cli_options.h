// Options of one command, its help, and their errors.
#pragma once

#include <boost/program_options.hpp>
#include <optional>
#include <string>
#include <vector>

#include "sim/cli.h"

namespace svasim {

// The arguments of one command. Positional arguments are declared as options named in `positions`.
class CommandOptions {
 public:
  // usage: "svasim run CONFIG [options]"; sentence: what the command does.
  CommandOptions(std::string usage, std::string sentence);

  boost::program_options::options_description_easy_init option() { return visible_.add_options(); }
  // A positional argument; `most` of them, -1 for any number.
  void positional(const char* name, int most);

  // False when --help was asked for and printed. Throws UsageError.
  bool parse(const std::vector<std::string>& args, Console& console);

  bool has(const std::string& name) const { return values_.count(name) != 0; }
  std::string text(const std::string& name) const { return values_[name].as<std::string>(); }
  // Throws UsageError when a needed positional argument is missing.
  std::string required(const std::string& name) const;
  std::vector<std::string> texts(const std::string& name) const;

 private:
  std::string usage_;
  std::string sentence_;
  boost::program_options::options_description visible_;
  boost::program_options::options_description hidden_;
  boost::program_options::positional_options_description positions_;
  boost::program_options::variables_map values_;
};

// Takes the first argument off as a subcommand: "" when there is none, or only --help.
std::string take_subcommand(std::vector<std::string>& args);

}  // namespace svasim
