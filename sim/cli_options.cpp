#include "sim/cli_options.h"

#include <ostream>

namespace svasim {

namespace po = boost::program_options;

CommandOptions::CommandOptions(std::string usage, std::string sentence)
    : usage_(std::move(usage)), sentence_(std::move(sentence)), visible_("Options") {
  visible_.add_options()("help,h", "show this help");
}

void CommandOptions::positional(const char* name, int most) {
  hidden_.add_options()(name, po::value<std::vector<std::string>>());
  positions_.add(name, most);
}

bool CommandOptions::parse(const std::vector<std::string>& args, Console& console) {
  po::options_description all;
  all.add(visible_).add(hidden_);
  try {
    // WHY: no guessing: an abbreviation that works today means something else with the next option.
    const int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
    po::store(po::command_line_parser(args).options(all).positional(positions_).style(style).run(), values_);
    po::notify(values_);
  } catch (const po::error& error) {
    throw UsageError(std::string(error.what()) + "\nusage: " + usage_);
  }
  if (!has("help")) return true;
  console.out << "usage: " << usage_ << "\n\n" << sentence_ << "\n\n" << visible_;
  return false;
}

std::string CommandOptions::required(const std::string& name) const {
  const std::vector<std::string> given = texts(name);
  if (given.empty()) throw UsageError("missing " + name + "\nusage: " + usage_);
  return given.front();
}

std::vector<std::string> CommandOptions::texts(const std::string& name) const {
  return has(name) ? values_[name].as<std::vector<std::string>>() : std::vector<std::string>();
}

std::string take_subcommand(std::vector<std::string>& args) {
  if (args.empty() || args.front() == "--help" || args.front() == "-h") return "";
  const std::string name = args.front();
  args.erase(args.begin());
  return name;
}

}  // namespace svasim
