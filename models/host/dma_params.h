// Parameters of the DMA API.
#pragma once

#include <string>

#include "base/params.h"

namespace svasim {

struct DmaParams {
  std::string mode;
  unsigned flush_entries;
  Ps flush_timeout;
  unsigned address_bits;
  Ps map_time;
  Ps map_page_time;
  Ps unmap_time;
  Ps unmap_page_time;
};

inline const ParamTable<DmaParams>& dma_params() {
  using P = DmaParams;
  static const ParamTable<P> table =
      ParamTable<P>("DMA by mapping: domains of devices, for processes that do not share their address space")
          .choice("mode", &P::mode, "strict", {"strict", "deferred", "pass_through"},
                  "strict: unmap waits for the invalidation. deferred: it waits in a flush queue, and until "
                  "then devices may still use the page. pass_through: devices without PASID use physical "
                  "addresses; domains of a PASID are strict then.",
                  "LINUX iommu.strict, iommu.passthrough")
          .count("flush_entries", &P::flush_entries, "256", 2, 65536,
                 "deferred: entries of a domain's flush queue, one of which stays free; when it is full the "
                 "domain is flushed.",
                 "LINUX IOVA_DEFAULT_FQ_SIZE")
          .time("flush_timeout", &P::flush_timeout, "10 ms", "1 ns", "1000 s",
                "deferred: from the first unmap since the last one to the flush by the timer.",
                "LINUX IOVA_DEFAULT_FQ_TIMEOUT")
          .count("address_bits", &P::address_bits, "48", 13, 57,
                 "Width of the addresses devices can send (the DMA mask); the IOMMU's width bounds it too. "
                 "Addresses below 4 GiB are given out until there is no room for the first time.",
                 "LINUX drivers/iommu/dma-iommu.c")
          .time("map_time", &P::map_time, "150 ns", "1 ps", "1 ms",
                "From the call that maps to the page-table entries being written, besides map_page_time.",
                "MODEL: allocation of the address and call, about 500 cycles")
          .time("map_page_time", &P::map_page_time, "20 ns", "0 ps", "1 ms",
                "More for each page: its entry, and pinning it.", "MODEL")
          .time("unmap_time", &P::unmap_time, "150 ns", "1 ps", "1 ms",
                "From the call that unmaps to the page-table entries being cleared, besides "
                "unmap_page_time; invalidation comes then.",
                "MODEL")
          .time("unmap_page_time", &P::unmap_page_time, "20 ns", "0 ps", "1 ms", "More for each page.",
                "MODEL");
  return table;
}

}  // namespace svasim
