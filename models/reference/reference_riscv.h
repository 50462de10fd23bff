// The page walk of the reference through RISC-V tables, as the steps of the privileged architecture.
#pragma once

#include <cstdint>

#include "models/formats/page_table_format.h"
#include "models/reference/memory_view.h"

namespace svasim {

struct RiscvTables {
  TableStage stage = TableStage::kFirst;
  unsigned levels = 3;            // 3, 4, 5: Sv39, Sv48, Sv57, in the second stage with x4
  Addr root = 0;                  // PPN of iosatp or iohgatp, times 4 KiB
  bool hardware_updates = false;  // SADE or GADE
};

struct RiscvAccess {
  Addr address = 0;
  bool read = true;
  bool write = false;
  bool supervisor = false;           // privileged, with ENS
  bool sum = false;                  // SUM of the process context
  bool translation_request = false;  // rights are told, not demanded
};

// Why a walk failed; what a fault record shows is `cause`.
enum class RiscvFailure : std::uint8_t {
  kNone,
  kAddress,     // bits above the input width
  kAccess,      // an entry cannot be read or updated
  kInvalid,     // V = 0
  kReserved,    // reserved bits or encodings, a table where there is none, a misaligned superpage
  kPrivilege,   // U
  kPermission,  // R or W
  kMarks,       // A or D missing and not to be set
};

struct RiscvTranslation {
  RiscvFailure failure = RiscvFailure::kNone;
  unsigned cause = 0;  // CAUSE of the fault record; 0: none
  unsigned level = 0;  // of the last entry looked at, 1 is that of 4-KiB pages; 0: none
  Addr address = 0;
  unsigned page_shift = 0;
  bool read = false;
  bool write = false;
  bool user = false;
  Addr leaf_entry = 0;       // where the leaf lies
  std::uint64_t update = 0;  // bits of it to be set
};

// Changes nothing: says what is to be updated.
RiscvTranslation walk_riscv(const MemoryView& memory, const RiscvTables& tables, const RiscvAccess& access);

}  // namespace svasim
