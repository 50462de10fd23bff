// What has become of the named steps of all processes, and what the workload expected of the run.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "models/host/errno.h"
#include "models/host/machine.h"
#include "models/host/workload_params.h"

namespace svasim {

// One thing a run proves about itself.
struct HostCheck {
  std::string name;
  bool ok = false;
  double figure = 0;
  std::string expected;
};

struct StepResult {
  bool begun = false;
  bool ended = false;
  Ps began_at = 0;
  Ps ended_at = 0;
  Errno error = Errno::kNone;
  std::uint64_t completed = 0;  // operations that ended with success
  std::uint64_t failed = 0;     // or otherwise
  std::uint64_t bytes = 0;
  std::uint64_t pages = 0;  // brought in, removed, ... by the step
  std::uint64_t pasid = 0;
  std::uint64_t users = 0;  // of the bond, after the step
};

class StepBoard {
 public:
  using Task = Machine::Task;
  // A number of a statistic now; nullopt when it has none yet.
  using Statistic = std::function<std::optional<double>(const std::string& path, const std::string& field)>;

  explicit StepBoard(Statistic statistic) : statistic_(std::move(statistic)) {}

  // Statistics that some step wants from the beginning of `step` on.
  void watch(const std::string& step, const std::string& path, const std::string& field);

  // Names are full: "process.step".
  void begin(const std::string& step, Ps now);
  void end(const std::string& step, const StepResult& result);
  // Runs the task when the step has ended, at once if it has; with kNoEntry when it never will.
  using Ended = std::function<void(Errno)>;
  void when_ended(const std::string& step, Ended task);
  // Of this process no further step ends.
  void process_ended(const std::string& process);

  // Carries out an expect step of `process`.
  void expect(const std::string& process, const StepParams& step);
  // Notes what a step ended with; something is wrong unless it is the error that it had to end with.
  void ended_with(const std::string& process, const StepParams& step, Errno error);
  // A process of which a step was never carried out.
  void not_done(const std::string& process, const StepParams& step);

  const std::vector<HostCheck>& checks() const { return checks_; }
  // Whether an expectation is about this statistic.
  bool expects(const std::string& path) const { return expected_.count(path) != 0; }
  void note_expected(const std::string& path) { expected_[path] = true; }

 private:
  struct Watch {
    std::string path;
    std::string field;
    double at = 0;
  };
  void tell(const std::string& step, Errno error);
  std::optional<double> figure(const std::string& process, const StepParams& step) const;
  static std::string check_name(const std::string& process, const StepParams& step);

  Statistic statistic_;
  std::map<std::string, StepResult> results_;
  std::map<std::string, std::vector<Watch>> watches_;
  std::map<std::string, std::vector<Ended>> waiting_;
  std::set<std::string> ended_processes_;
  std::map<std::string, bool> expected_;
  std::vector<HostCheck> checks_;
};

}  // namespace svasim
