#include "sim/cli.h"

#include <gmock/gmock.h>

#include <sstream>

#include "sim/progress_bar.h"
#include "sim/sha256.h"
#include "sim/text.h"

namespace svasim {
namespace {

using testing::HasSubstr;

struct Outcome {
  int code = 0;
  std::string out;
  std::string err;
};

Outcome svasim(const std::vector<std::string>& args) {
  std::ostringstream out;
  std::ostringstream err;
  const int code = run_cli(args, {out, err});
  return {code, out.str(), err.str()};
}

TEST(Cli, HelpOnEveryLevel) {
  for (const std::vector<std::string>& args :
       std::vector<std::vector<std::string>>{{"--help"},
                                             {"-h"},
                                             {"run", "--help"},
                                             {"config", "--help"},
                                             {"config", "check", "--help"},
                                             {"config", "show", "--help"},
                                             {"config", "schema", "--help"},
                                             {"config", "accel", "--help"},
                                             {"list", "--help"},
                                             {"script", "--help"},
                                             {"trace", "--help"},
                                             {"trace", "info", "--help"}}) {
    const Outcome outcome = svasim(args);
    EXPECT_EQ(outcome.code, kExitOk);
    EXPECT_THAT(outcome.out, HasSubstr("usage: svasim")) << testing::PrintToString(args);
    EXPECT_EQ(outcome.err, "");
  }
  EXPECT_THAT(svasim({"run", "--help"}).out, HasSubstr("--seed"));
  EXPECT_THAT(svasim({"--version"}).out, testing::MatchesRegex("svasim [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST(Cli, WrongUsageIsExitCode2AndHelps) {
  const auto expect_usage = [](const std::vector<std::string>& args, const std::string& words) {
    const Outcome outcome = svasim(args);
    EXPECT_EQ(outcome.code, kExitUsage) << testing::PrintToString(args);
    EXPECT_THAT(outcome.err, HasSubstr(words));
    EXPECT_EQ(outcome.out, "");
  };
  expect_usage({}, "usage: svasim COMMAND");
  expect_usage({"rnu"}, "unknown command 'rnu' (did you mean 'run'?)");
  expect_usage({"config"}, "usage: svasim config check");
  expect_usage({"config", "chekc"}, "(did you mean 'check'?)");
  expect_usage({"trace", "inof"}, "(did you mean 'info'?)");
  expect_usage({"run"}, "missing CONFIG");
  expect_usage({"scirpt"}, "(did you mean 'script'?)");
  expect_usage({"run", "a.yaml", "b.yaml"}, "usage: svasim run");
  expect_usage({"run", "a.yaml", "--sed", "1"}, "unrecognised option '--sed'");
  expect_usage({"run", "a.yaml", "--seed", "many"}, "--seed needs a whole number");
  expect_usage({"run", "no/such/file.yaml"}, "cannot read 'no/such/file.yaml'");
  expect_usage({"list", "component"}, "(did you mean 'components'?)");
  expect_usage({"list", "parameters", "iomu"}, "(did you mean 'iommu'?)");
  expect_usage({"trace", "info", "no/such/capture"}, "no/such/capture");
  expect_usage({"config", "accel"}, "missing FILE");
  expect_usage({"config", "accel", "no/such.conf"}, "no/such.conf: there is no such file");
  expect_usage({"config", "show", "x.yaml", "--format", "xml"}, "--format is yaml or json");
}

TEST(Cli, ListsWhatThereIs) {
  EXPECT_THAT(svasim({"list", "policies"}).out, HasSubstr("plru"));
  EXPECT_THAT(svasim({"list", "orders"}).out, HasSubstr("round_robin"));
  EXPECT_THAT(svasim({"list", "formats"}).out, HasSubstr("vtd-ss4"));
  EXPECT_THAT(svasim({"list", "components"}).out, HasSubstr("iommu"));
  EXPECT_THAT(svasim({"list", "parameters", "memory"}).out, HasSubstr("| `latency` | ps | 70 ns |"));
}

TEST(Sha256, PublishedValues) {  // FIPS 180-4 examples
  EXPECT_EQ(sha256_of_text("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_of_text(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Text, NumbersForPeople) {
  EXPECT_EQ(show_time(0), "0 ps");
  EXPECT_EQ(show_time(999), "999 ps");
  EXPECT_EQ(show_time(1234567), "1.23 us");
  EXPECT_EQ(show_time(99960), "100 ns");
  EXPECT_EQ(show_time(5e12), "5.00 s");
  EXPECT_EQ(show_time(5e15), "5000 s");
  EXPECT_EQ(show_rate(25e9), "25.0 GB/s");
  EXPECT_EQ(show_count(0), "0");
  EXPECT_EQ(show_count(999), "999");
  EXPECT_EQ(show_count(1234567), "1,234,567");
}

}  // namespace
}  // namespace svasim
