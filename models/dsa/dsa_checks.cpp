#include "models/dsa/dsa_checks.h"

#include <algorithm>

namespace svasim {

namespace {

bool all_zero(const std::uint8_t* bytes, std::size_t count) {
  return std::all_of(bytes, bytes + count, [](std::uint8_t byte) { return byte == 0; });
}

bool is_data_operation(DsaOpcode opcode) {
  return opcode == DsaOpcode::kMemmove || opcode == DsaOpcode::kFill;
}

std::uint32_t allowed_flags(const DsaDescriptor& descriptor, const DsaQueueConfig& queue,
                            const DsaCheckContext& context) {
  using F = DsaFlags;
  std::uint64_t allowed = F::COMPLETION_ADDRESS_VALID::kMask | F::COMPLETION_RECORD_TC::kMask;
  if (descriptor.flag<F::COMPLETION_ADDRESS_VALID>()) {
    allowed |= F::REQUEST_COMPLETION_RECORD::kMask;
  }
  if (context.user_interrupts || !queue.pasid_enable || queue.privileged) {
    allowed |= F::REQUEST_COMPLETION_INTERRUPT::kMask;
  }
  if (is_data_operation(descriptor.opcode())) {
    allowed |= F::CACHE_CONTROL_1::kMask | F::STRICT_ORDERING::kMask | F::ADDRESS_2_TC::kMask;
    if (descriptor.opcode() == DsaOpcode::kMemmove) allowed |= F::ADDRESS_1_TC::kMask;
    if (queue.block_on_fault) allowed |= F::BLOCK_ON_FAULT::kMask;
  }
  return static_cast<std::uint32_t>(allowed);
}

bool reserved_fields_clear(const DsaDescriptor& d) {
  if (DsaDescriptor::RESERVED_PASID::get(d.pasid_and_privilege) != 0 || d.reserved != 0 ||
      !all_zero(d.specific.data(), d.specific.size())) {
    return false;
  }
  return d.opcode() != DsaOpcode::kNoop || (d.source == 0 && d.destination == 0 && d.transfer_size == 0);
}

bool overlap(Addr a, Addr b, std::uint64_t size) { return a < b ? b - a < size : a - b < size; }

// SPEC: [DSA 9.2]
bool interrupt_allowed(const DsaDescriptor& descriptor, const DsaQueueConfig& queue,
                       const DsaCheckContext& context) {
  if (descriptor.interrupt_handle >= context.interrupts) {
    return false;
  }
  const bool with_pasid = DsaMsixperm::PASID_ENABLE::get(context.permission) != 0;
  return with_pasid == queue.pasid_enable &&
         (!with_pasid || DsaMsixperm::PASID::get(context.permission) == queue.pasid.value());
}

}  // namespace

DsaCheck check_descriptor(const DsaDescriptor& descriptor, const DsaQueueConfig& queue,
                          const DsaCheckContext& context) {
  using F = DsaFlags;
  const auto opcode = static_cast<unsigned>(descriptor.opcode());
  // SPEC: [DSA 5]: a misaligned record cannot be reported in that record.
  if (descriptor.flag<F::COMPLETION_ADDRESS_VALID>() &&
      descriptor.completion_address % kDsaCompletionRecordAlignment != 0) {
    return {DsaStatus::kCompletionRecordAlignment, 0};
  }
  if (opcode >= 64 || ((queue.operations >> opcode) & 1U) == 0) {
    return {DsaStatus::kBadOpcode, 0};
  }
  const std::uint32_t invalid = descriptor.flags() & ~allowed_flags(descriptor, queue, context);
  if (invalid != 0) {
    return {DsaStatus::kInvalidFlags, invalid};
  }
  if (!reserved_fields_clear(descriptor)) {
    return {DsaStatus::kReservedField, 0};
  }
  if (is_data_operation(descriptor.opcode()) &&
      (descriptor.transfer_size == 0 || descriptor.transfer_size > queue.max_transfer)) {
    return {DsaStatus::kTransferSize, 0};
  }
  if (descriptor.opcode() == DsaOpcode::kMemmove && !context.overlapping_copy &&
      overlap(descriptor.source, descriptor.destination, descriptor.transfer_size)) {
    return {DsaStatus::kOverlappingBuffers, 0};
  }
  if (descriptor.flag<F::REQUEST_COMPLETION_INTERRUPT>() && !interrupt_allowed(descriptor, queue, context)) {
    return {DsaStatus::kInterruptHandle, 0};
  }
  return {};
}

}  // namespace svasim
