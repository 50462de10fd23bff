// Random life-cycle stress: random operations of processes and devices on random systems, with every check
// there is. scripts/stress is the long campaign; here a few seeds.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "sim/cli.h"
#include "system/stress_generator.h"

namespace svasim {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 0);
}

std::string contents_of(const fs::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

struct Outcome {
  int code = 0;
  std::string results;
  std::string told;
};

// In a process of its own: the kernel elaborates once.
Outcome run(const fs::path& folder, const std::string& configuration, const std::vector<std::string>& more) {
  fs::remove_all(folder);
  fs::create_directories(folder);
  std::ofstream(folder / "stress.yaml") << configuration;
  std::vector<std::string> args = {"run", (folder / "stress.yaml").string(), "--out",
                                   (folder / "out").string(), "--quiet"};
  args.insert(args.end(), more.begin(), more.end());
  const pid_t child = fork();
  if (child == 0) {
    std::ofstream err(folder / "err");
    const int code = run_cli(args, {err, err});
    err.close();
    _exit(code);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, contents_of(folder / "out" / "results.json"),
          contents_of(folder / "err")};
}

// What happened, for people and for scripts/stress. A number of nothing would make the checks worthless.
void summarise(std::uint64_t seed, const Json& results) {
  const auto sum = [&](const std::string& begin, const std::string& end) {
    std::uint64_t total = 0;
    for (const auto& [name, value] : results["statistics"].items()) {
      const bool here = name.compare(0, begin.size(), begin) == 0 && name.size() > end.size() &&
                        name.compare(name.size() - end.size(), end.size(), end) == 0;
      if (here && value.contains("value")) total += value["value"].get<std::uint64_t>();
    }
    return total;
  };
  std::uint64_t work = 0;
  for (const Json& check : results["checks"]) {
    if (check["name"] == "host0.work_done") work = check["figure"].get<std::uint64_t>();
  }
  const std::uint64_t groups = sum("atc", ".page_groups");
  const std::uint64_t responses = sum("atc", ".responses_success") + sum("atc", ".responses_invalid") +
                                  sum("atc", ".responses_failure") + sum("atc", ".responses_unexpected");
  EXPECT_EQ(groups, responses);
  EXPECT_EQ(sum("atc", ".responses_unexpected"), 0U);
  EXPECT_GT(sum("stale_uses", ".checked"), 0U);
  EXPECT_GT(sum("host0.verify", ".bytes"), 0U);
  std::cout << work << " operations, seed " << seed << ", " << sum("host0.operations", ".completed")
            << " device operations completed, " << sum("host0.operations", ".failed") << " failed, " << groups
            << " page request groups, " << sum("prq", ".overflows") << " overflows, "
            << sum("atc", ".invalidations") << " device invalidations, " << sum("stale_uses", ".checked")
            << " uses compared, "
            << sum("stale_uses.exposed", "_reads") + sum("stale_uses.exposed", "_writes") << " exposed, "
            << sum("host0.process", ".forks") << " forks, " << sum("host0.process", ".exits") << " exits, "
            << sum("host0.sva", ".binds") << " binds, " << sum("host0.memory", ".pages_out")
            << " pages written out, " << sum("host0.unmap", ".pages") << " pages unmapped, "
            << sum("host0.verify", ".bytes") << " bytes verified" << std::endl;
}

class Stress : public testing::TestWithParam<std::uint64_t> {
 protected:
  // Stays when a check fails. WHY the process: others may run the same seed.
  static fs::path folder() {
    return fs::path(testing::TempDir()) / fmt::format("svasim_stress_{}_{}", GetParam(), getpid());
  }
  void TearDown() override {
    if (!HasFailure()) fs::remove_all(folder());
  }
};
const std::uint64_t kFirstSeed = from_environment("SVASIM_STRESS_SEED", 1);
INSTANTIATE_TEST_SUITE_P(Seed, Stress,
                         testing::Range(kFirstSeed, kFirstSeed + from_environment("SVASIM_STRESS_RUNS", 4)),
                         testing::PrintToStringParamName());

TEST_P(Stress, EveryCheckHolds) {
  StressSize size;
  size.operations = from_environment("SVASIM_STRESS_OPERATIONS", size.operations);
  const std::string configuration = stress_configuration(GetParam(), size);
  const Outcome outcome = run(folder(), configuration, {});
  ASSERT_EQ(outcome.code, 0) << outcome.told << "\nin " << folder();
  const Json results = Json::parse(outcome.results);
  std::uint64_t checks = 0;
  for (const Json& check : results["checks"]) {
    EXPECT_TRUE(check["ok"].get<bool>()) << check;
    ++checks;
  }
  EXPECT_GT(checks, 20U);
  summarise(GetParam(), results);
}

// Another order of construction, and another run: the same bytes.
TEST_P(Stress, TheSameSeedGivesTheSameBytes) {
  StressSize size;
  size.operations = 500;
  const std::string configuration = stress_configuration(GetParam(), size);
  ASSERT_EQ(configuration, stress_configuration(GetParam(), size));
  const Outcome once = run(folder() / "once", configuration, {});
  const Outcome again = run(folder() / "again", configuration, {});
  const Outcome reversed = run(folder() / "reversed", configuration, {"--set", "sim.construction=reversed"});
  ASSERT_EQ(once.code, 0) << once.told;
  EXPECT_EQ(once.results, again.results);
  Json forward = Json::parse(once.results);
  Json backward = Json::parse(reversed.results);
  for (const char* part : {"checks", "statistics", "stale_uses", "end", "notes"}) {
    EXPECT_TRUE(forward.contains(part)) << part;
    EXPECT_TRUE(forward[part] == backward[part]) << part;
  }
}

}  // namespace
}  // namespace svasim
