// Binding rules of shared virtual addressing. Expected values are those of iommu-sva.c.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/check.h"
#include "models/host/iommu_driver.h"
#include "models/host/sva.h"
#include "unit/host_memory_support.h"

namespace svasim {
namespace {

// Does what it is asked at once and writes it down.
class FakeHardware : public SvaHardware {
 public:
  void attach(unsigned device, Pasid pasid, SvaSpace&, Task done) override {
    note("attach", device, pasid, done);
  }
  void detach(unsigned device, Pasid pasid, Task done) override { note("detach", device, pasid, done); }
  void silence(unsigned device, Pasid pasid, Task done) override { note("silence", device, pasid, done); }
  void end_silence(unsigned device, Pasid pasid, Task done) override { note("end", device, pasid, done); }
  void invalidate(unsigned iommu, Pasid pasid, AddressSpan span, const std::vector<unsigned>& devices,
                  Task done) override {
    spans.push_back(span);
    all = span.start == 0 && span.end == ~Addr{0};
    note("invalidate" + std::to_string(devices.size()), iommu, pasid, done);
  }
  void enable_page_requests(unsigned device, Task done) override { note("on", device, Pasid(0), done); }
  void disable_page_requests(unsigned device, Task done) override { note("off", device, Pasid(0), done); }

  std::string calls;
  std::vector<AddressSpan> spans;
  bool all = false;

 private:
  void note(const std::string& what, unsigned number, Pasid pasid, const Task& done) {
    calls += what + " " + std::to_string(number) + "/" + std::to_string(pasid.value()) + "; ";
    done();
  }
};

struct Sva : testing::Test {
  FakeMemory memory;
  PageAllocator pages{kBase, 4096 * kPageSize};
  PageTableFormat format = make_x86_first_stage(4, PageFormatOptions{});
  FakeHardware hardware;
  SvaSpace alice{"alice", format, memory, pages};
  SvaSpace bob{"bob", format, memory, pages};
  SvaSpace carol{"carol", format, memory, pages};
  SvaCore core{hardware, PasidAllocator(), false};
  std::string exits;

  static SvaDeviceInfo device(const std::string& name) {
    SvaDeviceInfo info;
    info.name = name;
    info.group = name;
    return info;
  }
  unsigned add(const SvaDeviceInfo& info, bool enable = true) { return add(core, info, enable); }
  static unsigned add(SvaCore& to, const SvaDeviceInfo& info, bool enable = true) {
    const unsigned number = to.add_device(info);
    if (enable && info.page_requests) {
      EXPECT_EQ(to.enable(number, SvaFeature::kIopf, [] {}), Errno::kNone);
    }
    if (enable) {
      EXPECT_EQ(to.enable(number, SvaFeature::kSva, [] {}), Errno::kNone);
    }
    return number;
  }
  SvaCore::Bound bind(unsigned number, SvaSpace& space) { return bind(core, number, space); }
  SvaCore::Bound bind(SvaCore& to, unsigned number, SvaSpace& space) {
    return to.bind(
        number, space, std::string("data"),
        [this](unsigned which, const std::any& data) {
          exits += std::to_string(which) + std::any_cast<std::string>(data);
        },
        [] {});
  }
};

using SvaFeatures = Sva;

TEST_F(SvaFeatures, AreThereWhenTheDeviceHasWhatTheyNeed) {
  SvaDeviceInfo info = device("d");
  EXPECT_TRUE(core.has(core.add_device(info), SvaFeature::kSva));
  info.ats = false;
  EXPECT_FALSE(core.has(core.add_device(info), SvaFeature::kSva));
  info = device("e");
  info.pasid = false;
  EXPECT_FALSE(core.has(core.add_device(info), SvaFeature::kSva));
  info = device("f");
  info.compatible_tables = false;
  EXPECT_FALSE(core.has(core.add_device(info), SvaFeature::kSva));
  EXPECT_TRUE(core.has(3, SvaFeature::kIopf));
  info.page_requests = false;
  EXPECT_FALSE(core.has(core.add_device(info), SvaFeature::kIopf));
}

TEST_F(SvaFeatures, SvaNeedsIopfOfADeviceThatHasPageRequests) {
  const unsigned d = add(device("d"), false);
  EXPECT_EQ(core.enable(d, SvaFeature::kSva, [] {}), Errno::kInvalid);
  EXPECT_EQ(core.enable(d, SvaFeature::kIopf, [] {}), Errno::kNone);
  EXPECT_EQ(core.enable(d, SvaFeature::kSva, [] {}), Errno::kNone);
  EXPECT_TRUE(core.enabled(d, SvaFeature::kSva));
  EXPECT_EQ(core.disable(d, SvaFeature::kIopf, [] {}), Errno::kBusy);
  EXPECT_EQ(hardware.calls, "on 0/0; ");
}

// SPEC: [LINUX intel_iommu_enable_sva]: device-specific recovery needs no page requests.
TEST_F(SvaFeatures, SvaWithoutPageRequestsIsAllowed) {
  SvaDeviceInfo info = device("d");
  info.page_requests = false;
  EXPECT_EQ(core.enable(core.add_device(info), SvaFeature::kSva, [] {}), Errno::kNone);
}

TEST_F(SvaFeatures, WhatIsMissingDecidesTheError) {
  SvaDeviceInfo info = device("d");
  info.page_requests = false;
  info.ats = false;
  EXPECT_EQ(core.enable(core.add_device(info), SvaFeature::kIopf, [] {}), Errno::kNoDevice);
  EXPECT_EQ(core.enable(0, SvaFeature::kSva, [] {}), Errno::kInvalid);
  info.ats = true;
  info.pasid = false;
  EXPECT_EQ(core.enable(core.add_device(info), SvaFeature::kSva, [] {}), Errno::kInvalid);
  info.pasid = true;
  info.compatible_tables = false;
  EXPECT_EQ(core.enable(core.add_device(info), SvaFeature::kSva, [] {}), Errno::kNoDevice);
}

TEST_F(SvaFeatures, ABondKeepsSvaEnabled) {
  const unsigned d = add(device("d"));
  const auto bound = bind(d, alice);
  EXPECT_EQ(core.disable(d, SvaFeature::kSva, [] {}), Errno::kBusy);
  core.unbind(bound.handle, [] {});
  EXPECT_EQ(core.disable(d, SvaFeature::kSva, [] {}), Errno::kNone);
  EXPECT_EQ(core.disable(d, SvaFeature::kSva, [] {}), Errno::kInvalid);
}

using SvaBind = Sva;

TEST_F(SvaBind, TwiceGivesTheSameHandleWithAUseCount) {
  const unsigned d = add(device("d"));
  hardware.calls.clear();
  const auto first = bind(d, alice);
  const auto second = bind(d, alice);
  EXPECT_EQ(first.error, Errno::kNone);
  EXPECT_EQ(first.handle, second.handle);
  EXPECT_EQ(first.handle->users, 2U);
  core.unbind(first.handle, [] {});
  EXPECT_EQ(hardware.calls, "attach 0/1; ");
  core.unbind(first.handle, [] {});
  EXPECT_EQ(hardware.calls, "attach 0/1; detach 0/1; ");
}

TEST_F(SvaBind, OnePasidOfAnAddressSpaceForAllDevices) {
  const unsigned d = add(device("d"));
  const unsigned e = add(device("e"));
  const auto a = bind(d, alice);
  const auto b = bind(e, alice);
  EXPECT_NE(a.handle, b.handle);
  EXPECT_EQ(core.get_pasid(a.handle), Pasid(1));
  EXPECT_EQ(core.get_pasid(b.handle), Pasid(1));
  EXPECT_EQ(core.get_pasid(bind(e, bob).handle), Pasid(2));
}

TEST_F(SvaBind, ThePasidLivesAsLongAsTheAddressSpace) {
  const unsigned d = add(device("d"));
  const auto a = bind(d, alice);
  core.unbind(a.handle, [] {});
  EXPECT_EQ(core.get_pasid(bind(d, bob).handle), Pasid(2));  // 1 is still alice's
  EXPECT_EQ(core.get_pasid(bind(d, alice).handle), Pasid(1));
}

TEST_F(SvaBind, ThePasidIsFreeAfterTheLastDropOnly) {
  const unsigned d = add(device("d"));
  const auto a = bind(d, alice);
  core.release(alice, [] {});
  core.drop(alice);  // the process is gone, the bond is not
  EXPECT_EQ(core.get_pasid(bind(d, bob).handle), Pasid(2));
  core.unbind(a.handle, [] {});
  EXPECT_EQ(core.get_pasid(bind(d, carol).handle), Pasid(1));
}

TEST_F(SvaBind, ZeroIsNeverGivenOut) {
  SvaCore zero(hardware, PasidAllocator(0), false);
  SvaDeviceInfo info = device("d");
  info.lowest_pasid = 0;
  EXPECT_EQ(zero.get_pasid(bind(zero, add(zero, info), alice).handle), Pasid(1));
  EXPECT_EQ(zero.get_pasid(bind(zero, 0, bob).handle), Pasid(2));
}

TEST_F(SvaBind, WithoutAFreePasidThereIsNoSpace) {
  SvaDeviceInfo info = device("d");
  info.highest_pasid = 2;
  const unsigned d = add(info);
  EXPECT_EQ(bind(d, alice).error, Errno::kNone);
  EXPECT_EQ(bind(d, bob).error, Errno::kNone);
  EXPECT_EQ(bind(d, carol).error, Errno::kNoSpace);
  EXPECT_EQ(core.get_pasid(bind(add(device("e")), carol).handle), Pasid(3));
}

TEST_F(SvaBind, TheGlobalLimitsHoldToo) {
  SvaCore few(hardware, PasidAllocator(5, 6), false);
  const unsigned d = add(few, device("d"));
  EXPECT_EQ(few.get_pasid(bind(few, d, alice).handle), Pasid(5));
  EXPECT_EQ(few.get_pasid(bind(few, d, bob).handle), Pasid(6));
  EXPECT_EQ(bind(few, d, carol).error, Errno::kNoSpace);
}

TEST_F(SvaBind, APasidBeyondTheDeviceIsAnOverflow) {
  SvaDeviceInfo narrow = device("n");
  narrow.highest_pasid = 1;
  const unsigned wide = add(device("w"));
  const unsigned n = add(narrow);
  EXPECT_EQ(bind(wide, alice).error, Errno::kNone);
  EXPECT_EQ(bind(wide, bob).error, Errno::kNone);
  EXPECT_EQ(bind(n, alice).error, Errno::kNone);
  EXPECT_EQ(bind(n, bob).error, Errno::kOverflow);
}

TEST_F(SvaBind, AGroupWithMoreThanOneDeviceIsRefused) {
  SvaDeviceInfo one = device("one");
  SvaDeviceInfo two = device("two");
  one.group = two.group = "g";
  const unsigned d = add(one);
  add(two);
  EXPECT_EQ(bind(d, alice).error, Errno::kInvalid);
  EXPECT_FALSE(alice.pasid.has_value());
}

TEST_F(SvaBind, WithoutAGroupThereIsNoDevice) {
  SvaDeviceInfo info = device("d");
  info.group = "";
  EXPECT_EQ(bind(add(info), alice).error, Errno::kNoDevice);
}

TEST_F(SvaBind, TaggedPointersAreBusy) {
  alice.dma_compatible = false;
  EXPECT_EQ(bind(add(device("d")), alice).error, Errno::kBusy);
}

TEST_F(SvaBind, WithoutSvaEnabledThereIsNoDevice) {
  EXPECT_EQ(bind(add(device("d"), false), alice).error, Errno::kNoDevice);
}

TEST_F(SvaBind, APasidAttachedToAnotherKindOfDomainIsBusy) {
  const unsigned d = add(device("d"));
  EXPECT_EQ(core.claim(d, Pasid(1)), Errno::kNone);
  EXPECT_EQ(bind(d, alice).error, Errno::kBusy);
  EXPECT_EQ(bind(add(device("e")), alice).error, Errno::kNone);
  EXPECT_EQ(core.claim(1, Pasid(1)), Errno::kBusy);
}

TEST_F(SvaBind, UnbindingMoreOftenThanBindingIsAnError) {
  const auto a = bind(add(device("d")), alice);
  bind(0, alice);
  core.unbind(a.handle, [] {});
  core.unbind(a.handle, [] {});
  EXPECT_EQ(core.bonds_of(alice), 0U);
}

using SvaExit = Sva;

TEST_F(SvaExit, TellsTheDriverThenSilencesEveryDevice) {
  const unsigned d = add(device("d"));
  const unsigned e = add(device("e"));
  const auto a = bind(d, alice);
  bind(e, alice);
  bind(e, bob);
  hardware.calls.clear();
  bool released = false;
  core.release(alice, [&] { released = true; });
  EXPECT_TRUE(released);
  EXPECT_EQ(exits, "0data1data");
  EXPECT_EQ(hardware.calls, "silence 0/1; silence 1/1; ");
  EXPECT_FALSE(alice.alive);
  // Later: the unbind, which is still needed, drains.
  hardware.calls.clear();
  core.unbind(a.handle, [] {});
  EXPECT_EQ(hardware.calls, "end 0/1; ");
}

TEST_F(SvaExit, ASilencedDeviceIsNotInvalidatedAnyMore) {
  bind(add(device("d")), alice);
  core.release(alice, [] {});
  hardware.calls.clear();
  bool done = false;
  core.invalidate(alice, {0x1000, 0x2000}, [&] { done = true; });
  EXPECT_TRUE(done);
  EXPECT_EQ(hardware.calls, "");
}

using SvaNotifier = Sva;

TEST_F(SvaNotifier, AsksEachIommuOnceForAllItsDevices) {
  SvaDeviceInfo far = device("far");
  far.iommu = 1;
  bind(add(device("d")), alice);
  bind(add(device("e")), alice);
  bind(add(far), alice);
  bind(add(device("f")), bob);
  hardware.calls.clear();
  core.invalidate(alice, {0x3000, 0x5000}, [] {});
  EXPECT_EQ(hardware.calls, "invalidate2 0/1; invalidate1 1/1; ");
  EXPECT_FALSE(hardware.all);
  EXPECT_EQ(hardware.spans[0].start, 0x3000U);
  EXPECT_EQ(hardware.spans[0].end, 0x5000U);
}

TEST_F(SvaNotifier, TheFullRangeFlushesEverythingOfThePasid) {
  bind(add(device("d")), alice);
  core.invalidate(alice, {0, ~Addr{0}}, [] {});
  EXPECT_TRUE(hardware.all);
}

TEST_F(SvaNotifier, WithoutBondsNothingIsAsked) {
  bool done = false;
  core.invalidate(alice, {0x3000, 0x5000}, [&] { done = true; });
  EXPECT_TRUE(done);
  EXPECT_EQ(hardware.calls, "");
}

// Pages a, b of a range differ in their numbers; all bits up to the highest one that differs are widened
// over.
TEST(Cover, IsTheSmallestAlignedPowerOfTwo) {
  const auto check = [](Addr start, Addr end, Addr cover, unsigned shift) {
    const InvalidationCover found = cover_of(start, end);
    EXPECT_EQ(found.start, cover) << std::hex << start;
    EXPECT_EQ(found.shift, shift) << std::hex << start;
  };
  check(0x5000, 0x6000, 0x5000, 12);
  check(0x4000, 0x6000, 0x4000, 13);
  check(0x5000, 0x7000, 0x4000, 14);  // two pages, misaligned
  check(0x1000, 0x4000, 0x0000, 14);
  check(0x7000, 0x9000, 0x0000, 16);  // across a boundary of 32 KiB
  check(0x200000, 0x400000, 0x200000, 21);
  check(0x200000, 0x400001, 0x0, 23);
  check(0, ~Addr{0}, 0, 64);
}

}  // namespace
}  // namespace svasim
