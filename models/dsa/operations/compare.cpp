// Compare, compare pattern.
#include "models/dsa/operations/operation.h"

namespace svasim {

namespace {

using Access = DsaBuffer::Access;
using F = DsaFlags;

// SPEC: [DSA 8.3]
DsaCheck check_compare(const DsaDescriptor& d, const DsaLimits& limits) {
  if ((dsa_operands<DsaCompareOperands>(d).expected_result & ~1U) != 0) return {DsaStatus::kReservedField, 0};
  return {dsa_size_ok(d, limits.max_transfer) ? DsaStatus::kSuccess : DsaStatus::kTransferSize, 0};
}

void differ(DsaRun& run, std::uint64_t position) {
  run.result = 1;
  run.stop(position, DsaStatus::kSuccess);
}

void step_compare(const DsaDescriptor& /*d*/, DsaRun& run, const DsaStep& step) {
  for (unsigned i = 0; i < step.length; ++i) {
    if (step.in[0][i] != step.in[1][i]) return differ(run, step.position + i);
  }
}

void step_pattern(const DsaDescriptor& d, DsaRun& run, const DsaStep& step) {
  for (unsigned i = 0; i < step.length; ++i) {
    const auto wanted =
        static_cast<unsigned char>(d.destination >> (8 * ((step.position + i) % sizeof d.destination)));
    if (step.in[0][i] != wanted) return differ(run, step.position + i);
  }
}

void complete_compare(const DsaDescriptor& d, const DsaRun& run, DsaCompletionRecord& record) {
  if (record.code() != DsaStatus::kSuccess) return;
  record.result = run.result;
  dsa_check_result(d, run.result == (dsa_operands<DsaCompareOperands>(d).expected_result & 1U), record);
}

}  // namespace

const DsaOperation kDsaCompareOperations[2] = {
    {DsaOpcode::kCompare, 1, true, true,
     F::CHECK_RESULT::kMask | F::ADDRESS_1_TC::kMask | F::ADDRESS_2_TC::kMask, false, DsaStatus::kSuccess,
     [](const DsaDescriptor&) { return dsa_bytes(16, 35) | dsa_bytes(40, 40); }, check_compare,
     [](const DsaDescriptor& d, DsaPlan& plan) {
       plan.size = d.transfer_size;
       plan.add(Access::kRead, DsaOperandId::kSource, d.source, plan.size);
       plan.add(Access::kRead, DsaOperandId::kSource2, d.destination, plan.size);
     },
     nullptr, step_compare, complete_compare},
    {DsaOpcode::kComparePattern, 1, true, true, F::CHECK_RESULT::kMask | F::ADDRESS_1_TC::kMask, false,
     DsaStatus::kSuccess, [](const DsaDescriptor&) { return dsa_bytes(16, 35) | dsa_bytes(40, 40); },
     check_compare,
     [](const DsaDescriptor& d, DsaPlan& plan) {
       plan.size = d.transfer_size;
       plan.add(Access::kRead, DsaOperandId::kSource, d.source, plan.size);
     },
     nullptr, step_pattern, complete_compare},
};

}  // namespace svasim
