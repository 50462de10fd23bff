// Parameters of a PCIe link.
#pragma once

#include "base/params.h"

namespace svasim {

struct LinkParams {
  Ps latency;
  unsigned lanes;
  std::uint64_t lane_rate;
  std::uint64_t overhead;
  std::uint64_t pasid_prefix;
  std::uint64_t max_payload;
  unsigned posted_credits;
  unsigned non_posted_credits;
};

inline const ParamTable<LinkParams>& link_params() {
  static const ParamTable<LinkParams> table =
      ParamTable<LinkParams>("PCIe link")
          .time("latency", &LinkParams::latency, "120 ns", "1 ps", "1 ms",
                "One way, from the last byte on the wire to the packet at the other end.",
                "MODEL: root port, retimers and both controllers")
          .count("lanes", &LinkParams::lanes, "16", 1, 32, "Width of the link.", "MODEL")
          .bandwidth("lane_rate", &LinkParams::lane_rate, "3.938 GB/s", "100 MB/s", "100 GB/s",
                     "Bytes per second of one lane and direction after encoding.", "PCIE: 32 GT/s, 128b/130b")
          .bytes(
              "overhead", &LinkParams::overhead, "24 B", "0 B", "256 B",
              "Bytes on the wire per packet besides its data: framing, sequence number, 4 DW header, LCRC.",
              "PCIE 2.2, 3.6")
          .bytes("pasid_prefix", &LinkParams::pasid_prefix, "4 B", "0 B", "64 B",
                 "More bytes for a packet with a PASID prefix.", "PCIE PASID")
          .bytes("max_payload", &LinkParams::max_payload, "256 B", "64 B", "4 KiB",
                 "Longer data is split into packets of this size, each with its overhead.", "PCIE 2.2.2")
          .count(
              "posted_credits", &LinkParams::posted_credits, "64", 1, 65536,
              "Posted requests (writes, messages) the upstream receiver holds before the device must wait.",
              "MODEL")
          .count("non_posted_credits", &LinkParams::non_posted_credits, "64", 1, 65536,
                 "Non-posted requests (reads, translation requests) the upstream receiver holds.", "MODEL");
  return table;
}

}  // namespace svasim
