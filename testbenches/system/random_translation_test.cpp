// 252,000 random translations, invalidations interleaved, timed IOMMU against the reference: address,
// size, rights, fault and answer agree, and no request sent after its invalidation has completed sees
// what was before. Seeds 1 to 12, one per test. With direct memory, also by devices that keep pages.
#include "random_translation.h"

namespace svasim::test {
namespace {

constexpr unsigned kRounds = 100;
constexpr unsigned kStill = 150;
constexpr unsigned kMoving = 60;

// First stage, second stage of 3 and 4 levels, pass-through, several devices and PASIDs.
class ScalableRun : public RandomTranslation {
 public:
  static constexpr RequesterId kFull = RequesterId::from_bdf(1, 0, 0);
  static constexpr RequesterId kNoAts = RequesterId::from_bdf(1, 31, 7);
  static constexpr RequesterId kNoPasid = RequesterId::from_bdf(0xC0, 3, 0);
  static constexpr RequesterId kQuiet = RequesterId::from_bdf(0xC0, 3, 1);
  static constexpr RequesterId kUnknown = RequesterId::from_bdf(0xC0, 3, 2);
  static constexpr Pasid kRid{0}, kPass{0x25}, kReserved{0x26}, kSecondTwin{0x24};
  static constexpr DomainId kFirstDomain{1}, kSecondDomain{10}, kThirdDomain{11};

  ScalableRun(bool small, Timing timing, std::uint64_t seed)
      : RandomTranslation(random_iommu_params(small), random_walker_params(small), timing, seed),
        structures_(view_, nullptr, pages_, true) {
    add(Pasid(0x21), kFirstDomain, TableStage::kFirst, 4);
    add(Pasid(0x22), kFirstDomain, TableStage::kFirst, 4);
    add(Pasid(0x23), kSecondDomain, TableStage::kSecond, 4);
    add(Pasid(0x60), kThirdDomain, TableStage::kSecond, 3);
    for (const RequesterId device : {kFull, kNoAts, kNoPasid, kQuiet}) {
      ScalableContext context;
      context.device_tlb = device != kNoAts;
      context.pasid = device != kNoPasid;
      context.fault_processing_disabled = device == kQuiet;
      context.pdts = 0;
      structures_.set_context(device, context);
      for (const Space& space : spaces_) structures_.set_pasid_entry(device, space.pasid, entry_of(space));
      structures_.set_pasid_entry(device, kSecondTwin, entry_of(spaces_[2]));
      structures_.set_pasid_entry(device, kRid, entry_of(spaces_[2]));
      structures_.set_pasid_entry(device, kPass, pass_through_pasid_entry(kFirstDomain));
      Words<8> reserved = entry_of(spaces_[0]);
      reserved[3] = 1;
      structures_.set_pasid_entry(device, kReserved, reserved);
    }
    registers_.rtaddr = structures_.rtaddr();
    system_.enable(registers_.rtaddr);
  }

 protected:
  struct Space {
    Pasid pasid;
    DomainId domain;
    TableStage stage;
    std::unique_ptr<RandomSpace> tables;
  };

  void add(Pasid pasid, DomainId domain, TableStage stage, unsigned levels) {
    Space space{pasid, domain, stage,
                std::make_unique<RandomSpace>(view_, pages_, stage, levels, rng_, frames())};
    space.tables->map_some(40);
    space.tables->spoil();
    for (int i = 0; i < 3; ++i) space.tables->damage();
    // A page in the interrupt range.
    space.tables->table().map(0x7000'0000, 0xFEE0'0000, 12);
    spaces_.push_back(std::move(space));
  }

  Words<8> entry_of(const Space& space) const {
    using P = PasidTableEntry;
    PageTableBuilder& table = space.tables->table();
    if (space.stage == TableStage::kFirst) {
      Words<8> entry = first_stage_pasid_entry(table.root(), 4, space.domain);
      const bool one = space.pasid == Pasid(0x21);
      P::SRE::set(entry, one);
      P::WPE::set(entry, one);
      P::EAFE::set(entry, !one);
      return entry;
    }
    Words<8> entry = second_stage_pasid_entry(table.root(), table.levels(), space.domain);
    P::SSADE::set(entry, space.domain == kThirdDomain);
    P::PGSNP::set(entry, space.domain == kThirdDomain);
    return entry;
  }

  ReferenceRequest random_request() override {
    ReferenceRequest r;
    static constexpr RequesterId kDevices[] = {kFull, kFull, kFull, kFull, kFull, kNoAts, kNoPasid, kQuiet};
    r.requester = below(32) == 0 ? kUnknown : kDevices[below(8)];
    const Space& space = spaces_[below(spaces_.size())];
    r.has_pasid = r.requester != kNoPasid || below(4) == 0;
    r.pasid = space.pasid;
    r.address = space.tables->random_address();
    switch (below(24)) {
      case 0:
        r.pasid = kPass;
        r.address = kPassFrames + (below(1 << 20) << 4);
        if (below(8) == 0) r.address |= Addr{1} << 46;
        break;
      case 1: {
        static constexpr Pasid kOdd[] = {kRid,          kReserved,     Pasid(0x27),
                                         Pasid(0x1000), Pasid(0x2000), Pasid(0xFFFFF)};
        r.pasid = kOdd[below(6)];
        break;
      }
      case 2:
        r.address = 0x7000'0000;
        break;
      case 3:
      case 4:
        if (space.domain == kSecondDomain) {
          r.has_pasid = below(2) != 0;
          r.pasid = kSecondTwin;
        }
        break;
      default:
        break;
    }
    if (!r.has_pasid && below(2) == 0) r.address = spaces_[2].tables->random_address();
    switch (below(16)) {
      case 0:
        r.kind = RequestKind::kTranslated;
        r.address = kPassFrames + (below(1 << 20) << 4);
        r.has_pasid = below(8) == 0;
        break;
      case 1:
      case 2:
      case 3:
      case 4:
        r.kind = RequestKind::kTranslationRequest;
        r.no_write = below(2) != 0;
        if (below(12) == 0) r.address = 0xFEE0'0000 | (below(256) << 12);
        break;
      default:
        break;
    }
    r.write = r.kind != RequestKind::kTranslationRequest && below(2) == 0;
    r.read = !r.write;
    r.privileged = r.has_pasid && below(6) == 0;
    r.execute = r.has_pasid && r.kind == RequestKind::kUntranslated && below(50) == 0;
    // Reads and writes keep to words of their own.
    r.address = (r.address & ~Addr{0xF}) | (r.write ? 8 : 0);
    return r;
  }

  Change random_change() override {
    Change change;
    Space& space = spaces_[off_ ? *off_ : below(spaces_.size())];
    // An entry that was switched off is on again soon, or little would be translated.
    const auto kind = off_ ? 10U : !no_pasid_ ? 11U : static_cast<unsigned>(below(14));
    if (kind < 7) {
      const RandomSpace::Touched touched = space.tables->change_leaf();
      change.descriptors = {enough_for(space, touched, below(2) == 0)};
    } else if (kind < 10) {
      const RandomSpace::Touched touched =
          below(2) == 0 ? space.tables->damage() : space.tables->change_upper_rights();
      change.descriptors = {enough_for(space, touched, false)};
    } else if (kind < 11) {
      // P of a PASID-table entry.
      const std::size_t number = static_cast<std::size_t>(&space - spaces_.data());
      off_ = off_ ? std::nullopt : std::optional<std::size_t>(number);
      const Addr entry = structures_.pasid_entry_address(kFull, space.pasid);
      view_.write64(entry, system_.memory().read64(entry) ^ 1);
      change.descriptors = {
          make_pasid_cache(below(2) == 0 ? PasidCacheGranularity::kPasid : PasidCacheGranularity::kDomain,
                           space.domain, space.pasid),
          space.stage == TableStage::kFirst ? make_pasid_iotlb_pasid(space.domain, space.pasid)
                                            : make_iotlb_domain(space.domain)};
    } else if (kind > 11) {
      // The two first-stage PASIDs exchange their tables.
      std::swap(spaces_[0].tables, spaces_[1].tables);
      for (const Space* changed : {&spaces_[0], &spaces_[1]}) {
        for (const RequesterId device : {kFull, kNoAts, kNoPasid, kQuiet}) {
          structures_.set_pasid_entry(device, changed->pasid, entry_of(*changed));
        }
        change.descriptors.push_back(
            make_pasid_cache(PasidCacheGranularity::kPasid, changed->domain, changed->pasid));
        change.descriptors.push_back(make_pasid_iotlb_pasid(changed->domain, changed->pasid));
      }
    } else {
      // PASIDE of a context entry.
      no_pasid_ = !no_pasid_;
      const Addr entry = structures_.context_entry_address(kNoPasid);
      view_.write64(entry, system_.memory().read64(entry) ^ ScalableContextEntry::PASIDE::kMask);
      change.descriptors = {make_context_cache(ContextGranularity::kDevice, {}, kNoPasid)};
    }
    return change;
  }

  // One of the invalidations that suffice for a change of this entry.
  InvalidationDescriptor enough_for(const Space& space, const RandomSpace::Touched& touched, bool leaf_only) {
    const unsigned order = 9 * (touched.level - 1);
    const bool page_possible = order <= 18;
    if (space.stage == TableStage::kFirst) {
      switch (below(page_possible ? 6 : 3)) {
        case 0:
          return make_iotlb_global();
        case 1:
          return make_iotlb_domain(space.domain);
        case 2:
          return make_pasid_iotlb_pasid(space.domain, space.pasid);
        default:
          return make_pasid_iotlb_page(space.domain, space.pasid, touched.iova, order, leaf_only);
      }
    }
    switch (below(page_possible ? 5 : 2)) {
      case 0:
        return make_iotlb_global();
      case 1:
        return make_iotlb_domain(space.domain);
      default:
        return make_iotlb_page(space.domain, touched.iova, order, leaf_only);
    }
  }

  // Not present to present needs no invalidation. SPEC: [VTD Table 28]
  void grow() override { spaces_[below(spaces_.size())].tables->map_some(3); }

  RemappingTables structures_;
  std::vector<Space> spaces_;
  std::optional<std::size_t> off_;  // the space whose PASID-table entry has P=0
  bool no_pasid_ = true;            // kNoPasid has PASIDE=0
};

// Second stage of 3 and 4 levels, pass-through; domains shared by devices.
class LegacyRun : public RandomTranslation {
 public:
  LegacyRun(bool small, Timing timing, std::uint64_t seed)
      : RandomTranslation(random_iommu_params(small), random_walker_params(small), timing, seed),
        structures_(view_, nullptr, pages_, false) {
    for (const unsigned levels : {3U, 4U, 4U}) {
      spaces_.push_back(
          std::make_unique<RandomSpace>(view_, pages_, TableStage::kSecond, levels, rng_, frames()));
      spaces_.back()->map_some(40);
      spaces_.back()->spoil();
      for (int i = 0; i < 3; ++i) spaces_.back()->damage();
      spaces_.back()->table().map(0x7000'0000, 0xFEE0'0000, 12);
    }
    for (unsigned n = 0; n < 6; ++n) set(n, n % 3);
    structures_.set_legacy_context(device(6), TranslationType::kPassThrough, 0, 4, DomainId(50));
    structures_.set_legacy_context(device(9), TranslationType::kWithAts, Addr{1} << 46, 4, DomainId(51));
    registers_.rtaddr = structures_.rtaddr();
    system_.enable(registers_.rtaddr);
  }

 protected:
  static RequesterId device(unsigned n) { return RequesterId(static_cast<std::uint16_t>(n * 0x1905)); }
  static DomainId domain(std::size_t space) { return DomainId(static_cast<std::uint16_t>(space + 1)); }

  void set(unsigned n, std::size_t space) {
    space_of_[n] = space;
    structures_.set_legacy_context(
        device(n), n < 4 ? TranslationType::kWithAts : TranslationType::kUntranslatedOnly,
        spaces_[space]->table().root(), spaces_[space]->table().levels(), domain(space));
  }

  ReferenceRequest random_request() override {
    ReferenceRequest r;
    const auto n =
        static_cast<unsigned>(below(10));  // 6: pass-through, 7: unknown bus, 8: unknown device, 9: no table
    r.requester = n == 8 ? RequesterId::from_bdf(device(1).bus(), 31, 7) : device(n);
    r.address = spaces_[n < 6 ? space_of_[n] : 0]->random_address();
    if (n == 6) r.address = kPassFrames + (below(1 << 20) << 4);
    if (below(24) == 0) r.address = 0x7000'0000;
    if (below(24) == 0) r.address = 0xFEE0'0000 | (below(256) << 12);
    r.has_pasid = below(40) == 0;
    switch (below(8)) {
      case 0:
      case 1:
        r.kind = RequestKind::kTranslationRequest;
        r.no_write = below(2) != 0;
        break;
      case 2:
        if (below(2) == 0) {
          r.kind = RequestKind::kTranslated;
          r.address = kPassFrames + (below(1 << 20) << 4);
        }
        break;
      default:
        break;
    }
    r.write = r.kind != RequestKind::kTranslationRequest && below(2) == 0;
    r.read = !r.write;
    r.address = (r.address & ~Addr{0xF}) | (r.write ? 8 : 0);
    return r;
  }

  Change random_change() override {
    Change change;
    const std::size_t space = below(spaces_.size());
    if (below(6) == 0) {
      // A device moves to another domain.
      const auto n = static_cast<unsigned>(below(6));
      const DomainId old = domain(space_of_[n]);
      set(n, space);
      change.descriptors = {below(2) == 0 ? make_context_cache(ContextGranularity::kDevice, old, device(n))
                                          : make_context_cache(ContextGranularity::kDomain, old),
                            make_iotlb_domain(old)};
      return change;
    }
    RandomSpace& tables = *spaces_[space];
    const bool leaf = below(3) != 0;
    const RandomSpace::Touched touched = leaf            ? tables.change_leaf()
                                         : below(2) == 0 ? tables.damage()
                                                         : tables.change_upper_rights();
    const unsigned order = 9 * (touched.level - 1);
    switch (below(order <= 18 ? 5 : 2)) {
      case 0:
        change.descriptors = {make_iotlb_global()};
        break;
      case 1:
        change.descriptors = {make_iotlb_domain(domain(space))};
        break;
      default:
        change.descriptors = {make_iotlb_page(domain(space), touched.iova, order, leaf && below(2) == 0)};
    }
    return change;
  }

  void grow() override { spaces_[below(spaces_.size())]->map_some(3); }

  RemappingTables structures_;
  std::vector<std::unique_ptr<RandomSpace>> spaces_;
  std::size_t space_of_[6] = {};
};

void expect_outcomes(const RandomTranslation& run, std::initializer_list<FaultReason> reasons) {
  for (const FaultReason reason : reasons) {
    const auto found = run.outcomes().find(reason);
    EXPECT_GE(found == run.outcomes().end() ? 0 : found->second, 3u) << fault_text(reason);
  }
}

struct Variant {
  const char* name;
  bool small;
  Timing timing;
  std::uint64_t seed;
  bool direct_memory = false;
};

std::string name_of(const testing::TestParamInfo<Variant>& test) { return test.param.name; }

class ScalableMode : public testing::TestWithParam<Variant> {};

TEST_P(ScalableMode, AgreesWithTheReference) {
  using F = FaultReason;
  ScalableRun run(GetParam().small, GetParam().timing, GetParam().seed);
  if (GetParam().direct_memory) run.use_direct_memory();
  run.run(kRounds, kStill, kMoving);
  expect_direct_accesses(run, GetParam().direct_memory);
  EXPECT_EQ(run.translations(), kRounds * (kStill + kMoving));
  expect_outcomes(run, {F::kNone,
                        F::kContextNotPresent,
                        F::kDeviceTlbDisabled,
                        F::kPasidDisabled,
                        F::kPasidBeyondDirectory,
                        F::kPasidIsRidPasid,
                        F::kTranslatedWithPasid,
                        F::kDirectoryNotPresent,
                        F::kPasidEntryNotPresent,
                        F::kPasidEntryReserved,
                        F::kPasidExecuteRequested,
                        F::kSupervisorDisabled,
                        F::kFirstStageAccess,
                        F::kFirstStageNotPresent,
                        F::kFirstStageReserved,
                        F::kSecondStageNotPresent,
                        F::kSecondStageReserved,
                        F::kNotCanonical,
                        F::kUserNotAllowed,
                        F::kHostAddressBeyondWidth,
                        F::kSecondStageBeyondWidth,
                        F::kNoWrite,
                        F::kNoRead,
                        F::kOutputInInterruptRange});
}
INSTANTIATE_TEST_SUITE_P(Random, ScalableMode,
                         testing::Values(Variant{"approximate", false, Timing::kApproximate, 1},
                                         Variant{"approximate_small_caches", true, Timing::kApproximate, 2},
                                         Variant{"loose", false, Timing::kLoose, 3},
                                         Variant{"loose_small_caches", true, Timing::kLoose, 4},
                                         Variant{"loose_direct", false, Timing::kLoose, 9, true},
                                         Variant{"loose_direct_small_caches", true, Timing::kLoose, 10,
                                                 true}),
                         name_of);

class LegacyMode : public testing::TestWithParam<Variant> {};

TEST_P(LegacyMode, AgreesWithTheReference) {
  using F = FaultReason;
  LegacyRun run(GetParam().small, GetParam().timing, GetParam().seed);
  if (GetParam().direct_memory) run.use_direct_memory();
  run.run(kRounds, kStill, kMoving);
  expect_direct_accesses(run, GetParam().direct_memory);
  EXPECT_EQ(run.translations(), kRounds * (kStill + kMoving));
  expect_outcomes(run, {F::kNone, F::kLegacyRootNotPresent, F::kLegacyContextNotPresent,
                        F::kLegacyTableAccess, F::kLegacyAddressBeyondWidth, F::kLegacyNoWrite,
                        F::kLegacyNoRead, F::kLegacyEntryReserved, F::kLegacyAtsBlocked,
                        F::kLegacyContextReserved, F::kLegacyOutputInInterruptRange, F::kPasidInLegacyMode});
}
INSTANTIATE_TEST_SUITE_P(Random, LegacyMode,
                         testing::Values(Variant{"approximate", false, Timing::kApproximate, 5},
                                         Variant{"approximate_small_caches", true, Timing::kApproximate, 6},
                                         Variant{"loose", false, Timing::kLoose, 7},
                                         Variant{"loose_small_caches", true, Timing::kLoose, 8},
                                         Variant{"loose_direct", false, Timing::kLoose, 11, true},
                                         Variant{"loose_direct_small_caches", true, Timing::kLoose, 12,
                                                 true}),
                         name_of);

}  // namespace
}  // namespace svasim::test
