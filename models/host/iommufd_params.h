// Parameters of devices that user space drives: iommufd, and memory of devices (BARs).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/params.h"

namespace svasim {

struct IommufdParams {
  Ps call_time;
  Ps pin_page_time;
};

inline const ParamTable<IommufdParams>& iommufd_params() {
  using P = IommufdParams;
  static const ParamTable<P> table =
      ParamTable<P>("Devices that user space drives")
          .time("call_time", &P::call_time, "1 us", "1 ps", "1 s",
                "Of each call of iommufd, besides pinning and what hardware takes; calls of one context wait "
                "for each other.",
                "MODEL")
          .time("pin_page_time", &P::pin_page_time, "50 ns", "0 ps", "1 s",
                "More of a map for each page that it pins. A page that is not there takes page_fault_time "
                "too.",
                "MODEL");
  return table;
}

// Memory of a device that others may map and reach.
struct BarParams {
  std::string name;
  std::uint64_t base;
  std::uint64_t size;
  std::uint64_t config;
};

inline const ParamTable<BarParams>& bar_params() {
  using P = BarParams;
  static const ParamTable<P> table =
      ParamTable<P>("Memory of a device behind a base address register")
          .text("name", &P::name, "", "Steps name it by this.", "")
          .address("base", &P::base, "0", "First physical address, a multiple of 4 KiB.", "MODEL")
          .bytes("size", &P::size, "1 MiB", "4 KiB", "1 TiB", "Size.", "MODEL")
          .address("config", &P::config, "0",
                   "Where the device's configuration space is: `config` of the memory.", "MODEL")
          .check([](const P& p, const Complain& bad) {
            if (p.name.empty()) bad("name", "a BAR needs a name");
            if (p.base == 0 || p.base % kPageSize != 0) bad("base", "is not a multiple of 4 KiB above 0");
            if (p.size % kPageSize != 0) bad("size", "is not a multiple of 4 KiB");
            if (p.config == 0) bad("config", "a BAR needs the configuration space of its device");
          });
  return table;
}

struct VfioParams {
  std::string revoke;
  unsigned retries;
  Ps lookup_time;
  std::vector<BarParams> bars;
};

inline const ParamTable<VfioParams>& vfio_params() {
  using P = VfioParams;
  static const ParamTable<P> table =
      ParamTable<P>("Memory of devices that others map")
          .choice("revoke", &P::revoke, "invalidate", {"invalidate", "tables", "none"},
                  "Before a BAR goes away, mappings of it in I/O address spaces are removed and invalidated; "
                  "or only removed from the tables; or left as they are.",
                  "LINUX drivers/vfio/pci: dma-buf revocation; vfio_iommu_type1 has none")
          .count("retries", &P::retries, "64", 0, 1'000'000,
                 "How often pinning looks a page of a BAR up again when its entry was taken away behind the "
                 "fault; then it ends with EAGAIN. 0: EINVAL the first time, as in older kernels.",
                 "LINUX drivers/vfio/vfio_iommu_type1.c follow_fault_pfn")
          .time("lookup_time", &P::lookup_time, "200 ns", "1 ps", "1 ms",
                "From the end of the fault, which has dropped the lock, to the second look-up.", "MODEL")
          .groups("bars", &P::bars, bar_params(), "Memory of devices.");
  return table;
}

}  // namespace svasim
