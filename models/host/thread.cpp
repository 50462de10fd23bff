#include "models/host/thread.h"

#include <utility>

#include "models/host/process.h"
#include "models/host/steps/step_kind.h"

namespace svasim {

Thread::Thread(const std::string& who, const std::vector<StepParams>& steps, unsigned outstanding,
               unsigned slots, Kernel& kernel, Process& process, RngStream& rng)
    : who_(who),
      steps_(steps),
      kernel_(kernel),
      process_(process),
      operations_(who, outstanding, slots, kernel, process, rng) {
  for (const StepParams& step : steps_) total_ += is_operation(step) ? step.count : 1;
}

void Thread::run(Task done) {
  finished_ = std::move(done);
  begin_step();
}

void Thread::stop() {
  stopped_ = true;
  operations_.stop();
}

void Thread::later(Ps time, Task task) {
  kernel_.machine().after(time, [this, task = std::move(task)] {
    if (!stopped_) task();
  });
}

void Thread::begin_step() {
  if (stopped_) {
    return;
  }
  if (next_ == steps_.size()) {
    finished_();
    return;
  }
  const StepParams& step = steps_[next_];
  const Ps now = kernel_.machine().now();
  const Ps due = kernel_.began() + step.at;
  if (now < due) {
    kernel_.note_sleep(due);
    later(due - now, [this] { begin_step(); });
    return;
  }
  result_ = StepResult();
  result_.begun = true;
  result_.began_at = now;
  if (!step.name.empty()) {
    kernel_.board().begin(full_step_name(process_.params().name, step.name), now);
  }
  kind_of(step).carry_out(*this, step);
}

void Thread::end(Errno error) {
  ++actions_done_;
  end_step(error);
}

void Thread::end_step(Errno error) {
  if (stopped_) {
    return;
  }
  const StepParams& step = steps_[next_];
  result_.ended = true;
  result_.ended_at = kernel_.machine().now();
  result_.error = error;
  const std::string& process = process_.params().name;
  kernel_.board().ended_with(process, step, error);
  ++next_;
  if (!step.name.empty()) kernel_.board().end(full_step_name(process, step.name), result_);
  begin_step();
}

void Thread::operate(const StepParams& step) {
  operations_.run(step, process_.opening(step.device), result_, [this](Errno error) { end_step(error); });
}

void Thread::exit() {
  const StepParams& step = steps_[next_];
  ++actions_done_;
  ++next_;
  result_.ended = true;
  result_.ended_at = kernel_.machine().now();
  if (!step.name.empty()) {
    kernel_.board().end(full_step_name(process_.params().name, step.name), result_);
  }
  process_.exit();
}

AddressSpan Thread::part_of(const StepParams& step) const {
  const Buffer& subject = process_.buffer(step.to);
  const std::uint64_t length = step.length != 0 ? step.length : subject.size - step.offset;
  return {subject.start + step.offset, subject.start + step.offset + length};
}

std::string Thread::device_of(const StepParams& step) const {
  return step.device.empty() ? process_.params().device : step.device;
}

}  // namespace svasim
