// DIF check, insert, strip, update, and DIX generate. SPEC: [DSA 8.1, 8.3]
//
// Behind each block of data stands its Data Integrity Field: guard (CRC of the block), application
// tag, reference tag; big endian. What flags mean in detail: [DML].
#include <cstring>

#include "models/dsa/operations/crc.h"
#include "models/dsa/operations/operation.h"

namespace svasim {

namespace {

using Access = DsaBuffer::Access;
using F = DsaFlags;
using Source = DsaDifSourceFlags;
using Destination = DsaDifDestinationFlags;
using Field8 = std::array<unsigned char, DsaDifFlags::kFieldBytes>;

constexpr CrcTable<std::uint16_t> kCrc16(0x8BB7);
constexpr unsigned kField = DsaDifFlags::kFieldBytes;

unsigned block_of(const DsaDescriptor& d) {
  return DsaDifFlags::kBlockSizes[DsaDifFlags::BLOCK_SIZE::get(dsa_operands<DsaDifOperands>(d).flags)];
}
bool has_source_field(DsaOpcode opcode) {
  return opcode == DsaOpcode::kDifCheck || opcode == DsaOpcode::kDifStrip || opcode == DsaOpcode::kDifUpdate;
}
// Bytes of the source per block.
unsigned source_unit(const DsaDescriptor& d) {
  return block_of(d) + (has_source_field(d.opcode()) ? kField : 0);
}

DsaDifTags source_tags(const DsaDifOperands& o, std::uint64_t block) {
  DsaDifTags tags = o.source;
  if (Source::REFERENCE_FIXED::get(o.source_flags) == 0) tags.reference += static_cast<std::uint32_t>(block);
  if (Source::APPLICATION_INCREMENTS::get(o.source_flags) != 0) {
    tags.application = static_cast<std::uint16_t>(tags.application + block);
  }
  return tags;
}
DsaDifTags destination_tags(const DsaDifOperands& o, std::uint64_t block) {
  DsaDifTags tags = o.destination;
  if (Destination::REFERENCE_FIXED::get(o.destination_flags) == 0) {
    tags.reference += static_cast<std::uint32_t>(block);
  }
  if (Destination::APPLICATION_INCREMENTS::get(o.destination_flags) != 0) {
    tags.application = static_cast<std::uint16_t>(tags.application + block);
  }
  return tags;
}

Field8 field_of(std::uint16_t guard, std::uint16_t application, std::uint32_t reference) {
  return {static_cast<unsigned char>(guard >> 8U),       static_cast<unsigned char>(guard),
          static_cast<unsigned char>(application >> 8U), static_cast<unsigned char>(application),
          static_cast<unsigned char>(reference >> 24U),  static_cast<unsigned char>(reference >> 16U),
          static_cast<unsigned char>(reference >> 8U),   static_cast<unsigned char>(reference)};
}

std::uint16_t guard_seed(const DsaDifOperands& o) {
  return DsaDifFlags::INVERT_SEED::get(o.flags) != 0 ? 0xFFFF : 0;
}
std::uint16_t guard_of(const DsaDifOperands& o, std::uint64_t crc) {
  return static_cast<std::uint16_t>(DsaDifFlags::INVERT_RESULT::get(o.flags) != 0 ? ~crc : crc);
}

// What is wrong with the field of a block; bits of DsaDifResult.
std::uint8_t errors_of(const DsaDifOperands& o, const Field8& field, std::uint16_t guard,
                       const DsaDifTags& tags) {
  const auto is_f = [&](unsigned from, unsigned to) {
    for (unsigned i = from; i < to; ++i) {
      if (field[i] != 0xFF) return false;
    }
    return true;
  };
  if (Source::ALL_F_DETECT::get(o.source_flags) != 0 && is_f(0, 8)) {
    return static_cast<std::uint8_t>(
        Source::ALL_F_ERROR::get(o.source_flags) != 0 ? DsaDifResult::ALL_F::kMask : 0);
  }
  if ((Source::APPLICATION_F_DETECT::get(o.source_flags) != 0 && is_f(2, 4)) ||
      (Source::TAGS_F_DETECT::get(o.source_flags) != 0 && is_f(2, 8))) {
    return 0;
  }
  const Field8 wanted = field_of(guard, tags.application, tags.reference);
  std::uint64_t errors = 0;
  if (Source::GUARD_UNCHECKED::get(o.source_flags) == 0) {
    errors |= DsaDifResult::GUARD::make(field[0] != wanted[0] || field[1] != wanted[1]);
  }
  const auto looked_at = static_cast<std::uint16_t>(~tags.application_mask);
  const auto difference = static_cast<std::uint16_t>(((field[2] ^ wanted[2]) << 8U) | (field[3] ^ wanted[3]));
  errors |= DsaDifResult::APPLICATION::make((difference & looked_at) != 0);
  if (Source::REFERENCE_UNCHECKED::get(o.source_flags) == 0) {
    errors |= DsaDifResult::REFERENCE::make(std::memcmp(&field[4], &wanted[4], 4) != 0);
  }
  return static_cast<std::uint8_t>(errors);
}

// The field written behind a block. `passed` are the bytes that were there.
unsigned char field_byte(const DsaDescriptor& d, const DsaDifOperands& o, std::uint64_t block,
                         std::uint64_t crc, unsigned at, unsigned char passed) {
  const DsaDifTags tags = destination_tags(o, block);
  const Field8 field =
      field_of(guard_of(o, crc), static_cast<std::uint16_t>(tags.application & ~tags.application_mask),
               tags.reference);
  const bool updates = d.opcode() == DsaOpcode::kDifUpdate;
  const std::uint64_t pass = at < 2   ? Destination::GUARD_PASSED::get(o.destination_flags)
                             : at < 4 ? Destination::APPLICATION_PASSED::get(o.destination_flags)
                                      : Destination::REFERENCE_PASSED::get(o.destination_flags);
  return updates && pass != 0 ? passed : field[at];
}

void begin_dif(const DsaDescriptor& d, DsaRun& run) { run.crc = guard_seed(dsa_operands<DsaDifOperands>(d)); }

// A step lies within one unit: a block and its field.
void step_dif(const DsaDescriptor& d, DsaRun& run, const DsaStep& step) {
  const auto operands = dsa_operands<DsaDifOperands>(d);
  const unsigned block_bytes = block_of(d);
  const std::uint64_t unit = block_bytes + kField;
  const std::uint64_t block = step.position / unit;
  auto at = static_cast<unsigned>(step.position % unit);
  unsigned i = 0;
  auto crc = static_cast<std::uint16_t>(run.crc);
  for (; i < step.length && at < block_bytes; ++i, ++at) crc = kCrc16.next(crc, step.in[0][i]);
  run.crc = crc;
  for (; i < step.length; ++i, ++at) {
    const unsigned byte = at - block_bytes;
    if (has_source_field(d.opcode())) run.carry[byte] = step.in[0][i];
    if (d.opcode() != DsaOpcode::kDifCheck && d.opcode() != DsaOpcode::kDifStrip) {
      step.out[i] = field_byte(d, operands, block, run.crc, byte, run.carry[byte]);
    }
    if (byte != kField - 1) continue;
    if (has_source_field(d.opcode())) {
      Field8 field{};
      std::memcpy(field.data(), run.carry.data(), kField);
      run.result = errors_of(operands, field, guard_of(operands, run.crc), source_tags(operands, block));
      if (run.result != 0) return run.stop(block * unit, DsaStatus::kDifError);
    }
    run.crc = guard_seed(operands);
  }
}

// SPEC: [DSA 8.2]: the tags of the first block not done, to go on with.
void complete_dif(const DsaDescriptor& d, const DsaRun& run, DsaCompletionRecord& record) {
  const auto operands = dsa_operands<DsaDifOperands>(d);
  const std::uint64_t block = record.bytes_completed / source_unit(d);
  DsaDifResults results;
  if (has_source_field(d.opcode())) results.source = source_tags(operands, block);
  if (d.opcode() != DsaOpcode::kDifCheck && d.opcode() != DsaOpcode::kDifStrip) {
    results.destination = destination_tags(operands, block);
  }
  set_dsa_results(record, results);
  if (record.code() == DsaStatus::kDifError) record.result = run.result;
}

DsaCheck check_dif(const DsaDescriptor& d, const DsaLimits& limits) {
  const auto operands = dsa_operands<DsaDifOperands>(d);
  // Only an update has fields to pass on.
  const std::uint64_t passed = Destination::REFERENCE_PASSED::kMask | Destination::GUARD_PASSED::kMask |
                               Destination::APPLICATION_PASSED::kMask;
  const std::uint64_t reserved =
      Destination::RESERVED::kMask | (d.opcode() == DsaOpcode::kDifUpdate ? 0 : passed);
  if (DsaDifFlags::RESERVED::get(operands.flags) != 0 || (operands.destination_flags & reserved) != 0) {
    return {DsaStatus::kReservedField, 0};
  }
  if (!dsa_size_ok(d, limits.max_transfer) || d.transfer_size % source_unit(d) != 0) {
    return {DsaStatus::kTransferSize, 0};
  }
  if (d.opcode() == DsaOpcode::kDifCheck) return {};
  if (d.opcode() == DsaOpcode::kDixGenerate && d.destination % 8 != 0) {
    return {DsaStatus::kAddressAlignment, 0};
  }
  const std::uint64_t blocks = d.transfer_size / source_unit(d);
  const std::uint64_t per_block = d.opcode() == DsaOpcode::kDixGenerate ? kField
                                  : d.opcode() == DsaOpcode::kDifStrip  ? block_of(d)
                                                                        : block_of(d) + kField;
  const bool overlap = dsa_overlap(d.source, d.transfer_size, d.destination, blocks * per_block);
  return {overlap ? DsaStatus::kOverlappingBuffers : DsaStatus::kSuccess, 0};
}

void plan_dif(const DsaDescriptor& d, DsaPlan& plan) {
  const unsigned block = block_of(d);
  plan.unit = block + kField;
  plan.size = d.transfer_size / source_unit(d) * plan.unit;
  plan.cut_at_units = true;
  plan.add_in_units(Access::kRead, DsaOperandId::kSource, d.source, 0, source_unit(d));
  switch (d.opcode()) {
    case DsaOpcode::kDifInsert:
    case DsaOpcode::kDifUpdate:
      return plan.add_in_units(Access::kWrite, DsaOperandId::kDestination, d.destination, 0, plan.unit);
    case DsaOpcode::kDifStrip:
      return plan.add_in_units(Access::kWrite, DsaOperandId::kDestination, d.destination, 0, block);
    case DsaOpcode::kDixGenerate:
      return plan.add_in_units(Access::kWrite, DsaOperandId::kDestination, d.destination, block, kField);
    default:
      return;
  }
}

constexpr std::uint64_t kSourceBytes = dsa_bytes(40, 40) | dsa_bytes(42, 42) | dsa_bytes(48, 55);
constexpr std::uint64_t kDestinationBytes = dsa_bytes(41, 42) | dsa_bytes(56, 63);

std::uint64_t used_of(const DsaDescriptor& d) {
  std::uint64_t used = dsa_bytes(16, 23) | dsa_bytes(32, 35);
  if (d.opcode() != DsaOpcode::kDifCheck) used |= dsa_bytes(24, 31);
  if (has_source_field(d.opcode())) used |= kSourceBytes;
  if (d.opcode() != DsaOpcode::kDifCheck && d.opcode() != DsaOpcode::kDifStrip) used |= kDestinationBytes;
  return used;
}

constexpr DsaOperation row(DsaOpcode opcode, unsigned version, bool needs_record, std::uint64_t flags) {
  return {opcode,
          version,
          true,
          needs_record,
          flags | F::ADDRESS_1_TC::kMask,
          false,
          DsaStatus::kSuccess,
          used_of,
          check_dif,
          plan_dif,
          begin_dif,
          step_dif,
          complete_dif};
}

constexpr std::uint64_t kWriting = kDsaWritingFlags | F::ADDRESS_2_TC::kMask;

}  // namespace

const DsaOperation kDsaDifOperations[5] = {
    row(DsaOpcode::kDifCheck, 1, true, 0),
    row(DsaOpcode::kDifInsert, 1, false, kWriting),
    row(DsaOpcode::kDifStrip, 1, false, kWriting),
    row(DsaOpcode::kDifUpdate, 1, false, kWriting),
    row(DsaOpcode::kDixGenerate, 2, false, kWriting),
};

}  // namespace svasim
