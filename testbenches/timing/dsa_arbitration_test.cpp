// Who gets how much of the engines of a group, and what drain and abort leave behind.
#include <numeric>

#include "models/dsa/dsa_dispatch.h"
#include "system/dsa_bench.h"

namespace svasim {
namespace {

constexpr Addr kSource = 0x10000000;
constexpr Addr kDestination = 0x20000000;
constexpr unsigned kQueues = 4;
constexpr std::uint32_t kSize = 512;

// Queues that never run empty, with the same moves; completions by queue after `time`.
std::vector<double> shares(const std::array<unsigned, kQueues>& priorities, unsigned engines) {
  DsaBench b;
  b.configure(true, engines, kQueues, 32);
  for (unsigned queue = 0; queue < kQueues; ++queue) {
    b.write32(b.wqcfg(queue) + DsaWqcfg::kMode,
              DsaWqcfg::DEDICATED::make(1) | DsaWqcfg::PRIORITY::make(priorities[queue]) |
                  DsaWqcfg::PASID_ENABLE::make(1) | DsaWqcfg::PASID::make(DsaBench::kPasid));
  }
  b.enable(kQueues);
  b.map(kSource, 16 * kPageSize);
  b.map(kDestination, 16 * kPageSize);
  constexpr unsigned kDepth = 30;
  std::array<std::uint64_t, kQueues> completed{};
  std::array<std::array<bool, kDepth>, kQueues> pending{};
  std::array<std::uint64_t, kQueues> at_warm{};
  for (unsigned round = 0; round < 4000; ++round) {
    if (round == 400) at_warm = completed;
    for (unsigned queue = 0; queue < kQueues; ++queue) {
      for (unsigned i = 0; i < kDepth; ++i) {
        const unsigned number = queue * kDepth + i;
        if (pending[queue][i] && b.status(number) == DsaStatus::kNone) continue;
        if (pending[queue][i]) ++completed[queue];
        pending[queue][i] = true;
        b.agent.memory.fill(DsaBench::record_address(number) + DsaBench::kOffset, 32,
                            [](std::size_t) { return static_cast<unsigned char>(0); });
        b.submit(DsaBench::descriptor(DsaOpcode::kMemmove, number, kSource + number % 128 * kSize,
                                      kDestination + number % 128 * kSize, kSize),
                 queue);
      }
    }
    b.run(100000);
  }
  EXPECT_EQ(b.dsa.stats().dropped.value, 0U);
  std::vector<double> result;
  for (unsigned queue = 0; queue < kQueues; ++queue) {
    result.push_back(static_cast<double>(completed[queue] - at_warm[queue]));
  }
  const double sum = std::accumulate(result.begin(), result.end(), 0.0);
  EXPECT_GT(sum, 5000);
  for (double& each : result) each /= sum;
  return result;
}

void expect_shares(const std::array<unsigned, kQueues>& priorities, unsigned engines) {
  const std::vector<double> got = shares(priorities, engines);
  const double sum = std::accumulate(priorities.begin(), priorities.end(), 0.0);
  for (unsigned queue = 0; queue < kQueues; ++queue) {
    const double expected = priorities[queue] / sum;
    EXPECT_NEAR(got[queue] / expected, 1, 0.03) << "queue " << queue;
  }
}

// SPEC: [DSA 3]: as many turns as the priority says.
TEST(DsaArbitration, SharesFollowPriorities) { expect_shares({1, 2, 5, 12}, 1); }
TEST(DsaArbitration, SharesFollowPrioritiesWithTwoEngines) { expect_shares({15, 10, 5, 3}, 2); }
TEST(DsaArbitration, EqualPrioritiesShareEqually) { expect_shares({7, 7, 7, 7}, 2); }

// Turns of queues without work are not waited for.
TEST(DsaArbitration, AnIdleQueueTakesNothing) {
  DsaDispatch dispatch(2, 1);
  dispatch.set_group(0, 3);
  dispatch.configure(0, 64, 1);
  dispatch.configure(1, 64, 15);
  DsaSubmission submission;
  for (unsigned i = 0; i < 64; ++i) ASSERT_TRUE(dispatch.push(submission));
  for (unsigned i = 0; i < 64; ++i) ASSERT_TRUE(dispatch.take(0, 0, {}, submission)) << i;
}

struct Ending {
  const char* name;
  DsaCommand command;
  std::uint32_t operand;
};

class DsaEnding : public ::testing::TestWithParam<std::tuple<Ending, Ps>> {};

// SPEC: [DSA 9.2]: when a drain or an abort is over, no write of what it was about comes any more.
TEST_P(DsaEnding, LeavesNoWriteBehind) {
  const Ending ending = std::get<0>(GetParam());
  DsaBench b;
  b.set_up(true, 1, 2, 32);
  constexpr unsigned kCount = 30;  // more than are in progress at a time
  constexpr std::uint32_t kLarge = 4 * kPageSize;
  b.map(kSource, kCount * kLarge);
  b.map(kDestination, kCount * kLarge);
  for (unsigned i = 0; i < kCount; ++i) {
    b.submit(DsaBench::descriptor(DsaOpcode::kMemmove, i, kSource + i * kLarge, kDestination + i * kLarge,
                                  kLarge));
  }
  b.run(std::get<1>(GetParam()));
  b.write32(dsa_reg::kCmd, DsaCmd::CODE::make(static_cast<std::uint64_t>(ending.command)) |
                               DsaCmd::OPERAND::make(ending.operand));
  unsigned steps = 0;
  while (DsaCmdstatus::ACTIVE::get(b.dsa.registers().command_status()) != 0 && ++steps < 100000) b.run(1000);
  EXPECT_EQ(DsaCmdstatus::ERROR::get(b.dsa.registers().command_status()), 0U);
  const Ps over = sc_core::sc_time_stamp().value();
  const bool busy = b.agent.seen_of(TlpKind::kMemWrite).size() < kCount * kLarge / b.params.access_size;
  b.run(10 * kMs);
  for (const SeenTlp& write : b.agent.seen_of(TlpKind::kMemWrite)) ASSERT_LE(write.time, over);
  // An abort came in between, a drain let everything end.
  const bool abort = std::string(ending.name).rfind("Abort", 0) == 0;
  EXPECT_TRUE(busy || !abort);
  for (unsigned i = 0; i < kCount && !abort; ++i) EXPECT_EQ(b.status(i), DsaStatus::kSuccess) << i;
}

INSTANTIATE_TEST_SUITE_P(
    Commands, DsaEnding,
    ::testing::Combine(::testing::Values(Ending{"DrainAll", DsaCommand::kDrainAll, 0},
                                         Ending{"DrainWq", DsaCommand::kDrainWq, 1},
                                         Ending{"DrainPasid", DsaCommand::kDrainPasid, DsaBench::kPasid},
                                         Ending{"DisableWq", DsaCommand::kDisableWq, 1},
                                         Ending{"AbortAll", DsaCommand::kAbortAll, 0},
                                         Ending{"AbortWq", DsaCommand::kAbortWq, 1},
                                         Ending{"AbortPasid", DsaCommand::kAbortPasid, DsaBench::kPasid}),
                       ::testing::Values(Ps{100000}, Ps{700000})),
    [](const auto& each) {
      return std::string(std::get<0>(each.param).name) +
             (std::get<1>(each.param) == 100000 ? "Early" : "Later");
    });

}  // namespace
}  // namespace svasim
