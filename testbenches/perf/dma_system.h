// A traffic device behind an IOMMU with real page tables, for benchmarks.
#pragma once

#include <memory>
#include <string>
#include <systemc>

#include "models/iommu/iommu.h"
#include "models/link/link.h"
#include "models/memory/memory.h"
#include "models/memory/memory_bus.h"
#include "models/traffic/traffic.h"
#include "models/walker/walker.h"
#include "support/memory_initiator.h"

namespace svasim::perf {

// What is measured in DESIGN's table of speed: 64-byte reads at random addresses of `pages` pages
// of 4 KiB, 32 outstanding, first-stage tables of four levels, all statistics on, data verified.
struct DmaSystemSetup {
  std::string name;
  Timing timing = Timing::kApproximate;
  std::uint64_t pages = 64;
  std::uint64_t accesses = 100'000;
  bool iotlb = true;
  bool paging_structure_caches = true;
  unsigned walker_slots = 6;
  bool nested = false;  // the first stage lies in a second one of 4 levels and 4-KiB pages
};

class DmaSystem {
 public:
  explicit DmaSystem(const DmaSystemSetup& setup);

  // Builds the tables and enables translation through the registers. Once, after elaboration.
  void enable();
  // Runs the accesses; InternalError if any of them failed or read wrong data.
  void run();

  std::uint64_t accesses() const { return setup_.accesses; }
  std::uint64_t wakeups() const;
  // Simulated time from restart to the last answer of the latest run.
  Ps duration() const { return duration_; }
  std::uint64_t walks() const { return walker_->stats().finished.value; }

 private:
  void write_register(unsigned offset, std::uint64_t value, unsigned bytes);

  DmaSystemSetup setup_;
  Ps duration_ = 0;
  TransactionPool pool_;
  StatRegistry stats_;
  SimContext context_;
  std::unique_ptr<TrafficGenerator> traffic_;
  std::unique_ptr<PcieLink> link_;
  std::unique_ptr<Iommu> iommu_;
  std::unique_ptr<PageTableWalker> walker_;
  std::unique_ptr<MemoryBus> bus_;
  std::unique_ptr<Memory> memory_;
  std::unique_ptr<test::MemoryInitiator> cpu_;
  std::unique_ptr<test::MemoryInitiator> unused_;
};

}  // namespace svasim::perf
