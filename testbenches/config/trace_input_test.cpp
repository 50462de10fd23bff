// Captures that cannot be used: exit code 2, file, line and reason, and nothing written.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>
#include <filesystem>
#include <sstream>

#include "base/trace_dataset.h"
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
  EXPECT_EQ(message(capture_.path()), capture_.path() +
                                          "/tables.boot.img: corrupted: RTADDR points to 0x1bebdc000, which "
                                          "is not in the image");
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

// --- Text

TEST_F(BadCapture, BytesThatAreNoText) {
  replace_line(2000, {std::string("\x01\xff\\\0z", 5), "Q", "2"});
  EXPECT_EQ(message(capture_.path()),
            trace() + ":2000: field 'time': '\\x01\\xff\\\\\\x00z' is not a number");
}

TEST_F(BadCapture, LineEndsOfOtherSystems) {
  std::string text = capture_.read("dma.trace");
  text.insert(text.find('\n'), "\r");
  capture_.write("dma.trace", text);
  EXPECT_EQ(message(capture_.path()), trace() + ":1: the line ends with CR LF; lines end with LF alone");
}

// Text at the end of a record is kept as it is.
TEST_F(BadCapture, SpaceAtTheEnd) {
  capture_.edit_trace([](std::size_t line, CaptureCopy::Fields& f) {
    if (f[1] == "K" || line == 2161) f.back() += " ";
  });
  EXPECT_EQ(message(capture_.path()), trace() + ":2161: the line ends with a space");
}

// --- Addresses and sizes nothing can have. Line 2161 is an access of the test device.

class BadRecord : public BadCapture {
 protected:
  // The message with one field of an access, or another record, changed.
  std::string with(std::size_t line, std::size_t field, const std::string& value) {
    capture_.edit_trace([&](std::size_t n, CaptureCopy::Fields& f) {
      if (n == line) f.at(field) = value;
    });
    return message(capture_.path());
  }
  static constexpr std::size_t kAccess = 2161;
  static constexpr std::size_t kWait = 1698;
  static constexpr std::size_t kMap = 1719;
};

TEST_F(BadRecord, AddressOfMoreThan52Bits) {
  EXPECT_EQ(with(kAccess, 7, "0x10000000000a06"),
            trace() + ":2161: field 'pa': '0x10000000000a06' goes beyond 52 bits");
}

TEST_F(BadRecord, AddressBehindTheMemory) {
  // There are 16 TiB. The access has 652 bytes.
  const std::string text = with(kAccess, 7, "0xffffffffffa06");
  EXPECT_NE(text.find("components.memory.size: 'replay' uses memory"), std::string::npos) << text;
  EXPECT_NE(text.find("its highest address is at " + trace() + ":2161"), std::string::npos) << text;
}

TEST_F(BadRecord, MapBehindTheMemory) {
  EXPECT_EQ(with(kMap, 5, "0xfffffffffffff000"),
            trace() + ":1719: field 'pa': '0xfffffffffffff000' goes beyond 52 bits");
}

TEST_F(BadRecord, MapOfMoreEntriesThanAnyTable) {
  capture_.edit_trace([](std::size_t n, CaptureCopy::Fields& f) {
    if (n == kMap)
      f = {f[0], f[1], f[2], "0x100000000000", std::to_string(std::uint64_t{1} << 38U), "0x1000"};
  });
  EXPECT_EQ(message(capture_.path()),
            trace() +
                ":1719: field 'size': 274877906944 B take 67108864 page-table entries; at most 4194304 are "
                "replayed");
}

TEST_F(BadRecord, StatusWordBehindTheMemory) {
  capture_.edit_trace([](std::size_t n, CaptureCopy::Fields& f) {
    if (n == kWait) f = {f[0], "I", "wait", "0x0000000500000025", "0xfffffffffffffffc"};
  });
  EXPECT_EQ(message(capture_.path()),
            trace() + ":1698: the wait descriptor writes to 0xfffffffffffffffc, beyond 52 bits");
}

TEST_F(BadRecord, FaultOfHalfTheAddressSpace) {
  EXPECT_EQ(with(2007, 5, "281474976710656"),
            trace() + ":2007: field 'len': '281474976710656' is more than the largest page");
}

// --- Images

class BadImage : public BadCapture {
 protected:
  using Kind = ImagePageKind;

  // Message after `edit` of the boot image.
  template <typename F>
  std::string after(F edit) {
    bytes_ = capture_.read("tables.boot.img");
    edit();
    capture_.write("tables.boot.img", bytes_);
    const std::string text = message(capture_.path());
    const std::string start = capture_.path_of("tables.boot.img") + ": corrupted: ";
    EXPECT_EQ(text.substr(0, start.size()), start) << text;
    return text.substr(std::min(text.size(), start.size()));
  }
  // Registers stand in the header from byte 16 on.
  void set_register(std::size_t number, std::uint64_t value) {
    std::memcpy(&bytes_[16 + number * 8], &value, sizeof value);
  }
  std::size_t page(Kind kind, unsigned level = 0) const {
    for (std::size_t i = 0; i < image_.pages.size(); ++i) {
      if (image_.pages[i].kind == kind && image_.pages[i].level == level) return i;
    }
    ADD_FAILURE() << "no such page";
    return 0;
  }
  Addr address(std::size_t page) const { return image_.pages[page].address; }
  void set(std::size_t page, std::size_t word, std::uint64_t value) {
    std::memcpy(&bytes_[64 + 16 * image_.pages.size() + page * kPageSize + word * 8], &value, sizeof value);
  }
  static std::string hex(std::uint64_t value) {
    std::ostringstream text;
    text << "0x" << std::hex << value;
    return text.str();
  }

  TableImage image_ = TraceDataset("traces/vfio-fs11.tar.zst").image("boot");
  std::string bytes_;
};

TEST_F(BadImage, ReservedModesAndBits) {
  EXPECT_EQ(after([&] { set_register(0, (image_.rtaddr & ~0xC00ULL) | 0x800); }),
            "RTADDR has the reserved translation mode");
  EXPECT_EQ(after([&] { set_register(0, image_.rtaddr | 0xC00); }),
            "RTADDR has abort-DMA mode, in which nothing is translated");
  EXPECT_EQ(after([&] {
              set_register(0, image_.rtaddr);
              set_register(1, 0);
            }),
            "CAP 0x0 says that addresses have 1 bits");
  EXPECT_EQ(after([&] {
              set_register(1, image_.cap);
              set_register(3, image_.iqa | 0x400);
            }),
            "IQA " + hex(image_.iqa | 0x400) + " has reserved bits set");
  EXPECT_EQ(after([&] {
              set_register(3, image_.iqa);
              set_register(5, 0x47000000);
            }),
            "GSTS 0x47000000 does not say that translation is on");
  EXPECT_EQ(after([&] {
              set_register(5, image_.gsts);
              set_register(3, image_.iqa + 0x100000);
            }),
            "IQA " + hex(image_.iqa + 0x100000) + " does not point to the invalidation queue");
}

// What is possible by itself has to be what the monitor showed.
TEST_F(BadImage, AnotherBitOfARegister) {
  const auto differs = [&](const std::string& reg, std::uint64_t here, std::uint64_t there) {
    return reg + " is " + hex(here) + ", and " + hex(there) + " in " + capture_.path_of("regs.boot.txt");
  };
  EXPECT_EQ(after([&] { set_register(2, image_.ecap ^ 1); }), differs("ECAP", image_.ecap ^ 1, image_.ecap));
  EXPECT_EQ(after([&] {
              set_register(2, image_.ecap);
              set_register(4, image_.irta ^ 1ULL << 40);
            }),
            differs("IRTA", image_.irta ^ 1ULL << 40, image_.irta));
  EXPECT_EQ(after([&] {
              set_register(4, image_.irta);
              set_register(1, image_.cap ^ 1ULL << 4);
            }),
            differs("CAP", image_.cap ^ 1ULL << 4, image_.cap));
  EXPECT_EQ(after([&] {
              set_register(1, image_.cap);
              set_register(5, image_.gsts ^ 1ULL << 25);
            }),
            differs("GSTS", image_.gsts ^ 1ULL << 25, image_.gsts));
}

// In legacy mode the root table would have to lead to tables of another kind.
TEST_F(BadImage, OtherMode) {
  const std::string text = after([&] { set_register(0, image_.rtaddr & ~0xC00ULL); });
  EXPECT_NE(text.find("points to the scalable-mode context table at "), std::string::npos) << text;
  EXPECT_NE(text.find(" as to a legacy context table"), std::string::npos) << text;
}

TEST_F(BadImage, PointerToATableOfAnotherKindOrLevel) {
  const std::size_t top = page(Kind::kFirstStage, 4);
  const std::size_t low = page(Kind::kFirstStage, 1);
  const std::size_t directory = page(Kind::kPasidDirectory);
  const std::string who =
      "entry 7 of the first-stage table of level 4 at " + hex(address(top)) + " points to the ";
  const std::string wanted = " as to a first-stage table of level 3";
  EXPECT_EQ(after([&] { set(top, 7, address(directory) | 0x27); }),
            who + "PASID directory at " + hex(address(directory)) + wanted);
  EXPECT_EQ(after([&] { set(top, 7, address(low) | 0x27); }),
            who + "first-stage table of level 1 at " + hex(address(low)) + wanted);
  EXPECT_EQ(after([&] { set(top, 7, address(top) | 0x27); }),
            who + "first-stage table of level 4 at " + hex(address(top)) + wanted);
}

// 512 * 512 * 512 leaves out of four pages: found before they are listed.
TEST_F(BadImage, TablesThatAreNoTree) {
  const std::size_t upper = page(Kind::kFirstStage, 3);
  const std::size_t middle = page(Kind::kFirstStage, 2);
  const std::string text = after([&] {
    for (std::size_t i = 0; i < 512; ++i) set(upper, i, address(middle) | 0x27);
  });
  EXPECT_NE(
      text.find("points to the first-stage table of level 2 at " + hex(address(middle)) + ", as entry "),
      std::string::npos)
      << text;
}

TEST_F(BadImage, ReservedPasidEntry) {
  const std::size_t table = page(Kind::kPasidTable);
  const std::uint64_t entry = image_.pages[table].words[0];
  const std::string who = "entry 0 of the PASID table at " + hex(address(table));
  EXPECT_EQ(after([&] { set(table, 0, entry | 0x1C0); }), who + " has the reserved PGTT 7");
  EXPECT_EQ(after([&] {
              set(table, 0, entry);
              set(table, 2, image_.pages[table].words[2] | 0xC);
            }),
            who + " has a reserved first-stage paging mode");
}

TEST_F(BadImage, KindThatIsNotPadded) {
  EXPECT_EQ(after([&] { bytes_[64 + 8 + 7] = 'x'; }), "page 0 has no known kind");
}

// --- Mapping lists

class BadList : public BadCapture {
 protected:
  // Message after the first line that begins like this is replaced by edit(line); "" removes it.
  template <typename F>
  std::string after(const std::string& begin, F edit) {
    std::istringstream in(capture_.read("mappings.boot.txt"));
    std::string text;
    std::size_t number = 0;
    for (std::string line; std::getline(in, line);) {
      ++number;
      if (at_ == 0 && line.compare(0, begin.size(), begin) == 0) {
        at_ = number;
        line = edit(line);
        if (line.empty()) continue;
      }
      text += line + "\n";
    }
    EXPECT_NE(at_, 0u);
    capture_.write("mappings.boot.txt", text);
    return message(capture_.path());
  }
  std::string here() const {
    return capture_.path_of("mappings.boot.txt") + ":" + std::to_string(at_) + ": ";
  }
  static std::string replaced(std::string line, const std::string& what, const std::string& with) {
    const std::size_t at = line.find(what);
    EXPECT_NE(at, std::string::npos) << line;
    return line.replace(at, what.size(), with);
  }
  std::size_t at_ = 0;
};

TEST_F(BadList, OtherContextEntry) {
  const std::string text = after(
      "C 00:00.0", [](const std::string& l) { return replaced(l, "ctx=0x1c1be0401", "ctx=0x1c1be0403"); });
  EXPECT_EQ(text, here() + "word 0 of the entry is 0x1c1be0403, in the image 0x1c1be0401");
}
TEST_F(BadList, OtherPasidEntry) {
  const std::string text =
      after("P 00:00.0", [](const std::string& l) { return replaced(l, " 0x1c1bf7000 ", " 0x1c1bf8000 "); });
  EXPECT_EQ(text, here() + "word 2 of the entry is 0x1c1bf8000, in the image 0x1c1bf7000");
}
TEST_F(BadList, OtherDomain) {
  const std::string text =
      after("P 00:00.0", [](const std::string& l) { return replaced(l, " did=2 ", " did=3 "); });
  EXPECT_EQ(text, here() + "in the image the domain is 2");
}
TEST_F(BadList, OtherLeafEntry) {
  const std::string text = after("M ", [](const std::string& l) { return replaced(l, " 0xe7", " 0xc7"); });
  EXPECT_EQ(text, here() + "in the image the entry is 0xe7");
}
TEST_F(BadList, OtherFlags) {
  const std::string text = after("M ", [](const std::string& l) { return replaced(l, "PWUAD", "PWUA-"); });
  EXPECT_EQ(text, here() + "the flags of entry 0xe7 are PWUAD");
}
TEST_F(BadList, OtherAddress) {
  const std::string text =
      after("M ", [](const std::string& l) { return replaced(l, " 0x0 0x0 ", " 0x0 0x200000 "); });
  EXPECT_EQ(text, here() + "in the image this is 0x0 with a page of 2^21 bytes");
}
TEST_F(BadList, MissingLeaf) {
  const std::string text = after("M ", [](const std::string&) { return std::string(); });
  EXPECT_EQ(text.substr(0, text.find(": ")), capture_.path_of("mappings.boot.txt")) << text;
  EXPECT_NE(text.find(" leaves of 00:1f.0"), std::string::npos) << text;
}
TEST_F(BadList, MissingEntry) {
  const std::string text = after("P 00:00.0", [](const std::string&) { return std::string(); });
  EXPECT_EQ(text, capture_.path_of("mappings.boot.txt") + ": does not list the entry of 00:00.0 PASID 0");
}

// --- No files

TEST_F(BadCapture, PipesAndDevices) {
  const std::string pipe = capture_.path_of("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(message(pipe), pipe + ": is neither a file nor a folder");
  EXPECT_EQ(message("/dev/zero"), "/dev/zero: is neither a file nor a folder");
  std::ostringstream out;
  std::ostringstream err;
  EXPECT_EQ(run_cli({"config", "check", "/dev/zero"}, {out, err}), kExitUsage);
  EXPECT_NE(err.str().find("cannot read '/dev/zero': it is no file"), std::string::npos) << err.str();
}

}  // namespace
}  // namespace svasim
