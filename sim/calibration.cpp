#include "sim/calibration.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "base/input_error.h"

namespace svasim {
namespace {

const ParamTable<CalibrationSetup>& setup_params() {
  using P = CalibrationSetup;
  static const ParamTable<P> table =
      ParamTable<P>("A system and a workload")
          .text("config", &P::config, "", "Its configuration, relative to this file.", "")
          .texts("set", &P::set, "Replacements as for `run --set`; $STEP stands for the step of a point.", "")
          .check([](const P& p, const Complain& bad) {
            if (p.config.empty()) bad("config", "a setup needs a configuration");
          });
  return table;
}

const ParamTable<CalibrationPoint>& point_params() {
  using P = CalibrationPoint;
  static const ParamTable<P> table =
      ParamTable<P>("A figure that is simulated, or made of others")
          .text("name", &P::name, "", "Others refer to it by this.", "")
          .text("target", &P::target, "", "The target it belongs to; without one it only serves others.", "")
          .text("text", &P::text, "", "What is measured.", "")
          .text("setup", &P::setup, "", "What is simulated.", "")
          .text("step", &P::step, "", "Takes the place of $STEP.", "")
          .texts("set", &P::set, "More replacements.", "")
          .choice(
              "measure", &P::measure, "throughput", {"throughput", "rate", "latency"},
              "Of all operations of the host: throughput in GB/s, rate in million descriptors per second, "
              "mean latency in ns.",
              "")
          .flag("fenced", &P::fenced, "false", "The harness's own time is part of the latency.", "")
          .text("of", &P::of, "", "(of - minus) / over / divide of other points instead of a simulation.", "")
          .text("minus", &P::minus, "", "See of.", "")
          .text("over", &P::over, "", "See of.", "")
          .number("divide", &P::divide, "1", 1e-9, 1e9, "See of.", "")
          .number("plus_harness", &P::plus_harness, "0", -10, 10,
                  "So much of the harness's time is added to `of`, and to `over`.", "")
          .number("published", &P::published, "0", 0, 1e12, "The measurement; 0: only bounds are known.", "")
          .number("low", &P::low, "0", 0, 1e12, "Least that passes.", "")
          .number("high", &P::high, "0", 0, 1e12, "Most that passes.", "")
          .text("unit", &P::unit, "", "Of the figure.", "")
          .text("source", &P::source, "", "Key of the source in docs/references.md.", "")
          .text("curve", &P::curve, "", "The curve it is drawn in; `title|x axis|y axis`.", "")
          .number("x", &P::x, "0", 0, 1e12, "Its place on the x axis.", "")
          .flag("quick", &P::quick, "false", "Part of the reduced set.", "")
          .check([](const P& p, const Complain& bad) {
            if (p.name.empty()) bad("name", "a point needs a name");
            if (p.of.empty() == p.setup.empty()) bad("setup", "a point has either setup or of");
            if (p.low > p.high) bad("high", "is less than low");
            if (!p.target.empty() && p.high == 0) bad("high", "a point of a target needs bounds");
            if (!p.target.empty() && p.source.empty()) bad("source", "a point of a target needs its source");
          });
  return table;
}

double number_of(const nlohmann::json& statistics, const std::string& path, const char* field,
                 const std::string& file) {
  const auto entry = statistics.find(path);
  if (entry == statistics.end() || !entry->contains(field) || !(*entry)[field].is_number()) {
    throw InputError(file, 0, "has no number '" + std::string(field) + "' of " + path);
  }
  return (*entry)[field].get<double>();
}

std::string with_step(std::string text, const std::string& step) {
  static const std::string kMark = "$STEP";
  const std::size_t at = text.find(kMark);
  return at == std::string::npos ? text : text.replace(at, kMark.size(), step);
}

}  // namespace

const ParamTable<CalibrationParams>& calibration_params() {
  using P = CalibrationParams;
  static const ParamTable<P> table =
      ParamTable<P>("Published measurements of a device")
          .text("title", &P::title, "", "For the page.", "")
          .time("harness", &P::harness, "0 ps", "0 ps", "1 s",
                "What measuring itself adds to a fenced latency: two serialised readings of the clock.", "")
          .named_groups("setups", &P::setups, setup_params(), "What is simulated.")
          .groups("points", &P::points, point_params(), "The figures.");
  return table;
}

Calibration::Calibration(const std::string& file, const std::vector<std::string>& only, bool quick)
    : folder_(std::filesystem::path(file).parent_path().string()) {
  Problems problems;
  const Config config = load_config(file, {}, problems);
  problems.throw_if_any();
  params_ = calibration_params().load(config.root, problems);
  problems.throw_if_any();
  std::set<std::string> names;
  const ConfigNode* list = config.root.find("points");
  for (std::size_t i = 0; i < params_.points.size(); ++i) {
    const CalibrationPoint& point = params_.points[i];
    const ConfigNode& node = list->items()[i];
    if (point.simulated() && params_.setups.count(point.setup) == 0) {
      problems.add(node, "there is no setup '" + point.setup + "'");
    }
    // WHY earlier ones only: so nothing can refer to itself.
    for (const std::string& other : {point.of, point.minus, point.over}) {
      if (!other.empty() && names.count(other) == 0) problems.add(node, "no point '" + other + "' before it");
    }
    if (!names.insert(point.name).second) problems.add(node, "another point has this name");
  }
  problems.throw_if_any();
  for (const CalibrationPoint& point : params_.points) {
    const bool wanted = only.empty() || std::find(only.begin(), only.end(), point.target) != only.end();
    if (!point.judged() || !wanted || (quick && !point.quick)) continue;
    need(point);
    needed_[point.name] = true;
  }
}

const CalibrationPoint& Calibration::find(const std::string& name) const {
  return *std::find_if(params_.points.begin(), params_.points.end(),
                       [&name](const CalibrationPoint& point) { return point.name == name; });
}

void Calibration::need(const CalibrationPoint& point) {
  needed_.emplace(point.name, false);
  for (const std::string& other : {point.of, point.minus, point.over}) {
    if (!other.empty()) need(find(other));
  }
}

std::vector<Calibration::Run> Calibration::runs() const {
  std::vector<Run> runs;
  for (const CalibrationPoint& point : params_.points) {
    if (!point.simulated() || needed_.count(point.name) == 0) continue;
    const CalibrationSetup& setup = params_.setups.at(point.setup);
    Run run;
    run.point = &point;
    run.arguments = {"run", (std::filesystem::path(folder_) / setup.config).string(), "--quiet"};
    for (const std::vector<std::string>& sets : {setup.set, point.set}) {
      for (const std::string& set : sets) {
        run.arguments.insert(run.arguments.end(), {"--set", with_step(set, point.step)});
      }
    }
    runs.push_back(std::move(run));
  }
  return runs;
}

void Calibration::take(const CalibrationPoint& point, const std::string& results_file) {
  std::ifstream in(results_file);
  const nlohmann::json results = nlohmann::json::parse(in, nullptr, false);
  if (results.is_discarded()) throw InputError(results_file, 0, "is not the results of a run");
  const auto stat = [&](const char* path, const char* field) {
    return number_of(results.at("statistics"), std::string("host0.operations.") + path, field, results_file);
  };
  if (point.measure == "latency") {
    simulated_[point.name] = stat("latency", "mean") / 1e3;
    if (point.fenced) simulated_[point.name] += static_cast<double>(params_.harness) / 1e3;
  } else if (point.measure == "rate") {
    simulated_[point.name] = stat("descriptors", "value") / stat("time", "value") * 1e6;
  } else {
    simulated_[point.name] = stat("bytes", "value") / stat("time", "value") * 1e3;
  }
}

double Calibration::value(const CalibrationPoint& point) const {
  if (point.simulated()) return simulated_.at(point.name);
  const double harness = point.plus_harness * static_cast<double>(params_.harness) / 1e3;
  const double minus = point.minus.empty() ? 0 : value(find(point.minus));
  const double over = point.over.empty() ? 1 : value(find(point.over)) + harness;
  return (value(find(point.of)) + harness - minus) / over / point.divide;
}

std::vector<Calibration::Outcome> Calibration::outcomes() const {
  std::vector<Outcome> outcomes;
  for (const CalibrationPoint& point : params_.points) {
    const auto needed = needed_.find(point.name);
    if (needed == needed_.end() || !needed->second) continue;
    const double figure = value(point);
    outcomes.push_back({&point, figure, figure >= point.low && figure <= point.high});
  }
  return outcomes;
}

}  // namespace svasim
