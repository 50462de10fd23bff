// Steps and attribution of page faults between request and response.
#include <gtest/gtest.h>

#include "tlm/page_fault_log.h"

namespace svasim {
namespace {

const RequesterId kDevice = RequesterId::from_bdf(0, 2, 0);
const RequesterId kOther = RequesterId::from_bdf(0, 3, 0);

Attribution queued_at(Ps time) {
  Attribution a;
  a.start(100);
  a.charge(Stage::kPageRequest, time);
  return a;
}
Ps step(PageFaultLog& log, RequesterId device, unsigned group, FaultStep which) {
  return log.steps(device, group)[static_cast<std::size_t>(which)];
}

TEST(PageFaultLog, StepsStayUntilTheGroupIsUsedAgain) {
  PageFaultLog log;
  log.queued(kDevice, 3, true, queued_at(150));
  log.reached(kDevice, 3, FaultStep::kTaken, 170);
  log.reached(kDevice, 3, FaultStep::kHandled, 180);
  log.reached(kDevice, 3, FaultStep::kDecided, 200);
  const Attribution a = log.take(kDevice, 3, 210);
  EXPECT_EQ(a[Stage::kPageRequest], 50U);
  EXPECT_EQ(a[Stage::kHandlerQueue], 30U);
  EXPECT_EQ(a[Stage::kHandler], 20U);
  EXPECT_EQ(a.total(), 100U);
  EXPECT_EQ(step(log, kDevice, 3, FaultStep::kQueued), 150U);
  EXPECT_EQ(step(log, kDevice, 3, FaultStep::kTaken), 170U);
  EXPECT_EQ(step(log, kDevice, 3, FaultStep::kDecided), 200U);
  // Another device's group with the same index is another one.
  EXPECT_EQ(step(log, kOther, 3, FaultStep::kQueued), 0U);
  log.queued(kDevice, 3, true, queued_at(300));
  EXPECT_EQ(step(log, kDevice, 3, FaultStep::kTaken), 0U);
}

TEST(PageFaultLog, ARequestThatWasNotQueuedHasNoSteps) {
  PageFaultLog log;
  log.queued(kDevice, 7, true, queued_at(150));
  log.take(kDevice, 7, 200);
  // The queue is full: the response comes from the IOMMU.
  const Attribution a = log.take(kDevice, 7, 400);
  EXPECT_EQ(a.total(), 0U);
  EXPECT_EQ(step(log, kDevice, 7, FaultStep::kQueued), 0U);
  // So it is when only the first request of the group found room.
  log.queued(kDevice, 7, false, queued_at(500));
  EXPECT_EQ(log.take(kDevice, 7, 520).total(), 400U);
  EXPECT_EQ(step(log, kDevice, 7, FaultStep::kQueued), 0U);
  // What is reported late belongs to nobody.
  log.reached(kDevice, 7, FaultStep::kTaken, 600);
  EXPECT_EQ(step(log, kDevice, 7, FaultStep::kTaken), 0U);
}

}  // namespace
}  // namespace svasim
