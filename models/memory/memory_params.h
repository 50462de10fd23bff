// Parameters of a memory and of the memory bus.
#pragma once

#include <string>

#include "base/bits.h"
#include "base/params.h"
#include "models/tlb/replacement.h"

namespace svasim {

// MODEL: the caches of the CPU are not simulated; this one sees the accesses of devices and IOMMUs only.
struct LlcParams {
  bool enable;
  std::uint64_t size;
  unsigned ways;
  std::string policy;
  Ps latency;
  bool table_reads;
  bool device_reads;
  bool device_writes;
};

inline const ParamTable<LlcParams>& llc_params() {
  static const ParamTable<LlcParams> table =
      ParamTable<LlcParams>("Last-level cache in front of a memory")
          .flag("enable", &LlcParams::enable, "false", "Whether there is one.", "MODEL")
          .bytes("size", &LlcParams::size, "32 MiB", "4 KiB", "4 GiB", "Size, in lines of 64 B.", "MODEL")
          .count("ways", &LlcParams::ways, "16", 1, 1024, "Lines per set.", "MODEL")
          .choice("policy", &LlcParams::policy, "lru", plain_replacement_names(),
                  "Replacement policy within a set.", "MODEL")
          .time(
              "latency", &LlcParams::latency, "20 ns", "1 ps", "1 ms",
              "From an access's arrival to the answer of a hit leaving, or to the beginning of its wait for "
              "its channel after a miss.",
              "MODEL")
          .flag("table_reads", &LlcParams::table_reads, "true",
                "Reads of page tables and of the IOMMU's structures enter what they missed.",
                "MODEL: reads of the IOMMU go through the coherent fabric")
          .flag("device_reads", &LlcParams::device_reads, "false", "Reads of devices enter what they missed.",
                "MODEL: inbound reads do not allocate")
          .flag("device_writes", &LlcParams::device_writes, "true", "Writes enter what they missed.",
                "MODEL: inbound writes allocate, as with DDIO")
          .check([](const LlcParams& p, const Complain& bad) {
            const std::uint64_t lines = p.size / 64;
            if (p.size % 64 != 0 || lines % p.ways != 0 || !is_power_of_two(lines / p.ways)) {
              bad("size", std::to_string(lines) + " lines in " + std::to_string(p.ways) +
                              " ways do not make a number of sets that is a power of two");
            }
          });
  return table;
}

struct MemoryParams {
  std::uint64_t base;
  std::uint64_t size;
  Ps latency;
  std::uint64_t bandwidth;
  unsigned channels;
  std::uint64_t interleave;
  std::uint64_t config;
  LlcParams llc;
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
          .address("config", &MemoryParams::config, "0",
                   "Memory of a device: where its configuration space is, 4 KiB with the Command and the "
                   "Device Control register. While Memory Space Enable is 0 the memory does not answer. 0: "
                   "none, it always answers.",
                   "PCIE 7.5.1.1.3")
          .group("llc", &MemoryParams::llc, llc_params(), "Last-level cache.")
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
            if (p.config % kPageSize != 0) {
              bad("config", "a configuration space begins at a multiple of 4 KiB");
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
