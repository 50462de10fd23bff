// What a guest's software can do, until its virtual machine is stopped.
#pragma once

#include <functional>
#include <utility>

#include "models/host/guest_stats.h"
#include "models/host/host_params.h"
#include "models/host/machine.h"

namespace svasim {

// MODEL: every thread of a guest has a virtual CPU of its own that is always scheduled; what leaves for the
// host is handled at once, by a thread of its own.
class GuestMachine : public Machine {
 public:
  // Carried out by the host; ends by calling `answered`.
  using HostWork = std::function<void(Task answered)>;

  GuestMachine(Machine& host, const GuestParams& params, GuestStats& stats)
      : host_(host), params_(params), stats_(stats) {}
  void set_memory(PhysicalMemory& memory) { memory_ = &memory; }

  Ps now() const override { return host_.now(); }
  PhysicalMemory& memory() override { return *memory_; }
  void after(Ps delay, Task task) override {
    host_.after(delay, [this, task = std::move(task)] {
      if (!stopped_) task();
    });
  }
  // Registers the guest has mapped: no exit.
  void read_register(Addr address, unsigned bytes, Answer answer) override {
    host_.read_register(address, bytes, [this, answer = std::move(answer)](std::uint64_t value) {
      if (!stopped_) answer(value);
    });
  }
  void write_register(Addr address, const void* data, unsigned bytes) override {
    host_.write_register(address, data, bytes);
  }
  void enqueue(Addr address, const void* data, Answer answer) override {
    host_.enqueue(address, data, [this, answer = std::move(answer)](std::uint64_t accepted) {
      if (!stopped_) answer(accepted);
    });
  }
  InterruptMessage add_interrupt(Task handler) override {
    return host_.add_interrupt([this, handler = std::move(handler)] {
      if (!stopped_) handler();
    });
  }

  // An exit to the host, which does `work`; then the guest goes on with `done`.
  void call_host(const HostWork& work, Task done) {
    stats_.exits.add();
    after(params_.exit_time, [this, work, done = std::move(done)] {
      ++calls_;
      work([this, done] {
        --calls_;
        after(params_.resume_time, done);
        tell_idle();
      });
    });
  }

  // Nothing of the guest runs any more; `idle` when the host has ended what it was doing for it.
  void stop(Task idle) {
    stopped_ = true;
    idle_ = std::move(idle);
    tell_idle();
  }
  bool stopped() const { return stopped_; }
  unsigned calls() const { return calls_; }

 private:
  void tell_idle() {
    if (calls_ != 0 || idle_ == nullptr) return;
    const Task idle = std::exchange(idle_, nullptr);
    idle();
  }

  Machine& host_;
  const GuestParams& params_;
  GuestStats& stats_;
  PhysicalMemory* memory_ = nullptr;
  bool stopped_ = false;
  unsigned calls_ = 0;
  Task idle_;
};

}  // namespace svasim
