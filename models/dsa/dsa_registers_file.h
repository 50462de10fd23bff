// BAR0 of a DSA: what it reads and what a write does. No SystemC in here.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "models/dsa/dsa_params.h"
#include "models/formats/dsa_descriptor.h"
#include "models/formats/dsa_registers.h"

namespace svasim {

// The configuration of one work queue, taken from WQCFG when it is enabled.
struct DsaQueueConfig {
  unsigned size = 0;
  unsigned threshold = 0;  // no more than the size
  unsigned priority = 0;
  bool dedicated = false;
  bool block_on_fault = false;
  bool ats_disable = false;
  bool prs_disable = false;
  bool pasid_enable = false;
  bool privileged = false;
  Pasid pasid;
  std::uint64_t max_transfer = 0;
  std::uint64_t max_batch = 0;
  std::uint64_t operations = 0;  // OPCFG bits 63:0
};

// EVLCFG.
struct DsaEventLogConfig {
  bool enabled = false;  // GENCFG
  bool pasid_enable = false;
  bool privileged = false;
  Pasid pasid;
  Addr base = 0;
  std::uint64_t size = 0;  // entries
};

// Registers and tables, with their access rules. Commands are in DsaCommands.
class DsaRegisters {
 public:
  static constexpr std::uint32_t kSize = 0x10000;
  static constexpr unsigned kWqcfgSize = 1;  // 64 bytes per queue

  explicit DsaRegisters(const DsaParams& params);

  // Operations of this device, OPCAP bits 63:0.
  std::uint64_t operations() const { return get64(dsa_reg::kOpcap); }

  // Commands of this device, CMDCAP.
  bool has_command(DsaCommand command) const {
    return ((get32(dsa_reg::kCmdcap) >> static_cast<unsigned>(command)) & 1U) != 0;
  }

  // Bytes beyond the registers read as 0.
  void read(std::uint32_t offset, void* data, unsigned size) const;
  // An aligned write of 1, 2, 4 or 8 bytes. Returns true when it wrote CMD.
  bool write(std::uint32_t offset, const void* data, unsigned size);
  // What Reset Device does: everything but CMD, CMDSTATUS, SWERROR, EVLSTATUS and the MSI-X table.
  void reset();

  DsaDeviceState state() const { return state_; }
  void set_state(DsaDeviceState state);
  DsaWqState queue_state(unsigned queue) const;
  void set_queue_state(unsigned queue, DsaWqState state);
  void set_occupancy(unsigned queue, unsigned entries);
  // The queue has come down to `entries`: the handle of the interrupt this earns, once until software clears
  // what says so.
  std::optional<unsigned> occupancy_interrupt(unsigned queue, unsigned before, unsigned entries);
  void reset_queue(unsigned queue);

  std::uint32_t command() const { return get32(dsa_reg::kCmd); }
  void set_command_status(std::uint32_t value) { set32(dsa_reg::kCmdstatus, value); }
  std::uint32_t command_status() const { return get32(dsa_reg::kCmdstatus); }
  // Sets bits of INTCAUSE.
  void cause(std::uint64_t bits) {
    set32(dsa_reg::kIntcause, get32(dsa_reg::kIntcause) | static_cast<std::uint32_t>(bits));
  }
  std::uint32_t general_control() const { return get32(dsa_reg::kGenctrl); }
  bool user_interrupts() const { return DsaGencfg::USER_INTERRUPTS::get(get32(dsa_reg::kGencfg)) != 0; }

  // One error; false when one was there already, which then shows as overflow.
  bool report_error(std::uint64_t word0, std::uint64_t word1, std::uint64_t address);

  bool has_event_log() const { return params_.version >= 2; }
  DsaEventLogConfig event_log() const;
  bool event_log_full() const;
  // Where the next entry goes.
  Addr event_log_place() const;
  // There is one more entry; true when software has to be told: nothing was pending.
  bool advance_event_log();
  void clear_event_log() { set64(dsa_reg::kEvlstatus, 0); }

  // Interrupt handles that commands give out, or else numbers of vectors.
  std::optional<unsigned> request_handle(unsigned vector);
  bool release_handle(unsigned handle);
  std::optional<unsigned> vector_of(unsigned handle) const;

  DsaQueueConfig queue_config(unsigned queue) const;
  // Whether the queue's occupancy interrupt is off, or its handle means something.
  bool occupancy_interrupt_valid(unsigned queue) const;
  std::uint64_t group_queues(unsigned group) const;
  std::uint64_t group_engines(unsigned group) const;
  unsigned group_read_buffers(unsigned group) const;
  std::uint32_t interrupt_permission(unsigned vector) const;

  struct Vector {
    std::uint64_t address = 0;
    std::uint32_t data = 0;
    bool masked = true;
  };
  Vector vector(unsigned number) const;
  bool pending(unsigned number) const;
  void set_pending(unsigned number, bool pending);

  std::uint32_t get32(std::uint32_t offset) const;
  std::uint64_t get64(std::uint32_t offset) const;

 private:
  void set32(std::uint32_t offset, std::uint32_t value);
  void set64(std::uint32_t offset, std::uint64_t value);
  // `value` with the bytes of `enabled` written.
  bool write32(std::uint32_t offset, std::uint32_t value, std::uint32_t enabled);
  void write_queue_config(std::uint32_t offset, std::uint32_t value, std::uint32_t ones);
  void write_event_log_config(std::uint32_t offset, std::uint32_t value);
  void set_capabilities();
  std::uint32_t wqcfg(unsigned queue) const { return dsa_reg::kWqcfg + queue * DsaWqcfg::stride(kWqcfgSize); }

  DsaParams params_;
  DsaDeviceState state_ = DsaDeviceState::kDisabled;
  std::vector<std::uint8_t> bytes_;
  std::vector<std::optional<unsigned>> handles_;  // vector, by handle
};

}  // namespace svasim
