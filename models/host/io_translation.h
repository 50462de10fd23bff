// What a PASID of a device is translated with: the content of a PASID-table entry.
#pragma once

#include "models/formats/vtd_context.h"

namespace svasim {

// SPEC: [VTD 9.6]
struct IoTranslation {
  using Kind = PasidGranularTranslation;
  // All first-stage tables of processes share one domain. SPEC: [VTD 6.2.3.1], [LINUX FLPT_DEFAULT_DID]
  static constexpr DomainId kSharedDomain{1};

  Kind kind = Kind::kFirstStage;
  DomainId domain = kSharedDomain;
  Addr first = 0;  // top table of the first stage; in nested translation a guest address
  unsigned first_levels = 4;
  bool supervisor = false;  // SRE: privileged requests are allowed
  Addr second = 0;          // top table of the second stage
  unsigned second_levels = 4;

  bool has_first() const { return kind == Kind::kFirstStage || kind == Kind::kNested; }
  bool has_second() const { return kind == Kind::kSecondStage || kind == Kind::kNested; }
};

// Requests without a PASID are translated as those with PASID 0. SPEC: [VTD 9.4] RID_PASID
inline constexpr Pasid kNoPasid{0};

// Whose cached translations: a device, and which PASID of it.
struct IoTarget {
  RequesterId device;
  Pasid pasid;
  bool operator==(const IoTarget& other) const { return device == other.device && pasid == other.pasid; }
  bool operator<(const IoTarget& other) const {
    return device == other.device ? pasid < other.pasid : device < other.device;
  }
};

}  // namespace svasim
