// Captures replayed with the reference translator instead of hardware: what the replay expects is
// what the specification says; and every kind of disagreement is found.
#include <gtest/gtest.h>

#include <map>
#include <tuple>

#include "support/capture_copy.h"
#include "support/untimed_replay.h"

namespace svasim {
namespace {

constexpr const char* kVfio = "traces/vfio-fs11.tar.zst";
constexpr const char* kLegacy = "traces/leg-strict-start.tar.zst";

ReplayReport replay(const std::string& path) {
  const TraceDataset dataset(path);
  const TableImage image = dataset.image("boot");
  ReferenceRegisters registers;
  registers.cap = image.cap;
  registers.ecap = image.ecap;
  ReplaySession session(dataset);
  return replay_untimed(session, registers);
}

std::string texts(const ReplayReport& report) {
  std::string all;
  for (const std::string& text : report.texts) all += text + "\n";
  return all;
}

class WholeCapture : public testing::TestWithParam<std::string> {};

TEST_P(WholeCapture, HasNoMismatch) {
  const ReplayReport r = replay(GetParam());
  EXPECT_EQ(r.mismatches(), 0u) << texts(r);
  EXPECT_GT(r.compared.value, 0u);
  EXPECT_EQ(r.compared.value, r.accesses.value + r.faults.value);
  EXPECT_GT(r.leaves_equal.value, 0u);
  // The tables are always the current ones here.
  EXPECT_EQ(r.stale_differences.value, 0u);
}

INSTANTIATE_TEST_SUITE_P(Captures, WholeCapture, testing::ValuesIn(all_captures()),
                         [](const testing::TestParamInfo<std::string>& one) {
                           std::string name = one.param.substr(one.param.rfind('/') + 1);
                           for (char& c : name) {
                             if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
                           }
                           return name + std::to_string(one.index);
                         });

// Figures counted in the trace between "S boot" and "K ... END" with awk.
TEST(UntimedReplay, CountsOfTheSample) {
  const ReplayReport r = replay(kVfio);
  EXPECT_EQ(r.accesses.value, 606u);
  EXPECT_EQ(r.faults.value, 125u);
  EXPECT_EQ(r.maps.value, 234u);
  EXPECT_EQ(r.unmaps.value, 234u);
  EXPECT_EQ(r.invalidations.value, 30u);
  EXPECT_EQ(r.snapshots.value, 6u);
  EXPECT_EQ(r.violations_faulted.value, 5u);
  EXPECT_EQ(r.after_end.value, 195u + 42u);
}

// --- Damaged captures: each kind of mismatch is found

bool is_recording(std::size_t line) { return line > 955 && line < 4096; }

TEST(UntimedReplay, FindsAWrongAddress) {
  const CaptureCopy capture(kVfio);
  capture.edit_trace([](std::size_t line, CaptureCopy::Fields& f) {
    // A data access of the test device in a 4-KiB page; the next page instead.
    if (line == 3000 || !is_recording(line) || f[1] != "A" || f[8] != "12" || f[11] != "edu") return;
    static int once = 0;
    if (once++ == 0) f[7] = "0x" + f[7].substr(2, f[7].size() - 6) + "f" + f[7].substr(f[7].size() - 3);
  });
  const ReplayReport r = replay(capture.path());
  EXPECT_EQ(r.address_mismatches.value, 1u) << texts(r);
  EXPECT_EQ(r.mismatches(), 1u);
  ASSERT_EQ(r.texts.size(), 1u);
  EXPECT_NE(r.texts[0].find("dma.trace:"), std::string::npos) << r.texts[0];
}

TEST(UntimedReplay, FindsAWrongPageSize) {
  const CaptureCopy capture(kVfio);
  bool done = false;
  capture.edit_trace([&](std::size_t line, CaptureCopy::Fields& f) {
    if (done || !is_recording(line) || f[1] != "A" || f[8] != "30" || f[11] != "edu") return;
    // Keep to accesses that lie within 2 MiB, as a page of that size must.
    f[8] = "21";
    done = true;
  });
  const ReplayReport r = replay(capture.path());
  EXPECT_EQ(r.page_size_mismatches.value, 1u) << texts(r);
  EXPECT_EQ(r.mismatches(), 1u);
}

TEST(UntimedReplay, FindsAWrongFaultReason) {
  const CaptureCopy capture(kVfio);
  bool done = false;
  capture.edit_trace([&](std::size_t line, CaptureCopy::Fields& f) {
    if (done || !is_recording(line) || f[1] != "F") return;
    f[7] = "0x72";
    done = true;
  });
  const ReplayReport r = replay(capture.path());
  EXPECT_EQ(r.fault_mismatches.value, 1u) << texts(r);
  EXPECT_EQ(r.mismatches(), 1u);
}

// What was recorded with a PASID is sent with it, whether or not the tables know it.
TEST(UntimedReplay, FindsAPasidThatIsNotBound) {
  const CaptureCopy capture(kVfio);
  unsigned done = 0;
  capture.edit_trace([&](std::size_t line, CaptureCopy::Fields& f) {
    // PASID 0 has no entry but RID_PASID's; 100 has none at all.
    if (done == 2 || !is_recording(line) || (f[1] != "A" && f[1] != "F") || f[3] != "0") return;
    if (f[1] == (done == 0 ? "A" : "F")) {
      f[3] = "100";
      ++done;
    }
  });
  ASSERT_EQ(done, 2u);
  const ReplayReport r = replay(capture.path());
  EXPECT_EQ(r.fault_mismatches.value, 2u) << texts(r);
  EXPECT_EQ(r.mismatches(), 2u);
}

TEST(UntimedReplay, FindsAMissingMap) {
  const CaptureCopy capture(kVfio);
  capture.edit_trace([](std::size_t line, CaptureCopy::Fields& f) {
    if (is_recording(line) && f[1] == "MAP" && f[4] == "1073741824") f.clear();
  });
  const ReplayReport r = replay(capture.path());
  EXPECT_EQ(r.fault_mismatches.value, 70u) << "accesses to 1-GiB pages, counted with awk\n" << texts(r);
  EXPECT_GT(r.leaf_mismatches.value, 0u);
}

TEST(UntimedReplay, FindsAMissingUnmap) {
  const CaptureCopy capture(kVfio);
  capture.edit_trace([](std::size_t line, CaptureCopy::Fields& f) {
    if (is_recording(line) && f[1] == "UNM" && f[4] == "1073741824") f.clear();
  });
  const ReplayReport r = replay(capture.path());
  EXPECT_GT(r.leaf_mismatches.value, 0u);
  EXPECT_EQ(r.address_mismatches.value, 0u);
}

TEST(UntimedReplay, FindsADifferenceToAnImage) {
  const CaptureCopy capture(kVfio);
  // The list of the image would say that it is damaged.
  std::filesystem::remove(capture.path_of("mappings.v2.txt"));
  std::string image = capture.read("tables.v2.img");
  const TableImage before = TraceDataset(kVfio).image("v2");
  for (std::size_t i = 0; i < before.pages.size(); ++i) {
    const ImagePage& page = before.pages[i];
    if (page.kind != ImagePageKind::kFirstStage || page.level != 1) continue;
    for (std::size_t word = 0; word < page.words.size(); ++word) {
      if (page.words[word] == 0) continue;
      // One leaf points to the next page; its right to write goes in another image.
      image[64 + 16 * before.pages.size() + i * kPageSize + word * 8 + 1] ^= 0x10;
      capture.write("tables.v2.img", image);
      const ReplayReport r = replay(capture.path());
      EXPECT_EQ(r.leaf_mismatches.value, 2u) << "one only here, one only there\n" << texts(r);
      EXPECT_EQ(r.mismatches(), 2u);
      return;
    }
  }
  FAIL() << "no leaf found";
}

TEST(UntimedReplay, FindsTablesDamagedInMemory) {
  const TraceDataset dataset(kVfio);
  ReferenceRegisters registers;
  const TableImage image = dataset.image("boot");
  registers.cap = image.cap;
  registers.ecap = image.ecap;
  ReplaySession session(dataset);
  // The boot image is stored first; the store behind it is the first one of an edit.
  const std::uint64_t boot = image.pages.size() * (kPageSize / 8);
  EXPECT_NE(replay_untimed(session, registers, boot + 512 * 3 + 4).mismatches(), 0u);
}

// A translator that never forgets what it translated once.
TEST(UntimedReplay, FindsACacheThatIsNotInvalidated) {
  const TraceDataset dataset(kLegacy);
  ReplaySession session(dataset);
  std::map<std::tuple<std::uint16_t, Addr>, ReplayAccess::Answer> cache;
  while (true) {
    const ReplayStep step = session.next();
    if (step == ReplayStep::kEnd) break;
    session.take();
    if (step == ReplayStep::kInvalidation && session.invalidation().wait) session.waited();
    if (step != ReplayStep::kAccess) continue;
    const ReplayAccess& access = session.access();
    const auto entry =
        cache.try_emplace({access.requester.value(), access.iova / kPageSize}, access.expected);
    session.count(access, session.judge(access, access.iova, entry.first->second), access.iova,
                  entry.first->second);
  }
  EXPECT_GT(session.report().address_mismatches.value, 0u);
}

// --- Things the samples do not contain

// The test device at 00:08.0 uses another domain from its first map on.
TEST(UntimedReplay, FollowsADeviceIntoAnotherDomain) {
  const CaptureCopy capture(kVfio);
  capture.edit_trace([](std::size_t line, CaptureCopy::Fields& f) {
    if (!is_recording(line)) return;
    if (f[1] == "S") f.clear();  // the images know the old number
    if (f.empty()) return;
    if ((f[1] == "MAP" || f[1] == "UNM") && f[2] == "6") f[2] = "60";
    if (f[1] == "A" && f[9] == "6") f[9] = "60";
  });
  const ReplayReport r = replay(capture.path());
  EXPECT_EQ(r.mismatches(), 0u) << texts(r);
  EXPECT_EQ(r.rebinds.value, 1u);
}

TEST(UntimedReplay, RemarksOnACaptureThatIsCutOff) {
  const CaptureCopy capture(kVfio);
  capture.edit_trace([](std::size_t line, CaptureCopy::Fields& f) {
    if (line > 3000) f.clear();
  });
  const ReplayReport r = replay(capture.path());
  EXPECT_EQ(r.not_ended.value, 1u);
  ASSERT_EQ(r.notes.size(), 1u);
  EXPECT_EQ(r.notes[0], capture.path_of("dma.trace") + ": no END marker: the capture may be cut off");
  EXPECT_EQ(replay(kVfio).not_ended.value, 0u);
}

TEST(UntimedReplay, RemarksOnAnEmptyMappingList) {
  const CaptureCopy capture(kVfio);
  capture.write("mappings.boot.txt", "");
  const ReplayReport r = replay(capture.path());
  ASSERT_EQ(r.notes.size(), 1u);
  EXPECT_EQ(r.notes[0],
            capture.path_of("mappings.boot.txt") + ": lists nothing, so the image is not compared with it");
}

TEST(UntimedReplay, SeveralRecordingsInOneFile) {
  const CaptureCopy capture(kVfio);
  const std::string once = capture.read("dma.trace");
  capture.write("dma.trace", once + once + once);
  const ReplayReport r = replay(capture.path());
  EXPECT_EQ(r.mismatches(), 0u) << texts(r);
  EXPECT_EQ(r.compared.value, 3u * 731u);
}

}  // namespace
}  // namespace svasim
