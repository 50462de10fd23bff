// Table images, archives and whole data sets: good ones and damaged ones.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "base/archive_source.h"
#include "base/input_error.h"
#include "base/trace_dataset.h"
#include "base/trace_info.h"
#include "support/memory_stream.h"

namespace svasim {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSample = "traces/vfio-fs11.tar.zst";

std::string le(std::uint64_t value, unsigned size) {
  std::string bytes;
  for (unsigned i = 0; i < size; ++i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}
std::string kind(const std::string& name) { return name + std::string(8 - name.size(), '\0'); }

// Two pages, each filled with its number.
std::string image(const std::string& magic = "VTDPGIM1", std::uint64_t second = 0x5000,
                  const std::string& second_kind = "FS3") {
  std::string text = magic + le(1, 4) + le(2, 4);
  for (std::uint64_t reg = 10; reg < 16; ++reg) text += le(reg, 8);
  text += le(0x4000, 8) + kind("ROOT") + le(second, 8) + kind(second_kind);
  return text + std::string(4096, '\1') + std::string(4096, '\2');
}

std::string refusal(const std::string& bytes) {
  try {
    read_table_image(*stream_of(bytes), "t.img");
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(TraceImage, Reads) {
  const TableImage i = read_table_image(*stream_of(image()), "t.img");
  EXPECT_EQ(i.rtaddr, 10u);
  EXPECT_EQ(i.cap, 11u);
  EXPECT_EQ(i.ecap, 12u);
  EXPECT_EQ(i.iqa, 13u);
  EXPECT_EQ(i.irta, 14u);
  EXPECT_EQ(i.gsts, 15u);
  ASSERT_EQ(i.pages.size(), 2u);
  EXPECT_EQ(i.pages[0].kind, ImagePageKind::kRoot);
  EXPECT_EQ(i.pages[1].kind, ImagePageKind::kFirstStage);
  EXPECT_EQ(i.pages[1].level, 3);
  std::uint64_t word = 0;
  EXPECT_TRUE(i.read(0x5FF8, word));
  EXPECT_EQ(word, 0x0202020202020202u);
  EXPECT_FALSE(i.read(0x6000, word));
  EXPECT_EQ(i.find(0x4000), &i.pages[0]);
  EXPECT_EQ(i.find(0x3000), nullptr);
}

TEST(TraceImage, Damaged) {
  EXPECT_EQ(refusal("x"), "t.img: truncated: ends within the header");
  EXPECT_EQ(refusal(image("VTDPGIM2")), "t.img: is not a table image: it does not start with VTDPGIM1");
  std::string version = image();
  version[8] = 2;
  EXPECT_EQ(refusal(version), "t.img: version 2 is not supported");
  std::string count = image();
  count[15] = 0x7F;
  EXPECT_EQ(refusal(count), "t.img: corrupted: announces 2130706434 pages");
  EXPECT_EQ(refusal(image("VTDPGIM1", 0x3000)), "t.img: corrupted: page 1 is not above the one before it");
  EXPECT_EQ(refusal(image("VTDPGIM1", 0x5008)), "t.img: corrupted: the address of page 1 is not aligned");
  EXPECT_EQ(refusal(image("VTDPGIM1", 0x5000, "FS9")), "t.img: corrupted: page 1 has no known kind");
  EXPECT_EQ(refusal(image().substr(0, 70)), "t.img: truncated: ends within the header of page 0");
  EXPECT_EQ(refusal(image().substr(0, 5000)), "t.img: truncated: ends within page 1");
  EXPECT_EQ(refusal(image() + "x"), "t.img: has bytes after its last page");
}

class Files : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "svasim-test-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  static std::string bytes(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }
  std::string write(const std::string& name, const std::string& text) const {
    const std::string path = (folder_ / name).string();
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  static std::string refusal(const std::string& path) {
    try {
      trace_info(path);
    } catch (const InputError& error) {
      return error.what();
    }
    return "accepted";
  }

  fs::path folder_;
};

std::string drain(ByteStream& stream) {
  std::string text;
  char buffer[4096];
  while (const std::size_t count = stream.read(buffer, sizeof buffer)) text.append(buffer, count);
  return text;
}

TEST_F(Files, FolderAndArchiveAreTheSame) {
  const ArchiveSource archive(kSample);
  for (const std::string& member : archive.members()) write(member, drain(*archive.open(member)));
  const ArchiveSource folder(folder_.string() + "/");
  EXPECT_EQ(folder.members(), archive.members());
  EXPECT_EQ(drain(*folder.open("dma.trace")), drain(*archive.open("dma.trace")));
  EXPECT_EQ(folder.name_of("dma.trace"), folder_.string() + "/dma.trace");

  TraceInfo a = trace_info(kSample);
  TraceInfo b = trace_info(folder_.string());
  a.path = b.path = "";
  std::ostringstream text_a, text_b;
  print(text_a, a);
  print(text_b, b);
  EXPECT_EQ(text_a.str(), text_b.str());
}

TEST_F(Files, TwoStreamsAtOnce) {
  const ArchiveSource archive(kSample);
  const auto one = archive.open("dma.trace");
  const auto two = archive.open("dma.trace");
  char a[1000];
  ASSERT_EQ(one->read(a, sizeof a), sizeof a);
  const std::string all = drain(*two);
  EXPECT_EQ(all.substr(0, sizeof a), std::string(a, sizeof a));
  EXPECT_EQ(all.substr(sizeof a), drain(*one));
}

// Figures counted in the capture with grep and awk.
TEST_F(Files, InfoOfTheSample) {
  const TraceInfo info = trace_info(kSample);
  EXPECT_EQ(info.lines, 4656u);
  EXPECT_EQ(info.count(RecordKind::kAccess), 843u);
  EXPECT_EQ(info.count(RecordKind::kFault), 125u);
  EXPECT_EQ(info.count(RecordKind::kMap), 296u);
  EXPECT_EQ(info.count(RecordKind::kUnmap), 261u);
  EXPECT_EQ(info.count(RecordKind::kInvalidation), 228u);
  EXPECT_EQ(info.recordings, 1u);
  EXPECT_EQ(info.end_line, 4096u);
  EXPECT_EQ(info.devices.size(), 5u);
  EXPECT_EQ(info.devices.at(RequesterId::from_bdf(0, 10, 0).value()).faults, 50u);
  EXPECT_EQ(info.domains.at(8).maps, 111u);
  EXPECT_EQ(info.fault_reasons.at(0x85), 7u);
  EXPECT_EQ(info.page_shifts.at(30), 70u);
  EXPECT_EQ(info.classes.at("viol"), 5u);
  ASSERT_EQ(info.snapshots.size(), 8u);
  EXPECT_EQ(info.snapshots[1].name, "v2");
  EXPECT_EQ(info.snapshots[1].line, 3169u);
  EXPECT_EQ(info.snapshots[1].table_pages, 99u);
}

TEST_F(Files, DamagedArchives) {
  const std::string good = bytes(kSample);
  const std::string cut = write("cut.tar.zst", good.substr(0, good.size() / 2));
  EXPECT_EQ(refusal(cut), cut + ": not a readable tar archive: Truncated zstd input");
  std::string flipped = good;
  flipped[good.size() / 2] = static_cast<char>(flipped[good.size() / 2] ^ 0x10);
  EXPECT_NE(refusal(write("flipped.tar.zst", flipped)), "accepted");
  const std::string text = write("text", "hello\n");
  EXPECT_EQ(refusal(text), text + ": not a readable tar archive: Unrecognized archive format");
  EXPECT_EQ(refusal("no/such/file"), "no/such/file: no such file or folder");
  const std::string folder = folder_.string();
  EXPECT_EQ(refusal(folder), folder + ": holds no dma.trace");
}

// Every cut of the archive is either refused or, behind the last member, harmless.
TEST_F(Files, NoCutIsTakenForAWholeDataSet) {
  const std::string good = bytes(kSample);
  for (std::size_t size = 0; size < good.size(); size += 997) {
    EXPECT_NE(refusal(write("cut.tar.zst", good.substr(0, size))), "accepted") << size;
  }
}

TEST_F(Files, DamagedMemberIsNamed) {
  write("dma.trace", "1 Q 2\n");
  const std::string path = write("tables.boot.img", image().substr(0, 5000));
  EXPECT_EQ(refusal(folder_.string()), path + ": truncated: ends within page 1");
}

}  // namespace
}  // namespace svasim
