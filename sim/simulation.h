// One simulation: a checked configuration constructed, run and judged.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/stats.h"
#include "models/stale_uses/stale_use_detector.h"
#include "sim/binder.h"
#include "sim/checks.h"
#include "sim/progress_bar.h"
#include "sim/system_config.h"
#include "tlm/transaction.h"

namespace svasim {

// Why a run ended.
struct RunEnd {
  enum class Reason { kComplete, kMaxTime, kStarved, kHang, kNotDrained };
  Reason reason = Reason::kComplete;
  Ps time = 0;                         // of the last completion of the workload
  std::vector<std::string> in_flight;  // what was left, one line each

  bool ok() const { return reason == Reason::kComplete || reason == Reason::kMaxTime; }
  const char* name() const;      // "complete"
  std::string sentence() const;  // for people
};

// At most one in a process: SystemC elaborates once.
class Simulation {
 public:
  // Constructs and binds all components. output: folder for files they write themselves, as waves.
  explicit Simulation(SystemConfig config, const std::string& output = {});
  ~Simulation();
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  // Runs to the end; `bar` may be null. `look_up` is called now and then and may throw to stop the run.
  // What a model threw comes out as it was thrown.
  void run(ProgressBar* bar, const std::function<void()>& look_up = nullptr);

  const SystemConfig& config() const { return config_; }
  const StatRegistry& stats() const { return stats_; }
  const RunEnd& end() const { return end_; }
  const RunChecks& checks() const { return checks_; }
  // What components found, in words.
  const std::vector<std::string>& notes() const { return notes_; }
  // nullptr: not watched.
  const StaleUseDetector* stale_uses() const { return stale_uses_.get(); }
  // Messages of SystemC warnings, each of which fails the run.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  void watch_pages();
  Progress progress() const;
  // Whether a component states itself what is to come of a statistic.
  bool expects(const std::string& statistic) const;
  bool finished() const;
  bool quiet() const;
  std::uint64_t in_flight() const;
  std::vector<std::string> describe_in_flight() const;
  void start_kernel(Ps duration);
  RunEnd::Reason run_to_end(ProgressBar* bar, const std::function<void()>& look_up);
  void judge();

  SystemConfig config_;
  TransactionPool pool_;
  StatRegistry stats_;
  SimContext context_;
  std::unique_ptr<StaleUseDetector> stale_uses_;
  std::map<std::string, Component*> components_;  // by name
  SocketPlan plan_;
  std::unique_ptr<Binder> binder_;
  RunEnd end_;
  RunChecks checks_;
  std::vector<std::string> warnings_;
  std::vector<std::string> notes_;
  std::exception_ptr thrown_;
  bool warm_ = false;  // the warm-up is over
};

}  // namespace svasim
