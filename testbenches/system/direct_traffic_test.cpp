// Three traffic generators in loose timing, with and without direct access to memory, while pages move, fault
// and are invalidated in every way: all statistics, all times and all of memory are equal.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "models/link/link.h"
#include "models/tlb/replacement.h"
#include "models/traffic/traffic.h"
#include "support/iommu_bench.h"
#include "support/memory_initiator.h"

namespace svasim::test {
namespace {

using Json = nlohmann::json;

constexpr unsigned kDevices = 3;
constexpr Addr kArea = 0x7000'0000;
constexpr Addr kStride = 0x11040;  // every access in another page
constexpr unsigned kSmallPages = 30;
constexpr Addr kLarge = kArea + 0x20'0000;  // a 2-MiB page
constexpr unsigned kSteps = 120;

class Scenario {
 public:
  Scenario(std::uint64_t seed, bool direct) : rng_(seed, "scenario"), bench_(options(direct)) {
    bench_.tables->set_context(bdf(1), context());
    bench_.tables->set_pasid_entry(
        bdf(1), IommuBench::kPasid2,
        first_stage_pasid_entry(bench_.first2->root(), 4, IommuBench::kFirstDomain));
    for (unsigned space = 0; space < kDevices; ++space) {
      for (unsigned k = 0; k < kSmallPages; ++k) map(space, page(k), below(4) != 0);
      const Addr frame = 0x2000'0000 + (Addr{space} << 21);
      for (Addr offset = 0; offset < Addr{1} << 21; offset += kPageSize)
        fill(frame + offset, kLarge + offset);
      builder(space).map(kLarge, frame, 21, rights(space, true));
    }
    bench_.enable();
  }

  Json run() {
    for (const auto& device : devices_) device->restart();
    for (unsigned step = 0; step < kSteps; ++step) {
      bench_.run_for(1000 + below(20'000'000));
      change();
    }
    for (int i = 0; i < 1000 && !done(); ++i) bench_.run_for(100'000'000);
    Json result;
    result["statistics"] = bench_.stats.to_json(now_ps());
    result["memory"] = bench_.memory->contents().digest();
    result["end"] = now_ps();
    for (const auto& device : devices_) {
      EXPECT_TRUE(device->done());
      result["finished"].push_back(device->finished_at());
      result["wrong"].push_back(device->stats().wrong_data.value);
      result["faults"].push_back(device->stats().faults.value);
      result["direct"].push_back(device->direct_accesses());
      std::uint64_t parts = 0;
      for (const Counter& stage : device->stats().stage) parts += stage.value;
      EXPECT_EQ(parts, device->stats().latency.sum());
    }
    return result;
  }

 private:
  static RequesterId bdf(unsigned device) {
    return device == 1 ? RequesterId::from_bdf(2, 4, 0) : IommuBench::kDevice;
  }
  static ScalableContext context() {
    ScalableContext context;
    context.pasid = true;
    context.pdts = 1;
    return context;
  }
  static Addr page(unsigned k) { return (kArea + k * kStride) & ~(kPageSize - 1); }
  static Pasid pasid(unsigned space) { return space == 0 ? IommuBench::kPasid : IommuBench::kPasid2; }
  std::uint64_t below(std::uint64_t n) { return rng_.below(n); }
  template <typename T>
  T one_of(std::initializer_list<T> list) {
    return *(list.begin() + below(list.size()));
  }

  IommuBenchOptions options(bool direct) {
    IommuBenchOptions options;
    options.loose = true;
    options.links = kDevices;
    IotlbParams& iotlb = options.iommu.iotlb;
    iotlb.entries = one_of({8U, 16U, 64U});
    iotlb.ways = one_of({2U, 4U, 8U});
    const std::vector<std::string> policies = plain_replacement_names();
    iotlb.policy = policies[below(policies.size())];
    if (below(8) == 0) iotlb.policy = "clear_when_full";
    iotlb.split = below(3) == 0;
    iotlb.infinite = below(8) == 0;
    iotlb.tag = one_of<const char*>({"domain", "requester"});
    iotlb.prefetch = one_of({0U, 0U, 2U});
    for (TlbParams* cache : {&options.iommu.context_cache, &options.iommu.pasid_cache}) {
      cache->entries = one_of({1U, 2U, 8U});
      cache->ways = 0;
    }
    options.attach = [this, direct](IommuBench& bench) { attach(bench, direct); };
    return options;
  }

  void attach(IommuBench& bench, bool direct) {
    for (unsigned i = 0; i < kDevices; ++i) {
      const auto name = [&](const char* part) { return std::string(part) + std::to_string(i); };
      TrafficParams params = traffic_params().defaults();
      params.bdf = bdf(i);
      params.use_pasid = i != 2;
      params.pasid = params.use_pasid ? pasid(i).value() : 0;
      params.base = kArea;
      params.range = 0x40'0000;
      params.stride = kStride;
      params.pattern = one_of<const char*>({"random", "random", "sequential"});
      params.size = 64;
      params.write_percent = one_of({0U, 20U});
      params.outstanding = static_cast<unsigned>(1 + below(8));
      params.count = 2000 + below(2000);
      params.verify = "address";
      params.start = false;
      params.direct_memory = direct;
      devices_.push_back(std::make_unique<TrafficGenerator>(name("device").c_str(), params, bench.context));
      links_.push_back(
          std::make_unique<PcieLink>(name("link").c_str(), link_params().defaults(), bench.context));
      unused_.push_back(std::make_unique<MemoryInitiator>(name("unused").c_str(), bench.pool));
      devices_[i]->req().bind(links_[i]->up_in());
      links_[i]->up_out().bind(bench.iommu->requests(i));
      bench.iommu->messages(i).bind(links_[i]->down_in());
      links_[i]->down_out().bind(devices_[i]->msg());
      unused_[i]->socket().bind(links_[i]->mmio_in());
    }
  }

  PageTableBuilder& builder(unsigned space) {
    return space == 0 ? *bench_.first : space == 1 ? *bench_.first2 : *bench_.second;
  }
  // Of a page that may be written and was, or one where something is missing.
  LeafRights rights(unsigned space, bool all) {
    LeafRights rights;
    if (!all) rights.write = below(2) != 0;
    if (space != 2) {
      rights.extra = FirstStageEntry::A::kMask;
      if (all) rights.extra |= FirstStageEntry::D::kMask;
    }
    return rights;
  }
  void fill(Addr frame, Addr iova) {
    for (Addr offset = 0; offset < kPageSize; offset += 8) {
      bench_.memory->contents().write64(frame + offset, word_at(iova + offset));
    }
  }
  // Gives the page a new frame.
  void map(unsigned space, Addr iova, bool all) {
    fill(next_frame_, iova);
    builder(space).map(iova, next_frame_, 12, rights(space, all));
    frames_[space][iova] = next_frame_;
    next_frame_ += kPageSize;
  }

  // A page moves or goes, or nothing does; then an invalidation that covers it.
  void change() {
    const auto space = static_cast<unsigned>(below(kDevices));
    const Addr iova = page(static_cast<unsigned>(below(kSmallPages)));
    const auto found = frames_[space].find(iova);
    const Addr old = found == frames_[space].end() ? 0 : found->second;
    const std::uint64_t what = below(4);
    if (what == 0 && old != 0) {
      builder(space).unmap(iova);
      frames_[space].erase(iova);
    } else if (what <= 2) {
      map(space, iova, below(4) != 0);
    }
    const DomainId domain = space == 2 ? IommuBench::kSecondDomain : IommuBench::kFirstDomain;
    switch (below(space == 2 ? 3 : 5)) {
      case 0:
        bench_.invalidate({make_iotlb_global()});
        break;
      case 1:
        bench_.invalidate({make_iotlb_domain(domain)});
        break;
      case 2:
        bench_.invalidate({make_iotlb_page(domain, iova, 0, below(2) != 0)});
        break;
      case 3:
        bench_.invalidate({make_pasid_iotlb_pasid(domain, pasid(space))});
        break;
      default:
        bench_.invalidate({make_pasid_iotlb_page(domain, pasid(space), iova, 0, below(2) != 0)});
    }
    // Nobody may see the old frame now.
    if (what <= 2 && old != 0) {
      for (Addr offset = 0; offset < kPageSize; offset += 8)
        bench_.memory->contents().write64(old + offset, 0);
    }
    switch (below(24)) {
      case 0:
        bench_.invalidate({make_context_cache(ContextGranularity::kGlobal)});
        break;
      case 1:
        bench_.invalidate({make_pasid_cache(PasidCacheGranularity::kPasid, domain, pasid(space % 2))});
        break;
      case 2:
        bench_.command(VtdGcmd::SRTP::kMask, true);
        break;
      case 3:
        bench_.command(VtdGcmd::TE::kMask, false);
        bench_.run_for(1000 + below(2'000'000));
        bench_.command(VtdGcmd::TE::kMask, true);
        break;
      default:
        break;
    }
  }
  bool done() const {
    return std::all_of(devices_.begin(), devices_.end(), [](const auto& device) { return device->done(); });
  }

  RngStream rng_;
  std::vector<std::unique_ptr<TrafficGenerator>> devices_;
  std::vector<std::unique_ptr<PcieLink>> links_;
  std::vector<std::unique_ptr<MemoryInitiator>> unused_;
  IommuBench bench_;
  std::map<Addr, Addr> frames_[kDevices];
  Addr next_frame_ = IommuBench::kData;
};

// In a process of its own: the kernel elaborates once, and names decide about random numbers.
Json run(std::uint64_t seed, bool direct) {
  int ends[2] = {};
  EXPECT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    const std::string text = Scenario(seed, direct).run().dump();
    for (std::size_t sent = 0; sent < text.size();) {
      const ssize_t part = write(ends[1], text.data() + sent, text.size() - sent);
      if (part <= 0) break;
      sent += static_cast<std::size_t>(part);
    }
    _exit(testing::Test::HasFailure() ? 1 : 0);
  }
  close(ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t part = 0; (part = read(ends[0], buffer, sizeof(buffer))) > 0;) {
    text.append(buffer, static_cast<std::size_t>(part));
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  return Json::parse(text, nullptr, false);
}

class DirectTraffic : public testing::TestWithParam<std::uint64_t> {};

TEST_P(DirectTraffic, ChangesNothing) {
  const Json without = run(GetParam(), false);
  Json with = run(GetParam(), true);
  std::uint64_t direct = 0;
  std::uint64_t faults = 0;
  for (unsigned i = 0; i < kDevices; ++i) {
    EXPECT_EQ(with["wrong"][i], 0U) << "device " << i;
    EXPECT_EQ(without["direct"][i], 0U);
    direct += with["direct"][i].get<std::uint64_t>();
    faults += with["faults"][i].get<std::uint64_t>();
  }
  EXPECT_GT(direct, 100U);
  EXPECT_GT(faults, 10U);
  with["direct"] = without["direct"];
  for (const auto& [path, stat] : without["statistics"].items()) {
    EXPECT_EQ(with["statistics"][path], stat) << path;
  }
  EXPECT_EQ(with, without);
}

INSTANTIATE_TEST_SUITE_P(Seeds, DirectTraffic, testing::Range(std::uint64_t{1}, std::uint64_t{25}));

}  // namespace
}  // namespace svasim::test
