#include "models/dsa/dsa_commands.h"

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

bool DsaCommands::finish(DsaCommandError error) {
  active_ = false;
  waiting_ = false;
  registers_.set_command_status(
      static_cast<std::uint32_t>(DsaCmdstatus::ERROR::make(static_cast<std::uint64_t>(error))));
  return true;
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
  queues_ = 0;
  const std::uint64_t all = low_bits(params_.queues);
  const auto discard = [this](unsigned queue) { target_.discard(queue); };
  switch (code_) {
    case DsaCommand::kEnableDevice:
      return finish(enable_device());
    case DsaCommand::kDisableDevice:
      if (registers_.state() != DsaDeviceState::kEnabled) return finish(DsaCommandError::kDisableNotEnabled);
      registers_.set_state(DsaDeviceState::kBusy);
      stop_queues(all);
      queues_ = all;
      break;
    case DsaCommand::kAbortAll:
      for_each(all, discard);
      queues_ = all;
      break;
    case DsaCommand::kDrainAll:
      queues_ = all;
      break;
    case DsaCommand::kResetDevice:
      if (registers_.state() == DsaDeviceState::kEnabled) registers_.set_state(DsaDeviceState::kBusy);
      stop_queues(all);
      for_each(all, discard);
      queues_ = all;
      break;
    case DsaCommand::kEnableWq:
      if ((operand_ >> 8U) != 0) return finish(DsaCommandError::kReservedField);
      return finish(enable_queue(operand_ & 0xFFU));
    case DsaCommand::kDisableWq:
    case DsaCommand::kDrainWq:
    case DsaCommand::kAbortWq:
    case DsaCommand::kResetWq: {
      if (!queues_of_operand(queues_)) return finish(DsaCommandError::kInvalidWq);
      if (code_ != DsaCommand::kResetWq) {
        const DsaCommandError error = check_enabled(queues_);
        if (error != DsaCommandError::kSuccess) return finish(error);
      }
      if (code_ == DsaCommand::kDisableWq || code_ == DsaCommand::kResetWq) stop_queues(queues_);
      if (code_ == DsaCommand::kAbortWq || code_ == DsaCommand::kResetWq) for_each(queues_, discard);
      break;
    }
    case DsaCommand::kAbortPasid:
      target_.discard_of(Pasid(operand_));
      break;
    case DsaCommand::kDrainPasid:
      break;
    default:
      return finish(DsaCommandError::kUnsupportedCommand);
  }
  waiting_ = true;
  return progress();
}

bool DsaCommands::drained() const {
  if (code_ == DsaCommand::kDrainPasid || code_ == DsaCommand::kAbortPasid) {
    return target_.pending_of(Pasid(operand_)) == 0;
  }
  bool drained = true;
  for_each(queues_, [&](unsigned queue) { drained = drained && target_.pending(queue) == 0; });
  return drained;
}

bool DsaCommands::progress() {
  if (!active_ || !waiting_ || !drained()) {
    return false;
  }
  switch (code_) {
    case DsaCommand::kDisableDevice:
      registers_.set_state(DsaDeviceState::kDisabled);
      [[fallthrough]];
    case DsaCommand::kDisableWq:
      for_each(queues_, [&](unsigned queue) { registers_.set_queue_state(queue, DsaWqState::kDisabled); });
      break;
    case DsaCommand::kResetWq:
      for_each(queues_, [&](unsigned queue) { registers_.reset_queue(queue); });
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
    // SPEC: [DSA 9.2]: at least four per engine, and no more than there are.
    if (group_engines != 0 && (allowed < 4U * static_cast<unsigned>(__builtin_popcountll(group_engines)) ||
                               allowed > params_.read_buffers)) {
      return DsaCommandError::kReadBuffers;
    }
    queues |= group_queues;
    engines |= group_engines;
  }
  if (queues != active) return DsaCommandError::kGroupWqs;
  registers_.set_state(DsaDeviceState::kEnabled);
  target_.device_enabled();
  return DsaCommandError::kSuccess;
}

DsaCommandError DsaCommands::enable_queue(unsigned queue) {
  if (queue >= params_.queues) return DsaCommandError::kInvalidWq;
  if (registers_.state() != DsaDeviceState::kEnabled) return DsaCommandError::kDeviceNotEnabled;
  if (registers_.queue_state(queue) != DsaWqState::kDisabled) return DsaCommandError::kWqNotDisabled;
  const DsaQueueConfig config = registers_.queue_config(queue);
  if (config.size == 0) return DsaCommandError::kWqSizeZero;
  if (config.priority == 0) return DsaCommandError::kWqPriorityZero;
  if (!config.dedicated) return DsaCommandError::kWqMode;
  const bool page_requests =
      params_.page_requests && params_.ats && !config.ats_disable && !config.prs_disable;
  if (config.block_on_fault && !page_requests) return DsaCommandError::kWqBlockOnFault;
  if (config.max_batch > params_.max_batch) return DsaCommandError::kWqMaxBatch;
  if (config.max_transfer > params_.max_transfer) return DsaCommandError::kWqMaxTransfer;
  if ((config.operations & ~registers_.operations()) != 0) return DsaCommandError::kWqOperations;
  registers_.set_queue_state(queue, DsaWqState::kEnabled);
  target_.queue_enabled(queue);
  return DsaCommandError::kSuccess;
}

}  // namespace svasim
