// Published measurements and what a model makes of the same experiments.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/params.h"

namespace svasim {

// A system and a workload that experiments vary.
struct CalibrationSetup {
  std::string config;
  std::vector<std::string> set;
};

// One figure: simulated, or made of other figures.
struct CalibrationPoint {
  std::string name;
  std::string target;
  std::string text;
  std::string setup;
  std::string step;
  std::vector<std::string> set;
  std::string measure;
  bool fenced;
  std::string of;
  std::string minus;
  std::string over;
  double divide;
  double plus_harness;
  double published;
  double low;
  double high;
  std::string unit;
  std::string source;
  std::string curve;
  double x;
  bool quick;

  bool simulated() const { return of.empty(); }
  bool judged() const { return !target.empty(); }
};

struct CalibrationParams {
  std::string title;
  Ps harness;
  std::map<std::string, CalibrationSetup> setups;
  std::vector<CalibrationPoint> points;
};

const ParamTable<CalibrationParams>& calibration_params();

class Calibration {
 public:
  // Reads the file. `only`: targets to judge, none for all; `quick`: of these the points marked so. What
  // those need is simulated too. Throws ConfigError.
  Calibration(const std::string& file, const std::vector<std::string>& only, bool quick);

  const CalibrationParams& params() const { return params_; }

  // One `svasim run` for a point.
  struct Run {
    const CalibrationPoint* point = nullptr;
    std::vector<std::string> arguments;  // without --out
  };
  std::vector<Run> runs() const;
  // Takes the results.json of a run.
  void take(const CalibrationPoint& point, const std::string& results_file);

  struct Outcome {
    const CalibrationPoint* point = nullptr;
    double value = 0;
    bool ok = true;  // within its bounds
    // From what was published, as a share of it; nothing when nothing was.
    std::optional<double> error() const {
      if (point->published == 0) return std::nullopt;
      return value / point->published - 1;
    }
  };
  // In the order of the file. All runs have been taken.
  std::vector<Outcome> outcomes() const;

 private:
  const CalibrationPoint& find(const std::string& name) const;
  void need(const CalibrationPoint& point);
  double value(const CalibrationPoint& point) const;

  CalibrationParams params_;
  std::string folder_;
  std::map<std::string, bool> needed_;       // by name: whether it is judged
  std::map<std::string, double> simulated_;  // by name
};

// A page of its own with the table and the curves.
std::string calibration_page(const CalibrationParams& params,
                             const std::vector<Calibration::Outcome>& outcomes);

}  // namespace svasim
