#include "models/dsa/dsa_commands.h"

#include <algorithm>

#include "models/formats/dsa_event.h"

namespace svasim {

namespace {

constexpr std::uint64_t low_bits(unsigned count) {
  return count >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
}

}  // namespace

bool DsaCommands::begin() {
  if (active_) {
    return false;
  }
  const std::uint32_t command = registers_.command();
  code_ = static_cast<DsaCommand>(DsaCmd::CODE::get(command));
  operand_ = static_cast<std::uint32_t>(DsaCmd::OPERAND::get(command));
  interrupt_ = DsaCmd::INTERRUPT::get(command) != 0;
  active_ = true;
  waiting_ = false;
  registers_.set_command_status(static_cast<std::uint32_t>(DsaCmdstatus::ACTIVE::make(1)));
  return true;
}

bool DsaCommands::finish(DsaCommandError error, unsigned result) {
  active_ = false;
  waiting_ = false;
  registers_.set_command_status(static_cast<std::uint32_t>(
      DsaCmdstatus::ERROR::make(static_cast<std::uint64_t>(error)) | DsaCmdstatus::RESULT::make(result)));
  return true;
}

// SPEC: [DSA 9.2, Table 9-5]: the part of the operand that a command does not use, and the register's own
// bits.
bool DsaCommands::reserved_clear() const {
  const auto used = [this]() -> std::uint32_t {
    switch (code_) {
      case DsaCommand::kEnableWq:
        return 0xFF;
      case DsaCommand::kDisableWq:
      case DsaCommand::kDrainWq:
      case DsaCommand::kAbortWq:
      case DsaCommand::kResetWq:
      case DsaCommand::kDrainPasid:
      case DsaCommand::kAbortPasid:
        return 0xFFFFF;
      case DsaCommand::kRequestInterruptHandle:
      case DsaCommand::kReleaseInterruptHandle:
        return static_cast<std::uint32_t>(DsaCmd::TABLE_INDEX::kMask | DsaCmd::IMS::kMask);
      default:
        return 0;
    }
  };
  return (operand_ & ~used()) == 0 && DsaCmd::RESERVED::get(registers_.command()) == 0;
}

bool DsaCommands::queues_of_operand(std::uint64_t& queues) const {
  const unsigned first = (operand_ >> 16U) * 16U;
  const std::uint64_t bitmap = operand_ & 0xFFFFU;
  queues = first >= 64 ? 0 : bitmap << first;
  return bitmap != 0 && first < params_.queues && (queues & ~low_bits(params_.queues)) == 0;
}

DsaCommandError DsaCommands::check_enabled(std::uint64_t queues) const {
  DsaCommandError error = DsaCommandError::kSuccess;
  for_each(queues, [&](unsigned queue) {
    if (registers_.queue_state(queue) != DsaWqState::kEnabled) error = DsaCommandError::kWqNotEnabled;
  });
  return error;
}

void DsaCommands::stop_queues(std::uint64_t queues) {
  for_each(queues, [&](unsigned queue) {
    if (registers_.queue_state(queue) == DsaWqState::kEnabled) {
      registers_.set_queue_state(queue, DsaWqState::kBusy);
    }
  });
}

bool DsaCommands::execute() {
  const std::uint64_t all = low_bits(params_.queues);
  scope_ = DsaScope();
  scope_.queues = all;
  scope_.before = target_.next_submission();
  if (!registers_.has_command(code_)) return finish(DsaCommandError::kUnsupportedCommand);
  if (!reserved_clear()) return finish(DsaCommandError::kReservedField);
  switch (code_) {
    case DsaCommand::kEnableDevice:
      return finish(enable_device());
    case DsaCommand::kDisableDevice:
      if (registers_.state() != DsaDeviceState::kEnabled) return finish(DsaCommandError::kDisableNotEnabled);
      registers_.set_state(DsaDeviceState::kBusy);
      stop_queues(all);
      break;
    case DsaCommand::kAbortAll:
      target_.discard(scope_);
      break;
    case DsaCommand::kResetDevice:
      if (registers_.state() == DsaDeviceState::kEnabled) registers_.set_state(DsaDeviceState::kBusy);
      stop_queues(all);
      target_.discard(scope_);
      break;
    case DsaCommand::kEnableWq:
      return finish(enable_queue(operand_));
    case DsaCommand::kDisableWq:
    case DsaCommand::kDrainWq:
    case DsaCommand::kAbortWq:
    case DsaCommand::kResetWq: {
      if (!queues_of_operand(scope_.queues)) return finish(DsaCommandError::kInvalidWq);
      if (code_ != DsaCommand::kResetWq) {
        const DsaCommandError error = check_enabled(scope_.queues);
        if (error != DsaCommandError::kSuccess) return finish(error);
      }
      if (code_ == DsaCommand::kDisableWq || code_ == DsaCommand::kResetWq) stop_queues(scope_.queues);
      if (code_ == DsaCommand::kAbortWq || code_ == DsaCommand::kResetWq) target_.discard(scope_);
      break;
    }
    case DsaCommand::kDrainPasid:
    case DsaCommand::kAbortPasid:
      scope_.of_pasid = true;
      scope_.pasid = Pasid(operand_);
      if (code_ == DsaCommand::kAbortPasid) target_.discard(scope_);
      break;
    case DsaCommand::kRequestInterruptHandle:
      return request_handle();
    case DsaCommand::kReleaseInterruptHandle: {
      const bool msix = DsaCmd::IMS::get(operand_) == 0;
      const bool released =
          msix && registers_.release_handle(static_cast<unsigned>(DsaCmd::TABLE_INDEX::get(operand_)));
      return finish(released ? DsaCommandError::kSuccess : DsaCommandError::kInterruptHandleIndex);
    }
    default:  // drain all
      break;
  }
  waiting_ = true;
  return progress();
}

bool DsaCommands::request_handle() {
  const auto vector = static_cast<unsigned>(DsaCmd::TABLE_INDEX::get(operand_));
  if (DsaCmd::IMS::get(operand_) != 0 || vector >= params_.interrupts) {
    return finish(DsaCommandError::kInterruptHandleIndex);
  }
  const std::optional<unsigned> handle = registers_.request_handle(vector);
  return handle ? finish(DsaCommandError::kSuccess, *handle) : finish(DsaCommandError::kInterruptHandleNone);
}

bool DsaCommands::progress() {
  if (!active_ || !waiting_ || !target_.idle(scope_)) {
    return false;
  }
  switch (code_) {
    case DsaCommand::kDisableDevice:
      registers_.set_state(DsaDeviceState::kDisabled);
      [[fallthrough]];
    case DsaCommand::kDisableWq:
      for_each(scope_.queues,
               [&](unsigned queue) { registers_.set_queue_state(queue, DsaWqState::kDisabled); });
      break;
    case DsaCommand::kResetWq:
      for_each(scope_.queues, [&](unsigned queue) { registers_.reset_queue(queue); });
      break;
    case DsaCommand::kResetDevice:
      registers_.reset();
      break;
    default:
      break;
  }
  return finish();
}

DsaCommandError DsaCommands::enable_device() {
  if (registers_.state() != DsaDeviceState::kDisabled) return DsaCommandError::kDeviceNotDisabled;
  std::uint64_t total = 0;
  std::uint64_t active = 0;
  for (unsigned queue = 0; queue < params_.queues; ++queue) {
    const unsigned size = registers_.queue_config(queue).size;
    total += size;
    active |= std::uint64_t{size != 0} << queue;
  }
  if (total == 0 || total > params_.queue_entries) return DsaCommandError::kWqSizes;
  std::uint64_t queues = 0;
  std::uint64_t engines = 0;
  for (unsigned group = 0; group < params_.groups; ++group) {
    const std::uint64_t group_queues = registers_.group_queues(group);
    const std::uint64_t group_engines = registers_.group_engines(group);
    if ((group_queues & ~low_bits(params_.queues)) != 0 || (group_queues & queues) != 0) {
      return DsaCommandError::kGroupWqs;
    }
    if ((group_engines & ~low_bits(params_.engines)) != 0 || (group_engines & engines) != 0) {
      return DsaCommandError::kGroupEngines;
    }
    if ((group_queues == 0) != (group_engines == 0)) return DsaCommandError::kGroupIncomplete;
    const unsigned allowed = registers_.group_read_buffers(group);
    // SPEC: [DSA 9.2]: at least four per engine, and no more than there are. MODEL: and two accesses.
    const std::uint64_t least =
        std::max<std::uint64_t>(4U * static_cast<unsigned>(__builtin_popcountll(group_engines)),
                                2 * ((params_.access_size + params_.buffer_size - 1) / params_.buffer_size));
    if (group_engines != 0 && (allowed < least || allowed > params_.read_buffers)) {
      return DsaCommandError::kReadBuffers;
    }
    queues |= group_queues;
    engines |= group_engines;
  }
  if (queues != active) return DsaCommandError::kGroupWqs;
  if (const DsaCommandError error = check_event_log(); error != DsaCommandError::kSuccess) return error;
  if (registers_.event_log().enabled) registers_.clear_event_log();
  registers_.set_state(DsaDeviceState::kEnabled);
  target_.device_enabled();
  return DsaCommandError::kSuccess;
}

DsaCommandError DsaCommands::check_event_log() const {
  const DsaEventLogConfig log = registers_.event_log();
  if (!log.enabled) return DsaCommandError::kSuccess;
  const std::uint64_t room = (~std::uint64_t{0} - log.base) / sizeof(DsaEvent) + 1;
  if (!registers_.has_event_log() || log.size < DsaEvlcfg::kMinSize || log.size > room) {
    return DsaCommandError::kEventLog;
  }
  const bool pasid = log.pasid_enable && !params_.pasid;
  const bool privileged = log.privileged && (!log.pasid_enable || !params_.privileged);
  return pasid || privileged ? DsaCommandError::kPasidConfiguration : DsaCommandError::kSuccess;
}

DsaCommandError DsaCommands::enable_queue(unsigned queue) {
  if (queue >= params_.queues) return DsaCommandError::kInvalidWq;
  if (registers_.state() != DsaDeviceState::kEnabled) return DsaCommandError::kDeviceNotEnabled;
  if (registers_.queue_state(queue) != DsaWqState::kDisabled) return DsaCommandError::kWqNotDisabled;
  const DsaQueueConfig config = registers_.queue_config(queue);
  if (config.size == 0) return DsaCommandError::kWqSizeZero;
  if (config.priority == 0) return DsaCommandError::kWqPriorityZero;
  if (!config.dedicated && !params_.shared_queues) return DsaCommandError::kWqMode;
  const bool page_requests =
      params_.page_requests && params_.ats && !config.ats_disable && !config.prs_disable;
  if (config.block_on_fault && !page_requests) return DsaCommandError::kWqBlockOnFault;
  if (config.pasid_enable ? !params_.pasid : !config.dedicated) return DsaCommandError::kWqPasid;
  if (config.max_batch > params_.max_batch) return DsaCommandError::kWqMaxBatch;
  if (config.max_transfer > params_.max_transfer) return DsaCommandError::kWqMaxTransfer;
  if (config.dedicated && config.pasid_enable && config.privileged && !params_.privileged) {
    return DsaCommandError::kWqPrivileged;
  }
  if (!registers_.occupancy_interrupt_valid(queue)) return DsaCommandError::kWqOccupancyInterrupt;
  if ((config.operations & ~registers_.operations()) != 0) return DsaCommandError::kWqOperations;
  // SPEC: [DSA 9.2]: faults on completion records have to go somewhere.
  if (config.prs_disable && (params_.version < 2 || !registers_.event_log().enabled)) {
    return DsaCommandError::kWqPrsDisable;
  }
  registers_.set_queue_state(queue, DsaWqState::kEnabled);
  target_.queue_enabled(queue);
  return DsaCommandError::kSuccess;
}

}  // namespace svasim
