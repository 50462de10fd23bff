#include "models/iommu/registers.h"

namespace svasim {

namespace {

std::uint32_t low(std::uint64_t word) { return static_cast<std::uint32_t>(word); }
std::uint32_t high(std::uint64_t word) { return static_cast<std::uint32_t>(word >> 32U); }
std::uint64_t with_half(std::uint64_t word, bool upper, std::uint32_t value) {
  return upper ? (word & 0xFFFFFFFFU) | (std::uint64_t{value} << 32U)
               : (word & ~std::uint64_t{0xFFFFFFFFU}) | value;
}

}  // namespace

std::uint32_t Registers::read_event(const EventRegisters& event, std::uint32_t index) {
  switch (index) {
    case 0:
      return event.control();
    case 1:
      return event.data();
    case 2:
      return event.address();
    default:
      return event.upper_address();
  }
}

void Registers::write_event(EventRegisters& event, std::uint32_t index, std::uint32_t value,
                            Effects& effects) {
  switch (index) {
    case 0:
      if (event.write_control(value)) {
        effects.message = event.message();
      }
      break;
    case 1:
      event.write_data(value);
      break;
    case 2:
      event.write_address(value);
      break;
    default:
      event.write_upper_address(value);
      break;
  }
}

std::uint32_t Registers::read32(std::uint32_t offset) const {
  using namespace vtd_reg;
  if (is_page_request_register(offset)) {
    return page_requests_ != nullptr ? page_requests_->read32(offset) : 0;
  }
  if (is_fault_record(offset)) {
    return faults_.read_record(offset - Capabilities::kFaultRecordOffset);
  }
  const bool upper = (offset & 4U) != 0;
  const auto half = [upper](std::uint64_t word) { return upper ? high(word) : low(word); };
  switch (offset) {
    case kVer:
      return capabilities_.version();
    case kCap:
    case kCap + 4:
      return half(capabilities_.cap());
    case kEcap:
    case kEcap + 4:
      return half(capabilities_.ecap());
    case kGsts:
      return status_;
    case kRtaddr:
    case kRtaddr + 4:
      return half(root_);
    case kFsts:
      return faults_.status();
    case kFectl:
    case kFedata:
    case kFeaddr:
    case kFeuaddr:
      return read_event(faults_.event(), (offset - kFectl) / 4);
    case kIqh:
      return low(queue_.head);
    case kIqt:
      return low(queue_.tail);
    case kIqa:
    case kIqa + 4: {
      const auto order = static_cast<unsigned>(queue_.size == 0 ? 0 : __builtin_ctzll(queue_.size) - 12);
      return half(queue_.base | VtdIqa::DW::make(queue_.wide) | VtdIqa::QS::make(order));
    }
    case kIcs:
      return wait_completed_;
    case kIectl:
    case kIedata:
    case kIeaddr:
    case kIeuaddr:
      return read_event(completion_event_, (offset - kIectl) / 4);
    case kIqercd:
    case kIqercd + 4:
      return half(queue_.error);
    case kCcmd:
    case kCcmd + 4:
      return half(invalidation_.context());
    case Capabilities::kIvaRegisterOffset:
    case Capabilities::kIvaRegisterOffset + 4:
      return half(invalidation_.address());
    case Capabilities::kIotlbRegisterOffset:
    case Capabilities::kIotlbRegisterOffset + 4:
      return half(invalidation_.translations());
    default:
      return 0;
  }
}

std::uint64_t Registers::read64(std::uint32_t offset) const {
  if (is_page_request_register(offset)) {
    return page_requests_ != nullptr ? page_requests_->read64(offset) : 0;
  }
  return read32(offset) | (std::uint64_t{read32(offset + 4)} << 32U);
}

Registers::Effects Registers::write64(std::uint32_t offset, std::uint64_t value) {
  if (is_page_request_register(offset)) {
    if (page_requests_ != nullptr) {
      page_requests_->write64(offset, value);
    }
    return {};
  }
  // At most one of the halves of a register sets something in motion.
  Effects effects = write32(offset, low(value));
  const Effects upper = write32(offset + 4, high(value));
  if (upper.invalidate) {
    effects.invalidate = upper.invalidate;
  }
  if (upper.message) {
    effects.message = upper.message;
  }
  return effects;
}

Registers::Effects Registers::write32(std::uint32_t offset, std::uint32_t value) {
  using namespace vtd_reg;
  Effects effects;
  if (is_page_request_register(offset)) {
    if (page_requests_ != nullptr) {
      page_requests_->write32(offset, value);
    }
    return effects;
  }
  if (is_fault_record(offset)) {
    faults_.write_record(offset - Capabilities::kFaultRecordOffset, value);
    return effects;
  }
  switch (offset) {
    case kGcmd:
      write_command(value, effects);
      break;
    case kRtaddr:
    case kRtaddr + 4:
      root_ = with_half(root_, offset != kRtaddr, value) &
              (VtdRtaddr::RTA::kMask | VtdRtaddr::TTM::kMask | VtdRtaddr::SSIRWE::kMask);
      break;
    case kFsts: {
      const bool stopped = faults_.has(VtdFsts::IQE::kMask | VtdFsts::ITE::kMask);
      faults_.write_status(value);
      effects.queue = stopped;
      break;
    }
    case kFectl:
    case kFedata:
    case kFeaddr:
    case kFeuaddr:
      write_event(faults_.event(), (offset - kFectl) / 4, value, effects);
      break;
    case kIqt:
      // Kept whole: a tail beyond the queue or misaligned is an error when it is used.
      queue_.tail = value & VtdIqTail::OFFSET::kMask;
      effects.queue = true;
      break;
    case kIqa:
      queue_.base = with_half(queue_.base, false, value) & VtdIqa::IQA::kMask;
      queue_.wide = VtdIqa::DW::get(value) != 0;
      queue_.size = VtdIqa::bytes(VtdIqa::QS::get(value));
      break;
    case kIqa + 4:
      queue_.base = with_half(queue_.base, true, value);
      break;
    case kIcs:
      if ((value & VtdIcs::IWC::kMask) != 0) {
        wait_completed_ = false;
        completion_event_.clear_pending();
      }
      break;
    case kIectl:
    case kIedata:
    case kIeaddr:
    case kIeuaddr:
      write_event(completion_event_, (offset - kIectl) / 4, value, effects);
      break;
    case kCcmd:
    case kCcmd + 4:
    case Capabilities::kIvaRegisterOffset:
    case Capabilities::kIvaRegisterOffset + 4:
    case Capabilities::kIotlbRegisterOffset:
    case Capabilities::kIotlbRegisterOffset + 4:
      write_invalidation(offset, value, effects);
      break;
    default:
      break;
  }
  return effects;
}

void Registers::write_invalidation(std::uint32_t offset, std::uint32_t value, Effects& effects) {
  const bool upper = (offset & 4U) != 0;
  using Command = RegisterInvalidation::Command;
  switch (offset & ~std::uint32_t{4}) {
    case vtd_reg::kCcmd:
      if (invalidation_.write_context(with_half(invalidation_.context(), upper, value))) {
        effects.invalidate = Command::kContext;
      }
      break;
    case Capabilities::kIotlbRegisterOffset:
      if (invalidation_.write_translations(with_half(invalidation_.translations(), upper, value))) {
        effects.invalidate = Command::kTranslations;
      }
      break;
    default:
      invalidation_.write_address(with_half(invalidation_.address(), upper, value));
      break;
  }
}

void Registers::write_command(std::uint32_t value, Effects& effects) {
  const auto set = [this](std::uint64_t mask, bool on) {
    status_ = on ? status_ | static_cast<std::uint32_t>(mask) : status_ & ~static_cast<std::uint32_t>(mask);
  };
  const bool was_translating = translation_enabled();
  if (VtdGcmd::SRTP::get(value) != 0) {
    set(VtdGsts::RTPS::kMask, false);
    effects.set_root = true;
  }
  const bool translate = VtdGcmd::TE::get(value) != 0;
  set(VtdGsts::TES::kMask, translate);
  if (was_translating && !translate) {
    effects.translation_off = true;
    faults_.reset_index();
  }
  const bool queue = VtdGcmd::QIE::get(value) != 0;
  if (queue != queue_enabled()) {
    set(VtdGsts::QIES::kMask, queue);
    if (queue) {
      effects.queue = true;
    } else {
      queue_.head = 0;
      effects.queue_off = true;
    }
  }
  // WBF, IRE, SIRTP and CFI belong to capabilities that are not offered.
}

RootPointer Registers::root_set() {
  status_ |= static_cast<std::uint32_t>(VtdGsts::RTPS::kMask);
  RootPointer root;
  root.table = VtdRtaddr::RTA::in_place(root_);
  root.mode = static_cast<TranslationMode>(VtdRtaddr::TTM::get(root_));
  // ECAP.SSIRWS is not offered.
  root.bad_fields = VtdRtaddr::SSIRWE::get(root_) != 0;
  return root;
}

std::optional<MsiMessage> Registers::invalidation_completed() {
  if (wait_completed_) {
    return {};
  }
  wait_completed_ = true;
  if (!completion_event_.raise()) {
    return {};
  }
  return completion_event_.message();
}

std::optional<MsiMessage> Registers::set_error(std::uint32_t status_bit) {
  if (!faults_.set_status(status_bit)) {
    return {};
  }
  return faults_.event().message();
}

std::optional<MsiMessage> Registers::queue_error(InvalidationQueueError error) {
  queue_.error = VtdIqercd::IQEI::set(queue_.error, static_cast<std::uint64_t>(error));
  return set_error(VtdFsts::IQE::kMask);
}

std::optional<MsiMessage> Registers::completion_error(RequesterId requester) {
  if (!faults_.has(VtdFsts::ICE::kMask)) {
    queue_.error = VtdIqercd::ICESID::set(queue_.error, requester.value());
  }
  return set_error(VtdFsts::ICE::kMask);
}

std::optional<MsiMessage> Registers::timeout_error(RequesterId requester) {
  queue_.error = VtdIqercd::ITESID::set(queue_.error, requester.value());
  return set_error(VtdFsts::ITE::kMask);
}

}  // namespace svasim
