// Parameters of a page request queue.
#pragma once

#include "base/params.h"

namespace svasim {

struct PrqParams {
  Ps latency;
  Ps interval;
  unsigned outstanding;
  unsigned queue_limit;
  Ps event_latency;
};

inline const ParamTable<PrqParams>& prq_params() {
  static const ParamTable<PrqParams> table =
      ParamTable<PrqParams>("Page request queue of an IOMMU")
          .time("latency", &PrqParams::latency, "5 ns", "1 ps", "1 ms",
                "From a page request taking its turn to its descriptor leaving for memory, or to the answer "
                "that it "
                "was not queued; waiting for the turn is not included.",
                "MODEL")
          .time("interval", &PrqParams::interval, "2 ns", "1 ps", "1 ms",
                "Between the turns of two page requests.", "MODEL")
          .count(
              "outstanding", &PrqParams::outstanding, "4", 1, 64,
              "Descriptors on their way to memory at a time; a page request has no turn before one is free.",
              "MODEL")
          .count(
              "queue_limit", &PrqParams::queue_limit, "16384", 2, 16384,
              "Page requests in the queue at which it is full, if PQA gives it more room; 16384: never. For "
              "experiments with queues smaller than the 127 requests of the smallest VT-d has.",
              "MODEL")
          .time("event_latency", &PrqParams::event_latency, "20 ns", "1 ps", "1 ms",
                "From the page request event to its interrupt message leaving.", "MODEL");
  return table;
}

}  // namespace svasim
