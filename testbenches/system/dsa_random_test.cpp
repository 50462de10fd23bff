// Random descriptors, valid and invalid, with pages missing, on the timed device and on the reference,
// submitted to a dedicated queue or a shared one: data, completion records and what is reported instead, to
// SWERROR or to the event log, are equal.
#include <gmock/gmock.h>

#include "base/rng.h"
#include "system/dsa_bench.h"
#include "system/dsa_generator.h"

namespace svasim {
namespace {

constexpr unsigned kPages = 128;
constexpr unsigned kListPage = 112;    // of batches
constexpr unsigned kRecordPage = 120;  // one record per page or several in one

// The pages of one descriptor, at an address of their own each time: no cache knows them.
class Window : public MemoryView {
 public:
  Addr base = 0;
  std::vector<std::uint64_t> words = std::vector<std::uint64_t>(kPages * kPageSize / 8);

  bool read64(Addr address, std::uint64_t& value) const override {
    if (address < base || (address - base) / 8 >= words.size()) return false;
    value = words[(address - base) / 8];
    return true;
  }
  bool write64(Addr address, std::uint64_t value) override {
    if (address < base || (address - base) / 8 >= words.size()) return false;
    words[(address - base) / 8] = value;
    return true;
  }
};

struct Case {
  DsaOpcode opcode;
  unsigned version;
  Timing timing;
  bool event_log;
};

class DsaRandom : public ::testing::TestWithParam<Case> {
 protected:
  static constexpr Addr kPhysical = 0x200000000;
  static constexpr unsigned kHandle = 3;

  DsaRandom() : bench_(GetParam().timing, params()), memory_(window_), rng_(11, "dsa random") {
    bench_.configure(true, 1, 2);
    bench_.share(1, 32);
    bench_.write32(dsa_reg::kGencfg, DsaGencfg::USER_INTERRUPTS::kMask);
    if (GetParam().event_log) bench_.configure_event_log();
    bench_.write32(dsa_reg::kMsixperm + kHandle * DsaMsixperm::kStride,
                   DsaMsixperm::PASID_ENABLE::make(1) | DsaMsixperm::PASID::make(DsaBench::kPasid));
    bench_.enable(2);
    config_.version = GetParam().version;
    config_.privilege_allowed = false;
    config_.event_log = GetParam().event_log;
    config_.user_interrupts = true;
    config_.max_transfer = 1U << 22;
    config_.max_batch = 32;
    config_.interrupts.assign(9, false);
    config_.interrupts[kHandle] = true;
    for (unsigned i = 0; i < window_.words.size(); ++i) window_.words[i] = rng_.next();
    for (unsigned page = 0; page < kPages; ++page) {
      std::memcpy(physical(page), &window_.words[page * kPageSize / 8], kPageSize);
    }
    // Groups are of one page, so that each page has its own response.
    bench_.agent.on_group = [this](const SeenTlp& request) {
      const Addr page = PageRequestBody::ADDR::in_place(request.body);
      const auto found = responses_.find(page);
      if (found == responses_.end() || found->second != ReferenceDsaMemory::Answer::kGranted) return 1;
      bench_.agent.map(DsaBench::kPasid, page, kPhysical + (page - window_.base), true, true);
      return 0;
    };
  }
  static DsaParams params() {
    DsaParams p = dsa_params().defaults();
    p.version = GetParam().version;
    p.privileged = false;
    return p;
  }
  unsigned char* physical(unsigned page) { return &bench_.agent.memory.byte(kPhysical + page * kPageSize); }

  void next_window() {
    if (window_.base != 0) {
      for (unsigned page = 0; page < kPages; ++page) {
        bench_.agent.unmap(DsaBench::kPasid, window_.base + page * kPageSize);
      }
    }
    // WHY an even number of ones: one changed bit of an address leads to no window used before.
    const std::uint64_t number = windows_++;
    const auto odd = static_cast<std::uint64_t>(__builtin_parityll(number));
    window_.base = 0x100000000000 + (2 * number + odd) * 4 * kPages * kPageSize;
    memory_.low = window_.base;
    memory_.high = window_.base + kPages * kPageSize;
    bench_.agent.seen.clear();
  }
  // In a batch no page comes back: how far ahead a device asks for pages would show in its other members.
  void choose_pages(bool batch) {
    memory_.missing.clear();
    responses_.clear();
    const double chance = rng_.chance(0.3) ? 0.0 : 0.12;
    for (unsigned i = 0; i < kPages; ++i) {
      const Addr page = window_.base + i * kPageSize;
      const bool record = i >= kRecordPage;
      const bool missing = rng_.chance(record ? chance / 6 : chance);
      const bool read = missing && rng_.chance(0.4);
      if (missing) {
        using Answer = ReferenceDsaMemory::Answer;
        const Answer answer = !batch && rng_.chance(0.6) ? Answer::kGranted : Answer::kInvalid;
        memory_.missing[page] = {read, false, answer};
        responses_[page] = answer;
      }
      if (!missing || read) {
        bench_.agent.map(DsaBench::kPasid, page, kPhysical + i * kPageSize, true, !missing);
      }
    }
  }
  void store(Addr address, const std::vector<std::uint8_t>& bytes) {
    memory_.store(address, bytes);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const Addr offset = address + i - window_.base;
      if (offset < kPages * kPageSize) bench_.agent.memory.byte(kPhysical + offset) = bytes[i];
    }
  }
  DsaDescriptor make_batch(DsaGenerator& generator) {
    static constexpr DsaOpcode kMembers[] = {
        DsaOpcode::kNoop,          DsaOpcode::kMemmove,        DsaOpcode::kFill,
        DsaOpcode::kCompare,       DsaOpcode::kComparePattern, DsaOpcode::kCreateDelta,
        DsaOpcode::kApplyDelta,    DsaOpcode::kDualcast,       DsaOpcode::kTranslationFetch,
        DsaOpcode::kCrcGeneration, DsaOpcode::kCopyCrc,        DsaOpcode::kDifCheck,
        DsaOpcode::kDifInsert,     DsaOpcode::kDifStrip,       DsaOpcode::kDifUpdate,
        DsaOpcode::kDixGenerate,   DsaOpcode::kCacheFlush,     DsaOpcode::kDrain,
        DsaOpcode::kBatch};
    const auto count = static_cast<std::uint32_t>(2 + rng_.below(6));
    DsaDescriptor batch;
    // Across a page's end at times.
    batch.source = window_.base + kListPage * kPageSize + 64 * rng_.below(3 * 64);
    if (rng_.chance(0.3))
      batch.source = window_.base + (kListPage + 1) * kPageSize - 64 * (1 + rng_.below(count));
    batch.transfer_size = count;
    batch.completion_address = window_.base + kRecordPage * kPageSize;
    batch.set_operation(DsaOpcode::kBatch, 0xC | (rng_.chance(0.05) ? 0x10000 : 0));
    for (std::uint32_t i = 0; i < count; ++i) {
      const DsaArena arena{window_.base + i * 16 * kPageSize, 4 * kPageSize};
      DsaDescriptor member =
          generator.make(kMembers[rng_.below(std::size(kMembers) - (rng_.chance(0.9) ? 2 : 0))], arena,
                         window_.base + (kRecordPage + 1) * kPageSize + i * 32);
      if (rng_.chance(0.2)) generator.mutate(member, true);
      if (rng_.chance(0.25)) member.flags_and_opcode |= 1;
      member.set_pasid(Pasid(99), false);  // not looked at
      std::vector<std::uint8_t> image(sizeof member);
      std::memcpy(image.data(), &member, image.size());
      store(batch.source + i * 64, image);
    }
    return batch;
  }
  void run_one(unsigned number) {
    next_window();
    const DsaOpcode opcode = GetParam().opcode;
    choose_pages(opcode == DsaOpcode::kBatch);
    DsaGenerator generator(
        rng_, [this](Addr address, const auto& bytes) { store(address, bytes); },
        [this](Addr address, std::uint64_t size) { return memory_.bytes(address, size); });
    const DsaArena arena{window_.base, 16 * kPageSize};
    DsaDescriptor d =
        opcode == DsaOpcode::kBatch
            ? make_batch(generator)
            : generator.make(opcode, arena, window_.base + kRecordPage * kPageSize + 64 * rng_.below(500));
    if (rng_.chance(0.25)) generator.mutate(d, opcode == DsaOpcode::kBatch);
    if (rng_.chance(0.02)) d.completion_address += 8;
    store(d.completion_address, std::vector<std::uint8_t>(32, 0));

    config_.shared = rng_.chance(0.5);
    d.pasid_and_privilege =
        (d.pasid_and_privilege & 0x7FF00000) |
        (config_.shared ? DsaBench::kPasid : static_cast<std::uint32_t>(rng_.below(1U << 20)));
    if (rng_.chance(0.02)) d.pasid_and_privilege |= 1U << 31;
    const Addr portal = bench_.params.bar2 + dsa_portal_offset(config_.shared ? 1 : 0, DsaPortal::kLimited);
    const std::uint64_t before = bench_.dsa.stats().completed.value;
    if (config_.shared) {
      bench_.agent.mmio_write_deferrable(portal, &d, sizeof d, 1000);
    } else {
      bench_.agent.mmio_write(portal, &d, sizeof d, 1000);
    }
    for (unsigned turn = 0; bench_.dsa.stats().completed.value == before; ++turn) {
      ASSERT_LT(turn, 2000U) << "descriptor " << number << " does not end";
      bench_.run(3 * kUs);
    }
    bench_.run(1000);
    ReferenceDsa reference(config_, memory_);
    const ReferenceDsaOutcome outcome = reference.execute(d);
    ++outcomes_[static_cast<std::size_t>(outcome.record.code())];

    const Addr at = d.completion_address - window_.base;
    std::vector<std::uint8_t> got;
    for (unsigned i = 0; i < 32 && at < kPages * kPageSize; ++i)
      got.push_back(bench_.agent.memory.byte(kPhysical + at + i));
    ASSERT_EQ(got, memory_.bytes(d.completion_address, got.size()))
        << number << ": " << dsa_opcode_name(d.opcode()) << ", " << dsa_status_name(outcome.record.code());
    for (unsigned page = 0; page < kPages; ++page) {
      ASSERT_EQ(std::memcmp(physical(page), &window_.words[page * kPageSize / 8], kPageSize), 0)
          << number << ": page " << page << " of " << dsa_opcode_name(d.opcode()) << ", "
          << dsa_status_name(outcome.record.code());
    }
    if (GetParam().event_log) {
      compare_events(number, outcome.events);
      return;
    }
    const std::uint64_t error = bench_.dsa.registers().get64(dsa_reg::kSwerror);
    if (opcode != DsaOpcode::kBatch) {
      ASSERT_EQ(DsaSwerror::VALID::get(error), outcome.reported == DsaStatus::kNone ? 0U : 1U) << number;
      if (outcome.reported != DsaStatus::kNone) {
        ASSERT_EQ(DsaSwerror::ERROR::get(error), static_cast<std::uint64_t>(outcome.reported)) << number;
      }
    }
    if (error != 0) bench_.write32(dsa_reg::kSwerror, 3);
  }

  // Members end in an order of their own, their batch last.
  void compare_events(unsigned number, std::vector<ReferenceDsaEvent> expected) {
    ASSERT_EQ(bench_.dsa.registers().get64(dsa_reg::kSwerror), 0U) << number;
    std::vector<DsaEvent> got;
    for (; head_ != bench_.events(); head_ = (head_ + 1) % 64) got.push_back(bench_.event(head_));
    if (got.empty() && expected.empty()) return;
    bench_.write64(dsa_reg::kEvlstatus, DsaEvlstatus::INTERRUPT_PENDING::kMask | head_);
    ASSERT_EQ(got.size(), expected.size()) << number;
    const auto member_of = [](const DsaEvent& event) {
      return DsaSwerror::BATCH_MEMBER::get(event.what) == 0
                 ? 1 << 20
                 : static_cast<int>(DsaEvent::BATCH_INDEX::get(event.info));
    };
    unsigned first = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
      const bool flagged = DsaEvent::FIRST_ERROR_IN_BATCH::get(got[i].info) != 0;
      const bool earlier = std::any_of(
          got.begin(), got.begin() + static_cast<long>(i),
          [](const DsaEvent& event) { return event.status() == DsaStatus::kCompletionRecordFault; });
      const bool record = got[i].status() == DsaStatus::kCompletionRecordFault;
      ASSERT_EQ(flagged, record && !earlier && member_of(got[i]) != 1 << 20) << number;
      first += flagged ? 1 : 0;
    }
    ASSERT_LE(first, 1U);
    ASSERT_TRUE(std::all_of(got.begin(), got.end() - 1,
                            [&](const DsaEvent& event) { return member_of(event) != 1 << 20; }))
        << number << ": the batch comes last";
    std::stable_sort(got.begin(), got.end(),
                     [&](const DsaEvent& a, const DsaEvent& b) { return member_of(a) < member_of(b); });
    for (std::size_t i = 0; i < got.size(); ++i) {
      const ReferenceDsaEvent& wanted = expected[i];
      ASSERT_EQ(got[i].status(), wanted.status) << number << ", event " << i;
      ASSERT_EQ(member_of(got[i]), wanted.member < 0 ? 1 << 20 : wanted.member) << number;
      ASSERT_EQ(got[i].address, wanted.address) << number << ", " << dsa_status_name(wanted.status);
      ASSERT_EQ(DsaSwerror::WQ_INDEX::get(got[i].what), config_.shared ? 1U : 0U);
      ASSERT_EQ(got[i].pasid(), Pasid(DsaBench::kPasid));
      if (wanted.status == DsaStatus::kInvalidFlags) {
        ASSERT_EQ(DsaEvent::ERROR_INFO::get(got[i].info), wanted.flags);
      }
      ASSERT_EQ(std::memcmp(&got[i].record, &wanted.record, sizeof wanted.record), 0)
          << number << ", " << dsa_status_name(wanted.status);
      ++events_[static_cast<std::size_t>(wanted.status)];
    }
  }

  DsaBench bench_;
  Window window_;
  ReferenceDsaMemory memory_;
  ReferenceDsaConfig config_;
  RngStream rng_;
  std::uint64_t windows_ = 0;
  std::map<Addr, ReferenceDsaMemory::Answer> responses_;
  std::array<std::uint64_t, 64> outcomes_{};
  std::array<std::uint64_t, 64> events_{};
  unsigned head_ = 0;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (unsigned opcode = 0; opcode <= 0x20; ++opcode) {
    for (const Timing timing : {Timing::kApproximate, Timing::kLoose}) {
      const auto code = static_cast<DsaOpcode>(opcode);
      if (opcode <= 0x0A || (opcode >= 0x10 && opcode <= 0x15) || opcode == 0x17 || opcode == 0x20) {
        all.push_back({code, 2, timing, timing == Timing::kLoose});
      }
    }
  }
  for (const DsaOpcode code : {DsaOpcode::kBatch, DsaOpcode::kFill, DsaOpcode::kCrcGeneration}) {
    all.push_back({code, 1, Timing::kApproximate, false});
  }
  for (const DsaOpcode code : {DsaOpcode::kBatch, DsaOpcode::kMemmove, DsaOpcode::kDrain}) {
    all.push_back({code, 2, Timing::kApproximate, true});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Operations, DsaRandom, ::testing::ValuesIn(cases()), [](const auto& one) {
  std::string name = dsa_opcode_name(one.param.opcode);
  for (char& c : name) {
    if (c == ' ' || c == '-') c = '_';
  }
  return name + (one.param.timing == Timing::kLoose ? "_loose" : "") + (one.param.event_log ? "_log" : "") +
         "_v" + std::to_string(one.param.version);
});

TEST_P(DsaRandom, LikeTheReference) {
  constexpr unsigned kCount = 10000;
  for (unsigned i = 0; i < kCount; ++i) {
    run_one(i);
    if (HasFatalFailure()) return;
  }
  bench_.run(kMs);
  bench_.expect_clean();
  for (std::size_t i = 0; i < outcomes_.size(); ++i) {
    if (outcomes_[i] != 0) {
      std::printf("%6llu %s\n", static_cast<unsigned long long>(outcomes_[i]),
                  dsa_status_name(static_cast<DsaStatus>(i)));
    }
    if (events_[i] != 0) {
      std::printf("%6llu events: %s\n", static_cast<unsigned long long>(events_[i]),
                  dsa_status_name(static_cast<DsaStatus>(i)));
    }
  }
}

}  // namespace
}  // namespace svasim
