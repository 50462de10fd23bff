// Create delta record, apply delta record.
#include <algorithm>
#include <cstring>

#include "models/dsa/operations/operation.h"

namespace svasim {

namespace {

using Access = DsaBuffer::Access;
using F = DsaFlags;

constexpr unsigned kEntry = DsaDeltaEntry::kBytes;
constexpr unsigned kGranule = DsaDeltaEntry::kGranule;

std::uint64_t largest(const DsaLimits& limits) {
  return std::min<std::uint64_t>(limits.max_transfer, DsaDeltaEntry::kMaxTransfer);
}

// SPEC: [DSA 8.3]; that sizes are multiples of an entry: [DML].
DsaCheck check_create(const DsaDescriptor& d, const DsaLimits& limits) {
  const auto operands = dsa_operands<DsaCreateDeltaOperands>(d);
  if ((operands.expected_results & ~7U) != 0) return {DsaStatus::kReservedField, 0};
  if (!dsa_size_ok(d, largest(limits))) return {DsaStatus::kTransferSize, 0};
  if (operands.max_delta_size < DsaDeltaEntry::kMinRecord || operands.max_delta_size % kEntry != 0) {
    return {DsaStatus::kFieldValue, 0};
  }
  if ((d.transfer_size | d.source | d.destination | operands.delta_address) % kGranule != 0) {
    return {DsaStatus::kAddressAlignment, 0};
  }
  for (const Addr source : {d.source, d.destination}) {
    if (dsa_overlap(source, d.transfer_size, operands.delta_address, operands.max_delta_size)) {
      return {DsaStatus::kOverlappingBuffers, 0};
    }
  }
  return {};
}

void plan_create(const DsaDescriptor& d, DsaPlan& plan) {
  const auto operands = dsa_operands<DsaCreateDeltaOperands>(d);
  plan.size = d.transfer_size;
  plan.add(Access::kRead, DsaOperandId::kSource, d.source, plan.size);
  plan.add(Access::kRead, DsaOperandId::kSource2, d.destination, plan.size);
  plan.add(Access::kEmit, DsaOperandId::kDestination, operands.delta_address, operands.max_delta_size);
}

void step_create(const DsaDescriptor& d, DsaRun& run, const DsaStep& step) {
  const std::uint32_t room = dsa_operands<DsaCreateDeltaOperands>(d).max_delta_size;
  for (unsigned i = 0; i < step.length && !run.stopped; i += kGranule) {
    if (std::memcmp(step.in[0] + i, step.in[1] + i, kGranule) == 0) continue;
    if (run.emitted + kEntry > room) {
      run.result = 2;
      return run.stop(step.position + i, DsaStatus::kSuccess);
    }
    run.result = 1;
    DsaEmit emit;
    emit.position = step.position + i;
    emit.offset = run.emitted;
    emit.length = kEntry;
    const auto place = static_cast<std::uint16_t>(emit.position / kGranule);
    std::memcpy(emit.data.data(), &place, sizeof place);
    std::memcpy(emit.data.data() + DsaDeltaEntry::kData, step.in[1] + i, kGranule);
    run.emits.push_back(emit);
    run.emitted += kEntry;
  }
}

void complete_create(const DsaDescriptor& d, const DsaRun& run, DsaCompletionRecord& record) {
  set_dsa_results(record, DsaDeltaResult{static_cast<std::uint32_t>(run.written), {}});
  if (record.code() != DsaStatus::kSuccess) return;
  record.result = run.result;
  dsa_check_result(d, ((dsa_operands<DsaCreateDeltaOperands>(d).expected_results >> run.result) & 1U) != 0,
                   record);
}

// SPEC: [DSA 8.3]
DsaCheck check_apply(const DsaDescriptor& d, const DsaLimits& limits) {
  const std::uint32_t size = dsa_operands<DsaApplyDeltaOperands>(d).delta_size;
  if (!dsa_size_ok(d, largest(limits))) return {DsaStatus::kTransferSize, 0};
  if (size < kEntry || size % kEntry != 0 || size > limits.max_transfer) return {DsaStatus::kFieldValue, 0};
  if ((d.transfer_size | d.source | d.destination) % kGranule != 0) return {DsaStatus::kAddressAlignment, 0};
  if (dsa_overlap(d.source, size, d.destination, d.transfer_size)) return {DsaStatus::kOverlappingBuffers, 0};
  return {};
}

void plan_apply(const DsaDescriptor& d, DsaPlan& plan) {
  plan.size = dsa_operands<DsaApplyDeltaOperands>(d).delta_size;
  plan.unit = kEntry;
  plan.add(Access::kRead, DsaOperandId::kSource, d.source, plan.size);
  plan.add(Access::kEmit, DsaOperandId::kDestination, d.destination, d.transfer_size);
}

// An entry may lie across two steps.
void step_apply(const DsaDescriptor& d, DsaRun& run, const DsaStep& step) {
  for (unsigned i = 0; i < step.length && !run.stopped; ++i) {
    run.carry[run.carried++] = step.in[0][i];
    if (run.carried != kEntry) continue;
    run.carried = 0;
    std::uint16_t place = 0;
    std::memcpy(&place, run.carry.data(), sizeof place);
    const std::uint64_t position = step.position + i + 1 - kEntry;
    if (place <= run.last_offset) return run.stop(position, DsaStatus::kDeltaOffsetOrder);
    if (std::uint64_t{place} * kGranule >= d.transfer_size) {
      return run.stop(position, DsaStatus::kDeltaOffsetRange);
    }
    run.last_offset = place;
    DsaEmit emit;
    emit.position = position;
    emit.offset = std::uint64_t{place} * kGranule;
    emit.length = kGranule;
    std::memcpy(emit.data.data(), run.carry.data() + DsaDeltaEntry::kData, kGranule);
    run.emits.push_back(emit);
    run.emitted += kGranule;
  }
}

}  // namespace

const DsaOperation kDsaDeltaOperations[2] = {
    {DsaOpcode::kCreateDelta, 1, true, true,
     kDsaWritingFlags | F::CHECK_RESULT::kMask | F::ADDRESS_1_TC::kMask | F::ADDRESS_2_TC::kMask |
         F::ADDRESS_3_TC::kMask,
     false, DsaStatus::kSuccess,
     [](const DsaDescriptor&) { return dsa_bytes(16, 35) | dsa_bytes(40, 51) | dsa_bytes(56, 56); },
     check_create, plan_create, nullptr, step_create, complete_create},
    {DsaOpcode::kApplyDelta, 1, true, false,
     kDsaWritingFlags | F::ADDRESS_1_TC::kMask | F::ADDRESS_2_TC::kMask, false, DsaStatus::kSuccess,
     [](const DsaDescriptor&) { return dsa_bytes(16, 35) | dsa_bytes(40, 43); }, check_apply, plan_apply,
     nullptr, step_apply, nullptr},
};

}  // namespace svasim
