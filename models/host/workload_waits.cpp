#include "models/host/workload_waits.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace svasim {

namespace {

// A sequence of steps: those of a process or of a thread.
struct Sequence {
  const ProcessParams* process;
  std::string place;  // "processes[1].threads[0].steps"
  const std::vector<StepParams>* steps;
  bool begun = false;
  std::size_t done = 0;

  const StepParams& next() const { return (*steps)[done]; }
  bool at_end() const { return done == steps->size(); }
  std::string full_name(const std::string& step) const { return full_step_name(process->name, step); }
};

class Waits {
 public:
  explicit Waits(const HostParams& host) {
    for (std::size_t i = 0; i < host.processes.size(); ++i) {
      const ProcessParams& process = host.processes[i];
      const bool begun = process.parent.empty();
      const std::string at = fmt::format("processes[{}]", i);
      sequences_.push_back({&process, at + ".steps", &process.steps, begun});
      for (std::size_t j = 0; j < process.threads.size(); ++j) {
        const std::string place = fmt::format("{}.threads[{}].steps", at, j);
        sequences_.push_back({&process, place, &process.threads[j].steps, begun});
      }
    }
    for (const Sequence& sequence : sequences_) {
      for (const StepParams& step : *sequence.steps) {
        if (!step.name.empty()) names_.insert(sequence.full_name(step.name));
      }
    }
  }

  // Lets every sequence go as far as its waits allow; those that are left wait for each other.
  void check(const Complain& bad) {
    for (bool moved = true; moved;) {
      moved = false;
      for (Sequence& sequence : sequences_) moved = advance(sequence) || moved;
    }
    for (const Sequence& sequence : sequences_) {
      // That a step waits for one behind it is told where its reference is checked.
      if (!sequence.begun || sequence.at_end() || waits_for_itself(sequence)) continue;
      bad(fmt::format("{}[{}].step", sequence.place, sequence.done),
          fmt::format("process {}: step {} (wait): step \"{}\" cannot end before this one has",
                      sequence.process->name, sequence.done + 1, sequence.next().step));
    }
  }

 private:
  bool advance(Sequence& sequence) {
    const std::size_t before = sequence.done;
    while (sequence.begun && !sequence.at_end()) {
      const StepParams& step = sequence.next();
      const std::string awaited = sequence.full_name(step.step);
      // Steps that do not exist are somebody else's complaint.
      if (step.action == "wait" && names_.count(awaited) != 0 && ended_.count(awaited) == 0) break;
      if (step.action == "fork") {
        for (Sequence& other : sequences_) {
          other.begun = other.begun || other.process->name == step.process;
        }
      }
      if (!step.name.empty()) ended_.insert(sequence.full_name(step.name));
      ++sequence.done;
    }
    return sequence.done != before;
  }

  static bool waits_for_itself(const Sequence& sequence) {
    const std::string awaited = sequence.full_name(sequence.next().step);
    return std::any_of(sequence.steps->begin() + static_cast<std::ptrdiff_t>(sequence.done),
                       sequence.steps->end(), [&](const StepParams& step) {
                         return !step.name.empty() && sequence.full_name(step.name) == awaited;
                       });
  }

  std::vector<Sequence> sequences_;
  std::set<std::string> names_;  // of all steps
  std::set<std::string> ended_;
};

}  // namespace

void check_waits(const HostParams& host, const Complain& bad) { Waits(host).check(bad); }

}  // namespace svasim
