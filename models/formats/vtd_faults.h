// Fault reasons of VT-d and what the IOMMU answers for each kind of request.
// SPEC: [VTD 7.1, Table 30]
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace svasim {

// The reason code as it stands in a fault record.
enum class FaultReason : std::uint8_t {
  kNone = 0x00,
  // Legacy mode.
  kLegacyRootNotPresent = 0x01,
  kLegacyContextNotPresent = 0x02,
  kLegacyContextInvalid = 0x03,
  kLegacyAddressBeyondWidth = 0x04,
  kLegacyNoWrite = 0x05,
  kLegacyNoRead = 0x06,
  kLegacyTableAccess = 0x07,
  kLegacyRootAccess = 0x08,
  kLegacyContextAccess = 0x09,
  kLegacyRootReserved = 0x0A,
  kLegacyContextReserved = 0x0B,
  kLegacyEntryReserved = 0x0C,
  kLegacyAtsBlocked = 0x0D,
  kLegacyOutputInInterruptRange = 0x0E,
  // Interrupt remapping.
  kInterruptRequestReserved = 0x20,
  kInterruptIndexTooLarge = 0x21,
  kInterruptEntryNotPresent = 0x22,
  kInterruptTableAccess = 0x23,
  kInterruptEntryReserved = 0x24,
  kInterruptCompatibilityBlocked = 0x25,
  kInterruptSourceMismatch = 0x26,
  // Root-table address register.
  kTranslationModeInvalid = 0x30,
  kPasidInLegacyMode = 0x31,
  kPageRequestInLegacyMode = 0x32,
  kAbortDma = 0x33,
  kExecuteRequested = 0x34,
  // Scalable mode: root, context, PASID directory, PASID table.
  kRootAccess = 0x38,
  kRootNotPresent = 0x39,
  kRootReserved = 0x3A,
  kContextAccess = 0x40,
  kContextNotPresent = 0x41,
  kContextReserved = 0x42,
  kContextInvalid = 0x43,
  kDeviceTlbDisabled = 0x44,
  kPasidDisabled = 0x45,
  kPasidBeyondDirectory = 0x46,
  kPageRequestDisabled = 0x47,
  kPasidIsRidPasid = 0x48,
  kTranslatedWithPasid = 0x49,
  kDirectoryAccess = 0x50,
  kDirectoryNotPresent = 0x51,
  kDirectoryReserved = 0x52,
  kPasidEntryAccess = 0x58,
  kPasidEntryNotPresent = 0x59,
  kPasidEntryReserved = 0x5A,
  kPasidEntryInvalid = 0x5B,
  kPasidExecuteRequested = 0x5C,
  kSupervisorDisabled = 0x5D,
  kBeyondHostPermissionTable = 0x60,
  // Scalable mode: first stage.
  kFirstStageAccess = 0x70,
  kFirstStageNotPresent = 0x71,
  kFirstStageReserved = 0x72,
  kFirstStageTopAccess = 0x73,
  kNestedBeyondWidth = 0x74,
  kNestedTopNoRead = 0x75,
  kNestedEntryNoRead = 0x76,
  kNestedAccessedDirtyNoWrite = 0x77,
  // Scalable mode: second stage.
  kSecondStageAccess = 0x78,
  kSecondStageNotPresent = 0x79,
  kSecondStageReserved = 0x7A,
  kSecondStageTopAccess = 0x7B,
  kSecondStageUpdateNotSnooped = 0x7C,
  kSecondStageUpdateFailed = 0x7D,
  // Scalable mode: general.
  kNotCanonical = 0x80,
  kUserNotAllowed = 0x81,
  kHostAddressBeyondWidth = 0x83,
  kSecondStageBeyondWidth = 0x84,
  kNoWrite = 0x85,
  kNoRead = 0x86,
  kOutputInInterruptRange = 0x87,
  kPasidBeyondWidth = 0x89,
  kFirstStageUpdateNotSnooped = 0x90,
  kFirstStageUpdateFailed = 0x91,
  // Host permission table.
  kHostPermissionAccess = 0xA0,
  kHostPermissionReserved = 0xA1,
  kHostPermissionRootAccess = 0xA2,
  kHostPermissionZeroLengthRead = 0xA3,
  kHostPermissionNoWrite = 0xA4,
  kHostPermissionNoRead = 0xA5,
};

enum class RequestKind : std::uint8_t { kUntranslated, kTranslationRequest, kTranslated, kPageRequest };
inline constexpr std::size_t kRequestKinds = 4;

// What the requester gets instead of its access.
enum class FaultAnswer : std::uint8_t {
  kNotApplicable,       // this kind of request cannot meet this fault
  kUnsupportedRequest,  // UR; a device turns ATS off when it gets this for a translation request
  kCompleterAbort,      // CA
  kNoRights,            // Success with R=W=U=S=0
  kEffectiveRights,     // Success with the rights the tables grant
  kInvalidRequest,      // page group response code 1; a request that is not the last of its group is dropped
};

struct FaultInfo {
  FaultReason reason;
  const char* mnemonic;  // as in the specification: "SFS.2"
  const char* text;
  // FPD=1 in an entry visited suppresses the fault record.
  bool qualified;
  std::array<FaultAnswer, kRequestKinds> answer;  // by RequestKind
};

namespace fault_table_detail {
using R = FaultReason;
inline constexpr FaultAnswer kNa = FaultAnswer::kNotApplicable;
inline constexpr FaultAnswer kUr = FaultAnswer::kUnsupportedRequest;
inline constexpr FaultAnswer kCa = FaultAnswer::kCompleterAbort;
inline constexpr FaultAnswer kS0 = FaultAnswer::kNoRights;
inline constexpr FaultAnswer kSe = FaultAnswer::kEffectiveRights;
inline constexpr FaultAnswer kIr = FaultAnswer::kInvalidRequest;

// MODEL: interrupt requests are not answered from this table, so their columns are empty.
// clang-format off
inline constexpr FaultInfo kRows[] = {
  // reason                            mnemonic  text                                            Q      Unt  TR   Tld  PRq
  {R::kNone,                          "",       "no fault",                                     false, {kNa, kNa, kNa, kNa}},
  {R::kLegacyRootNotPresent,          "LRT.2",  "legacy root entry not present",                false, {kUr, kUr, kUr, kNa}},
  {R::kLegacyContextNotPresent,       "LCT.2",  "legacy context entry not present",             true,  {kUr, kUr, kUr, kNa}},
  {R::kLegacyContextInvalid,          "LCT.4",  "legacy context entry: bad AW, TT or SSPTPTR",  true,  {kUr, kCa, kUr, kNa}},
  {R::kLegacyAddressBeyondWidth,      "LGN.1",  "address beyond the supported width",           true,  {kUr, kS0, kUr, kNa}},
  {R::kLegacyNoWrite,                 "LGN.2",  "no write permission",                          true,  {kUr, kSe, kNa, kNa}},
  {R::kLegacyNoRead,                  "LGN.3",  "no read permission",                           true,  {kUr, kSe, kNa, kNa}},
  {R::kLegacyTableAccess,             "LSS.1",  "error reading a second-stage entry",           true,  {kUr, kCa, kNa, kNa}},
  {R::kLegacyRootAccess,              "LRT.1",  "error reading the legacy root entry",          false, {kUr, kCa, kUr, kNa}},
  {R::kLegacyContextAccess,           "LCT.1",  "error reading the legacy context entry",       false, {kUr, kCa, kUr, kNa}},
  {R::kLegacyRootReserved,            "LRT.3",  "reserved field in the legacy root entry",      false, {kUr, kCa, kUr, kNa}},
  {R::kLegacyContextReserved,         "LCT.3",  "reserved field in the legacy context entry",   true,  {kUr, kCa, kUr, kNa}},
  {R::kLegacyEntryReserved,           "LSS.2",  "reserved field in a second-stage entry",       true,  {kUr, kCa, kNa, kNa}},
  {R::kLegacyAtsBlocked,              "LCT.5",  "TT blocks ATS requests",                       true,  {kNa, kUr, kUr, kNa}},
  {R::kLegacyOutputInInterruptRange,  "LGN.4",  "output address in the interrupt range",        true,  {kUr, kCa, kUr, kNa}},
  {R::kInterruptRequestReserved,      "IRT.1",  "reserved field in the interrupt request",      false, {kNa, kNa, kNa, kNa}},
  {R::kInterruptIndexTooLarge,        "IRT.2",  "interrupt index beyond the table",             false, {kNa, kNa, kNa, kNa}},
  {R::kInterruptEntryNotPresent,      "IRT.3",  "interrupt entry not present",                  true,  {kNa, kNa, kNa, kNa}},
  {R::kInterruptTableAccess,          "IRT.4",  "error reading the interrupt entry",            false, {kNa, kNa, kNa, kNa}},
  {R::kInterruptEntryReserved,        "IRT.5",  "reserved field in the interrupt entry",        true,  {kNa, kNa, kNa, kNa}},
  {R::kInterruptCompatibilityBlocked, "IRT.6",  "compatibility-format interrupt blocked",       false, {kNa, kNa, kNa, kNa}},
  {R::kInterruptSourceMismatch,       "IRT.7",  "interrupt source verification failed",         true,  {kNa, kNa, kNa, kNa}},
  {R::kTranslationModeInvalid,        "RTA.1",  "translation table mode not supported",         false, {kUr, kCa, kUr, kIr}},
  {R::kPasidInLegacyMode,             "RTA.2",  "request with PASID in legacy mode",            false, {kUr, kUr, kUr, kNa}},
  {R::kPageRequestInLegacyMode,       "RTA.3",  "page request in legacy mode",                  false, {kNa, kNa, kNa, kIr}},
  {R::kAbortDma,                      "RTA.4",  "abort-DMA mode",                               false, {kUr, kUr, kUr, kIr}},
  {R::kExecuteRequested,              "RTA.5",  "execute requested",                            false, {kUr, kUr, kUr, kNa}},
  {R::kRootAccess,                    "SRT.1",  "error reading the root entry",                 false, {kUr, kCa, kUr, kIr}},
  {R::kRootNotPresent,                "SRT.2",  "root entry half not present",                  false, {kUr, kUr, kUr, kIr}},
  {R::kRootReserved,                  "SRT.3",  "reserved field in the root entry",             false, {kUr, kCa, kUr, kIr}},
  {R::kContextAccess,                 "SCT.1",  "error reading the context entry",              false, {kUr, kCa, kUr, kIr}},
  {R::kContextNotPresent,             "SCT.2",  "context entry not present",                    true,  {kUr, kUr, kUr, kIr}},
  {R::kContextReserved,               "SCT.3",  "reserved field in the context entry",          true,  {kUr, kCa, kUr, kIr}},
  {R::kContextInvalid,                "SCT.4",  "invalid combination in the context entry",     true,  {kUr, kCa, kUr, kIr}},
  {R::kDeviceTlbDisabled,             "SCT.5",  "ATS request with DTE=0",                       true,  {kNa, kUr, kUr, kNa}},
  {R::kPasidDisabled,                 "SCT.6",  "request with PASID and PASIDE=0",              true,  {kUr, kUr, kNa, kIr}},
  {R::kPasidBeyondDirectory,          "SCT.7",  "PASID beyond the PASID directory",             true,  {kUr, kUr, kUr, kIr}},
  {R::kPageRequestDisabled,           "SCT.8",  "page request with PRE=0",                      true,  {kNa, kNa, kNa, kIr}},
  {R::kPasidIsRidPasid,               "SCT.9",  "request with a PASID equal to RID_PASID",      true,  {kUr, kUr, kUr, kIr}},
  {R::kTranslatedWithPasid,           "SCT.10", "translated request with PASID and EPTR=0",     true,  {kNa, kNa, kUr, kNa}},
  {R::kDirectoryAccess,               "SPD.1",  "error reading the PASID directory entry",      false, {kUr, kCa, kCa, kIr}},
  {R::kDirectoryNotPresent,           "SPD.2",  "PASID directory entry not present",            true,  {kUr, kS0, kUr, kIr}},
  {R::kDirectoryReserved,             "SPD.3",  "reserved field in the PASID directory entry",  true,  {kUr, kCa, kCa, kIr}},
  {R::kPasidEntryAccess,              "SPT.1",  "error reading the PASID table entry",          false, {kUr, kCa, kCa, kIr}},
  {R::kPasidEntryNotPresent,          "SPT.2",  "PASID table entry not present",                true,  {kUr, kS0, kUr, kIr}},
  {R::kPasidEntryReserved,            "SPT.3",  "reserved field in the PASID table entry",      true,  {kUr, kCa, kCa, kIr}},
  {R::kPasidEntryInvalid,             "SPT.4",  "invalid AW, PGTT, FSPM or nested FSPTPTR",     true,  {kUr, kCa, kCa, kIr}},
  {R::kPasidExecuteRequested,         "SPT.5",  "execute requested and not supported",          true,  {kUr, kS0, kNa, kNa}},
  {R::kSupervisorDisabled,            "SPT.6",  "privileged request and SRE=0",                 true,  {kUr, kS0, kNa, kNa}},
  {R::kBeyondHostPermissionTable,     "SPT.9",  "translated address beyond the HPT",            true,  {kNa, kNa, kUr, kNa}},
  {R::kFirstStageAccess,              "SFS.1",  "error reading a first-stage entry",            true,  {kUr, kS0, kNa, kNa}},
  {R::kFirstStageNotPresent,          "SFS.2",  "first-stage entry not present",                true,  {kUr, kS0, kNa, kNa}},
  {R::kFirstStageReserved,            "SFS.3",  "reserved field in a first-stage entry",        true,  {kUr, kS0, kNa, kNa}},
  {R::kFirstStageTopAccess,           "SFS.4",  "error reading the top first-stage table",      true,  {kUr, kS0, kNa, kNa}},
  {R::kNestedBeyondWidth,             "SFS.5",  "first-stage address beyond the second stage",  true,  {kUr, kS0, kNa, kNa}},
  {R::kNestedTopNoRead,               "SFS.6",  "second stage denies reading the top table",    true,  {kUr, kS0, kNa, kNa}},
  {R::kNestedEntryNoRead,             "SFS.7",  "second stage denies reading a table",          true,  {kUr, kS0, kNa, kNa}},
  {R::kNestedAccessedDirtyNoWrite,    "SFS.8",  "second stage denies an A/D update",            true,  {kUr, kS0, kNa, kNa}},
  {R::kSecondStageAccess,             "SSS.1",  "error reading a second-stage entry",           true,  {kUr, kCa, kNa, kNa}},
  {R::kSecondStageNotPresent,         "SSS.2",  "second-stage entry without read and write",    true,  {kUr, kS0, kNa, kNa}},
  {R::kSecondStageReserved,           "SSS.3",  "reserved field in a second-stage entry",       true,  {kUr, kCa, kNa, kNa}},
  {R::kSecondStageTopAccess,          "SSS.4",  "error reading the top second-stage table",     true,  {kUr, kCa, kNa, kNa}},
  {R::kSecondStageUpdateNotSnooped,   "SSS.5",  "second-stage A/D update, walk not snooped",    true,  {kUr, kCa, kNa, kNa}},
  {R::kSecondStageUpdateFailed,       "SSS.6",  "second-stage A/D update failed",               true,  {kUr, kCa, kNa, kNa}},
  {R::kNotCanonical,                  "SGN.1",  "address not canonical",                        true,  {kUr, kS0, kNa, kNa}},
  {R::kUserNotAllowed,                "SGN.2",  "user request to a supervisor page",            true,  {kUr, kS0, kNa, kNa}},
  {R::kHostAddressBeyondWidth,        "SGN.4",  "host address beyond the host address width",   true,  {kUr, kS0, kUr, kNa}},
  {R::kSecondStageBeyondWidth,        "SGN.5",  "address beyond the second-stage width",        true,  {kUr, kS0, kNa, kNa}},
  {R::kNoWrite,                       "SGN.6",  "no write permission",                          true,  {kUr, kSe, kNa, kNa}},
  {R::kNoRead,                        "SGN.7",  "no read permission",                           true,  {kUr, kSe, kNa, kNa}},
  {R::kOutputInInterruptRange,        "SGN.8",  "output address in the interrupt range",        true,  {kUr, kCa, kUr, kNa}},
  {R::kPasidBeyondWidth,              "SGN.10", "PASID wider than supported",                   true,  {kUr, kUr, kUr, kNa}},
  {R::kFirstStageUpdateNotSnooped,    "SFS.9",  "first-stage A/D update, walk not snooped",     true,  {kUr, kS0, kNa, kNa}},
  {R::kFirstStageUpdateFailed,        "SFS.10", "first-stage A/D update failed",                true,  {kUr, kS0, kNa, kNa}},
  {R::kHostPermissionAccess,          "HPT.1",  "error reading an HPT entry",                   true,  {kNa, kNa, kCa, kNa}},
  {R::kHostPermissionReserved,        "HPT.2",  "reserved field in an HPT entry",               true,  {kNa, kNa, kCa, kNa}},
  {R::kHostPermissionRootAccess,      "HPT.3",  "error reading the HPT root",                   true,  {kNa, kNa, kCa, kNa}},
  {R::kHostPermissionZeroLengthRead,  "HPT.4",  "HPT denies a zero-length read",                true,  {kNa, kNa, kUr, kNa}},
  {R::kHostPermissionNoWrite,         "HPT.5",  "HPT denies the write",                         true,  {kNa, kNa, kUr, kNa}},
  {R::kHostPermissionNoRead,          "HPT.6",  "HPT denies the read",                          true,  {kNa, kNa, kUr, kNa}},
};
// clang-format on
inline constexpr std::size_t kRowCount = sizeof(kRows) / sizeof(kRows[0]);

constexpr std::array<std::uint8_t, 256> index_by_code() {
  std::array<std::uint8_t, 256> index{};
  for (std::size_t i = 0; i < kRowCount; ++i) {
    index[static_cast<std::size_t>(kRows[i].reason)] = static_cast<std::uint8_t>(i);
  }
  return index;
}
inline constexpr std::array<std::uint8_t, 256> kIndex = index_by_code();
}  // namespace fault_table_detail

// The row of a reason; that of kNone for a code the specification does not define.
constexpr const FaultInfo& fault_info(FaultReason reason) {
  return fault_table_detail::kRows[fault_table_detail::kIndex[static_cast<std::size_t>(reason)]];
}

constexpr const FaultInfo* fault_table_begin() { return fault_table_detail::kRows; }
constexpr const FaultInfo* fault_table_end() {
  return fault_table_detail::kRows + fault_table_detail::kRowCount;
}

constexpr FaultAnswer fault_answer(FaultReason reason, RequestKind kind) {
  return fault_info(reason).answer[static_cast<std::size_t>(kind)];
}
constexpr bool fault_is_qualified(FaultReason reason) { return fault_info(reason).qualified; }

// "SFS.2 first-stage entry not present"; printing is never on the hot path.
constexpr const char* fault_mnemonic(FaultReason reason) { return fault_info(reason).mnemonic; }
constexpr const char* fault_text(FaultReason reason) { return fault_info(reason).text; }

// A recoverable fault leaves no record: the device sees the missing rights and may send a page
// request. Everything else, and always kFirstStageUpdateFailed, is logged. SPEC: [VTD 7.1.3]
constexpr bool fault_is_recoverable(FaultReason reason, RequestKind kind) {
  const FaultAnswer answer = fault_answer(reason, kind);
  return kind == RequestKind::kTranslationRequest &&
         (answer == FaultAnswer::kNoRights || answer == FaultAnswer::kEffectiveRights);
}
constexpr bool fault_is_logged(FaultReason reason, RequestKind kind) {
  return reason == FaultReason::kFirstStageUpdateFailed || !fault_is_recoverable(reason, kind);
}

}  // namespace svasim
