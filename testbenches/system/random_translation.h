// Random translations through the whole IOMMU against the reference: what the scalable and the
// legacy run have in common.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "models/formats/vtd_second_stage.h"
#include "models/formats/x86_first_stage.h"
#include "support/random_space.h"
#include "support/reference_system.h"
#include "support/remapped_system.h"
#include "support/sparse_view.h"

namespace svasim::test {

// Remembers what is written through it, so that a change can be taken back and made again.
class RecordingView : public SparseView {
 public:
  struct Write {
    Addr address;
    std::uint64_t before;
    std::uint64_t after;
  };
  using SparseView::SparseView;
  bool write64(Addr address, std::uint64_t value) override {
    std::uint64_t before = 0;
    if (!read64(address, before)) return false;
    if (recording_ && before != value) writes_.push_back({address, before, value});
    return SparseView::write64(address, value);
  }
  void record() {
    recording_ = true;
    writes_.clear();
  }
  std::vector<Write> take() {
    recording_ = false;
    return std::move(writes_);
  }

 private:
  bool recording_ = false;
  std::vector<Write> writes_;
};

// A change of tables or structures and the descriptors that make it hold.
struct Change {
  std::vector<RecordingView::Write> writes;
  std::vector<InvalidationDescriptor> descriptors;
  // Of a second stage below a first: until it is invalidated, one walk may meet it in one place and what a
  // cache kept in another.
  bool under_tables = false;
};

struct Asked {
  ReferenceRequest request;
  std::uint64_t data = 0;
  std::size_t number = 0;                // at the device
  std::vector<ReferenceResult> allowed;  // one of these is right
  bool may_mix = false;                  // or, where they differ, a mixture of them
};

class RandomTranslation {
 public:
  static constexpr Addr kTables = 0x1000000;
  static constexpr Addr kFrames = Addr{4} << 30;  // data pages: 4 to 12 GiB
  static constexpr Addr kPassFrames = Addr{12} << 30;

  RandomTranslation(const IommuParams& parameters, const WalkerParams& walker, Timing timing,
                    std::uint64_t seed)
      : rng_(seed, "random translation"),
        system_(parameters, walker, timing),
        view_(system_.memory()),
        reference_(view_, registers_) {
    registers_.cap = system_.read_register(vtd_reg::kCap);
    registers_.ecap = system_.read_register(vtd_reg::kEcap);
    registers_.host_address_width = parameters.capabilities.host_address_width;
  }
  virtual ~RandomTranslation() = default;

  // `rounds` times: a still phase, then changes with requests under way.
  void run(unsigned rounds, unsigned still, unsigned moving) {
    for (unsigned round = 0; round < rounds && !testing::Test::HasFailure(); ++round) {
      SCOPED_TRACE(testing::Message() << "round " << round);
      still_phase(still, round % 8 == 0);
      moving_phase(moving);
      grow();
    }
    const IommuStats& stats = system_.iommu().stats();
    EXPECT_EQ(stats.stale_uses.value, 0u);
    const StaleUseDetector& detector = system_.detector();
    EXPECT_EQ(detector.stats().checked.value != 0, !system_.device().direct_memory);
    EXPECT_EQ(detector.stats().errors.value, 0u)
        << (detector.errors().empty() ? "" : detector.errors()[0].sentence());
    EXPECT_EQ(stats.faults_recorded.value + stats.faults_dropped.value, logged_);
    EXPECT_GT(hits_, translations_ / 24) << "few hits prove little";
    EXPECT_LE(mixed_, translations_ / 200) << "too many answers that could not be judged";
    EXPECT_EQ(stats.walks_started.value, stats.walks_finished.value);
    EXPECT_EQ(system_.iommu().in_flight(), 0u);
    EXPECT_EQ(system_.pool().live(), 0u);
  }

  // Devices keep the pages they are granted, and mostly come back to what they used before.
  void use_direct_memory() {
    system_.use_direct_memory();
    comes_back_ = true;
  }

  std::uint64_t translations() const { return translations_; }
  std::uint64_t mixed() const { return mixed_; }
  const std::map<FaultReason, unsigned>& outcomes() const { return outcomes_; }
  // By PASID; ~0: of requests without.
  const std::map<std::uint32_t, unsigned>& successes() const { return successes_; }
  RemappedSystem& system() { return system_; }

 protected:
  virtual ReferenceRequest random_request() = 0;
  virtual Change random_change() = 0;
  virtual void grow() = 0;
  // Second-stage entries whose D is due whatever comes of the request: those of tables, with SSADE.
  virtual std::set<Addr> entries_read_as_written() { return {}; }

  RandomFrames frames() const { return {kFrames, 33}; }
  std::uint64_t below(std::uint64_t n) { return rng_.below(n); }

  RngStream rng_;
  RemappedSystem system_;
  RecordingView view_;
  ReferenceRegisters registers_;
  TablePages pages_{kTables, kTables + 0x10000000};
  ReferenceTranslator reference_;

 private:
  static bool is_data(const ReferenceResult& result) {
    return result.ok && !result.interrupt && result.address >= kFrames &&
           result.address < memory_params().defaults().size;
  }

  ReferenceRequest next_request() {
    constexpr std::size_t kRecent = 6;
    if (comes_back_ && recent_.size() == kRecent && below(3) != 0) {
      return recent_[below(kRecent)];
    }
    const ReferenceRequest request = random_request();
    if (comes_back_) {
      recent_.push_back(request);
      if (recent_.size() > kRecent) recent_.erase(recent_.begin());
    }
    return request;
  }

  // Nothing changes: every answer is the reference's, and data is where it belongs.
  void still_phase(unsigned count, bool compare_tables) {
    std::vector<Asked> asked(count);
    const std::vector<std::uint64_t> before = compare_tables ? tables() : std::vector<std::uint64_t>();
    std::map<Addr, std::set<std::uint64_t>> written;
    for (Asked& a : asked) {
      a.request = next_request();
      a.allowed = {reference_.probe(a.request)};
      if (a.request.kind == RequestKind::kTranslationRequest || !is_data(a.allowed[0])) continue;
      const Addr address = a.allowed[0].address;
      if (a.request.write) {
        a.data = rng_.next();
        written[address].insert(a.data);
      } else {
        // Reads and writes use different words, so the order of requests does not matter.
        system_.memory().write64(address, address * 0x9E3779B97F4A7C15U);
      }
    }
    if (system_.loose()) {
      for (Asked& a : asked) send(a, 0);
    } else {
      for (Asked& a : asked) send(a, 1 + below(2'000'000));
      finish();
    }
    for (const Asked& a : asked) {
      check(a, true);
      // Accessed and dirty bits are in memory before the translation is used, hit or not.
      for (const ReferenceResult::Update& update : a.allowed[0].updates) {
        EXPECT_EQ(system_.memory().read64(update.entry) & update.bits, update.bits)
            << std::hex << update.entry;
      }
    }
    if (compare_tables) expect_marks(before, asked);
    for (const auto& [address, values] : written) {
      EXPECT_EQ(values.count(system_.memory().read64(address)), 1u) << std::hex << address;
    }
  }

  // All words of tables and structures.
  std::vector<std::uint64_t> tables() {
    const Addr end = pages_.allocate();
    pages_.release(end);
    highest_ = std::max(highest_, end);
    std::vector<std::uint64_t> words;
    for (Addr address = kTables; address < highest_; address += 8) {
      words.push_back(system_.memory().read64(address));
    }
    return words;
  }

  // Nothing was written but accessed bits (those of both stages, and EA), and D where it was due.
  void expect_marks(const std::vector<std::uint64_t>& before, const std::vector<Asked>& asked) {
    std::map<Addr, std::uint64_t> due;
    for (const Asked& a : asked) {
      for (const ReferenceResult::Update& update : a.allowed[0].updates) due[update.entry] |= update.bits;
    }
    const std::uint64_t accessed =
        FirstStageEntry::A::kMask | FirstStageEntry::EA::kMask | SecondStageEntry::A::kMask;
    const std::set<Addr> as_written = entries_read_as_written();
    const std::vector<std::uint64_t> now = tables();
    for (std::size_t i = 0; i < before.size(); ++i) {
      // WHY not those of the interrupt range: that a page lies there is found when it has been walked to.
      if (now[i] == before[i] || (before[i] & mask_between(51, 20)) == 0xFEE0'0000) continue;
      const Addr address = kTables + 8 * i;
      if (as_written.count(address) != 0) continue;
      const auto found = due.find(address);
      const std::uint64_t allowed = accessed | (found == due.end() ? 0 : found->second);
      EXPECT_EQ((now[i] ^ before[i]) & ~allowed, 0u)
          << std::hex << address << ": " << before[i] << " became " << now[i];
      EXPECT_EQ(before[i] & ~now[i], 0u) << std::hex << address << ": a bit was cleared";
    }
  }

  // Up to three changes at once. Until the wait descriptor behind their invalidations has completed,
  // an answer may mix old and new; a request sent after that sees the new state only.
  void moving_phase(unsigned count) {
    std::vector<Asked> asked(count);
    for (Asked& a : asked) a.request = next_request();
    std::size_t next = 0;
    if (!system_.loose()) {
      if (below(2) == 0) {
        // Walks of full length, which fill the caches when they end.
        system_.invalidate({make_iotlb_global()});
        while (!system_.invalidations_done()) system_.run(100'000);
      }
      // Some are under way, with walks that have read part of the old tables.
      while (next < count / 3) send(asked[next++], 1 + below(300'000));
      system_.run(1 + below(500'000));
    }
    std::vector<Change> changes;
    for (std::uint64_t n = 1 + below(3); n != 0; --n) {
      view_.record();
      Change change = random_change();
      change.writes = view_.take();
      changes.push_back(std::move(change));
    }
    std::vector<InvalidationDescriptor> descriptors;
    for (const Change& change : changes) {
      descriptors.insert(descriptors.end(), change.descriptors.begin(), change.descriptors.end());
    }
    std::string text;
    for (const Change& change : changes) {
      for (const auto& w : change.writes)
        text += fmt::format(" [{:x}]: {:x} -> {:x}", w.address, w.before, w.after);
      for (const auto& d : change.descriptors) text += fmt::format(" descriptor {:x} {:x}", d[0], d[1]);
      text += ";";
    }
    SCOPED_TRACE(text);
    for (unsigned mask = 0; mask < 1U << changes.size(); ++mask) {
      for (auto change = changes.rbegin(); change != changes.rend(); ++change) {
        for (auto w = change->writes.rbegin(); w != change->writes.rend(); ++w)
          view_.write64(w->address, w->before);
      }
      for (std::size_t i = 0; i < changes.size(); ++i) {
        if ((mask >> i & 1) == 0) continue;
        for (const auto& w : changes[i].writes) view_.write64(w.address, w.after);
      }
      // The last state is the new one, and stays.
      for (Asked& a : asked) a.allowed.push_back(reference_.probe(a.request));
    }
    const bool mixing =
        std::any_of(changes.begin(), changes.end(), [](const Change& change) { return change.under_tables; });
    for (Asked& a : asked) a.may_mix = mixing;
    const auto send_next = [&](bool after, Ps delay) {
      Asked& a = asked[next++];
      // WHY probed again: a request that raced with the invalidations may have set A or D by what a cache
      // still held, and then nothing is due any more that the new tables would deny.
      if (after) a.allowed = {reference_.probe(a.request)};
      send(a, delay);
    };
    if (system_.loose()) {
      while (next < count / 2) send_next(false, 0);
      system_.invalidate(descriptors);
      ASSERT_TRUE(system_.invalidations_done());
      while (next < count) send_next(true, 0);
    } else {
      system_.invalidate(descriptors);
      // Half of them race with the invalidations; the others follow from the moment these are done.
      for (int step = 0; next < count; ++step) {
        ASSERT_LT(step, 100'000) << "the invalidations are not completed";
        const bool done = system_.invalidations_done();
        if (done || (next < count / 2 && below(8) == 0)) send_next(done, 1 + below(20'000));
        system_.run(20'000);
      }
      finish();
    }
    for (const Asked& a : asked) check(a, false);
  }

  void send(Asked& a, Ps delay) {
    const ReferenceRequest& r = a.request;
    PcieExtension pcie;
    pcie.kind = r.kind == RequestKind::kTranslationRequest ? TlpKind::kTranslationRequest
                : r.write                                  ? TlpKind::kMemWrite
                                                           : TlpKind::kMemRead;
    pcie.at = r.kind == RequestKind::kTranslationRequest ? AddressType::kTranslationRequest
              : r.kind == RequestKind::kTranslated       ? AddressType::kTranslated
                                                         : AddressType::kUntranslated;
    pcie.requester = r.requester;
    pcie.has_pasid = r.has_pasid;
    pcie.pasid = r.pasid;
    pcie.privileged = r.privileged;
    pcie.execute = r.execute;
    pcie.no_write = r.no_write;
    a.number = system_.device().send(pcie, r.address, r.write, a.data, delay, system_.loose());
    ++translations_;
  }

  void finish() {
    for (int i = 0; i < 1000 && system_.device().outstanding() != 0; ++i) system_.run(1'000'000);
    ASSERT_EQ(system_.device().outstanding(), 0u);
    // Structure fetches and walks behind answered requests.
    for (int i = 0; i < 1000 && system_.iommu().in_flight() != 0; ++i) system_.run(1'000'000);
  }

  void check(const Asked& a, bool with_data) {
    const RequestSource::Outcome& got = system_.device().outcome(a.number);
    std::string why;
    for (const ReferenceResult& expected : a.allowed) {
      const std::string difference = compare(a.request, expected, got);
      if (difference.empty()) {
        ++outcomes_[expected.fault];
        successes_[a.request.has_pasid ? a.request.pasid.value() : ~0U] += expected.ok;
        logged_ += expected.logged;
        hits_ += got.translation.hit;
        if (with_data && !a.request.write && a.request.kind != RequestKind::kTranslationRequest &&
            is_data(expected)) {
          EXPECT_EQ(got.data, expected.address * 0x9E3779B97F4A7C15U) << std::hex << expected.address;
        }
        return;
      }
      why += "\n  " + difference;
    }
    if (a.may_mix && got.answered && differ(a.allowed)) {
      ++mixed_;
      logged_ += got.fault != FaultReason::kNone && fault_is_logged(got.fault, a.request.kind);
      return;
    }
    const ReferenceRequest& r = a.request;
    static const char* const kKinds[] = {"untranslated", "translation request", "translated", "page request"};
    ADD_FAILURE() << to_string(r.requester) << " pasid "
                  << (r.has_pasid ? std::to_string(r.pasid.value()) : "-") << " "
                  << kKinds[static_cast<unsigned>(r.kind)] << (r.read ? " R" : "") << (r.write ? " W" : "")
                  << (r.no_write ? " NW" : "") << (r.privileged ? " PR" : "") << std::hex << " " << r.address
                  << ":" << why << "\n  got " << fault_text(got.fault) << ", status "
                  << static_cast<unsigned>(got.status) << ", address " << got.translation.address << std::dec
                  << " shift " << unsigned{got.translation.page_shift} << (got.translation.read ? " R" : "")
                  << (got.translation.write ? " W" : "") << (got.translation.hit ? " hit" : "");
  }

  static bool differ(const std::vector<ReferenceResult>& results) {
    const ReferenceResult& first = results.front();
    return std::any_of(results.begin(), results.end(), [&](const ReferenceResult& other) {
      return other.fault != first.fault || other.address != first.address || other.read != first.read ||
             other.write != first.write || other.page_shift != first.page_shift;
    });
  }

  static bool is_right(FaultReason reason) {
    return reason == FaultReason::kNoRead || reason == FaultReason::kNoWrite ||
           reason == FaultReason::kLegacyNoRead || reason == FaultReason::kLegacyNoWrite;
  }

  // What is different; empty when nothing is.
  static std::string compare(const ReferenceRequest& r, const ReferenceResult& expected,
                             const RequestSource::Outcome& got) {
    const Translation& t = got.translation;
    const bool asks = r.kind == RequestKind::kTranslationRequest;
    if (!got.answered) return "no answer";
    if (expected.interrupt) return got.status == CompletionStatus::kSuccess ? "" : "an interrupt";
    if (!expected.ok) {
      const CompletionStatus status =
          expected.answer == FaultAnswer::kUnsupportedRequest ? CompletionStatus::kUnsupportedRequest
          : expected.answer == FaultAnswer::kCompleterAbort   ? CompletionStatus::kCompleterAbort
                                                              : CompletionStatus::kSuccess;
      std::string what = std::string("fault: ") + fault_text(expected.fault);
      if (got.status != status) return what + ", another status";
      if (status == CompletionStatus::kSuccess && (t.read || t.write)) return what + ", no rights";
      // Missing rights need not be a fault of a translation request; which right is not said.
      const bool just_rights =
          asks && status == CompletionStatus::kSuccess &&
          (got.fault == FaultReason::kNone || (is_right(got.fault) && is_right(expected.fault)));
      return got.fault == expected.fault || just_rights ? "" : what;
    }
    std::string what = "translated";
    if (got.fault != FaultReason::kNone) return what;
    if (got.status != CompletionStatus::kSuccess) {
      // Memory does not reach that far.
      const bool beyond = !asks && expected.address >= memory_params().defaults().size;
      return beyond && got.status == CompletionStatus::kUnsupportedRequest ? "" : what + ", success";
    }
    if (t.read != expected.read || t.write != expected.write) {
      return what + (expected.read ? " R" : "") + (expected.write ? " W" : "");
    }
    if (t.untranslated_only != expected.untranslated_only) return what + ", U";
    if (expected.untranslated_only) return "";
    if (t.page_shift != expected.page_shift) return what + ", shift " + std::to_string(expected.page_shift);
    const Addr offset = r.address & ((Addr{1} << expected.page_shift) - 1);
    if ((t.address | offset) != expected.address) return what + " to " + std::to_string(expected.address);
    if (asks && t.privileged != expected.privileged) return what + ", Priv";
    if (asks && t.non_snooped == expected.non_snooped_allowed) return what + ", N";
    return "";
  }

  bool comes_back_ = false;
  std::vector<ReferenceRequest> recent_;
  std::uint64_t translations_ = 0;
  std::uint64_t logged_ = 0;
  std::uint64_t hits_ = 0;
  std::uint64_t mixed_ = 0;
  Addr highest_ = 0;
  std::map<FaultReason, unsigned> outcomes_;
  std::map<std::uint32_t, unsigned> successes_;
};

// Enough pages were used without a call to prove something.
inline void expect_direct_accesses(RandomTranslation& run, bool direct_memory) {
  const std::uint64_t made = run.system().device().direct_accesses();
  if (direct_memory) {
    EXPECT_GT(made, run.translations() / 50);
  } else {
    EXPECT_EQ(made, 0u);
  }
}

// Caches so small that they evict all the time, or the default ones. WHY paging-structure caches keep
// their size: what they learnt wrongly shows only while it is there.
inline IommuParams random_iommu_params(bool small) {
  IommuParams params = iommu_params().defaults();
  params.capabilities.page_requests = false;  // no page request queue is bound
  if (small) {
    params.iotlb.entries = 16;
    params.iotlb.ways = 2;
    for (TlbParams* cache : {&params.context_cache, &params.pasid_cache}) {
      cache->entries = 4;
      cache->ways = 2;
    }
    params.capabilities.pasid_bits = 14;
    params.request_slots = 12;
    params.walks = 5;
    params.structure_fetches = 2;
    params.structure_read_bytes = 16;
  }
  return params;
}

// Walks that take longer than an invalidation, or the default ones.
inline WalkerParams random_walker_params(bool slow) {
  WalkerParams params = walker_params().defaults();
  if (slow) {
    params.slots = 4;
    params.step_latency = 100'000;
  }
  return params;
}

}  // namespace svasim::test
