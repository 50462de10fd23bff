// Random lives of processes in two guests and in the host, on one device: in each all bytes are what they
// have to be, in both timings, and no use of a translation is stale, whatever guests and host do to their
// tables.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/rng.h"
#include "sim/cli.h"

namespace svasim {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

// Steps of one process in text. Everything that moves, takes or frees pages comes between operations, which
// other processes have in flight then.
class Life {
 public:
  Life(RngStream& rng, bool guest) : rng_(rng), guest_(guest) {}

  std::string steps() {
    for (unsigned i = 0; i < 14; ++i) {
      operations();
      change();
    }
    operations();
    return out_.str();
  }

 private:
  void line(const std::string& text) { out_ << "        - {" << text << "}\n"; }
  std::string part() {
    const std::uint64_t offset = rng_.below(56) * 4;
    return "offset: " + std::to_string(offset) +
           " KiB, length: " + std::to_string(4 + rng_.below((256 - offset) / 4) * 4) + " KiB";
  }
  std::string any() { return rng_.below(2) == 0 ? "a" : "b"; }

  void operations() {
    const std::string from = any();
    const std::string to = from == "a" ? "b" : "a";
    const char* sizes[] = {"64 B", "1 KiB", "4 KiB", "12 KiB"};
    const std::string many = ", count: " + std::to_string(10 + rng_.below(40)) +
                             ", size: " + sizes[rng_.below(4)] + ", order: random";
    line(rng_.below(3) == 0
             ? "do: fill, to: " + to + many + ", pattern: " + std::to_string(rng_.below(1U << 30U))
             : "do: memmove, from: " + from + ", to: " + to + many);
  }
  void change() {
    switch (rng_.below(guest_ ? 9 : 5)) {
      case 0:
        return line("do: remap, to: " + any() + (rng_.below(2) == 0 ? ", place: new" : ""));
      case 1:
        return line("do: madvise, to: " + any() + ", advice: pageout, " + part());
      case 2:
        return line("do: madvise, to: " + any() + ", " + part());
      case 3: {
        const std::string what = "to: " + any() + ", " + part();
        line("do: mprotect, rights: read, " + what);
        return line("do: mprotect, " + what);
      }
      case 4:
        return line("do: mremap, to: c");
      case 5:
      case 6:
        return line("do: migrate, to: " + any() + ", " + part());
      case 7:
        return line("do: inflate, length: " + std::to_string(64 + rng_.below(128) * 4) + " KiB");
      default:
        return line("do: deflate, length: " + std::to_string(rng_.below(256) * 4) + " KiB");
    }
  }

  RngStream& rng_;
  bool guest_;
  std::ostringstream out_;
};

std::string scenario(std::uint64_t seed) {
  RngStream rng(seed, "guests");
  std::ostringstream out;
  out << "extends: " << fs::absolute("configs/scenarios/common/base.yaml").string() << "\n"
      << "sim: {stale_use_checks: true}\n"
      << "components:\n  host0:\n    dsa: {wq_size: 8}\n    guests:\n"
      << "      - {name: g, memory_size: 6 MiB}\n"
      << "      - {name: h, memory_size: 6 MiB, pages: 2 MiB, exit_time: 300 ns, resume_time: 100 ns, "
         "injection_time: 1 us, faults: {handlers: 2, distribution: fixed, service_time: 500 ns}}\n"
      << "workload:\n  processes:\n";
  const std::pair<const char*, const char*> processes[] = {
      {"ann", "g"}, {"ben", "g"}, {"cat", "h"}, {"dan", "h"}, {"eve", ""}};
  for (const auto& [name, guest] : processes) {
    out << "    - name: " << name << "\n";
    if (*guest != 0) out << "      guest: " << guest << "\n";
    out << "      device: dsa0\n      outstanding: 8\n      buffers:\n"
        << "        - {name: a, size: 256 KiB, resident: 0.5, content: random}\n"
        << "        - {name: b, size: 256 KiB, resident: 0.2, content: random, huge: "
        << (rng.below(2) == 0 ? "true" : "false") << "}\n"
        << "        - {name: c, size: 32 KiB, content: random}\n"
        << "      steps:\n"
        << Life(rng, *guest != 0).steps();
  }
  return out.str();
}

class Guests : public testing::TestWithParam<std::uint64_t> {};

// The run itself checks bytes, bindings, answers and uses of translations.
TEST_P(Guests, KeepTheirBytes) {
  const fs::path folder = fs::path(testing::TempDir()) /
                          ("svasim_guests_" + std::to_string(GetParam()) + "_" + std::to_string(getpid()));
  fs::remove_all(folder);
  fs::create_directories(folder);
  const std::string config = (folder / "guests.yaml").string();
  std::ofstream(config) << scenario(GetParam());
  Json verified[2];
  for (const char* timing : {"approximate", "loose"}) {
    const std::string out = (folder / timing).string();
    // In a process of its own: the kernel elaborates once.
    const pid_t child = fork();
    if (child == 0) {
      std::ofstream text(out + ".out");
      _exit(run_cli({"run", config, "--quiet", "--out", out, "--set", std::string("sim.timing=") + timing},
                    {text, text}));
    }
    int status = 0;
    waitpid(child, &status, 0);
    std::stringstream said;
    said << std::ifstream(out + ".out").rdbuf();
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0)
        << config << " " << timing << ": " << said.str();
    const Json results = Json::parse(std::ifstream(out + "/results.json"));
    const Json& statistics = results["statistics"];
    for (const char* none : {"host0.verify.wrong", "stale_uses.errors", "host0.operations.failed"}) {
      EXPECT_EQ(statistics[none]["value"], 0) << none;
    }
    for (const char* some :
         {"host0.guests.faults.forwarded", "host0.guests.invalidations", "host0.guests.pages_migrated",
          "host0.guests.pages_taken", "stale_uses.checked"}) {
      EXPECT_GT(statistics[some]["value"], 0) << some;
    }
    verified[*timing == 'l'] = statistics["host0.operations.completed"]["value"];
  }
  EXPECT_EQ(verified[0], verified[1]);
  fs::remove_all(folder);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Guests, testing::Range<std::uint64_t>(1, 6));

}  // namespace
}  // namespace svasim
