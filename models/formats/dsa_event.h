// Entries of the event log of a DSA. SPEC: [DSA 5, Table 5-9]
//
// The struct is an image of memory, like a descriptor. Word 0 is laid out as that of SWERROR (DsaSwerror).
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "models/formats/dsa_descriptor.h"
#include "models/formats/dsa_registers.h"

namespace svasim {

struct DsaEvent {
  std::uint64_t what = 0;
  std::uint64_t info = 0;
  std::uint64_t address = 0;  // of a fault, or where the completion record belongs
  std::uint64_t unused = 0;
  DsaCompletionRecord record;  // with 0x19, 0x1A, 0x26, 0x27

  // Of `what`, besides the fields of DsaSwerror.
  using BATCH = Field<31, 24>;  // which batch: of its members and of the batch descriptor
  // Of `info`.
  using BATCH_INDEX = Field<15, 0>;
  using ERROR_INFO = Field<63, 32>;
  using INTERRUPT_HANDLE = Field<47, 32>;
  using INTERRUPT_REQUESTED = Bit<48>;
  using IMS_PORTAL = Bit<49>;
  using RECORD_REQUESTED = Bit<50>;
  using FIRST_ERROR_IN_BATCH = Bit<51>;
  using OPERAND = Field<63, 61>;

  DsaStatus status() const { return static_cast<DsaStatus>(DsaSwerror::ERROR::get(what)); }
  Pasid pasid() const { return Pasid(static_cast<std::uint32_t>(DsaSwerror::PASID::get(what))); }
};
static_assert(sizeof(DsaEvent) == 64 && std::is_trivially_copyable_v<DsaEvent>);
static_assert(offsetof(DsaEvent, address) == 16 && offsetof(DsaEvent, record) == 32);

// Errors that are never in the log.
constexpr bool dsa_only_swerror(DsaStatus status) {
  return status == DsaStatus::kConfigurationChanged || status == DsaStatus::kQueueOverflow ||
         status == DsaStatus::kEventLogLost;
}

}  // namespace svasim
