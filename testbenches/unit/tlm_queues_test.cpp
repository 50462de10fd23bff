// DelayQueue, SerialChannel and Credits against straightforward definitions.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/rng.h"
#include "models/link/credits.h"
#include "tlm/delay_queue.h"
#include "tlm/serial_channel.h"
#include "tlm/transfer_time.h"

namespace svasim {
namespace {

TEST(DelayQueue, OrdersByTimeThenKeyThenOrderOfPushes) {
  DelayQueue<int> queue(2);
  queue.push(20, 0, 1);
  queue.push(10, 5, 2);
  queue.push(10, 3, 3);
  queue.push(10, 5, 4);
  queue.push(5, 9, 5);
  std::vector<int> order;
  while (!queue.empty()) {
    order.push_back(queue.pop());
  }
  EXPECT_EQ(order, (std::vector<int>{5, 3, 2, 4, 1}));
}

TEST(DelayQueue, RandomPushesAndPopsMatchAStableSort) {
  RngStream rng(7, "delay_queue");
  DelayQueue<unsigned> queue;
  std::multimap<std::pair<Ps, std::uint64_t>, unsigned> reference;  // equal keys keep insertion order
  for (unsigned step = 0; step < 20000; ++step) {
    if (reference.empty() || rng.below(100) < 52) {
      const Ps due = rng.below(50);
      const std::uint64_t key = rng.below(4);
      queue.push(due, key, step);
      reference.emplace(std::pair(due, key), step);
    } else {
      ASSERT_EQ(queue.due(), reference.begin()->first.first);
      ASSERT_EQ(queue.pop(), reference.begin()->second);
      reference.erase(reference.begin());
    }
    ASSERT_EQ(queue.size(), reference.size());
  }
}

TEST(DelayQueue, PopFromEmptyIsAnInternalError) {
  DelayQueue<int> queue;
  EXPECT_EQ(queue.due(), kNever);
  EXPECT_THROW(queue.pop(), InternalError);
}

// Expected deliveries by the definition: transfers in order of (arrival, key), each starting when
// it has arrived and the one before has ended.
TEST(SerialChannel, RandomTransfersMatchTheDefinition) {
  RngStream rng(11, "serial_channel");
  constexpr Ps kLatency = 13;
  struct Made {
    Ps arrival;
    std::uint64_t key;
    Ps duration;
  };
  std::vector<Made> made;
  SerialChannel<std::size_t> channel(kLatency);
  std::map<std::size_t, Ps> seen;
  const auto run = [&](Ps at) {
    while (channel.ready(at)) {
      const auto served = channel.serve();
      EXPECT_GE(served.done, at) << "delivered in the past";
      seen[served.value] = served.done;
    }
  };
  Ps now = 0;
  for (std::size_t i = 0; i < 3000; ++i) {
    now += rng.below(8);
    const Made transfer{now + 1 + rng.below(20), i % 7, rng.below(6)};
    // The owner runs the channel at every due time, as a module does.
    while (channel.next() <= now) {
      run(channel.next());
    }
    const Ps earliest = channel.push(transfer.arrival, transfer.key, transfer.duration, i);
    EXPECT_EQ(earliest, transfer.arrival + transfer.duration + kLatency);
    EXPECT_LE(channel.next(), earliest);
    made.push_back(transfer);
  }
  while (channel.next() != kNever) {
    run(channel.next());
  }
  std::vector<std::size_t> order(made.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    order[i] = i;
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(made[a].arrival, made[a].key) < std::pair(made[b].arrival, made[b].key);
  });
  Ps free_at = 0;
  for (const std::size_t i : order) {
    Ps end = made[i].arrival;
    if (made[i].duration != 0) {
      free_at = std::max(free_at, made[i].arrival) + made[i].duration;
      end = free_at;
    }
    ASSERT_EQ(seen.at(i), end + kLatency) << "transfer " << i;
  }
}

TEST(TransferTime, RoundsUpAndNeverTakesNoTime) {
  TransferTime time(64'000'000'000ULL);  // 15.625 ps per byte
  EXPECT_EQ(time(64), 1000U);
  EXPECT_EQ(time(1), 16U);
  EXPECT_EQ(time(0), 1U);
  TransferTime slow(1'000'000);
  EXPECT_EQ(slow(std::uint64_t{1} << 40U), (std::uint64_t{1} << 40U) * 1'000'000ULL);
}

TEST(Credits, CountFromTheTimeTheyAreBack) {
  Credits credits(2);
  EXPECT_TRUE(credits.take(100));
  EXPECT_TRUE(credits.take(100));
  EXPECT_FALSE(credits.take(100));
  credits.give_back(150);
  EXPECT_EQ(credits.next(), 150U);
  EXPECT_FALSE(credits.take(149));
  EXPECT_TRUE(credits.take(150));
  EXPECT_EQ(credits.in_use(), 2U);
  credits.give_back(200);
  EXPECT_EQ(credits.in_use(), 1U);
}

}  // namespace
}  // namespace svasim
