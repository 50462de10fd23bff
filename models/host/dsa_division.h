// How a DSA device is divided: what its driver writes before it enables it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "models/host/accel_config.h"

namespace svasim {

struct DsaDriverParams;

struct DsaDivision {
  struct Queue {
    bool shared = false;
    unsigned size = 0;  // 0: nobody uses it
    unsigned threshold = 0;
    unsigned priority = 0;
    bool block_on_fault = false;
    bool ats_disable = false;
    bool prs_disable = false;
    unsigned log2_max_transfer = 0;
    unsigned log2_max_batch = 0;
    std::optional<std::array<std::uint32_t, 8>> operations;
  };
  struct Group {
    unsigned number = 0;
    std::uint64_t queues = 0;   // bitmap
    std::uint64_t engines = 0;  // bitmap; of those the device has
    std::uint64_t flags = 0;
    std::uint64_t flags_kept = ~std::uint64_t{0};  // fields that stay as they are
  };
  std::vector<Queue> queues;  // by number
  std::vector<Group> groups;
  unsigned read_buffer_limit = 0;  // 0: as it is
  bool forced = false;             // the device is to judge

  unsigned entries() const;
  bool shares() const;
};

// Queues alike, in one group with all engines; `shared` by number.
DsaDivision default_division(const DsaDriverParams& params, const std::vector<bool>& shared,
                             bool block_on_fault);

// As the administrator wants it. SPEC: [ACCEL load-config]
DsaDivision division_of(const AccelDevice& device, bool forced);

}  // namespace svasim
