// The Verilated page-table walker, clocked by hand. No SystemC.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "base/stats.h"
#include "base/types.h"

namespace svasim {

// One walk, as the pins of svasim_walker take it; rtl/README.md describes them.
struct RtlWalkRequest {
  std::uint8_t level = 4;
  Addr table = 0;
  bool upper_write = true;
  bool upper_user = true;
  Addr iova = 0;
  bool is_write = false;
  bool user = true;
  bool write_protect = false;
  bool need_access = true;
  bool update_ad = true;
  bool extended_access = false;
  bool snooped = true;
  bool one_gib_pages = true;
  std::uint8_t host_address_width = 46;
};

struct RtlWalkResult {
  std::uint8_t fault = 0;  // reason code of a fault record; 0: none
  std::uint8_t level = 0;  // of the leaf, or of the entry that faulted
  Addr page = 0;
  std::uint8_t page_shift = 0;
  bool write = false;  // rights over all levels
  bool user = false;
  bool dirty = false;
  std::uint8_t reads = 0;
  std::uint8_t updates = 0;  // tried, those that met a changed entry included

  // Tables found on the way, with the rights down to and including the entry that points there.
  struct Step {
    Addr table = 0;
    std::uint8_t level = 0;
    bool write = false;
    bool user = false;
  };
  std::uint8_t steps = 0;
  std::array<Step, 4> step{};
};

// Drives one walker. The caller makes the cycles: clock() is one rising edge, with the inputs set
// since the edge before; outputs are sampled just before the edge. Answers go in between a kRead or
// kUpdate and any later edge. While waits_for_memory() no edge changes anything, so the caller may
// leave edges out and count them with skip(): the clock is gated.
class RtlWalkerCore {
 public:
  struct Options {
    std::string waves;                   // FST file to write; empty: none
    std::uint64_t start_value_seed = 0;  // registers before reset: 0 zeros, else random from this seed
  };

  // What the walker handed over at an edge.
  enum class Event : std::uint8_t { kNone, kRead, kUpdate, kResult };

  RtlWalkerCore() : RtlWalkerCore(Options()) {}
  explicit RtlWalkerCore(const Options& options);
  ~RtlWalkerCore();
  RtlWalkerCore(const RtlWalkerCore&) = delete;
  RtlWalkerCore& operator=(const RtlWalkerCore&) = delete;

  // The request waits at the pins until the walker takes it, at the next edge if it is idle.
  // Only one may wait.
  void start(const RtlWalkRequest& request);

  // One cycle. `time` is the simulated time of its rising edge; it only stamps the waves.
  Event clock(Ps time = 0);

  // Edges from `time` on, one per `period`, up to the one that hands something over; `time` is then
  // the time of that edge. Only with a walk under way and not waiting for memory.
  Event run(Ps& time, Ps period);

  bool waits_for_memory() const { return waits_for_read_ || waits_for_update_; }
  bool idle() const { return !busy_; }
  void skip(std::uint64_t edges) { skipped_cycles_.add(edges); }

  // Back-pressure, for tests: whether memory takes a read or an update, and the requester a result.
  void set_ready(bool read, bool update, bool result);

  // Valid after kRead; after kUpdate; after kResult.
  Addr read_address() const { return address_; }
  struct Update {
    Addr address = 0;
    std::uint64_t old_value = 0;
    std::uint64_t new_value = 0;
  };
  const Update& update() const { return update_; }
  const RtlWalkResult& result() const { return result_; }

  // The answer is there at the next edge.
  void answer_read(std::uint64_t data, bool error);
  // `seen` is what memory held; it wrote the new value if that equals the old value.
  void answer_update(std::uint64_t seen, bool error);

  // Edges evaluated, and edges left out while waiting for memory.
  const Counter& busy_cycles() const { return busy_cycles_; }
  const Counter& skipped_cycles() const { return skipped_cycles_; }

 private:
  struct Model;
  void sample_result();

  std::unique_ptr<Model> model_;
  Addr address_ = 0;
  Update update_;
  RtlWalkResult result_;
  bool busy_ = false;
  bool waits_for_read_ = false;
  bool waits_for_update_ = false;
  Counter busy_cycles_;
  Counter skipped_cycles_;
};

}  // namespace svasim
