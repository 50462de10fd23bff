// DSA work descriptors and completion records as they lie in memory. SPEC: [DSA 8]
//
// The structs are images of memory (little endian, as every host svasim runs on): copy them with
// memcpy.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/bits.h"
#include "base/types.h"

namespace svasim {

enum class DsaOpcode : std::uint8_t {
  kNoop = 0x00,
  kBatch = 0x01,
  kDrain = 0x02,
  kMemmove = 0x03,
  kFill = 0x04,
  kCompare = 0x05,
  kComparePattern = 0x06,
  kCreateDelta = 0x07,
  kApplyDelta = 0x08,
  kDualcast = 0x09,
  kTranslationFetch = 0x0A,
  kCrcGeneration = 0x10,
  kCopyCrc = 0x11,
  kDifCheck = 0x12,
  kDifInsert = 0x13,
  kDifStrip = 0x14,
  kDifUpdate = 0x15,
  kDixGenerate = 0x17,
  kCacheFlush = 0x20,
  kUpdateWindow = 0x21,
  kInterDomainCopy = 0x23,
  kInterDomainFill = 0x24,
  kInterDomainCompare = 0x25,
  kInterDomainComparePattern = 0x26,
};

const char* dsa_opcode_name(DsaOpcode opcode);

// Flags, bits of DsaDescriptor::flags().
struct DsaFlags {
  using FENCE = Bit<0>;
  using BLOCK_ON_FAULT = Bit<1>;
  using COMPLETION_ADDRESS_VALID = Bit<2>;
  using REQUEST_COMPLETION_RECORD = Bit<3>;
  using REQUEST_COMPLETION_INTERRUPT = Bit<4>;
  using CACHE_CONTROL_3 = Bit<5>;
  using CHECK_RESULT = Bit<7>;
  using CACHE_CONTROL_1 = Bit<8>;
  using ADDRESS_1_TC = Bit<9>;
  using ADDRESS_2_TC = Bit<10>;
  using ADDRESS_3_TC = Bit<11>;
  using COMPLETION_RECORD_TC = Bit<12>;
  using STRICT_ORDERING = Bit<13>;
  using CACHE_CONTROL_2 = Bit<14>;
  using OPERATION_SPECIFIC = Field<23, 16>;
  using BATCH_ERROR = Bit<16>;            // batch
  using READBACK_1 = Bit<16>;             // drain: its addresses ...
  using READBACK_2 = Bit<17>;             // ... are valid
  using SUPPRESS_READBACK_A = Bit<18>;    // drain: no implicit readback of traffic class A ...
  using SUPPRESS_READBACK_B = Bit<19>;    // ... and B
  using FILL_16_BYTES = Bit<18>;          // fill
  using USE_STRIDE = Bit<16>;             // translation fetch
  using READ_CRC_SEED = Bit<16>;          // CRC: the seed is in memory
  using BYPASS_CRC_REFLECTION = Bit<17>;  // CRC: seed and result neither inverted nor reflected
  using BYPASS_DATA_REFLECTION = Bit<18>;
  using CRC64 = Bit<19>;
  static constexpr std::uint32_t kReserved = (1U << 6) | (1U << 15);
};

// 64 bytes. The comments name the other uses of a member.
struct DsaDescriptor {
  std::uint32_t pasid_and_privilege = 0;  // 19:0 PASID, 31 Priv
  std::uint32_t flags_and_opcode = 0;     // 23:0 flags, 31:24 operation
  std::uint64_t completion_address = 0;   // aligned to 32 bytes
  std::uint64_t source = 0;               // descriptor list; low pattern of fill; first readback address
  std::uint64_t destination = 0;    // second source; pattern of compare-pattern; second readback address
  std::uint32_t transfer_size = 0;  // bytes; descriptors of a batch
  std::uint16_t interrupt_handle = 0;
  std::uint16_t reserved = 0;
  std::array<std::uint8_t, 24> specific{};  // bytes 63:40, by operation

  using PASID = Field<19, 0>;
  using RESERVED_PASID = Field<30, 20>;
  using PRIV = Bit<31>;
  using FLAGS = Field<23, 0>;
  using OPCODE = Field<31, 24>;

  Pasid pasid() const { return Pasid(static_cast<std::uint32_t>(PASID::get(pasid_and_privilege))); }
  bool privileged() const { return PRIV::get(pasid_and_privilege) != 0; }
  std::uint32_t flags() const { return static_cast<std::uint32_t>(FLAGS::get(flags_and_opcode)); }
  template <typename Flag>
  bool flag() const {
    return Flag::get(flags()) != 0;
  }
  DsaOpcode opcode() const { return static_cast<DsaOpcode>(OPCODE::get(flags_and_opcode)); }

  void set_pasid(Pasid value, bool privileged_value) {
    pasid_and_privilege =
        static_cast<std::uint32_t>(PASID::make(value.value()) | PRIV::make(privileged_value));
  }
  void set_operation(DsaOpcode value, std::uint64_t flag_bits) {
    flags_and_opcode =
        static_cast<std::uint32_t>(OPCODE::make(static_cast<std::uint64_t>(value)) | FLAGS::make(flag_bits));
  }
};
static_assert(sizeof(DsaDescriptor) == 64 && std::is_trivially_copyable_v<DsaDescriptor>);
static_assert(offsetof(DsaDescriptor, completion_address) == 8 && offsetof(DsaDescriptor, source) == 16 &&
              offsetof(DsaDescriptor, destination) == 24 && offsetof(DsaDescriptor, transfer_size) == 32 &&
              offsetof(DsaDescriptor, interrupt_handle) == 36 && offsetof(DsaDescriptor, specific) == 40);

// Status codes of completion records, event log entries and SWERROR.
enum class DsaStatus : std::uint8_t {
  kNone = 0x00,  // never written by the device
  kSuccess = 0x01,
  kSuccessFalsePredicate = 0x02,
  kPageFault = 0x03,  // partial completion, Block on Fault was 0
  kPageFaultInvalidResponse = 0x04,
  kBatchFail = 0x05,
  kBatchPageFault = 0x06,
  kDeltaOffsetOrder = 0x07,
  kDeltaOffsetRange = 0x08,
  kDifError = 0x09,
  kBadOpcode = 0x10,
  kInvalidFlags = 0x11,
  kReservedField = 0x12,
  kTransferSize = 0x13,
  kDescriptorCount = 0x14,
  kFieldValue = 0x15,
  kOverlappingBuffers = 0x16,
  kDualcastAlignment = 0x17,
  kDescriptorListAlignment = 0x18,
  kInterruptHandle = 0x19,
  kCompletionRecordFault = 0x1A,
  kCompletionRecordAlignment = 0x1B,
  kAddressAlignment = 0x1C,
  kPrivilege = 0x1D,
  kTrafficClass = 0x1E,
  kDrainReadbackFault = 0x1F,
  kHardwareError = 0x20,
  kHardwareErrorWrite = 0x21,
  kTranslationError = 0x22,
  kDrainEventLog = 0x26,
  kBatchEventLog = 0x27,
  kConfigurationChanged = 0x51,
  kCommandWhileActive = 0x52,
  kQueueOverflow = 0x53,
  kEventLogLost = 0x54,
};

const char* dsa_status_name(DsaStatus status);

// Operand a fault belongs to, bits 3:1 of the fault info byte.
enum class DsaOperandId : std::uint8_t {
  kUnknown = 0,
  kSource = 1,
  kSource2 = 2,
  kDestination = 3,
  kDestination2 = 4,
  kCompletionRecord = 5,
  kScatterGatherList = 6,
};

// 32 bytes, aligned to 32.
struct DsaCompletionRecord {
  std::uint8_t status = 0;  // 5:0 DsaStatus, 7 the fault was a write
  std::uint8_t result = 0;
  std::uint8_t fault_info = 0;  // with GENCAP bit 12: 0 address masked, 3:1 DsaOperandId
  std::uint8_t unused = 0;
  std::uint32_t bytes_completed = 0;  // descriptors completed of a batch
  std::uint64_t fault_address = 0;
  std::array<std::uint8_t, 16> specific{};  // bytes 31:16; invalid flags in the first three for status 0x11

  using CODE = Field<5, 0>;
  using WRITE = Bit<7>;
  using FAULT_ADDRESS_MASKED = Bit<0>;
  using OPERAND = Field<3, 1>;

  DsaStatus code() const { return static_cast<DsaStatus>(CODE::get(status)); }
  void set_status(DsaStatus value, bool fault_was_write = false) {
    status = static_cast<std::uint8_t>(CODE::make(static_cast<std::uint64_t>(value)) |
                                       WRITE::make(fault_was_write));
  }
};
static_assert(sizeof(DsaCompletionRecord) == 32 && std::is_trivially_copyable_v<DsaCompletionRecord>);
static_assert(offsetof(DsaCompletionRecord, bytes_completed) == 4 &&
              offsetof(DsaCompletionRecord, fault_address) == 8 &&
              offsetof(DsaCompletionRecord, specific) == 16);

inline constexpr std::uint64_t kDsaCompletionRecordAlignment = 32;

// A record is written when the descriptor asks for it or when the status is not a plain success.
constexpr bool dsa_writes_record(DsaStatus status, bool requested) {
  return requested || (status != DsaStatus::kSuccess && status != DsaStatus::kSuccessFalsePredicate &&
                       status != DsaStatus::kBatchFail);
}

}  // namespace svasim
