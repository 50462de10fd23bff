// Parameters of the traffic generator.
#pragma once

#include "base/bits.h"
#include "base/params.h"

namespace svasim {

struct TrafficParams {
  std::string link;
  RequesterId bdf;
  bool use_pasid;
  unsigned pasid;
  std::string pattern;
  std::uint64_t base;
  std::uint64_t range;
  std::uint64_t size;
  std::uint64_t stride;
  unsigned write_percent;
  bool no_snoop;
  unsigned outstanding;
  std::uint64_t count;
  Ps gap;
  std::string verify;
  bool start;
  bool direct_memory;
};

inline const ParamTable<TrafficParams>& traffic_params() {
  static const ParamTable<TrafficParams> table =
      ParamTable<TrafficParams>("Traffic generator: a device that reads and writes by itself")
          .ref("link", &TrafficParams::link, "device_port", Ref::kRequired,
               "The link, or ATC, its requests go to.")
          .bdf("bdf", &TrafficParams::bdf, "00:02.0", "Requester ID.", "MODEL")
          .flag("use_pasid", &TrafficParams::use_pasid, "false", "Whether requests carry a PASID.", "MODEL")
          .count("pasid", &TrafficParams::pasid, "0", 0, kMaxPasid, "PASID of the requests.", "PCIE PASID")
          .choice("pattern", &TrafficParams::pattern, "random", {"sequential", "random"},
                  "sequential: base, base + stride, ... around the range; random: any multiple of the stride "
                  "in it.",
                  "MODEL")
          .address("base", &TrafficParams::base, "0x100000000", "First IOVA.", "MODEL")
          .bytes("range", &TrafficParams::range, "16 MiB", "64 B", "1024 TiB", "Size of the area accessed.",
                 "MODEL")
          .bytes("size", &TrafficParams::size, "64 B", "8 B", "4 KiB", "Bytes per access; a power of two.",
                 "MODEL")
          .bytes("stride", &TrafficParams::stride, "64 B", "8 B", "1 GiB",
                 "Distance of addresses; a multiple of size.", "MODEL")
          .count("write_percent", &TrafficParams::write_percent, "0", 0, 100, "Share of writes.", "MODEL")
          .flag("no_snoop", &TrafficParams::no_snoop, "false",
                "Whether requests have the No Snoop attribute.", "PCIE 2.2.6")
          .count("outstanding", &TrafficParams::outstanding, "32", 1, 65536, "Accesses in flight at a time.",
                 "MODEL")
          .count("count", &TrafficParams::count, "100000", 1, std::uint64_t{1} << 40U, "Accesses in all.",
                 "MODEL")
          .time("gap", &TrafficParams::gap, "1 ns", "1 ps", "1 s",
                "From an access's completion to the next access of the same slot leaving the device.",
                "MODEL")
          .choice("verify", &TrafficParams::verify, "none", {"none", "address"},
                  "address: every 8 bytes read must be the value that stands for their IOVA (see "
                  "traffic/README.md).",
                  "MODEL")
          .flag("start", &TrafficParams::start, "true", "Whether it starts by itself at time 0.", "MODEL")
          .flag("direct_memory", &TrafficParams::direct_memory, "true",
                "Loose timing: whether it accesses pages without a call where the IOMMU would hit. Changes "
                "the speed of the simulation only.",
                "MODEL")
          .check([](const TrafficParams& p, const Complain& bad) {
            if (!is_power_of_two(p.size)) {
              bad("size", std::to_string(p.size) + " B is no power of two");
            } else if (p.stride % p.size != 0) {
              bad("stride", "the stride is not a multiple of the size");
            } else if (p.base % p.size != 0) {
              bad("base", "the base is not aligned to the size");
            }
            if (p.range < p.stride || p.range < p.size) {
              bad("range", "the range is smaller than one access and stride");
            }
          });
  return table;
}

}  // namespace svasim
