// The two page walks of the reference, each a plain loop over the specification's steps.
#pragma once

#include <cstdint>
#include <vector>

#include "models/formats/page_table_format.h"
#include "models/reference/memory_view.h"
#include "models/reference/reference_context.h"
#include "models/reference/reference_types.h"

namespace svasim {

// What one or two walks found.
struct ReferenceLeaf {
  FaultReason fault = FaultReason::kNone;
  Addr address = 0;  // translated
  unsigned page_shift = 0;
  bool read = true;  // rights over all entries used
  bool write = true;
  bool user = true;
  bool snoop = false;
  Addr leaf_entry = 0;  // where the leaf lies, and its contents
  std::uint64_t leaf = 0;
};

// What the access does with the page, and whether it faults on missing rights (a translation request is told
// of them instead).
struct ReferenceAccess {
  bool read = true;
  bool write = false;
  bool zero_length = false;
  bool judged = true;
};

// Bits the walks must set, in the order they are found, each with the fault when it cannot be done.
struct ReferenceUpdates {
  struct Item {
    Addr entry;
    std::uint64_t bits;
    FaultReason not_snooped;
    FaultReason failed;
  };
  std::vector<Item> items;
  void need(Addr entry, std::uint64_t value, std::uint64_t bits, TableStage stage);
  // The fault when the walk is not snooped and so no bit can be set.
  FaultReason refused(const ReferenceContext& context) const {
    return context.walk_snooped || items.empty() ? FaultReason::kNone : items.front().not_snooped;
  }
};

// Second stage of `input`. With `wants_write` the leaf's D bit is due if the tables allow writing.
ReferenceLeaf walk_second_stage(const MemoryView& memory, const ReferenceRegisters& registers,
                                const ReferenceContext& context, Addr input, bool wants_write,
                                ReferenceUpdates& updates);

// First stage of `input`, every table access going through the second stage when nested. The result
// is a host address; the rights of a nested result include those of the second stage, and are judged.
ReferenceLeaf walk_first_stage(const MemoryView& memory, const ReferenceRegisters& registers,
                               const ReferenceContext& context, Addr input, const ReferenceAccess& access,
                               ReferenceUpdates& updates);

}  // namespace svasim
