// Parameters of a run as a whole: the `sim` and `checks` parts of a configuration.
#pragma once

#include "base/params.h"

namespace svasim {

struct SimParams {
  std::uint64_t seed;
  std::string timing;
  Ps max_time;
  Ps watchdog;
  Ps warmup;
  bool protocol_checks;
  bool stale_use_checks;
  unsigned stale_uses_listed;
  std::string construction;
};

inline const ParamTable<SimParams>& sim_params() {
  using P = SimParams;
  static const ParamTable<P> table =
      ParamTable<P>("The run")
          .count("seed", &P::seed, "1", 0, ~std::uint64_t{0}, "Seed of all random streams.", "")
          .choice("timing", &P::timing, "approximate", {"approximate", "loose"},
                  "approximate: all contention; loose: annotated delays, for warm-up and functional runs.",
                  "")
          .time("max_time", &P::max_time, "1000 s", "1 ps", "1000000 s",
                "Simulated time at which the run ends if it has not ended before.", "")
          .time("watchdog", &P::watchdog, "100 ms", "1 ns", "1000 s",
                "Simulated time without any progress of the workload after which the run is a hang.", "")
          .time("warmup", &P::warmup, "0 ps", "0 ps", "1000000 s",
                "Simulated time that does not count in the statistics.", "")
          .flag("protocol_checks", &P::protocol_checks, "true",
                "Whether protocol checkers watch every socket; they change no result.", "")
          .flag("stale_use_checks", &P::stale_use_checks, "false",
                "Whether every use of a translation is compared with what the tables say at that time; it "
                "changes no result but adds what it finds.",
                "")
          .count("stale_uses_listed", &P::stale_uses_listed, "20", 0, 1'000'000,
                 "How many stale uses the results describe: so many errors, and so many exposed uses.", "")
          .choice("construction", &P::construction, "forward", {"forward", "reversed"},
                  "Order in which components are constructed; it changes no result, which a test proves. Not "
                  "recorded in the results.",
                  "");
  return table;
}

// One condition on the statistics at the end of a run.
struct StatCheckParams {
  std::string statistic;
  std::string field;
  double at_least;
  double at_most;
};

inline const ParamTable<StatCheckParams>& stat_check_params() {
  using P = StatCheckParams;
  static const ParamTable<P> table =
      ParamTable<P>("A condition on one statistic")
          .text("statistic", &P::statistic, "", "Path of the statistic.", "")
          .choice("field", &P::field, "value",
                  {"value", "count", "sum", "min", "max", "mean", "p50", "p95", "p99"},
                  "Which of its numbers; histograms have all but value.", "")
          .number("at_least", &P::at_least, "0", -1e300, 1e300, "Smallest number that is all right.", "")
          .number("at_most", &P::at_most, "1e300", -1e300, 1e300, "Largest number that is all right.", "")
          .check([](const P& p, const Complain& bad) {
            if (p.statistic.empty()) bad("statistic", "names no statistic");
            if (p.at_least > p.at_most) bad("at_most", "at_most is less than at_least");
          });
  return table;
}

}  // namespace svasim
