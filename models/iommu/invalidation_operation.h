// Invalidation descriptors, checked and taken apart.
#pragma once

#include <cstdint>
#include <optional>

#include "models/formats/vtd_invalidation.h"
#include "models/formats/vtd_registers.h"
#include "models/iommu/invalidation_scope.h"

namespace svasim {

struct InvalidationOperation {
  enum class Kind : std::uint8_t {
    kContextGlobal,
    kContextDomain,  // legacy mode only
    kContextDevice,
    kPasidGlobal,
    kPasidDomain,
    kPasidSelective,
    kTranslations,      // IOTLB and paging-structure caches: `scope`
    kInterruptEntries,  // MODEL: no interrupt remapping, so it only takes time
    kDeviceTlb,
    kWait,
    kGroupResponse,
  };
  Kind kind = Kind::kWait;
  DomainId did;
  bool has_pasid = false;
  Pasid pasid;
  RequesterId requester;
  std::uint16_t requester_mask = 0;  // bits not compared
  InvalidationScope scope;
  bool drain_reads = false;  // kTranslations: a wait behind it includes the requests under way
  bool drain_writes = false;

  // kDeviceTlb.
  RequesterId limited_by;  // physical function whose limit of pending requests holds
  unsigned max_pending = 32;
  std::uint64_t body = 0;

  // kWait.
  bool interrupt = false;
  bool status_write = false;
  bool fence = false;
  bool page_drain = false;
  std::uint32_t status_data = 0;
  Addr status_address = 0;

  // kGroupResponse.
  std::uint16_t prg_index = 0;
  std::uint8_t response_code = 0;
};

// The error, or the operation in `operation`. wide: 256-bit descriptors. SPEC: [VTD 6.5.2, 6.5.2.10]
std::optional<InvalidationQueueError> decode_invalidation(const InvalidationDescriptor& descriptor,
                                                          TranslationMode mode, bool wide,
                                                          unsigned max_address_mask,
                                                          InvalidationOperation& operation);

}  // namespace svasim
