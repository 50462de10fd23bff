// A sequence of software steps, each beginning when the one before has ended.
#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "models/host/machine.h"

namespace svasim {

// For set-up sequences, not for hot paths. Build it, then run() once.
class Script {
 public:
  using Task = Machine::Task;
  // A step ends by calling `next`, at once or later.
  using Step = std::function<void(const Task& next)>;

  explicit Script(Machine& machine) : state_(std::make_shared<State>(machine)) {}

  Script& step(Step step) {
    state_->steps.push_back(std::move(step));
    return *this;
  }
  // A step that takes no time.
  Script& call(Task task) {
    return step([task = std::move(task)](const Task& next) {
      task();
      next();
    });
  }
  Script& write32(Addr address, std::uint32_t value) {
    Machine& machine = state_->machine;
    return call([&machine, address, value] { machine.write_register32(address, value); });
  }
  Script& write64(Addr address, std::uint64_t value) {
    Machine& machine = state_->machine;
    return call([&machine, address, value] { machine.write_register64(address, value); });
  }
  Script& read(Addr address, unsigned bytes, Machine::Answer answer) {
    Machine& machine = state_->machine;
    return step([&machine, address, bytes, answer = std::move(answer)](const Task& next) {
      machine.read_register(address, bytes, [answer, next](std::uint64_t value) {
        answer(value);
        next();
      });
    });
  }
  // Reads until (value & mask) == expected.
  Script& poll32(Addr address, std::uint32_t mask, std::uint32_t expected) {
    Machine& machine = state_->machine;
    return step([&machine, address, mask, expected](const Task& next) {
      poll(machine, address, mask, expected, machine.now(), next);
    });
  }

  void run(Task done) {
    state_->done = std::move(done);
    advance(state_);
  }

 private:
  struct State {
    explicit State(Machine& m) : machine(m) {}
    Machine& machine;
    std::deque<Step> steps;
    Task done;
  };

  static void advance(const std::shared_ptr<State>& state) {
    if (state->steps.empty()) {
      const Task done = std::move(state->done);
      done();
      return;
    }
    const Step step = std::move(state->steps.front());
    state->steps.pop_front();
    step([state] { advance(state); });
  }

  // Without a pause at first: reading takes its time.
  static constexpr Ps kPatience = 1'000'000'000;
  static void poll(Machine& machine, Addr address, std::uint32_t mask, std::uint32_t expected, Ps since,
                   const Task& next) {
    machine.read_register(address, 4, [&machine, address, mask, expected, since, next](std::uint64_t value) {
      const Ps waited = machine.now() - since;
      if ((value & mask) == expected) {
        next();
      } else if (waited < kPatience) {
        poll(machine, address, mask, expected, since, next);
      } else {
        machine.after(poll_pause(1, waited), [&machine, address, mask, expected, since, next] {
          poll(machine, address, mask, expected, since, next);
        });
      }
    });
  }

  std::shared_ptr<State> state_;
};

}  // namespace svasim
