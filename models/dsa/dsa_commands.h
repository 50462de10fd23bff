// The commands of a DSA: checks, effects, and what a command waits for. No SystemC in here.
#pragma once

#include <cstdint>

#include "models/dsa/dsa_dispatch.h"
#include "models/dsa/dsa_registers_file.h"

namespace svasim {

// What commands need of the rest of the device.
class DsaCommandTarget {
 public:
  virtual ~DsaCommandTarget() = default;
  // Number of the next submission.
  virtual std::uint64_t next_submission() const = 0;
  // Nothing of these waits or is in progress.
  virtual bool idle(const DsaScope& scope) const = 0;
  // Drops what waits; what is in progress goes on.
  virtual void discard(const DsaScope& scope) = 0;
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
  // SPEC: [DSA 9.2, Table 9-5]: nothing may be submitted while all is aborted.
  bool refuses_submissions() const { return active_ && code_ == DsaCommand::kAbortAll; }
  // False when a command is active: the write is discarded, which is error 0x52.
  bool begin();
  bool execute();
  bool progress();
  // Whether the command that just finished asked for an interrupt.
  bool interrupts() const { return interrupt_; }

 private:
  bool finish(DsaCommandError error = DsaCommandError::kSuccess, unsigned result = 0);
  bool reserved_clear() const;
  DsaCommandError enable_device();
  DsaCommandError check_event_log() const;
  DsaCommandError enable_queue(unsigned queue);
  bool request_handle();
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
  DsaScope scope_;  // what the command waits for
};

}  // namespace svasim
