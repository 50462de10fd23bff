// Random accesses, mappings, invalidations and page group responses against an ATC with tiny
// resources. The checkers on its sockets know what a device may do; here every access must end, and
// with the bytes of the page it may see.
#include <gmock/gmock.h>

#include <map>

#include "base/rng.h"
#include "timing/atc_bench.h"

namespace svasim {
namespace {

struct Case {
  Timing timing;
  std::uint64_t seed;
  bool rich = false;  // several translations, engines and traffic classes; completions leave together
};

class AtcRandom : public ::testing::TestWithParam<Case> {};

INSTANTIATE_TEST_SUITE_P(Seeds, AtcRandom,
                         ::testing::Values(Case{Timing::kApproximate, 1}, Case{Timing::kApproximate, 2},
                                           Case{Timing::kApproximate, 3}, Case{Timing::kApproximate, 4},
                                           Case{Timing::kLoose, 1}, Case{Timing::kLoose, 2},
                                           Case{Timing::kApproximate, 5, true},
                                           Case{Timing::kApproximate, 6, true},
                                           Case{Timing::kApproximate, 7, true},
                                           Case{Timing::kLoose, 5, true}),
                         [](const auto& test) {
                           return std::string(test.param.timing == Timing::kLoose ? "loose" : "approximate") +
                                  std::to_string(test.param.seed);
                         });

AtcParams tiny(bool rich) {
  AtcParams p = atc_params().defaults();
  if (rich) {
    p.translations = 4;
    p.engines = 2;
    p.traffic_classes = 3;
    p.combine_window = 50000;
    p.page_requests.retry = "linear";
  }
  p.cache.entries = 8;
  p.cache.ways = 2;
  p.accesses = 12;
  p.translation_requests = 3;
  p.page_requests.allocation = 3;
  p.page_requests.groups = 2;
  p.page_requests.pages_per_group = 2;
  p.page_requests.retry_delay = 1000;
  p.page_requests.max_retries = 50;
  return p;
}

AtsRuleOptions rules() {
  AtsRuleOptions options;
  options.page_request_credits = 3;
  return options;
}

// The tables of the test: PASID and page to a physical page, which is used once and never again.
class Tables {
 public:
  explicit Tables(TestAgent& agent) : agent_(agent) {}
  void map(unsigned pasid, Addr page, bool write) {
    const Addr physical = next_ += kPageSize;
    agent_.map(pasid, page, physical, true, write);
    agent_.memory.fill(physical, kPageSize, [&](std::size_t) { return mark(pasid, page); });
    mapped_[{pasid, page}] = write;
  }
  void unmap(unsigned pasid, Addr page) {
    agent_.unmap(pasid, page);
    mapped_.erase({pasid, page});
  }
  bool mapped(unsigned pasid, Addr page) const { return mapped_.count({pasid, page}) != 0; }
  bool writable(unsigned pasid, Addr page) const {
    const auto found = mapped_.find({pasid, page});
    return found != mapped_.end() && found->second;
  }
  // What every byte of the page holds, whichever physical page it is.
  static unsigned char mark(unsigned pasid, Addr page) {
    return static_cast<unsigned char>(1 + pasid * 31 + (page >> 12U) * 7);
  }

 private:
  TestAgent& agent_;
  Addr next_ = 0x40000000;
  std::map<std::pair<unsigned, Addr>, bool> mapped_;
};

TEST_P(AtcRandom, EveryAccessEndsRight) {
  constexpr unsigned kPasids = 3;
  constexpr Addr kPages = 6;
  constexpr Addr kBase = 0x7f0000000000;
  const bool rich = GetParam().rich;
  const unsigned classes = rich ? 3 : 1;
  AtcBench b(tiny(rich), GetParam().timing, rules());
  b.agent.translations = rich ? 4 : 1;
  RngStream rng(GetParam().seed, "atc");
  Tables tables(b.agent);
  b.agent.response_latency = 2000000;
  std::uint64_t invalid = 0;
  b.agent.on_group = [&](const SeenTlp& last) {
    // The operating system looks at the last page of the group only; Success promises nothing.
    const Addr page = PageRequestBody::ADDR::in_place(last.body);
    const unsigned pasid = last.pasid.value();
    if (rng.chance(0.05)) {
      ++invalid;
      return 1;
    }
    const bool write = PageRequestBody::W::get(last.body) != 0;
    if (rng.chance(0.8) && (!tables.mapped(pasid, page) || (write && !tables.writable(pasid, page)))) {
      tables.map(pasid, page, write || rng.chance(0.5));
    }
    return 0;
  };

  // A mapping changes only with an invalidation; a write right is taken by unmapping.
  std::uint32_t itags = 0;
  std::uint64_t sent = 0;
  std::size_t completions_seen = 0;
  std::uint64_t completed = 0;
  std::array<unsigned, kItags> parts{};
  const auto free_itags = [&] {
    const auto completions = b.agent.seen_of(TlpKind::kInvalidateCompletion);
    for (; completions_seen < completions.size(); ++completions_seen) {
      for (unsigned itag = 0; itag < kItags; ++itag) {
        if (((completions[completions_seen].itag_vector >> itag) & 1U) == 0) continue;
        ++completed;
        if (++parts[itag] % classes == 0) itags &= ~(std::uint32_t{1} << itag);
      }
    }
  };
  constexpr unsigned kAccesses = 3000;
  for (unsigned i = 0; i < kAccesses; ++i) {
    const unsigned pasid = 1 + static_cast<unsigned>(rng.below(kPasids));
    const Addr page = kBase + rng.below(kPages) * kPageSize;
    if (rng.chance(0.12)) {
      free_itags();
      const unsigned itag = static_cast<unsigned>(rng.below(kItags));
      if (((itags >> itag) & 1U) == 0) {
        const unsigned shift = rng.chance(0.7) ? 12 : rng.chance(0.5) ? 13 : 64;
        const Addr first = shift >= 64 ? kBase : page & ~((Addr{1} << shift) - 1);
        const Addr count = shift >= 64 ? kPages : Addr{1} << (shift - 12);
        for (Addr k = 0; k < count; ++k) {
          if (rng.chance(0.7)) tables.unmap(pasid, first + k * kPageSize);
        }
        itags |= std::uint32_t{1} << itag;
        ++sent;
        b.agent.invalidate(itag, encode_range(first, shift), true, pasid, false, 1000, kDevice);
      }
    }
    TestAccess& access = b.device.issue(rng.chance(0.5)   ? TlpKind::kMemRead
                                        : rng.chance(0.8) ? TlpKind::kMemWrite
                                                          : TlpKind::kTranslationRequest,
                                        pasid, page, rng.chance(0.1));
    access.data.fill(Tables::mark(pasid, page));
    if (access.transaction->is_read()) access.data.fill(0);
    access.transaction->pcie.relaxed = rng.chance(0.5);
    if (rich) access.transaction->pcie.engine = static_cast<std::uint8_t>(rng.below(6));
    access.transaction->pcie.ahead = rng.chance(0.3) ? kPageSize : 0;
    b.device.send(access);
    b.until(now_ps() + rng.below(200000));
  }
  b.until(now_ps() + 5'000'000'000);

  std::map<AccessOutcome, std::uint64_t> outcomes;
  for (const TestAccess& access : b.device.accesses()) {
    ASSERT_NE(access.end, 0U);
    const PcieExtension& pcie = access.transaction->pcie;
    ++outcomes[access.outcome()];
    if (access.outcome() == AccessOutcome::kDone && pcie.kind == TlpKind::kMemRead) {
      const Addr page = access.transaction->get_address() & ~(kPageSize - 1);
      ASSERT_EQ(access.data[0], Tables::mark(pcie.pasid.value(), page));
    }
    ASSERT_TRUE(access.outcome() != AccessOutcome::kPageFault || pcie.no_page_request);
    ASSERT_EQ(pcie.attribution.total(), access.end - (access.sent - 1000));
  }
  EXPECT_GT(outcomes[AccessOutcome::kDone], kAccesses / 2);
  EXPECT_GT(outcomes[AccessOutcome::kPageFault], 0U);
  EXPECT_GT(invalid, 0U);
  EXPECT_GT(outcomes[AccessOutcome::kInvalidResponse], 0U);
  EXPECT_GT(b.atc.stats().stale.value + (GetParam().timing == Timing::kLoose ? 1 : 0), 0U);
  free_itags();
  EXPECT_EQ(completed, sent * classes);
  EXPECT_EQ(b.atc.stats().translations_received.value > b.atc.stats().translation_requests.value, rich);
  EXPECT_EQ(b.atc.page_requester().credits(), 3U);
  EXPECT_EQ(b.atc.stats().accesses.value, kAccesses);
  b.expect_clean();
}

}  // namespace
}  // namespace svasim
