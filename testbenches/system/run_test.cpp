// Whole runs from the command line: what they leave behind, and that nothing but configuration and
// seed decides it.
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "sim/cli.h"
#include "support/capture_copy.h"

namespace svasim {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Json = nlohmann::json;

std::string contents_of(const fs::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

struct Outcome {
  int code = 0;
  fs::path folder;
  std::string out;
  std::string err;
  std::string results_text() const { return contents_of(folder / "results.json"); }
  Json results() const { return Json::parse(results_text()); }
};

class Run : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(testing::TempDir()) /
            (std::string("svasim_run_") + testing::UnitTest::GetInstance()->current_test_info()->name() +
             "_" + std::to_string(getpid()));
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  // Each run in a process of its own: the kernel elaborates once.
  Outcome run(const std::string& config, const std::vector<std::string>& sets,
              std::vector<std::string> more = {}) {
    Outcome outcome;
    outcome.folder = root_ / ("run" + std::to_string(runs_++));
    const std::string base = outcome.folder.string();
    std::vector<std::string> args = {"run", config, "--out", base};
    for (const std::string& set : sets) {
      args.push_back("--set");
      args.push_back(set);
    }
    args.insert(args.end(), more.begin(), more.end());
    const pid_t child = fork();
    if (child == 0) {
      std::ofstream out(base + ".out");
      std::ofstream err(base + ".err");
      const int code = run_cli(args, {out, err});
      out.close();
      err.close();
      _exit(code);
    }
    int status = 0;
    waitpid(child, &status, 0);
    outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    outcome.out = contents_of(base + ".out");
    outcome.err = contents_of(base + ".err");
    return outcome;
  }

  fs::path root_;

 private:
  int runs_ = 0;
};

const char* const kQuickstart = "configs/quickstart.yaml";
// A shorter workload of the same kind.
const std::vector<std::string> kShort = {
    "checks=[]", "workload.processes[0].steps[0].count=40", "workload.processes[0].steps[2].count=40",
    "workload.processes[1].steps[0].count=100", "workload.processes[1].steps[1].count=100"};

std::vector<std::string> with(std::vector<std::string> sets, const std::string& more) {
  sets.push_back(more);
  return sets;
}

TEST_F(Run, QuickstartShowsTheWholeLoop) {
  const Outcome outcome = run(kQuickstart, {});
  ASSERT_EQ(outcome.code, kExitOk) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  const Json results = outcome.results();
  EXPECT_EQ(results["schema_version"], 1);
  EXPECT_EQ(results["ok"], true);
  EXPECT_EQ(results["end"]["reason"], "complete");
  EXPECT_EQ(results["inputs"][0]["file"], "quickstart.yaml");
  EXPECT_EQ(results["inputs"][0]["sha256"].get<std::string>().size(), 64U);
  EXPECT_EQ(results["configuration"]["components"]["walker0"]["slots"], 8);
  EXPECT_EQ(results["configuration"]["components"]["link0"]["lanes"], 16);  // a default
  for (const Json& check : results["checks"]) EXPECT_EQ(check["ok"], true) << check.dump();
  const Json& statistics = results["statistics"];
  EXPECT_GT(statistics["host0.verify.bytes"]["value"], 0);
  EXPECT_EQ(statistics["host0.verify.wrong"]["value"], 0);
  EXPECT_GT(statistics["host0.faults.pages_mapped"]["value"], 0);
  EXPECT_GT(statistics["iommu0.walks_started"]["value"], 0);
  EXPECT_GT(statistics["iommu0.device_invalidations"]["value"], 0);
  for (const char* heading : {"throughput", "latency", "hit rates", "where the time went", "checks: all"}) {
    EXPECT_THAT(outcome.out, HasSubstr(heading));
  }
  EXPECT_THAT(contents_of(outcome.folder / "stats.csv"), HasSubstr("name,field,value,unit,kind\n"));
  EXPECT_GT(Json::parse(contents_of(outcome.folder / "host.json"))["wall_seconds"], 0);
  EXPECT_EQ(std::distance(fs::directory_iterator(outcome.folder), fs::directory_iterator()), 3);
}

TEST_F(Run, NothingButConfigurationAndSeedDecides) {
  const Outcome first = run(kQuickstart, kShort);
  ASSERT_EQ(first.code, kExitOk) << first.err;
  EXPECT_EQ(run(kQuickstart, kShort).results_text(), first.results_text());
  EXPECT_EQ(run(kQuickstart, with(kShort, "sim.construction=reversed")).results_text(), first.results_text());
  const Outcome other = run(kQuickstart, kShort, {"--seed", "2"});
  EXPECT_EQ(other.results()["seed"], 2);
  EXPECT_NE(other.results()["end"], first.results()["end"]);
}

// --- Devices that cannot ask for pages

// Ends well in both timings, with these operations and no page request; returns the statistics.
class FaultsWithoutRequests : public Run {
 protected:
  Json statistics(const std::vector<std::string>& sets, const char* timing) {
    std::vector<std::string> all = kShort;
    all.insert(all.end(), sets.begin(), sets.end());
    all.push_back(std::string("sim.timing=") + timing);
    const Outcome outcome = run(kQuickstart, all);
    EXPECT_EQ(outcome.code, kExitOk) << timing << outcome.err;
    const Json results = outcome.results();
    const Json& all_statistics = results["statistics"];
    EXPECT_EQ(all_statistics["host0.operations.completed"]["value"], kOperations) << timing;
    EXPECT_EQ(all_statistics["host0.verify.wrong"]["value"], 0) << timing;
    EXPECT_EQ(all_statistics["host0.dma_faults"]["value"], 0) << timing;
    EXPECT_EQ(all_statistics["host0.faults.page_requests"]["value"], 0) << timing;
    EXPECT_EQ(all_statistics["host0.unmap.calls"]["value"], 2) << timing;
    return all_statistics;
  }
  // 40 + 40 moves, 100 + 100 moves, 16 fills, 100 no-ops.
  static constexpr int kOperations = 396;
};

// SPEC: [DSA 3.13.2] partial completion; the process touches the page and submits the rest. The pages
// brought in are those a run with page requests brings in.
TEST_F(FaultsWithoutRequests, PartialCompletionsAreGoneOnWith) {
  const Json pages = run(kQuickstart, kShort).results()["statistics"]["host0.faults.pages_mapped"]["value"];
  for (const char* timing : {"approximate", "loose"}) {
    for (const char* how :
         {"components.host0.dsa.block_on_fault=false", "components.dsa0.page_requests=false"}) {
      const Json s = statistics({how}, timing);
      EXPECT_EQ(s["host0.operations.pages_touched"]["value"], pages) << how;
      EXPECT_GE(s["host0.operations.resubmitted"]["value"], pages) << how;
    }
  }
}

TEST_F(FaultsWithoutRequests, WithoutAtcPagesAreTouchedFirst) {
  const Json pages = run(kQuickstart, kShort).results()["statistics"]["host0.faults.pages_mapped"]["value"];
  const std::vector<std::string> bare = {"components.atc0=", "components.dsa0.port=link0"};
  for (const char* timing : {"approximate", "loose"}) {
    const Json s = statistics(bare, timing);
    EXPECT_EQ(s["host0.operations.pages_touched"]["value"], pages);
    EXPECT_EQ(s["host0.operations.resubmitted"]["value"], 0);
    EXPECT_EQ(s["iommu0.device_invalidations"]["value"], 0);
    EXPECT_GT(s["iommu0.untranslated"]["value"], 0);
  }
}

// Nothing of device TLBs and page requests is needed then.
TEST_F(FaultsWithoutRequests, AnIommuWithoutDeviceTlbs) {
  statistics({"components.atc0=", "components.dsa0.port=link0", "components.prq0=",
              "components.iommu0.page_request_queue=", "components.iommu0.capabilities.page_requests=false",
              "components.iommu0.capabilities.device_tlb=false"},
             "approximate");
}

TEST_F(FaultsWithoutRequests, BlockOnFaultIsAContradiction) {
  const Outcome outcome = run(kQuickstart, {"components.atc0=", "components.dsa0.port=link0",
                                            "components.host0.dsa.block_on_fault=true"});
  EXPECT_EQ(outcome.code, kExitUsage);
  EXPECT_THAT(outcome.err, HasSubstr("'dsa0' has no page requests"));
}

// Whoever waits for a second does not look every 50 ns.
TEST_F(Run, LongWaitsTakeFewLooks) {
  const Outcome outcome =
      run(kQuickstart,
          {"checks=[]", "workload.processes[0].steps=[{do: memmove, from: source, to: target, count: 4}]",
           "workload.processes[1].steps=[{do: sleep, time: 1 us}]",
           "components.host0.faults.service_time=1 s", "components.host0.faults.service_spread=0 ps",
           "components.dsa0.command_latency=1 s", "sim.watchdog=100 s"});
  ASSERT_EQ(outcome.code, kExitOk) << outcome.err;
  EXPECT_GT(outcome.results()["end"]["time_ps"], 1'000'000'000'000);
  EXPECT_LT(Json::parse(contents_of(outcome.folder / "host.json"))["user_seconds"], 5);
}

TEST_F(Run, ProtocolChecksChangeNoStatistic) {
  const Outcome with_checks = run(kQuickstart, kShort);
  const Outcome without = run(kQuickstart, with(kShort, "sim.protocol_checks=false"));
  ASSERT_EQ(without.code, kExitOk) << without.err;
  EXPECT_EQ(without.results()["statistics"], with_checks.results()["statistics"]);
  EXPECT_EQ(without.results()["end"], with_checks.results()["end"]);
}

// The only results that differ are the configuration's.
TEST_F(Run, DirectMemoryChangesNoResult) {
  const std::vector<std::string> sets = {
      "sim.timing=loose",
      "sim.protocol_checks=false",
      "components.traffic0.count=20000",
      "components.traffic0.write_percent=40",
      "components.traffic0.base=0x100000",
      "components.traffic0.range=1 MiB",
  };
  const char* const kConfig = "testbenches/config/system/ok.yaml";
  const Outcome with_it = run(kConfig, sets);
  const Outcome without = run(kConfig, with(sets, "components.traffic0.direct_memory=false"));
  ASSERT_EQ(with_it.code, kExitOk) << with_it.err;
  ASSERT_EQ(without.code, kExitOk) << without.err;
  Json results = with_it.results();
  EXPECT_EQ(results["statistics"]["traffic0.reads"]["value"].get<int>() +
                results["statistics"]["traffic0.writes"]["value"].get<int>(),
            20000);
  EXPECT_EQ(results["configuration"]["components"]["traffic0"]["direct_memory"], true);
  results["configuration"]["components"]["traffic0"]["direct_memory"] = false;
  EXPECT_EQ(results, without.results());
}

TEST_F(Run, StaleUseChecksChangeNoStatistic) {
  for (const char* timing : {"sim.timing=approximate", "sim.timing=loose"}) {
    const std::vector<std::string> watched = with(with(kShort, timing), "sim.stale_use_checks=true");
    const Outcome off = run(kQuickstart, with(kShort, timing));
    const Outcome on = run(kQuickstart, watched);
    ASSERT_EQ(on.code, kExitOk) << on.err;
    EXPECT_EQ(run(kQuickstart, with(watched, "sim.construction=reversed")).results_text(), on.results_text());
    EXPECT_FALSE(off.results().contains("stale_uses"));
    Json statistics = on.results()["statistics"];
    EXPECT_GT(statistics["stale_uses.checked"]["value"], 1000);
    for (auto stat = statistics.begin(); stat != statistics.end();) {
      stat = stat.key().rfind("stale_uses.", 0) == 0 ? statistics.erase(stat) : std::next(stat);
    }
    EXPECT_EQ(statistics, off.results()["statistics"]);
    EXPECT_EQ(on.results()["end"], off.results()["end"]);
    EXPECT_THAT(on.out, HasSubstr("uses of translations compared with the tables"));
  }
}

TEST_F(Run, LooseAndApproximateAgreeOnWhatDoesNotDependOnTime) {
  const Outcome approximate = run(kQuickstart, kShort);
  const Outcome loose = run(kQuickstart, with(kShort, "sim.timing=loose"));
  ASSERT_EQ(loose.code, kExitOk) << loose.err;
  const Json a = approximate.results()["statistics"];
  const Json l = loose.results()["statistics"];
  std::size_t compared = 0;
  for (const auto& [path, stat] : a.items()) {
    if (stat["kind"] != "invariant") continue;
    EXPECT_EQ(l[path], stat) << path;
    ++compared;
  }
  EXPECT_GT(compared, 20U);
}

TEST_F(Run, ShownConfigurationRunsTheSame) {
  std::ostringstream shown;
  std::ostringstream err;
  std::vector<std::string> args = {"config", "show", kQuickstart};
  for (const std::string& set : kShort) {
    args.push_back("--set");
    args.push_back(set);
  }
  ASSERT_EQ(run_cli(args, {shown, err}), kExitOk) << err.str();
  const fs::path file = root_ / "shown.yaml";
  std::ofstream(file) << shown.str();
  const Outcome original = run(kQuickstart, kShort);
  const Outcome copy = run(file.string(), {});
  ASSERT_EQ(copy.code, kExitOk) << copy.err;
  EXPECT_EQ(copy.results()["configuration"], original.results()["configuration"]);
  EXPECT_EQ(copy.results()["statistics"], original.results()["statistics"]);
}

TEST_F(Run, LostPageResponsesEndWithTheRequestsNamed) {
  const Outcome outcome = run(kQuickstart, with(kShort, "components.host0.faults.drop_prg_responses=true"));
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_THAT(outcome.err, HasSubstr("run.end"));
  EXPECT_THAT(outcome.err, HasSubstr("in flight: dsa0"));
  EXPECT_THAT(outcome.err, HasSubstr("in flight: atc0"));
  const Json results = outcome.results();
  EXPECT_EQ(results["ok"], false);
  EXPECT_THAT(results["end"]["reason"], testing::AnyOf("hang", "starved"));
  EXPECT_FALSE(results["end"]["in_flight"].empty());
}

TEST_F(Run, WarmUpDoesNotCount) {
  const Outcome all = run(kQuickstart, kShort);
  const Outcome part = run(kQuickstart, with(kShort, "sim.warmup=100 us"));
  ASSERT_EQ(part.code, kExitOk) << part.err;
  EXPECT_EQ(part.results()["end"], all.results()["end"]);
  EXPECT_LT(part.results()["statistics"]["host0.operations.completed"]["value"],
            all.results()["statistics"]["host0.operations.completed"]["value"]);
}

// A quiet stretch far longer than the host's first slices, and events on the borders of periods. Who sleeps
// as told is no hang.
TEST_F(Run, QuietTimesAndPeriodsChangeNothing) {
  const std::vector<std::string> sets =
      with(kShort, "workload.processes[0].steps[1]={do: sleep, time: 3 ms, to: null}");
  const Outcome first = run(kQuickstart, sets);
  ASSERT_EQ(first.code, kExitOk) << first.err << first.out;
  const Outcome second = run(kQuickstart, with(sets, "sim.watchdog=4 ms"));
  ASSERT_EQ(second.code, kExitOk) << second.err;
  EXPECT_EQ(second.results()["statistics"], first.results()["statistics"]);
  EXPECT_EQ(run(kQuickstart, with(sets, "sim.watchdog=1 ms")).results()["end"]["reason"], "complete");
}

TEST_F(Run, MaxTimeEndsTheRun) {
  const Outcome outcome = run(kQuickstart, with(kShort, "sim.max_time=50 us"));
  EXPECT_EQ(outcome.results()["end"]["reason"], "max_time");
  EXPECT_EQ(outcome.results()["end"]["time_ps"], 50'000'000);
}

TEST_F(Run, ConfiguredChecksCount) {
  const Outcome outcome =
      run(kQuickstart, with(kShort, "checks=[{statistic: host0.operations.completed, at_most: 1}]"));
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_THAT(outcome.out, HasSubstr("checks: 1 of"));
  EXPECT_THAT(outcome.err, HasSubstr("configured.host0.operations.completed.value"));
}

TEST_F(Run, BadInputLeavesNothingBehind) {
  const fs::path broken = root_ / "broken.tar.zst";
  const std::string whole = contents_of("traces/vfio-fs11.tar.zst");
  std::ofstream(broken) << whole.substr(0, whole.size() / 2);
  const Outcome outcome = run("configs/linux_trace.yaml", {"dataset=" + broken.string()});
  EXPECT_EQ(outcome.code, kExitUsage);
  EXPECT_THAT(outcome.err, HasSubstr("broken.tar.zst"));
  EXPECT_FALSE(fs::exists(outcome.folder));
}

const char* const kReplay = "configs/linux_trace.yaml";

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

// SPEC: [VTD 11.4.2]: record n lies at FRO * 16 + 16 n, so the last of 256 are above the first 4 KiB.
// Every fault of the capture twice makes 250 of them, each in a record of its own.
TEST_F(Run, AllFaultRecordsAreReached) {
  const CaptureCopy capture("traces/vfio-fs11.tar.zst");
  std::istringstream lines(capture.read("dma.trace"));
  std::string text;
  std::uint64_t faults = 0;
  for (std::string line; std::getline(lines, line);) {
    text += line + "\n";
    if (line.find(" F ") == std::string::npos) continue;
    text += line + "\n";
    faults += 2;
  }
  capture.write("dma.trace", text);
  ASSERT_GT(faults, 193U);
  const Outcome outcome =
      run(kReplay, {"dataset=" + capture.path(), "components.iommu.capabilities.fault_records=256"});
  ASSERT_EQ(outcome.code, kExitOk) << outcome.err;
  EXPECT_EQ(outcome.results()["statistics"]["replay.capture.fault_records"]["value"],
            outcome.results()["statistics"]["replay.faults"]["value"]);
  EXPECT_GT(outcome.results()["statistics"]["replay.faults"]["value"], 193);
}

TEST_F(Run, ReplayNamesTheMemoryItNeeds) {
  const Outcome small = run(kReplay, {"components.memory.size=1 GiB"});
  EXPECT_EQ(small.code, kExitUsage);
  EXPECT_THAT(small.err,
              testing::StartsWith("--set #1: components.memory.size: 'replay' uses memory from 0x"));
  EXPECT_FALSE(fs::exists(small.folder));
  const std::string before = "would need a size of ";
  const std::size_t at = small.err.find(before);
  ASSERT_NE(at, std::string::npos) << small.err;
  const int gib = std::stoi(small.err.substr(at + before.size()));
  const auto with_size = [&](int size) {
    return run(kReplay, {"components.memory.size=" + std::to_string(size) + " GiB"});
  };
  EXPECT_EQ(with_size(gib).code, kExitOk);
  EXPECT_EQ(with_size(gib - 1).code, kExitUsage);
}

TEST_F(Run, SummaryOfAReplaySaysWhatWasCompared) {
  const Outcome outcome = run(kReplay, {});
  ASSERT_EQ(outcome.code, kExitOk) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("compared with the capture: replay"));
  const auto shows = [&](const std::string& words, const Json& figure) {
    EXPECT_THAT(outcome.out, testing::ContainsRegex("\n  " + words + " +" + figure.dump() + "\n"));
  };
  unsigned explained = 0;
  const Json results = outcome.results();
  for (const Json& check : results["checks"]) {
    const std::string name = check["name"];
    if (name == "replay.compared") shows("accesses and faults", check["figure"]);
    const std::string group = "replay.explained.";
    if (name.rfind(group, 0) != 0) continue;
    std::string words = name.substr(group.size());
    std::replace(words.begin(), words.end(), '_', ' ');
    shows(words, check["figure"]);
    ++explained;
  }
  EXPECT_GT(explained, 5U);
}

TEST_F(Run, UnsuitableFoldersAreFoundBeforeTheRun) {
  const fs::path folder = root_ / "run0";
  fs::create_directories(folder / "results.json");
  const Outcome outcome = run(kQuickstart, kShort);
  EXPECT_EQ(outcome.code, kExitUsage);
  EXPECT_THAT(outcome.err, HasSubstr("results.json': it is a folder"));
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(names_in(folder), std::vector<std::string>{"results.json"});
  // A folder in which nobody can make anything, not even root.
  const Outcome unwritable = run(kQuickstart, kShort, {"--out", "/proc/self"});
  EXPECT_EQ(unwritable.code, kExitUsage);
}

TEST_F(Run, RerunReplacesEverything) {
  const fs::path folder = root_ / "run0";
  fs::create_directories(folder);
  for (const char* file : {"walker0.fst", "results.json", "mine.txt"}) std::ofstream(folder / file) << "old";
  const Outcome outcome = run(kQuickstart, kShort);
  ASSERT_EQ(outcome.code, kExitOk) << outcome.err;
  EXPECT_EQ(names_in(folder),
            (std::vector<std::string>{"host.json", "mine.txt", "results.json", "stats.csv"}));
  EXPECT_EQ(outcome.results()["ok"], true);
}

TEST_F(Run, InterruptedRunLeavesNothing) {
  const fs::path folder = root_ / "deep" / "folder";
  const pid_t child = fork();
  if (child == 0) {
    std::ofstream nowhere("/dev/null");
    alarm(100);  // should the signal not end it, it does not stay
    // Far more work than anybody waits for.
    _exit(run_cli({"run", kQuickstart, "--out", folder.string(), "--set", "checks=[]", "--set",
                   "workload.processes[0].steps[0].count=100000000"},
                  {nowhere, nowhere}));
  }
  while (!fs::exists(folder)) usleep(1000);
  usleep(200000);
  EXPECT_FALSE(names_in(folder).empty());
  kill(child, SIGINT);
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGINT);
  EXPECT_FALSE(fs::exists(root_ / "deep"));
}

TEST_F(Run, ResultsDoNotDependOnWhereFilesAre) {
  const Outcome here = run(kReplay, {});
  ASSERT_EQ(here.code, kExitOk) << here.err;
  EXPECT_EQ(run(fs::absolute(kReplay).string(), {}).results_text(), here.results_text());
  EXPECT_EQ(run("configs/../configs/./linux_trace.yaml", {}).results_text(), here.results_text());
  EXPECT_EQ(run(kReplay, {"dataset=" + fs::absolute("traces/vfio-fs11.tar.zst").string()}).results_text(),
            here.results_text());
  fs::create_directories(root_ / "elsewhere" / "configs");
  fs::copy_file(kReplay, root_ / "elsewhere" / "configs" / "linux_trace.yaml");
  fs::create_directories(root_ / "elsewhere" / "traces");
  fs::copy_file("traces/vfio-fs11.tar.zst", root_ / "elsewhere" / "traces" / "vfio-fs11.tar.zst");
  EXPECT_EQ(run((root_ / "elsewhere" / "configs" / "linux_trace.yaml").string(), {}).results_text(),
            here.results_text());
}

TEST_F(Run, ShownReplayRunsFromAnywhere) {
  std::ostringstream shown;
  std::ostringstream err;
  ASSERT_EQ(run_cli({"config", "show", kReplay}, {shown, err}), kExitOk) << err.str();
  const fs::path file = root_ / "shown.yaml";
  std::ofstream(file) << shown.str();
  const Outcome copy = run(file.string(), {});
  ASSERT_EQ(copy.code, kExitOk) << copy.err;
  const Outcome original = run(kReplay, {});
  EXPECT_EQ(copy.results()["configuration"], original.results()["configuration"]);
  EXPECT_EQ(copy.results()["statistics"], original.results()["statistics"]);
}

TEST_F(Run, NamesThatAreNoTextAreRefused) {
  const fs::path config = root_ / "caf\xe9.yaml";
  fs::copy_file(kQuickstart, config);
  const Outcome outcome = run(config.string(), kShort);
  EXPECT_EQ(outcome.code, kExitUsage);
  EXPECT_THAT(outcome.err, HasSubstr("caf\\xe9.yaml' is not UTF-8"));
  EXPECT_FALSE(fs::exists(outcome.folder));
  const Outcome dataset = run(kReplay, {"dataset=caf\xe9.tar.zst"});
  EXPECT_EQ(dataset.code, kExitUsage);
  EXPECT_EQ(dataset.err, "--set #1: 'dataset=caf\\xe9.tar.zst' is not UTF-8\n");
  // The folder of a configuration is a part of the dataset's name only.
  fs::create_directories(root_ / "caf\xe9");
  EXPECT_EQ(run((root_ / "caf\xe9" / "x.yaml").string(), {}).code, kExitUsage);
}

TEST_F(Run, WarmUpLongerThanTheRunIsNoted) {
  const Outcome outcome = run(kQuickstart, with(kShort, "sim.warmup=1 s"));
  ASSERT_EQ(outcome.code, kExitOk) << outcome.err;
  const std::string note = "the run ended within sim.warmup, 1 s: the statistics are those of all of it";
  EXPECT_THAT(outcome.results()["notes"], testing::Contains(note));
  EXPECT_THAT(outcome.out, HasSubstr(note));
  const Outcome none = run(kQuickstart, kShort);
  EXPECT_EQ(outcome.results()["statistics"], none.results()["statistics"]);
  EXPECT_TRUE(none.results()["notes"].empty());
}

TEST_F(Run, HostWithoutProcessesSaysSo) {
  const Outcome outcome = run(kQuickstart, {"checks=[]", "workload.processes=[]"});
  ASSERT_EQ(outcome.code, kExitOk) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("host0: there are no processes"));
}

}  // namespace
}  // namespace svasim
