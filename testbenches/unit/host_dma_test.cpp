// I/O addresses and flush queues of the DMA API. Expected values follow from the rules of Linux, by hand.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <vector>

#include "base/check.h"
#include "models/formats/vtd_second_stage.h"
#include "models/host/dma_view.h"
#include "support/step_machine.h"
#include "unit/host_memory_support.h"

namespace svasim {
namespace {

constexpr Addr k4GiB = Addr{1} << 32U;
constexpr std::uint64_t kP = kPageSize;

// --- addresses ---

TEST(IovaAllocator, FromTheTopAlignedToTheSizeRoundedUp) {
  IovaAllocator addresses(k4GiB);
  EXPECT_EQ(addresses.allocate(kP, k4GiB), k4GiB - kP);
  EXPECT_EQ(addresses.allocate(kP, k4GiB), k4GiB - 2 * kP);
  // Three pages need a multiple of four pages: the last two of the top four are taken.
  EXPECT_EQ(addresses.allocate(3 * kP, k4GiB), k4GiB - 8 * kP);
  // What alignment has left over is found by who fits.
  EXPECT_EQ(addresses.allocate(2 * kP, k4GiB), k4GiB - 4 * kP);
  EXPECT_EQ(addresses.allocate(kP, k4GiB), k4GiB - 5 * kP);
  EXPECT_EQ(addresses.used(), 8 * kP);
}

TEST(IovaAllocator, AFreedRangeIsJoinedWithItsNeighbours) {
  IovaAllocator addresses(16 * kP);
  std::vector<Addr> pages;
  for (unsigned i = 0; i < 15; ++i) pages.push_back(*addresses.allocate(kP, 16 * kP));
  EXPECT_FALSE(addresses.allocate(kP, 16 * kP).has_value());
  // Pages 8 to 15, in no order.
  for (const unsigned i : {3U, 0U, 7U, 1U, 2U, 6U, 4U, 5U}) addresses.free(pages[i]);
  EXPECT_EQ(addresses.allocate(8 * kP, 16 * kP), 8 * kP);
  EXPECT_THROW(addresses.free(9 * kP), InternalError);
}

TEST(IovaAllocator, PageZeroAndReservedRangesAreNeverGivenOut) {
  IovaAllocator addresses(8 * kP);
  addresses.reserve(5 * kP, 7 * kP);
  addresses.reserve(6 * kP, 20 * kP);  // overlaps, and ends behind the limit
  std::set<Addr> given;
  while (const auto page = addresses.allocate(kP, 8 * kP)) given.insert(*page);
  EXPECT_EQ(given, (std::set<Addr>{kP, 2 * kP, 3 * kP, 4 * kP}));
}

TEST(IovaAllocator, NothingReachesBeyondTheLimitOfACall) {
  IovaAllocator addresses(16 * kP);
  EXPECT_EQ(addresses.allocate(2 * kP, 4 * kP), 2 * kP);
  EXPECT_EQ(addresses.allocate(kP, 4 * kP), kP);
  EXPECT_FALSE(addresses.allocate(kP, 4 * kP).has_value());
  EXPECT_EQ(addresses.allocate(kP, ~Addr{0}), 15 * kP);
}

// --- machine ---

// Runs tasks at their time.
// --- flush queue ---

struct Flushes : testing::Test {
  static constexpr Ps kTimeout = 1000;
  FakeMemory bytes;
  StepMachine machine{bytes};
  std::vector<Machine::Task> flushing;  // flushes under way
  std::vector<Addr> freed;
  FlushQueue queue{machine, 4, kTimeout, [this](Machine::Task done) { flushing.push_back(std::move(done)); },
                   [this](Addr iova) { freed.push_back(iova); }};
  unsigned added = 0;
  void add(Addr iova) {
    queue.add(iova, [this] { ++added; });
  }
  void end_flush() {
    ASSERT_FALSE(flushing.empty());
    const Machine::Task done = std::move(flushing.front());
    flushing.erase(flushing.begin());
    done();
  }
};

TEST_F(Flushes, TheTimerBeginsWithTheFirst) {
  machine.run_until(300);
  add(1);
  machine.run_until(900);
  add(2);
  EXPECT_EQ(added, 2U);
  machine.run_until(1299);
  EXPECT_TRUE(flushing.empty());
  machine.run_until(1300);
  ASSERT_EQ(flushing.size(), 1U);
  EXPECT_TRUE(freed.empty());
  end_flush();
  EXPECT_EQ(freed, (std::vector<Addr>{1, 2}));
  machine.run_until(10000);
  EXPECT_TRUE(flushing.empty());
}

TEST_F(Flushes, WhatCameAfterAFlushBeganWaitsForTheNext) {
  add(1);
  machine.run_until(kTimeout);
  add(2);
  end_flush();
  EXPECT_EQ(freed, (std::vector<Addr>{1}));
  machine.run_until(2 * kTimeout);
  end_flush();
  EXPECT_EQ(freed, (std::vector<Addr>{1, 2}));
}

TEST_F(Flushes, AFullRingHoldsTheCallerBackUntilItIsFlushed) {
  for (const Addr iova : {1, 2, 3, 4}) add(iova);
  EXPECT_EQ(added, 3U);
  ASSERT_EQ(flushing.size(), 1U);
  end_flush();
  EXPECT_EQ(added, 4U);
  EXPECT_EQ(freed, (std::vector<Addr>{1, 2, 3}));
  EXPECT_EQ(queue.waiting(), 1U);
}

TEST_F(Flushes, NothingWaitsWhenAllWasInvalidated) {
  add(1);
  queue.flushed();
  EXPECT_EQ(freed, (std::vector<Addr>{1}));
}

// --- mappings ---

struct Dma : testing::Test {
  FakeMemory bytes;
  StepMachine machine{bytes};
  PageAllocator pages{kBase, 64 * kPageSize};
  PageTableFormat first = make_x86_first_stage(4, PageFormatOptions{});
  ProcessMemory memory{"p", first, machine.memory(), pages};
  DmaParams params = dma_params().defaults();
  HostStats stats;
  DmaApi api{DmaApi::Mode::kStrict,
             params,
             DomainId(2),
             make_vtd_second_stage(4, PageFormatOptions{}),
             48,
             machine,
             pages,
             stats};
  DmaView view{api, memory, pages, machine, 1000};

  Addr buffer(std::uint64_t count) {
    const Addr start = memory.map(count * kP, Vma{});
    for (std::uint64_t i = 0; i < count; ++i) static_cast<void>(memory.fault(start + i * kP, true, true));
    return start;
  }
  Errno keep(Addr start, std::uint64_t count) {
    Errno result = Errno::kAgain;
    view.keep({start, count * kP, true}, [&](Errno error) { result = error; });
    machine.run_until(machine.now() + 1'000'000'000);
    return result;
  }
};

TEST_F(Dma, AMappedPageIsPinnedUntilItIsUnmapped) {
  const Addr start = buffer(2);
  const Addr page = memory.translate(start);
  ASSERT_EQ(keep(start, 2), Errno::kNone);
  EXPECT_EQ(pages.users(page), 2U);
  for (const Addr each : memory.unmap(start, start + 2 * kP).pages) pages.free(each);
  EXPECT_EQ(pages.users(page), 1U);
  Errno result = Errno::kAgain;
  view.drop(start, [&](Errno error) { result = error; });
  machine.run_until(machine.now() + 1'000'000'000);
  EXPECT_EQ(result, Errno::kNone);
  EXPECT_EQ(pages.users(page), 0U);
}

TEST_F(Dma, WithoutMemoryForTablesNothingStaysMappedOrPinned) {
  const Addr start = buffer(4);
  const Addr page = memory.translate(start);
  std::vector<Addr> rest;
  while (const auto one = pages.allocate()) rest.push_back(*one);
  EXPECT_EQ(keep(start, 4), Errno::kNoMemory);
  EXPECT_EQ(stats.dma_maps_failed.value, 1U);
  EXPECT_EQ(pages.users(page), 1U);
  EXPECT_FALSE(view.kept(start, 1).has_value());
  // With memory again, the same addresses are free: the top of 32 bits, aligned to four pages.
  for (const Addr one : rest) pages.free(one);
  EXPECT_EQ(keep(start, 4), Errno::kNone);
  EXPECT_EQ(view.kept(start, 4 * kP), k4GiB - 4 * kP);
}

// SPEC: [VTD 3.15]
TEST_F(Dma, TheInterruptRangeIsNoAddress) {
  std::vector<Addr> eight_mib;
  for (Addr page = 0x4000'0000; page < 0x4080'0000; page += kP) eight_mib.push_back(page);
  std::vector<Addr> given;
  for (int i = 0; i < 3; ++i) {
    api.map(eight_mib, true, [&](Errno error, Addr iova) {
      EXPECT_EQ(error, Errno::kNone);
      given.push_back(iova);
    });
    machine.run_until(machine.now() + 1'000'000'000);
  }
  // 0xFE800000 would reach into it.
  EXPECT_EQ(given, (std::vector<Addr>{0xFF80'0000, 0xFF00'0000, 0xFE00'0000}));
}

TEST_F(Dma, AddressesAbove4GiBOnceThoseBelowDidNotSuffice) {
  const auto map = [this](std::uint64_t gib) {
    // One page after the other from 1 TiB on; tables of 2 MiB pages only.
    std::vector<Addr> all(gib << 18U);
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = (Addr{1} << 40U) + i * kP;
    Addr at = 0;
    api.map(all, true, [&](Errno error, Addr iova) {
      EXPECT_EQ(error, Errno::kNone);
      at = iova;
    });
    machine.run_until(machine.now() + 1'000'000'000'000);
    return at;
  };
  constexpr Addr kGiB = Addr{1} << 30U;
  EXPECT_EQ(map(1), 2 * kGiB);  // the interrupt range is in the last one, page 0 in the first
  EXPECT_EQ(map(1), 1 * kGiB);
  EXPECT_EQ(map(1), (Addr{1} << 48U) - kGiB);
  // There is room for a page below 4 GiB; but it did not suffice once.
  EXPECT_EQ(keep(buffer(1), 1), Errno::kNone);
  EXPECT_EQ(view.kept(memory.find_area(ProcessMemory::kFirstArea)->start, 1), (Addr{1} << 48U) - kGiB - kP);
}

TEST_F(Dma, KeepingTwiceIsRefusedAndDroppingTwiceToo) {
  const Addr start = buffer(2);
  ASSERT_EQ(keep(start, 2), Errno::kNone);
  EXPECT_EQ(keep(start + kP, 1), Errno::kBusy);
  view.drop(start, [](Errno error) { EXPECT_EQ(error, Errno::kNone); });
  view.drop(start, [](Errno error) { EXPECT_EQ(error, Errno::kInvalid); });
  machine.run_until(machine.now() + 1'000'000'000);
  // A part that was unmapped keeps its address for who uses it by mistake.
  EXPECT_EQ(view.kept(start + kP, kP), k4GiB - kP);
}

}  // namespace
}  // namespace svasim
