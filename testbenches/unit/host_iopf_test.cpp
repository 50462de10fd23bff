// The I/O page fault framework, rule by rule. Expected values are those of io-pgfault.c and iommu-sva.c.
#include <gtest/gtest.h>

#include <deque>
#include <vector>

#include "models/host/fault_service.h"
#include "unit/host_memory_support.h"

namespace svasim {
namespace {

constexpr RequesterId kDevice{0x100};
constexpr RequesterId kOther{0x200};
constexpr Pasid kPasid{7};

PageRequest request(std::uint16_t group, bool last, Addr page = 0x1000, Pasid pasid = kPasid) {
  PageRequest r;
  r.requester = kDevice;
  r.has_pasid = true;
  r.pasid = pasid;
  r.read = true;
  r.last = last;
  r.prg_index = group;
  r.page = page;
  return r;
}

struct Answer {
  std::uint16_t group;
  PageResponseCode code;
};

struct Framework : testing::Test {
  IopfQueue queue{0, [this](const IopfGroupRef&, IopfQueue::Work work) { work_.push_back(std::move(work)); }};
  std::vector<Answer> answers;
  std::vector<IopfGroupRef> groups;
  std::deque<IopfQueue::Work> work_;

  IopfQueue::PageResponse response() {
    return [this](const PageRequest& last, PageResponseCode code, const Machine::Task& taken) {
      answers.push_back({last.prg_index, code});
      taken();
    };
  }
  // Takes groups and leaves them waiting.
  IopfQueue::Handler take() {
    return [this](const IopfGroupRef& group) {
      groups.push_back(group);
      return Errno::kNone;
    };
  }
  void SetUp() override {
    ASSERT_EQ(queue.add_device(kDevice, response()), Errno::kNone);
    queue.set_handler(kDevice, kPasid, take());
  }
};

TEST_F(Framework, AddDeviceTwiceIsBusy) { EXPECT_EQ(queue.add_device(kDevice, response()), Errno::kBusy); }

TEST_F(Framework, AddDeviceWithoutPageResponseIsNoDevice) {
  EXPECT_EQ(queue.add_device(kOther, nullptr), Errno::kNoDevice);
  EXPECT_FALSE(queue.has_device(kOther));
}

TEST_F(Framework, ReportOfADeviceWithoutFaultParamIsInvalid) {
  PageRequest r = request(1, true);
  r.requester = kOther;
  EXPECT_EQ(queue.report(r), Errno::kInvalid);
}

TEST_F(Framework, PartialsWaitForTheLastAndComeFirstInOrder) {
  EXPECT_EQ(queue.report(request(1, false, 0x1000)), Errno::kNone);
  EXPECT_EQ(queue.report(request(2, false, 0x9000)), Errno::kNone);
  EXPECT_EQ(queue.report(request(1, false, 0x2000)), Errno::kNone);
  EXPECT_TRUE(groups.empty());
  EXPECT_EQ(queue.partials(), 3U);
  EXPECT_EQ(queue.report(request(1, true, 0x3000)), Errno::kNone);
  ASSERT_EQ(groups.size(), 1U);
  ASSERT_EQ(groups[0]->requests.size(), 3U);
  EXPECT_EQ(groups[0]->requests[0].page, 0x1000U);
  EXPECT_EQ(groups[0]->requests[1].page, 0x2000U);
  EXPECT_EQ(groups[0]->last().page, 0x3000U);
  EXPECT_EQ(queue.partials(), 1U);
  EXPECT_EQ(queue.pending(), 1U);
}

TEST_F(Framework, GatheringDoesNotCompareThePasid) {
  EXPECT_EQ(queue.report(request(1, false, 0x1000, Pasid(99))), Errno::kNone);
  EXPECT_EQ(queue.report(request(1, true)), Errno::kNone);
  ASSERT_EQ(groups.size(), 1U);
  EXPECT_EQ(groups[0]->requests.size(), 2U);
}

TEST_F(Framework, GatheringIsPerDevice) {
  ASSERT_EQ(queue.add_device(kOther, response()), Errno::kNone);
  PageRequest other = request(1, false);
  other.requester = kOther;
  EXPECT_EQ(queue.report(other), Errno::kNone);
  EXPECT_EQ(queue.report(request(1, true)), Errno::kNone);
  EXPECT_EQ(groups[0]->requests.size(), 1U);
}

TEST_F(Framework, NoDomainIsInvalidAndFreesThePartialsOfTheGroup) {
  EXPECT_EQ(queue.report(request(1, false)), Errno::kNone);
  EXPECT_EQ(queue.report(request(2, false)), Errno::kNone);
  EXPECT_EQ(queue.report(request(1, true, 0x1000, Pasid(8))), Errno::kInvalid);
  EXPECT_EQ(queue.partials(), 1U);
  EXPECT_EQ(queue.pending(), 0U);
  EXPECT_TRUE(answers.empty());  // the caller answers
}

TEST_F(Framework, DomainOfRequestsWithoutPasidIsTheDevices) {
  PageRequest r = request(1, true);
  r.has_pasid = false;
  EXPECT_EQ(queue.report(r), Errno::kInvalid);
  queue.set_handler(kDevice, std::nullopt, take());
  EXPECT_EQ(queue.report(r), Errno::kNone);
  EXPECT_EQ(groups.size(), 1U);
}

TEST_F(Framework, AHandlersErrorIsTheCallersToAnswer) {
  queue.set_handler(kDevice, kPasid, [](const IopfGroupRef&) { return Errno::kBusy; });
  EXPECT_EQ(queue.report(request(1, true)), Errno::kBusy);
  EXPECT_EQ(queue.pending(), 0U);
  EXPECT_TRUE(answers.empty());
}

TEST_F(Framework, OneResponseForTheGroup) {
  EXPECT_EQ(queue.report(request(3, false)), Errno::kNone);
  EXPECT_EQ(queue.report(request(3, true)), Errno::kNone);
  EXPECT_EQ(queue.respond(groups[0], PageResponseCode::kSuccess, [] {}), Errno::kNone);
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].group, 3U);
  EXPECT_EQ(answers[0].code, PageResponseCode::kSuccess);
  EXPECT_EQ(queue.pending(), 0U);
}

TEST_F(Framework, AResponseNobodyWaitsForIsInvalidAndNotSent) {
  EXPECT_EQ(queue.report(request(3, true)), Errno::kNone);
  EXPECT_EQ(queue.respond(groups[0], PageResponseCode::kSuccess, [] {}), Errno::kNone);
  EXPECT_EQ(queue.respond(groups[0], PageResponseCode::kSuccess, [] {}), Errno::kInvalid);
  EXPECT_EQ(answers.size(), 1U);
}

TEST_F(Framework, QueueingAGroupTwiceIsBusy) {
  EXPECT_EQ(queue.report(request(1, true)), Errno::kNone);
  const auto work = [](const Machine::Task& done) { done(); };
  EXPECT_EQ(queue.queue_work(groups[0], work), Errno::kNone);
  EXPECT_EQ(queue.queue_work(groups[0], work), Errno::kBusy);
  EXPECT_EQ(work_.size(), 1U);
}

TEST_F(Framework, FlushWaitsForAllQueuedWorkOfTheQueue) {
  ASSERT_EQ(queue.add_device(kOther, response()), Errno::kNone);
  queue.set_handler(kOther, kPasid, take());
  bool flushed = false;
  queue.flush([&] { flushed = true; });
  EXPECT_TRUE(flushed);  // there was none

  PageRequest other = request(1, true);
  other.requester = kOther;
  EXPECT_EQ(queue.report(request(1, true)), Errno::kNone);
  EXPECT_EQ(queue.report(other), Errno::kNone);
  std::vector<Machine::Task> ends;
  const auto work = [&](Machine::Task done) { ends.push_back(std::move(done)); };
  for (const IopfGroupRef& group : groups) EXPECT_EQ(queue.queue_work(group, work), Errno::kNone);
  for (const auto& each : work_) each([] {});
  flushed = false;
  queue.flush([&] { flushed = true; });
  // Work that comes later is not waited for.
  EXPECT_EQ(queue.report(request(2, true)), Errno::kNone);
  EXPECT_EQ(queue.queue_work(groups[2], work), Errno::kNone);
  ends[1]();
  EXPECT_FALSE(flushed);
  ends[0]();
  EXPECT_TRUE(flushed);
}

TEST_F(Framework, DiscardPartialDropsThoseOfAllDevices) {
  ASSERT_EQ(queue.add_device(kOther, response()), Errno::kNone);
  PageRequest other = request(1, false);
  other.requester = kOther;
  EXPECT_EQ(queue.report(other), Errno::kNone);
  EXPECT_EQ(queue.report(request(1, false)), Errno::kNone);
  EXPECT_EQ(queue.discard_partial(), 2U);
  EXPECT_EQ(queue.report(request(1, true)), Errno::kNone);
  EXPECT_EQ(groups[0]->requests.size(), 1U);
}

TEST_F(Framework, RemoveDeviceAnswersEverythingPendingInvalid) {
  EXPECT_EQ(queue.report(request(1, true)), Errno::kNone);
  EXPECT_EQ(queue.report(request(2, true)), Errno::kNone);
  EXPECT_EQ(queue.report(request(3, false)), Errno::kNone);
  EXPECT_EQ(queue.remove_device(kDevice), 2U);
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[0].code, PageResponseCode::kInvalidRequest);
  EXPECT_EQ(answers[1].code, PageResponseCode::kInvalidRequest);
  EXPECT_EQ(queue.partials(), 0U);
  EXPECT_FALSE(queue.has_device(kDevice));
}

TEST_F(Framework, AnswersAfterRemoveDeviceDoNothing) {
  EXPECT_EQ(queue.report(request(1, true)), Errno::kNone);
  EXPECT_EQ(queue.remove_device(kDevice), 1U);
  // Even if the device has come back meanwhile.
  EXPECT_EQ(queue.add_device(kDevice, response()), Errno::kNone);
  EXPECT_EQ(queue.respond(groups[0], PageResponseCode::kSuccess, [] {}), Errno::kInvalid);
  EXPECT_EQ(answers.size(), 1U);
}

// --- the handler of shared address spaces ---

struct SvaHandler : testing::Test {
  FakeMemory memory;
  PageAllocator pages{kBase, 1024 * kPageSize};
  PageTableFormat format = make_x86_first_stage(4, PageFormatOptions{});
  SvaSpace space{"p", format, memory, pages};
  Stale stale;

  Addr map(bool write) {
    Vma vma;
    vma.write = write;
    return space.memory.map(4 * kPageSize, vma);
  }
  FaultResult handle(PageRequest r) { return handle_sva_fault(space, r, stale); }
};

TEST_F(SvaHandler, NeedsAPasid) {
  PageRequest r = request(1, true, map(true));
  r.has_pasid = false;
  EXPECT_FALSE(is_handled(handle(r)));
}

TEST_F(SvaHandler, ADyingAddressSpaceIsRefused) {
  const PageRequest r = request(1, true, map(true));
  space.alive = false;
  EXPECT_FALSE(is_handled(handle(r)));
  space.alive = true;
  EXPECT_TRUE(is_handled(handle(r)));
}

TEST_F(SvaHandler, NoAreaIsRefusedAndNoStackGrows) {
  const Addr a = map(true);
  EXPECT_EQ(handle(request(1, true, a - kPageSize)), FaultResult::kNoArea);
  EXPECT_EQ(handle(request(1, true, a + 4 * kPageSize)), FaultResult::kNoArea);
}

TEST_F(SvaHandler, EveryRightAskedForHasToBeThere) {
  PageRequest r = request(1, true, map(false));
  EXPECT_TRUE(is_handled(handle(r)));
  r.write = true;
  EXPECT_EQ(handle(r), FaultResult::kNoRight);
  r.write = false;
  r.read = false;
  r.execute = true;
  EXPECT_EQ(handle(r), FaultResult::kNoRight);
  r = request(1, true, map(true));
  static_cast<void>(space.memory.protect(r.page, r.page + kPageSize, false, true));
  EXPECT_EQ(handle(r), FaultResult::kNoRight);
}

TEST_F(SvaHandler, AWriteMakesThePageDirty) {
  PageRequest r = request(1, true, map(true));
  r.write = true;
  EXPECT_EQ(handle(r), FaultResult::kMapped);
  EXPECT_TRUE(space.memory.is_accessible(r.page, true));
}

TEST_F(SvaHandler, WithoutMemoryItIsRefused) {
  const PageRequest r = request(1, true, map(true));
  while (pages.allocate().has_value()) {
  }
  EXPECT_EQ(handle(r), FaultResult::kNoMemory);
}

}  // namespace
}  // namespace svasim
