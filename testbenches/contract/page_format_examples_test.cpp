// Walks worked out by hand from the specifications, with every entry as a number. Indices are 3, 2, 1, 4, 5
// from level 1 upward, the offset is 0x456.
#include "contract/page_format_bench.h"

namespace svasim::test {
namespace {

// 1 << 30 | 2 << 21 | 3 << 12 | 0x456, then with 4 << 39 and 5 << 48.
constexpr Addr kVa3 = 0x0000'0000'4040'3456;
constexpr Addr kVa4 = 0x0000'0200'4040'3456;
constexpr Addr kVa5 = 0x0005'0200'4040'3456;

using Memory = std::map<Addr, std::uint64_t>;

class Example {
 public:
  Example(const char* format, Addr root, const Memory& words, const PageFormatOptions& options = {})
      : format_(find_format(format)->make(options)) {
    for (const auto& [address, word] : words) {
      memory_.add_page(address);
      memory_.write64(address, word);
    }
    walk.format = &format_;
    walk.level = format_.levels;
    walk.table = root;
    walk.update_ad = true;
  }

  Example& read(Addr address) {
    walk.iova = address;
    walk.is_read = true;
    walk.is_write = false;
    return *this;
  }
  Example& write(Addr address) {
    walk.iova = address;
    walk.is_read = false;
    walk.is_write = true;
    return *this;
  }
  void leads_to(Addr address, unsigned page_shift, unsigned reads) {
    const WalkResult result = drive(memory_, walk).result;
    EXPECT_EQ(result.fault, FaultReason::kNone) << fault_text(result.fault);
    EXPECT_EQ(result.page | (walk.iova & mask_between(page_shift - 1, 0)), address);
    EXPECT_EQ(result.page_shift, page_shift);
    EXPECT_EQ(result.reads, reads);
  }
  void fails(FaultReason reason, unsigned level, RiscvCause cause = RiscvCause::kNone) {
    const WalkResult result = drive(memory_, walk).result;
    EXPECT_EQ(result.fault, reason) << fault_text(result.fault);
    EXPECT_EQ(result.fault_level, level);
    if (cause != RiscvCause::kNone) {
      EXPECT_EQ(riscv_walk_cause(result.fault, format_.stage, walk.is_write), cause);
    }
  }
  void set(Addr address, std::uint64_t word) { memory_.write64(address, word); }
  std::uint64_t get(Addr address) const {
    std::uint64_t word = 0;
    EXPECT_TRUE(memory_.read64(address, word));
    return word;
  }

  WalkRequest walk;

 private:
  PageTableFormat format_;
  PageMemory memory_;
};

// P, R/W, U/S are bits 0, 1, 2; A and D 5 and 6; PS 7. SPEC: [VTD 9.8]
TEST(PageFormatExample, X86FirstStage4) {
  Example e("x86-fs4", 0x10000,
            {{0x10020, 0x11007}, {0x11008, 0x12007}, {0x12010, 0x13007}, {0x13018, 0x8'7654'3007}});
  e.read(kVa4).leads_to(0x8'7654'3456, 12, 4);
  EXPECT_EQ(e.get(0x10020), 0x11027U);
  EXPECT_EQ(e.get(0x11008), 0x12027U);
  EXPECT_EQ(e.get(0x12010), 0x13027U);
  EXPECT_EQ(e.get(0x13018), 0x8'7654'3027U);
  e.write(kVa4).leads_to(0x8'7654'3456, 12, 4);
  EXPECT_EQ(e.get(0x13018), 0x8'7654'3067U);
  e.set(0x12010, 0x13025);
  e.fails(FaultReason::kNoWrite, 1);
  e.set(0x12010, 0x8'7660'1087);  // 2 MiB with its PAT bit
  e.write(kVa4).leads_to(0x8'7660'3456, 21, 3);
  EXPECT_EQ(e.get(0x12010), 0x8'7660'10E7U);
  e.set(0x12010, 0x8'7660'2087);
  e.fails(FaultReason::kFirstStageReserved, 2);
  e.set(0x11008, 0x8'8000'0085);  // 1 GiB, read-only
  e.fails(FaultReason::kNoWrite, 3);
  EXPECT_EQ(e.get(0x11008), 0x8'8000'0085U);
  e.read(kVa4).leads_to(0x8'8040'3456, 30, 2);
  e.set(0x10020, 0x11087);  // PS where no large page may be
  e.fails(FaultReason::kFirstStageReserved, 4);
  e.read(0x0000'8000'0000'0000).fails(FaultReason::kNotCanonical, 4);
}

TEST(PageFormatExample, X86FirstStage5) {
  Example e("x86-fs5", 0x10000,
            {{0x10028, 0x11007},
             {0x11020, 0x12007},
             {0x12008, 0x13007},
             {0x13010, 0x14007},
             {0x14018, 0x8'7654'3003}});
  e.read(kVa5).fails(FaultReason::kUserNotAllowed, 1);
  e.walk.privileged = true;
  e.write(kVa5).leads_to(0x8'7654'3456, 12, 5);
  EXPECT_EQ(e.get(0x10028), 0x11027U);
  EXPECT_EQ(e.get(0x14018), 0x8'7654'3063U);
  e.read(0x0100'0000'0000'0000).fails(FaultReason::kNotCanonical, 5);
}

// R and W are bits 0 and 1; PS 7; A and D 8 and 9; SNP 11. SPEC: [VTD 9.9]
TEST(PageFormatExample, VtdSecondStage) {
  PageFormatOptions options;
  options.accessed_dirty = true;
  Example three("vtd-ss3", 0x10000, {{0x10008, 0x11003}, {0x11010, 0x12003}, {0x12018, 0x8'7654'3003}},
                options);
  three.write(kVa3).leads_to(0x8'7654'3456, 12, 3);
  EXPECT_EQ(three.get(0x10008), 0x11103U);
  EXPECT_EQ(three.get(0x12018), 0x8'7654'3303U);
  three.set(0x12018, 0x8'7654'3002);
  three.read(kVa3).fails(FaultReason::kNoRead, 1);
  three.set(0x11010, 0x12001);  // read-only table over a write-only page: nothing
  three.read(kVa3).fails(FaultReason::kSecondStageNotPresent, 1);
  three.set(0x11010, 0x8'7660'0083);
  three.read(kVa3).leads_to(0x8'7660'3456, 21, 2);
  EXPECT_EQ(three.get(0x11010), 0x8'7660'0183U);
  three.set(0x11010, 0x8'7660'1083);  // bit 12 is an address bit here
  three.fails(FaultReason::kSecondStageReserved, 2);
  three.read(0x80'0000'0000).fails(FaultReason::kSecondStageBeyondWidth, 3);

  Example four("vtd-ss4", 0x10000, {{0x10020, 0x11003}, {0x11008, 0x8'8000'0083}}, options);
  four.read(kVa4).leads_to(0x8'8040'3456, 30, 2);
  EXPECT_EQ(four.get(0x11008), 0x8'8000'0183U);
  four.set(0x11008, 0x8'8000'0883);  // SNP without snoop control
  four.fails(FaultReason::kSecondStageReserved, 3);

  Example five("vtd-ss5", 0x10000,
               {{0x10028, 0x11003},
                {0x11020, 0x12003},
                {0x12008, 0x13003},
                {0x13010, 0x14003},
                {0x14018, 0x8'7654'3001}});
  five.read(kVa5).leads_to(0x8'7654'3456, 12, 5);
  EXPECT_EQ(five.get(0x10028), 0x11003U);  // without SSADE nothing is marked
  five.write(kVa5).fails(FaultReason::kNoWrite, 1);
}

// V, R, W, X, U are bits 0 to 4, G 5, A 6, D 7; the page number is in 53:10: an address shifted right by 2.
// 0x8000'1000 >> 2 = 0x2000'0400. SPEC: [RVPRIV Sv39]
TEST(PageFormatExample, RiscvSv39) {
  // 0x8'7654'3000 >> 2 = 0x2'1D95'0C00; with V R W U A D.
  Example e("riscv-sv39", 0x8000'0000,
            {{0x8000'0008, 0x2000'0401}, {0x8000'1010, 0x2000'0801}, {0x8000'2018, 0x2'1D95'0CD7}});
  e.write(kVa3).leads_to(0x8'7654'3456, 12, 3);
  EXPECT_EQ(e.get(0x8000'0008), 0x2000'0401U);  // tables keep no accessed bit
  // V R W U: A with a read, D with a write.
  e.set(0x8000'2018, 0x2'1D95'0C17);
  e.read(kVa3).leads_to(0x8'7654'3456, 12, 3);
  EXPECT_EQ(e.get(0x8000'2018), 0x2'1D95'0C57U);
  e.write(kVa3).leads_to(0x8'7654'3456, 12, 3);
  EXPECT_EQ(e.get(0x8000'2018), 0x2'1D95'0CD7U);
  // The same without SADE: page faults.
  e.walk.update_ad = false;
  e.set(0x8000'2018, 0x2'1D95'0C17);
  e.read(kVa3).fails(FaultReason::kFirstStageNotPresent, 1, RiscvCause::kReadPageFault);
  e.set(0x8000'2018, 0x2'1D95'0C57);
  e.read(kVa3).leads_to(0x8'7654'3456, 12, 3);
  e.write(kVa3).fails(FaultReason::kFirstStageNotPresent, 1, RiscvCause::kWritePageFault);
  EXPECT_EQ(e.get(0x8000'2018), 0x2'1D95'0C57U);
  e.walk.update_ad = true;
  // V R X A, for supervisors: a user is kept out, nobody writes.
  e.set(0x8000'2018, 0x2'1D95'0C4B);
  e.read(kVa3).fails(FaultReason::kUserNotAllowed, 1, RiscvCause::kReadPageFault);
  e.walk.privileged = true;
  e.read(kVa3).leads_to(0x8'7654'3456, 12, 3);
  e.write(kVa3).fails(FaultReason::kNoWrite, 1, RiscvCause::kWritePageFault);
  // A user page is closed to a supervisor without SUM.
  e.set(0x8000'2018, 0x2'1D95'0CD7);
  e.read(kVa3).fails(FaultReason::kUserNotAllowed, 1, RiscvCause::kReadPageFault);
  e.walk.privileged_user = true;
  e.read(kVa3).leads_to(0x8'7654'3456, 12, 3);
  e.walk.privileged = false;
  // V X U A: execute-only.
  e.set(0x8000'2018, 0x2'1D95'0C59);
  e.read(kVa3).fails(FaultReason::kNoRead, 1, RiscvCause::kReadPageFault);
  // Write without read, with and without execute.
  for (const std::uint64_t word : {0x2'1D95'0CD5U, 0x2'1D95'0CDDU}) {
    e.set(0x8000'2018, word);
    e.read(kVa3).fails(FaultReason::kFirstStageReserved, 1, RiscvCause::kReadPageFault);
  }
  // A pointer at the last level.
  e.set(0x8000'2018, 0x2'1D95'0C01);
  e.fails(FaultReason::kFirstStageReserved, 1, RiscvCause::kReadPageFault);
  // Bits 54 and 60, PBMT, N.
  for (const unsigned bit : {54U, 60U, 61U, 62U, 63U}) {
    e.set(0x8000'2018, 0x2'1D95'0CD7 | std::uint64_t{1} << bit);
    e.fails(FaultReason::kFirstStageReserved, 1, RiscvCause::kReadPageFault);
  }
  // U, A, D of a pointer; G and the bits for software do not matter.
  e.set(0x8000'2018, 0x2'1D95'0CD7 | 0x320);
  for (const unsigned bit : {4U, 6U, 7U}) {
    e.set(0x8000'1010, 0x2000'0801 | std::uint64_t{1} << bit);
    e.fails(FaultReason::kFirstStageReserved, 2, RiscvCause::kReadPageFault);
  }
  e.set(0x8000'1010, 0x2000'0B21);
  e.leads_to(0x8'7654'3456, 12, 3);
  // 2 MiB: 0x8'7660'0000 >> 2 = 0x2'1D98'0000.
  e.set(0x8000'1010, 0x2'1D98'00D7);
  e.leads_to(0x8'7660'3456, 21, 2);
  e.set(0x8000'1010, 0x2'1D98'04D7);
  e.fails(FaultReason::kFirstStageReserved, 2, RiscvCause::kReadPageFault);
  // 1 GiB: 0x8'8000'0000 >> 2 = 0x2'2000'0000.
  e.set(0x8000'0008, 0x2'2000'00D7);
  e.leads_to(0x8'8040'3456, 30, 1);
  e.set(0x8000'0008, 0x2'2008'00D7);
  e.fails(FaultReason::kFirstStageReserved, 3, RiscvCause::kReadPageFault);
  // A table that is no memory.
  e.set(0x8000'0008, 0x003F'FFFF'FFFF'FC01);
  e.write(kVa3).fails(FaultReason::kFirstStageAccess, 2, RiscvCause::kWriteAccessFault);
  // The upper half: index 0x100 of the root.
  e.set(0x8000'0800, 0x2'2000'00D7);
  e.read(0xFFFF'FFC0'0000'0000).leads_to(0x8'8000'0000, 30, 1);
  e.read(0x0000'0040'0000'0000).fails(FaultReason::kNotCanonical, 3, RiscvCause::kReadPageFault);
}

TEST(PageFormatExample, RiscvSv48AndSv57) {
  Example four("riscv-sv48", 0x8000'0000,
               {{0x8000'0020, 0x2000'0401},
                {0x8000'1008, 0x2000'0801},
                {0x8000'2010, 0x2000'0C01},
                {0x8000'3018, 0x2'1D95'0C57}});
  four.read(kVa4).leads_to(0x8'7654'3456, 12, 4);
  four.set(0x8000'0020, 0x20'0000'00D7);  // 512 GiB at 0x80'0000'0000
  four.write(kVa4).leads_to(0x80'4040'3456, 39, 1);
  four.set(0x8000'0020, 0x20'1000'00D7);  // not aligned: bit 38 of the address
  four.fails(FaultReason::kFirstStageReserved, 4, RiscvCause::kWritePageFault);
  four.read(0x0000'8000'0000'0000).fails(FaultReason::kNotCanonical, 4, RiscvCause::kReadPageFault);

  Example five("riscv-sv57", 0x8000'0000,
               {{0x8000'0028, 0x2000'0401},
                {0x8000'1020, 0x2000'0801},
                {0x8000'2008, 0x2000'0C01},
                {0x8000'3010, 0x2000'1001},
                {0x8000'4018, 0x2'1D95'0C57}});
  five.read(kVa5).leads_to(0x8'7654'3456, 12, 5);
  five.set(0x8000'0028, 0x4000'0000'00D7);  // 256 TiB at 0x1'0000'0000'0000
  five.read(kVa5).leads_to(0x1'0200'4040'3456, 48, 1);
  five.set(0x8000'0028, 0x4020'0000'00D7);
  five.fails(FaultReason::kFirstStageReserved, 5, RiscvCause::kReadPageFault);
  five.read(0x0100'0000'0000'0000).fails(FaultReason::kNotCanonical, 5, RiscvCause::kReadPageFault);
}

// The top index has 11 bits: here all ones, 0x7FF * 8 = 0x3FF8 in a table of 16 KiB at 0x8000'4000. Every
// page needs U. SPEC: [RVPRIV Two-Stage Address Translation]
TEST(PageFormatExample, RiscvSecondStage) {
  Example three("riscv-sv39x4", 0x8000'4000,
                {{0x8000'7FF8, 0x2000'0401}, {0x8000'1010, 0x2000'0801}, {0x8000'2018, 0x2'1D95'0CD7}});
  three.write(0x1FF'C040'3456).leads_to(0x8'7654'3456, 12, 3);
  three.set(0x8000'2018, 0x2'1D95'0CC7);
  three.fails(FaultReason::kUserNotAllowed, 1, RiscvCause::kWriteGuestPageFault);
  three.walk.privileged = three.walk.privileged_user = true;
  three.fails(FaultReason::kUserNotAllowed, 1, RiscvCause::kWriteGuestPageFault);
  three.set(0x8000'2018, 0x2'1D95'0C13);
  three.read(0x1FF'C040'3456).leads_to(0x8'7654'3456, 12, 3);
  EXPECT_EQ(three.get(0x8000'2018), 0x2'1D95'0C53U);
  three.walk.update_ad = false;
  three.set(0x8000'2018, 0x2'1D95'0C13);
  three.fails(FaultReason::kSecondStageNotPresent, 1, RiscvCause::kReadGuestPageFault);
  three.set(0x8000'7FF8, 0);
  three.fails(FaultReason::kSecondStageNotPresent, 3, RiscvCause::kReadGuestPageFault);
  three.read(0x200'0000'0000).fails(FaultReason::kSecondStageBeyondWidth, 3, RiscvCause::kReadGuestPageFault);
  three.read(0xFFFF'FFFF'FFFF'F000)
      .fails(FaultReason::kSecondStageBeyondWidth, 3, RiscvCause::kReadGuestPageFault);

  // 0x7FF << 39 and 0x7FF << 48 in place of the top index.
  Example four("riscv-sv48x4", 0x8000'4000, {{0x8000'7FF8, 0x2000'0401}, {0x8000'1008, 0x2'2000'00D7}});
  four.read(0x3'FF80'4040'3456).leads_to(0x8'8040'3456, 30, 2);
  four.read(0x4'0000'0000'0000)
      .fails(FaultReason::kSecondStageBeyondWidth, 4, RiscvCause::kReadGuestPageFault);

  Example five("riscv-sv57x4", 0x8000'4000, {{0x8000'7FF8, 0x2000'0401}, {0x8000'1020, 0x20'0000'00D7}});
  five.read(0x7FF'0200'4040'3456).leads_to(0x80'4040'3456, 39, 2);
  five.read(0x800'0000'0000'0000)
      .fails(FaultReason::kSecondStageBeyondWidth, 5, RiscvCause::kReadGuestPageFault);
}

}  // namespace
}  // namespace svasim::test
