// DSA: registers of BAR0, configuration tables, work-queue portals of BAR2. SPEC: [DSA 9.2, 9.3]
#pragma once

#include <cstdint>

#include "base/bits.h"

namespace svasim {

namespace dsa_reg {
inline constexpr std::uint32_t kVersion = 0x00;
inline constexpr std::uint32_t kGencap = 0x10;
inline constexpr std::uint32_t kWqcap = 0x20;
inline constexpr std::uint32_t kGrpcap = 0x30;
inline constexpr std::uint32_t kEngcap = 0x38;
inline constexpr std::uint32_t kOpcap = 0x40;
inline constexpr std::uint32_t kOffsets = 0x60;
inline constexpr std::uint32_t kGencfg = 0x80;
inline constexpr std::uint32_t kGenctrl = 0x88;
inline constexpr std::uint32_t kGensts = 0x90;
inline constexpr std::uint32_t kIntcause = 0x98;
inline constexpr std::uint32_t kCmd = 0xA0;
inline constexpr std::uint32_t kCmdstatus = 0xA8;
inline constexpr std::uint32_t kCmdcap = 0xB0;
inline constexpr std::uint32_t kSwerror = 0xC0;
inline constexpr std::uint32_t kEvlcfg = 0xE0;
inline constexpr std::uint32_t kEvlstatus = 0xF0;
// The tables' real places are in OFFSETS; these are the ones svasim's device reports.
inline constexpr std::uint32_t kMsixperm = 0x400;
inline constexpr std::uint32_t kGrpcfg = 0x600;
inline constexpr std::uint32_t kWqcfg = 0x800;
inline constexpr std::uint32_t kMsixTable = 0x2000;
inline constexpr std::uint32_t kMsixPba = 0x3000;
}  // namespace dsa_reg

struct DsaGencap {
  using BLOCK_ON_FAULT = Bit<0>;
  using OVERLAPPING_COPY = Bit<1>;
  using CACHE_CONTROL = Bit<2>;
  using COMMAND_CAPABILITIES = Bit<4>;
  using TRANSLATION_FETCH_STRIDE = Bit<7>;
  using DRAIN_READBACK = Bit<9>;
  using FILL16 = Bit<10>;
  using CRC64 = Bit<11>;
  using FAULT_INFO = Bit<12>;
  using EVENT_LOG = Field<14, 13>;
  using BATCH_CONTINUATION = Bit<15>;
  using MAX_TRANSFER = Field<20, 16>;  // 2^N bytes
  using MAX_BATCH = Field<24, 21>;     // 2^N descriptors
  using IMS = Field<30, 25>;
  using CONFIGURABLE = Bit<31>;
  using EVENT_LOG_OVERFLOW = Bit<32>;  // an event that finds the log full is dropped; 0: it waits
};

struct DsaWqcap {
  using TOTAL_SIZE = Field<15, 0>;
  using QUEUES = Field<23, 16>;
  using WQCFG_SIZE = Field<27, 24>;  // 2^(N+5) bytes
  using SHARED_MODE = Bit<48>;
  using DEDICATED_MODE = Bit<49>;
  using ATS_CONTROL = Bit<50>;
  using PRIORITY = Bit<51>;
  using OCCUPANCY = Bit<52>;
  using OCCUPANCY_INTERRUPT = Bit<53>;
  using OPERATIONS = Bit<54>;
  using PRS_CONTROL = Bit<55>;
};

struct DsaGrpcap {
  using GROUPS = Field<7, 0>;
  using READ_BUFFERS = Field<15, 8>;
};
struct DsaEngcap {
  using ENGINES = Field<7, 0>;
  using DESCRIPTORS_IN_PROGRESS = Field<15, 8>;
  using BATCHES_IN_PROGRESS = Field<23, 16>;
};

// OFFSETS, each in units of 0x100.
struct DsaOffsets {
  using GRPCFG = Field<15, 0>;
  using WQCFG = Field<31, 16>;
  using MSIXPERM = Field<47, 32>;
  using IMS = Field<63, 48>;
  static constexpr std::uint32_t kUnit = 0x100;
};

struct DsaGencfg {
  using READ_BUFFER_LIMIT = Field<7, 0>;
  using USER_INTERRUPTS = Bit<12>;
  using EVENT_LOG = Bit<13>;
};
struct DsaGenctrl {
  using SOFTWARE_ERROR_INTERRUPT = Bit<0>;
  using HALT_INTERRUPT = Bit<1>;
  using EVENT_LOG_INTERRUPT = Bit<2>;
};

enum class DsaDeviceState : std::uint8_t { kDisabled = 0, kEnabled = 1, kBusy = 2, kHalt = 3 };
struct DsaGensts {
  using STATE = Field<1, 0>;
  using RESET_TYPE = Field<3, 2>;
};

struct DsaIntcause {
  using SOFTWARE_ERROR = Bit<0>;
  using COMMAND = Bit<1>;
  using OCCUPANCY = Bit<2>;
  using PERFMON = Bit<3>;
  using HALT = Bit<4>;
  using EVENT_LOG = Bit<5>;
  using HANDLES_REVOKED = Bit<31>;
};

struct DsaCmd {
  using OPERAND = Field<19, 0>;
  using CODE = Field<24, 20>;
  using RESERVED = Field<30, 25>;
  using INTERRUPT = Bit<31>;
  // Operand of the commands about interrupt handles.
  using TABLE_INDEX = Field<15, 0>;
  using IMS = Bit<16>;
};
struct DsaCmdstatus {
  using ERROR = Field<7, 0>;
  using RESULT = Field<23, 8>;
  using ACTIVE = Bit<31>;
};

enum class DsaCommand : std::uint8_t {
  kEnableDevice = 1,
  kDisableDevice = 2,
  kDrainAll = 3,
  kAbortAll = 4,
  kResetDevice = 5,
  kEnableWq = 6,
  kDisableWq = 7,
  kDrainWq = 8,
  kAbortWq = 9,
  kResetWq = 10,
  kDrainPasid = 11,
  kAbortPasid = 12,
  kRequestInterruptHandle = 13,
  kReleaseInterruptHandle = 14,
  kRequestIdptHandle = 15,
  kReleaseIdptHandle = 16,
  kInvalidateSubmitterBitmap = 17,
};

// CMDSTATUS.ERROR.
enum class DsaCommandError : std::uint8_t {
  kSuccess = 0x00,
  kUnsupportedCommand = 0x01,
  kInvalidWq = 0x02,
  kHardware = 0x03,
  kReservedField = 0x04,
  kHalted = 0x05,
  kDeviceNotDisabled = 0x10,
  kConfiguration = 0x11,
  kBusMasterDisabled = 0x12,
  kPageRequestAllocation = 0x13,
  kWqSizes = 0x14,
  kGroupIncomplete = 0x15,
  kGroupWqs = 0x16,
  kGroupEngines = 0x17,
  kReadBuffers = 0x18,
  kEventLog = 0x19,
  kAtsRequirement = 0x1A,
  kPasidConfiguration = 0x1B,
  kDeviceNotEnabled = 0x20,
  kWqNotDisabled = 0x21,
  kWqSizeZero = 0x22,
  kWqPriorityZero = 0x23,
  kWqMode = 0x24,
  kWqBlockOnFault = 0x25,
  kWqPasid = 0x26,
  kWqMaxBatch = 0x27,
  kWqMaxTransfer = 0x28,
  kWqPrivileged = 0x2A,
  kWqOccupancyInterrupt = 0x2B,
  kWqAtsDisable = 0x2C,
  kWqOperations = 0x2D,
  kWqPrsDisable = 0x2E,
  kDisableNotEnabled = 0x31,
  kWqNotEnabled = 0x32,
  kInterruptHandleIndex = 0x41,
  kInterruptHandleNone = 0x42,
  kIdptHandleIndex = 0x51,
  kIdptHandleNone = 0x52,
};

// SWERROR, quadwords 0 to 2; quadword 2 is the fault address.
struct DsaSwerror {
  using VALID = Bit<0>;
  using OVERFLOW_BIT = Bit<1>;
  using DESCRIPTOR_VALID = Bit<2>;
  using WQ_VALID = Bit<3>;
  using BATCH_MEMBER = Bit<4>;
  using WRITE = Bit<5>;
  using PRIV = Bit<6>;
  using ERROR_INFO_VALID = Bit<7>;
  using ERROR = Field<15, 8>;
  using WQ_INDEX = Field<23, 16>;
  using OPERATION = Field<39, 32>;
  using PASID = Field<59, 40>;
};
struct DsaSwerrorInfo {
  using BATCH_INDEX = Field<15, 0>;
  using ERROR_INFO = Field<63, 32>;
  using OPERAND = Field<31, 29>;  // of ERROR_INFO, with page faults
};

// EVLCFG, two quadwords.
struct DsaEvlcfg {
  using PASID_ENABLE = Bit<0>;
  using PRIV = Bit<1>;
  using BASE = Field<63, 12>;
  // Quadword 1.
  using SIZE = Field<15, 0>;  // entries; one less can be used
  using PASID = Field<35, 16>;
  static constexpr std::uint64_t kMinSize = 64;
};
struct DsaEvlstatus {
  using HEAD = Field<15, 0>;   // software's
  using TAIL = Field<47, 32>;  // the device's
  using INTERRUPT_PENDING = Bit<62>;
};

// MSIXPERM, 4 bytes every 8.
struct DsaMsixperm {
  using IGNORE_INTERRUPT = Bit<2>;
  using PASID_ENABLE = Bit<3>;
  using PASID = Field<31, 12>;
  static constexpr std::uint32_t kStride = 8;
};

// GRPCFG, 64 bytes per group.
struct DsaGrpcfg {
  static constexpr std::uint32_t kStride = 64;
  static constexpr std::uint32_t kWqBitmap = 0;       // 32 bytes
  static constexpr std::uint32_t kEngineBitmap = 32;  // 8 bytes
  static constexpr std::uint32_t kFlags = 40;         // 8 bytes
  using TC_A = Field<2, 0>;
  using TC_B = Field<5, 3>;
  using USE_GLOBAL_READ_BUFFER_LIMIT = Bit<7>;
  using READ_BUFFERS_RESERVED = Field<15, 8>;
  using READ_BUFFERS_ALLOWED = Field<27, 20>;
};

// WQCFG, 2^(WQCAP.WQCFG_SIZE + 5) bytes per queue, by 32-bit words.
struct DsaWqcfg {
  static constexpr std::uint32_t kSize = 0;
  static constexpr std::uint32_t kThreshold = 4;
  static constexpr std::uint32_t kMode = 8;
  static constexpr std::uint32_t kLimits = 12;
  static constexpr std::uint32_t kOccupancyInterrupt = 16;
  static constexpr std::uint32_t kOccupancyLimit = 20;
  static constexpr std::uint32_t kStatus = 24;
  static constexpr std::uint32_t kOperations = 32;  // 32 bytes

  using SIZE = Field<15, 0>;       // of word kSize
  using THRESHOLD = Field<15, 0>;  // of word kThreshold

  // Word kMode.
  using DEDICATED = Bit<0>;
  using BLOCK_ON_FAULT = Bit<1>;
  using ATS_DISABLE = Bit<2>;
  using PRS_DISABLE = Bit<3>;
  using PRIORITY = Field<7, 4>;
  using PASID = Field<27, 8>;
  using PASID_ENABLE = Bit<28>;
  using PRIV = Bit<29>;

  // Word kLimits.
  using MAX_TRANSFER = Field<4, 0>;
  using MAX_BATCH = Field<8, 5>;

  // Word kOccupancyInterrupt.
  using INTERRUPT_HANDLE = Field<15, 0>;
  using INTERRUPT_TABLE = Bit<16>;  // 1: IMS

  // Word kOccupancyLimit.
  using LIMIT = Field<15, 0>;
  using INTERRUPT_ENABLE = Bit<16>;

  // Word kStatus.
  using OCCUPANCY = Field<15, 0>;
  using INTERRUPT_GENERATED = Bit<16>;
  using MODE_SUPPORT = Bit<29>;
  using STATE = Field<31, 30>;

  static constexpr std::uint32_t stride(std::uint64_t wqcfg_size) { return 1U << (wqcfg_size + 5); }
};

enum class DsaWqState : std::uint8_t { kDisabled = 0, kEnabled = 1, kBusy = 2 };

// Portals: four pages per work queue in BAR2. The 64-byte slot within a page does not matter.
enum class DsaPortal : std::uint8_t { kUnlimited = 0, kLimited = 1, kUnlimitedIms = 2, kLimitedIms = 3 };

inline constexpr std::uint64_t kDsaPortalPage = 0x1000;
inline constexpr std::uint64_t kDsaPortalBytes = 64;
constexpr std::uint64_t dsa_portal_offset(unsigned wq, DsaPortal portal) {
  return (std::uint64_t{wq} * 4 + static_cast<std::uint64_t>(portal)) * kDsaPortalPage;
}
constexpr unsigned dsa_portal_queue(std::uint64_t offset) {
  return static_cast<unsigned>(offset / (4 * kDsaPortalPage));
}
constexpr DsaPortal dsa_portal_kind(std::uint64_t offset) {
  return static_cast<DsaPortal>((offset / kDsaPortalPage) & 3U);
}

}  // namespace svasim
