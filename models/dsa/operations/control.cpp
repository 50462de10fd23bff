// No-op, batch, drain, translation fetch, cache flush: no data of their own.
#include <cstring>

#include "base/bits.h"
#include "models/dsa/operations/operation.h"

namespace svasim {

namespace {

using Access = DsaBuffer::Access;
using F = DsaFlags;

void plan_batch(const DsaDescriptor& d, DsaPlan& plan) {
  plan.size = std::uint64_t{d.transfer_size} * sizeof(DsaDescriptor);
  plan.unit = sizeof(DsaDescriptor);
  plan.add(Access::kRead, DsaOperandId::kSource, d.source, plan.size);
}

// SPEC: [DSA 8.3]
DsaCheck check_batch(const DsaDescriptor& d, const DsaLimits& limits) {
  if (d.transfer_size < 2 || d.transfer_size > limits.max_batch) return {DsaStatus::kDescriptorCount, 0};
  if (d.source % sizeof(DsaDescriptor) != 0) return {DsaStatus::kDescriptorListAlignment, 0};
  return {};
}

// A list is aligned like its descriptors, so that a step holds whole ones.
void step_batch(const DsaDescriptor& /*d*/, DsaRun& run, const DsaStep& step) {
  for (unsigned at = 0; at < step.length; at += sizeof(DsaDescriptor)) {
    run.members.emplace_back();
    std::memcpy(&run.members.back(), step.in[0] + at, sizeof(DsaDescriptor));
  }
}

// MODEL: a readback reads one byte.
void plan_drain(const DsaDescriptor& d, DsaPlan& plan) {
  plan.counted = DsaPlan::kMaxBuffers;
  if (d.flag<F::READBACK_1>()) {
    plan.add(Access::kRead, DsaOperandId::kSource, d.source, 1, plan.size++);
  }
  if (d.flag<F::READBACK_2>()) {
    plan.add(Access::kRead, DsaOperandId::kSource2, d.destination, 1, plan.size++);
  }
}

// SPEC: [DSA 8.3]
DsaCheck check_translation_fetch(const DsaDescriptor& d, const DsaLimits& limits) {
  if (!dsa_size_ok(d, limits.max_transfer)) return {DsaStatus::kTransferSize, 0};
  const std::uint64_t stride = dsa_operands<DsaTranslationFetchOperands>(d).stride;
  if (d.flag<F::USE_STRIDE>() && (stride < kPageSize || !is_power_of_two(stride))) {
    return {DsaStatus::kAddressAlignment, 0};
  }
  return {};
}

void plan_translation_fetch(const DsaDescriptor& d, DsaPlan& plan) {
  plan.size = d.transfer_size;
  DsaBuffer& region = plan.add(Access::kTouch, DsaOperandId::kSource, d.source, plan.size);
  if (d.flag<F::USE_STRIDE>()) region.stride = dsa_operands<DsaTranslationFetchOperands>(d).stride;
}

// MODEL: a flush needs the right to write, as the address is that of a destination.
void plan_cache_flush(const DsaDescriptor& d, DsaPlan& plan) {
  plan.size = d.transfer_size;
  plan.add(Access::kTouch, DsaOperandId::kDestination, d.destination, plan.size).write = true;
}

constexpr DsaStatus kUsual = DsaStatus::kSuccess;

}  // namespace

const DsaOperation kDsaControlOperations[5] = {
    {DsaOpcode::kNoop, 1, false, false, 0, false, kUsual,
     [](const DsaDescriptor&) { return std::uint64_t{0}; },
     [](const DsaDescriptor&, const DsaLimits&) { return DsaCheck(); }, [](const DsaDescriptor&, DsaPlan&) {},
     nullptr, nullptr, nullptr},
    {DsaOpcode::kBatch, 1, false, false, F::ADDRESS_1_TC::kMask | F::BATCH_ERROR::kMask, true,
     DsaStatus::kBatchPageFault, [](const DsaDescriptor&) { return dsa_bytes(16, 23) | dsa_bytes(32, 35); },
     check_batch, plan_batch, nullptr, step_batch, nullptr},
    {DsaOpcode::kDrain, 1, false, false,
     F::ADDRESS_1_TC::kMask | F::ADDRESS_2_TC::kMask | F::READBACK_1::kMask | F::READBACK_2::kMask |
         F::SUPPRESS_READBACK_A::kMask | F::SUPPRESS_READBACK_B::kMask,
     true, DsaStatus::kDrainReadbackFault,
     [](const DsaDescriptor& d) {
       return (d.flag<F::READBACK_1>() ? dsa_bytes(16, 23) : 0) |
              (d.flag<F::READBACK_2>() ? dsa_bytes(24, 31) : 0);
     },
     [](const DsaDescriptor&, const DsaLimits&) { return DsaCheck(); }, plan_drain, nullptr, nullptr,
     nullptr},
    {DsaOpcode::kTranslationFetch, 2, true, false, F::ADDRESS_1_TC::kMask | F::USE_STRIDE::kMask, false,
     kUsual,
     [](const DsaDescriptor& d) {
       return dsa_bytes(16, 23) | dsa_bytes(32, 35) | (d.flag<F::USE_STRIDE>() ? dsa_bytes(48, 55) : 0);
     },
     check_translation_fetch, plan_translation_fetch, nullptr, nullptr, nullptr},
    {DsaOpcode::kCacheFlush, 1, true, false, F::ADDRESS_2_TC::kMask | F::CACHE_CONTROL_1::kMask, false,
     kUsual, [](const DsaDescriptor&) { return dsa_bytes(24, 35); },
     [](const DsaDescriptor& d, const DsaLimits& limits) {
       return DsaCheck{dsa_size_ok(d, limits.max_transfer) ? kUsual : DsaStatus::kTransferSize, 0};
     },
     plan_cache_flush, nullptr, nullptr, nullptr},
};

}  // namespace svasim
