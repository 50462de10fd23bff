// Damaged configurations: accepted, or refused with a message that names the file; nothing else.
#include <gmock/gmock.h>

#include <sstream>

#include "fuzz/mutate.h"
#include "sim/cli.h"

namespace svasim {
namespace {

class ConfigFuzz : public testing::TestWithParam<std::uint64_t> {};

TEST_P(ConfigFuzz, DamagedFilesAreRefusedOrRight) {
  RngStream rng(GetParam(), "config_fuzz");
  // Beside the originals, so that what they refer to is found.
  for (const char* name : {"configs/quickstart.yaml", "configs/linux_trace.yaml"}) {
    const std::string original = test::read_file(name);
    ASSERT_FALSE(original.empty());
    const test::ScratchFile file("config_" + std::to_string(GetParam()) + ".yaml");
    unsigned refused = 0;
    for (unsigned i = 0; i < 250; ++i) {
      std::string text = original;
      for (std::uint64_t n = 1 + rng.below(3); n != 0; --n) test::damage(text, rng);
      file.write(text);
      std::ostringstream out;
      std::ostringstream err;
      const int code = run_cli({"config", "check", file.path()}, {out, err});
      ASSERT_TRUE(code == kExitOk || code == kExitUsage) << err.str() << "\n" << text;
      if (code == kExitUsage) {
        ++refused;
        ASSERT_THAT(err.str(), testing::HasSubstr(file.path())) << text;
      }
    }
    EXPECT_GT(refused, 50U) << "the damage hardly shows";
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ConfigFuzz, testing::Range<std::uint64_t>(1, 5));

}  // namespace
}  // namespace svasim
