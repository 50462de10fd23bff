// Random descriptors for a DSA, with the data that make them interesting.
#pragma once

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "models/formats/dsa_operands.h"
#include "models/reference/reference_dsa.h"

namespace svasim {

// Four buffers of `span` bytes each, one behind the other.
struct DsaArena {
  Addr base = 0;
  std::uint64_t span = 0;
  Addr buffer(unsigned number) const { return base + number * span; }
};

class DsaGenerator {
 public:
  using Store = std::function<void(Addr, const std::vector<std::uint8_t>&)>;
  using Load = std::function<std::vector<std::uint8_t>(Addr, std::uint64_t)>;

  DsaGenerator(RngStream& rng, Store store, Load load)
      : rng_(rng), store_(std::move(store)), load_(std::move(load)) {}

  // A valid descriptor of the operation, but for what mutate() does.
  DsaDescriptor make(DsaOpcode opcode, const DsaArena& arena, Addr record);
  // Something about it becomes wrong, or nothing. `contained`: its buffers stay where they are.
  void mutate(DsaDescriptor& d, bool contained);

 private:
  std::uint64_t some_size(std::uint64_t most) {
    const double kind = rng_.uniform01();
    return 1 + rng_.below(std::min<std::uint64_t>(most, kind < 0.5 ? 300 : kind < 0.85 ? 5000 : most));
  }
  Addr place(const DsaArena& arena, unsigned buffer, std::uint64_t size, std::uint64_t alignment = 1) {
    return (arena.buffer(buffer) + rng_.below(arena.span - size)) / alignment * alignment;
  }
  std::vector<std::uint8_t> noise(std::uint64_t size) {
    std::vector<std::uint8_t> bytes(size);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(rng_.next());
    return bytes;
  }
  bool flip(double chance) { return rng_.chance(chance); }
  std::uint64_t maybe(std::uint64_t mask, double chance = 0.3) { return flip(chance) ? mask : 0; }

  void compare(DsaDescriptor& d, const DsaArena& arena);
  void pattern(DsaDescriptor& d, const DsaArena& arena);
  void create_delta(DsaDescriptor& d, const DsaArena& arena);
  void apply_delta(DsaDescriptor& d, const DsaArena& arena);
  std::uint64_t crc(DsaDescriptor& d, const DsaArena& arena);
  void dif(DsaDescriptor& d, DsaOpcode opcode, const DsaArena& arena);

  RngStream& rng_;
  Store store_;
  Load load_;
};

inline void DsaGenerator::compare(DsaDescriptor& d, const DsaArena& arena) {
  std::vector<std::uint8_t> bytes = load_(d.source, d.transfer_size);
  if (flip(0.5)) bytes[rng_.below(bytes.size())] ^= static_cast<std::uint8_t>(1 + rng_.below(255));
  d.destination = place(arena, 1, d.transfer_size);
  if (flip(0.9)) store_(d.destination, bytes);
  DsaCompareOperands operands;
  operands.expected_result = static_cast<std::uint8_t>(rng_.below(2));
  set_dsa_operands(d, operands);
}

inline void DsaGenerator::pattern(DsaDescriptor& d, const DsaArena& /*arena*/) {
  d.destination = rng_.next();
  std::vector<std::uint8_t> bytes(d.transfer_size);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::uint8_t>(d.destination >> (8 * (i % 8)));
  }
  if (flip(0.5)) bytes[rng_.below(bytes.size())] ^= 0x10;
  store_(d.source, bytes);
  DsaCompareOperands operands;
  operands.expected_result = static_cast<std::uint8_t>(rng_.below(2));
  set_dsa_operands(d, operands);
}

inline void DsaGenerator::create_delta(DsaDescriptor& d, const DsaArena& arena) {
  d.transfer_size = (d.transfer_size + 7) / 8 * 8;
  d.source = place(arena, 0, d.transfer_size, 8);
  d.destination = place(arena, 1, d.transfer_size, 8);
  std::vector<std::uint8_t> bytes = load_(d.source, d.transfer_size);
  for (std::uint64_t left = rng_.below(flip(0.3) ? 200 : 12); left != 0; --left) {
    bytes[rng_.below(bytes.size())] ^= 0x5A;
  }
  store_(d.destination, bytes);
  DsaCreateDeltaOperands operands;
  operands.max_delta_size = static_cast<std::uint32_t>(80 + 10 * rng_.below(200));
  operands.delta_address = place(arena, 2, operands.max_delta_size, 8);
  operands.expected_results = static_cast<std::uint8_t>(rng_.below(8));
  set_dsa_operands(d, operands);
}

inline void DsaGenerator::apply_delta(DsaDescriptor& d, const DsaArena& arena) {
  d.transfer_size = (d.transfer_size + 7) / 8 * 8;
  d.destination = place(arena, 1, d.transfer_size, 8);
  std::vector<std::uint8_t> record;
  const std::uint64_t gap = 1 + rng_.below(flip(0.5) ? 3 : 60);
  for (std::uint64_t at = rng_.below(gap); at < d.transfer_size / 8; at += 1 + rng_.below(gap)) {
    const std::uint64_t out = flip(0.003) ? at + 5000 : flip(0.003) ? at / 2 : at;
    record.push_back(static_cast<std::uint8_t>(out));
    record.push_back(static_cast<std::uint8_t>(out >> 8U));
    for (const std::uint8_t byte : noise(8)) record.push_back(byte);
    if (record.size() + 20 > arena.span) break;
  }
  if (record.empty()) record = std::vector<std::uint8_t>(10, 0);
  DsaApplyDeltaOperands operands;
  operands.delta_size = static_cast<std::uint32_t>(record.size());
  d.source = place(arena, 0, record.size(), 8);
  store_(d.source, record);
  set_dsa_operands(d, operands);
}

inline std::uint64_t DsaGenerator::crc(DsaDescriptor& d, const DsaArena& arena) {
  using F = DsaFlags;
  const std::uint64_t flags = maybe(F::READ_CRC_SEED::kMask, 0.5) | maybe(F::BYPASS_CRC_REFLECTION::kMask) |
                              maybe(F::BYPASS_DATA_REFLECTION::kMask) | maybe(F::CRC64::kMask, 0.5);
  DsaCrcOperands operands;
  if ((flags & F::READ_CRC_SEED::kMask) != 0) {
    operands.seed_address = place(arena, 3, 16);
  } else {
    operands.seed = (flags & F::CRC64::kMask) != 0 ? rng_.next() : rng_.next() & 0xFFFFFFFF;
  }
  set_dsa_operands(d, operands);
  return flags;
}

inline void DsaGenerator::dif(DsaDescriptor& d, DsaOpcode opcode, const DsaArena& arena) {
  const bool checks =
      opcode == DsaOpcode::kDifCheck || opcode == DsaOpcode::kDifStrip || opcode == DsaOpcode::kDifUpdate;
  const bool makes =
      opcode == DsaOpcode::kDifInsert || opcode == DsaOpcode::kDifUpdate || opcode == DsaOpcode::kDixGenerate;
  DsaDifOperands o;
  const std::uint64_t size_code = flip(0.8) ? rng_.below(2) : rng_.below(4);
  const unsigned block = DsaDifFlags::kBlockSizes[size_code];
  o.flags = static_cast<std::uint8_t>(size_code | maybe(4) | maybe(8));
  if (checks) {
    for (unsigned i = 0; i < 8; ++i) o.source_flags |= static_cast<std::uint8_t>(maybe(1U << i, 0.25));
    o.source = {static_cast<std::uint32_t>(rng_.next()), static_cast<std::uint16_t>(maybe(rng_.next())),
                static_cast<std::uint16_t>(rng_.next())};
  }
  if (makes) {
    for (unsigned i = 3; i < 8; ++i) {
      const bool pass = i == 3 || i == 5 || i == 6;
      if (!pass || opcode == DsaOpcode::kDifUpdate) {
        o.destination_flags |= static_cast<std::uint8_t>(maybe(1U << i));
      }
    }
    o.destination = {static_cast<std::uint32_t>(rng_.next()), static_cast<std::uint16_t>(maybe(rng_.next())),
                     static_cast<std::uint16_t>(rng_.next())};
  }
  set_dsa_operands(d, o);
  const std::uint64_t blocks =
      1 + rng_.below(block > 1000 ? std::min<std::uint64_t>(3, (arena.span - 64) / (block + 8)) : 7);
  const std::uint64_t unit = block + (checks ? 8 : 0);
  d.transfer_size = static_cast<std::uint32_t>(blocks * unit);
  d.source = place(arena, 0, blocks * unit);
  if (opcode != DsaOpcode::kDifCheck) {
    d.destination = place(arena, 1, blocks * (block + 8), opcode == DsaOpcode::kDixGenerate ? 8 : 1);
  }
  if (!checks) return;
  for (std::uint64_t k = 0; k < blocks; ++k) {
    std::uint64_t guard =
        reference_crc(load_(d.source + k * unit, block), (o.flags & 4) != 0 ? 0xFFFF : 0, 16, 0x8BB7, false);
    if ((o.flags & 8) != 0) guard ^= 0xFFFF;
    const std::uint64_t application = o.source.application + ((o.source_flags & 0x10) != 0 ? k : 0);
    const std::uint64_t reference = o.source.reference + ((o.source_flags & 0x80) != 0 ? 0 : k);
    std::vector<std::uint8_t> field;
    for (const auto& [value, count] :
         {std::pair{guard, 2U}, std::pair{application, 2U}, std::pair{reference, 4U}}) {
      for (unsigned i = count; i-- != 0;) field.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
    }
    if (flip(0.1)) std::fill(field.begin() + static_cast<int>(2 * rng_.below(3)), field.end(), 0xFF);
    if (flip(0.1)) std::fill(field.begin(), field.end(), 0xFF);
    if (flip(0.08)) field[rng_.below(8)] ^= static_cast<std::uint8_t>(1 + rng_.below(255));
    store_(d.source + k * unit + block, field);
  }
}

inline DsaDescriptor DsaGenerator::make(DsaOpcode opcode, const DsaArena& arena, Addr record) {
  using F = DsaFlags;
  DsaDescriptor d;
  std::uint64_t flags = F::COMPLETION_ADDRESS_VALID::kMask | F::REQUEST_COMPLETION_RECORD::kMask |
                        maybe(F::COMPLETION_RECORD_TC::kMask, 0.1);
  d.completion_address = record;
  d.transfer_size = static_cast<std::uint32_t>(some_size(arena.span - kPageSize));
  d.source = place(arena, 0, d.transfer_size);
  d.destination = place(arena, 1, d.transfer_size);
  std::uint64_t block = maybe(F::BLOCK_ON_FAULT::kMask, 0.5);
  switch (opcode) {
    case DsaOpcode::kNoop:
      d.transfer_size = 0;
      d.source = d.destination = 0;
      block = 0;
      break;
    case DsaOpcode::kDrain:
      block = maybe(F::READBACK_1::kMask, 0.5) | maybe(F::READBACK_2::kMask, 0.5);
      d.transfer_size = 0;
      if ((block & F::READBACK_1::kMask) == 0) d.source = 0;
      if ((block & F::READBACK_2::kMask) == 0) d.destination = 0;
      break;
    case DsaOpcode::kMemmove:
      if (flip(0.4)) d.destination = place(arena, 0, d.transfer_size);
      break;
    case DsaOpcode::kFill:
      d.source = rng_.next();
      if (flip(0.5)) {
        flags |= F::FILL_16_BYTES::kMask;
        set_dsa_operands(d, DsaFillOperands{rng_.next(), {}});
      }
      break;
    case DsaOpcode::kCompare:
      compare(d, arena);
      flags |= maybe(F::CHECK_RESULT::kMask, 0.5);
      break;
    case DsaOpcode::kComparePattern:
      pattern(d, arena);
      flags |= maybe(F::CHECK_RESULT::kMask, 0.5);
      break;
    case DsaOpcode::kCreateDelta:
      create_delta(d, arena);
      flags |= maybe(F::CHECK_RESULT::kMask, 0.5);
      break;
    case DsaOpcode::kApplyDelta:
      apply_delta(d, arena);
      break;
    case DsaOpcode::kDualcast:
      set_dsa_operands(d, DsaDualcastOperands{(d.destination % kPageSize) + arena.buffer(2), {}});
      break;
    case DsaOpcode::kTranslationFetch:
      d.destination = 0;
      if (flip(0.5)) {
        flags |= F::USE_STRIDE::kMask;
        set_dsa_operands(d, DsaTranslationFetchOperands{0, kPageSize << rng_.below(3), 0});
      }
      break;
    case DsaOpcode::kCrcGeneration:
      d.destination = 0;
      flags |= crc(d, arena);
      break;
    case DsaOpcode::kCopyCrc:
      flags |= crc(d, arena);
      break;
    case DsaOpcode::kDifCheck:
      d.destination = 0;
      dif(d, opcode, arena);
      break;
    case DsaOpcode::kDifInsert:
    case DsaOpcode::kDifStrip:
    case DsaOpcode::kDifUpdate:
    case DsaOpcode::kDixGenerate:
      dif(d, opcode, arena);
      break;
    case DsaOpcode::kCacheFlush:
      d.source = 0;
      break;
    default:
      break;
  }
  d.set_operation(opcode, flags | block);
  return d;
}

inline void DsaGenerator::mutate(DsaDescriptor& d, bool contained) {
  const std::uint64_t kind = rng_.below(contained ? 6 : 9);
  auto* bytes = reinterpret_cast<unsigned char*>(&d);
  switch (kind) {
    case 0:
      d.flags_and_opcode ^= 1U << rng_.below(24);
      break;
    case 1:
      d.transfer_size = 0;
      break;
    case 2:
      d.reserved ^= static_cast<std::uint16_t>(1U << rng_.below(16));
      break;
    case 3:
      d.pasid_and_privilege ^= 1U << (20 + rng_.below(11));
      break;
    case 4:
      d.flags_and_opcode |= static_cast<std::uint32_t>(DsaFlags::REQUEST_COMPLETION_INTERRUPT::kMask);
      d.interrupt_handle = static_cast<std::uint16_t>(rng_.below(10));
      break;
    case 5:
      d.flags_and_opcode =
          (d.flags_and_opcode & 0xFFFFFF) | static_cast<std::uint32_t>(rng_.below(0x30) << 24U);
      break;
    case 6:
      bytes[16 + rng_.below(48)] ^= static_cast<unsigned char>(1U << rng_.below(8));
      // Addresses that wrap around are not what this is about.
      bytes[22] = bytes[23] = bytes[30] = bytes[31] = 0;
      break;
    case 7:
      d.transfer_size += static_cast<std::uint32_t>(1 + rng_.below(7));
      break;
    default:
      (flip(0.5) ? d.source : d.destination) += rng_.below(9);
      break;
  }
}

}  // namespace svasim
