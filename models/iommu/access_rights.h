// Who may do what with a translation, and what a device hears when it may not.
#pragma once

#include <cstdint>

#include "models/formats/vtd_faults.h"
#include "models/iommu/address_space.h"

namespace svasim {

// What an IOTLB entry, or the result of a walk, grants at its page. Nested: `write` and `user` are of the
// first stage, `read` and `second_write` of the second.
struct PageRights {
  bool read = false;
  bool write = false;
  bool user = false;
  bool dirty = false;  // D of the leaf is set, or the format keeps none
  bool second_write = true;
};

// One access, or a translation request for it.
struct AccessKind {
  bool read = false;
  bool write = false;
  bool privileged = false;  // PR=1
};

struct EffectiveRights {
  bool read = false;
  bool write = false;
};

// SPEC: [VTD 3.6.1] first stage, [VTD 3.7.1] second stage, [VTD 3.8] nested: what both allow.
inline EffectiveRights effective_rights(const PageRights& page, const AddressSpace& space, bool privileged) {
  if (!has_first_stage(space.kind)) {
    return {page.read, page.write};
  }
  if (privileged) {
    return {page.read, page.second_write && (page.write || !space.write_protect)};
  }
  return {page.user && page.read, page.user && page.write && page.second_write};
}

// kNone when the access may go ahead.
inline FaultReason access_fault(const PageRights& page, const AddressSpace& space, const AccessKind& access) {
  const EffectiveRights rights = effective_rights(page, space, access.privileged);
  if ((rights.read || !access.read) && (rights.write || !access.write)) {
    return FaultReason::kNone;
  }
  if (has_first_stage(space.kind) && !access.privileged && !page.user) {
    return FaultReason::kUserNotAllowed;
  }
  const bool write_denied = access.write && !rights.write;
  if (space.legacy) {
    return write_denied ? FaultReason::kLegacyNoWrite : FaultReason::kLegacyNoRead;
  }
  return write_denied ? FaultReason::kNoWrite : FaultReason::kNoRead;
}

// The legacy-mode code of a fault met in a second-stage walk. SPEC: [VTD Table 30]
inline FaultReason legacy_reason(FaultReason reason, bool write) {
  switch (reason) {
    case FaultReason::kSecondStageAccess:
      return FaultReason::kLegacyTableAccess;
    case FaultReason::kSecondStageTopAccess:
      return FaultReason::kLegacyContextInvalid;
    case FaultReason::kSecondStageReserved:
      return FaultReason::kLegacyEntryReserved;
    case FaultReason::kSecondStageBeyondWidth:
    case FaultReason::kHostAddressBeyondWidth:
      return FaultReason::kLegacyAddressBeyondWidth;
    case FaultReason::kSecondStageNotPresent:
      // WHY: legacy mode knows no "not present": an entry without rights denies the access.
      return write ? FaultReason::kLegacyNoWrite : FaultReason::kLegacyNoRead;
    case FaultReason::kNoWrite:
      return FaultReason::kLegacyNoWrite;
    case FaultReason::kNoRead:
      return FaultReason::kLegacyNoRead;
    case FaultReason::kOutputInInterruptRange:
      return FaultReason::kLegacyOutputInInterruptRange;
    default:
      return reason;
  }
}

}  // namespace svasim
