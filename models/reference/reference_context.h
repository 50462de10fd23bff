// From the requester and its PASID to the tables it translates with: root, context, PASID directory,
// PASID table.
#pragma once

#include "models/reference/memory_view.h"
#include "models/reference/reference_types.h"

namespace svasim {

struct ReferenceContext {
  FaultReason fault = FaultReason::kNone;
  bool fault_processing_disabled = false;  // FPD of an entry visited

  bool legacy = false;
  PasidGranularTranslation translation = PasidGranularTranslation::kPassThrough;
  DomainId domain;
  Pasid pasid;
  bool privileged = false;
  bool passes_translated = false;  // a translated request: only the address is left to check

  Addr first_stage_table = 0;
  unsigned first_stage_levels = 0;
  bool write_protect = false;      // WPE
  bool extended_accessed = false;  // EAFE

  Addr second_stage_table = 0;
  unsigned second_stage_levels = 0;
  bool second_stage_accessed_dirty = false;  // SSADE
  bool internal_rights = false;              // SSIRWE

  bool walk_snooped = false;  // A/D bits can be set
  bool page_snoop = false;    // PGSNP
};

ReferenceContext find_context(const MemoryView& memory, const ReferenceRegisters& registers,
                              const ReferenceRequest& request);

}  // namespace svasim
