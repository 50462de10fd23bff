// Damaged captures, as folder and as archive: read, or refused with the file's name.
#include <gmock/gmock.h>

#include <sstream>

#include "base/archive_source.h"
#include "fuzz/mutate.h"
#include "sim/cli.h"

namespace svasim {
namespace {

namespace fs = std::filesystem;

int trace_info(const std::string& path, std::string& messages) {
  std::ostringstream out;
  std::ostringstream err;
  const int code = run_cli({"trace", "info", path}, {out, err});
  messages = err.str();
  return code;
}

TEST(CaptureFuzz, DamagedArchives) {
  RngStream rng(1, "archive_fuzz");
  const std::string original = test::read_file("traces/vfio-fs11.tar.zst");
  ASSERT_GT(original.size(), 1000U);
  const test::ScratchFile file("capture.tar.zst");
  unsigned refused = 0;
  for (unsigned i = 0; i < 300; ++i) {
    std::string bytes = original;
    test::damage(bytes, rng);
    if (rng.below(3) == 0) bytes.resize(rng.below(bytes.size() + 1));
    file.write(bytes);
    std::string messages;
    const int code = trace_info(file.path(), messages);
    ASSERT_TRUE(code == kExitOk || code == kExitUsage) << messages;
    if (code == kExitUsage) {
      ++refused;
      ASSERT_THAT(messages, testing::HasSubstr(file.path()));
    }
  }
  EXPECT_GT(refused, 200U) << "the damage hardly shows";
}

}  // namespace
}  // namespace svasim
