// One golden case per fault reason, each made by hand from the condition the specification gives.
#include <gtest/gtest.h>

#include "support/reference_system.h"

namespace svasim {
namespace {

using F = FaultReason;
using A = FaultAnswer;
using S = ScalableTestSystem;

constexpr Addr kIova = 0x12345678000;
constexpr Addr kPage = 0x40000000;

class ScalableFaults : public testing::Test, public ScalableTestSystem {
 protected:
  void SetUp() override {
    for (PageTableBuilder* table : {&first, &first5, &second, &nested})
      ASSERT_TRUE(table->map(kIova, kPage, 12));
    ASSERT_TRUE(second3.map(kIova & mask_between(38, 12), kPage, 12));
    ASSERT_TRUE(guest.map(kPage, 0x80000000, 12));
  }
  F plain(Pasid pasid) const { return reference.probe(read(pasid, kIova)).fault; }
  F writing(Pasid pasid) const { return reference.probe(write(pasid, kIova)).fault; }
  A asked(Pasid pasid) const { return reference.probe(translation(pasid, kIova)).answer; }
  ReferenceRequest without_pasid(RequestKind kind = RequestKind::kUntranslated) const {
    ReferenceRequest request = read(S::kRidPasid, kIova);
    request.has_pasid = false;
    request.kind = kind;
    return request;
  }
  ReferenceRequest page_request(Pasid pasid) const {
    ReferenceRequest request = read(pasid, kIova);
    request.kind = RequestKind::kPageRequest;
    return request;
  }
  Addr context() const { return tables.context_entry_address(S::kDevice); }
  Addr pasid_entry(Pasid pasid) const { return tables.pasid_entry_address(S::kDevice, pasid); }
  // The page that holds the entry of `level` cannot be read.
  void lose(const PageTableBuilder& table, unsigned level) {
    memory.remove_page(table.entry_address(kIova, level));
  }
};

TEST_F(ScalableFaults, NoneOnTheIntactSystem) {
  for (const Pasid pasid : {S::kFirst, S::kFirst5, S::kSecond}) {
    const ReferenceResult result = reference.probe(read(pasid, kIova | 0x123));
    EXPECT_TRUE(result.ok) << pasid.value();
    EXPECT_EQ(result.address, kPage | 0x123);
    EXPECT_EQ(result.page_shift, 12u);
  }
  EXPECT_EQ(reference.probe(read(S::kNested, kIova | 0x123)).address, 0x80000123u);
  EXPECT_EQ(reference.probe(read(S::kPass, kIova | 0x123)).address, kIova | 0x123);
  EXPECT_EQ(reference.probe(read(S::kSecond3, kIova & mask_between(38, 0))).address, kPage);
  EXPECT_EQ(reference.probe(without_pasid()).address, kPage);
  EXPECT_TRUE(reference.probe(page_request(S::kFirst)).ok);
}

TEST_F(ScalableFaults, TranslationTableMode) {
  const std::uint64_t root = registers.rtaddr & ~mask_between(11, 0);
  registers.rtaddr = root | (2u << 10);
  EXPECT_EQ(plain(S::kFirst), F::kTranslationModeInvalid);
  EXPECT_EQ(asked(S::kFirst), A::kCompleterAbort);
  EXPECT_EQ(reference.probe(page_request(S::kFirst)).answer, A::kInvalidRequest);
  registers.rtaddr = root | (3u << 10);
  EXPECT_EQ(plain(S::kFirst), F::kAbortDma);
  EXPECT_EQ(asked(S::kFirst), A::kUnsupportedRequest);
  registers.ecap &= ~VtdEcap::ADMS::kMask;
  EXPECT_EQ(plain(S::kFirst), F::kTranslationModeInvalid);
  registers.rtaddr = root | (1u << 10);
  EXPECT_EQ(plain(S::kFirst), F::kNone);
  registers.ecap &= ~VtdEcap::SMTS::kMask;
  EXPECT_EQ(plain(S::kFirst), F::kTranslationModeInvalid);
}

TEST_F(ScalableFaults, RootEntry) {
  const Addr root = tables.root_entry_address(S::kDevice);  // device 3: the lower half
  poke(root, 0x10);
  EXPECT_EQ(plain(S::kFirst), F::kRootReserved);
  poke(root, 0, 0x10 | 1);
  EXPECT_EQ(plain(S::kFirst), F::kRootNotPresent);
  EXPECT_EQ(asked(S::kFirst), A::kUnsupportedRequest);
  ReferenceRequest other = read(S::kFirst, kIova);
  poke(root, 1);
  other.requester = RequesterId::from_bdf(2, 16, 0);  // the upper half is empty
  EXPECT_EQ(reference.probe(other).fault, F::kRootNotPresent);
  poke(root, Addr{1} << kTestHostWidth);
  EXPECT_EQ(plain(S::kFirst), F::kRootReserved);
  memory.remove_page(root);
  EXPECT_EQ(plain(S::kFirst), F::kRootAccess);
  EXPECT_EQ(asked(S::kFirst), A::kCompleterAbort);
}

TEST_F(ScalableFaults, ContextEntryReservedBits) {
  for (unsigned bit = 0; bit < 256; ++bit) {
    const Addr word = context() + bit / 64 * 8;
    const std::uint64_t before = peek(word);
    memory.write64(word, before | std::uint64_t{1} << (bit % 64));
    // SPEC: [VTD 9.4] 8:7, 255:85; HPTE without HPTS; the pointer above HAW.
    const bool reserved =
        (bit >= 7 && bit <= 8) || bit >= 85 || bit == 5 || (bit >= kTestHostWidth && bit < 64);
    EXPECT_EQ(plain(S::kFirst) == F::kContextReserved, reserved) << "bit " << bit;
    memory.write64(word, before);
  }
  registers.ecap &= ~(VtdEcap::RPS::kMask | VtdEcap::RPRIVS::kMask | VtdEcap::PTRS::kMask);
  for (const unsigned bit : {6u, 64u, 83u, 84u}) {
    const Addr word = context() + bit / 64 * 8;
    const std::uint64_t before = peek(word);
    memory.write64(word, before | std::uint64_t{1} << (bit % 64));
    EXPECT_EQ(plain(S::kFirst), F::kContextReserved) << "bit " << bit;
    memory.write64(word, before);
  }
}

TEST_F(ScalableFaults, ContextEntry) {
  poke(context(), 0, 1);
  EXPECT_EQ(plain(S::kFirst), F::kContextNotPresent);
  poke(context(), 1, 1u << 2);  // DTE=0 with PRE=1
  EXPECT_EQ(plain(S::kFirst), F::kContextInvalid);
  poke(context(), 0, 1u << 4);  // both 0
  EXPECT_EQ(plain(S::kFirst), F::kNone);
  EXPECT_EQ(reference.probe(translation(S::kFirst, kIova)).fault, F::kDeviceTlbDisabled);
  EXPECT_EQ(reference.probe(without_pasid(RequestKind::kTranslated)).fault, F::kDeviceTlbDisabled);
  poke(context(), 1u << 2);
  EXPECT_EQ(reference.probe(page_request(S::kFirst)).fault, F::kPageRequestDisabled);
  EXPECT_EQ(reference.probe(page_request(S::kFirst)).answer, A::kInvalidRequest);
  poke(context(), 0, 1u << 3);
  EXPECT_EQ(plain(S::kFirst), F::kPasidDisabled);
  EXPECT_EQ(reference.probe(without_pasid()).fault, F::kNone);
  poke(context(), 1u << 6);  // EPTR without PASIDE
  EXPECT_EQ(plain(S::kFirst), F::kContextInvalid);
  poke(context(), 1u << 3, 1u << 6);
  ReferenceRequest translated = read(S::kFirst, kPage);
  translated.kind = RequestKind::kTranslated;
  EXPECT_EQ(reference.probe(translated).fault, F::kTranslatedWithPasid);
  poke(context(), 1u << 6);
  EXPECT_TRUE(reference.probe(translated).ok);
  EXPECT_EQ(reference.probe(translated).address, kPage);
  memory.remove_page(context());
  EXPECT_EQ(plain(S::kFirst), F::kContextAccess);
}

TEST_F(ScalableFaults, PasidOfARequest) {
  EXPECT_EQ(plain(S::kRidPasid), F::kPasidIsRidPasid);
  EXPECT_EQ(plain(Pasid(16384)), F::kPasidBeyondDirectory);
  EXPECT_EQ(plain(Pasid(16383)), F::kDirectoryNotPresent);
  registers.ecap = VtdEcap::PSS::set(registers.ecap, 12);  // 13 bits
  EXPECT_EQ(plain(Pasid(8191)), F::kDirectoryNotPresent);
  EXPECT_EQ(plain(Pasid(8192)), F::kPasidBeyondWidth);
  poke(context() + 8, 16384);  // RID_PASID outside the directory
  EXPECT_EQ(plain(S::kFirst), F::kContextInvalid);
  EXPECT_EQ(reference.probe(without_pasid()).fault, F::kContextInvalid);
}

TEST_F(ScalableFaults, Directory) {
  const Addr entry = tables.directory_entry_address(S::kDevice, S::kFirst);
  for (unsigned bit = 2; bit <= 11; ++bit) {
    poke(entry, 1u << bit);
    EXPECT_EQ(plain(S::kFirst), F::kDirectoryReserved) << bit;
    poke(entry, 0, 1u << bit);
  }
  poke(entry, 0, 1);
  EXPECT_EQ(plain(S::kFirst), F::kDirectoryNotPresent);
  EXPECT_EQ(asked(S::kFirst), A::kNoRights);
  EXPECT_TRUE(reference.probe(translation(S::kFirst, kIova)).recoverable);
  memory.remove_page(entry);
  EXPECT_EQ(plain(S::kFirst), F::kDirectoryAccess);
  EXPECT_EQ(asked(S::kFirst), A::kCompleterAbort);
}

TEST_F(ScalableFaults, PasidEntryReservedBits) {
  for (unsigned bit = 0; bit < 512; ++bit) {
    const Addr word = pasid_entry(S::kFirst) + bit / 64 * 8;
    const std::uint64_t before = peek(word);
    memory.write64(word, before | std::uint64_t{1} << (bit % 64));
    // SPEC: [VTD 9.6] without MTS and HPTS.
    const bool reserved = bit == 5 || bit == 10 || bit == 11 || (bit >= 80 && bit <= 86) ||
                          (bit >= 89 && bit <= 127) || bit == 129 || (bit >= 136 && bit <= 139) ||
                          bit >= 192 || (bit >= 128 + kTestHostWidth && bit < 192);
    const F fault = plain(S::kFirst);
    EXPECT_EQ(fault == F::kPasidEntryReserved, reserved) << "bit " << bit << ": " << fault_text(fault);
    memory.write64(word, before);
  }
}

TEST_F(ScalableFaults, PasidEntryReservedWithoutCapability) {
  const std::pair<unsigned, std::uint64_t> cases[] = {{87, VtdEcap::SMPWCS::kMask},
                                                      {88, VtdEcap::SC::kMask},
                                                      {128, VtdEcap::SRS::kMask},
                                                      {135, VtdEcap::EAFS::kMask}};
  for (const auto& [bit, capability] : cases) {
    const std::uint64_t ecap = registers.ecap;
    const Addr word = pasid_entry(S::kFirst) + bit / 64 * 8;
    const std::uint64_t before = peek(word);
    memory.write64(word, before | std::uint64_t{1} << (bit % 64));
    EXPECT_NE(plain(S::kFirst), F::kPasidEntryReserved) << "bit " << bit;
    registers.ecap = ecap & ~capability;
    EXPECT_EQ(plain(S::kFirst), F::kPasidEntryReserved) << "bit " << bit;
    registers.ecap = ecap;
    memory.write64(word, before);
  }
}

TEST_F(ScalableFaults, PasidEntry) {
  const Addr entry = pasid_entry(S::kFirst);
  poke(entry, 0, 1);
  EXPECT_EQ(plain(S::kFirst), F::kPasidEntryNotPresent);
  EXPECT_EQ(asked(S::kFirst), A::kNoRights);
  EXPECT_EQ(reference.probe(page_request(S::kFirst)).answer, A::kInvalidRequest);
  poke(entry, 1);
  for (const unsigned pgtt : {0u, 5u, 6u, 7u}) {
    poke(entry, pgtt << 6, 7u << 6);
    EXPECT_EQ(plain(S::kFirst), F::kPasidEntryInvalid) << pgtt;
  }
  poke(entry, 1u << 6, 7u << 6);
  for (const unsigned fspm : {2u, 3u}) {
    poke(entry + 16, fspm << 2, 3u << 2);
    EXPECT_EQ(plain(S::kFirst), F::kPasidEntryInvalid) << fspm;
  }
  poke(entry + 16, 1u << 2, 3u << 2);  // five levels
  registers.cap &= ~VtdCap::FS5LP::kMask;
  EXPECT_EQ(plain(S::kFirst), F::kPasidEntryInvalid);
  for (const unsigned aw : {0u, 4u, 5u, 6u, 7u}) {
    poke(pasid_entry(S::kSecond), aw << 2, 7u << 2);
    EXPECT_EQ(plain(S::kSecond), F::kPasidEntryInvalid) << aw;
  }
  poke(pasid_entry(S::kSecond), 2u << 2, 7u << 2);
  registers.cap = VtdCap::SAGAW::set(registers.cap, VtdCap::kSagaw3Level);
  EXPECT_EQ(plain(S::kSecond), F::kPasidEntryInvalid);
  // AW does not matter to a first stage.
  poke(entry + 16, 0, 3u << 2);
  poke(entry, 7u << 2);
  EXPECT_EQ(plain(S::kFirst), F::kNone);
  memory.remove_page(entry);
  EXPECT_EQ(plain(S::kFirst), F::kPasidEntryAccess);
}

TEST_F(ScalableFaults, TypesThatAreNotOffered) {
  const std::pair<Pasid, std::uint64_t> cases[] = {{S::kFirst, VtdEcap::FSTS::kMask},
                                                   {S::kSecond, VtdEcap::SSTS::kMask},
                                                   {S::kNested, VtdEcap::NEST::kMask},
                                                   {S::kPass, VtdEcap::PT::kMask}};
  for (const auto& [pasid, capability] : cases) {
    const std::uint64_t ecap = registers.ecap;
    registers.ecap &= ~capability;
    EXPECT_EQ(plain(pasid), F::kPasidEntryInvalid);
    registers.ecap = ecap;
  }
}

TEST_F(ScalableFaults, PrivilegedAndExecute) {
  ReferenceRequest request = read(S::kFirst, kIova);
  request.privileged = true;
  EXPECT_EQ(reference.probe(request).fault, F::kSupervisorDisabled);
  request.kind = RequestKind::kTranslationRequest;
  EXPECT_EQ(reference.probe(request).answer, A::kNoRights);
  EXPECT_TRUE(reference.probe(request).privileged);
  request = read(S::kSecond, kIova);  // SRE belongs to the first stage
  request.privileged = true;
  EXPECT_EQ(reference.probe(request).fault, F::kNone);
  request = read(S::kFirst, kIova);
  request.execute = true;
  EXPECT_EQ(reference.probe(request).fault, F::kPasidExecuteRequested);
  registers.major_version = 8;
  EXPECT_EQ(reference.probe(request).fault, F::kExecuteRequested);
}

TEST_F(ScalableFaults, FirstStageEntries) {
  for (const auto& [pasid, table] :
       {std::pair<Pasid, PageTableBuilder*>{S::kFirst, &first}, {S::kFirst5, &first5}}) {
    for (unsigned level = 1; level <= table->levels(); ++level) {
      const std::uint64_t good = table->entry(kIova, level);
      // SPEC: [VTD 9.8] 51:HAW always; bit 7 from level 4 up.
      for (unsigned bit = 0; bit < 64; ++bit) {
        const bool reserved = (bit >= kTestHostWidth && bit <= 51) || (bit == 7 && level >= 4);
        // Bits that change the address, or make a large page, are another matter.
        if ((bit >= 12 && bit < kTestHostWidth) || bit <= 2 || (bit == 7 && level > 1 && level < 4)) continue;
        table->set_entry(kIova, level, good | std::uint64_t{1} << bit);
        EXPECT_EQ(plain(pasid), reserved ? F::kFirstStageReserved : F::kNone)
            << "level " << level << " bit " << bit;
      }
      table->set_entry(kIova, level, good & ~std::uint64_t{1});
      EXPECT_EQ(plain(pasid), F::kFirstStageNotPresent) << level;
      table->set_entry(kIova, level, (good & ~std::uint64_t{1}) | std::uint64_t{1} << 51);
      EXPECT_EQ(plain(pasid), F::kFirstStageNotPresent) << "a reserved bit matters only when present";
      table->set_entry(kIova, level, good & ~std::uint64_t{2});
      EXPECT_EQ(plain(pasid), F::kNone);
      EXPECT_EQ(writing(pasid), F::kNoWrite) << level;
      EXPECT_TRUE(reference.probe(translation(pasid, kIova)).ok);
      EXPECT_FALSE(reference.probe(translation(pasid, kIova)).write);
      table->set_entry(kIova, level, good & ~std::uint64_t{4});
      EXPECT_EQ(plain(pasid), F::kUserNotAllowed) << level;
      EXPECT_EQ(asked(pasid), A::kNoRights) << level;
      table->set_entry(kIova, level, good);
    }
    EXPECT_EQ(reference.probe(read(pasid, Addr{1} << (12 + 9 * table->levels() - 1))).fault,
              F::kNotCanonical);
    EXPECT_EQ(reference.probe(read(pasid, ~Addr{0} << (12 + 9 * table->levels() - 1))).fault,
              F::kFirstStageNotPresent);
  }
}

TEST_F(ScalableFaults, SupervisorRights) {
  poke(pasid_entry(S::kFirst) + 16, 1);                                  // SRE
  first.set_entry(kIova, 1, first.entry(kIova, 1) & ~std::uint64_t{6});  // supervisor, read-only
  ReferenceRequest request = write(S::kFirst, kIova);
  EXPECT_EQ(reference.probe(request).fault, F::kUserNotAllowed);
  request.privileged = true;
  EXPECT_EQ(reference.probe(request).fault, F::kNone);
  poke(pasid_entry(S::kFirst) + 16, 1u << 4);  // WPE
  EXPECT_EQ(reference.probe(request).fault, F::kNoWrite);
  request.write = false;
  request.read = true;
  EXPECT_EQ(reference.probe(request).fault, F::kNone);
}

TEST_F(ScalableFaults, FirstStageAccessErrors) {
  lose(first, 1);
  EXPECT_EQ(plain(S::kFirst), F::kFirstStageAccess);
  lose(first, 4);
  EXPECT_EQ(plain(S::kFirst), F::kFirstStageTopAccess);
  EXPECT_EQ(asked(S::kFirst), A::kNoRights);
}

TEST_F(ScalableFaults, SecondStageEntries) {
  for (unsigned level = 1; level <= 4; ++level) {
    const std::uint64_t good = second.entry(kIova, level);
    for (unsigned bit = 2; bit < 64; ++bit) {
      // SPEC: [VTD 9.9] 51:HAW and 62 always; SNP in table entries; bit 7 at level 4.
      const bool reserved = (bit >= kTestHostWidth && bit <= 51) || bit == 62 || (bit == 11 && level > 1) ||
                            (bit == 7 && level == 4);
      if ((bit >= 12 && bit < kTestHostWidth) || (bit == 7 && level > 1 && level < 4)) continue;
      second.set_entry(kIova, level, good | std::uint64_t{1} << bit);
      EXPECT_EQ(plain(S::kSecond), reserved ? F::kSecondStageReserved : F::kNone)
          << "level " << level << " bit " << bit;
    }
    second.set_entry(kIova, level, good & ~std::uint64_t{3});
    EXPECT_EQ(plain(S::kSecond), F::kSecondStageNotPresent) << level;
    EXPECT_EQ(asked(S::kSecond), A::kNoRights) << level;
    second.set_entry(kIova, level, good & ~std::uint64_t{2});
    EXPECT_EQ(plain(S::kSecond), F::kNone);
    EXPECT_EQ(writing(S::kSecond), F::kNoWrite) << level;
    second.set_entry(kIova, level, good & ~std::uint64_t{1});
    EXPECT_EQ(plain(S::kSecond), F::kNoRead) << level;
    EXPECT_EQ(writing(S::kSecond), F::kNone) << level;
    second.set_entry(kIova, level, good);
  }
  second.set_entry(kIova, 2, second.entry(kIova, 2) & ~std::uint64_t{1});
  second.set_entry(kIova, 1, second.entry(kIova, 1) & ~std::uint64_t{2});
  EXPECT_EQ(plain(S::kSecond), F::kSecondStageNotPresent) << "rights cancel out";
  registers.ecap &= ~VtdEcap::SC::kMask;
  second.map(kIova, kPage, 12, {true, true, true, 1u << 11});
  second.set_entry(kIova, 2, second.entry(kIova, 2) | 1);
  EXPECT_EQ(plain(S::kSecond), F::kSecondStageReserved) << "SNP without snoop control";
}

TEST_F(ScalableFaults, SecondStageAccessErrorsAndWidth) {
  EXPECT_EQ(reference.probe(read(S::kSecond, Addr{1} << 48)).fault, F::kSecondStageBeyondWidth);
  EXPECT_EQ(reference.probe(read(S::kSecond, (Addr{1} << 48) - 1)).fault, F::kSecondStageNotPresent);
  EXPECT_EQ(reference.probe(read(S::kSecond3, Addr{1} << 39)).fault, F::kSecondStageBeyondWidth);
  registers.cap = VtdCap::MGAW::set(registers.cap, 41);  // 42 bits
  EXPECT_EQ(reference.probe(read(S::kSecond, Addr{1} << 42)).fault, F::kSecondStageBeyondWidth);
  lose(second, 2);
  EXPECT_EQ(plain(S::kSecond), F::kSecondStageAccess);
  EXPECT_EQ(asked(S::kSecond), A::kCompleterAbort);
  lose(second, 4);
  EXPECT_EQ(plain(S::kSecond), F::kSecondStageTopAccess);
}

TEST_F(ScalableFaults, InternalRights) {
  registers.rtaddr |= 1u << 7;  // SSIRWE: bits 61 and 62 instead of 0 and 1
  EXPECT_EQ(plain(S::kSecond), F::kSecondStageNotPresent);
  for (unsigned level = 4; level >= 1; --level) {
    second.set_entry(kIova, level, (second.entry(kIova, level) & ~std::uint64_t{3}) | std::uint64_t{1} << 61);
    // The builder looks at bits 0 and 1 to find its way down.
    if (level > 1) second.set_entry(kIova, level, second.entry(kIova, level) | 3);
  }
  EXPECT_EQ(plain(S::kSecond), F::kNone);
  EXPECT_EQ(writing(S::kSecond), F::kNoWrite);
}

TEST_F(ScalableFaults, InterruptRangeAndHostWidth) {
  for (PageTableBuilder* table : {&first, &second}) ASSERT_TRUE(table->map(kIova, 0xFEE00000, 12));
  EXPECT_EQ(plain(S::kFirst), F::kOutputInInterruptRange);
  EXPECT_EQ(plain(S::kSecond), F::kOutputInInterruptRange);
  EXPECT_EQ(asked(S::kFirst), A::kCompleterAbort);
  EXPECT_EQ(reference.probe(read(S::kPass, 0xFEEFFFFF)).fault, F::kOutputInInterruptRange);
  EXPECT_EQ(reference.probe(read(S::kPass, Addr{1} << kTestHostWidth)).fault, F::kHostAddressBeyondWidth);
  ReferenceRequest translated = without_pasid(RequestKind::kTranslated);
  translated.address = 0xFEE00000;
  EXPECT_EQ(reference.probe(translated).fault, F::kOutputInInterruptRange);
  translated.address = Addr{1} << kTestHostWidth;
  EXPECT_EQ(reference.probe(translated).fault, F::kHostAddressBeyondWidth);
  translated.address = 0xFED00000;
  EXPECT_TRUE(reference.probe(translated).ok);

  // Plain requests to the range are interrupts; translation requests for it get U.
  ReferenceRequest interrupt = without_pasid();
  interrupt.address = 0xFEE01000;
  interrupt.read = false;
  interrupt.write = true;
  EXPECT_TRUE(reference.probe(interrupt).interrupt);
  ReferenceRequest ask = without_pasid(RequestKind::kTranslationRequest);
  ask.address = 0xFEE01000;
  ReferenceResult result = reference.probe(ask);
  EXPECT_TRUE(result.ok && result.untranslated_only && result.write && !result.read);
  ask.no_write = true;
  result = reference.probe(ask);
  EXPECT_FALSE(result.ok);
  EXPECT_EQ(result.answer, A::kNoRights);
  EXPECT_EQ(result.fault, F::kNone);
  EXPECT_EQ(reference.probe(read(S::kFirst, 0xFEE01000)).fault, F::kFirstStageNotPresent)
      << "with PASID: as any";
}

TEST_F(ScalableFaults, Nested) {
  const Addr root = nested.root();
  // The address of a table, or of the page, beyond what the second stage takes.
  const std::uint64_t good = nested.entry(kIova, 2);
  registers.host_address_width = 52;
  nested.set_entry(kIova, 2, (Addr{1} << 48) | 7);
  EXPECT_EQ(plain(S::kNested), F::kNestedBeyondWidth);
  nested.set_entry(kIova, 2, good);
  const std::uint64_t leaf = nested.entry(kIova, 1);
  nested.set_entry(kIova, 1, (Addr{1} << 48) | 7);
  EXPECT_EQ(plain(S::kNested), F::kNestedBeyondWidth);
  nested.set_entry(kIova, 1, leaf);
  registers.host_address_width = kTestHostWidth;

  // The page itself.
  guest.map(kPage, 0x80000000, 12, {true, false, true, 0});
  EXPECT_EQ(writing(S::kNested), F::kNoWrite);
  guest.map(kPage, 0x80000000, 12, {false, true, true, 0});
  EXPECT_EQ(plain(S::kNested), F::kNoRead);
  guest.unmap(kPage);
  EXPECT_EQ(plain(S::kNested), F::kSecondStageNotPresent);
  guest.map(kPage, 0x80000000, 12);
  EXPECT_EQ(plain(S::kNested), F::kNone);

  // The tables: the 2-MiB page of the guest they lie in loses its rights.
  const std::uint64_t tables_leaf = guest.entry(root, 2);
  guest.set_entry(root, 2, tables_leaf & ~std::uint64_t{1});
  EXPECT_EQ(plain(S::kNested), F::kNestedTopNoRead);
  guest.set_entry(root, 2, tables_leaf & ~std::uint64_t{2});
  EXPECT_EQ(plain(S::kNested), F::kNestedAccessedDirtyNoWrite);
  guest.set_entry(root, 2, tables_leaf & ~std::uint64_t{3});
  EXPECT_EQ(plain(S::kNested), F::kSecondStageNotPresent);
  guest.set_entry(root, 2, tables_leaf | std::uint64_t{1} << 62);
  EXPECT_EQ(plain(S::kNested), F::kSecondStageReserved);
  guest.set_entry(root, 2, tables_leaf);

  // A lower table alone: move the last table to a guest page of its own.
  const Addr last = nested.entry(kIova, 2) & mask_between(51, 12);
  const Addr alias = 0x70000000;
  guest.map(alias, last, 12);
  nested.set_entry(kIova, 2, alias | 7);
  EXPECT_EQ(plain(S::kNested), F::kNone);
  guest.map(alias, last, 12, {false, true, true, 0});
  EXPECT_EQ(plain(S::kNested), F::kNestedEntryNoRead);

  // FSPTPTR beyond the second stage.
  Words<8> entry = nested_pasid_entry(root, 4, guest.root(), 4, S::kNestedDomain);
  PasidTableEntry::AW::set(entry, 1);
  PasidTableEntry::FSPTPTR::set_in_place(entry, Addr{1} << 39);
  tables.set_pasid_entry(S::kDevice, S::kNested, entry);
  EXPECT_EQ(plain(S::kNested), F::kPasidEntryInvalid);
}

TEST_F(ScalableFaults, UpdatesThatCannotBeDone) {
  const auto unsnooped = [this](Pasid pasid) { poke(pasid_entry(pasid) + 8, 0, 1u << 23); };
  unsnooped(S::kFirst);
  EXPECT_EQ(plain(S::kFirst), F::kFirstStageUpdateNotSnooped);
  EXPECT_EQ(asked(S::kFirst), A::kNoRights);
  for (unsigned level = 1; level <= 4; ++level)
    first.set_entry(kIova, level, first.entry(kIova, level) | 1u << 5);
  EXPECT_EQ(plain(S::kFirst), F::kNone);
  EXPECT_EQ(writing(S::kFirst), F::kFirstStageUpdateNotSnooped) << "D of the leaf";
  first.set_entry(kIova, 1, first.entry(kIova, 1) | 1u << 6);
  EXPECT_EQ(writing(S::kFirst), F::kNone);

  EXPECT_EQ(writing(S::kSecond), F::kNone) << "no bits without SSADE";
  poke(pasid_entry(S::kSecond), 1u << 9);
  EXPECT_EQ(writing(S::kSecond), F::kNone);
  unsnooped(S::kSecond);
  EXPECT_EQ(writing(S::kSecond), F::kSecondStageUpdateNotSnooped);
  EXPECT_EQ(asked(S::kSecond), A::kCompleterAbort);
}

// Memory that can be read but not written.
class ReadOnly : public MemoryView {
 public:
  explicit ReadOnly(const MemoryView& memory) : memory_(memory) {}
  bool read64(Addr address, std::uint64_t& value) const override { return memory_.read64(address, value); }
  bool write64(Addr, std::uint64_t) override { return false; }

 private:
  const MemoryView& memory_;
};

TEST_F(ScalableFaults, UpdatesThatFail) {
  ReadOnly frozen(memory);
  ReferenceTranslator translator(frozen, registers);
  const ReferenceResult result = translator.translate(translation(S::kFirst, kIova));
  EXPECT_EQ(result.fault, F::kFirstStageUpdateFailed);
  EXPECT_EQ(result.answer, A::kNoRights);
  EXPECT_TRUE(result.logged) << "the one recoverable fault that is recorded";
  poke(pasid_entry(S::kSecond), 1u << 9);
  EXPECT_EQ(translator.translate(read(S::kSecond, kIova)).fault, F::kSecondStageUpdateFailed);
}

TEST_F(ScalableFaults, FaultProcessingDisable) {
  const Addr directory = tables.directory_entry_address(S::kDevice, S::kFirst);
  first.unmap(kIova);
  EXPECT_TRUE(reference.probe(read(S::kFirst, kIova)).logged);
  EXPECT_FALSE(reference.probe(translation(S::kFirst, kIova)).logged);
  for (const Addr entry : {context(), directory, pasid_entry(S::kFirst)}) {
    poke(entry, 2);
    const ReferenceResult result = reference.probe(read(S::kFirst, kIova));
    EXPECT_EQ(result.fault, F::kFirstStageNotPresent);
    EXPECT_FALSE(result.logged);
    poke(entry, 0, 2);
  }
  // Looked at even in an entry that is not present; not for unqualified faults.
  poke(context(), 2, 1);
  EXPECT_EQ(plain(S::kFirst), F::kContextNotPresent);
  EXPECT_FALSE(reference.probe(read(S::kFirst, kIova)).logged);
  poke(context(), 3);
  memory.remove_page(directory);
  EXPECT_EQ(plain(S::kFirst), F::kDirectoryAccess);
  EXPECT_TRUE(reference.probe(read(S::kFirst, kIova)).logged);
}

TEST_F(ScalableFaults, TranslationDisabled) {
  registers.translation_enabled = false;
  EXPECT_EQ(reference.probe(read(S::kFirst, kIova)).address, kIova);
  EXPECT_EQ(reference.probe(translation(S::kFirst, kIova)).answer, A::kUnsupportedRequest);
}

}  // namespace
}  // namespace svasim
