#include "models/host/step_board.h"

#include <fmt/format.h>

#include <utility>

namespace svasim {

namespace {

double field_of(const StepResult& result, const std::string& field) {
  if (field == "latency") return static_cast<double>(result.ended_at - result.began_at);
  if (field == "completed") return static_cast<double>(result.completed);
  if (field == "failed") return static_cast<double>(result.failed);
  if (field == "bytes") return static_cast<double>(result.bytes);
  if (field == "pages") return static_cast<double>(result.pages);
  if (field == "pasid") return static_cast<double>(result.pasid);
  if (field == "users") return static_cast<double>(result.users);
  return static_cast<double>(result.error);
}

}  // namespace

void StepBoard::watch(const std::string& step, const std::string& path, const std::string& field) {
  watches_[step].push_back({path, field, 0});
}

void StepBoard::begin(const std::string& step, Ps now) {
  StepResult& result = results_[step];
  result.begun = true;
  result.began_at = now;
  if (const auto found = watches_.find(step); found != watches_.end()) {
    for (Watch& watch : found->second) watch.at = statistic_(watch.path, watch.field).value_or(0);
  }
}

void StepBoard::end(const std::string& step, const StepResult& result) {
  results_[step] = result;
  tell(step, Errno::kNone);
}

void StepBoard::tell(const std::string& step, Errno error) {
  const auto found = waiting_.find(step);
  if (found == waiting_.end()) {
    return;
  }
  const std::vector<Ended> tasks = std::move(found->second);
  waiting_.erase(found);
  for (const Ended& task : tasks) task(error);
}

void StepBoard::when_ended(const std::string& step, Ended task) {
  if (results_[step].ended) {
    task(Errno::kNone);
  } else if (ended_processes_.count(step.substr(0, step.find('.'))) != 0) {
    task(Errno::kNoEntry);
  } else {
    waiting_[step].push_back(std::move(task));
  }
}

void StepBoard::process_ended(const std::string& process) {
  ended_processes_.insert(process);
  std::vector<std::string> never;
  for (const auto& [step, tasks] : waiting_) {
    if (step.substr(0, step.find('.')) == process) never.push_back(step);
  }
  for (const std::string& step : never) tell(step, Errno::kNoEntry);
}

std::optional<double> StepBoard::figure(const std::string& process, const StepParams& step) const {
  if (!step.step.empty()) {
    const auto found = results_.find(full_step_name(process, step.step));
    if (found == results_.end() || !found->second.ended) return std::nullopt;
    return field_of(found->second, step.field);
  }
  const std::optional<double> value = statistic_(step.statistic, step.field);
  if (!value.has_value() || step.since.empty()) return value;
  const auto watches = watches_.find(full_step_name(process, step.since));
  const auto begun = results_.find(full_step_name(process, step.since));
  if (watches == watches_.end() || begun == results_.end() || !begun->second.begun) return std::nullopt;
  for (const Watch& watch : watches->second) {
    if (watch.path == step.statistic && watch.field == step.field) return *value - watch.at;
  }
  return std::nullopt;
}

// The line is what a reader looks for.
std::string StepBoard::check_name(const std::string& process, const StepParams& step) {
  return step.action + "." + (step.where.empty() ? process : step.where);
}

void StepBoard::expect(const std::string& process, const StepParams& step) {
  HostCheck check;
  check.name = check_name(process, step);
  const std::string subject = step.step.empty() ? step.statistic : full_step_name(process, step.step);
  check.expected = fmt::format("{} {}{}: {}", subject, step.field,
                               step.since.empty() ? "" : " since " + full_step_name(process, step.since),
                               bounds_text(step));
  const std::optional<double> value = figure(process, step);
  const Bounds bounds = bounds_of(step);
  check.ok = value.has_value() && *value >= bounds.low && *value <= bounds.high;
  check.figure = value.value_or(0);
  if (!value.has_value()) check.expected += ", but there is no such number yet";
  checks_.push_back(std::move(check));
}

void StepBoard::ended_with(const std::string& process, const StepParams& step, Errno error) {
  if (step.error == "any" || (step.error == "none" && error == Errno::kNone)) {
    return;
  }
  HostCheck check;
  check.name = check_name(process, step);
  check.ok = step.error == errno_name(error);
  check.figure = static_cast<double>(error);
  check.expected = fmt::format("ends with {}{}", step.error,
                               check.ok ? "" : std::string(", but ended with ") + errno_name(error));
  checks_.push_back(std::move(check));
}

void StepBoard::not_done(const std::string& process, const StepParams& step) {
  checks_.push_back(
      {check_name(process, step), false, 0, "is carried out, but its process never came to it"});
}

}  // namespace svasim
