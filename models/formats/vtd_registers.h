// Registers of a VT-d remapping unit: offsets from its base and fields. SPEC: [VTD 11.4]
#pragma once

#include <cstdint>

#include "base/bits.h"

namespace svasim {

// Offsets. The fault records lie at CAP.FRO * 16, 16 bytes each.
namespace vtd_reg {
inline constexpr std::uint32_t kVer = 0x00;
inline constexpr std::uint32_t kCap = 0x08;
inline constexpr std::uint32_t kEcap = 0x10;
inline constexpr std::uint32_t kGcmd = 0x18;
inline constexpr std::uint32_t kGsts = 0x1C;
inline constexpr std::uint32_t kRtaddr = 0x20;
inline constexpr std::uint32_t kCcmd = 0x28;
inline constexpr std::uint32_t kFsts = 0x34;
inline constexpr std::uint32_t kFectl = 0x38;
inline constexpr std::uint32_t kFedata = 0x3C;
inline constexpr std::uint32_t kFeaddr = 0x40;
inline constexpr std::uint32_t kFeuaddr = 0x44;
inline constexpr std::uint32_t kPmen = 0x64;
inline constexpr std::uint32_t kIqh = 0x80;
inline constexpr std::uint32_t kIqt = 0x88;
inline constexpr std::uint32_t kIqa = 0x90;
inline constexpr std::uint32_t kIcs = 0x9C;
inline constexpr std::uint32_t kIectl = 0xA0;
inline constexpr std::uint32_t kIedata = 0xA4;
inline constexpr std::uint32_t kIeaddr = 0xA8;
inline constexpr std::uint32_t kIeuaddr = 0xAC;
inline constexpr std::uint32_t kIqercd = 0xB0;
inline constexpr std::uint32_t kIrta = 0xB8;
inline constexpr std::uint32_t kPqh = 0xC0;
inline constexpr std::uint32_t kPqt = 0xC8;
inline constexpr std::uint32_t kPqa = 0xD0;
inline constexpr std::uint32_t kPrs = 0xDC;
inline constexpr std::uint32_t kPectl = 0xE0;
inline constexpr std::uint32_t kPedata = 0xE4;
inline constexpr std::uint32_t kPeaddr = 0xE8;
inline constexpr std::uint32_t kPeuaddr = 0xEC;
}  // namespace vtd_reg

struct VtdVer {
  using MAJOR = Field<7, 4>;
  using MINOR = Field<3, 0>;
};

struct VtdCap {
  using ND = Field<2, 0>;  // domain ids of 4 + 2 * ND bits
  using RWBF = Bit<4>;
  using PLMR = Bit<5>;
  using PHMR = Bit<6>;
  using CM = Bit<7>;
  using SAGAW = Field<12, 8>;
  using MGAW = Field<21, 16>;  // width - 1
  using ZLR = Bit<22>;
  using FRO = Field<33, 24>;  // in units of 16 bytes
  using SSLPS = Field<37, 34>;
  using PSI = Bit<39>;
  using NFR = Field<47, 40>;  // fault records - 1
  using MAMV = Field<53, 48>;
  using DWD = Bit<54>;
  using DRD = Bit<55>;
  using FS1GP = Bit<56>;
  using PI = Bit<59>;
  using FS5LP = Bit<60>;
  using ECMDS = Bit<61>;
  using ESIRTPS = Bit<62>;
  using ESRTPS = Bit<63>;

  // Bits within SAGAW and SSLPS.
  static constexpr std::uint64_t kSagaw3Level = 1U << 1;
  static constexpr std::uint64_t kSagaw4Level = 1U << 2;
  static constexpr std::uint64_t kSagaw5Level = 1U << 3;
  static constexpr std::uint64_t kSslps2M = 1U << 0;
  static constexpr std::uint64_t kSslps1G = 1U << 1;
};

struct VtdEcap {
  using C = Bit<0>;
  using QI = Bit<1>;
  using DT = Bit<2>;
  using IR = Bit<3>;
  using EIM = Bit<4>;
  using PT = Bit<6>;
  using SC = Bit<7>;
  using IRO = Field<17, 8>;  // in units of 16 bytes
  using MHMV = Field<23, 20>;
  using MTS = Bit<25>;
  using NEST = Bit<26>;
  using PRS = Bit<29>;
  using ERS = Bit<30>;
  using SRS = Bit<31>;
  using NWFS = Bit<33>;
  using EAFS = Bit<34>;
  using PSS = Field<39, 35>;  // PASID width - 1
  using PASID = Bit<40>;
  using DIT = Bit<41>;
  using PDS = Bit<42>;
  using SMTS = Bit<43>;
  using VCS = Bit<44>;
  using SSADS = Bit<45>;
  using SSTS = Bit<46>;
  using FSTS = Bit<47>;
  using SMPWCS = Bit<48>;
  using RPS = Bit<49>;
  using TDXCS = Bit<50>;
  using PMS = Bit<51>;
  using ADMS = Bit<52>;
  using RPRIVS = Bit<53>;
  using HPTS = Bit<55>;
  using PTRS = Bit<56>;
  using SSIRWS = Bit<57>;
  using SMS = Bit<58>;
  using HPT1GPS = Bit<59>;
  using RDTS = Bit<60>;
  using EIMER = Bit<61>;
  using IRREQ = Bit<62>;
};

// GCMD is written with the command bits, GSTS shows the same bits as status.
struct VtdGcmd {
  using TE = Bit<31>;
  using SRTP = Bit<30>;
  using WBF = Bit<27>;
  using QIE = Bit<26>;
  using IRE = Bit<25>;
  using SIRTP = Bit<24>;
  using CFI = Bit<23>;
  // Status bits software keeps when it writes a command; the others are one-shot commands.
  static constexpr std::uint32_t kKeptStatus = 0x96FFFFFF;
};
struct VtdGsts {
  using TES = Bit<31>;
  using RTPS = Bit<30>;
  using WBFS = Bit<27>;
  using QIES = Bit<26>;
  using IRES = Bit<25>;
  using IRTPS = Bit<24>;
  using CFIS = Bit<23>;
};

// Translation table mode of RTADDR.
enum class TranslationMode : std::uint8_t { kLegacy = 0, kScalable = 1, kReserved = 2, kAbortDma = 3 };

struct VtdRtaddr {
  using RTA = Field<63, 12>;
  using TTM = Field<11, 10>;
  using SSIRWE = Bit<7>;
};

// Register-based invalidation, legacy mode only. The granularity asked for and the one carried out (0: the
// command was ignored) have the codes of the descriptors. IVA lies at ECAP.IRO * 16, IOTLB 8 bytes behind.
struct VtdCcmd {
  using ICC = Bit<63>;
  using CIRG = Field<62, 61>;
  using CAIG = Field<60, 59>;
  using FM = Field<33, 32>;
  using SID = Field<31, 16>;
  using DID = Field<15, 0>;
};
struct VtdIotlb {
  using IVT = Bit<63>;
  using IIRG = Field<61, 60>;
  using IAIG = Field<58, 57>;
  using DR = Bit<49>;
  using DW = Bit<48>;
  using DID = Field<47, 32>;
};
struct VtdIva {
  using ADDR = Field<63, 12>;
  using IH = Bit<6>;
  using AM = Field<5, 0>;
};

struct VtdFsts {
  using FRI = Field<15, 8>;
  using ITE = Bit<6>;
  using ICE = Bit<5>;
  using IQE = Bit<4>;
  using PPF = Bit<1>;
  using PFO = Bit<0>;
};

// FECTL, IECTL and PECTL share their layout; so do their data and address registers.
struct VtdEventControl {
  using IM = Bit<31>;
  using IP = Bit<30>;
  static constexpr std::uint32_t kReset = 0x80000000;
};
struct VtdEventAddress {
  using MA = Field<31, 2>;
};
struct VtdEventData {
  using IMD = Field<15, 0>;
};

// Queue registers hold byte offsets; those of the invalidation queue with bit 4 always 0 for
// 256-bit descriptors.
struct VtdIqHead {
  using OFFSET = Field<18, 4>;
};
struct VtdIqTail {
  using OFFSET = Field<18, 4>;
};
struct VtdIqa {
  using IQA = Field<63, 12>;
  using DW = Bit<11>;
  using QS = Field<2, 0>;
  static constexpr std::uint64_t bytes(std::uint64_t qs) { return std::uint64_t{4096} << qs; }
};
struct VtdIcs {
  using IWC = Bit<0>;
};
struct VtdIqercd {
  using ICESID = Field<63, 48>;
  using ITESID = Field<47, 32>;
  using IQEI = Field<3, 0>;
};

// IQERCD.IQEI. SPEC: [VTD 11.4.9.8]
enum class InvalidationQueueError : std::uint8_t {
  kNoInformation = 0,
  kInvalidTail = 1,
  kFetchError = 2,
  kInvalidType = 3,
  kReservedField = 4,
  kInvalidWidth = 5,
  kTailMisaligned = 6,
  kInvalidMode = 7,
};

struct VtdPqHead {
  using OFFSET = Field<18, 5>;
};
struct VtdPqTail {
  using OFFSET = Field<18, 5>;
};
struct VtdPqa {
  using PQA = Field<63, 12>;
  using PQS = Field<2, 0>;
  static constexpr std::uint64_t bytes(std::uint64_t pqs) { return std::uint64_t{4096} << pqs; }
};
struct VtdPrs {
  using PRO = Bit<1>;
  using PPR = Bit<0>;
};

// A fault record: low word FI, high word the rest. SPEC: [VTD 11.4.14]
struct VtdFrcdLow {
  using FI = Field<63, 12>;
};
struct VtdFrcdHigh {
  using F = Bit<63>;
  using T1 = Bit<62>;
  using AT = Field<61, 60>;
  using PV = Field<59, 40>;
  using FR = Field<39, 32>;
  using PP = Bit<31>;
  using EXE = Bit<30>;
  using PRIV = Bit<29>;
  using T2 = Bit<28>;
  using SID = Field<15, 0>;
};

// {T1, T2} of a fault record.
enum class FaultRecordType : std::uint8_t { kWrite = 0, kPageRequest = 1, kRead = 2, kAtomic = 3 };

// The interrupt address range: plain requests into it are interrupts, not DMA. SPEC: [VTD 3.14]
inline constexpr std::uint64_t kInterruptRangeFirst = 0xFEE00000;
inline constexpr std::uint64_t kInterruptRangeLast = 0xFEEFFFFF;
constexpr bool in_interrupt_range(std::uint64_t address) {
  return address >= kInterruptRangeFirst && address <= kInterruptRangeLast;
}

}  // namespace svasim
