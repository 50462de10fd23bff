// CRC generation, copy with CRC.
#include "models/dsa/operations/crc.h"

#include <cstring>

#include "models/dsa/operations/operation.h"

namespace svasim {

namespace {

using Access = DsaBuffer::Access;
using F = DsaFlags;

// SPEC: [DSA 8.3]: that of RFC 3720, and that of NVMe.
constexpr CrcTable<std::uint32_t> kCrc32(0x1EDC6F41);
constexpr CrcTable<std::uint64_t> kCrc64(0xAD93D23594C93659);

constexpr std::array<unsigned char, 256> make_reflections() {
  std::array<unsigned char, 256> all{};
  for (unsigned i = 0; i < all.size(); ++i) all[i] = reflected(static_cast<unsigned char>(i));
  return all;
}
constexpr std::array<unsigned char, 256> kReflections = make_reflections();

unsigned seed_bytes(const DsaDescriptor& d) { return d.flag<F::CRC64>() ? 8 : 4; }

// Between the value that software sees and the remainder as it is computed. Its own inverse.
std::uint64_t converted(const DsaDescriptor& d, std::uint64_t value) {
  if (!d.flag<F::CRC64>()) value &= 0xFFFFFFFF;
  if (d.flag<F::BYPASS_CRC_REFLECTION>()) return value;
  return d.flag<F::CRC64>()
             ? ~reflected(value)
             : std::uint64_t{static_cast<std::uint32_t>(~reflected(static_cast<std::uint32_t>(value)))};
}

DsaCheck check_crc(const DsaDescriptor& d, const DsaLimits& limits) {
  return {dsa_size_ok(d, limits.max_transfer) ? DsaStatus::kSuccess : DsaStatus::kTransferSize, 0};
}

DsaCheck check_copy_crc(const DsaDescriptor& d, const DsaLimits& limits) {
  if (!dsa_size_ok(d, limits.max_transfer)) return {DsaStatus::kTransferSize, 0};
  const bool overlap = dsa_overlap(d.source, d.transfer_size, d.destination, d.transfer_size);
  return {overlap ? DsaStatus::kOverlappingBuffers : DsaStatus::kSuccess, 0};
}

std::uint64_t used_of(const DsaDescriptor& d) {
  const std::uint64_t seed = d.flag<F::READ_CRC_SEED>() ? dsa_bytes(48, 55)
                             : d.flag<F::CRC64>()       ? dsa_bytes(40, 47)
                                                        : dsa_bytes(40, 43);
  return dsa_bytes(16, 23) | dsa_bytes(32, 35) | seed;
}

void plan_crc(const DsaDescriptor& d, DsaPlan& plan) {
  if (d.flag<F::READ_CRC_SEED>()) plan.begin = seed_bytes(d);
  plan.size = plan.begin + d.transfer_size;
  plan.add(Access::kRead, DsaOperandId::kSource, d.source, d.transfer_size, plan.begin);
  if (d.flag<F::READ_CRC_SEED>()) {
    plan.add(Access::kRead, DsaOperandId::kSource2, dsa_operands<DsaCrcOperands>(d).seed_address, plan.begin);
  }
}

void plan_copy_crc(const DsaDescriptor& d, DsaPlan& plan) {
  plan_crc(d, plan);
  plan.add(Access::kWrite, DsaOperandId::kDestination, d.destination, d.transfer_size, plan.begin);
}

void begin_crc(const DsaDescriptor& d, DsaRun& run) {
  run.crc = converted(d, dsa_operands<DsaCrcOperands>(d).seed);
}

void step_crc(const DsaDescriptor& d, DsaRun& run, const DsaStep& step) {
  const unsigned prelude = d.flag<F::READ_CRC_SEED>() ? seed_bytes(d) : 0;
  if (step.position < prelude) {
    std::memcpy(run.carry.data() + step.position, step.in[1], step.length);
    std::uint64_t seed = 0;
    std::memcpy(&seed, run.carry.data(), prelude);
    run.crc = converted(d, seed);
    return;
  }
  const bool plain = d.flag<F::BYPASS_DATA_REFLECTION>();
  const auto byte = [&](unsigned i) { return plain ? step.in[0][i] : kReflections[step.in[0][i]]; };
  if (d.flag<F::CRC64>()) {
    for (unsigned i = 0; i < step.length; ++i) run.crc = kCrc64.next(run.crc, byte(i));
  } else {
    auto crc = static_cast<std::uint32_t>(run.crc);
    for (unsigned i = 0; i < step.length; ++i) crc = kCrc32.next(crc, byte(i));
    run.crc = crc;
  }
}

// SPEC: [DSA 8.2]: after a fault, the seed to go on with.
void complete_crc(const DsaDescriptor& d, const DsaRun& run, DsaCompletionRecord& record) {
  set_dsa_results(record, DsaCrcResult{converted(d, run.crc), 0});
}

constexpr std::uint64_t kFlags = F::ADDRESS_1_TC::kMask | F::ADDRESS_3_TC::kMask | F::READ_CRC_SEED::kMask |
                                 F::BYPASS_CRC_REFLECTION::kMask | F::BYPASS_DATA_REFLECTION::kMask |
                                 F::CRC64::kMask;

}  // namespace

const DsaOperation kDsaCrcOperations[2] = {
    {DsaOpcode::kCrcGeneration, 1, true, true, kFlags, false, DsaStatus::kSuccess, used_of, check_crc,
     plan_crc, begin_crc, step_crc, complete_crc},
    {DsaOpcode::kCopyCrc, 1, true, true, kFlags | kDsaWritingFlags | F::ADDRESS_2_TC::kMask, false,
     DsaStatus::kSuccess, [](const DsaDescriptor& d) { return used_of(d) | dsa_bytes(24, 31); },
     check_copy_crc, plan_copy_crc, begin_crc, step_crc, complete_crc},
};

}  // namespace svasim
