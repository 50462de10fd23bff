// Legacy mode: one golden case per fault reason.
#include <gtest/gtest.h>

#include "support/reference_system.h"

namespace svasim {
namespace {

using F = FaultReason;
using A = FaultAnswer;

constexpr Addr kIova = 0x2345678000;
constexpr Addr kPage = 0x40000000;
constexpr RequesterId kDevice = RequesterId::from_bdf(0, 0x1F, 3);

class Legacy : public testing::Test {
 protected:
  void SetUp() override {
    tables.set_legacy_context(kDevice, TranslationType::kWithAts, table.root(), 4, DomainId(7));
    ASSERT_TRUE(table.map(kIova, kPage, 12));
    registers.rtaddr = tables.rtaddr();
  }
  ReferenceRequest request(RequestKind kind = RequestKind::kUntranslated) const {
    ReferenceRequest r;
    r.requester = kDevice;
    r.address = kIova;
    r.kind = kind;
    return r;
  }
  F plain() const { return reference.probe(request()).fault; }
  F writing() const {
    ReferenceRequest r = request();
    r.read = false;
    r.write = true;
    return reference.probe(r).fault;
  }
  ReferenceResult asked() const { return reference.probe(request(RequestKind::kTranslationRequest)); }
  void poke(Addr address, std::uint64_t set, std::uint64_t clear = 0) {
    std::uint64_t value = 0;
    ASSERT_TRUE(memory.read64(address, value));
    memory.write64(address, (value & ~clear) | set);
  }
  Addr context() const { return tables.context_entry_address(kDevice); }

  ReferenceRegisters registers = full_reference_registers();
  PageMemory memory;
  TablePages pages{0x1000000, 0x2000000};
  RemappingTables tables{memory, pages, false};
  PageTableBuilder table{memory, pages, TableStage::kSecond, 4};
  ReferenceTranslator reference{memory, registers};
};

TEST_F(Legacy, Intact) {
  const ReferenceResult result = reference.probe(request());
  EXPECT_TRUE(result.ok);
  EXPECT_EQ(result.address, kPage);
  EXPECT_EQ(result.domain, DomainId(7));
  EXPECT_TRUE(asked().ok);
}

TEST_F(Legacy, Root) {
  const Addr root = tables.root_entry_address(kDevice);
  poke(root, 2);
  EXPECT_EQ(plain(), F::kLegacyRootReserved);
  poke(root, 0, 2);
  poke(root + 8, 1);
  EXPECT_EQ(plain(), F::kLegacyRootReserved);
  poke(root + 8, 0, 1);
  poke(root, 0, 1);
  EXPECT_EQ(plain(), F::kLegacyRootNotPresent);
  memory.remove_page(root);
  EXPECT_EQ(plain(), F::kLegacyRootAccess);
  EXPECT_EQ(asked().answer, A::kCompleterAbort);
}

TEST_F(Legacy, Context) {
  for (unsigned bit = 0; bit < 128; ++bit) {
    const Addr word = context() + bit / 64 * 8;
    std::uint64_t before = 0;
    ASSERT_TRUE(memory.read64(word, before));
    memory.write64(word, before | std::uint64_t{1} << (bit % 64));
    // SPEC: [VTD 9.3]
    const bool reserved =
        (bit >= 4 && bit <= 11) || bit == 71 || bit >= 88 || (bit >= kTestHostWidth && bit < 64);
    EXPECT_EQ(plain() == F::kLegacyContextReserved, reserved) << "bit " << bit;
    memory.write64(word, before);
  }
  for (const unsigned aw : {0u, 4u, 5u, 6u, 7u}) {
    poke(context() + 8, aw, 7);
    EXPECT_EQ(plain(), F::kLegacyContextInvalid) << aw;
  }
  poke(context() + 8, 2, 7);
  poke(context(), 3u << 2);
  EXPECT_EQ(plain(), F::kLegacyContextInvalid) << "TT 3";
  poke(context(), 0, 3u << 2);
  EXPECT_EQ(plain(), F::kNone);
  EXPECT_EQ(asked().fault, F::kLegacyAtsBlocked);
  EXPECT_EQ(asked().answer, A::kUnsupportedRequest);
  EXPECT_EQ(reference.probe(request(RequestKind::kTranslated)).fault, F::kLegacyAtsBlocked);
  poke(context(), 0, 1);
  EXPECT_EQ(plain(), F::kLegacyContextNotPresent);
  memory.remove_page(context());
  EXPECT_EQ(plain(), F::kLegacyContextAccess);
}

TEST_F(Legacy, NotForPasidsAndPageRequests) {
  ReferenceRequest r = request();
  r.has_pasid = true;
  EXPECT_EQ(reference.probe(r).fault, F::kPasidInLegacyMode);
  r.kind = RequestKind::kPageRequest;
  EXPECT_EQ(reference.probe(r).fault, F::kPageRequestInLegacyMode);
  EXPECT_EQ(reference.probe(r).answer, A::kInvalidRequest);
  registers.rtaddr |= 1u << 7;
  EXPECT_EQ(plain(), F::kTranslationModeInvalid) << "SSIRWE";
}

TEST_F(Legacy, PassThrough) {
  tables.set_legacy_context(kDevice, TranslationType::kPassThrough, 0, 4, DomainId(7));
  EXPECT_EQ(reference.probe(request()).address, kIova);
  ReferenceRequest r = request();
  r.address = Addr{1} << kTestHostWidth;
  EXPECT_EQ(reference.probe(r).fault, F::kLegacyAddressBeyondWidth);
  EXPECT_EQ(asked().fault, F::kLegacyAtsBlocked);
  registers.ecap &= ~VtdEcap::PT::kMask;
  EXPECT_EQ(plain(), F::kLegacyContextInvalid);
}

TEST_F(Legacy, WalkAndRights) {
  ReferenceRequest wide = request();
  wide.address = Addr{1} << 48;
  EXPECT_EQ(reference.probe(wide).fault, F::kLegacyAddressBeyondWidth);
  for (unsigned level = 1; level <= 4; ++level) {
    const std::uint64_t good = table.entry(kIova, level);
    table.set_entry(kIova, level, good & ~std::uint64_t{3});
    EXPECT_EQ(plain(), F::kLegacyNoRead) << level;
    EXPECT_EQ(writing(), F::kLegacyNoWrite) << level;
    EXPECT_FALSE(asked().ok);
    EXPECT_EQ(asked().answer, A::kEffectiveRights);
    table.set_entry(kIova, level, good & ~std::uint64_t{2});
    EXPECT_EQ(plain(), F::kNone) << level;
    EXPECT_EQ(writing(), F::kLegacyNoWrite) << level;
    EXPECT_TRUE(asked().ok && asked().read && !asked().write);
    table.set_entry(kIova, level, good | std::uint64_t{1} << 62);
    EXPECT_EQ(plain(), F::kLegacyEntryReserved) << level;
    EXPECT_EQ(asked().answer, A::kCompleterAbort);
    table.set_entry(kIova, level, good);
  }
  ASSERT_TRUE(table.map(kIova, 0xFEE12000, 12));
  EXPECT_EQ(plain(), F::kLegacyOutputInInterruptRange);
  memory.remove_page(table.entry_address(kIova, 1));
  EXPECT_EQ(plain(), F::kLegacyTableAccess);
  memory.remove_page(table.root());
  EXPECT_EQ(plain(), F::kLegacyContextInvalid) << "the top table cannot be read";
}

TEST_F(Legacy, ZeroLengthReadOfAWriteOnlyPage) {
  ASSERT_TRUE(table.map(kIova, kPage, 12, {false, true, true, 0}));
  ReferenceRequest r = request();
  EXPECT_EQ(reference.probe(r).fault, F::kLegacyNoRead);
  r.zero_length = true;
  EXPECT_EQ(reference.probe(r).fault, F::kNone);
  registers.cap &= ~VtdCap::ZLR::kMask;
  EXPECT_EQ(reference.probe(r).fault, F::kLegacyNoRead);
}

}  // namespace
}  // namespace svasim
