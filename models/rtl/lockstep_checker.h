// Repeats every walk of a TLM walker on the RTL walker and compares.
#pragma once

#include <string>
#include <vector>

#include "models/rtl/rtl_stats.h"
#include "models/rtl/rtl_walker_core.h"
#include "models/walker/walk_observer.h"

namespace svasim {

// When the model has finished a walk, the RTL walker does the same walk and is given the answers
// that memory gave the model, after the same latencies in whole cycles. Both must have asked for
// the same accesses, A/D updates included, and come to the same result. Memory is not accessed
// again, so the comparison neither costs simulated time nor races with software.
class LockstepChecker : public WalkObserver {
 public:
  // At most this many mismatches are described.
  static constexpr std::size_t kMaxDescribed = 100;

  LockstepChecker(std::string name, unsigned slots, Ps clock, const std::string& waves_file);

  void describe(StatRegistry& registry) const;
  const LockstepStats& stats() const { return stats_; }
  const RtlWalkerCore& core() const { return core_; }
  // One line per mismatch: the request, what the model did and what the RTL walker did.
  const std::vector<std::string>& mismatches() const { return described_; }

  void walk_started(unsigned slot, const WalkRequest& request, Ps when) override;
  void walk_accessed(unsigned slot, const WalkAccess& access) override;
  void walk_finished(unsigned slot, const WalkResult& result, Ps when) override;

 private:
  struct Record {
    WalkRequest request;
    Ps started = 0;
    std::vector<WalkAccess> accesses;
  };

  // Empty when both agree; else how they differ first.
  std::string compare(const Record& record, const WalkResult& result);
  std::string replay(const Record& record);
  std::string answer(const Record& record, std::size_t number, RtlWalkerCore::Event event);
  void wait(Ps latency);

  std::string name_;
  Ps clock_;
  RtlWalkerCore core_;
  std::vector<Record> records_;  // by slot
  Ps edge_ = 0;                  // latest edge clocked
  LockstepStats stats_;
  std::vector<std::string> described_;
};

}  // namespace svasim
