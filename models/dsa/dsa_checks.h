// What makes a descriptor invalid. No SystemC in here.
#pragma once

#include "models/dsa/dsa_registers_file.h"
#include "models/formats/dsa_descriptor.h"

namespace svasim {

struct DsaCheck {
  DsaStatus status = DsaStatus::kSuccess;
  std::uint32_t invalid_flags = 0;  // with kInvalidFlags
};

// What a descriptor is checked against besides its queue.
struct DsaCheckContext {
  bool user_interrupts = false;  // GENCFG
  bool overlapping_copy = true;
  unsigned interrupts = 1;       // MSI-X vectors
  std::uint32_t permission = 0;  // MSIXPERM of the descriptor's handle, if it is a vector
};

// Checks in a fixed order; the specification leaves the order open. SPEC: [DSA 5, Table 5-3]
DsaCheck check_descriptor(const DsaDescriptor& descriptor, const DsaQueueConfig& queue,
                          const DsaCheckContext& context);

}  // namespace svasim
