// What every page-table format owes the walker: the walk machine on tables of the format does what the
// reference does, which shares field names with it and no algorithm. Run on every row of format_table().
// Random tables: seeds 1 to 30 for each format, 2000 accesses each.
#include "contract/page_format_bench.h"

namespace svasim::test {
namespace {

constexpr unsigned kSeeds = 30;
constexpr unsigned kAccesses = 2000;

// Every kind of access to an address.
std::vector<FormatAccess> accesses(Addr address, const TableShape& shape) {
  std::vector<FormatAccess> all;
  for (unsigned bits = 0; bits < 16; ++bits) {
    const bool privileged = (bits & 2) != 0;
    const bool sum = (bits & 4) != 0;
    const bool asks = (bits & 8) != 0;
    if (sum && !(privileged && shape.riscv())) continue;
    const bool write = (bits & 1) != 0;
    all.push_back({address, asks || !write, write, privileged, sum, asks});
  }
  all.push_back({address, true, true});  // an atomic
  return all;
}

class PageFormatContract : public testing::TestWithParam<PageFormatEntry> {
 protected:
  static TableShape shape() { return shape_of(GetParam().name); }
  static bool first() { return shape().stage == TableStage::kFirst; }
  static FaultReason pick(FaultReason one, FaultReason two) { return first() ? one : two; }
  // Everything on: all sizes, A and D, snoop control.
  static FormatSettings full() {
    FormatSettings settings;
    settings.options.accessed_dirty = settings.options.extended_accessed = true;
    settings.options.snoop_control = true;
    return settings;
  }
  // An address with a different index at every level, and not all of them small.
  static Addr address() {
    const Addr indices = Addr{0x12} << 48 | Addr{0x0A5} << 39 | Addr{0x1B3} << 30 | Addr{0x0CE} << 21 |
                         Addr{0x171} << 12 | 0x9A8;
    return indices & mask_between(12 + 9 * shape().levels - 2, 0);
  }
  // A frame of 2^shift bytes, high and low address bits in use.
  static Addr frame(const FormatBench& bench, unsigned shift) {
    return 0xA5'A5B6'C7D8'E000U & mask_between(bench.frame_bits() - 1, shift);
  }
  static FormatAccess read(Addr address) { return {address, true, false}; }
  static FormatAccess write(Addr address) { return {address, false, true}; }

  // `check` for every access; false after a failure.
  static bool check_all(FormatBench& bench, Addr at) {
    for (const FormatAccess& access : accesses(at, bench.shape)) bench.check(access);
    return !HasFailure();
  }
};

TEST_P(PageFormatContract, PagesOfEverySize) {
  FormatBench bench(GetParam(), full());
  for (const unsigned shift : bench.page_shifts()) {
    SCOPED_TRACE(shift);
    const Addr base = address() >> shift << shift;
    const Addr size = Addr{1} << shift;
    const unsigned leaf = (shift - 3) / 9;
    bench.table.cut(base, shape().levels);
    ASSERT_TRUE(bench.table.map(base, frame(bench, shift), shift));
    for (const Addr at : {base, address(), base + size - 1}) {
      const WalkResult result = drive(bench.memory, bench.request(read(at))).result;
      EXPECT_EQ(result.fault, FaultReason::kNone);
      EXPECT_EQ(result.page, frame(bench, shift));
      EXPECT_EQ(result.page_shift, shift);
      EXPECT_EQ(result.reads, shape().levels - leaf + 1);
      EXPECT_EQ(result.steps, shape().levels - leaf);
      EXPECT_TRUE(result.read && result.write && result.user);
      ASSERT_TRUE(check_all(bench, at));
    }
    // Its neighbours are not mapped.
    EXPECT_NE(bench.check(read(base - 1)), FaultReason::kNone);
    EXPECT_NE(bench.check(read(base + size)), FaultReason::kNone);
  }
}

// The two ends of the input range, and one bit beyond each. The top index is used in full.
TEST_P(PageFormatContract, AddressesOfItsWidth) {
  const std::map<std::string_view, unsigned> widths = {
      {"x86-fs4", 48},      {"x86-fs5", 57},      {"vtd-ss3", 39},     {"vtd-ss4", 48},
      {"vtd-ss5", 57},      {"riscv-sv39", 39},   {"riscv-sv48", 48},  {"riscv-sv57", 57},
      {"riscv-sv39x4", 41}, {"riscv-sv48x4", 50}, {"riscv-sv57x4", 59}};
  const unsigned width = widths.at(GetParam().name);
  FormatBench bench(GetParam(), full());
  const Addr half = Addr{1} << (width - 1);
  const Addr page = 0xFFF;
  std::vector<Addr> inside = {0, half - 1};
  std::vector<Addr> outside = {half << 1, ~page >> 1, Addr{1} << 63};
  if (first()) {
    inside.insert(inside.end(), {0 - half, ~Addr{0}});
    outside.insert(outside.end(), {half, 0 - half - 1, ~half, Addr{1} << 62});
  } else {
    inside.insert(inside.end(), {half, 2 * half - 1});
    outside.insert(outside.end(), {0 - half, ~Addr{0}});
  }
  Addr number = 1;
  for (const Addr at : inside) ASSERT_TRUE(bench.table.map(at & ~page, number++ << 30, 12));
  number = 1;
  for (const Addr at : inside) {
    const WalkResult result = drive(bench.memory, bench.request(read(at))).result;
    EXPECT_EQ(result.fault, FaultReason::kNone) << std::hex << at;
    EXPECT_EQ(result.page, number++ << 30);
    check_all(bench, at);
  }
  for (const Addr at : outside) {
    const WalkResult result = drive(bench.memory, bench.request(read(at))).result;
    EXPECT_EQ(result.fault, pick(FaultReason::kNotCanonical, FaultReason::kSecondStageBeyondWidth))
        << std::hex << at;
    EXPECT_EQ(result.reads, 0U);
    check_all(bench, at);
  }
}

TEST_P(PageFormatContract, NothingPresentAndNothingReadableAtEachLevel) {
  FormatBench bench(GetParam(), full());
  for (unsigned level = 1; level <= shape().levels; ++level) {
    bench.table.map(address() & ~Addr{0xFFF}, frame(bench, 12), 12);
    const Addr where = bench.table.entry_address(address(), level);
    const std::uint64_t entry = bench.peek(where);
    // All other bits do not matter, reserved ones least of all.
    const std::uint64_t present = shape().stage == TableStage::kSecond && !shape().riscv() ? 3 : 1;
    for (const std::uint64_t word : {std::uint64_t{0}, entry & ~present, ~present}) {
      bench.memory.write64(where, word);
      const WalkResult result = drive(bench.memory, bench.request(read(address()))).result;
      EXPECT_EQ(result.fault, pick(FaultReason::kFirstStageNotPresent, FaultReason::kSecondStageNotPresent));
      EXPECT_EQ(result.fault_level, level);
      EXPECT_EQ(result.reads, shape().levels - level + 1);
      check_all(bench, address());
    }
    bench.memory.write64(where, entry);
    const PageMemory::Page saved = bench.memory.add_page(where);
    bench.memory.remove_page(where);
    const bool top = level == shape().levels;
    const WalkResult result = drive(bench.memory, bench.request(read(address()))).result;
    EXPECT_EQ(result.fault, top ? pick(FaultReason::kFirstStageTopAccess, FaultReason::kSecondStageTopAccess)
                                : pick(FaultReason::kFirstStageAccess, FaultReason::kSecondStageAccess));
    EXPECT_EQ(result.fault_level, level);
    check_all(bench, address());
    bench.memory.add_page(where) = saved;
  }
}

// Address bits of a large leaf below its size. Bit 12 of one of x86 is its PAT bit.
TEST_P(PageFormatContract, MisalignedPages) {
  FormatBench bench(GetParam(), full());
  const unsigned lowest = shape().riscv() ? 10 : first() ? 13 : 12;
  for (const unsigned shift : bench.page_shifts()) {
    const Addr base = address() >> shift << shift;
    bench.table.cut(base, shape().levels);
    ASSERT_TRUE(bench.table.map(base, frame(bench, shift), shift));
    const unsigned level = (shift - 3) / 9;
    const std::uint64_t entry = bench.table.entry(base, level);
    for (unsigned bit = lowest; bit < shift - (shape().riscv() ? 2 : 0); ++bit) {
      bench.table.set_entry(base, level, entry | std::uint64_t{1} << bit);
      const WalkResult result = drive(bench.memory, bench.request(read(address()))).result;
      EXPECT_EQ(result.fault, pick(FaultReason::kFirstStageReserved, FaultReason::kSecondStageReserved))
          << shift << " bit " << bit;
      EXPECT_EQ(result.fault_level, level);
      if (!check_all(bench, address())) return;
    }
  }
}

// Every single bit of every entry on the way to a page of every size, flipped.
TEST_P(PageFormatContract, EveryBitOfEveryEntry) {
  for (const bool update : {true, false}) {
    for (const unsigned width : {40U, 46U, 52U}) {
      FormatSettings settings = full();
      settings.options.host_address_width = width;
      settings.options.accessed_dirty = update;
      settings.update_ad = update || (first() && !shape().riscv());
      FormatBench bench(GetParam(), settings);
      for (const unsigned shift : bench.page_shifts()) {
        const Addr base = address() >> shift << shift;
        bench.table.cut(base, shape().levels);
        ASSERT_TRUE(bench.table.map(base, frame(bench, shift), shift));
        for (unsigned level = (shift - 3) / 9; level <= shape().levels; ++level) {
          const Addr where = bench.table.entry_address(address(), level);
          const std::uint64_t entry = bench.peek(where);
          for (unsigned bit = 0; bit < 64; ++bit) {
            SCOPED_TRACE(testing::Message() << "page 2^" << shift << " level " << level << " bit " << bit);
            bench.memory.write64(where, entry ^ std::uint64_t{1} << bit);
            if (!check_all(bench, address())) return;
          }
          bench.memory.write64(where, entry);
        }
      }
    }
  }
}

// Rights, presence, leaf and A/D bits of all formats lie in bits 9:0, in all combinations; those of
// RTADDR.SSIRWE in 62:61. (EA of x86 is left to the tests around this one.)
TEST_P(PageFormatContract, EveryCombinationOfTheLowBits) {
  for (const unsigned variant : {0U, 1U, 2U, 3U}) {
    FormatSettings settings = full();
    settings.options.accessed_dirty = settings.update_ad = (variant & 1) == 0;
    if (first() && !shape().riscv()) settings.update_ad = true;
    settings.write_protect = (variant & 2) != 0;
    settings.options.internal_rights = !first() && !shape().riscv() && (variant & 2) != 0;
    FormatBench bench(GetParam(), settings);
    for (const unsigned shift : bench.page_shifts()) {
      const Addr base = address() >> shift << shift;
      bench.table.cut(base, shape().levels);
      ASSERT_TRUE(bench.table.map(base, frame(bench, shift), shift));
      for (unsigned level = (shift - 3) / 9; level <= shape().levels; ++level) {
        const Addr where = bench.table.entry_address(address(), level);
        const std::uint64_t entry = bench.peek(where);
        for (std::uint64_t low = 0; low < 1024; ++low) {
          const std::uint64_t high = settings.options.internal_rights ? (low & 3) << 61 : 0;
          SCOPED_TRACE(testing::Message()
                       << "page 2^" << shift << " level " << level << " bits " << std::hex << low);
          bench.memory.write64(where, (entry & ~mask_between(62, 61) & ~mask_between(9, 0)) | high | low);
          if (!check_all(bench, address())) return;
        }
        bench.memory.write64(where, entry);
      }
    }
  }
}

// Walks that start below the top, as after a paging-structure-cache hit.
TEST_P(PageFormatContract, StartsAtAnyLevel) {
  FormatBench bench(GetParam(), full());
  bench.table.map(address() & ~Addr{0xFFF}, frame(bench, 12), 12);
  const WalkResult whole = drive(bench.memory, bench.request(read(address()))).result;
  ASSERT_EQ(whole.steps, shape().levels - 1);
  for (unsigned i = 0; i < whole.steps; ++i) {
    const WalkResult::Step& step = whole.step[i];
    EXPECT_EQ(step.table, bench.table.entry_address(address(), step.level) & ~Addr{0xFFF});
    WalkRequest request = bench.request(read(address()));
    request.level = step.level;
    request.table = step.table;
    request.upper_read = step.read;
    request.upper_write = step.write;
    request.upper_user = step.user;
    const WalkResult rest = drive(bench.memory, request).result;
    EXPECT_EQ(rest.fault, FaultReason::kNone);
    EXPECT_EQ(rest.page, whole.page);
    EXPECT_EQ(rest.reads, step.level);
    EXPECT_TRUE(rest.read && rest.write && rest.user);
    request.upper_write = false;
    request.is_write = true;
    EXPECT_EQ(drive(bench.memory, request).result.fault, FaultReason::kNoWrite);
  }
}

// Software changes an entry between its read and its update.
TEST_P(PageFormatContract, AnUpdateThatLosesLooksAgain) {
  FormatBench bench(GetParam(), full());
  const Addr page = address() & ~Addr{0xFFF};
  bench.table.map(page, frame(bench, 12), 12);
  const Addr leaf = bench.table.entry_address(page, 1);
  const std::uint64_t one = bench.peek(leaf);
  bench.table.map(page, frame(bench, 12) ^ 0x1000, 12);
  const std::uint64_t other = bench.peek(leaf);
  bench.memory.write64(leaf, one);
  unsigned calls = 0;
  const DrivenWalk moved = drive(bench.memory, bench.request(read(address())), [&](Addr entry) {
    if (entry == leaf && calls++ == 0) bench.memory.write64(leaf, other);
  });
  EXPECT_EQ(moved.result.fault, FaultReason::kNone);
  EXPECT_EQ(moved.result.page, frame(bench, 12) ^ 0x1000);
  EXPECT_EQ(calls, 2U);
  bench.memory.write64(leaf, one);
  const DrivenWalk gone = drive(bench.memory, bench.request(read(address())), [&](Addr entry) {
    if (entry == leaf) bench.memory.write64(leaf, 0);
  });
  EXPECT_EQ(gone.result.fault, pick(FaultReason::kFirstStageNotPresent, FaultReason::kSecondStageNotPresent));
  EXPECT_EQ(bench.peek(leaf), 0U);
  bench.memory.write64(leaf, one);
  const DrivenWalk lost = drive(bench.memory, bench.request(read(address())), [&](Addr entry) {
    if (entry == leaf) bench.memory.remove_page(leaf);
  });
  EXPECT_EQ(lost.result.fault,
            pick(FaultReason::kFirstStageUpdateFailed, FaultReason::kSecondStageUpdateFailed));
}

class RandomFormat {
 public:
  RandomFormat(FormatBench& bench, RngStream& rng) : bench_(bench), rng_(rng) {
    const std::vector<unsigned> shifts = bench.page_shifts();
    for (unsigned i = 0; i < 50; ++i) {
      const unsigned shift = rng.below(3) != 0 ? 12 : shifts[rng.below(shifts.size())];
      const Addr base = some_address() >> shift << shift;
      const bool x86 = !bench.shape.riscv() && bench.shape.stage == TableStage::kFirst;
      LeafRights rights;
      rights.read = rng.below(2) != 0;
      rights.write = rng.below(3) != 0 && (rights.read || !bench.shape.riscv());
      rights.user = rng.below(4) != 0;
      if (!bench.shape.riscv() && !x86 && !rights.write) rights.read = true;
      // A, D, X, G, EA and bits that software may use.
      rights.extra = rng.next() & (bench.shape.riscv() ? 0x3E8U
                                   : x86               ? 0x7E00000000000E60U
                                                       : 0x1FE0000000000700U);
      // Without R and X it would point to a table.
      if (bench.shape.riscv() && !rights.read && rng.below(8) != 0) rights.extra |= RiscvEntry::X::kMask;
      const Addr frame = rng.next() & mask_between(bench.frame_bits() - 1, shift);
      if (bench.table.map(base, frame, shift, rights)) pages_.push_back({base, shift});
    }
    for (unsigned i = 0; i < 15; ++i) damage();
  }

  Addr address() {
    if (rng_.below(8) == 0) return rng_.next();
    const Page page = pages_[rng_.below(pages_.size())];
    Addr at = page.base | (rng_.next() & mask_between(page.shift - 1, 0));
    if (rng_.below(10) == 0) at ^= Addr{1} << rng_.below(64);
    return at;
  }

 private:
  struct Page {
    Addr base;
    unsigned shift;
  };

  // Few indices at each level, so that pages share tables.
  Addr some_address() {
    static constexpr Addr kIndices[] = {0, 1, 5, 255, 256, 511};
    Addr at = 0;
    for (unsigned level = 1; level <= bench_.shape.levels; ++level)
      at |= kIndices[rng_.below(level == 1 ? 6 : 3 + level % 4)] << (3 + 9 * level);
    at |= rng_.below(4) << (12 + 9 * bench_.shape.levels);  // the two bits more of x4
    return bench_.canonical(at);
  }

  void damage() {
    const Page page = pages_[rng_.below(pages_.size())];
    const unsigned leaf = (page.shift - 3) / 9;
    const unsigned levels = bench_.shape.levels;
    const unsigned level =
        rng_.below(2) != 0 ? leaf : leaf + static_cast<unsigned>(rng_.below(levels - leaf + 1));
    const Addr where = bench_.table.entry_address(page.base, level);
    std::uint64_t entry = 0;
    if (where == 0 || !bench_.memory.read64(where, entry)) return;
    switch (rng_.below(4)) {
      case 0:
        entry ^= std::uint64_t{1} << rng_.below(64);
        break;
      case 1:
        entry ^= std::uint64_t{1} << rng_.below(9);
        break;
      case 2:
        // Misaligned, where the leaf is a large one.
        if (level == leaf && leaf > 1) entry |= std::uint64_t{1} << (13 + rng_.below(page.shift - 15));
        break;
      default:
        entry = rng_.below(4) == 0 ? 0 : entry ^ (rng_.below(8) << 61) ^ rng_.below(8);
    }
    bench_.memory.write64(where, entry);
  }

  FormatBench& bench_;
  RngStream& rng_;
  std::vector<Page> pages_;
};

TEST_P(PageFormatContract, RandomTables) {
  std::map<FaultReason, unsigned> outcomes;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    RngStream rng(seed, GetParam().name);
    FormatBench bench(GetParam(), FormatBench::random_settings(shape(), rng));
    RandomFormat random(bench, rng);
    for (unsigned i = 0; i < kAccesses; ++i) {
      FormatAccess access;
      access.address = random.address();
      access.asks = rng.below(4) == 0;
      access.write = rng.below(2) != 0;
      access.read = access.asks || !access.write || rng.below(8) == 0;
      access.privileged = rng.below(3) == 0;
      access.privileged_user = rng.below(2) != 0;
      if (FormatBench::avoided(access.address)) continue;
      SCOPED_TRACE(testing::Message() << "seed " << seed);
      ++outcomes[bench.check(access)];
      if (HasFailure()) return;
    }
  }
  // The tables were worth it: every outcome was met.
  std::set<FaultReason> wanted = {FaultReason::kNone, FaultReason::kNoWrite};
  wanted.insert(pick(FaultReason::kFirstStageNotPresent, FaultReason::kSecondStageNotPresent));
  wanted.insert(pick(FaultReason::kFirstStageReserved, FaultReason::kSecondStageReserved));
  wanted.insert(pick(FaultReason::kFirstStageAccess, FaultReason::kSecondStageAccess));
  wanted.insert(pick(FaultReason::kNotCanonical, FaultReason::kSecondStageBeyondWidth));
  if (shape().riscv() || first()) wanted.insert(FaultReason::kUserNotAllowed);
  if (shape().riscv() || !first()) wanted.insert(FaultReason::kNoRead);
  for (const FaultReason reason : wanted) EXPECT_GE(outcomes[reason], 20U) << fault_text(reason);
}

INSTANTIATE_TEST_SUITE_P(All, PageFormatContract, testing::ValuesIn(format_table()), [](const auto& test) {
  std::string name(test.param.name);
  for (char& c : name) c = c == '-' ? '_' : c;
  return name;
});

}  // namespace
}  // namespace svasim::test
