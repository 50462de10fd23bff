// 126,000 random translations through nested spaces and tables of 5 levels, invalidations interleaved, timed
// IOMMU against the reference, as in random_translation_test. A seed per test; scripts/campaign runs others
// and more.
#include <cstdlib>

#include "random_translation.h"
#include "support/nested_space.h"

namespace svasim::test {
namespace {

IommuParams nested_params(bool small, bool lines) {
  IommuParams params = random_iommu_params(small);
  params.capabilities.second_stage_5_levels = true;
  params.capabilities.guest_address_width = small ? 44 : 57;
  params.iotlb.prefetch = lines ? 3 : 0;
  return params;
}

// With lines: a walker that reads them and keeps some, pages taken from them, devices that take turns.
WalkerParams nested_walker_params(bool small, bool lines) {
  WalkerParams params = random_walker_params(small);
  if (lines) {
    params.read_bytes = 64;
    params.line_buffer_entries = 6;
    params.order = "round_robin";
    params.prefetch_priority = 1;
  }
  return params;
}

class NestedRun : public RandomTranslation {
 public:
  static constexpr RequesterId kFull = RequesterId::from_bdf(1, 0, 0);
  static constexpr RequesterId kPlain = RequesterId::from_bdf(1, 31, 7);      // no ATS, RID_PASID nested
  static constexpr RequesterId kPrivate = RequesterId::from_bdf(0xC0, 3, 0);  // RID_PRIV
  static constexpr RequesterId kDevices[] = {kFull, kPlain, kPrivate};
  static constexpr Pasid kRid{0}, kPass{0x25}, kFarRoot{0x26}, kDeep{0x27};

  NestedRun(bool small, bool lines, Timing timing, std::uint64_t seed)
      : RandomTranslation(nested_params(small, lines), nested_walker_params(small, lines), timing, seed),
        structures_(view_, nullptr, pages_, true) {
    const unsigned bits = small ? 44 : 46;
    for (const unsigned levels : {4U, 3U, 5U, 4U}) {
      guests_.push_back(std::make_unique<RandomGuest>(view_, pages_, levels, rng_, frames(),
                                                      std::min(bits, 12 + 9 * levels)));
    }
    // PASID, domain, guest, first-stage levels.
    add(Pasid(0x31), 20, 0, 4);
    add(Pasid(0x32), 20, 0, 5);
    add(Pasid(0x33), 20, 0, 0);  // the second stage of the first two alone
    add(Pasid(0x34), 21, 1, 4);
    add(Pasid(0x35), 22, 2, 5);
    add(Pasid(0x36), 22, 2, 0);
    add(Pasid(0x37), 23, 3, 4);  // walks are not snooped
    add(Pasid(0x38), 1, -1, 5);
    for (const RequesterId device : kDevices) {
      ScalableContext context;
      context.device_tlb = device != kPlain;
      context.pasid = true;
      context.rid_privileged = device == kPrivate;
      structures_.set_context(device, context);
      for (Space& space : spaces_) structures_.set_pasid_entry(device, space.pasid, entry_of(space));
      structures_.set_pasid_entry(device, kRid, entry_of(spaces_[device == kPrivate ? 3 : 1]));
      structures_.set_pasid_entry(device, kPass, pass_through_pasid_entry(DomainId(2)));
      Words<8> entry = entry_of(spaces_[3]);
      PasidTableEntry::FSPTPTR::set_in_place(entry, Addr{1} << 39);
      structures_.set_pasid_entry(device, kFarRoot, entry);
      entry = entry_of(spaces_[0]);
      PasidTableEntry::FSPM::set(entry, 2);
      structures_.set_pasid_entry(device, kDeep, entry);
    }
    registers_.rtaddr = structures_.rtaddr();
    system_.enable(registers_.rtaddr);
  }

 protected:
  struct Space {
    Pasid pasid;
    DomainId domain;
    RandomGuest* guest = nullptr;           // with a second stage
    std::unique_ptr<NestedSpace> nested{};  // with both
    std::unique_ptr<RandomSpace> first{};   // with a first stage alone

    RandomSpace& tables() { return nested ? nested->first() : first ? *first : guest->second(); }
  };

  void add(Pasid pasid, std::uint16_t domain, int guest, unsigned first_levels) {
    Space space{pasid, DomainId(domain)};
    if (guest >= 0) space.guest = guests_[static_cast<std::size_t>(guest)].get();
    if (guest < 0) {
      space.first =
          std::make_unique<RandomSpace>(view_, pages_, TableStage::kFirst, first_levels, rng_, frames());
      space.first->map_some(40);
    } else if (first_levels != 0) {
      space.nested = std::make_unique<NestedSpace>(*space.guest, first_levels, rng_);
      if (guest == 3) space.nested->mark_all();
    }
    space.tables().spoil();
    for (int i = 0; i < 2; ++i) space.tables().damage();
    // A page in the interrupt range, where the tables give host addresses.
    if (!space.nested) space.tables().table().map(0x7000'0000, 0xFEE0'0000, 12);
    spaces_.push_back(std::move(space));
  }

  static bool accessed_dirty(const Space& space) {
    return space.domain != DomainId(20) && space.guest != nullptr;
  }

  Words<8> entry_of(Space& space) const {
    using P = PasidTableEntry;
    PageTableBuilder& table = space.tables().table();
    const Addr root = table.root();
    const unsigned levels = table.levels();
    const bool snooped = space.domain != DomainId(23);
    Words<8> entry{};
    if (space.nested) {
      PageTableBuilder& second = space.guest->second().table();
      entry = nested_pasid_entry(root, levels, second.root(), second.levels(), space.domain, snooped);
    } else {
      entry = space.first ? first_stage_pasid_entry(root, levels, space.domain)
                          : second_stage_pasid_entry(root, levels, space.domain);
    }
    const std::uint32_t n = space.pasid.value();
    P::SSADE::set(entry, accessed_dirty(space));
    P::PGSNP::set(entry, n == 0x34);
    P::SRE::set(entry, n != 0x32 && n != 0x33);
    P::WPE::set(entry, n == 0x31 || n == 0x35);
    P::EAFE::set(entry, (n & 1) != 0);
    return entry;
  }

  ReferenceRequest random_request() override {
    ReferenceRequest r;
    r.requester = below(3) != 0 ? kFull : kDevices[below(3)];
    // Often in the space that was changed last.
    Space* space = &spaces_[below(3) == 0 ? changed_ : below(spaces_.size())];
    r.has_pasid = below(6) != 0;
    r.pasid = space->pasid;
    if (!r.has_pasid) space = &spaces_[r.requester == kPrivate ? 3 : 1];
    r.address = space->nested ? space->nested->random_address() : space->tables().random_address();
    // Tables of the first stages lie there: no device shall write to them.
    if (space->guest != nullptr && !space->nested && (r.address >> 32) == 0) r.address |= Addr{1} << 33;
    if (below(40) == 0) {
      static constexpr Pasid kOdd[] = {kFarRoot, kDeep, kPass};
      r.pasid = kOdd[below(3)];
      if (r.pasid == kPass) r.address = kPassFrames + (below(1 << 20) << 4);
    }
    switch (below(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
        r.kind = RequestKind::kTranslationRequest;
        r.no_write = below(2) != 0;
        if (below(16) == 0) r.address = 0xFEE0'0000 | (below(256) << 12);
        break;
      default:
        if (below(30) == 0 && !space->nested) r.address = 0x7000'0000;
        break;
    }
    r.write = r.kind != RequestKind::kTranslationRequest && below(2) == 0;
    r.read = !r.write;
    r.privileged = r.has_pasid && below(5) == 0;
    r.address = (r.address & ~Addr{0xF}) | (r.write ? 8 : 0);
    return r;
  }

  Change random_change() override {
    Change change;
    const std::size_t number = off_ ? *off_ : below(spaces_.size());
    Space& space = spaces_[number];
    changed_ = number;
    const auto kind = off_ ? 19U : static_cast<unsigned>(below(20));
    if (kind == 19) {
      // P of a PASID-table entry; soon on again.
      off_ = off_ ? std::nullopt : std::optional<std::size_t>(number);
      const Addr entry = structures_.pasid_entry_address(kFull, space.pasid);
      view_.write64(entry, system_.memory().read64(entry) ^ 1);
      change.descriptors = {
          make_pasid_cache(below(2) == 0 ? PasidCacheGranularity::kPasid : PasidCacheGranularity::kDomain,
                           space.domain, space.pasid),
          space.first ? make_pasid_iotlb_pasid(space.domain, space.pasid) : make_iotlb_domain(space.domain)};
      return change;
    }
    if (kind < 6 || space.guest == nullptr) {
      RandomSpace& tables = space.tables();
      const bool leaf = below(3) != 0;
      const RandomSpace::Touched touched = leaf            ? tables.change_leaf()
                                           : below(2) == 0 ? tables.damage()
                                                           : tables.change_upper_rights();
      const bool second = !space.nested && !space.first;
      change.under_tables = second;
      if (second) {
        change.descriptors = {enough_for_second(space, touched, leaf)};
      } else {
        change.descriptors = enough_for_first(space, touched, leaf);
      }
      return change;
    }
    // The second stage, under the pages or under the tables.
    change.under_tables = true;
    RandomSpace::Touched touched;
    bool leaf = true;
    if (kind < 9) {
      touched = space.guest->second().change_leaf();
    } else if (kind < 11) {
      leaf = false;
      touched = below(2) == 0 ? space.guest->second().damage() : space.guest->second().change_upper_rights();
    } else if (kind < 16) {
      leaf = false;
      touched = space.guest->damage_home(space.nested ? space.nested->first().table().root() : 0);
    } else if (const auto moved = space.guest->move_home()) {
      touched = *moved;
    } else {
      return change;
    }
    change.descriptors = {enough_for_second(space, touched, leaf)};
    return change;
  }

  std::vector<InvalidationDescriptor> enough_for_first(const Space& space,
                                                       const RandomSpace::Touched& touched, bool leaf) {
    const unsigned order = 9 * (touched.level - 1);
    const std::uint64_t choice = below(order <= 27 ? 8 : 3);
    if (choice == 0) return {make_iotlb_global()};
    if (choice == 1) return {make_iotlb_domain(space.domain)};
    const bool leaf_only = leaf && below(2) == 0;
    std::vector<InvalidationDescriptor> descriptors;
    // Two of the spaces are those of requests without PASID, too.
    const bool twice = &space == &spaces_[1] || &space == &spaces_[3];
    for (const Pasid pasid :
         twice ? std::vector<Pasid>{space.pasid, kRid} : std::vector<Pasid>{space.pasid}) {
      descriptors.push_back(choice == 2
                                ? make_pasid_iotlb_pasid(space.domain, pasid)
                                : make_pasid_iotlb_page(space.domain, pasid, touched.iova, order, leaf_only));
    }
    return descriptors;
  }
  InvalidationDescriptor enough_for_second(const Space& space, const RandomSpace::Touched& touched,
                                           bool leaf) {
    const unsigned order = 9 * (touched.level - 1);
    switch (below(order <= 18 ? 6 : 2)) {
      case 0:
        return make_iotlb_global();
      case 1:
        return make_iotlb_domain(space.domain);
      default:
        return make_iotlb_page(space.domain, touched.iova, order, leaf && below(2) == 0);
    }
  }

  void grow() override {
    spaces_[below(spaces_.size())].tables().map_some(3);
    guests_[below(guests_.size())]->second().map_some(3);
    for (const auto& guest : guests_) guest->reuse_left();
  }

  std::set<Addr> entries_read_as_written() override {
    std::set<Addr> entries;
    for (const auto& guest : guests_) {
      for (const RandomSpace::Page& home : guest->homes()) {
        const PageTableBuilder& table = guest->second().table();
        entries.insert(table.entry_address(home.iova, RandomSpace::leaf_level_of(home)));
      }
    }
    return entries;
  }

  RemappingTables structures_;
  std::vector<std::unique_ptr<RandomGuest>> guests_;
  std::vector<Space> spaces_;
  std::optional<std::size_t> off_;
  std::size_t changed_ = 0;
};

struct Variant {
  const char* name;
  bool small;
  bool lines;
  Timing timing;
  std::uint64_t seed;
  bool direct_memory = false;
};

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

constexpr unsigned kRounds = 100;

class NestedMode : public testing::TestWithParam<Variant> {};

TEST_P(NestedMode, AgreesWithTheReference) {
  using F = FaultReason;
  const std::uint64_t seed = setting("SVASIM_CAMPAIGN_SEED", GetParam().seed);
  const auto rounds = static_cast<unsigned>(setting("SVASIM_CAMPAIGN_ROUNDS", kRounds));
  NestedRun run(GetParam().small, GetParam().lines, GetParam().timing, seed);
  if (GetParam().direct_memory) run.use_direct_memory();
  run.run(rounds, 150, 60);
  expect_direct_accesses(run, GetParam().direct_memory);
  EXPECT_EQ(run.translations(), rounds * 210);
  fmt::print("{} translations, {} not judged, seed {}, {}, {} differences\n", run.translations(), run.mixed(),
             seed, GetParam().name, HasFailure() ? "with" : "no");
  for (const auto& [reason, count] : run.outcomes()) {
    fmt::print("outcome {} {}\n", reason == F::kNone ? "none" : fault_mnemonic(reason), count);
  }
  if (rounds != kRounds) return;
  for (const auto& [pasid, count] : run.successes()) {
    const bool nested = pasid >= 0x31 && pasid <= 0x38;
    EXPECT_GE(count, nested ? 100u : 0u) << "pasid " << pasid;
  }
  for (const F reason : {F::kNone,
                         F::kDeviceTlbDisabled,
                         F::kPasidEntryInvalid,
                         F::kPasidEntryNotPresent,
                         F::kSupervisorDisabled,
                         F::kFirstStageAccess,
                         F::kFirstStageNotPresent,
                         F::kFirstStageReserved,
                         F::kFirstStageUpdateNotSnooped,
                         F::kNestedBeyondWidth,
                         F::kNestedTopNoRead,
                         F::kNestedEntryNoRead,
                         F::kNestedAccessedDirtyNoWrite,
                         F::kSecondStageAccess,
                         F::kSecondStageNotPresent,
                         F::kSecondStageReserved,
                         F::kSecondStageUpdateNotSnooped,
                         F::kSecondStageBeyondWidth,
                         F::kNotCanonical,
                         F::kUserNotAllowed,
                         F::kNoWrite,
                         F::kNoRead}) {
    const auto found = run.outcomes().find(reason);
    EXPECT_GE(found == run.outcomes().end() ? 0 : found->second, 3u) << fault_text(reason);
  }
}
INSTANTIATE_TEST_SUITE_P(
    Random, NestedMode,
    testing::Values(Variant{"approximate", false, false, Timing::kApproximate, 15},
                    Variant{"approximate_small_caches", true, false, Timing::kApproximate, 12},
                    Variant{"approximate_lines", true, true, Timing::kApproximate, 12},
                    Variant{"loose", false, false, Timing::kLoose, 13},
                    Variant{"loose_small_caches", true, false, Timing::kLoose, 14},
                    Variant{"loose_lines", false, true, Timing::kLoose, 13},
                    Variant{"loose_direct", false, false, Timing::kLoose, 16, true},
                    Variant{"loose_direct_small_caches", true, false, Timing::kLoose, 17, true}),
    [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace svasim::test
