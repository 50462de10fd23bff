// Damaged register scripts: parsed, or refused with file and line.
#include <gmock/gmock.h>

#include <algorithm>
#include <sstream>

#include "fuzz/mutate.h"
#include "sim/script/parser.h"

namespace svasim {
namespace {

TEST(ScriptFuzz, DamagedScriptsAreRefusedOrParsed) {
  RngStream rng(1, "script_fuzz");
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator("testbenches/scripts/vtd")) {
    if (entry.path().extension() == ".svs") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  ASSERT_GE(files.size(), 60U);
  unsigned refused = 0;
  for (const auto& file : files) {
    const std::string original = test::read_file(file);
    for (unsigned i = 0; i < 40; ++i) {
      std::string text = original;
      for (std::uint64_t n = 1 + rng.below(3); n != 0; --n) test::damage(text, rng);
      std::istringstream in(text);
      std::vector<std::string> problems;
      parse_script(in, "damaged.svs", problems);
      refused += problems.empty() ? 0 : 1;
      for (const std::string& problem : problems) {
        ASSERT_THAT(problem, testing::StartsWith("damaged.svs")) << text;
      }
    }
  }
  EXPECT_GT(refused, files.size() * 5) << "the damage hardly shows";
}

}  // namespace
}  // namespace svasim
