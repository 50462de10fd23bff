// What buffers have to hold, and what nobody can say of them while something is under way.
#include <gtest/gtest.h>

#include <vector>

#include "base/rng.h"
#include "models/host/shadow.h"
#include "unit/host_memory_support.h"

namespace svasim {
namespace {

using Ranges = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

Ranges within(const ByteRanges& set, std::uint64_t first, std::uint64_t end, bool inside) {
  Ranges found;
  set.for_each(first, end, inside, [&](std::uint64_t from, std::uint64_t to) {
    found.push_back({from, to});
  });
  return found;
}

TEST(ByteRanges, JoinAndCut) {
  ByteRanges set;
  set.add(10, 20);
  set.add(30, 40);
  set.add(20, 30);  // joins both
  EXPECT_EQ(within(set, 0, 100, true), (Ranges{{10, 40}}));
  set.remove(15, 18);
  set.remove(35, 60);
  EXPECT_EQ(within(set, 0, 100, true), (Ranges{{10, 15}, {18, 35}}));
  EXPECT_EQ(within(set, 0, 40, false), (Ranges{{0, 10}, {15, 18}, {35, 40}}));
  EXPECT_EQ(within(set, 12, 20, true), (Ranges{{12, 15}, {18, 20}}));
  EXPECT_EQ(within(set, 12, 20, false), (Ranges{{15, 18}}));
  set.add(5, 5);
  EXPECT_EQ(within(set, 0, 10, true), Ranges{});
}

// Against a bit per byte.
TEST(ByteRanges, AreTheSetTheySayTheyAre) {
  ByteRanges set;
  std::vector<bool> bits(64);
  std::uint64_t state = 1;
  for (unsigned i = 0; i < 2000; ++i) {
    const std::uint64_t draw = split_mix64(state);
    const std::uint64_t first = draw % 64;
    const std::uint64_t end = first + (draw >> 8U) % (65 - first);
    const bool adds = ((draw >> 20U) & 1U) != 0;
    adds ? set.add(first, end) : set.remove(first, end);
    for (std::uint64_t at = first; at < end; ++at) bits[at] = adds;
    const std::uint64_t from = (draw >> 24U) % 64;
    for (const bool inside : {true, false}) {
      std::vector<bool> seen(64);
      set.for_each(from, 64, inside, [&](std::uint64_t a, std::uint64_t b) {
        for (; a < b; ++a) seen[a] = true;
      });
      for (std::uint64_t at = 0; at < 64; ++at) ASSERT_EQ(seen[at], at >= from && bits[at] == inside) << i;
    }
  }
}

struct Buffered : ::testing::Test {
  Space s;
  Addr start = 0;
  Shadow shadow;
  void SetUp() override {
    Vma random;
    random.content = Content::kRandom;
    start = s.space.map(4 * kPageSize, random);
    shadow.map(*s.space.find_area(start));
    for (unsigned i = 0; i < 4; ++i)
      ASSERT_TRUE(is_handled(s.space.fault(start + i * kPageSize, true, true)));
  }
  Shadow::Comparison compared(std::uint64_t offset, std::uint64_t length) {
    return shadow.compare(s.space, start + offset, offset, length);
  }
  std::uint64_t wrong() { return compared(0, 4 * kPageSize).wrong; }
  std::uint64_t known() { return compared(0, 4 * kPageSize).compared; }
  void store(std::uint64_t offset, std::uint64_t length, unsigned char byte) {
    const std::vector<unsigned char> bytes(length, byte);
    s.space.write(start + offset, bytes.data(), length);
  }
};

TEST_F(Buffered, EveryWrongByteIsFound) {
  EXPECT_EQ(wrong(), 0U);
  EXPECT_EQ(known(), 4 * kPageSize);
  const std::vector<unsigned char> data(100, 1);
  shadow.write(kPageSize - 50, data.data(), data.size());  // across a page boundary
  EXPECT_GT(wrong(), 90U);
  s.space.write(start + kPageSize - 50, data.data(), data.size());
  EXPECT_EQ(wrong(), 0U);
  store(kPageSize - 1, 2, 9);
  EXPECT_EQ(wrong(), 2U);
}

TEST_F(Buffered, NobodyKnowsWhatIsBeingWritten) {
  Flight flight;
  shadow.enter(flight, 100, 200, true);
  EXPECT_EQ(known(), 4 * kPageSize - 200);
  store(150, 10, 1);
  EXPECT_EQ(wrong(), 0U);
  store(99, 1, 1);
  EXPECT_EQ(wrong(), 1U);  // one byte beside it is another matter
  shadow.leave(flight);
  EXPECT_EQ(known(), 4 * kPageSize);
  EXPECT_EQ(wrong(), 11U);
  EXPECT_FALSE(flight.disturbed);
}

TEST_F(Buffered, WhatMeetsIsDisturbed) {
  Flight reader;
  Flight writer;
  Flight another;
  Flight apart;
  shadow.enter(reader, 0, 100, false);
  shadow.enter(apart, 200, 100, true);
  Flight second_reader;
  shadow.enter(second_reader, 50, 10, false);
  EXPECT_FALSE(reader.disturbed || second_reader.disturbed);  // reading does not hurt
  shadow.enter(writer, 99, 10, true);
  EXPECT_TRUE(reader.disturbed);
  EXPECT_FALSE(writer.disturbed);  // who is read meanwhile still writes what it writes
  EXPECT_FALSE(second_reader.disturbed);
  shadow.enter(another, 108, 1, true);
  EXPECT_TRUE(writer.disturbed && another.disturbed);
  EXPECT_FALSE(apart.disturbed);
  // An operation does not meet itself.
  Flight own;
  shadow.enter(own, 1000, 100, false);
  shadow.enter(own, 1050, 100, true);
  EXPECT_FALSE(own.disturbed);
}

TEST_F(Buffered, ACopyKnowsWhatItsSourceKnows) {
  shadow.blur(10, 20);
  shadow.copy(shadow, 0, 2 * kPageSize + 5, 100);
  EXPECT_EQ(known(), 4 * kPageSize - 40);
  std::vector<unsigned char> bytes(100);
  s.space.read(start, bytes.data(), bytes.size());
  s.space.write(start + 2 * kPageSize + 5, bytes.data(), bytes.size());
  store(2 * kPageSize + 15, 20, 0);
  EXPECT_EQ(wrong(), 0U);
  store(2 * kPageSize + 35, 1, static_cast<unsigned char>(bytes[30] + 1));
  EXPECT_EQ(wrong(), 1U);
}

TEST_F(Buffered, AMappingAnewDisturbsWhatIsUnderWay) {
  Flight flight;
  shadow.enter(flight, 0, 10, true);
  shadow.blur(50, 10);
  shadow.map(*s.space.find_area(start));
  EXPECT_TRUE(flight.disturbed);
  EXPECT_EQ(known(), 4 * kPageSize - 10);
}

// A child has what its parent had, except for what is written while devices can still reach its pages.
TEST_F(Buffered, AnHeirDoesNotKnowWhatIsWrittenMeanwhile) {
  Flight before;
  Flight fork;
  Flight during;
  Flight after;
  shadow.enter(before, 0, 10, true);
  Shadow child;
  child.inherit(shadow);
  shadow.enter(fork, 0, 4 * kPageSize, true, &child);
  shadow.enter(during, 100, 10, true);
  EXPECT_TRUE(before.disturbed && during.disturbed);
  shadow.leave(fork);
  shadow.enter(after, 200, 10, true);
  EXPECT_FALSE(after.disturbed);
  EXPECT_EQ(child.compare(s.space, start, 0, kPageSize).compared, kPageSize - 20);
}

}  // namespace
}  // namespace svasim
