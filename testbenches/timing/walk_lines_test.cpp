// Walks that read lines: what they cost, what a line buffer saves, and that it never shows what is gone.
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "models/formats/vtd_second_stage.h"
#include "models/formats/x86_first_stage.h"
#include "models/memory/memory.h"
#include "models/walker/walker.h"
#include "support/scripted_memory.h"
#include "support/walk_requester.h"

namespace svasim::test {
namespace {

constexpr Ps kNs = 1000;
constexpr Ps kStep = 2 * kNs;

WalkerParams lines(unsigned buffer) {
  WalkerParams params = walker_params().defaults();
  params.slots = 1;
  params.step_latency = kStep;
  params.read_bytes = 64;
  params.line_buffer_entries = buffer;
  return params;
}

// The tables of a guest and of its second stage, which maps guest pages 0 to 15, all in one table of 4-KiB
// pages. The guest's tables are its pages 1 to 4, its page 9.
class WalkLines : public testing::Test {
 protected:
  static constexpr Addr kSecond = 0x100000;  // its tables, from the top, one page each
  static constexpr Addr kHost = 0x400000;    // of guest page 0
  static constexpr Addr kIova = 0x7f12'3456'7000;
  static constexpr std::uint64_t kFirstUsed = 7 | FirstStageEntry::A::kMask;

  explicit WalkLines(unsigned buffer = 16, std::uint64_t second_bits = 3, bool update_second = false) {
    walker = std::make_unique<PageTableWalker>("walker", lines(buffer), context);
    walker->memory_socket().bind(memory.socket());
    requester.socket().bind(walker->requester(0));
    sc_core::sc_start(sc_core::SC_ZERO_TIME);
    PageFormatOptions options;
    options.accessed_dirty = update_second;
    second = make_vtd_second_stage(4, options);
    for (unsigned i = 0; i < 3; ++i) {
      memory.write64(kSecond + i * kPageSize, (kSecond + (i + 1) * kPageSize) | second_bits);
    }
    for (Addr page = 0; page < 16; ++page) {
      memory.write64(kSecond + 3 * kPageSize + 8 * page, (kHost + page * kPageSize) | second_bits);
    }
    for (unsigned level = 4; level > 1; --level) set(level, (level - 1) * kPageSize | kFirstUsed);
    set(1, 9 * kPageSize | kFirstUsed);
    walk.format = &first;
    walk.level = 4;
    walk.table = 4 * kPageSize;
    walk.iova = kIova;
    walk.update_ad = true;
    walk.nested.format = &second;
    walk.nested.root = kSecond;
    walk.nested.input_bits = 48;
    walk.nested.update_ad = update_second;
  }
  static Addr place(unsigned level) {
    return kHost + level * kPageSize + ((kIova >> (3 + 9 * level)) & 511) * 8;
  }
  void set(unsigned level, std::uint64_t entry) { memory.write64(place(level), entry); }

  const WalkResult& run(Ps* took = nullptr) {
    const Ps sent = now_ps();
    const std::size_t number = requester.send(walk, 1);
    sc_core::sc_start(to_sc(1'000'000 * kNs));
    if (took != nullptr) *took = requester.answered_at(number) - sent - 1;
    return requester.result(number);
  }

  TransactionPool pool;
  StatRegistry stats;
  SimContext context{1, Timing::kApproximate, pool, stats};
  PageTableFormat first = make_x86_first_stage(4, {});
  PageTableFormat second;
  ScriptedMemory memory{"memory"};
  WalkRequester requester{"requester"};
  std::unique_ptr<PageTableWalker> walker;
  WalkRequest walk;
};

// Lines read: one of each upper table of the second stage; of its lowest table that of pages 0 to 7 and that
// of pages 8 to 15; one of each table of the guest. Everything else, of (4 + 1) * 4 + 4 entries, is in a
// line.
constexpr unsigned kEntries = 24;
constexpr unsigned kLines = 3 + 2 + 4;

TEST_F(WalkLines, ReadsEachLineOnce) {
  Ps took = 0;
  const WalkResult result = run(&took);
  EXPECT_EQ(result.page, kHost + 9 * kPageSize);
  EXPECT_EQ(result.reads, kEntries);
  EXPECT_EQ(memory.reads, kLines);
  EXPECT_EQ(walker->stats().line_hits.value, kEntries - kLines);
  EXPECT_EQ(took, (kEntries + 1) * kStep + kLines * memory.latency);
  // The next walk begins with none: what software has changed is seen.
  set(1, 10 * kPageSize | kFirstUsed);
  memory.write64(kSecond + 3 * kPageSize + 8 * 10, (kHost + 0x77000) | 3);
  EXPECT_EQ(run().page, kHost + 0x77000);
  EXPECT_EQ(memory.reads, 2 * kLines);
}

TEST_F(WalkLines, LooseTakesTheSameTime) {
  Ps took = 0;
  const WalkResult result = requester.walk_now(walk, &took);
  EXPECT_EQ(result.page, kHost + 9 * kPageSize);
  EXPECT_EQ(memory.reads, kLines);
  EXPECT_EQ(took, (kEntries + 1) * kStep + kLines * memory.latency);
}

class NoLineBuffer : public WalkLines {
 protected:
  NoLineBuffer() : WalkLines(0) {}
};
TEST_F(NoLineBuffer, ReadsEveryEntry) {
  EXPECT_EQ(run().page, kHost + 9 * kPageSize);
  EXPECT_EQ(memory.reads, kEntries);
  EXPECT_EQ(walker->stats().line_hits.value, 0U);
}

// Four lines hold those of one second-stage walk but not the guest's between: the oldest goes.
class SmallLineBuffer : public WalkLines {
 protected:
  SmallLineBuffer() : WalkLines(4) {}
};
TEST_F(SmallLineBuffer, TheOldestGoes) {
  // The test's own buffer: entries in the order of a nested walk.
  std::vector<Addr> entries;
  const auto second_walk = [&](Addr guest_page) {
    for (unsigned i = 0; i < 3; ++i) entries.push_back(kSecond + i * kPageSize);
    entries.push_back(kSecond + 3 * kPageSize + 8 * guest_page);
  };
  for (unsigned level = 4; level >= 1; --level) {
    second_walk(level);
    entries.push_back(place(level));
  }
  second_walk(9);
  std::vector<Addr> kept;
  unsigned reads = 0;
  for (const Addr entry : entries) {
    const Addr line = entry / 64;
    if (std::count(kept.begin(), kept.end(), line) != 0) continue;
    ++reads;
    if (kept.size() == 4) kept.erase(kept.begin());
    kept.push_back(line);
  }
  run();
  EXPECT_EQ(memory.reads, reads);
}

// The second stage keeps accessed and dirty bits, none of which is set. Each entry is marked once: after an
// update its line is read again.
class MarkedLines : public WalkLines {
 protected:
  MarkedLines() : WalkLines(16, 3, true) {}
};
TEST_F(MarkedLines, UpdatesAreSeen) {
  const WalkResult result = run();
  EXPECT_EQ(result.fault, FaultReason::kNone);
  EXPECT_EQ(result.page, kHost + 9 * kPageSize);
  // 3 upper entries, the leaves of 4 tables and of the page.
  EXPECT_EQ(result.updates, 3 + 4 + 1);
  EXPECT_EQ(memory.updates, 3U + 4 + 1);
  // Upper lines again after their update; the lower line of the tables after each of 3, the page's is new.
  EXPECT_EQ(memory.reads, kLines + 3U + 3U);
}

// A line that memory cannot give is a fault, and nothing of it is kept.
TEST_F(WalkLines, AFailedReadIsAFault) {
  memory.broken_reads = {kSecond + 3 * kPageSize};
  EXPECT_EQ(run().fault, FaultReason::kSecondStageAccess);
  memory.broken_reads.clear();
  EXPECT_EQ(run().fault, FaultReason::kNone);
}

// With a memory of finite bandwidth a line costs its length. 8 GB/s: 8 ns instead of 1.
TEST(WalkLineTiming, ALineTakesItsLength) {
  TransactionPool pool;
  StatRegistry stats;
  SimContext context{1, Timing::kApproximate, pool, stats};
  MemoryParams memory_parameters = memory_params().defaults();
  memory_parameters.bandwidth = 8'000'000'000ULL;
  memory_parameters.latency = 50 * kNs;
  Memory memory("memory", memory_parameters, context);
  PageTableWalker walker("walker", lines(0), context);
  WalkRequester requester("requester");
  walker.memory_socket().bind(memory.socket());
  requester.socket().bind(walker.requester(0));
  const PageTableFormat format = make_x86_first_stage(4, {});
  // The entries of 511: the last ones of their lines.
  constexpr Addr kIova = 0x7FFF'FFFF'F000;
  for (unsigned level = 4; level >= 1; --level) {
    const std::uint64_t next = level == 1 ? 0x5000 : (level - 1) * kPageSize;
    memory.contents().write64(format.entry_address(level, level * kPageSize, kIova), next | 0x7);
  }
  WalkRequest walk;
  walk.format = &format;
  walk.level = 4;
  walk.table = 4 * kPageSize;
  walk.iova = kIova;
  walk.update_ad = true;
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  const std::size_t number = requester.send(walk, 1);
  sc_core::sc_start(to_sc(10'000 * kNs));
  EXPECT_EQ(requester.result(number).page, 0x5000U);
  EXPECT_EQ(requester.result(number).updates, 4);
  EXPECT_EQ(requester.answered_at(number), 1 + 9 * kStep + 4 * (8 + 50) * kNs + 4 * (1 + 50) * kNs);
}

}  // namespace
}  // namespace svasim::test
