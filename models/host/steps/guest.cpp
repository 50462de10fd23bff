// Steps about virtual machines: their memory, and their end.
#include "models/host/guest.h"
#include "models/host/process.h"
#include "models/host/steps/step_kind.h"
#include "models/host/thread.h"

namespace svasim {

namespace {

Guest::Moved ends(Thread& thread) {
  return [&thread](Errno error, std::uint64_t pages) {
    thread.result().pages = pages;
    thread.end(error);
  };
}

std::uint64_t pages_of(const StepParams& step) { return (step.length + kPageSize - 1) >> kPageShift; }

void inflate(Thread& thread, const StepParams& step) {
  thread.kernel().guest()->inflate(pages_of(step), ends(thread));
}

void deflate(Thread& thread, const StepParams& step) {
  thread.kernel().guest()->deflate(pages_of(step), ends(thread));
}

void evict(Thread& thread, const StepParams& step) {
  Buffer& subject = thread.process().buffer(step.to);
  const AddressSpan part = thread.part_of(step);
  const auto ended = [&thread, &subject, &step, part, done = ends(thread)](Errno error, std::uint64_t pages) {
    subject.shadow->forget(step.offset, part.end - part.start);
    done(error, pages);
  };
  thread.kernel().guest()->evict(thread.process().space().memory, part, ended);
}

void migrate(Thread& thread, const StepParams& step) {
  thread.kernel().guest()->migrate(thread.process().space().memory, thread.part_of(step), ends(thread));
}

void destroy(Thread& thread, const StepParams& step) {
  thread.kernel().destroy_guest(step.guest, [&thread](Errno error) { thread.end(error); });
}

void follow(KnownState& known, const StepParams& step, const std::string& /*device*/,
            const StepKind::Bad& bad) {
  need_mapped(known, step.to, true, "to", bad);
}

}  // namespace

std::vector<StepKind> guest_steps() {
  using S = StepKind::Subject;
  std::vector<StepKind> kinds = {
      {"inflate",
       "The balloon driver of the process's guest gives free pages to the host.",
       {"length", "error"},
       S::kNothing,
       inflate},
      {"deflate", "It takes pages back.", {"length", "error"}, S::kNothing, deflate},
      {"evict",
       "The host takes the pages behind a buffer of zeros away, although the guest uses them.",
       {"to", "offset", "length"},
       S::kBuffer,
       evict,
       follow},
      {"migrate",
       "The host moves the pages behind a buffer to other memory of its own.",
       {"to", "offset", "length"},
       S::kBuffer,
       migrate,
       follow},
  };
  for (StepKind& kind : kinds) kind.in_guest = true;
  kinds.push_back({"destroy",
                   "Ends a virtual machine, whatever its devices do.",
                   {"guest", "error"},
                   S::kNothing,
                   destroy});
  return kinds;
}

}  // namespace svasim
