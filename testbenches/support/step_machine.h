// A machine with time and memory and no hardware: software that needs no register can run on it.
#pragma once

#include <map>
#include <utility>

#include "base/check.h"
#include "models/host/machine.h"

namespace svasim {

class StepMachine : public Machine {
 public:
  explicit StepMachine(PhysicalMemory& memory) : memory_(memory) {}

  Ps now() const override { return now_; }
  PhysicalMemory& memory() override { return memory_; }
  void after(Ps delay, Task task) override { tasks_.emplace(now_ + delay, std::move(task)); }
  void read_register(Addr, unsigned, Answer) override { SVASIM_CHECK(false, "there are no registers"); }
  void write_register(Addr, const void*, unsigned) override { SVASIM_CHECK(false, "there are no registers"); }
  void enqueue(Addr, const void*, Answer) override { SVASIM_CHECK(false, "there are no portals"); }
  InterruptMessage add_interrupt(Task) override { return {}; }

  // Runs the next task; false: there is none.
  bool step() {
    if (tasks_.empty()) return false;
    const auto first = tasks_.begin();
    now_ = first->first;
    const Task task = std::move(first->second);
    tasks_.erase(first);
    task();
    return true;
  }
  void run() {
    while (step()) {
    }
  }
  void run_until(Ps end) {
    while (!tasks_.empty() && tasks_.begin()->first <= end) step();
    now_ = end;
  }

 private:
  PhysicalMemory& memory_;
  Ps now_ = 0;
  std::multimap<Ps, Task> tasks_;  // equal times in the order in which they were asked for
};

}  // namespace svasim
