// A device that breaks the rules of ATS and PRI in a whole system: who notices, what follows, and that it
// gets at no memory it was not given.
#include <gtest/gtest.h>

#include "system/quickstart_system.h"

namespace svasim {
namespace {

constexpr Ps kUs = 1'000'000;
constexpr Ps kMs = 1000 * kUs;

// Moves, takes the target away and maps it anew, and moves again.
SystemParams two_processes(const std::function<void(SystemParams&)>& change) {
  SystemParams p;
  p.host.devices = {"dsa0"};
  for (const char* name : {"alice", "bob"}) {
    ProcessParams process = process_params().defaults();
    process.name = name;
    process.device = "dsa0";
    process.buffers = {buffer("source", 256 << 10U, 0.5, "random"),
                       buffer("target", 256 << 10U, 0.5, "zero")};
    process.steps = {step("memmove", "source", "target", 8192, 20), step("remap", "", "target"),
                     step("memmove", "source", "target", 8192, 20)};
    p.host.processes.push_back(process);
  }
  p.iommu.invalidate_timeout = 100 * kUs;
  p.iommu.check_translated = true;
  change(p);
  return p;
}

// What the checkers named, by rule.
std::uint64_t violations(SvaSystem& system, const char* rule) {
  std::uint64_t count = 0;
  for (ProtocolChecker* checker : system.checkers) count += checker->violations().count(rule);
  return count;
}
bool log_has(const SvaSystem& system, const char* text) {
  return system.host_log().find(text) != std::string::npos;
}

TEST(Misbehaviour, TheCheckOfTranslatedRequestsCostsADeviceThatObeysNothing) {
  SvaSystem system("system", two_processes([](SystemParams&) {}));
  system.run(1000 * kMs);
  EXPECT_TRUE(system.host.done()) << system.dump();
  EXPECT_EQ(system.iommu.stats().translated_refused.value, 0U);
  EXPECT_EQ(system.host_log(), "");
  EXPECT_EQ(system.violations(), "");
}

TEST(Misbehaviour, KeptTranslationsAreRefusedAndLogged) {
  SvaSystem system("system",
                   two_processes([](SystemParams& p) { p.atc.misbehave.keeps_translations = true; }));
  system.run(1000 * kMs);
  EXPECT_GT(system.atc.stats().misbehaved.value, 0U);
  EXPECT_GT(system.iommu.stats().translated_refused.value, 0U);
  EXPECT_TRUE(log_has(system, "fault 0xa4")) << system.host_log();
  system.violations();
  // Every access without a translation was refused, and no other.
  EXPECT_EQ(violations(system, "translated_unknown"), system.iommu.stats().translated_refused.value);
}

// Without the check the IOMMU cannot notice, and the harm is done: bytes are not where they should be.
TEST(Misbehaviour, WithoutTheCheckBytesAreLost) {
  SvaSystem system("system", two_processes([](SystemParams& p) {
                     p.atc.misbehave.keeps_translations = true;
                     p.iommu.check_translated = false;
                   }));
  system.run(1000 * kMs);
  EXPECT_EQ(system.host.stats().dma_faults.value, 0U);
  EXPECT_TRUE(log_has(system, "are wrong")) << system.host_log();
  system.violations();
  EXPECT_GT(violations(system, "translated_unknown"), 0U);
}

TEST(Misbehaviour, WhoNeverCompletesLosesItsAts) {
  SvaSystem system("system", two_processes([](SystemParams& p) { p.atc.misbehave.never_completes = true; }));
  system.run(1000 * kMs);
  EXPECT_GE(system.iommu.stats().queue_errors.value, 1U);
  EXPECT_TRUE(log_has(system, "invalidation time-out")) << system.host_log();
  EXPECT_TRUE(log_has(system, "does not complete invalidations; its ATS is off")) << system.host_log();
  EXPECT_FALSE(system.atc.ats_enabled()) << "its next translation request was refused";
  // Software got its answers all the same, from the invalidations asked for again.
  EXPECT_TRUE(system.host.done()) << system.dump();
  EXPECT_EQ(system.host.stats().unmaps.value, 2U);
  EXPECT_EQ(system.host.stats().unbinds.value, 2U);
  EXPECT_EQ(system.in_flight(), 0U) << system.dump();
  system.violations();
  EXPECT_EQ(violations(system, "translated_unknown"), 0U);
}

TEST(Misbehaviour, ASecondCompletionIsAnErrorOfTheQueue) {
  SvaSystem system("system", two_processes([](SystemParams& p) { p.atc.misbehave.completes_twice = true; }));
  system.run(1000 * kMs);
  EXPECT_TRUE(system.host.done()) << system.dump();
  EXPECT_EQ(system.iommu.stats().queue_errors.value, system.atc.stats().misbehaved.value);
  EXPECT_TRUE(log_has(system, "invalidation completion error")) << system.host_log();
  EXPECT_EQ(system.iommu.stats().translated_refused.value, 0U);
  system.violations();
  EXPECT_EQ(violations(system, "completion_unexpected"), system.atc.stats().misbehaved.value);
}

TEST(Misbehaviour, AWrongGroupIndexHurtsTheDeviceAlone) {
  SvaSystem system("system", two_processes([](SystemParams& p) {
                     p.atc.misbehave.wrong_group_index = true;
                     p.atc.misbehave.every = 4;
                     p.atc.page_requests.response_timeout = 500 * kUs;
                   }));
  system.run(1000 * kMs);
  EXPECT_GT(system.atc.stats().misbehaved.value, 0U);
  EXPECT_TRUE(system.host.done()) << system.dump();
  EXPECT_TRUE(system.atc.page_requester().status().unexpected_index);
  EXPECT_EQ(system.atc.stats().responses_unexpected.value, system.atc.stats().misbehaved.value);
  EXPECT_EQ(system.host.stats().unbinds.value, 2U) << "software drains and unbinds";
  EXPECT_EQ(system.iommu.stats().translated_refused.value, 0U);
}

TEST(Misbehaviour, PageRequestsBeyondTheCreditsOverflowAndAreTriedAgain) {
  SvaSystem system("system", two_processes([](SystemParams& p) {
                     p.atc.misbehave.ignores_credits = true;
                     p.atc.page_requests.allocation = 1;
                     p.host.faults.queue_order = 0;
                   }));
  system.run(1000 * kMs);
  EXPECT_GT(system.atc.stats().misbehaved.value, 0U);
  EXPECT_TRUE(system.host.done()) << system.dump();
  EXPECT_EQ(system.in_flight(), 0U) << system.dump();
  // Nothing is lost: a queue of 128 entries holds what two processes can ask for.
  EXPECT_EQ(system.host.stats().operations.value, 80U);
}

TEST(Misbehaviour, APasidItWasNotGivenLeadsNowhere) {
  SvaSystem system("system", two_processes([](SystemParams& p) { p.atc.misbehave.foreign_pasid = 0x777; }));
  system.run(1000 * kMs);
  EXPECT_GT(system.atc.stats().misbehaved.value, 0U);
  EXPECT_TRUE(log_has(system, "PASID 1911")) << system.host_log();
  EXPECT_GT(system.host.stats().dma_faults.value, 0U);
  EXPECT_EQ(system.iommu.stats().translated.value, 0U) << "no translation, so no translated request";
  EXPECT_EQ(system.iommu.stats().completed.value, 0U) << "not a byte read or written";
}

}  // namespace
}  // namespace svasim
