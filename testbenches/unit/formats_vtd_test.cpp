// Layouts of VT-d structures against bit numbers written down from the specification and against
// words a real driver wrote.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "models/formats/ats_messages.h"
#include "models/formats/vtd_context.h"
#include "models/formats/vtd_faults.h"
#include "models/formats/vtd_invalidation.h"
#include "models/formats/vtd_page_request.h"
#include "models/formats/vtd_registers.h"

namespace svasim {
namespace {

TEST(VtdContext, FieldsOfWordsWrittenByLinux) {
  // A second-stage PASID-table entry and a scalable context entry of a captured system, with what
  // an independent program read from them.
  const Words<8> pasid_entry = {0x1c196f089, 0x3, 0, 0, 0, 0, 0, 0};
  using P = PasidTableEntry;
  EXPECT_EQ(P::P::get(pasid_entry), 1u);
  EXPECT_EQ(P::PGTT::get(pasid_entry), 2u);
  EXPECT_EQ(P::AW::get(pasid_entry), 2u);
  EXPECT_EQ(P::DID::get(pasid_entry), 3u);
  EXPECT_EQ(P::SSPTPTR::in_place(pasid_entry), 0x1c196f000u);
  const Words<4> context = {0x1e9935401, 0, 0, 0};
  EXPECT_EQ(ScalableContextEntry::PDTS::get(context), 2u);
  EXPECT_EQ(ScalableContextEntry::PASIDDIRPTR::in_place(context), 0x1e9935000u);
  EXPECT_EQ(ScalableContextEntry::DTE::get(context), 0u);
  EXPECT_EQ(VtdRtaddr::TTM::get(0x1e9931400), 1u);
  EXPECT_EQ(VtdRtaddr::RTA::in_place(0x1e9931400), 0x1e9931000u);
}

TEST(VtdContext, FirstStagePasidEntryAsLinuxBindsIt) {
  // PGTT 1, DID 1, FSPTPTR = root of the process, PWSNP, five levels.
  Words<8> entry{};
  using P = PasidTableEntry;
  P::P::set(entry, 1);
  P::PGTT::set(entry, 1);
  P::DID::set(entry, 1);
  P::PWSNP::set(entry, 1);
  P::FSPM::set(entry, 1);
  P::FSPTPTR::set_in_place(entry, 0x123456000);
  EXPECT_EQ(entry, (Words<8>{0x41, 1 | (1u << 23), 0x123456000 | (1u << 2), 0, 0, 0, 0, 0}));
}

TEST(VtdContext, ReservedBitsAreThoseNoFieldCovers) {
  using P = PasidTableEntry;
  // Fields by bit number, as listed in the table of the specification.
  std::set<unsigned> used;
  const auto field = [&used](unsigned hi, unsigned lo) {
    for (unsigned bit = lo; bit <= hi; ++bit) used.insert(bit);
  };
  for (const auto& [hi, lo] : std::initializer_list<std::pair<unsigned, unsigned>>{
           {0, 0},     {1, 1},     {4, 2},     {8, 6},     {9, 9},     {63, 12},   {79, 64},   {87, 87},
           {88, 88},   {89, 89},   {90, 90},   {127, 96},  {128, 128}, {131, 130}, {132, 132}, {134, 133},
           {135, 135}, {191, 140}, {257, 256}, {258, 258}, {319, 268}, {335, 320}}) {
    field(hi, lo);
  }
  for (unsigned bit = 0; bit < 512; ++bit) {
    EXPECT_EQ((P::kReserved[bit / 64] >> (bit % 64)) & 1, used.count(bit) == 0) << "bit " << bit;
  }
  used.clear();
  for (const auto& [hi, lo] :
       std::initializer_list<std::pair<unsigned, unsigned>>{{6, 0}, {11, 9}, {63, 12}, {83, 64}, {84, 84}}) {
    field(hi, lo);
  }
  for (unsigned bit = 0; bit < 256; ++bit) {
    EXPECT_EQ((ScalableContextEntry::kReserved[bit / 64] >> (bit % 64)) & 1, used.count(bit) == 0)
        << "bit " << bit;
  }
  used.clear();
  for (const auto& [hi, lo] :
       std::initializer_list<std::pair<unsigned, unsigned>>{{3, 0}, {63, 12}, {66, 64}, {70, 67}, {87, 72}}) {
    field(hi, lo);
  }
  for (unsigned bit = 0; bit < 128; ++bit) {
    EXPECT_EQ((LegacyContextEntry::kReserved[bit / 64] >> (bit % 64)) & 1, used.count(bit) == 0)
        << "bit " << bit;
  }
}

TEST(VtdContext, AddressesOfEntries) {
  const auto id = RequesterId::from_bdf(0x3A, 0x11, 5);
  EXPECT_EQ(LegacyRootEntry::address(0x1000, id), 0x1000u + 0x3A * 16);
  EXPECT_EQ(LegacyContextEntry::address(0x2000, id), 0x2000u + 0x8D * 16);
  EXPECT_EQ(ScalableRootEntry::half(id), 1u);
  EXPECT_EQ(ScalableRootEntry::half(RequesterId::from_bdf(0, 0xF, 7)), 0u);
  EXPECT_EQ(ScalableContextEntry::address(0x2000, id), 0x2000u + 0x0D * 32);
  EXPECT_EQ(PasidDirectoryEntry::address(0x4000, Pasid(0xFFFFF)), 0x4000u + 0x3FFF * 8);
  EXPECT_EQ(PasidTableEntry::address(0x5000, Pasid(0xFFFFF)), 0x5000u + 63 * 64);
  EXPECT_EQ(ScalableContextEntry::directory_entries(7), 16384u);
}

// Raw words of descriptors a Linux driver queued, beside their meaning.
TEST(VtdInvalidation, BuildersGiveTheWordsLinuxQueued) {
  const auto words = [](const InvalidationDescriptor& d) { return std::make_pair(d[0], d[1]); };
  using W = std::pair<std::uint64_t, std::uint64_t>;
  const DomainId did(8);
  EXPECT_EQ(words(make_context_cache(ContextGranularity::kGlobal)), W(0x11, 0));
  EXPECT_EQ(words(make_iotlb_global()), W(0xd2, 0));
  EXPECT_EQ(words(make_iotlb_domain(did)), W(0x800e2, 0));
  EXPECT_EQ(words(make_iotlb_page(did, 0xffffd000, 0)), W(0x800f2, 0xffffd000));
  EXPECT_EQ(words(make_pasid_iotlb_pasid(DomainId(6), Pasid(0))), W(0x60026, 0));
  EXPECT_EQ(words(make_pasid_iotlb_page(did, Pasid(0), 0xffffd000, 0, true)), W(0x80036, 0xffffd040));
  EXPECT_EQ(words(make_interrupt_entry_cache(InterruptGranularity::kGlobal)), W(0x4, 0));
  EXPECT_EQ(words(make_interrupt_entry_cache(InterruptGranularity::kIndex, 1)), W(0x100000014, 0));
  EXPECT_EQ(words(make_pasid_cache(PasidCacheGranularity::kPasid, DomainId(6))), W(0x60017, 0));
  EXPECT_EQ(words(make_wait_status(0x1052004, 2)), W(0x200000025, 0x1052004));
  // This one's function numbers were left 0 by the driver.
  InvalidationDescriptor dev = make_device_tlb(RequesterId(0x200), 0xffff8000, false, 0);
  DeviceTlbDescriptor::PFSID_LOW::set(dev, 0);
  DeviceTlbDescriptor::PFSID_HIGH::set(dev, 0);
  EXPECT_EQ(words(dev), W(0x20000000003, 0xffff8000));
}

TEST(VtdInvalidation, BuildersByBitNumber) {
  const RequesterId rid(0xABCD);
  const Pasid pasid(0x54321);
  InvalidationDescriptor d = make_pasid_device_tlb(rid, pasid, 0x7f0000001000, true, 0x15, true);
  // Type 8; MIP 8:4; PFSID[3:0] 15:12; SID 31:16; PASID 51:32; PFSID[15:4] 63:52.
  EXPECT_EQ(d[0],
            0x8u | (0x15u << 4) | (0xDull << 12) | (0xABCDull << 16) | (0x54321ull << 32) | (0xABCull << 52));
  EXPECT_EQ(d[1], 0x7f0000001000u | (1u << 11) | 1u);
  d = make_page_group_response(rid, true, pasid, 0x1F5, PageResponseCode::kInvalidRequest);
  EXPECT_EQ(d[0], 0x9u | (1u << 4) | (1u << 12) | (0xABCDull << 16) | (0x54321ull << 32));
  EXPECT_EQ(d[1], 0x1F5u << 3);
  d = make_wait_drain(0x8000, 7);
  EXPECT_EQ(d[0], 0x5u | (1u << 5) | (1u << 7) | (7ull << 32));
  EXPECT_EQ(make_wait_fence()[0], 0x5u | (1u << 6));
  EXPECT_EQ(make_wait_interrupt()[0], 0x5u | (1u << 4));
  d = make_context_cache(ContextGranularity::kDevice, DomainId(0x1234), rid, 3);
  EXPECT_EQ(d[0], 0x1u | (3u << 4) | (0x1234ull << 16) | (0xABCDull << 32) | (3ull << 48));
}

TEST(VtdInvalidation, BuildersSetNoReservedBit) {
  const RequesterId rid(0xFFFF);
  const Pasid pasid(0xFFFFF);
  const DomainId did(0xFFFF);
  const Addr all = ~Addr{0};
  const auto clean = [](const InvalidationDescriptor& d, InvalidationType type,
                        const InvalidationDescriptor& reserved) {
    EXPECT_EQ(invalidation_type(d), static_cast<unsigned>(type));
    EXPECT_FALSE(has_reserved_bits(d, reserved)) << "type " << invalidation_type(d);
  };
  clean(make_context_cache(ContextGranularity::kDevice, did, rid, 3), InvalidationType::kContextCache,
        ContextCacheDescriptor::kReserved);
  clean(make_iotlb_page(did, all, 63, true), InvalidationType::kIotlb, IotlbDescriptor::kReserved);
  clean(make_device_tlb(rid, all, true, 31), InvalidationType::kDeviceTlb, DeviceTlbDescriptor::kReserved);
  clean(make_interrupt_entry_cache(InterruptGranularity::kIndex, 0xFFFF, 31),
        InvalidationType::kInterruptEntryCache, InterruptEntryDescriptor::kReserved);
  clean(make_wait_drain(all & ~Addr{3}, ~0u), InvalidationType::kWait, WaitDescriptor::kReserved);
  clean(make_pasid_iotlb_page(did, pasid, all, 63, true), InvalidationType::kPasidIotlb,
        PasidIotlbDescriptor::kReserved);
  clean(make_pasid_cache(PasidCacheGranularity::kPasid, did, pasid), InvalidationType::kPasidCache,
        PasidCacheDescriptor::kReserved);
  clean(make_pasid_device_tlb(rid, pasid, all, true, 31, true), InvalidationType::kPasidDeviceTlb,
        PasidDeviceTlbDescriptor::kReserved);
  clean(make_page_group_response(rid, true, pasid, 511, PageResponseCode::kResponseFailure),
        InvalidationType::kPageGroupResponse, PageGroupResponseDescriptor::kReserved);
}

TEST(VtdInvalidation, EveryBitIsAFieldOrReserved) {
  // For each type: reserved mask and the union of type bits and fields cover the lower 128 bits
  // exactly once.
  const auto covers = [](InvalidationType type, const InvalidationDescriptor& reserved, std::uint64_t fields0,
                         std::uint64_t fields1) {
    const std::uint64_t type_bits = mask_between(3, 0) | mask_between(11, 9);
    EXPECT_EQ(reserved[0] ^ fields0 ^ type_bits, ~std::uint64_t{0}) << "type " << static_cast<unsigned>(type);
    EXPECT_EQ(reserved[1] ^ fields1, ~std::uint64_t{0}) << "type " << static_cast<unsigned>(type);
    EXPECT_EQ(reserved[2] & reserved[3], ~std::uint64_t{0});
  };
  const auto m = mask_between;
  const std::uint64_t address = m(63, 12) | m(6, 0);  // ADDR, IH, AM
  covers(InvalidationType::kContextCache, ContextCacheDescriptor::kReserved, m(5, 4) | m(31, 16) | m(49, 32),
         0);
  covers(InvalidationType::kIotlb, IotlbDescriptor::kReserved, m(7, 4) | m(31, 16), address);
  covers(InvalidationType::kDeviceTlb, DeviceTlbDescriptor::kReserved,
         m(15, 12) | m(20, 16) | m(47, 32) | m(63, 52), m(63, 12) | 1);
  covers(InvalidationType::kInterruptEntryCache, InterruptEntryDescriptor::kReserved,
         m(4, 4) | m(31, 27) | m(47, 32), 0);
  covers(InvalidationType::kWait, WaitDescriptor::kReserved, m(7, 4) | m(63, 32), m(63, 2));
  covers(InvalidationType::kPasidIotlb, PasidIotlbDescriptor::kReserved, m(5, 4) | m(51, 16), address);
  covers(InvalidationType::kPasidCache, PasidCacheDescriptor::kReserved, m(5, 4) | m(51, 16), 0);
  covers(InvalidationType::kPasidDeviceTlb, PasidDeviceTlbDescriptor::kReserved,
         m(8, 4) | m(15, 12) | m(63, 16), m(63, 11) | 1);
  covers(InvalidationType::kPageGroupResponse, PageGroupResponseDescriptor::kReserved,
         m(4, 4) | m(15, 12) | m(51, 16), m(11, 2));
}

TEST(VtdPageRequest, ByBitNumberAndBack) {
  PageRequest request;
  request.requester = RequesterId(0xBEEF);
  request.has_pasid = true;
  request.pasid = Pasid(0xABCDE);
  request.privileged = true;
  request.write = true;
  request.last = true;
  request.prg_index = 0x1AB;
  request.page = 0x7f1234567000;
  const PageRequestDescriptor d = encode_page_request(request);
  EXPECT_EQ(d[0], 0x1u | (1u << 8) | (0xBEEFull << 16) | (0xABCDEull << 32) | (1ull << 53));
  EXPECT_EQ(d[1], (1u << 1) | (1u << 2) | (0x1ABu << 3) | 0x7f1234567000u);
  EXPECT_EQ(d[2] | d[3], 0u);
  EXPECT_EQ(encode_page_request(decode_page_request(d)), d);
  EXPECT_FALSE(decode_page_request(d).is_stop_marker());
  request.write = false;
  EXPECT_TRUE(request.is_stop_marker());
  request.has_pasid = false;
  EXPECT_FALSE(request.is_stop_marker());
}

TEST(AtsMessages, SizeCoding) {
  // SPEC: [ATS 3.2] S=0: 4 KiB. Bit 12 = 0: 8 KiB; bit 12 = 1, 13 = 0: 16 KiB; 2 MiB: 19:12 ones.
  EXPECT_EQ(decode_range(0x5000).shift, 12u);
  EXPECT_EQ(decode_range(0x4000 | 0x800).shift, 13u);
  EXPECT_EQ(decode_range(0x4000 | 0x1000 | 0x800).shift, 14u);
  EXPECT_EQ(decode_range(0x200000 | 0xFF000 | 0x800).shift, 21u);
  EXPECT_EQ(decode_range(0x200000 | 0xFF000 | 0x800).address, 0x200000u);
  EXPECT_EQ(decode_range(0x40000000 | 0x1FFFF000 | 0x800).shift, 30u);
  EXPECT_EQ(decode_range(0x7FFFFFFFFFFFF800).shift, 64u);  // everything
  EXPECT_TRUE(decode_range(0x7FFFFFFFFFFFF800).contains(~Addr{0}));
  for (unsigned shift = 12; shift <= 64; ++shift) {
    const Addr address = shift >= 64 ? 0 : (Addr{0xA5A5A5A5A5A5A5A5} >> shift) << shift;
    const DecodedRange range = decode_range(encode_range(address, shift).bits());
    EXPECT_EQ(range.shift, shift);
    EXPECT_EQ(range.address, address) << shift;
    EXPECT_TRUE(range.contains(address));
    if (shift < 64) {
      EXPECT_FALSE(range.contains(address ^ (Addr{1} << shift)));
    }
  }
  EXPECT_EQ(completion_count(0), 8u);
  EXPECT_EQ(completion_count(3), 3u);
  EXPECT_EQ(invalidate_queue_depth(0), 32u);
}

TEST(VtdFaults, EveryCodeOnceAndFoundByItsCode) {
  std::set<unsigned> codes;
  std::set<std::string> mnemonics;
  for (const FaultInfo* row = fault_table_begin(); row != fault_table_end(); ++row) {
    EXPECT_TRUE(codes.insert(static_cast<unsigned>(row->reason)).second);
    EXPECT_TRUE(mnemonics.insert(row->mnemonic).second) << row->mnemonic;
    EXPECT_EQ(&fault_info(row->reason), row);
  }
  std::set<unsigned> expected = {0};
  const auto range = [&expected](unsigned first, unsigned last) {
    for (unsigned code = first; code <= last; ++code) expected.insert(code);
  };
  range(0x1, 0xE);
  range(0x20, 0x26);
  range(0x30, 0x34);
  range(0x38, 0x3A);
  range(0x40, 0x49);
  range(0x50, 0x52);
  range(0x58, 0x5D);
  range(0x60, 0x60);
  range(0x70, 0x7D);
  range(0x80, 0x81);
  range(0x83, 0x87);
  range(0x89, 0x89);
  range(0x90, 0x91);
  range(0xA0, 0xA5);
  EXPECT_EQ(codes, expected);
}

TEST(VtdFaults, AnswersFollowTheirPatterns) {
  using A = FaultAnswer;
  using K = RequestKind;
  for (const FaultInfo* row = fault_table_begin(); row != fault_table_end(); ++row) {
    const auto code = static_cast<unsigned>(row->reason);
    if (code == 0 || (code >= 0x20 && code <= 0x26)) continue;
    // An untranslated request is refused with UR whatever the fault.
    const A plain = row->answer[static_cast<unsigned>(K::kUntranslated)];
    EXPECT_TRUE(plain == A::kUnsupportedRequest || plain == A::kNotApplicable) << row->mnemonic;
    // Page requests never get Success from a fault.
    const A page = row->answer[static_cast<unsigned>(K::kPageRequest)];
    EXPECT_TRUE(page == A::kInvalidRequest || page == A::kNotApplicable) << row->mnemonic;
    // Legacy mode: all below 0x20; first-stage faults are all recoverable for a translation request.
    if (code >= 0x70 && code <= 0x77) {
      EXPECT_TRUE(fault_is_recoverable(row->reason, K::kTranslationRequest)) << row->mnemonic;
    }
    EXPECT_FALSE(fault_is_recoverable(row->reason, K::kUntranslated)) << row->mnemonic;
  }
  // Single cells that are easy to swap.
  EXPECT_EQ(fault_answer(FaultReason::kSecondStageAccess, K::kTranslationRequest), A::kCompleterAbort);
  EXPECT_EQ(fault_answer(FaultReason::kFirstStageAccess, K::kTranslationRequest), A::kNoRights);
  EXPECT_EQ(fault_answer(FaultReason::kNoWrite, K::kTranslationRequest), A::kEffectiveRights);
  EXPECT_EQ(fault_answer(FaultReason::kDirectoryReserved, K::kTranslated), A::kCompleterAbort);
  EXPECT_EQ(fault_answer(FaultReason::kDeviceTlbDisabled, K::kTranslationRequest), A::kUnsupportedRequest);
  EXPECT_TRUE(fault_is_logged(FaultReason::kFirstStageUpdateFailed, K::kTranslationRequest));
  EXPECT_FALSE(fault_is_logged(FaultReason::kFirstStageNotPresent, K::kTranslationRequest));
  EXPECT_TRUE(fault_is_logged(FaultReason::kFirstStageNotPresent, K::kUntranslated));
  EXPECT_FALSE(fault_is_qualified(FaultReason::kRootNotPresent));
  EXPECT_TRUE(fault_is_qualified(FaultReason::kContextNotPresent));
  EXPECT_STREQ(fault_mnemonic(FaultReason::kFirstStageNotPresent), "SFS.2");
}

TEST(VtdRegisters, CapabilitiesOfACapturedUnit) {
  // CAP and ECAP of an emulated unit and what the driver printed about it.
  const std::uint64_t cap = 0x81d2008c222f0606;
  const std::uint64_t ecap = 0x0000880000f00f4e;
  EXPECT_EQ(VtdCap::MGAW::get(cap) + 1, 48u);
  EXPECT_EQ(VtdCap::SAGAW::get(cap), VtdCap::kSagaw3Level | VtdCap::kSagaw4Level);
  EXPECT_EQ(VtdCap::ND::get(cap), 6u);
  EXPECT_EQ(VtdCap::FRO::get(cap) * 16, 0x220u);
  EXPECT_EQ(VtdCap::SSLPS::get(cap), VtdCap::kSslps2M | VtdCap::kSslps1G);
  EXPECT_EQ(VtdCap::FS1GP::get(cap), 1u);
  EXPECT_EQ(VtdCap::ESRTPS::get(cap), 1u);
  EXPECT_EQ(VtdEcap::SMTS::get(ecap), 1u);
  EXPECT_EQ(VtdEcap::FSTS::get(ecap), 1u);
  EXPECT_EQ(VtdEcap::SSTS::get(ecap), 0u);
  EXPECT_EQ(VtdEcap::DT::get(ecap), 1u);
  EXPECT_EQ(VtdEcap::IRO::get(ecap) * 16, 0xF0u);
}

TEST(VtdRegisters, FaultRecordByBitNumber) {
  // Bits of the 128-bit record: F 127, T1 126, AT 125:124, PV 123:104, FR 103:96, PP 95, T2 92, SID 79:64.
  using H = VtdFrcdHigh;
  std::uint64_t high = 0;
  high = H::F::set(high, 1);
  high = H::T1::set(high, 1);
  high = H::AT::set(high, 1);
  high = H::PV::set(high, 0xABCDE);
  high = H::FR::set(high, 0x71);
  high = H::PP::set(high, 1);
  high = H::T2::set(high, 1);
  high = H::SID::set(high, 0x1234);
  EXPECT_EQ(high, (1ull << (127 - 64)) | (1ull << (126 - 64)) | (1ull << (124 - 64)) |
                      (0xABCDEull << (104 - 64)) | (0x71ull << (96 - 64)) | (1ull << (95 - 64)) |
                      (1ull << (92 - 64)) | 0x1234);
  EXPECT_EQ(VtdIqa::bytes(1), 8192u);
  EXPECT_TRUE(in_interrupt_range(0xFEE00000) && in_interrupt_range(0xFEEFFFFF));
  EXPECT_FALSE(in_interrupt_range(0xFEDFFFFF) || in_interrupt_range(0xFEF00000));
}

}  // namespace
}  // namespace svasim
