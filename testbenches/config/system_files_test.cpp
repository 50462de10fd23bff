// `svasim config check system/X.yaml`, and `svasim run`, with the --set options in X.set say exactly
// what stands in X.expected, and leave nothing behind.
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "sim/cli.h"

namespace svasim {
namespace {

namespace fs = std::filesystem;

std::string contents_of(const fs::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

// Tests run in the project's folder.
class SystemFile : public testing::TestWithParam<std::string> {};

TEST_P(SystemFile, GivesItsMessages) {
  fs::current_path("testbenches/config");
  const fs::path file = fs::path("system") / (GetParam() + ".yaml");
  std::vector<std::string> options;
  std::istringstream sets(contents_of(fs::path(file).replace_extension(".set")));
  for (std::string line; std::getline(sets, line);) {
    options.push_back("--set");
    options.push_back(line);
  }
  const std::string expected = contents_of(fs::path(file).replace_extension(".expected"));
  std::vector<std::string> args = {"config", "check", file.string()};
  args.insert(args.end(), options.begin(), options.end());
  std::ostringstream out;
  std::ostringstream err;
  const int code = run_cli(args, {out, err});
  EXPECT_EQ(err.str(), expected);
  EXPECT_EQ(code, expected.empty() ? kExitOk : kExitUsage);
  if (expected.empty()) return;

  const fs::path folder = fs::path(testing::TempDir()) / ("svasim_system_" + GetParam());
  fs::remove_all(folder);  // of an earlier run that failed
  args = {"run", file.string(), "--out", folder.string()};
  args.insert(args.end(), options.begin(), options.end());
  std::ostringstream run_err;
  EXPECT_EQ(run_cli(args, {out, run_err}), kExitUsage);
  EXPECT_EQ(run_err.str(), expected);
  EXPECT_FALSE(fs::exists(folder));
}

std::vector<std::string> all_files() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator("testbenches/config/system")) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string name_of(const testing::TestParamInfo<std::string>& test) { return test.param; }

INSTANTIATE_TEST_SUITE_P(Config, SystemFile, testing::ValuesIn(all_files()), name_of);

}  // namespace
}  // namespace svasim
