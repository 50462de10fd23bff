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

 private:
  using Result = Kernel::Result;

  void begin_step();
  void carry_out(const StepParams& step);
  void end_step(Errno error);
  void end_action(Errno error) {
    ++actions_done_;
    end_step(error);
  }
  // What an action does when it has taken this long.
  void later(Ps time, Task task);

  void touch(const StepParams& step);
  void touch_page(const StepParams& step, std::uint64_t at, std::uint64_t end);
  // After the step's call has taken its time, `change` changes page tables; then devices are told.
  void change_tables(const StepParams& step, std::function<Stale(Addr start, Addr end)> change,
                     std::function<void(std::uint64_t pages, Task next)> after);
  void verify_before_loss(const StepParams& step, std::uint64_t length);
  void munmap(const StepParams& step, const Task& then);
  void mprotect(const StepParams& step);
  void mremap(const StepParams& step);
  void madvise(const StepParams& step);
  void device_step(const StepParams& step);
  std::string device_of(const StepParams& step) const;
  // The part of its buffer that a step is about.
  AddressSpan part_of(const StepParams& step) const;

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
