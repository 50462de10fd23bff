// Every fault code a request can meet here, with the answer for each kind of request and the record
// it leaves. Expected answers come from the table of fault codes. SPEC: [VTD 7.1, Table 30]
#include <gtest/gtest.h>

#include <functional>

#include "support/iommu_bench.h"

namespace svasim::test {
namespace {

using Bench = IommuBench;
constexpr Addr kPage = 0x7000'0000;

// One way to make a request fault.
struct Case {
  const char* name;
  FaultReason reason;
  bool scalable;
  std::function<void(Bench&)> damage;            // before translation is switched on
  std::function<DeviceRequest(Bench&)> request;  // an untranslated access
  // Kinds of requests that meet this fault.
  bool untranslated = true;
  bool translation = true;
  bool translated = false;
  bool page_request = false;
  std::function<void(IommuBenchOptions&)> options = nullptr;
};

void poke(Bench& bench, Addr address, std::uint64_t set, std::uint64_t clear = 0) {
  SparseMemory& memory = bench.memory->contents();
  memory.write64(address, (memory.read64(address) & ~clear) | set);
}
DeviceRequest first_read(Bench& bench) { return bench.read(Bench::kPasid, kPage); }
DeviceRequest second_read(Bench& bench) { return bench.plain_read(kPage); }
DeviceRequest first_write(Bench& bench) { return Bench::as_write(first_read(bench)); }
DeviceRequest second_write(Bench& bench) { return Bench::as_write(second_read(bench)); }
constexpr Addr kNowhere = 0x3F'0000'0000;  // within HAW, beyond the memory

const std::vector<Case>& cases() {
  using R = FaultReason;
  static const std::vector<Case> list = {
      // --- legacy mode
      {"legacy_root_not_present", R::kLegacyRootNotPresent, false,
       [](Bench& b) { poke(b, b.tables->root_entry_address(Bench::kDevice), 0, 1); }, second_read, true, true, true},
      {"legacy_root_reserved", R::kLegacyRootReserved, false,
       [](Bench& b) { poke(b, b.tables->root_entry_address(Bench::kDevice), 0x10); }, second_read, true, true, true},
      {"legacy_context_access", R::kLegacyContextAccess, false,
       [](Bench& b) {
         poke(b, b.tables->root_entry_address(Bench::kDevice), kNowhere | 1, ~std::uint64_t{0});
       },
       second_read, true, true, true},
      {"legacy_context_not_present", R::kLegacyContextNotPresent, false,
       [](Bench& b) { poke(b, b.tables->context_entry_address(Bench::kDevice), 0, 1); }, second_read, true, true, true},
      {"legacy_context_reserved", R::kLegacyContextReserved, false,
       [](Bench& b) { poke(b, b.tables->context_entry_address(Bench::kDevice), 0x20); }, second_read, true, true, true},
      {"legacy_context_bad_width", R::kLegacyContextInvalid, false,
       [](Bench& b) { poke(b, b.tables->context_entry_address(Bench::kDevice) + 8, 7, 7); }, second_read, true, true,
       true},
      {"legacy_context_bad_type", R::kLegacyContextInvalid, false,
       [](Bench& b) { poke(b, b.tables->context_entry_address(Bench::kDevice), 0xC); }, second_read, true, true, true},
      {"legacy_beyond_width", R::kLegacyAddressBeyondWidth, false, [](Bench&) {},
       [](Bench& b) { return b.plain_read(Addr{1} << 48); }},
      {"legacy_no_write", R::kLegacyNoWrite, false,
       [](Bench& b) { b.second->map(kPage, Bench::kData, 12, {true, false}); }, second_write, true, false},
      {"legacy_no_read", R::kLegacyNoRead, false,
       [](Bench& b) { b.second->map(kPage, Bench::kData, 12, {false, true}); }, second_read, true, false},
      {"legacy_not_mapped", R::kLegacyNoRead, false, [](Bench&) {}, second_read},
      {"legacy_table_access", R::kLegacyTableAccess, false,
       [](Bench& b) {
         b.second->map(kPage, Bench::kData, 12);
         b.second->set_entry(kPage, 3, kNowhere | 3);
       },
       second_read},
      {"legacy_top_table_access", R::kLegacyContextInvalid, false,
       [](Bench& b) {
         poke(b, b.tables->context_entry_address(Bench::kDevice), kNowhere, mask_between(63, 12));
       },
       second_read},
      {"legacy_entry_reserved", R::kLegacyEntryReserved, false,
       [](Bench& b) {
         b.second->map(kPage, Bench::kData, 12);
         b.second->set_entry(kPage, 1, b.second->entry(kPage, 1) | (Addr{1} << 50));
       },
       second_read},
      {"legacy_ats_blocked", R::kLegacyAtsBlocked, false,
       [](Bench& b) { poke(b, b.tables->context_entry_address(Bench::kDevice), 0, 0xC); }, second_read, false, true,
       true},
      {"legacy_output_in_interrupt_range", R::kLegacyOutputInInterruptRange, false,
       [](Bench& b) { b.second->map(kPage, 0xFEE0'1000, 12); }, second_read},
      {"legacy_pasid", R::kPasidInLegacyMode, false, [](Bench&) {}, first_read, true, true, true},
      {"legacy_page_request", R::kPageRequestInLegacyMode, false, [](Bench&) {}, second_read, false, false, false,
       true},
      // --- root pointer
      {"mode_reserved", R::kTranslationModeInvalid, true,
       [](Bench& b) { b.rtaddr = (b.tables->rtaddr() & ~VtdRtaddr::TTM::kMask) | VtdRtaddr::TTM::make(2); },
       first_read, true, true, true, true},
      {"abort_dma", R::kAbortDma, true,
       [](Bench& b) { b.rtaddr = b.tables->rtaddr() | VtdRtaddr::TTM::make(3); }, first_read, true, true, true, true},
      // --- scalable mode
      {"root_access", R::kRootAccess, true,
       [](Bench& b) { b.rtaddr = kNowhere | VtdRtaddr::TTM::make(1); }, first_read, true, true, true, true},
      {"root_not_present", R::kRootNotPresent, true,
       [](Bench& b) { poke(b, b.tables->root_entry_address(Bench::kDevice), 0, 1); }, first_read, true, true, true,
       true},
      {"root_reserved", R::kRootReserved, true,
       [](Bench& b) { poke(b, b.tables->root_entry_address(Bench::kDevice), 0x800); }, first_read, true, true, true,
       true},
      {"context_access", R::kContextAccess, true,
       [](Bench& b) {
         poke(b, b.tables->root_entry_address(Bench::kDevice), kNowhere | 1, ~std::uint64_t{0});
       },
       first_read, true, true, true, true},
      {"context_not_present", R::kContextNotPresent, true,
       [](Bench& b) { poke(b, b.tables->context_entry_address(Bench::kDevice), 0, 1); }, first_read, true, true, true,
       true},
      {"context_reserved", R::kContextReserved, true,
       [](Bench& b) { poke(b, b.tables->context_entry_address(Bench::kDevice), 0x80); }, first_read, true, true, true,
       true},
      {"context_rid_pasid_beyond", R::kContextInvalid, true,
       [](Bench& b) { poke(b, b.tables->context_entry_address(Bench::kDevice) + 8, 0x80000); }, first_read, true, true,
       true, true},
      {"device_tlb_disabled", R::kDeviceTlbDisabled, true,
       [](Bench& b) { poke(b, b.tables->context_entry_address(Bench::kDevice), 0, 0x14); }, second_read, false, true,
       true},
      {"pasid_disabled", R::kPasidDisabled, true,
       [](Bench& b) { poke(b, b.tables->context_entry_address(Bench::kDevice), 0, 8); }, first_read, true, true, false,
       true},
      {"pasid_beyond_directory", R::kPasidBeyondDirectory, true, [](Bench&) {},
       [](Bench& b) { return b.read(Pasid(0x4000), kPage); }, true, true, false, true},
      {"page_request_disabled", R::kPageRequestDisabled, true,
       [](Bench& b) { poke(b, b.tables->context_entry_address(Bench::kDevice), 0, 0x10); }, first_read, false, false,
       false, true},
      {"pasid_is_rid_pasid", R::kPasidIsRidPasid, true, [](Bench&) {},
       [](Bench& b) { return b.read(Bench::kRidPasid, kPage); }, true, true, false, true},
      {"translated_with_pasid", R::kTranslatedWithPasid, true, [](Bench&) {}, first_read, false, false, true},
      {"directory_access", R::kDirectoryAccess, true,
       [](Bench& b) {
         poke(b, b.tables->context_entry_address(Bench::kDevice), kNowhere, mask_between(63, 12));
       },
       first_read, true, true, false, true},
      {"directory_not_present", R::kDirectoryNotPresent, true, [](Bench&) {},
       [](Bench& b) { return b.read(Pasid(0x1000), kPage); }, true, true, false, true},
      {"directory_reserved", R::kDirectoryReserved, true,
       [](Bench& b) { poke(b, b.tables->directory_entry_address(Bench::kDevice, Bench::kPasid), 4); }, first_read, true,
       true, false, true},
      {"pasid_entry_access", R::kPasidEntryAccess, true,
       [](Bench& b) {
         poke(b, b.tables->directory_entry_address(Bench::kDevice, Bench::kPasid), kNowhere, mask_between(63, 12));
       },
       first_read, true, true, false, true},
      {"pasid_entry_not_present", R::kPasidEntryNotPresent, true,
       [](Bench& b) { b.tables->clear_pasid_entry(Bench::kDevice, Bench::kPasid); }, first_read, true, true, false,
       true},
      {"pasid_entry_reserved", R::kPasidEntryReserved, true,
       [](Bench& b) { poke(b, b.tables->pasid_entry_address(Bench::kDevice, Bench::kPasid) + 48, 1); }, first_read,
       true, true, false, true},
      {"pasid_entry_bad_type", R::kPasidEntryInvalid, true,
       [](Bench& b) { poke(b, b.tables->pasid_entry_address(Bench::kDevice, Bench::kPasid), 0x1C0, 0x1C0); },
       first_read, true, true, false, true},
      {"pasid_entry_bad_paging_mode", R::kPasidEntryInvalid, true,
       [](Bench& b) { poke(b, b.tables->pasid_entry_address(Bench::kDevice, Bench::kPasid) + 16, 8); }, first_read,
       true, true, false, true},
      {"execute_requested", R::kPasidExecuteRequested, true, [](Bench&) {},
       [](Bench& b) {
         DeviceRequest r = first_read(b);
         r.execute = true;
         return r;
       }},
      {"supervisor_disabled", R::kSupervisorDisabled, true,
       [](Bench& b) { b.first->map(kPage, Bench::kData, 12); },
       [](Bench& b) {
         DeviceRequest r = first_read(b);
         r.privileged = true;
         return r;
       }},
      {"first_access", R::kFirstStageAccess, true,
       [](Bench& b) {
         b.first->map(kPage, Bench::kData, 12);
         b.first->set_entry(kPage, 3, kNowhere | 7);
       },
       first_read},
      {"first_not_present", R::kFirstStageNotPresent, true, [](Bench&) {}, first_read},
      {"first_reserved", R::kFirstStageReserved, true,
       [](Bench& b) {
         b.first->map(kPage, Bench::kData, 12);
         b.first->set_entry(kPage, 1, b.first->entry(kPage, 1) | (Addr{1} << 50));
       },
       first_read},
      {"first_top_access", R::kFirstStageTopAccess, true,
       [](Bench& b) {
         poke(b, b.tables->pasid_entry_address(Bench::kDevice, Bench::kPasid) + 16, kNowhere, mask_between(63, 12));
       },
       first_read},
      {"second_access", R::kSecondStageAccess, true,
       [](Bench& b) {
         b.second->map(kPage, Bench::kData, 12);
         b.second->set_entry(kPage, 3, kNowhere | 3);
       },
       second_read},
      {"second_not_present", R::kSecondStageNotPresent, true, [](Bench&) {}, second_read},
      {"second_reserved", R::kSecondStageReserved, true,
       [](Bench& b) {
         b.second->map(kPage, Bench::kData, 12);
         b.second->set_entry(kPage, 1, b.second->entry(kPage, 1) | (Addr{1} << 50));
       },
       second_read},
      {"second_top_access", R::kSecondStageTopAccess, true,
       [](Bench& b) {
         poke(b, b.tables->pasid_entry_address(Bench::kDevice, Bench::kRidPasid), kNowhere, mask_between(63, 12));
       },
       second_read},
      {"second_update_not_snooped", R::kSecondStageUpdateNotSnooped, true,
       [](Bench& b) {
         b.second->map(kPage, Bench::kData, 12);
         const Addr entry = b.tables->pasid_entry_address(Bench::kDevice, Bench::kRidPasid);
         poke(b, entry, PasidTableEntry::SSADE::kMask);
         poke(b, entry + 8, 0, PasidTableEntry::PWSNP::kMask);
       },
       second_read},
      {"not_canonical", R::kNotCanonical, true, [](Bench&) {},
       [](Bench& b) { return b.read(Bench::kPasid, Addr{1} << 47); }},
      {"user_not_allowed", R::kUserNotAllowed, true,
       [](Bench& b) { b.first->map(kPage, Bench::kData, 12, {true, true, false}); }, first_read, true, false},
      {"host_address_beyond_width", R::kHostAddressBeyondWidth, true, [](Bench&) {},
       [](Bench& b) { return b.read(Bench::kPass, Addr{1} << 46); }},
      {"translated_beyond_width", R::kHostAddressBeyondWidth, true, [](Bench&) {},
       [](Bench& b) { return b.plain_read(Addr{1} << 46); }, false, false, true},
      {"second_beyond_width", R::kSecondStageBeyondWidth, true, [](Bench&) {},
       [](Bench& b) { return b.plain_read(Addr{1} << 48); }},
      {"no_write_first", R::kNoWrite, true,
       [](Bench& b) { b.first->map(kPage, Bench::kData, 12, {true, false, true}); }, first_write, true, false},
      {"no_write_second", R::kNoWrite, true,
       [](Bench& b) { b.second->map(kPage, Bench::kData, 12, {true, false}); }, second_write, true, false},
      {"no_read_second", R::kNoRead, true,
       [](Bench& b) { b.second->map(kPage, Bench::kData, 12, {false, true}); }, second_read, true, false},
      {"output_in_interrupt_range", R::kOutputInInterruptRange, true,
       [](Bench& b) { b.first->map(kPage, 0xFEE0'1000, 12); }, first_read},
      {"translated_into_interrupt_range", R::kOutputInInterruptRange, true, [](Bench&) {},
       [](Bench& b) { return b.plain_read(0xFEE0'1000); }, false, false, true},
      {"pasid_beyond_width", R::kPasidBeyondWidth, true, [](Bench&) {},
       [](Bench& b) { return b.read(Pasid(0x10000), kPage); }, true, true, true, false,
       [](IommuBenchOptions& o) { o.iommu.capabilities.pasid_bits = 16; }},
      {"first_update_not_snooped", R::kFirstStageUpdateNotSnooped, true,
       [](Bench& b) {
         b.first->map(kPage, Bench::kData, 12);
         poke(b, b.tables->pasid_entry_address(Bench::kDevice, Bench::kPasid) + 8, 0, PasidTableEntry::PWSNP::kMask);
       },
       first_read},
  };
  return list;
}

DeviceRequest with_kind(const DeviceRequest& request, RequestKind kind) {
  switch (kind) {
    case RequestKind::kTranslationRequest:
      return Bench::as_translation(request, request.kind == TlpKind::kMemRead);
    case RequestKind::kTranslated: {
      DeviceRequest translated = Bench::as_translated(request);
      return translated;
    }
    case RequestKind::kPageRequest: {
      DeviceRequest page = request;
      page.kind = TlpKind::kPageRequest;
      page.body = make_page_request_body(request.address, true, false, true, 5);
      page.length = 0;
      return page;
    }
    default:
      return request;
  }
}

// Fault answers as the request's status; a page request's own answer is a message.
CompletionStatus status_of(FaultAnswer answer) {
  return answer == FaultAnswer::kUnsupportedRequest ? CompletionStatus::kUnsupportedRequest
         : answer == FaultAnswer::kCompleterAbort   ? CompletionStatus::kCompleterAbort
                                                    : CompletionStatus::kSuccess;
}

struct Parameter {
  const Case* test;
  RequestKind kind;
  bool loose;
};
std::string name_of(const ::testing::TestParamInfo<Parameter>& info) {
  static constexpr const char* kKinds[] = {"untranslated", "translation_request", "translated",
                                           "page_request"};
  return std::string(info.param.test->name) + "_" + kKinds[static_cast<std::size_t>(info.param.kind)] +
         (info.param.loose ? "_loose" : "");
}
std::vector<Parameter> parameters() {
  std::vector<Parameter> list;
  for (const Case& test : cases()) {
    for (const bool loose : {false, true}) {
      if (test.untranslated) list.push_back({&test, RequestKind::kUntranslated, loose});
      if (test.translation) list.push_back({&test, RequestKind::kTranslationRequest, loose});
      if (test.translated) list.push_back({&test, RequestKind::kTranslated, loose});
      if (test.page_request) list.push_back({&test, RequestKind::kPageRequest, loose});
    }
  }
  return list;
}

class IommuFaults : public ::testing::TestWithParam<Parameter> {};

TEST_P(IommuFaults, AnswerAndRecord) {
  const Case& test = *GetParam().test;
  const RequestKind kind = GetParam().kind;
  IommuBenchOptions options;
  options.scalable = test.scalable;
  options.loose = GetParam().loose;
  if (test.options) test.options(options);
  Bench bench(options);
  bench.rtaddr = bench.tables->rtaddr();
  test.damage(bench);
  bench.enable();
  const DeviceRequest request = with_kind(test.request(bench), kind);
  const DeviceAnswer& answer = bench.ask(request);
  ASSERT_TRUE(answer.done) << "no answer: a fault must never leak a request";
  EXPECT_EQ(answer.fault, test.reason);
  const FaultAnswer expected = fault_answer(test.reason, kind);
  EXPECT_EQ(answer.status, status_of(expected));
  EXPECT_FALSE(answer.translation.read);
  EXPECT_FALSE(answer.translation.write);

  if (fault_is_logged(test.reason, kind)) {
    EXPECT_EQ(bench.fault_reason(), test.reason);
    EXPECT_EQ(bench.fault_low(), request.kind == TlpKind::kPageRequest
                                     ? PageRequestBody::ADDR::in_place(request.body)
                                     : request.address & ~Addr{0xFFF});
    const std::uint64_t high = bench.fault_high();
    EXPECT_EQ(VtdFrcdHigh::SID::get(high), Bench::kDevice.value());
    EXPECT_EQ(VtdFrcdHigh::PP::get(high), request.has_pasid);
    EXPECT_EQ(VtdFrcdHigh::PV::get(high), request.has_pasid ? request.pasid.value() : 0);
    EXPECT_EQ(VtdFrcdHigh::AT::get(high), kind == RequestKind::kTranslationRequest ? 1U
                                          : kind == RequestKind::kTranslated       ? 2U
                                                                                   : 0U);
    const auto type =
        static_cast<FaultRecordType>((VtdFrcdHigh::T1::get(high) << 1) | VtdFrcdHigh::T2::get(high));
    EXPECT_EQ(type, kind == RequestKind::kPageRequest    ? FaultRecordType::kPageRequest
                    : request.kind == TlpKind::kMemWrite ? FaultRecordType::kWrite
                                                         : FaultRecordType::kRead);
    EXPECT_NE(bench.read32(vtd_reg::kFsts) & VtdFsts::PPF::kMask, 0U);
  } else {
    EXPECT_EQ(bench.read32(vtd_reg::kFsts), 0U) << "a recoverable fault leaves no record";
  }

  bench.run_for(1000 * Bench::kNs);
  if (expected == FaultAnswer::kInvalidRequest) {
    ASSERT_EQ(bench.device().received().size(), 1U);
    EXPECT_EQ(bench.device().message(0).kind, TlpKind::kPrgResponse);
    EXPECT_EQ(bench.device().message(0).prg_index, 5U);
    EXPECT_EQ(bench.device().message(0).response_code,
              static_cast<unsigned>(PageResponseCode::kInvalidRequest));
  } else {
    EXPECT_TRUE(bench.device().received().empty());
  }
  EXPECT_EQ(bench.iommu->in_flight(), 0U);
  EXPECT_EQ(bench.pool.live(), 0U);
  EXPECT_EQ(bench.iommu->stats().faulted.value, 1U);
}

INSTANTIATE_TEST_SUITE_P(Codes, IommuFaults, ::testing::ValuesIn(parameters()), name_of);

// A user translation request to a supervisor page, or one without the rights it asked for, is no
// fault: the completion carries the rights there are.
TEST(IommuFaultAnswers, TranslationRequestsReportRights) {
  Bench bench;
  bench.first->map(kPage, Bench::kData, 12, {true, true, false});
  bench.first->map(kPage + 0x1000, Bench::kData, 12, {true, false, true});
  bench.enable();
  const DeviceAnswer none = bench.ask(Bench::as_translation(first_read(bench)));
  EXPECT_EQ(none.status, CompletionStatus::kSuccess);
  EXPECT_FALSE(none.translation.read || none.translation.write);
  EXPECT_EQ(bench.device().word(bench.asked) & 0xFFF, 0U);
  const DeviceAnswer some = bench.ask(Bench::as_translation(bench.read(Bench::kPasid, kPage + 0x1000)));
  EXPECT_TRUE(some.translation.read);
  EXPECT_FALSE(some.translation.write);
  EXPECT_EQ(bench.device().word(bench.asked), Bench::kData | TranslationEntry::R::kMask);
  EXPECT_EQ(bench.read32(vtd_reg::kFsts), 0U);
}

// FPD=1 hides qualified faults, not others, and never lets the request through.
TEST(IommuFaultRecords, FaultProcessingDisabled) {
  for (const bool in_context : {true}) {
    Bench bench;
    bench.tables->clear_pasid_entry(Bench::kDevice, Bench::kPasid);
    const Addr entry = in_context ? bench.tables->context_entry_address(Bench::kDevice)
                                  : bench.tables->pasid_entry_address(Bench::kDevice, Bench::kPasid);
    poke(bench, entry, 2);
    bench.enable();
    EXPECT_EQ(bench.ask(first_read(bench)).status, CompletionStatus::kUnsupportedRequest);
    EXPECT_EQ(bench.read32(vtd_reg::kFsts), 0U);
    // Directory access error is not qualified.
    poke(bench, bench.tables->directory_entry_address(Bench::kDevice, Bench::kPasid), kNowhere,
         mask_between(63, 12));
    EXPECT_EQ(bench.ask(first_read(bench)).fault, FaultReason::kPasidEntryAccess);
    EXPECT_EQ(bench.fault_reason(), FaultReason::kPasidEntryAccess);
  }
}

TEST(IommuFaultRecords, FpdOfAPasidEntryThatIsNotPresentCounts) {
  Bench bench;
  const Addr entry = bench.tables->pasid_entry_address(Bench::kDevice, Bench::kPasid);
  poke(bench, entry, 2, 1);  // P = 0, FPD = 1: how Linux leaves it when a process exits
  bench.enable();
  EXPECT_EQ(bench.ask(first_read(bench)).fault, FaultReason::kPasidEntryNotPresent);
  EXPECT_EQ(bench.read32(vtd_reg::kFsts), 0U);
}

TEST(IommuFaultRecords, RecordsFillOverflowAndWrap) {
  IommuBenchOptions options;
  options.iommu.capabilities.fault_records = 2;
  Bench bench(options);
  bench.enable();
  bench.write32(vtd_reg::kFedata, 0x31);
  bench.write32(vtd_reg::kFeaddr, static_cast<std::uint32_t>(Bench::kMsi));
  bench.write32(vtd_reg::kFectl, 0);
  bench.ask(first_read(bench));
  bench.ask(bench.read(Bench::kPasid, kPage + 0x1000));
  bench.run_for(1000 * Bench::kNs);
  // One event for the first of them.
  ASSERT_EQ(bench.msi->received.size(), 1U);
  EXPECT_EQ(bench.msi->received[0].address, Bench::kMsi);
  EXPECT_EQ(bench.msi->received[0].data, 0x31U);
  EXPECT_EQ(bench.read32(vtd_reg::kFsts), VtdFsts::PPF::kMask);
  bench.ask(bench.read(Bench::kPasid, kPage + 0x2000));
  EXPECT_EQ(bench.read32(vtd_reg::kFsts), VtdFsts::PPF::kMask | VtdFsts::PFO::kMask);
  bench.ask(bench.read(Bench::kPasid, kPage + 0x2000));
  EXPECT_EQ(bench.iommu->stats().faults_recorded.value, 2U);
  EXPECT_EQ(bench.iommu->stats().faults_dropped.value, 2U);
  EXPECT_EQ(bench.fault_low(0), kPage);
  EXPECT_EQ(bench.fault_low(1), kPage + 0x1000);
  // Software takes both, clears the overflow; the next fault is record 0 again and a new event.
  for (unsigned i = 0; i < 2; ++i) {
    bench.write32(Capabilities::kFaultRecordOffset + i * 16 + 12, 0x80000000U);
  }
  bench.write32(vtd_reg::kFsts, VtdFsts::PFO::kMask);
  EXPECT_EQ(bench.read32(vtd_reg::kFsts) & 0x7FU, 0U);
  bench.ask(bench.read(Bench::kPasid, kPage + 0x3000));
  bench.run_for(1000 * Bench::kNs);
  EXPECT_EQ(bench.fault_low(0), kPage + 0x3000);
  EXPECT_EQ(bench.msi->received.size(), 2U);
}

TEST(IommuFaultRecords, MaskedEventIsHeldUntilUnmasked) {
  Bench bench;
  bench.enable();
  bench.write32(vtd_reg::kFedata, 0x31);
  bench.write32(vtd_reg::kFeaddr, static_cast<std::uint32_t>(Bench::kMsi));
  bench.ask(first_read(bench));
  bench.run_for(1000 * Bench::kNs);
  EXPECT_TRUE(bench.msi->received.empty());
  EXPECT_EQ(bench.read32(vtd_reg::kFectl), VtdEventControl::IM::kMask | VtdEventControl::IP::kMask);
  bench.write32(vtd_reg::kFectl, 0);
  bench.run_for(1000 * Bench::kNs);
  EXPECT_EQ(bench.msi->received.size(), 1U);
  EXPECT_EQ(bench.read32(vtd_reg::kFectl), 0U);
}

// Translation off: plain requests go through as they are, everything else is refused.
TEST(IommuModes, TranslationOff) {
  Bench bench;
  bench.memory->contents().write64(Bench::kData, 0xABCD);
  const DeviceAnswer plain = bench.ask(bench.plain_read(Bench::kData));
  EXPECT_EQ(plain.status, CompletionStatus::kSuccess);
  EXPECT_EQ(bench.device().word(bench.asked), 0xABCDU);
  EXPECT_EQ(bench.ask(Bench::as_translated(bench.plain_read(Bench::kData))).status,
            CompletionStatus::kUnsupportedRequest);
  EXPECT_EQ(bench.ask(Bench::as_translation(bench.plain_read(Bench::kData))).status,
            CompletionStatus::kUnsupportedRequest);
  EXPECT_EQ(bench.read32(vtd_reg::kFsts), 0U);
}

TEST(IommuModes, PassThroughAndInterrupts) {
  Bench bench;
  bench.memory->contents().write64(Bench::kData, 0xABCD);
  bench.enable();
  EXPECT_EQ(bench.ask(bench.read(Bench::kPass, Bench::kData)).translation.address, Bench::kData);
  EXPECT_EQ(bench.device().word(bench.asked), 0xABCDU);
  // A plain write to the interrupt range is an interrupt.
  DeviceRequest write = Bench::as_write(bench.plain_read(Bench::kMsi, 4));
  bench.device().send(write, 1000, {0x42, 0, 0, 0});
  bench.run_for(1000 * Bench::kNs);
  ASSERT_EQ(bench.msi->received.size(), 1U);
  EXPECT_EQ(bench.msi->received[0].data, 0x42U);
  // A plain read there is refused; with a PASID it is an address like any other.
  EXPECT_EQ(bench.ask(bench.plain_read(Bench::kMsi)).status, CompletionStatus::kUnsupportedRequest);
  bench.first->map(Bench::kMsi, Bench::kData, 12);
  EXPECT_EQ(bench.ask(bench.read(Bench::kPasid, Bench::kMsi)).translation.address, Bench::kData);
  // A translation request there: write only, untranslated only.
  const DeviceAnswer answer = bench.ask(Bench::as_translation(bench.plain_read(Bench::kMsi)));
  EXPECT_TRUE(answer.translation.write && answer.translation.untranslated_only);
  EXPECT_FALSE(answer.translation.read);
  const DeviceAnswer read_only = bench.ask(Bench::as_translation(bench.plain_read(Bench::kMsi), true));
  EXPECT_EQ(read_only.status, CompletionStatus::kSuccess);
  EXPECT_FALSE(read_only.translation.read || read_only.translation.write);
}

// Superpages keep the low bits of the address, at every size.
TEST(IommuModes, Superpages) {
  Bench bench;
  bench.first->map(0x4000'0000, 0, 30);
  bench.first->map(0x8020'0000, 0x10200000, 21);
  bench.second->map(0x4000'0000, 0, 30);
  bench.enable();
  for (int pass = 0; pass < 2; ++pass) {  // from the walk, then from the IOTLB
    bench.memory->contents().write64(0x1234'5678 & ~7U, 0x77);
    EXPECT_EQ(
        bench.ask(bench.read(Bench::kPasid, 0x4000'0000 + (0x1234'5678 & ~7U), 8)).translation.page_shift,
        30);
    EXPECT_EQ(bench.device().word(bench.asked), 0x77U);
    EXPECT_EQ(bench.ask(bench.plain_read(0x4000'0000 + (0x1234'5678 & ~7U), 8)).translation.page_shift, 30);
    EXPECT_EQ(bench.device().word(bench.asked), 0x77U);
    bench.memory->contents().write64(0x1023'4560, 0x88);
    EXPECT_EQ(bench.ask(bench.read(Bench::kPasid, 0x8023'4560, 8)).translation.page_shift, 21);
    EXPECT_EQ(bench.device().word(bench.asked), 0x88U);
  }
  // Over a 4-KiB boundary within the superpage is fine, over its end is not.
  EXPECT_EQ(bench.ask(bench.read(Bench::kPasid, 0x8020'0FC0, 128)).status, CompletionStatus::kSuccess);
  EXPECT_EQ(bench.ask(bench.read(Bench::kPasid, 0x803F'FFC0, 128)).status,
            CompletionStatus::kUnsupportedRequest);
}

}  // namespace
}  // namespace svasim::test
