// Parameters of a memory and of the memory bus.
#pragma once

#include "base/bits.h"
#include "base/params.h"

namespace svasim {

struct MemoryParams {
  std::uint64_t base;
  std::uint64_t size;
  Ps latency;
  std::uint64_t bandwidth;
  unsigned channels;
  std::uint64_t interleave;
};

inline const ParamTable<MemoryParams>& memory_params() {
  static const ParamTable<MemoryParams> table =
      ParamTable<MemoryParams>("Memory")
          .address("base", &MemoryParams::base, "0x0", "First physical address.", "MODEL")
          .bytes("size", &MemoryParams::size, "16 GiB", "4 KiB", "4096 TiB",
                 "Size; only pages that are written take host memory.", "MODEL")
          .time("latency", &MemoryParams::latency, "70 ns", "1 ps", "1 ms",
                "From the end of an access's turn on its channel to the answer leaving the memory; queueing "
                "and "
                "transfer come on top.",
                "MODEL: idle DRAM latency behind the memory controller")
          .bandwidth("bandwidth", &MemoryParams::bandwidth, "38 GB/s", "1 MB/s", "10 TB/s",
                     "Of one channel; an access occupies its channel for length / bandwidth.",
                     "MODEL: one DDR5-4800 channel")
          .count("channels", &MemoryParams::channels, "8", 1, 64, "Channels; a power of two.", "MODEL")
          .bytes("interleave", &MemoryParams::interleave, "256 B", "64 B", "1 GiB",
                 "Consecutive bytes on one channel; a power of two. An access uses the channel of its first "
                 "byte.",
                 "MODEL")
          .check([](const MemoryParams& p, const Complain& bad) {
            if (!is_power_of_two(p.channels)) {
              bad("channels", std::to_string(p.channels) + " is no power of two");
            }
            if (!is_power_of_two(p.interleave)) {
              bad("interleave", std::to_string(p.interleave) + " B is no power of two");
            }
            if (p.size % kPageSize != 0) {
              bad("size", "the size is not a multiple of 4 KiB");
            }
            if (p.base % kPageSize != 0) {
              bad("base", "the first address is not a multiple of 4 KiB");
            }
          });
  return table;
}

struct MemoryBusParams {
  Ps latency;
};

inline const ParamTable<MemoryBusParams>& memory_bus_params() {
  static const ParamTable<MemoryBusParams> table =
      ParamTable<MemoryBusParams>("Memory bus: decodes physical addresses")
          .time("latency", &MemoryBusParams::latency, "10 ns", "1 ps", "1 ms",
                "Of each direction, from a request at the bus to the same request at its target; there is no "
                "queueing.",
                "MODEL: contention is at the targets");
  return table;
}

}  // namespace svasim
