// The kinds of steps of the scenario language.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "models/host/workload_params.h"

namespace svasim {

class Thread;

// What is known of a process before a step, when steps follow one another.
struct KnownState {
  std::map<std::string, bool> mapped;  // by buffer
  std::set<std::string> open;          // devices
  std::map<std::string, unsigned> binds;
  std::string exited;  // the step that ended the process
};

struct StepKind {
  enum class Subject : std::uint8_t { kNothing, kBuffer, kDevice };
  using Bad = std::function<void(const std::string& key, const std::string& what)>;

  std::string name;
  std::string meaning;
  // Parameters it uses, beside those of every step: do, name, at.
  std::vector<std::string> keys;
  Subject subject = Subject::kNothing;
  // Carries the step out: calls Thread::end() once, at once or later.
  void (*carry_out)(Thread& thread, const StepParams& step) = nullptr;
  // What it needs and what is so afterwards, where the order of steps is known; may be nullptr. `device` is
  // the step's or its process's.
  void (*follow)(KnownState& known, const StepParams& step, const std::string& device,
                 const Bad& bad) = nullptr;
  bool operation = false;  // of a device: it is counted by operations
  bool in_guest = false;   // only processes of virtual machines have it

  bool uses(const std::string& key) const;
};

// One row a kind, in the files of this folder.
const std::vector<StepKind>& step_kinds();
std::vector<std::string> step_names();
const StepKind& kind_of(const StepParams& step);

// The rows of each file.
std::vector<StepKind> operation_steps();
std::vector<StepKind> memory_steps();
std::vector<StepKind> device_steps();
std::vector<StepKind> dma_steps();
std::vector<StepKind> user_device_steps();
std::vector<StepKind> flow_steps();
std::vector<StepKind> guest_steps();

// For `follow`: that a buffer is mapped, or is not.
void need_mapped(const KnownState& known, const std::string& buffer, bool mapped, const char* key,
                 const StepKind::Bad& bad);

}  // namespace svasim
