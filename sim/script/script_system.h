// The system a script runs on: one device, the IOMMU with its page request queue, a walker, memory,
// and software's view of registers and memory.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/stats.h"
#include "models/formats/vtd_registers.h"
#include "models/iommu/iommu.h"
#include "models/memory/memory.h"
#include "models/memory/memory_bus.h"
#include "models/prq/prq.h"
#include "models/reference/memory_view.h"
#include "models/walker/walker.h"
#include "sim/script/script_device.h"
#include "sim/script/statement.h"
#include "tlm/at_checker.h"

namespace svasim {

class ScriptSystem : public MemoryView {
 public:
  // Physical addresses; memory begins at 0.
  static constexpr Addr kQueue = 0x200000;
  static constexpr Addr kPageQueue = 0x210000;
  static constexpr Addr kStatus = 0x220000;
  static constexpr Addr kTables = 0x1000000;
  static constexpr Addr kData = 0x10000000;
  static constexpr Addr kRom = 0xFFFF0000;
  static constexpr std::size_t kRomBytes = 0x10000;
  // For how long something that has to happen is waited for.
  static constexpr Ps kPatience = 1'000'000'000;
  static constexpr Ps kDeviceAnswer = 100'000;

  // All systems of a program have to be constructed before the first one runs. `name` begins the
  // names of its modules.
  ScriptSystem(const std::string& name, const ScriptParams& params);

  ScriptDevice& device() { return *device_; }
  ScriptInterrupts& interrupts() { return *interrupts_; }
  const ScriptParams& params() const { return params_; }
  // The device answers for this requester, too: messages to it arrive there.
  void add_device(RequesterId requester) { iommu_->add_device(0, requester); }
  const ViolationLog& violations() const { return checker_->violations(); }

  // Software's accesses take the time the registers take. False: refused.
  bool read_register(std::uint32_t offset, unsigned bytes, std::uint64_t& value);
  bool write_register(std::uint32_t offset, unsigned bytes, std::uint64_t value);

  bool has_memory(Addr address, std::uint64_t bytes) const;
  // Software's view: it may also write what is read-only for everything else.
  void read(Addr address, void* data, std::size_t bytes) const;
  void write(Addr address, const void* data, std::size_t bytes);
  bool read64(Addr address, std::uint64_t& value) const override;
  bool write64(Addr address, std::uint64_t value) override;

  static void advance(Ps time);
  // Lets things happen until `done`, at most for `time`; false when it did not come.
  template <typename Done>
  static bool wait(Ps time, const Done& done) {
    const Ps end = now_ps() + time;
    while (!done()) {
      if (now_ps() >= end) return false;
      const Ps next = sc_core::sc_time_to_pending_activity().value();
      advance(std::min(std::max<Ps>(next, 1), end - now_ps()));
    }
    return true;
  }

 private:
  bool in_rom(Addr address, std::uint64_t bytes) const {
    return address >= kRom && bytes <= kRomBytes && address - kRom <= kRomBytes - bytes;
  }

  ScriptParams params_;
  TransactionPool pool_;
  StatRegistry stats_;
  SimContext context_{1, Timing::kApproximate, pool_, stats_};
  std::unique_ptr<Memory> memory_;
  std::unique_ptr<MemoryBus> bus_;
  std::unique_ptr<PageTableWalker> walker_;
  std::unique_ptr<Iommu> iommu_;
  std::unique_ptr<PageRequestQueue> prq_;
  std::unique_ptr<ScriptInterrupts> interrupts_;
  std::unique_ptr<ScriptRom> rom_;
  std::unique_ptr<ScriptHost> host_;
  std::unique_ptr<ScriptDevice> device_;
  std::unique_ptr<AtChecker<PcieProtocol>> checker_;
};

}  // namespace svasim
