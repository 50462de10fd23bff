#include "sim/stat_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <systemc>

#include "base/suggest.h"
#include "models/host/workload_params.h"
#include "models/stale_uses/stale_use_stats.h"
#include "tlm/context.h"
#include "tlm/transaction.h"

namespace svasim {
namespace {

// Of the hundreds of paths there are, only the nearest one helps.
std::string nearest_path(const std::string& wrong, const std::vector<std::string>& paths) {
  const std::string words = suggestion(wrong, paths);
  return words.rfind(" (did you mean", 0) == 0 ? words : " (svasim list statistics says what there is)";
}

void add(const ConfigNode& check, const char* param, const std::string& message, Problems& problems) {
  const ConfigNode* given = check.find(param);
  problems.add(given != nullptr ? given->where() : check.where(), check.path_of(param), message);
}

// Those of the configuration's checks and those of its components.
std::vector<StatisticUse> statistics_used(const SystemConfig& config) {
  std::vector<StatisticUse> uses;
  for (std::size_t i = 0; i < config.checks.size(); ++i) {
    uses.push_back({config.checks[i].statistic, config.checks[i].field, config.check_nodes[i], false});
  }
  for (const ConfiguredPart& part : config.parts) {
    for (StatisticUse& use : part.component->statistics_used()) uses.push_back(std::move(use));
  }
  return uses;
}

// WHY: processes of modules that are gone keep their names, so a second check in one program renames its
// own and the kernel warns of it; nothing runs here, so that matters to nobody.
class QuietNames {
 public:
  QuietNames() : before_(sc_core::sc_report_handler::set_handler(throw_errors)) {}
  ~QuietNames() { sc_core::sc_report_handler::set_handler(before_); }
  QuietNames(const QuietNames&) = delete;
  QuietNames& operator=(const QuietNames&) = delete;

 private:
  static void throw_errors(const sc_core::sc_report& report, const sc_core::sc_actions& /*actions*/) {
    if (report.get_severity() >= sc_core::SC_ERROR) throw sc_core::sc_report(report);
  }
  sc_core::sc_report_handler_proc before_;
};

// A bound in another unit than its statistic's can never be what was meant.
void check_figures(const StatisticUse& use, const std::string& unit, Problems& problems) {
  const bool counted = use.field == "count";
  const std::optional<Quantity> wanted = counted           ? std::nullopt
                                         : unit == "ps"    ? std::optional(Quantity::kTime)
                                         : unit == "bytes" ? std::optional(Quantity::kBytes)
                                                           : std::nullopt;
  for (const char* key : {"equals", "at_least", "at_most"}) {
    const ConfigNode* text = use.entry.find(key);
    const auto figure = text == nullptr ? std::nullopt : parse_figure(text->text());
    if (figure.has_value() && !unit_fits(*figure, wanted)) {
      add(use.entry, key,
          fmt::format("'{}' is {}, '{}' is not", use.statistic,
                      wanted == Quantity::kTime    ? "a time, as in \"30 us\""
                      : wanted == Quantity::kBytes ? "a size, as in \"64 KiB\""
                                                   : "a plain number",
                      text->text()),
          problems);
    }
  }
}

}  // namespace

void check_stat_names(const SystemConfig& config, const StatRegistry& stats) {
  const std::vector<std::string> paths = stats.paths();
  const nlohmann::json all = stats.to_json(0);
  Problems problems;
  for (const StatisticUse& use : statistics_used(config)) {
    if (std::find(paths.begin(), paths.end(), use.statistic) == paths.end()) {
      add(use.entry, "statistic",
          "there is no statistic '" + use.statistic + "'" + nearest_path(use.statistic, paths), problems);
      continue;
    }
    const bool histogram = stats.histogram_value(use.statistic).has_value();
    static const std::vector<std::string> fields = {"count", "sum", "min", "max",
                                                    "mean",  "p50", "p95", "p99"};
    const bool known = std::find(fields.begin(), fields.end(), use.field) != fields.end();
    if (histogram && !known) {
      add(use.entry, "field",
          "'" + use.statistic + "' is a histogram: count, sum, min, max, mean, p50, p95 or p99", problems);
    } else if (!histogram && use.field != "value") {
      add(use.entry, "field", "'" + use.statistic + "' is one number and has no " + use.field, problems);
    } else if (use.figures) {
      check_figures(use, all.at(use.statistic).at("unit").get<std::string>(), problems);
    }
  }
  problems.throw_if_any();
}

void check_stat_names(SystemConfig&& given) {
  if (statistics_used(given).empty()) return;
  TransactionPool pool;
  StatRegistry stats;
  SimContext context{1, Timing::kApproximate, pool, stats};
  const SystemConfig config = std::move(given);  // ends before what its components use
  SocketPlan plan;
  std::map<std::string, Component*> components;
  for (const ConfiguredPart& part : config.parts) components[part.name] = part.component.get();
  for (const auto& [name, component] : components) {
    for (const Claim& claim : component->claims()) plan.add(name, claim);
  }
  StaleUseStats watched;
  if (config.sim.stale_use_checks) watched.describe(stats, kStaleUses);
  {
    const QuietNames quiet;
    for (const auto& [name, component] : components) component->list_statistics(name, context, plan);
  }
  check_stat_names(config, stats);
}

void add_stat_checks(const SystemConfig& config, const nlohmann::json& statistics, RunChecks& checks) {
  for (const StatCheckParams& wanted : config.checks) {
    const nlohmann::json& found = statistics.at(wanted.statistic).at(wanted.field);
    const std::string name = "configured." + wanted.statistic + "." + wanted.field;
    const std::string expected = fmt::format("{} to {}", wanted.at_least, wanted.at_most);
    if (!found.is_number()) {
      checks.add(name, false, nullptr, expected + ", but nothing happened that it could be computed from");
      continue;
    }
    const auto figure = found.get<double>();
    checks.add(name, figure >= wanted.at_least && figure <= wanted.at_most, found, expected);
  }
}

}  // namespace svasim
