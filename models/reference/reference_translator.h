// The independent reference: what VT-d translates a request to, without time, caches or queues.
//
// Written from the specification's steps. It shares field names with the timed models and nothing
// else: its walks, its checks and its rights are its own, so that a disagreement means something.
#pragma once

#include "models/reference/memory_view.h"
#include "models/reference/reference_types.h"

namespace svasim {

class ReferenceTranslator {
 public:
  // Both must outlive the translator. The memory changes only by the A/D bits of `translate`.
  ReferenceTranslator(MemoryView& memory, const ReferenceRegisters& registers)
      : memory_(memory), registers_(registers) {}

  // Translates and sets the accessed and dirty bits the specification requires.
  ReferenceResult translate(const ReferenceRequest& request);

  // The same without changing memory.
  ReferenceResult probe(const ReferenceRequest& request) const;

 private:
  ReferenceResult run(const ReferenceRequest& request, MemoryView* writable) const;

  MemoryView& memory_;
  const ReferenceRegisters& registers_;
};

}  // namespace svasim
