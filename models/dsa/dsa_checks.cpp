#include "models/dsa/dsa_checks.h"

#include <cstring>

namespace svasim {

namespace {

using F = DsaFlags;

// SPEC: [DSA Table 5-3, 9.2]: features that came with version 2.
std::uint64_t missing_features(DsaOpcode opcode, unsigned version) {
  if (version >= 2) return 0;
  switch (opcode) {
    case DsaOpcode::kBatch:
      return F::BATCH_ERROR::kMask;
    case DsaOpcode::kFill:
      return F::FILL_16_BYTES::kMask;
    case DsaOpcode::kCrcGeneration:
    case DsaOpcode::kCopyCrc:
      return F::CRC64::kMask;
    default:
      return 0;
  }
}

std::uint32_t allowed_flags(const DsaDescriptor& descriptor, const DsaOperation& operation,
                            const DsaQueueConfig& queue, const DsaCheckContext& context) {
  std::uint64_t allowed = F::COMPLETION_ADDRESS_VALID::kMask | F::COMPLETION_RECORD_TC::kMask |
                          (operation.flags & ~missing_features(operation.opcode, context.version));
  if (descriptor.flag<F::COMPLETION_ADDRESS_VALID>()) allowed |= F::REQUEST_COMPLETION_RECORD::kMask;
  if (context.user_interrupts || !context.has_pasid || context.privileged) {
    allowed |= F::REQUEST_COMPLETION_INTERRUPT::kMask;
  }
  if (context.in_batch) allowed |= F::FENCE::kMask;
  if (operation.blocks_on_fault && queue.block_on_fault) allowed |= F::BLOCK_ON_FAULT::kMask;
  return static_cast<std::uint32_t>(allowed);
}

// Flags that are not what they have to be, 1 or 0.
std::uint32_t wrong_flags(const DsaDescriptor& descriptor, const DsaOperation& operation,
                          const DsaQueueConfig& queue, const DsaCheckContext& context) {
  const std::uint32_t flags = descriptor.flags();
  std::uint64_t wrong = flags & ~allowed_flags(descriptor, operation, queue, context);
  if (operation.needs_record) {
    wrong |= ~flags & (F::COMPLETION_ADDRESS_VALID::kMask | F::REQUEST_COMPLETION_RECORD::kMask);
  }
  // SPEC: [DSA 8.3]: a drain nobody hears of is none.
  const std::uint64_t heard = F::REQUEST_COMPLETION_RECORD::kMask | F::REQUEST_COMPLETION_INTERRUPT::kMask;
  if (operation.opcode == DsaOpcode::kDrain && (flags & heard) == 0) wrong |= heard;
  return static_cast<std::uint32_t>(wrong);
}

bool reserved_fields_clear(const DsaDescriptor& d, const DsaOperation& operation) {
  if (DsaDescriptor::RESERVED_PASID::get(d.pasid_and_privilege) != 0 || d.reserved != 0) return false;
  std::array<std::uint8_t, sizeof(DsaDescriptor)> bytes{};
  std::memcpy(bytes.data(), &d, sizeof d);
  const std::uint64_t used = operation.used(d) | dsa_bytes(0, 15) | dsa_bytes(36, 37);
  for (unsigned i = 0; i < bytes.size(); ++i) {
    if (bytes[i] != 0 && ((used >> i) & 1U) == 0) return false;
  }
  return true;
}

// SPEC: [DSA 8.3]: not within a batch; translations only where there are any to fetch.
bool out_of_place(DsaOpcode opcode, const DsaCheckContext& context) {
  if (opcode == DsaOpcode::kBatch || opcode == DsaOpcode::kDrain) return context.in_batch;
  return opcode == DsaOpcode::kTranslationFetch && !context.translates;
}

// SPEC: [DSA 9.2]
bool interrupt_allowed(const DsaCheckContext& context) {
  if (!context.interrupt_handle) {
    return false;
  }
  const bool with_pasid = DsaMsixperm::PASID_ENABLE::get(context.permission) != 0;
  return with_pasid == context.has_pasid &&
         (!with_pasid || DsaMsixperm::PASID::get(context.permission) == context.pasid.value());
}

}  // namespace

DsaCheck check_descriptor(const DsaDescriptor& descriptor, const DsaQueueConfig& queue,
                          const DsaCheckContext& context) {
  // SPEC: [DSA 5]: a misaligned record cannot be reported in that record.
  if (descriptor.flag<F::COMPLETION_ADDRESS_VALID>() &&
      descriptor.completion_address % kDsaCompletionRecordAlignment != 0) {
    return {DsaStatus::kCompletionRecordAlignment, 0};
  }
  // SPEC: [DSA 5]: only a shared queue takes the privilege from the descriptor.
  if (!queue.dedicated && context.privileged && !context.privilege_allowed) {
    return {DsaStatus::kPrivilege, 0};
  }
  const auto opcode = static_cast<unsigned>(descriptor.opcode());
  const DsaOperation* operation = dsa_operation(descriptor.opcode());
  if (operation == nullptr || ((queue.operations >> opcode) & 1U) == 0 ||
      out_of_place(descriptor.opcode(), context)) {
    return {DsaStatus::kBadOpcode, 0};
  }
  const std::uint32_t wrong = wrong_flags(descriptor, *operation, queue, context);
  if (wrong != 0) {
    return {DsaStatus::kInvalidFlags, wrong};
  }
  if (!reserved_fields_clear(descriptor, *operation)) {
    return {DsaStatus::kReservedField, 0};
  }
  const DsaCheck check =
      operation->check(descriptor, {queue.max_transfer, queue.max_batch, context.overlapping_copy});
  if (check.status != DsaStatus::kSuccess) {
    return check;
  }
  if (descriptor.flag<F::REQUEST_COMPLETION_INTERRUPT>() && !interrupt_allowed(context)) {
    return {DsaStatus::kInterruptHandle, 0};
  }
  return {};
}

}  // namespace svasim
