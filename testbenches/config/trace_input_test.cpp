// Captures that cannot be used: exit code 2, file, line and reason, and nothing written.
#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>

#include "sim/cli.h"
#include "support/capture_copy.h"

namespace svasim {
namespace {

namespace fs = std::filesystem;

class BadCapture : public testing::Test {
 protected:
  // The message of a run with this data set, without the program's name.
  std::string message(const std::string& dataset) {
    const fs::path out = fs::temp_directory_path() / ("svasim-bad-" + std::to_string(::getpid()));
    std::ostringstream text;
    std::ostringstream err;
    const int code =
        run_cli({"run", "configs/linux_trace.yaml", "--out", out.string(), "--set", "dataset=" + dataset},
                {text, err});
    EXPECT_EQ(code, kExitUsage);
    EXPECT_FALSE(fs::exists(out)) << "something was written";
    fs::remove_all(out);
    const std::string prefix = "svasim: ";
    std::string line = err.str();
    if (line.compare(0, prefix.size(), prefix) == 0) line.erase(0, prefix.size());
    if (!line.empty() && line.back() == '\n') line.pop_back();
    return line;
  }
  // Replaces the n-th line of the trace.
  void replace_line(std::size_t n, const CaptureCopy::Fields& with) {
    capture_.edit_trace([&](std::size_t line, CaptureCopy::Fields& fields) {
      if (line == n) fields = with;
    });
  }
  std::string trace() const { return capture_.path_of("dma.trace"); }

  CaptureCopy capture_{"traces/vfio-fs11.tar.zst"};
};

TEST_F(BadCapture, MalformedLine) {
  replace_line(4500, {"40700700", "A", "02:00.0", "0", "0xfffff002", "2", "R", "0x8696002", "12", "9", "H"});
  EXPECT_EQ(message(capture_.path()), trace() + ":4500: field 'class' is missing");
}

TEST_F(BadCapture, TimeGoesBack) {
  replace_line(2000, {"5", "Q", "2"});
  const std::string text = message(capture_.path());
  EXPECT_EQ(text.substr(0, trace().size() + 6), trace() + ":2000:") << text;
  EXPECT_NE(text.find("time goes back from "), std::string::npos) << text;
}

TEST_F(BadCapture, PasidOf21Bits) {
  replace_line(3, {"70", "F", "00:09.0", "0x100000", "0x0", "1", "W", "0x71"});
  EXPECT_EQ(message(capture_.path()), trace() + ":3: field 'pasid': '0x100000' is wider than 20 bits");
}

TEST_F(BadCapture, TruncatedTrace) {
  std::string text = capture_.read("dma.trace");
  text.resize(text.size() - 3);
  capture_.write("dma.trace", text);
  EXPECT_EQ(message(capture_.path()), trace() + ":4656: the text ends within this line: truncated");
}

TEST_F(BadCapture, TruncatedImage) {
  const std::string image = capture_.read("tables.w2.img");
  capture_.write("tables.w2.img", image.substr(0, image.size() - 5000));
  EXPECT_EQ(message(capture_.path()), capture_.path_of("tables.w2.img") + ": truncated: ends within page 97");
}

TEST_F(BadCapture, CorruptedImage) {
  std::string image = capture_.read("tables.v1.img");
  image[0] = 'X';
  capture_.write("tables.v1.img", image);
  EXPECT_EQ(message(capture_.path()),
            capture_.path_of("tables.v1.img") + ": is not a table image: it does not start with VTDPGIM1");
}

TEST_F(BadCapture, ImageThatPointsOutOfItself) {
  std::string image = capture_.read("tables.boot.img");
  // RTADDR, the first register in the header.
  image[16 + 3] = static_cast<char>(image[16 + 3] ^ 0x7F);
  capture_.write("tables.boot.img", image);
  EXPECT_EQ(
      message(capture_.path()),
      capture_.path() + "/tables.boot.img: corrupted: an entry points to a table that is not in the image");
}

TEST_F(BadCapture, MalformedMappingList) {
  capture_.write("mappings.v1.txt", capture_.read("mappings.v1.txt") + "M 00:1f.0 0 10\n");
  const std::string text = message(capture_.path());
  EXPECT_NE(text.find("mappings.v1.txt:"), std::string::npos) << text;
  EXPECT_NE(text.find(": field 'iova' is missing"), std::string::npos) << text;
}

TEST_F(BadCapture, NoBootImage) {
  fs::remove(capture_.path_of("tables.boot.img"));
  EXPECT_EQ(message(capture_.path()),
            capture_.path() + ": holds no table image of the snapshot 'boot' to start from");
}

TEST_F(BadCapture, NoBootRecord) {
  replace_line(955, {"8745693", "Q", "2"});
  EXPECT_EQ(message(capture_.path()), trace() + ": has no record 'S boot' to start from");
}

TEST_F(BadCapture, DamagedArchive) {
  std::ifstream in("traces/vfio-fs11.tar.zst", std::ios::binary);
  const std::string good{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  capture_.write("cut.tar.zst", good.substr(0, good.size() / 3));
  const std::string cut = capture_.path_of("cut.tar.zst");
  EXPECT_EQ(message(cut), cut + ": not a readable tar archive: Truncated zstd input");
  std::string flipped = good;
  flipped[good.size() / 2] = static_cast<char>(flipped[good.size() / 2] ^ 1);
  capture_.write("flipped.tar.zst", flipped);
  const std::string bad = capture_.path_of("flipped.tar.zst");
  EXPECT_EQ(message(bad).substr(0, bad.size() + 2), bad + ": ");
}

TEST_F(BadCapture, NoCapture) {
  EXPECT_EQ(message("no/such/capture"), "no/such/capture: no such file or folder");
  EXPECT_EQ(message("traces/FORMAT.md"),
            "traces/FORMAT.md: not a readable tar archive: Unrecognized archive format");
}

}  // namespace
}  // namespace svasim
