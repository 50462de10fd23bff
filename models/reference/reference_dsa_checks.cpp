// What the reference device refuses. Flags and bytes are those the specification prints.
#include <algorithm>
#include <utility>
#include <vector>

#include "models/reference/reference_dsa.h"
#include "models/reference/reference_dsa_fields.h"

namespace svasim {

using namespace reference_dsa;

namespace {

// Flags by operation, besides those of all. SPEC: [DSA Table 5-3]
std::uint32_t flags_for(unsigned op, unsigned version) {
  const bool second = version >= 2;
  switch (op) {
    case 0x01:
      return second ? 0x10200 : 0x200;
    case 0x02:
      return 0xF0600;
    case 0x03:
      return 0x2700;
    case 0x04:
      return second ? 0x42500 : 0x2500;
    case 0x05:
      return 0x680;
    case 0x06:
      return 0x280;
    case 0x07:
      return 0x2F80;
    case 0x08:
      return 0x2700;
    case 0x09:
      return 0x2F00;
    case 0x0A:
      return 0x10200;
    case 0x10:
      return second ? 0xF0A00 : 0x70A00;
    case 0x11:
      return second ? 0xF2F00 : 0x72F00;
    case 0x12:
      return 0x200;
    case 0x13:
    case 0x14:
    case 0x15:
    case 0x17:
      return 0x2700;
    case 0x20:
      return 0x500;
    default:
      return 0;
  }
}

bool known(unsigned op, unsigned version) {
  if (op <= 0x09 || (op >= 0x10 && op <= 0x15) || op == 0x20) return true;
  return version >= 2 && (op == 0x0A || op == 0x17);
}

// Bytes from 16 on that mean something, as pairs of first and last. SPEC: [DSA 8.3]
std::vector<std::pair<unsigned, unsigned>> fields_of(const DsaDescriptor& d) {
  switch (opcode_of(d)) {
    case 0x01:
      return {{16, 23}, {32, 35}};
    case 0x02: {
      std::vector<std::pair<unsigned, unsigned>> addresses;
      if (bit(d, 16)) addresses.emplace_back(16, 23);
      if (bit(d, 17)) addresses.emplace_back(24, 31);
      return addresses;
    }
    case 0x03:
      return {{16, 35}};
    case 0x04:
      return {{16, 35}, {bit(d, 18) ? 40U : 35U, bit(d, 18) ? 47U : 35U}};
    case 0x05:
    case 0x06:
      return {{16, 35}, {40, 40}};
    case 0x07:
      return {{16, 35}, {40, 51}, {56, 56}};
    case 0x08:
      return {{16, 35}, {40, 43}};
    case 0x09:
      return {{16, 35}, {40, 47}};
    case 0x0A:
      return {{16, 23}, {32, 35}, {bit(d, 16) ? 48U : 35U, bit(d, 16) ? 55U : 35U}};
    case 0x10:
    case 0x11: {
      const std::pair<unsigned, unsigned> seed = bit(d, 16)   ? std::pair{48U, 55U}
                                                 : bit(d, 19) ? std::pair{40U, 47U}
                                                              : std::pair{40U, 43U};
      return {{16, opcode_of(d) == 0x11 ? 31U : 23U}, {32, 35}, seed};
    }
    case 0x12:
      return {{16, 23}, {32, 35}, {40, 40}, {42, 42}, {48, 55}};
    case 0x13:
    case 0x17:
      return {{16, 35}, {41, 42}, {56, 63}};
    case 0x14:
      return {{16, 35}, {40, 40}, {42, 42}, {48, 55}};
    case 0x15:
      return {{16, 35}, {40, 42}, {48, 63}};
    case 0x20:
      return {{24, 35}};
    default:
      return {};
  }
}

bool reserved_clear(const DsaDescriptor& d) {
  if ((number_at(d, 0, 4) & 0x7FF00000) != 0 || number_at(d, 38, 2) != 0) return false;
  for (unsigned i = 16; i < 64; ++i) {
    if ((i >= 36 && i < 40) || number_at(d, i, 1) == 0) continue;
    const auto fields = fields_of(d);
    if (std::none_of(fields.begin(), fields.end(),
                     [&](const auto& field) { return i >= field.first && i <= field.second; })) {
      return false;
    }
  }
  // Bits within bytes.
  switch (opcode_of(d)) {
    case 0x05:
    case 0x06:
      return number_at(d, 40, 1) <= 1;
    case 0x07:
      return number_at(d, 56, 1) <= 7;
    case 0x12:
    case 0x14:
      return number_at(d, 42, 1) <= 0xF;
    case 0x13:
    case 0x17:
      return number_at(d, 42, 1) <= 0xF && (number_at(d, 41, 1) & 0x6F) == 0;
    case 0x15:
      return number_at(d, 42, 1) <= 0xF && (number_at(d, 41, 1) & 0x07) == 0;
    default:
      return true;
  }
}

// Also where a buffer goes on at 0 behind the last address.
bool meet(Addr a, std::uint64_t a_size, Addr b, std::uint64_t b_size) {
  const auto last = [](Addr start, std::uint64_t size) { return start + size - 1; };
  const auto holds = [&](Addr start, std::uint64_t size, Addr address) {
    const bool wraps = last(start, size) < start;
    return wraps ? address >= start || address <= last(start, size)
                 : address >= start && address <= last(start, size);
  };
  return holds(a, a_size, b) || holds(b, b_size, a);
}

// Size, values, alignment, overlap.
DsaStatus operands(const DsaDescriptor& d, const ReferenceDsaConfig& config) {
  const unsigned op = opcode_of(d);
  const Addr a = number_at(d, 16, 8);
  const Addr b = number_at(d, 24, 8);
  const std::uint64_t size = number_at(d, 32, 4);
  if (op == 0x00 || op == 0x02) return DsaStatus::kSuccess;
  if (op == 0x01) {
    if (size < 2 || size > config.max_batch) return DsaStatus::kDescriptorCount;
    return a % 64 == 0 ? DsaStatus::kSuccess : DsaStatus::kDescriptorListAlignment;
  }
  if (size == 0 || size > config.max_transfer) return DsaStatus::kTransferSize;
  const auto unless = [](bool bad, DsaStatus status) { return bad ? status : DsaStatus::kSuccess; };
  switch (op) {
    case 0x03:
      return unless(!config.overlapping_copy && meet(a, size, b, size), DsaStatus::kOverlappingBuffers);
    case 0x07: {
      const Addr delta = number_at(d, 40, 8);
      const std::uint64_t room = number_at(d, 48, 4);
      if (size > 0x80000) return DsaStatus::kTransferSize;
      if (room < 80 || room % 10 != 0) return DsaStatus::kFieldValue;
      if (a % 8 != 0 || b % 8 != 0 || delta % 8 != 0 || size % 8 != 0) return DsaStatus::kAddressAlignment;
      return unless(meet(a, size, delta, room) || meet(b, size, delta, room), DsaStatus::kOverlappingBuffers);
    }
    case 0x08: {
      const std::uint64_t record = number_at(d, 40, 4);
      if (size > 0x80000) return DsaStatus::kTransferSize;
      if (record < 10 || record % 10 != 0 || record > config.max_transfer) return DsaStatus::kFieldValue;
      if (a % 8 != 0 || b % 8 != 0 || size % 8 != 0) return DsaStatus::kAddressAlignment;
      return unless(meet(a, record, b, size), DsaStatus::kOverlappingBuffers);
    }
    case 0x09: {
      const Addr c = number_at(d, 40, 8);
      if (b % 4096 != c % 4096) return DsaStatus::kDualcastAlignment;
      return unless(meet(a, size, b, size) || meet(a, size, c, size) || meet(b, size, c, size),
                    DsaStatus::kOverlappingBuffers);
    }
    case 0x0A: {
      const std::uint64_t stride = number_at(d, 48, 8);
      return unless(bit(d, 16) && (stride < 4096 || __builtin_popcountll(stride) != 1),
                    DsaStatus::kAddressAlignment);
    }
    case 0x11:
      return unless(meet(a, size, b, size), DsaStatus::kOverlappingBuffers);
    case 0x12:
      return unless(size % (dif_block(d) + 8) != 0, DsaStatus::kTransferSize);
    case 0x13:
    case 0x17:
      if (size % dif_block(d) != 0) return DsaStatus::kTransferSize;
      if (op == 0x17 && b % 8 != 0) return DsaStatus::kAddressAlignment;
      return unless(meet(a, size, b, size / dif_block(d) * (op == 0x17 ? 8 : dif_block(d) + 8)),
                    DsaStatus::kOverlappingBuffers);
    case 0x14:
    case 0x15:
      if (size % (dif_block(d) + 8) != 0) return DsaStatus::kTransferSize;
      return unless(meet(a, size, b, op == 0x15 ? size : size / (dif_block(d) + 8) * dif_block(d)),
                    DsaStatus::kOverlappingBuffers);
    default:
      return DsaStatus::kSuccess;
  }
}

}  // namespace

DsaStatus ReferenceDsa::check(const DsaDescriptor& d, bool in_batch, std::uint32_t& wrong) const {
  const unsigned op = opcode_of(d);
  wrong = 0;
  if (bit(d, 2) && number_at(d, 8, 8) % 32 != 0) return DsaStatus::kCompletionRecordAlignment;
  if (config_.shared && privileged_ && !config_.privilege_allowed) return DsaStatus::kPrivilege;
  if (!known(op, config_.version) || op >= 64 || ((config_.operations >> op) & 1U) == 0 ||
      (in_batch && (op == 0x01 || op == 0x02)) || (op == 0x0A && !config_.ats)) {
    return DsaStatus::kBadOpcode;
  }
  std::uint32_t may = flags_for(op, config_.version) | 0x1004;
  if (bit(d, 2)) may |= 0x8;
  if (config_.user_interrupts || !config_.pasid_enable || privileged_) may |= 0x10;
  if (in_batch) may |= 0x1;
  if (op > 0x02 && config_.block_on_fault) may |= 0x2;
  wrong = flags_of(d) & ~may;
  if (op == 0x05 || op == 0x06 || op == 0x07 || op == 0x10 || op == 0x11 || op == 0x12) {
    wrong |= 0xC & ~flags_of(d);
  }
  if (op == 0x02 && !bit(d, 3) && !bit(d, 4)) wrong |= 0x18;
  if (wrong != 0) return DsaStatus::kInvalidFlags;
  if (!reserved_clear(d)) return DsaStatus::kReservedField;
  const DsaStatus status = operands(d, config_);
  if (status != DsaStatus::kSuccess) return status;
  const std::uint64_t handle = number_at(d, 36, 2);
  if (bit(d, 4) && (handle >= config_.interrupts.size() || !config_.interrupts[handle])) {
    return DsaStatus::kInterruptHandle;
  }
  return DsaStatus::kSuccess;
}

}  // namespace svasim
