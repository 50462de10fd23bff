// The statistics of one run: who counts what, in which unit, and what increments it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/histogram.h"
#include "base/types.h"

namespace svasim {

enum class StatUnit { kCount, kPs, kBytes, kBytesPerSecond, kPerSecond, kRatio, kCycles };
enum class StatKind {
  kInvariant,  // depends on neither time nor order: equal with loose and approximate timing
  kTiming,
};

const char* to_string(StatUnit unit);  // "count", "ps", "bytes", "bytes/s", "1/s", "ratio", "cycles"
const char* to_string(StatKind kind);  // "invariant", "timing"

// Counters and histograms belong to the models and must outlive the registry's last use. Paths are
// "component.part.name"; a path taken twice is an InternalError.
class StatRegistry {
 public:
  StatRegistry() = default;
  StatRegistry(const StatRegistry&) = delete;
  StatRegistry& operator=(const StatRegistry&) = delete;

  // description: what it counts and the event that increments it.
  void counter(const std::string& path, const Counter* counter, StatUnit unit, StatKind kind,
               const std::string& description);
  void histogram(const std::string& path, const Histogram* histogram, StatUnit unit, StatKind kind,
                 const std::string& description);
  // numerators / denominators, sums of counters since the end of warm-up; null without events.
  void ratio(const std::string& path, std::vector<const Counter*> numerators,
             std::vector<const Counter*> denominators, StatKind kind, const std::string& description);
  // The counter's increase per second of simulated time.
  void rate(const std::string& path, const Counter* counter, StatUnit unit, const std::string& description);
  // Anything else, evaluated when the statistics are read; warm-up is not subtracted from it. Not a
  // number means null.
  void formula(const std::string& path, std::function<double()> formula, StatUnit unit, StatKind kind,
               const std::string& description);

  // End of warm-up at simulated time `now`: what was counted so far no longer shows.
  void snapshot(Ps now);

  // {path: {value | count,sum,min,max,mean,p50,p95,p99, unit, kind, description}}, sorted by path; a
  // formula's value is null when it is not a number. now: simulated time, for rates.
  nlohmann::json to_json(Ps now) const;
  // "name,field,value,unit,kind" per number, sorted by name, after a heading line.
  std::string to_csv(Ps now) const;
  // path, unit, kind and description of all, for `svasim list statistics`.
  std::string markdown() const;

  // One value since the end of warm-up; nullopt if there is no such path (or it is no such thing).
  std::optional<std::uint64_t> counter_value(const std::string& path) const;
  std::optional<Histogram> histogram_value(const std::string& path) const;
  std::optional<double> formula_value(const std::string& path, Ps now) const;
  std::vector<std::string> paths() const;

 private:
  struct Stat {
    enum class Type { kCounter, kHistogram, kRatio, kRate, kFormula };
    Type type = Type::kCounter;
    StatUnit unit = StatUnit::kCount;
    StatKind kind = StatKind::kTiming;
    std::string description;
    const Histogram* histogram = nullptr;
    std::vector<const Counter*> numerators;  // of a counter or rate: the one counter
    std::vector<const Counter*> denominators;
    std::function<double()> formula;
  };
  Stat& add(const std::string& path, StatUnit unit, StatKind kind, const std::string& description);
  std::uint64_t since_warmup(const std::vector<const Counter*>& counters) const;
  Histogram since_warmup(const Histogram& histogram) const;
  double evaluate(const Stat& stat, Ps now) const;

  std::map<std::string, Stat> stats_;
  std::map<const Counter*, std::uint64_t> warmup_counters_;
  std::map<const Histogram*, Histogram> warmup_histograms_;
  Ps warmup_end_ = 0;
};

}  // namespace svasim
