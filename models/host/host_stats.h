// Statistics of the host.
#pragma once

#include <string>

#include "base/stats.h"
#include "models/host/guest_stats.h"
#include "models/host/idxd_stats.h"
#include "models/host/iommufd_stats.h"

namespace svasim {

struct HostStats {
  // Device page faults.
  Counter interrupts;
  Counter page_requests;
  Counter page_groups;
  Counter pages_mapped;
  Counter pages_present;
  Counter pages_copied;
  Counter major_faults;
  Counter bad_faults;
  Counter responses;
  Counter responses_dropped;
  Counter overflows;
  Counter partials_discarded;
  Histogram fault_queue;
  Histogram fault_service;
  Histogram fault_total;
  // Invalidation.
  Counter invalidation_submissions;
  Counter invalidation_descriptors;
  Histogram invalidation_latency;
  Counter unmaps;
  Counter pages_unmapped;
  Histogram unmap_latency;
  // DMA API.
  Counter dma_maps;
  Counter dma_maps_failed;
  Counter dma_unmaps;
  Counter dma_flushes;
  Histogram dma_unmap_latency;
  // Binding and faults reported by the IOMMU.
  Counter binds;
  Counter unbinds;
  Counter forks;
  Counter exits;
  Counter exit_callbacks;
  Counter pages_out;
  Counter dma_faults;
  Counter register_accesses;
  Counter register_errors;
  // Operations.
  Counter operations;
  Counter operations_failed;
  Counter operations_resubmitted;
  Counter pages_touched;
  Counter descriptors;
  Counter operations_time;
  Ps first_submission = kNever;
  Counter bytes;
  Counter bytes_verified;
  Counter bytes_wrong;
  Histogram operation_latency;
  GuestStats guests;
  IommufdStats user_devices;
  IdxdStats idxd;

  void describe(StatRegistry& registry, const std::string& prefix) const;
};

}  // namespace svasim
