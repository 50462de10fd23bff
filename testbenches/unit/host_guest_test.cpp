// Virtual machines: what their second stage says, and how page requests go to a guest and come back.
#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "models/formats/vtd_second_stage.h"
#include "models/host/guest_faults.h"
#include "models/host/guest_memory.h"
#include "support/step_machine.h"
#include "unit/host_memory_support.h"

namespace svasim {
namespace {

constexpr Addr kGuest = GuestMemory::kBase;

struct Memory : testing::Test {
  static constexpr std::uint64_t kSize = 2 << 20U;
  FakeMemory memory;
  PageAllocator pages{std::uint64_t{4} << 20U, std::uint64_t{8} << 20U};
  PageTableFormat format = make_vtd_second_stage(4, PageFormatOptions{});
  IoDomain domain{DomainId(9), format, memory, pages};

  std::uint64_t host_word(Addr guest) { return memory.read64(*domain.find(guest)); }
};

TEST_F(Memory, IsWhatTheSecondStageSays) {
  GuestMemory guest(domain, memory, pages, 16 * kPageSize, false, "g");
  EXPECT_EQ(domain.mapped_bytes(), 16 * kPageSize);
  for (unsigned i = 0; i < 16; ++i) guest.write64(kGuest + i * kPageSize + 8 * i, 0x1000 + i);
  for (unsigned i = 0; i < 16; ++i) EXPECT_EQ(host_word(kGuest + i * kPageSize + 8 * i), 0x1000U + i);
  // Over a page's edge.
  guest.write64(kGuest + kPageSize - 4, 0x1122334455667788);
  EXPECT_EQ(memory.read32(*domain.find(kGuest + kPageSize)), 0x11223344U);
  EXPECT_EQ(guest.read64(kGuest + kPageSize - 4), 0x1122334455667788U);
}

// Memory that nobody wrote is no zeros here.
TEST_F(Memory, HoldsZerosFirstAndNothingOutside) {
  GuestMemory guest(domain, memory, pages, 4 * kPageSize, false, "g");
  for (Addr at = 0; at < 4 * kPageSize; at += 8) ASSERT_EQ(guest.read64(kGuest + at), 0U);
  guest.write64(kGuest - 8, 5);
  guest.write64(kGuest + 4 * kPageSize, 5);
  EXPECT_EQ(guest.read64(kGuest - 8), ~std::uint64_t{0});
  EXPECT_EQ(guest.read64(kGuest + 4 * kPageSize), ~std::uint64_t{0});
}

TEST_F(Memory, APageTakenIsGoneForDevicesAndZeroForCpus) {
  GuestMemory guest(domain, memory, pages, 4 * kPageSize, false, "g");
  guest.write64(kGuest + kPageSize, 5);
  const auto old = domain.find(kGuest + kPageSize);
  EXPECT_EQ(guest.take(kGuest + kPageSize), old);
  EXPECT_FALSE(domain.find(kGuest + kPageSize).has_value());
  EXPECT_FALSE(guest.take(kGuest + kPageSize).has_value());
  EXPECT_TRUE(domain.find(kGuest).has_value());
  EXPECT_TRUE(domain.find(kGuest + 2 * kPageSize).has_value());
  EXPECT_EQ(guest.read64(kGuest + kPageSize), 0U);
  ASSERT_TRUE(domain.find(kGuest + kPageSize).has_value());
  EXPECT_NE(domain.find(kGuest + kPageSize), old);  // the old one is not free yet
}

TEST_F(Memory, TakingFromALargePageSplitsIt) {
  GuestMemory guest(domain, memory, pages, kSize, true, "g");
  const Addr first = *domain.find(kGuest);
  EXPECT_EQ(first % kSize, 0U);
  EXPECT_EQ(guest.take(kGuest + 5 * kPageSize), first + 5 * kPageSize);
  EXPECT_EQ(domain.find(kGuest + 4 * kPageSize), first + 4 * kPageSize);
  EXPECT_FALSE(domain.find(kGuest + 5 * kPageSize).has_value());
  EXPECT_EQ(domain.find(kGuest + 6 * kPageSize), first + 6 * kPageSize);
  EXPECT_EQ(domain.mapped_bytes(), kSize - kPageSize);
}

TEST_F(Memory, AMovedPageIsTheOldOneForCpusUntilItIsThere) {
  GuestMemory guest(domain, memory, pages, 4 * kPageSize, false, "g");
  guest.write64(kGuest + 16, 5);
  const Addr old = *domain.find(kGuest);
  const Addr target = *pages.allocate();
  ASSERT_TRUE(guest.block(kGuest));
  EXPECT_FALSE(domain.find(kGuest).has_value());
  EXPECT_EQ(guest.read64(kGuest + 16), 5U);
  guest.write64(kGuest + 16, 6);
  EXPECT_FALSE(domain.find(kGuest).has_value());
  EXPECT_EQ(guest.move(kGuest, target), old);
  EXPECT_EQ(domain.find(kGuest), target);
  EXPECT_EQ(guest.read64(kGuest + 16), 6U);
}

TEST_F(Memory, GoesBackToTheHostWithItsTables) {
  GuestMemory guest(domain, memory, pages, 8 * kPageSize, false, "g");
  pages.free(*guest.take(kGuest));
  guest.release();
  EXPECT_EQ(pages.used(), 0U);
}

// --- page requests ---

constexpr RequesterId kDevice{0x100};
constexpr Pasid kHosts{40};
constexpr Pasid kGuests{3};
constexpr Ps kUs = 1'000'000;

struct Faults : testing::Test {
  struct Sent {
    Ps at;
    unsigned group;
    PageResponseCode code;
  };
  FakeMemory bytes;
  StepMachine machine{bytes};
  HostStats stats;
  PageFaultLog journeys;
  FaultService::ShootDown no_shoot_down = [](SvaSpace&, const Stale&, const Machine::Task&) { FAIL(); };
  FaultService host{machine,      fault_handler_params().defaults(), RngStream(1, "h"), stats, journeys,
                    no_shoot_down};
  GuestParams params = [] {
    GuestParams p = guest_params().defaults();
    p.exit_time = 4 * kUs;
    p.resume_time = 3 * kUs;
    p.injection_time = 5 * kUs;
    p.answer_timeout = 100 * kUs;
    p.faults.queue_read_time = 50'000;
    p.faults.queue_order = 0;
    return p;
  }();
  GuestMachine cpu{machine, params, stats.guests};
  FaultService guest{cpu, params.faults, RngStream(1, "g"), stats, journeys, no_shoot_down};
  GuestFaults faults{{machine, host, journeys}, params, cpu, stats.guests};
  std::vector<Sent> sent;
  struct Seen {
    Ps at;
    IopfGroupRef group;
  };
  std::vector<Seen> seen;

  void SetUp() override {
    IopfQueue& hosts = host.add_queue();
    ASSERT_EQ(
        hosts.add_device(kDevice,
                         [this](const PageRequest& last, PageResponseCode code, const Machine::Task& taken) {
                           EXPECT_EQ(last.pasid, kHosts);
                           sent.push_back({machine.now(), last.prg_index, code});
                           taken();
                         }),
        Errno::kNone);
    hosts.set_handler(kDevice, kHosts, faults.handler(kGuests));
    faults.start(guest);
    IopfQueue& guests = guest.add_queue();
    ASSERT_EQ(
        guests.add_device(kDevice, [this](const PageRequest& last, PageResponseCode code,
                                          const Machine::Task& taken) { faults.answer(last, code, taken); }),
        Errno::kNone);
    guests.set_handler(kDevice, kGuests, [this](const IopfGroupRef& group) {
      seen.push_back({machine.now(), group});
      return Errno::kNone;
    });
  }
  Errno ask(std::uint16_t group, bool last = true, Addr page = 0x1000) {
    PageRequest r;
    r.requester = kDevice;
    r.has_pasid = true;
    r.pasid = kHosts;
    r.read = true;
    r.last = last;
    r.prg_index = group;
    r.page = page;
    return host.page_request(0, r);
  }
  void answer(std::size_t which, PageResponseCode code = PageResponseCode::kSuccess) {
    static_cast<void>(guest.queue(0).respond(seen.at(which).group, code, [] {}));
  }
};

TEST_F(Faults, AGroupArrivesWholeUnderTheGuestsPasid) {
  ask(5, false, 0x1000);
  ask(5, false, 0x2000);
  EXPECT_EQ(ask(5, true, 0x3000), Errno::kNone);
  machine.run_until(100 * kUs - 1);
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].at, 5 * kUs + 3 * 50'000);
  ASSERT_EQ(seen[0].group->requests.size(), 3U);
  for (unsigned i = 0; i < 3; ++i) {
    EXPECT_EQ(seen[0].group->requests[i].pasid, kGuests);
    EXPECT_EQ(seen[0].group->requests[i].page, 0x1000U * (i + 1));
  }
}

TEST_F(Faults, TheAnswerTakesAnExitAndHasTheDevicesNumber) {
  ask(5);
  machine.run_until(20 * kUs);
  answer(0);
  machine.run_until(50 * kUs);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].at, 24 * kUs);
  EXPECT_EQ(sent[0].group, 5U);
  EXPECT_EQ(sent[0].code, PageResponseCode::kSuccess);
  EXPECT_EQ(stats.guests.fault_latency.max(), 24 * kUs);
  EXPECT_EQ(faults.in_flight(), 0U);
  machine.run_until(1000 * kUs);
  EXPECT_EQ(sent.size(), 1U);
}

TEST_F(Faults, WithoutAnswerTheHostRefusesInTime) {
  machine.run_until(kUs);
  ask(5);
  machine.run_until(31 * kUs);
  ask(6);
  machine.run_until(1000 * kUs);
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].at, 101 * kUs);
  EXPECT_EQ(sent[1].at, 131 * kUs);
  EXPECT_EQ(sent[0].code, PageResponseCode::kInvalidRequest);
  EXPECT_EQ(stats.guests.faults_unanswered.value, 2U);
}

// The device uses the number of the refused group again before the guest answers that.
TEST_F(Faults, ALateAnswerIsNotThatOfAnotherGroup) {
  ask(5);
  machine.run_until(150 * kUs);
  ASSERT_EQ(sent.size(), 1U);
  ask(5);
  machine.run_until(160 * kUs);
  answer(0);
  machine.run_until(170 * kUs);
  EXPECT_EQ(sent.size(), 1U);
  EXPECT_EQ(stats.guests.answers_late.value, 1U);
  answer(1, PageResponseCode::kResponseFailure);
  machine.run_until(180 * kUs);
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[1].code, PageResponseCode::kResponseFailure);
}

TEST_F(Faults, AtUnbindWhatTheGuestStillHasIsRefused) {
  ask(5);
  machine.run_until(20 * kUs);
  faults.refuse(kDevice, Pasid(41));
  EXPECT_TRUE(sent.empty());
  faults.refuse(kDevice, kHosts);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].code, PageResponseCode::kInvalidRequest);
  EXPECT_EQ(faults.in_flight(), 0U);
  machine.run_until(1000 * kUs);
  EXPECT_EQ(sent.size(), 1U);
}

// SPEC: [VTD 7.4.1]: 2^(order + 7) requests.
TEST_F(Faults, AFullQueueOfTheGuestIsRefused) {
  for (std::uint16_t i = 0; i < 128; ++i) ASSERT_EQ(ask(i), Errno::kNone);
  EXPECT_EQ(ask(128), Errno::kBusy);
  EXPECT_EQ(stats.guests.faults_refused.value, 1U);
  machine.run_until(50 * kUs);
  answer(0);
  machine.run_until(60 * kUs);
  EXPECT_EQ(ask(128), Errno::kNone);
}

TEST_F(Faults, AStoppedGuestHearsAndSaysNothing) {
  ask(5);
  machine.run_until(20 * kUs);
  ask(6);
  answer(0);
  bool idle = false;
  cpu.stop([&idle] { idle = true; });
  EXPECT_TRUE(idle);
  faults.refuse_all();
  EXPECT_EQ(sent.size(), 2U);
  EXPECT_EQ(ask(7), Errno::kNoDevice);
  machine.run_until(1000 * kUs);
  EXPECT_EQ(seen.size(), 1U);
  EXPECT_EQ(sent.size(), 2U);
}

// --- its CPUs ---

TEST_F(Faults, AnExitTakesItsTimesAndIsNotInterruptedByTheEnd) {
  Machine::Task answered;
  Ps left = 0;
  Ps back = 0;
  cpu.call_host(
      [&](const Machine::Task& done) {
        left = machine.now();
        answered = done;
      },
      [&] { back = machine.now(); });
  machine.run_until(10 * kUs);
  EXPECT_EQ(left, 4 * kUs);
  answered();
  machine.run_until(20 * kUs);
  EXPECT_EQ(back, 13 * kUs);

  cpu.call_host([&](const Machine::Task& done) { answered = done; }, [&] { FAIL(); });
  machine.run_until(30 * kUs);
  bool idle = false;
  cpu.stop([&idle] { idle = true; });
  machine.run_until(40 * kUs);
  EXPECT_FALSE(idle);
  answered();
  EXPECT_TRUE(idle);
  machine.run_until(50 * kUs);
}

}  // namespace
}  // namespace svasim
