// Memory and tables for tests of the bare RTL walker.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <vector>

#include "base/check.h"
#include "models/rtl/rtl_walker_core.h"

namespace svasim::testing {

// 8-byte words by address; what was never written is 0.
class WordMemory {
 public:
  std::uint64_t read(Addr address) const {
    const auto word = words_.find(address);
    return word == words_.end() ? 0 : word->second;
  }
  void write(Addr address, std::uint64_t value) { words_[address] = value; }
  // Reading anything in the page at `page` is answered with an error.
  void break_page(Addr page) { broken_.insert(page >> kPageShift); }
  bool broken(Addr address) const { return broken_.count(address >> kPageShift) != 0; }
  const std::map<Addr, std::uint64_t>& words() const { return words_; }

 private:
  std::map<Addr, std::uint64_t> words_;
  std::set<Addr> broken_;
};

// Clocks one walk to its end with fixed memory latencies in cycles (at least 1), and counts edges
// from the one that takes the request to the one that hands over the result.
class WalkDriver {
 public:
  WalkDriver(RtlWalkerCore& core, WordMemory& memory) : core_(core), memory_(memory) {}

  unsigned read_latency = 1;
  unsigned update_latency = 1;
  bool fail_updates = false;
  // Called with the address before each update is done; may write memory to race with it.
  std::function<void(Addr)> before_update;

  const RtlWalkResult& walk(const RtlWalkRequest& request) {
    core_.start(request);
    reads.clear();
    updates.clear();
    edges = 0;
    for (;; ++edges) {
      SVASIM_CHECK(edges < 100000, "the walk does not end");
      switch (core_.clock()) {
        case RtlWalkerCore::Event::kResult:
          return core_.result();
        case RtlWalkerCore::Event::kRead:
          wait(read_latency);
          reads.push_back(core_.read_address());
          core_.answer_read(memory_.read(reads.back()), memory_.broken(reads.back()));
          break;
        case RtlWalkerCore::Event::kUpdate:
          wait(update_latency);
          update();
          break;
        case RtlWalkerCore::Event::kNone:
          break;
      }
    }
  }

  unsigned edges = 0;
  std::vector<Addr> reads;
  std::vector<Addr> updates;  // tried

 private:
  // The answer is there at the latency-th edge after the request.
  void wait(unsigned latency) {
    for (; latency > 1; --latency, ++edges) {
      SVASIM_CHECK(core_.clock() == RtlWalkerCore::Event::kNone, "output while waiting for memory");
    }
  }
  void update() {
    const RtlWalkerCore::Update update = core_.update();
    updates.push_back(update.address);
    if (before_update) before_update(update.address);
    const std::uint64_t seen = memory_.read(update.address);
    if (!fail_updates && seen == update.old_value) {
      memory_.write(update.address, update.new_value);
    }
    core_.answer_update(seen, fail_updates);
  }

  RtlWalkerCore& core_;
  WordMemory& memory_;
};

}  // namespace svasim::testing
