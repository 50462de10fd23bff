#include "base/trace_capture.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/input_error.h"
#include "base/trace_mappings.h"
#include "support/memory_stream.h"

namespace svasim {
namespace {

TraceReader reader_of(const std::string& text) { return TraceReader(stream_of(text), "x.trace"); }

TraceRecord one(TraceReader& reader) {
  TraceRecord record;
  EXPECT_TRUE(reader.next(record));
  return record;
}

TEST(TraceCapture, EveryRecordKind) {
  TraceReader reader = reader_of(
      "5 A 02:1f.7 0 0xfffff002 2 R 0x8696002 12 9 H avail 0x8000000008696067\n"
      "5 A 01:00.0 - 0x200 0 - 0x9000200 21 8 M dup 0x9000083\n"
      "6 F 00:09.0 0 0x11a9f3ce29 471 W 0x71\n"
      "7 I piotlb-page did=10 pasid=0 addr=0xfff3f000 am=0 ih=1 0xa0036 0xfff3f040\n"
      "8 Q 12\n"
      "9 MAP 10 0xfff3f000 8192 0x8a46000\n"
      "10 UNM 10 0xfff3f000 4096\n"
      "11 N 0xfee003b8 0x41\n"
      "12 X root addr 0x28f35000 scalable 0\n"
      "13 G status 0x0 value 0x4000000\n"
      "14 K QCAP phase1\n"
      "15 S mid1\n"
      "16 K QCAP END\n");
  TraceRecord r = one(reader);
  EXPECT_EQ(r.kind, RecordKind::kAccess);
  EXPECT_EQ(r.time_us, 5u);
  EXPECT_EQ(r.requester, RequesterId::from_bdf(2, 0x1F, 7));
  EXPECT_TRUE(r.has_pasid);
  EXPECT_EQ(r.pasid.value(), 0u);
  EXPECT_EQ(r.iova, 0xfffff002u);
  EXPECT_EQ(r.length, 2u);
  EXPECT_EQ(r.direction, DmaDirection::kRead);
  EXPECT_EQ(r.address, 0x8696002u);
  EXPECT_EQ(r.page_shift, 12);
  EXPECT_EQ(r.domain.value(), 9);
  EXPECT_TRUE(r.hit);
  EXPECT_EQ(r.role, AccessRole::kNormal);
  EXPECT_EQ(r.access_class, "avail");
  EXPECT_EQ(r.leaf, 0x8000000008696067u);
  r = one(reader);
  EXPECT_EQ(r.role, AccessRole::kDuplicate);
  EXPECT_EQ(r.direction, DmaDirection::kUnknown);
  EXPECT_FALSE(r.has_pasid);
  EXPECT_FALSE(r.hit);
  r = one(reader);
  EXPECT_EQ(r.kind, RecordKind::kFault);
  EXPECT_EQ(r.direction, DmaDirection::kWrite);
  EXPECT_EQ(r.reason, 0x71);
  EXPECT_EQ(r.length, 471u);
  r = one(reader);
  EXPECT_EQ(r.kind, RecordKind::kInvalidation);
  EXPECT_EQ(r.text, "piotlb-page did=10 pasid=0 addr=0xfff3f000 am=0 ih=1");
  EXPECT_EQ(r.words[0], 0xa0036u);
  EXPECT_EQ(r.words[1], 0xfff3f040u);
  EXPECT_EQ(one(reader).tail, 12u);
  r = one(reader);
  EXPECT_EQ(r.kind, RecordKind::kMap);
  EXPECT_EQ(r.domain.value(), 10);
  EXPECT_EQ(r.length, 8192u);
  EXPECT_EQ(r.address, 0x8a46000u);
  EXPECT_EQ(one(reader).kind, RecordKind::kUnmap);
  r = one(reader);
  EXPECT_EQ(r.message_address, 0xfee003b8u);
  EXPECT_EQ(r.message_data, 0x41u);
  EXPECT_EQ(one(reader).kind, RecordKind::kCacheEvent);
  EXPECT_EQ(one(reader).kind, RecordKind::kRegister);
  r = one(reader);
  EXPECT_EQ(r.kind, RecordKind::kMarker);
  EXPECT_FALSE(r.is_end);
  EXPECT_EQ(one(reader).text, "mid1");
  EXPECT_TRUE(one(reader).is_end);
  EXPECT_EQ(reader.line(), 13u);
  EXPECT_FALSE(reader.next(r));
}

struct Bad {
  const char* text;
  const char* message;
};

class TraceCaptureBad : public testing::TestWithParam<Bad> {};

TEST_P(TraceCaptureBad, IsRefusedWithFileLineAndReason) {
  TraceReader reader = reader_of(std::string("1 Q 2\n") + GetParam().text);
  TraceRecord record;
  EXPECT_TRUE(reader.next(record));
  try {
    reader.next(record);
    FAIL() << "accepted: " << GetParam().text;
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(), GetParam().message);
    EXPECT_EQ(error.line(), 2u);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Lines, TraceCaptureBad,
    testing::Values(
        Bad{"0 Q 3\n", "x.trace:2: time goes back from 1 to 0"},
        Bad{"\n", "x.trace:2: field 'time' is missing"}, Bad{"2\n", "x.trace:2: field 'kind' is missing"},
        Bad{"two Q 3\n", "x.trace:2: field 'time': 'two' is not a number"},
        Bad{"2 Z 3\n", "x.trace:2: field 'kind': 'Z' is not a record kind"},
        Bad{"2  Q 3\n", "x.trace:2: field 'kind': '' is empty"},
        Bad{"2 Q\n", "x.trace:2: field 'tail' is missing"},
        Bad{"2 Q -3\n", "x.trace:2: field 'tail': '-3' is not a number"},
        Bad{"2 Q 3 4\n", "x.trace:2: unexpected text after the last field: '4'"},
        Bad{"2 Q 3", "x.trace:2: the text ends within this line: truncated"},
        Bad{"2 MAP 70000 0x1000 4096 0x1000\n", "x.trace:2: field 'did': '70000' is too large"},
        Bad{"2 MAP 7 0x1000 100 0x1000\n", "x.trace:2: field 'size': 'range' is not whole pages"},
        Bad{"2 MAP 7 0x1000 0 0x1000\n", "x.trace:2: field 'size': 'range' is not whole pages"},
        Bad{"2 MAP 7 0x1000 4096 0x1001\n", "x.trace:2: field 'pa': 'address' is not the start of a page"},
        Bad{"2 UNM 7 0xfffffffffffff000 8192\n",
            "x.trace:2: field 'iova': 'range' goes beyond the last address"},
        Bad{"2 F 00:20.0 0 0x0 1 W 0x71\n", "x.trace:2: field 'sid': '00:20.0' is not bus:device.function"},
        Bad{"2 F 00:09 0 0x0 1 W 0x71\n", "x.trace:2: field 'sid': '00:09' is not bus:device.function"},
        Bad{"2 F 00:09.0 0x100000 0x0 1 W 0x71\n",
            "x.trace:2: field 'pasid': '0x100000' is wider than 20 bits"},
        Bad{"2 F 00:09.0 0 0x0 0 W 0x71\n", "x.trace:2: field 'len': '0' is not a length"},
        Bad{"2 F 00:09.0 0 0x0 1 w 0x71\n", "x.trace:2: field 'dir': 'w' is not R, W, ? or -"},
        Bad{"2 F 00:09.0 0 0x0 1 W 0x171\n", "x.trace:2: field 'reason': '0x171' is too large"},
        Bad{"2 A 02:00.0 0 0xff0 17 R 0x1ff0 12 9 H avail 0x1003\n",
            "x.trace:2: field 'len': 'range' crosses the end of the page"},
        Bad{"2 A 02:00.0 0 0xff0 16 R 0x1ff4 12 9 H avail 0x1003\n",
            "x.trace:2: field 'pa': 'offset' in the page differs from that of iova"},
        Bad{"2 A 02:00.0 0 0xff0 16 R 0x1ff0 13 9 H avail 0x1003\n",
            "x.trace:2: field 'pgshift': '13' is not 12, 21 or 30"},
        Bad{"2 A 02:00.0 0 0xff0 16 R 0x1ff0 12 9 Q avail 0x1003\n",
            "x.trace:2: field 'hm': 'Q' is not H or M"},
        Bad{"2 A 02:00.0 0 0xff0 16 R 0x1ff0 12 9 H avail\n", "x.trace:2: field 'pte' is missing"},
        Bad{"2 I 0x5 0x6\n", "x.trace:2: field 'text': '' is missing"},
        Bad{"2 I wait 0x5\n", "x.trace:2: field 'lo': 'wait' is not a number"},
        Bad{"2 I wait 0x5 0xg\n", "x.trace:2: field 'hi': '0xg' is not a number"},
        Bad{"2 S\n", "x.trace:2: field 'name' is missing"}));

TEST(TraceCapture, SeveralRecordings) {
  TraceReader reader = reader_of("1 S boot\n9 K x END\n10 Q 1\n0 Q 2\n7 K END\n8 Q 1\n3 Q 1\n");
  TraceRecord record;
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(reader.next(record));
  EXPECT_THROW(reader.next(record), InputError) << "time goes back, but not to 0";
}

TEST(TraceCapture, TimeZeroInsideARecordingIsAnError) {
  TraceReader reader = reader_of("1 S boot\n9 K x END\n0 Q 2\n4 Q 1\n0 Q 3\n");
  TraceRecord record;
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(reader.next(record));
  EXPECT_THROW(reader.next(record), InputError);
}

TEST(TraceCapture, OverlongLine) {
  TraceReader reader = reader_of("1 K " + std::string(70000, 'a') + "\n");
  TraceRecord record;
  EXPECT_THROW(reader.next(record), InputError);
}

TEST(TraceMappings, BindingsAndLeaves) {
  MappingReader reader(
      stream_of("# CAP=0x1\n"
                "C 00:00.0 lo=0x28f3a001 hi=0x202 tt=0 aw=2 did=2 slptptr=0x28f3a000\n"
                "C 00:08.0 ctx=0x1 0x0 0x0 0x0 dte=0 pasiddir=0x1c195d000 rid_pasid=0\n"
                "P 00:08.0 pasid=5 pe=0x1c7c49089 0x6 0x2 0x3 0x4 0x5 0x6 0x7 pgtt=2 aw=2 did=6 flpm=0\n"
                "M 00:1f.0 - 7 0x200000 0x400000 21 RW- 0x400083\n"
                "M 00:1f.0 0 7 0x200000 0x401000 21 RW- 0x400083\n"),
      "m.txt");
  MappingRecord r;
  ASSERT_TRUE(reader.next(r));
  EXPECT_EQ(r.kind, MappingRecord::Kind::kContext);
  EXPECT_EQ(r.domain.value(), 2);
  EXPECT_FALSE(r.has_pasid);
  EXPECT_EQ(r.word_count, 2u);
  EXPECT_EQ(r.words[1], 0x202u);
  ASSERT_TRUE(reader.next(r));
  EXPECT_EQ(r.kind, MappingRecord::Kind::kContext);
  EXPECT_FALSE(r.has_domain);
  EXPECT_EQ(r.word_count, 4u);
  ASSERT_TRUE(reader.next(r));
  EXPECT_EQ(r.kind, MappingRecord::Kind::kPasidEntry);
  EXPECT_EQ(r.word_count, 8u);
  EXPECT_EQ(r.words[7], 7u);
  EXPECT_EQ(r.requester, RequesterId::from_bdf(0, 8, 0));
  EXPECT_EQ(r.pasid.value(), 5u);
  EXPECT_EQ(r.domain.value(), 6);
  ASSERT_TRUE(reader.next(r));
  EXPECT_EQ(r.kind, MappingRecord::Kind::kLeaf);
  EXPECT_EQ(r.iova, 0x200000u);
  EXPECT_EQ(r.address, 0x400000u);
  EXPECT_EQ(r.page_shift, 21);
  EXPECT_EQ(r.entry, 0x400083u);
  EXPECT_EQ(reader.line(), 5u);
  EXPECT_THROW(reader.next(r), InputError) << "not aligned";
}

TEST(TraceMappings, UnknownLine) {
  MappingReader reader(stream_of("hello\n"), "m.txt");
  MappingRecord r;
  try {
    reader.next(r);
    FAIL();
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(), "m.txt:1: not a record: 'hello'");
  }
}

}  // namespace
}  // namespace svasim
