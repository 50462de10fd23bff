// Parameters of the page-table walker.
#pragma once

#include "base/params.h"

namespace svasim {

struct WalkerParams {
  std::string kind;
  unsigned slots;
  Ps step_latency;
  Ps clock;
  bool waves;
};

inline const ParamTable<WalkerParams>& walker_params() {
  static const ParamTable<WalkerParams> table =
      ParamTable<WalkerParams>("Page-table walker")
          .choice("kind", &WalkerParams::kind, "tlm", {"tlm", "rtl", "lockstep"},
                  "tlm: the model; rtl: the Verilated walker; lockstep: both on every walk, compared.",
                  "MODEL")
          .count("slots", &WalkerParams::slots, "8", 1, 256,
                 "Walks in progress at the same time; the rtl walker does one.", "MODEL")
          .time("step_latency", &WalkerParams::step_latency, "2 ns", "1 ps", "1 us",
                "Between an entry in the walker and the next read, or the answer, leaving it; also before "
                "the first read.",
                "MODEL")
          .time("clock", &WalkerParams::clock, "1 ns", "10 ps", "1 us", "Clock period of the rtl walker.",
                "MODEL")
          .flag("waves", &WalkerParams::waves, "false",
                "Write the signals of the rtl walker to NAME.fst in the results.", "MODEL");
  return table;
}

}  // namespace svasim
