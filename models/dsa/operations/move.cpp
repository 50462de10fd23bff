// Memory move, fill, copy with dualcast.
#include "base/pattern.h"
#include "models/dsa/operations/operation.h"

namespace svasim {

namespace {

using Access = DsaBuffer::Access;
using F = DsaFlags;

DsaCheck check_move(const DsaDescriptor& d, const DsaLimits& limits) {
  if (!dsa_size_ok(d, limits.max_transfer)) return {DsaStatus::kTransferSize, 0};
  if (!limits.overlapping_copy && dsa_overlap(d.source, d.transfer_size, d.destination, d.transfer_size)) {
    return {DsaStatus::kOverlappingBuffers, 0};
  }
  return {};
}

void plan_move(const DsaDescriptor& d, DsaPlan& plan) {
  plan.size = d.transfer_size;
  // SPEC: [DSA 8.3.3]: downwards only if the destination starts within the source.
  plan.downwards = d.destination > d.source && d.destination - d.source < plan.size;
  plan.add(Access::kRead, DsaOperandId::kSource, d.source, plan.size);
  plan.add(Access::kWrite, DsaOperandId::kDestination, d.destination, plan.size);
}

DsaCheck check_size(const DsaDescriptor& d, const DsaLimits& limits) {
  return {dsa_size_ok(d, limits.max_transfer) ? DsaStatus::kSuccess : DsaStatus::kTransferSize, 0};
}

void plan_fill(const DsaDescriptor& d, DsaPlan& plan) {
  plan.size = d.transfer_size;
  plan.add(Access::kWrite, DsaOperandId::kDestination, d.destination, plan.size);
}

// SPEC: [DSA 8.3]: the pattern starts at the destination's first byte.
void step_fill(const DsaDescriptor& d, DsaRun& /*run*/, const DsaStep& step) {
  const bool wide = d.flag<F::FILL_16_BYTES>();
  const std::uint64_t high = wide ? dsa_operands<DsaFillOperands>(d).pattern_high : d.source;
  fill_pattern(step.out, step.length, d.source, high, step.position);
}

// SPEC: [DSA 8.3]
DsaCheck check_dualcast(const DsaDescriptor& d, const DsaLimits& limits) {
  if (!dsa_size_ok(d, limits.max_transfer)) return {DsaStatus::kTransferSize, 0};
  const Addr second = dsa_operands<DsaDualcastOperands>(d).destination_2;
  if ((d.destination ^ second) % kPageSize != 0) return {DsaStatus::kDualcastAlignment, 0};
  const std::uint64_t size = d.transfer_size;
  if (dsa_overlap(d.source, size, d.destination, size) || dsa_overlap(d.source, size, second, size) ||
      dsa_overlap(d.destination, size, second, size)) {
    return {DsaStatus::kOverlappingBuffers, 0};
  }
  return {};
}

void plan_dualcast(const DsaDescriptor& d, DsaPlan& plan) {
  plan.size = d.transfer_size;
  plan.add(Access::kRead, DsaOperandId::kSource, d.source, plan.size);
  plan.add(Access::kWrite, DsaOperandId::kDestination, d.destination, plan.size);
  plan.add(Access::kWrite, DsaOperandId::kDestination2, dsa_operands<DsaDualcastOperands>(d).destination_2,
           plan.size);
}

}  // namespace

const DsaOperation kDsaMoveOperations[3] = {
    {DsaOpcode::kMemmove, 1, true, false, kDsaWritingFlags | F::ADDRESS_1_TC::kMask | F::ADDRESS_2_TC::kMask,
     false, DsaStatus::kSuccess, [](const DsaDescriptor&) { return dsa_bytes(16, 35); }, check_move,
     plan_move, nullptr, nullptr, nullptr},
    {DsaOpcode::kFill, 1, true, false, kDsaWritingFlags | F::ADDRESS_2_TC::kMask | F::FILL_16_BYTES::kMask,
     false, DsaStatus::kSuccess,
     [](const DsaDescriptor& d) {
       return dsa_bytes(16, 35) | (d.flag<F::FILL_16_BYTES>() ? dsa_bytes(40, 47) : 0);
     },
     check_size, plan_fill, nullptr, step_fill, nullptr},
    {DsaOpcode::kDualcast, 1, true, false,
     kDsaWritingFlags | F::ADDRESS_1_TC::kMask | F::ADDRESS_2_TC::kMask | F::ADDRESS_3_TC::kMask, false,
     DsaStatus::kSuccess, [](const DsaDescriptor&) { return dsa_bytes(16, 35) | dsa_bytes(40, 47); },
     check_dualcast, plan_dualcast, nullptr, nullptr, nullptr},
};

}  // namespace svasim
