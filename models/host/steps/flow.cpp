// Steps that order the others, end processes, begin them, and say what is expected.
#include "models/host/process.h"
#include "models/host/steps/step_kind.h"
#include "models/host/thread.h"

namespace svasim {

namespace {

void sleep(Thread& thread, const StepParams& step) {
  thread.kernel().note_sleep(thread.kernel().machine().now() + step.time);
  thread.later(step.time, [&thread] { thread.end(); });
}

// The step may never end any more, when an exit came before it.
void wait(Thread& thread, const StepParams& step) {
  thread.kernel().board().when_ended(
      full_step_name(thread.process().params().name, step.step),
      [&thread](Errno error) { thread.later(1, [&thread, error] { thread.end(error); }); });
}

void expect(Thread& thread, const StepParams& step) {
  thread.kernel().board().expect(thread.process().params().name, step);
  thread.later(1, [&thread] { thread.end(); });
}

void fork(Thread& thread, const StepParams& step) {
  thread.kernel().fork(thread.process(), step.process, [&thread](Errno error) { thread.end(error); });
}

void exit(Thread& thread, const StepParams& /*step*/) { thread.exit(); }

}  // namespace

std::vector<StepKind> flow_steps() {
  using S = StepKind::Subject;
  return {
      {"fork",
       "Begins the process that has this one as its parent.",
       {"process", "error"},
       S::kNothing,
       fork},
      {"exit", "Ends the process, whatever its devices do.", {}, S::kNothing, exit},
      {"sleep", "Waits for a time.", {"time"}, S::kNothing, sleep},
      {"wait", "Waits until a step has ended.", {"step", "error"}, S::kNothing, wait},
      {"expect",
       "States a condition, which becomes a check of the run.",
       {"step", "statistic", "field", "since", "equals", "tolerance", "at_least", "at_most"},
       S::kNothing,
       expect},
  };
}

}  // namespace svasim
