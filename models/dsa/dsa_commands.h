// The commands of a DSA: checks, effects, and what a command waits for. No SystemC in here.
#pragma once

#include <cstdint>

#include "models/dsa/dsa_registers_file.h"

namespace svasim {

// What commands need of the rest of the device.
class DsaCommandTarget {
 public:
  virtual ~DsaCommandTarget() = default;
  // Descriptors of the queue that wait or are in progress.
  virtual unsigned pending(unsigned queue) const = 0;
  virtual unsigned pending_of(Pasid pasid) const = 0;
  // Drops what waits; what is in progress goes on.
  virtual void discard(unsigned queue) = 0;
  virtual void discard_of(Pasid pasid) = 0;
  virtual void device_enabled() = 0;
  virtual void queue_enabled(unsigned queue) = 0;
};

// One command at a time: begin() at the write of CMD, execute() after the command latency, then
// progress() whenever descriptors completed, until one of these says that the command is finished.
// SPEC: [DSA 9.2, Table 9-5]
class DsaCommands {
 public:
  DsaCommands(const DsaParams& params, DsaRegisters& registers, DsaCommandTarget& target)
      : params_(params), registers_(registers), target_(target) {}

  void disable_ats() { params_.ats = params_.page_requests = false; }

  bool active() const { return active_; }
  // False when a command is active: the write is discarded, which is error 0x52.
  bool begin();
  bool execute();
  bool progress();
  // Whether the command that just finished asked for an interrupt.
  bool interrupts() const { return interrupt_; }

 private:
  bool finish(DsaCommandError error = DsaCommandError::kSuccess);
  bool drained() const;
  DsaCommandError enable_device();
  DsaCommandError enable_queue(unsigned queue);
  // Queues of a bitmap operand; false with an index beyond the device's queues.
  bool queues_of_operand(std::uint64_t& queues) const;
  DsaCommandError check_enabled(std::uint64_t queues) const;
  void stop_queues(std::uint64_t queues);
  template <typename Visit>
  static void for_each(std::uint64_t queues, Visit visit) {
    for (; queues != 0; queues &= queues - 1) {
      visit(static_cast<unsigned>(__builtin_ctzll(queues)));
    }
  }

  DsaParams params_;
  DsaRegisters& registers_;
  DsaCommandTarget& target_;
  DsaCommand code_ = DsaCommand::kDrainAll;
  std::uint32_t operand_ = 0;
  bool active_ = false;
  bool interrupt_ = false;
  bool waiting_ = false;
  std::uint64_t queues_ = 0;  // the command waits for, by queue
};

}  // namespace svasim
