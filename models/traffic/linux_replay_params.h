// Parameters of the replay of Linux captures.
#pragma once

#include <cstdint>
#include <string>

#include "base/params.h"

namespace svasim {

struct LinuxReplayParams {
  std::string link;
  std::string dataset;
  std::uint64_t registers;
  unsigned window;
  bool probes;
  Ps gap;
  Ps poll_interval;
};

inline const ParamTable<LinuxReplayParams>& linux_replay_params() {
  using P = LinuxReplayParams;
  static const ParamTable<P> table =
      ParamTable<P>("Replay of a captured Linux: its devices' accesses and its IOMMU driver")
          .ref("link", &P::link, "device_port", Ref::kRequired, "The link all captured devices are behind.")
          .text("dataset", &P::dataset, "",
                "The capture: a folder, or an archive of one (tar, also compressed). In a file, relative to "
                "the file.",
                "traces/FORMAT.md")
          .address("registers", &P::registers, "0xfed90000",
                   "Physical address of the register block of the IOMMU the link ends at.", "VTD 11.2")
          .count("window", &P::window, "32", 1, 4096,
                 "Accesses in flight at a time. Table edits, invalidations and accesses that will fault wait "
                 "for all "
                 "accesses before them.",
                 "MODEL")
          .flag("probes", &P::probes, "false",
                "Also issue the look-ups of the emulator that belong to no access (class dup), as reads of "
                "one byte: they fill caches, there and here.",
                "traces/FORMAT.md")
          .time("gap", &P::gap, "1 ns", "1 ps", "1 ms",
                "From the event that lets an access go to the access leaving the device. Captured times are "
                "not used.",
                "MODEL")
          .time("poll_interval", &P::poll_interval, "100 ns", "1 ps", "1 ms",
                "From one look of the driver at a wait descriptor's status to the next.", "MODEL")
          .check([](const P& p, const Complain& bad) {
            if (p.dataset.empty()) bad("dataset", "names no capture");
          });
  return table;
}

}  // namespace svasim
