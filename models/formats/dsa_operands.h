// The bytes of descriptors and completion records that differ by operation. SPEC: [DSA 8.1, 8.3]
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "models/formats/dsa_descriptor.h"

namespace svasim {

// ---- Bytes 63:40 of a descriptor, as images.

struct DsaFillOperands {
  std::uint64_t pattern_high = 0;  // with DsaFlags::FILL_16_BYTES
  std::array<std::uint8_t, 16> reserved{};
};
struct DsaCompareOperands {
  std::uint8_t expected_result = 0;  // bit 0
  std::array<std::uint8_t, 23> reserved{};
};
struct DsaCreateDeltaOperands {
  std::uint64_t delta_address = 0;
  std::uint32_t max_delta_size = 0;
  std::uint32_t reserved = 0;
  std::uint8_t expected_results = 0;  // bit N: Result N is expected
  std::array<std::uint8_t, 7> reserved_high{};
};
struct DsaApplyDeltaOperands {
  std::uint32_t delta_size = 0;
  std::array<std::uint8_t, 20> reserved{};
};
struct DsaDualcastOperands {
  std::uint64_t destination_2 = 0;
  std::array<std::uint8_t, 16> reserved{};
};
struct DsaTranslationFetchOperands {
  std::uint64_t reserved = 0;
  std::uint64_t stride = 0;  // with DsaFlags::USE_STRIDE
  std::uint64_t reserved_high = 0;
};
struct DsaCrcOperands {
  std::uint64_t seed = 0;  // bits 31:0 without DsaFlags::CRC64
  std::uint64_t seed_address = 0;
  std::uint64_t reserved = 0;
};
struct DsaDifTags {
  std::uint32_t reference = 0;
  std::uint16_t application_mask = 0;  // bits set are not looked at
  std::uint16_t application = 0;
};
struct DsaDifOperands {
  std::uint8_t source_flags = 0;
  std::uint8_t destination_flags = 0;
  std::uint8_t flags = 0;
  std::array<std::uint8_t, 5> reserved{};
  DsaDifTags source;       // check, strip, update
  DsaDifTags destination;  // insert, update, DIX generate
};
static_assert(offsetof(DsaCreateDeltaOperands, max_delta_size) == 48 - 40 &&
              offsetof(DsaCreateDeltaOperands, expected_results) == 56 - 40 &&
              offsetof(DsaTranslationFetchOperands, stride) == 48 - 40 &&
              offsetof(DsaCrcOperands, seed_address) == 48 - 40);
static_assert(offsetof(DsaDifOperands, destination_flags) == 41 - 40 &&
              offsetof(DsaDifOperands, flags) == 42 - 40 && offsetof(DsaDifOperands, source) == 48 - 40 &&
              offsetof(DsaDifOperands, destination) == 56 - 40 &&
              offsetof(DsaDifTags, application_mask) == 52 - 48 &&
              offsetof(DsaDifTags, application) == 54 - 48);

struct DsaDifFlags {
  using BLOCK_SIZE = Field<1, 0>;  // of DsaDifOperands::flags; see kBlockSizes
  using INVERT_SEED = Bit<2>;
  using INVERT_RESULT = Bit<3>;
  using RESERVED = Field<7, 4>;
  static constexpr std::array<unsigned, 4> kBlockSizes{512, 520, 4096, 4104};
  static constexpr unsigned kFieldBytes = 8;  // of the DIF behind each block: guard, application, reference
};
struct DsaDifSourceFlags {
  using REFERENCE_FIXED = Bit<7>;
  using REFERENCE_UNCHECKED = Bit<6>;
  using GUARD_UNCHECKED = Bit<5>;
  using APPLICATION_INCREMENTS = Bit<4>;
  using TAGS_F_DETECT = Bit<3>;  // application and reference tag
  using APPLICATION_F_DETECT = Bit<2>;
  using ALL_F_DETECT = Bit<1>;
  using ALL_F_ERROR = Bit<0>;
};
struct DsaDifDestinationFlags {
  using REFERENCE_FIXED = Bit<7>;
  using REFERENCE_PASSED = Bit<6>;
  using GUARD_PASSED = Bit<5>;
  using APPLICATION_INCREMENTS = Bit<4>;
  using APPLICATION_PASSED = Bit<3>;
  using RESERVED = Field<2, 0>;
};
// Result of a DIF error.
struct DsaDifResult {
  using GUARD = Bit<0>;
  using APPLICATION = Bit<1>;
  using REFERENCE = Bit<2>;
  using ALL_F = Bit<3>;
};

// An entry of a delta record: 10 bytes, packed.
struct DsaDeltaEntry {
  static constexpr unsigned kBytes = 10;
  static constexpr unsigned kData = 2;     // offset of the 8 bytes of data; before them their place ...
  static constexpr unsigned kGranule = 8;  // ... in units of this
  static constexpr std::uint32_t kMaxTransfer = 0x80000;
  static constexpr std::uint32_t kMinRecord = 80;  // least room for a record to be created
};

template <typename T>
T dsa_operands(const DsaDescriptor& descriptor) {
  static_assert(sizeof(T) == sizeof descriptor.specific && std::is_trivially_copyable_v<T>);
  T operands;
  std::memcpy(&operands, descriptor.specific.data(), sizeof operands);
  return operands;
}
template <typename T>
void set_dsa_operands(DsaDescriptor& descriptor, const T& operands) {
  static_assert(sizeof(T) == sizeof descriptor.specific && std::is_trivially_copyable_v<T>);
  std::memcpy(descriptor.specific.data(), &operands, sizeof operands);
}

// ---- Bytes 31:16 of a completion record.

struct DsaDeltaResult {
  std::uint32_t size = 0;
  std::array<std::uint8_t, 12> reserved{};
};
struct DsaCrcResult {
  std::uint64_t value = 0;
  std::uint64_t reserved = 0;
};
struct DsaDifResults {
  DsaDifTags source;       // check, strip, update
  DsaDifTags destination;  // insert, update, DIX generate
};

template <typename T>
T dsa_results(const DsaCompletionRecord& record) {
  static_assert(sizeof(T) == sizeof record.specific && std::is_trivially_copyable_v<T>);
  T results;
  std::memcpy(&results, record.specific.data(), sizeof results);
  return results;
}
template <typename T>
void set_dsa_results(DsaCompletionRecord& record, const T& results) {
  static_assert(sizeof(T) == sizeof record.specific && std::is_trivially_copyable_v<T>);
  std::memcpy(record.specific.data(), &results, sizeof results);
}

}  // namespace svasim
