// Uses of translations that the tables no longer hold: found, counted, explained. Every use is one request
// that ended well; so what has to be found is counted by the answers the device gets.
#include "models/stale_uses/stale_use_detector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/atc/atc.h"
#include "models/stale_uses/iommu_view.h"
#include "support/iommu_bench.h"
#include "timing/atc_bench.h"

namespace svasim::test {
namespace {

using Bench = IommuBench;
using ::testing::HasSubstr;
constexpr Ps kNs = 1000;
constexpr Addr kA = 0x7000'0000;
constexpr Addr kB = 0x7000'1000;
constexpr Addr kFrame = Bench::kData;
constexpr LeafRights kUsed{true, true, true, FirstStageEntry::A::kMask | FirstStageEntry::D::kMask};

std::uint64_t exposed(const StaleUseStats& stats) {
  std::uint64_t sum = 0;
  for (unsigned i = 0; i < 3; ++i) sum += stats.reads[i].value + stats.writes[i].value;
  return sum;
}

// The bench with a detector, and a device that may have an ATC.
struct Watched {
  explicit Watched(bool loose = false, bool with_atc = false) {
    IommuBenchOptions options;
    options.loose = loose;
    options.attach = [&](Bench& b) {
      detector = std::make_unique<StaleUseDetector>("stale_uses", b.context, 20);
      b.context.monitor = detector.get();
      view = std::make_unique<IommuView>(*b.iommu);
      detector->watch("iommu", *b.iommu, *view);
      if (with_atc) {
        device = std::make_unique<TestDevice>("device", b.context);
        atc = std::make_unique<Atc>("atc", atc_params().defaults(), b.context);
        device->up.bind(atc->up_in());
        atc->up_out().bind(b.iommu->requests(0));
        b.iommu->messages(0).bind(atc->down_in());
        atc->down_out().bind(device->down);
        b.iommu->add_device(0, kDevice);
        detector->watch("atc", *atc, *view, b.iommu.get());
      } else {
        b.devices.push_back(std::make_unique<IommuDevice>("device", b.pool, b.loose));
        b.devices[0]->requests.bind(b.iommu->requests(0));
        b.iommu->messages(0).bind(b.devices[0]->messages);
      }
    };
    bench = std::make_unique<Bench>(options);
    ScalableContext entry;
    entry.device_tlb = entry.pasid = entry.page_requests = true;
    entry.rid_pasid = Bench::kRidPasid;
    entry.pdts = 1;
    if (with_atc) {
      bench->tables->set_context(kDevice, entry);
      bench->tables->set_pasid_entry(kDevice, Bench::kPasid,
                                     first_stage_pasid_entry(bench->first->root(), 4, Bench::kFirstDomain));
    }
  }
  ~Watched() {
    if (device != nullptr) device->release_all();
  }

  bool reads(Pasid pasid, Addr address) { return ends_well(bench->ask(bench->read(pasid, address))); }
  bool writes(Pasid pasid, Addr address) {
    return ends_well(bench->ask(Bench::as_write(bench->read(pasid, address))));
  }
  // Through the ATC; no page is asked for.
  bool device_reads(Addr address) {
    const TestAccess& access = device->read(Bench::kPasid.value(), address, true);
    for (unsigned i = 0; i < 1000 && access.end == 0; ++i) bench->run_for(100 * kNs);
    return access.outcome() == AccessOutcome::kDone;
  }
  const StaleUseStats& stats() const { return detector->stats(); }
  const StaleUse& last() const { return detector->exposed().back(); }

  static bool ends_well(const DeviceAnswer& answer) { return answer.status == CompletionStatus::kSuccess; }

  std::unique_ptr<StaleUseDetector> detector;
  std::unique_ptr<IommuView> view;
  std::unique_ptr<TestDevice> device;
  std::unique_ptr<Atc> atc;
  std::unique_ptr<Bench> bench;
};

class StaleUses : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Timing, StaleUses, ::testing::Bool(),
                         [](const auto& one) { return one.param ? "loose" : "approximate"; });

// The device goes on while a driver unmaps and invalidates: uses end with the invalidation.
TEST_P(StaleUses, AreExposedFromUnmapToInvalidationOnly) {
  Watched w(GetParam());
  Bench& b = *w.bench;
  b.first->map(kA, kFrame, 12, kUsed);
  b.enable();
  ASSERT_TRUE(w.reads(Bench::kPasid, kA));
  ASSERT_TRUE(w.writes(Bench::kPasid, kA));
  EXPECT_EQ(w.stats().checked.value, 2U);
  EXPECT_EQ(exposed(w.stats()), 0U);

  const Ps unmapped = now_ps();
  ASSERT_TRUE(b.first->unmap(kA));
  std::uint64_t expected = 0;
  expected += w.reads(Bench::kPasid, kA);
  expected += w.writes(Bench::kPasid, kA);
  ASSERT_EQ(expected, 2U) << "the IOTLB still has it";
  EXPECT_THAT(w.last().invalidation(), "no covering invalidation queued");

  std::vector<std::size_t> sent;
  const auto send = [&](Ps delay) { sent.push_back(b.device().send(b.read(Bench::kPasid, kA), delay)); };
  if (GetParam()) {
    send(kNs);
  } else {
    // Looked up around the time at which the descriptor is fetched and executed.
    for (Ps delay = kNs; delay < 400 * kNs; delay += 5 * kNs) send(delay);
  }
  ASSERT_TRUE(b.invalidate({make_pasid_iotlb_page(Bench::kFirstDomain, Bench::kPasid, kA, 0)}));
  const Ps completed = now_ps();
  b.run_for(1000 * kNs);
  for (const std::size_t number : sent) {
    ASSERT_TRUE(b.device().answer(number).done);
    expected += Watched::ends_well(b.device().answer(number));
  }
  EXPECT_GT(expected, 2U);
  EXPECT_LT(expected, 82U);
  EXPECT_FALSE(w.reads(Bench::kPasid, kA));

  EXPECT_EQ(w.stats().errors.value, 0U);
  EXPECT_EQ(exposed(w.stats()), expected);
  EXPECT_EQ(w.stats().writes[1].value, 1U) << "one write, from the IOTLB";
  EXPECT_EQ(w.stats().pages.value, 1U);
  for (const StaleUse& found : w.detector->exposed()) {
    EXPECT_GE(found.use.time, unmapped);
    EXPECT_LE(found.use.time, completed);
    EXPECT_EQ(found.use.address, kFrame);
    EXPECT_EQ(found.tables, "no page there (fault 0x71)");
    EXPECT_FALSE(found.reused);
  }
  if (!GetParam()) {
    EXPECT_THAT(w.last().invalidation(), HasSubstr("not complete"));
  }
  EXPECT_LE(w.stats().age.max(), completed - unmapped);
}

// Nobody ever invalidates, and the page gets another owner.
TEST_P(StaleUses, OfAPageThatHasAnotherOwner) {
  Watched w(GetParam());
  Bench& b = *w.bench;
  b.first->map(kA, kFrame, 12, kUsed);
  b.enable();
  ASSERT_TRUE(w.writes(Bench::kPasid, kA));
  b.first->unmap(kA);
  b.first2->map(kB, kFrame, 12, kUsed);
  ASSERT_TRUE(w.writes(Bench::kPasid, kA));
  EXPECT_EQ(w.stats().reused.value, 0U) << "nobody has used it yet";
  ASSERT_TRUE(w.writes(Bench::kPasid2, kB));
  for (unsigned i = 0; i < 30; ++i) ASSERT_TRUE(w.writes(Bench::kPasid, kA));
  EXPECT_EQ(w.stats().errors.value, 0U);
  EXPECT_EQ(exposed(w.stats()), 31U);
  EXPECT_EQ(w.stats().reused.value, 30U);
  ASSERT_EQ(w.detector->exposed().size(), 20U) << "the first ones";
  EXPECT_TRUE(w.last().owner == (PageUser{Bench::kDevice, true, Bench::kPasid2, kB}));
  EXPECT_THAT(w.last().sentence(),
              testing::MatchesRegex(
                  ".* us exposed: iommu write of 02:03.1 PASID 0x41 at 0x70000000 went to "
                  "0x10000000 .IOTLB.; tables: no page there .fault 0x71.; no covering invalidation "
                  "queued; the page was used by 02:03.1 PASID 0x42 at 0x70001000 at .* us"));
}

// What hardware may go on using: SPEC: [VTD 6.1, 6.5.2] more rights, other marks, the same place.
TEST(StaleUse, LegalChangesAreNone) {
  Watched w;
  Bench& b = *w.bench;
  constexpr Addr kLarge = 0x8000'0000;
  LeafRights read_only = kUsed;
  read_only.write = false;
  b.first->map(kA, kFrame, 12, read_only);
  b.first->map(kB, kFrame + kPageSize, 12, kUsed);
  b.first->map(kLarge, kFrame + (Addr{1} << 21), 21, kUsed);
  b.enable();
  for (const Addr address : {kA, kB, kLarge}) ASSERT_TRUE(w.reads(Bench::kPasid, address));
  ASSERT_TRUE(w.writes(Bench::kPasid, kB));
  b.first->map(kA, kFrame, 12, kUsed);
  b.first->map(kB, kFrame + kPageSize, 12);  // A and D are clear
  b.first->cut(kLarge, 2);
  b.first->map_range(kLarge, kFrame + (Addr{1} << 21), Addr{1} << 21, kUsed);
  for (const Addr address : {kA, kB, kLarge, kLarge + kPageSize}) {
    ASSERT_TRUE(w.reads(Bench::kPasid, address));
  }
  ASSERT_TRUE(w.writes(Bench::kPasid, kB));
  EXPECT_EQ(w.stats().checked.value, 9U);
  EXPECT_EQ(exposed(w.stats()), 0U);

  // A split page of which one part moved is one for that part.
  b.first->map(kLarge + kPageSize, kFrame, 12, kUsed);
  ASSERT_TRUE(w.reads(Bench::kPasid, kLarge));
  EXPECT_EQ(exposed(w.stats()), 0U);
  ASSERT_TRUE(w.reads(Bench::kPasid, kLarge + kPageSize));
  EXPECT_EQ(exposed(w.stats()), 1U);
  EXPECT_EQ(w.last().tables, "page at 0x10000000");
  // A right that is gone is one for those who need it.
  read_only.write = false;
  b.first->map(kB, kFrame + kPageSize, 12, read_only);
  ASSERT_TRUE(w.reads(Bench::kPasid, kB));
  EXPECT_EQ(exposed(w.stats()), 1U);
  ASSERT_TRUE(w.writes(Bench::kPasid, kB));
  EXPECT_EQ(exposed(w.stats()), 2U);
  EXPECT_THAT(w.last().tables, HasSubstr("no right to write"));
}

TEST(StaleUse, StructuresCount) {
  Watched w;
  Bench& b = *w.bench;
  b.first->map(kA, kFrame, 12, kUsed);
  b.enable();
  ASSERT_TRUE(w.reads(Bench::kPasid, kA));
  b.tables->set_pasid_entry(Bench::kDevice, Bench::kPasid, {});
  ASSERT_TRUE(w.reads(Bench::kPasid, kA));
  EXPECT_EQ(exposed(w.stats()), 1U);
  EXPECT_EQ(w.last().tables, "the PASID's entry is not present (fault 0x59)");
  // Pages alone are not enough, and that is no error of the hardware.
  ASSERT_TRUE(b.invalidate({make_pasid_iotlb_pasid(Bench::kFirstDomain, Bench::kPasid)}));
  ASSERT_TRUE(w.reads(Bench::kPasid, kA));
  EXPECT_EQ(exposed(w.stats()), 2U);
  EXPECT_EQ(w.last().use.origin, TranslationOrigin::kWalk);
  EXPECT_EQ(w.last().invalidation(), "no covering invalidation queued");
  ASSERT_TRUE(
      b.invalidate({make_pasid_cache(PasidCacheGranularity::kPasid, Bench::kFirstDomain, Bench::kPasid),
                    make_pasid_iotlb_pasid(Bench::kFirstDomain, Bench::kPasid)}));
  EXPECT_FALSE(w.reads(Bench::kPasid, kA));
  EXPECT_EQ(w.stats().errors.value, 0U);
}

// As with the IOMMU alone; the ATC goes on until it has been told.
TEST_P(StaleUses, OfAnAtcEndWithItsCompletion) {
  Watched w(GetParam(), true);
  Bench& b = *w.bench;
  b.first->map(kA, kFrame, 12, kUsed);
  b.enable();
  ASSERT_TRUE(w.device_reads(kA));
  ASSERT_TRUE(w.device_reads(kA));
  EXPECT_EQ(w.stats().checked.value, 2U);
  b.first->unmap(kA);
  ASSERT_TRUE(w.device_reads(kA));
  EXPECT_EQ(w.stats().reads[2].value, 1U);
  EXPECT_EQ(w.last().invalidation(), "no covering invalidation queued");
  // The IOTLB alone does not reach the device.
  ASSERT_TRUE(b.invalidate({make_pasid_iotlb_page(Bench::kFirstDomain, Bench::kPasid, kA, 0)}));
  ASSERT_TRUE(w.device_reads(kA));
  EXPECT_EQ(w.stats().reads[2].value, 2U);
  EXPECT_EQ(w.last().invalidation(), "no covering invalidation queued");
  const InvalidationDescriptor flush = make_pasid_device_tlb(kDevice, Bench::kPasid, kA, false, 32);
  std::uint64_t expected = 2;
  if (!GetParam()) {
    const std::size_t first = w.device->accesses().size();
    for (unsigned i = 0; i < 60; ++i) {
      TestAccess& access = w.device->issue(TlpKind::kMemRead, Bench::kPasid.value(), kA, true);
      tlm::tlm_phase phase = tlm::BEGIN_REQ;
      sc_core::sc_time delay = to_sc((1 + 5 * i) * kNs);
      w.device->up->nb_transport_fw(*access.transaction, phase, delay);
    }
    ASSERT_TRUE(b.invalidate({flush}));
    b.run_for(1000 * kNs);
    for (std::size_t i = first; i < w.device->accesses().size(); ++i) {
      expected += w.device->accesses()[i].outcome() == AccessOutcome::kDone;
    }
    EXPECT_GT(expected, 2U);
    EXPECT_LT(expected, 62U);
    EXPECT_THAT(w.last().invalidation(), HasSubstr("not complete"));
  } else {
    ASSERT_TRUE(b.invalidate({flush}));
  }
  EXPECT_FALSE(w.device_reads(kA));
  EXPECT_EQ(exposed(w.stats()), expected);
  EXPECT_EQ(w.stats().errors.value, 0U);
}

// --- The detector alone: a user that goes on after the completion.

class Careless : public TranslationUser {
 public:
  CoveringInvalidation covering(const TranslationUse&) const override { return {2000, 3000}; }
};

class NoTables : public RemappingView {
 public:
  MemoryView& memory() override { return memory_; }
  ReferenceRegisters registers() const override { return {}; }

 private:
  PageMemory memory_;
};

TEST(StaleUseDetector, AnErrorIsAUseAfterTheCompletion) {
  TransactionPool pool;
  StatRegistry registry;
  SimContext context{1, Timing::kApproximate, pool, registry};
  StaleUseDetector detector("stale_uses", context, 1);
  Careless user;
  NoTables tables;
  detector.watch("careless", user, tables);
  TranslationUse use;
  use.requester = Bench::kDevice;
  use.read = true;
  use.iova = use.last = kA;
  use.address = kFrame;
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  // At the very instant of the completion nobody can say which came first.
  for (const Ps time : {2999, 3000, 3001, 3002}) {
    use.time = time;
    ++use.number;
    detector.used(user, use);
    sc_core::sc_start(to_sc(1));
  }
  EXPECT_EQ(exposed(detector.stats()), 2U);
  EXPECT_EQ(detector.stats().errors.value, 2U);
  ASSERT_EQ(detector.errors().size(), 1U);
  EXPECT_EQ(
      detector.errors()[0].sentence(),
      "0.003001 us ERROR: careless read of 02:03.1 without PASID at 0x70000000 went to 0x10000000 (walk); "
      "tables: no translation (fault 0x08); invalidation queued at 0.002000 us, complete at 0.003000 us");
}

}  // namespace
}  // namespace svasim::test
