// Experiments that showed how the DevTLB of a DSA is built, repeated on the model: for each the number of
// hits in sequences of descriptors, one at a time. CAL DA: calibration.md section 2, playground/atc.
#include "system/dsa_bench.h"

namespace svasim {
namespace {

constexpr Addr kBuffers = 0x1010000000;

// The measured organisation: per engine one entry for each address field of a descriptor.
AtcParams measured() {
  AtcParams p = atc_params().defaults();
  p.engines = 4;
  p.fields = 7;
  p.cache.entries = 1;
  p.cache.ways = 1;
  return p;
}

// As many entries, but all fields of an engine share them.
AtcParams shared_fields() {
  AtcParams p = measured();
  p.fields = 1;
  p.cache.entries = 7;
  p.cache.ways = 7;
  return p;
}

AtcParams one_entry_for_all_fields() {
  AtcParams p = measured();
  p.fields = 1;
  return p;
}

class Lab {
 public:
  explicit Lab(const AtcParams& atc) : b_(Timing::kApproximate, dsa_params().defaults(), atc) {}
  DsaBench& bench() { return b_; }

  // A page of a buffer, mapped; letters are different pages.
  Addr page(unsigned letter, std::uint64_t more = 0) {
    const Addr address = kBuffers + letter * kPageSize + more;
    for (unsigned pasid = DsaBench::kPasid; pasid < DsaBench::kPasid + 2; ++pasid) {
      b_.map(address, 2 * kPageSize, true, pasid);
    }
    return address;
  }
  // Submits and waits; the hits it had.
  std::uint64_t run(DsaDescriptor d, Addr record, unsigned queue = 0) {
    d.completion_address = record;
    const std::uint64_t before = b_.dsa.stats().devtlb_hits.value;
    const std::uint64_t done = b_.dsa.stats().completed.value;
    b_.submit(d, queue);
    b_.run(100 * kUs);
    EXPECT_EQ(b_.dsa.stats().completed.value, done + 1);
    EXPECT_EQ(b_.dsa.stats().by_status[static_cast<std::size_t>(DsaStatus::kSuccess)].value +
                  b_.dsa.stats().by_status[static_cast<std::size_t>(DsaStatus::kSuccessFalsePredicate)].value,
              done + 1 + b_.dsa.stats().batch_members.value);
    return b_.dsa.stats().devtlb_hits.value - before;
  }
  std::uint64_t noop(Addr record, unsigned queue = 0) {
    return run(DsaBench::descriptor(DsaOpcode::kNoop, 0, 0, 0, 0), record, queue);
  }
  std::uint64_t lookups() const { return b_.dsa.stats().devtlb_lookups.value; }

 private:
  DsaBench b_;
};

// Hits of no-ops whose completion records are A + offsets, in turn, for `rounds` rounds.
std::uint64_t record_hits(Lab& lab, const std::vector<Addr>& round, unsigned rounds) {
  std::uint64_t hits = 0;
  for (unsigned i = 0; i < rounds; ++i) {
    for (const Addr record : round) hits += lab.noop(record);
  }
  return hits;
}

TEST(DsaDevTlb, TwoRecordsInTurnAlwaysMiss) {
  Lab lab(measured());
  lab.bench().set_up();
  EXPECT_EQ(record_hits(lab, {lab.page(0), lab.page(1)}, 20), 0U);
  EXPECT_EQ(lab.lookups(), 40U);
}

TEST(DsaDevTlb, TheSameRecordAgainHits) {
  Lab lab(measured());
  lab.bench().set_up();
  EXPECT_EQ(record_hits(lab, {lab.page(0), lab.page(0) + 64}, 20), 39U);
}

// rev.c: A, A + 2^33, A: of three one hits, the first of the next round.
TEST(DsaDevTlb, OneHitInARoundOfThree) {
  Lab lab(measured());
  lab.bench().set_up();
  const Addr a = lab.page(0);
  const Addr b = lab.page(0, Addr{1} << 33);
  EXPECT_EQ(record_hits(lab, {a, b, a}, 100), 99U);  // the very first misses
  EXPECT_EQ(lab.lookups(), 300U);
}

// offset.c: no bit of the address is an index: pages that differ in one bit evict each other.
TEST(DsaDevTlb, NoIndexBits) {
  Lab lab(measured());
  lab.bench().set_up();
  const Addr a = lab.page(0);
  for (unsigned bit = kPageShift; bit < 40; ++bit) {
    const Addr other = a ^ (Addr{1} << bit);
    lab.bench().map(other, kPageSize);
    lab.noop(a);
    ASSERT_EQ(lab.noop(other), 0U) << bit;
    ASSERT_EQ(lab.noop(a), 0U) << bit;
  }
}

DsaDescriptor dualcast(Lab& lab) {
  DsaDescriptor d = DsaBench::descriptor(DsaOpcode::kDualcast, 0, lab.page(4), lab.page(8), 64);
  auto operands = dsa_operands<DsaDualcastOperands>(d);
  operands.destination_2 = lab.page(12);
  set_dsa_operands(d, operands);
  return d;
}

std::uint64_t dualcast_twice(Lab& lab) {
  const DsaDescriptor d = dualcast(lab);
  const Addr record = lab.page(0);
  EXPECT_EQ(lab.run(d, record), 0U);
  return lab.run(d, record);
}

TEST(DsaDevTlb, FieldsOfADualcastDoNotEvictEachOther) {
  Lab lab(measured());
  lab.bench().set_up();
  EXPECT_EQ(dualcast_twice(lab), 4U);
}

// overlapping.c: a copy and a comparison in turn with the same addresses share source and record; the second
// operand of the comparison is not the destination of the copy.
std::vector<std::uint64_t> copy_and_compare(Lab& lab) {
  const Addr from = lab.page(4);
  const Addr to = lab.page(8);
  const Addr record = lab.page(0);
  std::vector<std::uint64_t> hits;
  for (unsigned i = 0; i < 4; ++i) {
    const DsaOpcode opcode = i % 2 == 0 ? DsaOpcode::kMemmove : DsaOpcode::kCompare;
    hits.push_back(lab.run(DsaBench::descriptor(opcode, 0, from, to, 64), record));
  }
  return hits;
}

TEST(DsaDevTlb, SecondSourceIsNoDestination) {
  Lab lab(measured());
  lab.bench().set_up();
  EXPECT_EQ(copy_and_compare(lab), (std::vector<std::uint64_t>{0, 2, 3, 3}));
}

// crosspage.c: an operand across pages leaves the entry with the last one.
TEST(DsaDevTlb, TheLastPageStays) {
  Lab lab(measured());
  lab.bench().set_up();
  const Addr record = lab.page(0);
  const Addr first = lab.page(4);
  const Addr target = lab.page(8);
  const DsaDescriptor across =
      DsaBench::descriptor(DsaOpcode::kMemmove, 0, first + kPageSize - 64, target, 128);
  const auto in_page = [&](Addr source) {
    return DsaBench::descriptor(DsaOpcode::kMemmove, 0, source, target, 64);
  };
  lab.run(across, record);
  EXPECT_EQ(lab.run(in_page(first + kPageSize), record), 3U);
  lab.run(across, record);
  EXPECT_EQ(lab.run(in_page(first), record), 2U);
}

// victim.c, evict.c: another PASID on the engine evicts; on another engine it does not.
TEST(DsaDevTlb, AnotherPasidOnTheEngineEvicts) {
  Lab lab(measured());
  lab.bench().set_up(true, 1, 2);
  const Addr a = lab.page(0);
  lab.noop(a, 0);
  EXPECT_EQ(lab.noop(a, 0), 1U);
  EXPECT_EQ(lab.noop(a, 1), 0U);  // another address space: no hit
  EXPECT_EQ(lab.noop(a, 0), 0U);  // and it has evicted
}

TEST(DsaDevTlb, AnotherEngineDoesNot) {
  Lab lab(measured());
  DsaBench& b = lab.bench();
  b.configure(true, 1, 2);
  // Queue 1 moves to group 1 with engine 1.
  b.write64(dsa_reg::kGrpcfg, 1);
  b.write64(dsa_reg::kGrpcfg + DsaGrpcfg::kStride, 2);
  b.write64(dsa_reg::kGrpcfg + DsaGrpcfg::kStride + DsaGrpcfg::kEngineBitmap, 2);
  b.enable(2);
  const Addr a = lab.page(0);
  lab.noop(a, 0);
  lab.noop(a, 1);
  EXPECT_EQ(lab.noop(a, 0), 1U);
  EXPECT_EQ(lab.noop(a, 1), 1U);
}

// batch.c: descriptor lists and records of batches neither hit nor evict.
std::uint64_t batch_hits(Lab& lab, unsigned batches, unsigned size) {
  const Addr list = lab.page(4);
  DsaDescriptor member = DsaBench::descriptor(DsaOpcode::kNoop, 0, 0, 0, 0);
  member.completion_address = lab.page(0);
  for (unsigned i = 0; i < size; ++i) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(&member);
    lab.bench().agent.memory.fill(list + DsaBench::kOffset + i * sizeof member, sizeof member,
                                  [bytes](std::size_t k) { return bytes[k]; });
  }
  std::uint64_t hits = 0;
  for (unsigned i = 0; i < batches; ++i) {
    hits += lab.run(DsaBench::descriptor(DsaOpcode::kBatch, 0, list, 0, size), lab.page(8));
  }
  return hits;
}

TEST(DsaDevTlb, BatchesHitButOnce) {
  Lab lab(measured());
  lab.bench().set_up();
  EXPECT_EQ(batch_hits(lab, 2, 3), 2U * 3 - 1);
}

TEST(DsaDevTlb, ManyBatchesHitButOnce) {
  Lab lab(measured());
  lab.bench().set_up();
  EXPECT_EQ(batch_hits(lab, 10, 16), 10U * 16 - 1);
}

// What tells the organisations apart: with one that is shared by the fields, these come out differently.
TEST(DsaDevTlbShared, OneEntryFailsTheDualcast) {
  Lab lab(one_entry_for_all_fields());
  lab.bench().set_up();
  EXPECT_NE(dualcast_twice(lab), 4U);
}

TEST(DsaDevTlbShared, OneEntryFailsCopyAndCompare) {
  Lab lab(one_entry_for_all_fields());
  lab.bench().set_up();
  EXPECT_NE(copy_and_compare(lab), (std::vector<std::uint64_t>{0, 2, 3, 3}));
}

TEST(DsaDevTlbShared, OneEntryFailsTheBatch) {
  Lab lab(one_entry_for_all_fields());
  lab.bench().set_up();
  EXPECT_NE(batch_hits(lab, 2, 3), 2U * 3 - 1);
}

TEST(DsaDevTlbShared, SharedEntriesFailTheRoundOfThree) {
  Lab lab(shared_fields());
  lab.bench().set_up();
  const Addr a = lab.page(0);
  const Addr b = lab.page(0, Addr{1} << 33);
  EXPECT_NE(record_hits(lab, {a, b, a}, 100), 99U);
}

TEST(DsaDevTlbShared, SharedEntriesFailCopyAndCompare) {
  Lab lab(shared_fields());
  lab.bench().set_up();
  EXPECT_NE(copy_and_compare(lab), (std::vector<std::uint64_t>{0, 2, 3, 3}));
}

}  // namespace
}  // namespace svasim
