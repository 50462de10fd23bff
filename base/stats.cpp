#include "base/stats.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/check.h"

namespace svasim {
namespace {

nlohmann::json number_or_null(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(nullptr);
}

nlohmann::json histogram_json(const Histogram& histogram) {
  return {{"count", histogram.count()},       {"sum", histogram.sum()},
          {"min", histogram.min()},           {"max", histogram.max()},
          {"mean", histogram.mean()},         {"p50", histogram.percentile(500)},
          {"p95", histogram.percentile(950)}, {"p99", histogram.percentile(990)}};
}

}  // namespace

const char* to_string(StatUnit unit) {
  switch (unit) {
    case StatUnit::kCount:
      return "count";
    case StatUnit::kPs:
      return "ps";
    case StatUnit::kBytes:
      return "bytes";
    case StatUnit::kBytesPerSecond:
      return "bytes/s";
    case StatUnit::kPerSecond:
      return "1/s";
    case StatUnit::kRatio:
      return "ratio";
    case StatUnit::kCycles:
      return "cycles";
  }
  return "?";
}

const char* to_string(StatKind kind) { return kind == StatKind::kInvariant ? "invariant" : "timing"; }

StatRegistry::Stat& StatRegistry::add(const std::string& path, StatUnit unit, StatKind kind,
                                      const std::string& description) {
  SVASIM_CHECK(!path.empty(), "a statistic needs a path");
  SVASIM_CHECK(!description.empty(), "statistic " + path + " needs a description");
  const auto [place, fresh] = stats_.try_emplace(path);
  SVASIM_CHECK(fresh, "statistic " + path + " is registered twice");
  Stat& stat = place->second;
  stat.unit = unit;
  stat.kind = kind;
  stat.description = description;
  return stat;
}

void StatRegistry::counter(const std::string& path, const Counter* counter, StatUnit unit, StatKind kind,
                           const std::string& description) {
  add(path, unit, kind, description).numerators = {counter};
}

void StatRegistry::histogram(const std::string& path, const Histogram* histogram, StatUnit unit,
                             StatKind kind, const std::string& description) {
  Stat& stat = add(path, unit, kind, description);
  stat.type = Stat::Type::kHistogram;
  stat.histogram = histogram;
}

void StatRegistry::ratio(const std::string& path, std::vector<const Counter*> numerators,
                         std::vector<const Counter*> denominators, StatKind kind,
                         const std::string& description) {
  Stat& stat = add(path, StatUnit::kRatio, kind, description);
  stat.type = Stat::Type::kRatio;
  stat.numerators = std::move(numerators);
  stat.denominators = std::move(denominators);
}

void StatRegistry::rate(const std::string& path, const Counter* counter, StatUnit unit,
                        const std::string& description) {
  Stat& stat = add(path, unit, StatKind::kTiming, description);
  stat.type = Stat::Type::kRate;
  stat.numerators = {counter};
}

void StatRegistry::formula(const std::string& path, std::function<double()> formula, StatUnit unit,
                           StatKind kind, const std::string& description) {
  Stat& stat = add(path, unit, kind, description);
  stat.type = Stat::Type::kFormula;
  stat.formula = std::move(formula);
}

void StatRegistry::snapshot(Ps now) {
  warmup_end_ = now;
  for (const auto& [path, stat] : stats_) {
    for (const Counter* counter : stat.numerators) warmup_counters_[counter] = counter->value;
    for (const Counter* counter : stat.denominators) warmup_counters_[counter] = counter->value;
    if (stat.histogram != nullptr) warmup_histograms_.insert_or_assign(stat.histogram, *stat.histogram);
  }
}

std::uint64_t StatRegistry::since_warmup(const std::vector<const Counter*>& counters) const {
  std::uint64_t sum = 0;
  for (const Counter* counter : counters) {
    const auto before = warmup_counters_.find(counter);
    sum += counter->value - (before == warmup_counters_.end() ? 0 : before->second);
  }
  return sum;
}

Histogram StatRegistry::since_warmup(const Histogram& histogram) const {
  const auto before = warmup_histograms_.find(&histogram);
  return before == warmup_histograms_.end() ? histogram : histogram.since(before->second);
}

double StatRegistry::evaluate(const Stat& stat, Ps now) const {
  if (stat.type == Stat::Type::kFormula) return stat.formula();
  const auto numerator = static_cast<double>(since_warmup(stat.numerators));
  if (stat.type == Stat::Type::kRate) return numerator / (static_cast<double>(now - warmup_end_) * 1e-12);
  return numerator / static_cast<double>(since_warmup(stat.denominators));
}

nlohmann::json StatRegistry::to_json(Ps now) const {
  nlohmann::json result = nlohmann::json::object();
  for (const auto& [path, stat] : stats_) {
    nlohmann::json entry;
    switch (stat.type) {
      case Stat::Type::kCounter:
        entry["value"] = since_warmup(stat.numerators);
        break;
      case Stat::Type::kHistogram:
        entry = histogram_json(since_warmup(*stat.histogram));
        break;
      default:
        entry["value"] = number_or_null(evaluate(stat, now));
        break;
    }
    entry["unit"] = to_string(stat.unit);
    entry["kind"] = to_string(stat.kind);
    entry["description"] = stat.description;
    result[path] = std::move(entry);
  }
  return result;
}

std::string StatRegistry::to_csv(Ps now) const {
  std::string text = "name,field,value,unit,kind\n";
  const nlohmann::json all = to_json(now);
  for (const auto& [path, stat] : all.items()) {
    const std::string unit = stat["unit"];
    for (const char* field : {"value", "count", "sum", "min", "max", "mean", "p50", "p95", "p99"}) {
      if (!stat.contains(field)) continue;
      const nlohmann::json& value = stat[field];
      text += path + "," + field + "," + (value.is_null() ? "" : value.dump()) + "," +
              (field == std::string("count") ? "count" : unit) + "," + stat["kind"].get<std::string>() + "\n";
    }
  }
  return text;
}

std::string StatRegistry::markdown() const {
  std::string text = "| statistic | unit | kind | what it counts |\n|---|---|---|---|\n";
  for (const auto& [path, stat] : stats_) {
    text += "| `" + path + "` | " + to_string(stat.unit) +
            (stat.type == Stat::Type::kHistogram ? " (histogram)" : "") + " | " + to_string(stat.kind) +
            " | " + stat.description + " |\n";
  }
  return text;
}

std::optional<std::uint64_t> StatRegistry::counter_value(const std::string& path) const {
  const auto found = stats_.find(path);
  if (found == stats_.end() || found->second.type != Stat::Type::kCounter) return std::nullopt;
  return since_warmup(found->second.numerators);
}

std::optional<Histogram> StatRegistry::histogram_value(const std::string& path) const {
  const auto found = stats_.find(path);
  if (found == stats_.end() || found->second.histogram == nullptr) return std::nullopt;
  return since_warmup(*found->second.histogram);
}

std::optional<double> StatRegistry::formula_value(const std::string& path, Ps now) const {
  const auto found = stats_.find(path);
  if (found == stats_.end() || found->second.type == Stat::Type::kCounter ||
      found->second.type == Stat::Type::kHistogram) {
    return std::nullopt;
  }
  return evaluate(found->second, now);
}

std::vector<std::string> StatRegistry::paths() const {
  std::vector<std::string> result;
  for (const auto& entry : stats_) result.push_back(entry.first);
  return result;
}

}  // namespace svasim
