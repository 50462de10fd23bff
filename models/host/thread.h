// A thread of a process: carries out steps, one after the other.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/host/kernel.h"
#include "models/host/operations.h"

namespace svasim {

class Process;

class Thread {
 public:
  using Task = Machine::Task;

  // slots: completion records, at least as many as operations outstanding.
  Thread(const std::string& who, const std::vector<StepParams>& steps, unsigned outstanding, unsigned slots,
         Kernel& kernel, Process& process, RngStream& rng);

  void set_up() { operations_.set_up(); }
  // `done` when the last step has ended.
  void run(Task done);
  // The process exits: no step begins or ends any more.
  void stop();

  const Operations& operations() const { return operations_; }
  std::uint64_t done() const { return operations_.ended() + actions_done_; }
  std::uint64_t total() const { return total_; }
  // The first step that was not carried out; nullptr: there is none.
  const StepParams* left() const { return next_ < steps_.size() ? &steps_[next_] : nullptr; }

  // For the kinds of steps (steps/), about the step being carried out.
  Kernel& kernel() { return kernel_; }
  Process& process() { return process_; }
  StepResult& result() { return result_; }
  bool stopped() const { return stopped_; }
  // Does something when this time has passed, unless the process exits before.
  void later(Ps time, Task task);
  // The step has ended.
  void end(Errno error = Errno::kNone);
  // Carries out its device operations and ends it.
  void operate(const StepParams& step);
  // Ends it and the process.
  void exit();
  std::string device_of(const StepParams& step) const;
  // The part of its buffer that a step is about.
  AddressSpan part_of(const StepParams& step) const;

 private:
  void begin_step();
  void end_step(Errno error);

  std::string who_;
  const std::vector<StepParams>& steps_;
  Kernel& kernel_;
  Process& process_;
  Operations operations_;
  Task finished_;
  std::size_t next_ = 0;  // step being carried out
  StepResult result_;
  std::uint64_t actions_done_ = 0;
  std::uint64_t total_ = 0;
  bool stopped_ = false;
};

}  // namespace svasim
