// What the reference translator is asked and what it answers.
#pragma once

#include <cstdint>
#include <vector>

#include "base/types.h"
#include "models/formats/vtd_context.h"
#include "models/formats/vtd_faults.h"

namespace svasim {

// The remapping unit, as far as translation depends on it.
struct ReferenceRegisters {
  std::uint64_t cap = 0;
  std::uint64_t ecap = 0;
  std::uint64_t rtaddr = 0;
  bool translation_enabled = true;   // GSTS.TES
  unsigned host_address_width = 46;  // HAW of the platform (DMAR table)
  unsigned major_version = 6;        // VER.MAJOR
};

struct ReferenceRequest {
  RequestKind kind = RequestKind::kUntranslated;
  RequesterId requester;
  bool has_pasid = false;
  Pasid pasid;
  Addr address = 0;
  // What the access does; both for an atomic. A translation request asks with `no_write` instead.
  bool read = true;
  bool write = false;
  bool zero_length = false;  // a read of no bytes
  bool no_write = false;     // NW of a translation request
  bool privileged = false;   // PR; only with PASID
  bool execute = false;      // ER; only with PASID
};

struct ReferenceResult {
  // The access may go on (a page request: goes to the queue). For a translation request: there is at
  // least one right.
  bool ok = false;
  FaultReason fault = FaultReason::kNone;
  FaultAnswer answer = FaultAnswer::kNotApplicable;  // when not ok
  bool recoverable = false;                          // the device may try a page request
  bool logged = false;                               // leaves a fault record (FPD considered)
  bool interrupt = false;                            // not DMA at all: a write to the interrupt range

  Addr address = 0;         // translated address of the request's address
  unsigned page_shift = 0;  // of the translation; 0 without one
  bool read = false;        // effective rights
  bool write = false;
  bool untranslated_only = false;   // U of the completion entry
  bool privileged = false;          // the rights are those of privileged requests
  bool non_snooped_allowed = true;  // false: the access is snooped whatever the request says
  DomainId domain;
  Pasid pasid;  // after RID_PASID has been put in

  // Bits set in table entries: on success, all the specification requires; on a fault none (setting
  // accessed bits early is allowed to hardware, not required).
  struct Update {
    Addr entry = 0;
    std::uint64_t bits = 0;
  };
  std::vector<Update> updates;
};

}  // namespace svasim
