// What makes a descriptor invalid. No SystemC in here.
#pragma once

#include "models/dsa/dsa_registers_file.h"
#include "models/dsa/operations/operation.h"

namespace svasim {

// What a descriptor is checked against besides its queue.
struct DsaCheckContext {
  unsigned version = 1;          // of the device
  bool translates = true;        // ATS is on for the queue
  bool in_batch = false;         // a member of a batch
  bool user_interrupts = false;  // GENCFG
  bool overlapping_copy = true;
  bool interrupt_handle = false;  // the descriptor's handle means a vector ...
  std::uint32_t permission = 0;   // ... with this MSIXPERM
  // Of the submission.
  bool has_pasid = false;
  bool privileged = false;
  Pasid pasid;
  bool privilege_allowed = true;  // by the PASID capability
};

// Checks in a fixed order; the specification leaves the order open. SPEC: [DSA 5, Table 5-3]
DsaCheck check_descriptor(const DsaDescriptor& descriptor, const DsaQueueConfig& queue,
                          const DsaCheckContext& context);

}  // namespace svasim
