// What the host's software can do: wait, touch memory, access registers, take interrupts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "base/types.h"
#include "models/host/physical_memory.h"

namespace svasim {

// An interrupt message a device may send: a 32-bit write of `data` to `address`.
struct InterruptMessage {
  Addr address = 0;
  std::uint32_t data = 0;
};

// Until software looks again for something that takes `waited` already. MODEL: who has waited long looks
// less often, and so finds out at most 0.1 % late.
constexpr Ps poll_pause(Ps interval, Ps waited) {
  const Ps patience = waited / 1024;
  return interval > patience ? interval : patience;
}

// Drivers and processes know the machine by this only. Every function that takes a task returns
// before the task runs; tasks due at one instant run in the order in which they were asked for,
// answers of registers counting from when they were asked.
class Machine {
 public:
  using Task = std::function<void()>;
  using Answer = std::function<void(std::uint64_t value)>;

  virtual ~Machine() = default;

  virtual Ps now() const = 0;
  virtual PhysicalMemory& memory() = 0;

  // Runs the task `delay` (at least 1 ps) from now.
  virtual void after(Ps delay, Task task) = 0;

  // Uncached accesses, in program order; 4 or 8 bytes, naturally aligned.
  virtual void read_register(Addr address, unsigned bytes, Answer answer) = 0;
  // Posted: the program goes on. 4, 8 or 64 bytes.
  virtual void write_register(Addr address, const void* data, unsigned bytes) = 0;

  // ENQCMD: a write of 64 bytes that the device accepts or puts off; the answer is 1 or 0.
  virtual void enqueue(Addr address, const void* data, Answer answer) = 0;

  // A message that runs `handler` each time it arrives, after the interrupt latency.
  virtual InterruptMessage add_interrupt(Task handler) = 0;

  void write_register32(Addr address, std::uint32_t value) { write_register(address, &value, sizeof value); }
  void write_register64(Addr address, std::uint64_t value) { write_register(address, &value, sizeof value); }
};

// A task that runs `done` when it has been run `count` times.
inline Machine::Task after_all(std::size_t count, Machine::Task done) {
  auto left = std::make_shared<std::size_t>(count);
  return [left, done = std::move(done)] {
    if (--*left == 0) done();
  };
}

}  // namespace svasim
