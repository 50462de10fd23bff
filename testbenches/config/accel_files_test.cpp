// `svasim config accel accel/X.conf` says exactly what stands in X.expected; files of accel-config itself,
// with commas behind last entries and all, load as they are.
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "models/host/accel_config.h"
#include "sim/accel_page.h"
#include "sim/cli.h"

namespace svasim {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kSamples = "testbenches/config/accel/samples/";

std::string contents_of(const fs::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".conf") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string name_of(const testing::TestParamInfo<std::string>& test) { return test.param; }

class WrongAccelFile : public testing::TestWithParam<std::string> {};

TEST_P(WrongAccelFile, GivesItsMessages) {
  fs::current_path("testbenches/config");
  const std::string file = "accel/" + GetParam();
  std::ostringstream out;
  std::ostringstream err;
  EXPECT_EQ(run_cli({"config", "accel", file + ".conf"}, {out, err}), kExitUsage);
  EXPECT_EQ(err.str(), contents_of(file + ".expected"));
  EXPECT_EQ(out.str(), "");
}

INSTANTIATE_TEST_SUITE_P(Config, WrongAccelFile, testing::ValuesIn(names_in("testbenches/config/accel")),
                         name_of);

class AccelSample : public testing::TestWithParam<std::string> {};

TEST_P(AccelSample, LoadsUnchanged) {
  std::ostringstream out;
  std::ostringstream err;
  EXPECT_EQ(run_cli({"config", "accel", kSamples + GetParam() + ".conf"}, {out, err}), kExitOk);
  EXPECT_EQ(err.str(), "");
  EXPECT_THAT(out.str(), HasSubstr("page faults"));
}

INSTANTIATE_TEST_SUITE_P(Config, AccelSample, testing::ValuesIn(names_in(kSamples)), name_of);

AccelConfig load(const std::string& name) {
  Problems problems;
  AccelConfig config = load_accel_config(kSamples + name + ".conf", problems);
  EXPECT_EQ(problems.to_string(), "");
  return config;
}

// What profilenote.txt beside the profiles says: "2 groups; Grp1 - SWQ1@8qd, 1eng, max xfer size=16KB, max
// batch sz=32, bof=0, threshold=6; Grp2 - SWQ2@32qd, 1eng, max xfer size=2MB, max batch sz=32, bof=0,
// threshold=28".
TEST(AccelConfig, SaysWhatTheNotesOfTheProfileSay) {
  const AccelConfig config = load("app_profile");
  ASSERT_EQ(config.devices.size(), 1U);
  const AccelDevice& device = config.devices[0];
  EXPECT_EQ(device.name, "dsa0");
  EXPECT_EQ(device.groups.size(), 2U);
  ASSERT_EQ(device.queues.size(), 2U);
  ASSERT_EQ(device.engines.size(), 2U);
  const unsigned sizes[] = {8, 32};
  const unsigned thresholds[] = {6, 28};
  const std::uint64_t transfers[] = {16 << 10, 2 << 20};
  for (unsigned i = 0; i < 2; ++i) {
    const AccelQueue& queue = device.queues[i];
    EXPECT_TRUE(queue.shared());
    EXPECT_EQ(queue.number, i);
    EXPECT_EQ(queue.group, i);
    EXPECT_EQ(device.engines[i].group, i);
    EXPECT_EQ(queue.size, sizes[i]);
    EXPECT_EQ(queue.threshold, thresholds[i]);
    EXPECT_EQ(queue.max_transfer_size, transfers[i]);
    EXPECT_EQ(queue.max_batch_size, 32U);
    EXPECT_EQ(queue.block_on_fault, 0U);
    EXPECT_EQ(queue.priority, 10U);
    EXPECT_EQ(queue.name, "app" + std::to_string(i + 1));
  }
}

// "4 groups, each with 1 DWQ@32qd/1 eng per group; each DWQ has max xfer size=16KB; DWQ threshold default 0".
TEST(AccelConfig, GroupsOfDedicatedQueues) {
  const AccelConfig config = load("net_profile");
  const AccelDevice& device = config.devices.at(0);
  EXPECT_EQ(device.groups.size(), 4U);
  ASSERT_EQ(device.queues.size(), 4U);
  ASSERT_EQ(device.engines.size(), 4U);
  for (unsigned i = 0; i < 4; ++i) {
    EXPECT_FALSE(device.queues[i].shared());
    EXPECT_EQ(device.queues[i].size, 32U);
    EXPECT_EQ(device.queues[i].max_transfer_size, 16U << 10U);
    EXPECT_EQ(device.queues[i].threshold, 0U);
    EXPECT_EQ(device.queues[i].group, i);
    EXPECT_EQ(device.engines[i].group, i);
  }
}

// The file has a comma behind the last attribute of groups 2 and 3.
TEST(AccelConfig, CommasBehindTheLastEntry) {
  const AccelConfig config = load("2g2q_user_1");
  const AccelDevice& device = config.devices.at(0);
  ASSERT_EQ(device.groups.size(), 4U);
  for (const AccelGroup& group : device.groups) EXPECT_EQ(group.read_buffers_allowed, 8U);
  EXPECT_EQ(device.engines.size(), 4U);
}

TEST(AccelConfig, EnginesOfNoGroup) {
  const AccelConfig config = load("2g2q_user_2");
  const AccelDevice& device = config.devices.at(0);
  EXPECT_FALSE(device.is_dsa());
  std::vector<unsigned> idle;
  for (const AccelEngine& engine : device.engines) {
    if (!engine.group) idle.push_back(engine.number);
  }
  EXPECT_THAT(idle, testing::ElementsAre(0, 2, 4, 5, 6, 7));
}

// SPEC: [LINUX lib/vsprintf.c bitmap_string]: words of 32 bits, the highest first.
TEST(AccelConfig, BitmapOfOperations) {
  AccelQueue queue;
  EXPECT_FALSE(queue.operations());
  queue.op_config = "00000000,00000000,00000000,00000000,00000000,00000000,00000001,003f03ff";
  const auto words = queue.operations();
  ASSERT_TRUE(words);
  EXPECT_THAT(*words, testing::ElementsAre(0x3f03ffU, 1U, 0U, 0U, 0U, 0U, 0U, 0U));
  for (const char* wrong : {"x", "1,", ",1", "123456789", "1,2,3,4,5,6,7,8,9"}) {
    queue.op_config = wrong;
    EXPECT_FALSE(queue.operations()) << wrong;
  }
}

// SPEC: [DSA 9.2.12]: 0x15, a group has work queues without engines; 0x20, the device is not enabled.
TEST(AccelConfig, TheDeviceRefusesAWrongFileOnDemand) {
  const std::string file = "testbenches/config/accel/forced.yaml";
  std::ostringstream out;
  std::ostringstream refused;
  EXPECT_EQ(run_cli({"config", "check", file}, {out, refused}), kExitUsage);
  EXPECT_THAT(refused.str(), HasSubstr("no_engine.conf:36:7: [0].groups[1]: has work queues, but no engine"));
  std::ostringstream err;
  const fs::path folder = fs::path(testing::TempDir()) / "svasim_accel_forced";
  fs::remove_all(folder);
  EXPECT_EQ(run_cli({"run", file, "--set", "components.host0.dsa.accel_force=true", "--out", folder.string()},
                    {out, err}),
            1);
  fs::remove_all(folder);
  EXPECT_THAT(out.str() + err.str(), HasSubstr("host0.dsa0: command 1 failed with error 0x15"));
  EXPECT_THAT(out.str() + err.str(), HasSubstr("host0.dsa0: command 6 failed with error 0x20"));
}

TEST(AccelConfig, ProcessesNameQueuesOfTheFile) {
  const auto check = [](const std::string& set) {
    std::ostringstream out;
    std::ostringstream err;
    run_cli({"config", "check", "configs/scenarios/idxd_divided.yaml", "--set", set}, {out, err});
    return err.str();
  };
  EXPECT_EQ(check("workload.processes[0].wq=1"), "");
  EXPECT_EQ(check("workload.processes[0].wq=wq0.1"), "");
  EXPECT_THAT(check("workload.processes[0].wq=app3"), HasSubstr("dsa0 has no work queue 'app3'"));
  EXPECT_THAT(check("workload.processes[0].outstanding=17"), HasSubstr("wq1 has 16 entries"));
  EXPECT_THAT(check("components.host0.dsa.accel_config="), HasSubstr("which is not given"));
  EXPECT_THAT(check("components.host0.dsa.accel_config=no.conf"),
              HasSubstr("no.conf: there is no such file"));
}

TEST(AccelPage, TellsWhatADeviceWouldRefuseOnDemand) {
  std::ostringstream out;
  std::ostringstream err;
  const std::string file = "testbenches/config/accel/";
  EXPECT_EQ(run_cli({"config", "accel", file + "no_engine.conf", "--force"}, {out, err}), kExitOk);
  EXPECT_THAT(out.str(), HasSubstr("32 of 128 entries used"));
  EXPECT_EQ(run_cli({"config", "accel", file + "refused.conf", "--force"}, {out, err}), kExitUsage);
  EXPECT_THAT(err.str(), HasSubstr("dsa0 has 8 work queues"));
  EXPECT_THAT(err.str(), Not(HasSubstr("priority")));
}

TEST(AccelPage, NotesWhatIsUnusual) {
  const std::string iax = accel_page(load("2g2q_user_2"));
  EXPECT_THAT(iax, HasSubstr("queue 4 has a threshold of its size"));
  EXPECT_THAT(iax, Not(HasSubstr("queue 1 has")));
  EXPECT_THAT(accel_page(load("app_profile")), HasSubstr("2 of 4 engines are not mentioned"));
  EXPECT_THAT(accel_page(load("net_profile")), Not(HasSubstr("unusual")));
}

}  // namespace
}  // namespace svasim
