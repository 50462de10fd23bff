#include "system/stress_generator.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "base/rng.h"

namespace svasim {

namespace {

class Generator {
 public:
  Generator(std::uint64_t seed, const StressSize& size) : seed_(seed), size_(size), rng_(seed, "stress") {}

  std::string text() {
    system();
    workload();
    return std::move(text_);
  }

 private:
  // --- draws ---

  bool chance(unsigned percent) { return rng_.below(100) < percent; }
  std::uint64_t between(std::uint64_t low, std::uint64_t high) { return low + rng_.below(high - low + 1); }
  // Uniform in its logarithm, as both ends are worth the same attention.
  std::uint64_t spread(std::uint64_t low, std::uint64_t high) {
    std::uint64_t value = high;
    while (value > low && chance(60)) value = low + (value - low) / 2;
    return between(low, value);
  }
  std::string time(std::uint64_t low_ns, std::uint64_t high_ns) {
    return fmt::format("{} ns", spread(low_ns, high_ns));
  }
  const char* pick(const std::vector<const char*>& choices) { return choices[rng_.below(choices.size())]; }
  template <typename... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
    text_ += '\n';
  }

  // --- hardware ---

  std::string cache(unsigned most) {
    const std::uint64_t ways = std::uint64_t{1} << rng_.below(3);
    const std::uint64_t sets = std::uint64_t{1} << rng_.below(most);
    return fmt::format("{{entries: {}, ways: {}, policy: {}}}", ways * sets, ways,
                       pick({"lru", "fifo", "random", "srrip", "clear_when_full"}));
  }

  void system() {
    const bool loose = chance(10);
    line("description: random life-cycle stress, seed {}", seed_);
    line("sim: {{seed: {}, watchdog: 200 ms, stale_use_checks: true, timing: {}}}", seed_ + 1,
         loose ? "loose" : "approximate");
    line("components:");
    line("  bus0: {{type: memory_bus, latency: {}}}", time(1, 50));
    line("  memory0: {{type: memory, bus: bus0, size: 2 GiB, latency: {}, channels: {}}}", time(10, 1000),
         std::uint64_t{1} << rng_.below(4));
    line("  walker0: {{type: walker, bus: bus0, slots: {}, step_latency: {}, order: {}}}", spread(1, 8),
         time(1, 50), pick({"fifo", "round_robin", "shortest_first"}));
    iommus_ = static_cast<unsigned>(between(1, std::min(3U, size_.devices)));
    for (unsigned i = 0; i < iommus_; ++i) iommu(i);
    for (unsigned i = 0; i < size_.devices; ++i) device(i);
    host();
  }

  void iommu(unsigned i) {
    // Overflow is common with two requests in the queue and never happens with its own size.
    const std::uint64_t limit = chance(30) ? 2 : chance(50) ? spread(2, 64) : 16384;
    line("  prq{}: {{type: page_request_queue, bus: bus0, queue_limit: {}, outstanding: {}, latency: {}}}", i,
         limit, spread(1, 8), time(1, 500));
    line("  iommu{0}:", i);
    line("    {{type: iommu, bus: bus0, walker: walker0, page_request_queue: prq{}, register_base: {:#x},", i,
         0xFED90000U + i * 0x2000);
    line("     request_slots: {}, walks: {}, translations: {}, merge_walks: {}, message_latency: {},",
         spread(2, 64), spread(1, 32), between(1, 8), chance(80), time(1, 500));
    line("     iotlb: {}, context_cache: {}, pasid_cache: {}, first_stage_cache: {},", cache(6), cache(3),
         cache(3), cache(4));
    line("     iotlb_latency: {}, forward_latency: {}, flush_latency: {}, descriptor_latency: {}}}",
         time(1, 50), time(1, 50), time(1, 200), time(1, 100));
  }

  // Every IOMMU has root ports.
  void device(unsigned i) {
    line(
        "  link{}: {{type: link, iommu: iommu{}, latency: {}, lanes: {}, posted_credits: {}, "
        "non_posted_credits: {}}}",
        i, i < iommus_ ? i : rng_.below(iommus_), time(5, 2000), std::uint64_t{1} << rng_.below(5),
        spread(1, 64), spread(1, 64));
    const std::uint64_t group = chance(50) ? 1 : spread(1, 16);
    line("  atc{}:", i);
    line("    {{type: atc, link: link{}, cache: {}, engines: {}, traffic_classes: {}, accesses: {},", i,
         cache(6), chance(70) ? 1 : between(1, 4), chance(70) ? 1 : between(1, 3), spread(1, 256));
    line("     translation_requests: {}, translations: {}, invalidation_latency: {}, combine_window: {},",
         spread(1, 32), chance(60) ? 1 : between(1, 8), time(1, 2000), chance(70) ? "0 ns" : time(1, 1000));
    line("     read_only_requests: {},", chance(50));
    line(
        "     page_requests: {{capacity: {}, allocation: {}, groups: {}, pages_per_group: {}, max_retries: "
        "{}, "
        "retry_delay: {}, retry: {}}}}}",
        spread(1, 512), spread(1, 512), spread(1, 512), group, spread(1, 40), time(10, 5000),
        pick({"exponential", "linear", "fixed", "immediate"}));
    const std::uint64_t engines = between(1, 4);
    line("  dsa{}:", i);
    line("    {{type: dsa, port: atc{0}, bus: bus0, bdf: \"{1:02x}:00.0\", bar0: {2:#x}, bar2: {3:#x},", i,
         2 + i, 0xFC000000U + i * 0x200000, 0xFC100000U + i * 0x200000);
    line("     queues: 64, queue_entries: 4096, engines: {}, read_buffers: {}, write_buffers: {},", engines,
         between(4 * engines, 96), spread(8, 128));
    line("     descriptors_in_progress: {}, access_size: {}, pages_ahead: {}, page_requests: {}}}",
         spread(1, 16), 64U << rng_.below(4), rng_.below(3), chance(85));
  }

  void host() {
    wq_size_ = static_cast<unsigned>(chance(30) ? 2 : spread(2, 16));
    line("  host0:");
    line("    type: host");
    line("    bus: bus0");
    std::string iommus;
    for (unsigned i = 0; i < iommus_; ++i) iommus += fmt::format("{}iommu{}", i == 0 ? "" : ", ", i);
    line("    iommus: [{}]", iommus);
    std::string devices;
    for (unsigned i = 0; i < size_.devices; ++i) devices += fmt::format("{}dsa{}", i == 0 ? "" : ", ", i);
    line("    devices: [{}]", devices);
    line("    memory_size: 1 GiB");
    line("    interrupt_latency: {}", time(10, 10'000));
    line("    munmap_time: {}", time(10, 5'000));
    line("    munmap_page_time: {}", time(0, 100));
    line("    page_fault_time: {}", time(10, 5'000));
    line("    fork_time: {}", time(100, 100'000));
    // PASIDs run out, and those of processes that are gone come again.
    line("    sva: {{highest_pasid: {}}}", between(size_.processes / 2 + 1, 2 * size_.processes));
    line("    invalidation: {{order: {}, wait: {}, submit_time: {}, poll_interval: {}}}", rng_.below(2),
         pick({"poll", "interrupt"}), time(1, 2'000), time(1, 1'000));
    line(
        "    faults: {{handlers: {}, service_time: {}, service_spread: 0 ns, major_time: {}, "
        "queue_read_time: "
        "{}, queue_order: {}}}",
        spread(1, 16), time(10, 10'000), time(0, 80'000), time(1, 1'000), rng_.below(2));
    line("    dsa: {{wq_size: {}, submit_interval: {}, poll_interval: {}, block_on_fault: {}}}", wq_size_,
         time(1, 1'000), time(1, 1'000), chance(80) ? "auto" : "false");
  }

  // --- workload ---

  // What a thread is mostly about.
  enum class Role : std::uint8_t { kMain, kOperator, kMapper };

  struct Area {
    std::string name;
    std::uint64_t size;
    bool device;
  };
  struct Life {
    std::string name;
    int parent = -1;
    std::vector<unsigned> children;
    std::vector<unsigned> devices;
    std::vector<Area> buffers;
  };

  void workload() {
    std::vector<Life> lives(size_.processes);
    for (unsigned i = 0; i < lives.size(); ++i) {
      Life& life = lives[i];
      life.name = fmt::format("p{}", i);
      if (i >= 4 && chance(25)) {
        life.parent = static_cast<int>(rng_.below(i));
        lives[static_cast<unsigned>(life.parent)].children.push_back(i);
        life.buffers = lives[static_cast<unsigned>(life.parent)].buffers;
      } else {
        for (std::uint64_t k = between(1, 3); k > 0; --k) {
          const std::uint64_t pages = spread(1, 64);
          const bool huge = chance(8);
          life.buffers.push_back(
              {fmt::format("b{}", k), huge ? 4U << 20U : pages << 12U, !huge && chance(6)});
        }
      }
      for (std::uint64_t k = between(1, 3); k > 0; --k) {
        const auto device = static_cast<unsigned>(rng_.below(size_.devices));
        if (std::find(life.devices.begin(), life.devices.end(), device) == life.devices.end())
          life.devices.push_back(device);
      }
    }
    line("workload:");
    line("  processes:");
    for (std::size_t i = 0; i < lives.size(); ++i) process(lives[i], i == 0);
  }

  void process(const Life& life, bool first) {
    line("    - name: {}", life.name);
    line("      outstanding: {}", wq_size_ / 2);
    if (life.parent >= 0) {
      line("      parent: p{}", life.parent);
    } else {
      line("      buffers:");
      for (const Area& area : life.buffers) buffer(area);
    }
    const std::uint64_t budget = size_.operations / size_.processes;
    line("      steps:");
    steps(life, budget / 2, Role::kMain, first);
    line("      threads:");
    line("        - name: operator");
    line("          outstanding: {}", wq_size_ - wq_size_ / 2);
    line("          steps:");
    steps(life, budget / 3, Role::kOperator, false);
    line("        - name: mapper");
    line("          steps:");
    steps(life, budget - budget / 2 - budget / 3, Role::kMapper, false);
  }

  void buffer(const Area& area) {
    if (area.device) {
      line("        - {{name: {}, size: {} B, kind: device, physical: {:#x}}}", area.name, area.size,
           0x60000000U + rng_.below(16) * 0x4000);
      return;
    }
    line("        - {{name: {}, size: {} B, resident: {}, content: {}, kind: {}, huge: {}, inherited: {}}}",
         area.name, area.size, pick({"0", "0.5", "1"}), pick({"zero", "random"}),
         chance(85) ? "anonymous" : "file", area.size > (1U << 20U), chance(90));
  }

  void steps(const Life& life, std::uint64_t budget, Role role, bool first) {
    const bool main = role == Role::kMain;
    const char* indent = main ? "        " : "            ";
    const auto step = [&](const std::string& what) { line("{}- {{{}}}", indent, what); };
    if (first) {
      // What is legitimate here: operations that meet memory that is gone.
      for (const char* statistic : {"operations.failed", "dma_faults"})
        step(fmt::format("do: expect, statistic: host0.{}, at_least: 0", statistic));
    }
    step(fmt::format("do: sleep, time: {}", time(1, main ? 200'000 : 300'000)));
    std::vector<unsigned> to_fork = main ? life.children : std::vector<unsigned>();
    for (const unsigned device : life.devices)
      if (main) step(fmt::format("do: open, device: dsa{}, error: any", device));
    for (std::uint64_t used = 2; used < budget;) {
      used += one(life, role, budget - used, step);
      if (!to_fork.empty() && chance(20)) {
        step(fmt::format("do: fork, process: p{}", to_fork.back()));
        to_fork.pop_back();
      }
    }
    for (const unsigned child : to_fork) step(fmt::format("do: fork, process: p{}", child));
    // In the middle of whatever the other threads do.
    if (main && chance(30)) step("do: exit");
  }

  template <typename Step>
  std::uint64_t one(const Life& life, Role role, std::uint64_t left, const Step& step) {
    const unsigned device = life.devices[rng_.below(life.devices.size())];
    const Area& to = life.buffers[rng_.below(life.buffers.size())];
    if (role == Role::kOperator && chance(80)) return operation(life, to, device, left, step);
    const std::uint64_t kind = role == Role::kMapper ? between(50, 99) : rng_.below(100);
    if (kind < 50) return operation(life, to, device, left, step);
    const std::uint64_t pages = to.size >> 12U;
    const std::uint64_t offset = chance(50) ? 0 : rng_.below(pages);
    const std::string part =
        fmt::format("to: {}, offset: {} B, length: {} B", to.name, offset << 12U,
                    chance(50) ? 0 : between(1, std::min<std::uint64_t>(pages - offset, 64)) << 12U);
    if (kind < 56) {
      step(fmt::format("do: touch, {}, write: {}, error: any", part, chance(50)));
    } else if (kind < 60) {
      step(fmt::format("do: verify, to: {}", to.name));
    } else if (kind < 66) {
      step(fmt::format("do: mprotect, {}, rights: {}, error: any", part,
                       pick({"none", "read", "read_write", "read_write"})));
    } else if (kind < 70) {
      step(fmt::format("do: munmap, {}, error: any", part));
    } else if (kind < 76) {
      step(fmt::format("do: {}, to: {}, place: {}, error: any", pick({"mmap", "remap", "remap"}), to.name,
                       pick({"same", "new"})));
    } else if (kind < 79) {
      step(fmt::format("do: mremap, to: {}, error: any", to.name));
    } else if (kind < 87) {
      step(fmt::format("do: madvise, {}, advice: {}, error: any", part, pick({"dontneed", "pageout"})));
    } else if (kind < 91) {
      step(fmt::format("do: {}, device: dsa{}, error: any", pick({"open", "open", "close"}), device));
    } else if (kind < 94) {
      step(fmt::format("do: {}, device: dsa{}, error: any", pick({"bind", "unbind"}), device));
    } else if (kind < 96) {
      step(fmt::format("do: {}, device: dsa{}, feature: {}, error: any",
                       pick({"enable", "enable", "disable"}), device, pick({"sva", "iopf"})));
    } else {
      step(fmt::format("do: sleep, time: {}", time(1, 50'000)));
    }
    return 1;
  }

  template <typename Step>
  std::uint64_t operation(const Life& life, const Area& to, unsigned device, std::uint64_t left,
                          const Step& step) {
    const std::uint64_t count = std::min<std::uint64_t>(left, spread(1, 16));
    const std::string how = fmt::format("device: dsa{}, count: {}, outstanding: {}, error: any", device,
                                        count, spread(1, std::max(1U, wq_size_ / 2)));
    if (chance(5)) {
      step(fmt::format("do: noop, {}", how));
      return count;
    }
    const Area& from = life.buffers[rng_.below(life.buffers.size())];
    const bool moves = chance(60);
    const std::uint64_t most = std::min<std::uint64_t>({to.size, moves ? from.size : to.size, 32768});
    const std::uint64_t size = chance(50) ? spread(1, most) : std::min<std::uint64_t>(most, 4096);
    if (moves) {
      step(fmt::format("do: memmove, from: {}, to: {}, size: {} B, order: {}, {}", from.name, to.name, size,
                       pick({"sequential", "random"}), how));
    } else {
      step(fmt::format("do: fill, to: {}, size: {} B, order: {}, pattern: {:#x}, {}", to.name, size,
                       pick({"sequential", "random"}), rng_.next(), how));
    }
    return count;
  }

  std::uint64_t seed_;
  StressSize size_;
  RngStream rng_;
  std::string text_;
  unsigned iommus_ = 1;
  unsigned wq_size_ = 2;
};

}  // namespace

std::string stress_configuration(std::uint64_t seed, const StressSize& size) {
  return Generator(seed, size).text();
}

}  // namespace svasim
