// Parameters of the page-table walker.
#pragma once

#include "base/params.h"
#include "models/walker/walk_order.h"

namespace svasim {

struct WalkerParams {
  std::string kind;
  unsigned slots;
  Ps step_latency;
  std::string order;
  unsigned demand_priority;
  unsigned page_request_priority;
  unsigned prefetch_priority;
  unsigned read_bytes;
  unsigned line_buffer_entries;
  Ps clock;
  bool waves;

  bool one_priority() const {
    return demand_priority == page_request_priority && demand_priority == prefetch_priority;
  }
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
          .choice("order", &WalkerParams::order, "fifo", walk_order_names(),
                  "Which of the walks that wait gets the next slot, among those of the best priority; see "
                  "`svasim list orders`.",
                  "MODEL")
          .count("demand_priority", &WalkerParams::demand_priority, "0", 0, 2,
                 "Place of walks a request waits for; 0 goes first, and equal places wait in one line.",
                 "MODEL")
          .count("page_request_priority", &WalkerParams::page_request_priority, "0", 0, 2,
                 "Place of walks of translation requests that repeat after a page request for their page.",
                 "MODEL")
          .count("prefetch_priority", &WalkerParams::prefetch_priority, "0", 0, 2,
                 "Place of walks for pages nobody has asked for yet.", "MODEL")
          .count(
              "read_bytes", &WalkerParams::read_bytes, "8", 8, 64,
              "Length of a read: 8, the entry, or 64, the line it lies in; then prefetches take the entries "
              "beside a leaf from its line.",
              "MODEL")
          .count("line_buffer_entries", &WalkerParams::line_buffer_entries, "0", 0, 64,
                 "Lines that a walk keeps while it lasts and need not read again; needs read_bytes of 64.",
                 "MODEL")
          .time("clock", &WalkerParams::clock, "1 ns", "10 ps", "1 us", "Clock period of the rtl walker.",
                "MODEL")
          .flag("waves", &WalkerParams::waves, "false",
                "Write the signals of the rtl walker to NAME.fst in the results.", "MODEL")
          .check([](const WalkerParams& p, const Complain& bad) {
            if (p.read_bytes != 8 && p.read_bytes != 64) bad("read_bytes", "8 or 64");
            if (p.line_buffer_entries != 0 && p.read_bytes != 64) {
              bad("line_buffer_entries", "only lines are kept; it needs read_bytes of 64");
            }
            if (p.kind != "rtl") return;
            if (p.order != "fifo") bad("order", "the rtl walker takes walks in order of arrival: fifo");
            if (!p.one_priority()) {
              bad(p.prefetch_priority != p.demand_priority ? "prefetch_priority" : "page_request_priority",
                  "the rtl walker knows no priorities: all three have to be equal");
            }
            if (p.read_bytes != 8) bad("read_bytes", "the rtl walker reads single entries: 8");
          });
  return table;
}

}  // namespace svasim
