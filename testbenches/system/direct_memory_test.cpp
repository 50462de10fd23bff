// Direct access to memory in loose timing: it answers as a call would, in the same time and with the same
// statistics, and ends with whatever made it right.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/direct_bench.h"

namespace svasim::test {
namespace {

constexpr Addr kA = 0x7000'0000;
constexpr Addr kB = 0x7000'1000;
constexpr std::uint64_t kAccessed = FirstStageEntry::A::kMask;
constexpr std::uint64_t kDirty = FirstStageEntry::D::kMask;
constexpr LeafRights kUsed{true, true, true, kAccessed | kDirty};
constexpr Addr kOld = IommuBench::kData;
constexpr Addr kNew = IommuBench::kData + 0x10'0000;

// A and B of the first PASID, A of the second, A and B of the second stage, each in a frame of its own that
// starts with its own address.
void map_all(DirectBench& b, const LeafRights& rights = kUsed) {
  for (Addr frame = kOld; frame < kOld + 0x8000; frame += kPageSize) {
    b->memory->contents().write64(frame, frame);
    b->memory->contents().write64(kNew - kOld + frame, kNew - kOld + frame);
  }
  b->first->map(kA, kOld, 12, rights);
  b->first->map(kB, kOld + 0x1000, 12, rights);
  b->first2->map(kA, kOld + 0x2000, 12, rights);
  b->second->map(kA, kOld + 0x3000, 12, {});
  b->second->map(kB, kOld + 0x4000, 12, {});
}

// --- As a call would

// Difference of every number of all statistics.
nlohmann::json difference(const nlohmann::json& before, const nlohmann::json& after) {
  nlohmann::json result;
  for (const auto& [path, stat] : after.items()) {
    for (const char* field : {"value", "count", "sum"}) {
      if (!stat.contains(field) || !stat[field].is_number_unsigned()) continue;
      const auto change = stat[field].get<std::uint64_t>() - before[path][field].get<std::uint64_t>();
      if (change != 0) result[path + "." + field] = change;
    }
  }
  return result;
}

struct Space {
  const char* name;
  DeviceRequest request;
  bool translation = true;
};

std::vector<Space> spaces(DirectBench& b) {
  return {{"first stage", b->read(IommuBench::kPasid, kA)},
          {"second stage", b->read(IommuBench::kSecond, kA)},
          {"without PASID", b->plain_read(kA)},
          {"pass-through", b->read(IommuBench::kPass, kOld + 0x5000)}};
}

TEST(DirectMemory, AnswersAsACallThatHits) {
  DirectBench b;
  map_all(b);
  b->enable();
  for (const Space& space : spaces(b)) {
    for (const unsigned length : {8U, 64U, 300U, 1024U}) {
      for (const bool write : {false, true}) {
        SCOPED_TRACE(testing::Message() << space.name << " " << length << (write ? " write" : " read"));
        DeviceRequest request = write ? IommuBench::as_write(space.request) : space.request;
        request.length = length;
        const std::uint64_t word = length + 0x1000U * (write ? 1 : 0);
        b.device->access(request, word, false);
        b.device->access(request, word, false);
        const nlohmann::json start = b->stats.to_json(1);
        const DirectDevice::Answer called = b.device->access(request, word);
        const nlohmann::json middle = b->stats.to_json(1);
        const DirectDevice::Answer direct = b.device->access(request, word + 1);
        const nlohmann::json end = b->stats.to_json(1);
        ASSERT_FALSE(called.direct);
        ASSERT_TRUE(direct.direct);
        EXPECT_EQ(direct.status, CompletionStatus::kSuccess);
        EXPECT_EQ(direct.latency, called.latency);
        EXPECT_EQ(direct.parts, called.parts);
        EXPECT_EQ(difference(middle, end), difference(start, middle));
        EXPECT_GT(difference(start, middle).size(), 8U);
        DeviceRequest check = space.request;
        check.length = 8;
        b.device->direct.revoke(0, ~Addr{0});
        EXPECT_EQ(b.device->access(check, 0, false).word, write ? word + 1 : direct.word);
      }
    }
  }
  EXPECT_EQ(b->pool.live(), 0U);
}

TEST(DirectMemory, AnswersAsACallWhileTranslationIsOff) {
  DirectBench b;
  map_all(b);
  const DeviceRequest request = b->plain_read(kOld + 0x5000);
  const nlohmann::json start = b->stats.to_json(1);
  const DirectDevice::Answer called = b.device->access(request);
  const nlohmann::json middle = b->stats.to_json(1);
  const DirectDevice::Answer direct = b.device->access(request);
  EXPECT_TRUE(direct.direct);
  EXPECT_EQ(direct.word, kOld + 0x5000);
  EXPECT_EQ(direct.latency, called.latency);
  EXPECT_EQ(difference(middle, b->stats.to_json(1)), difference(start, middle));
}

// Without scalable mode TE = 0 flushes nothing. SPEC: [VTD 11.4.4.1]
TEST(DirectMemory, TranslationOnAndOffChangesWhoseAddressesTheyAre) {
  IommuBenchOptions options;
  options.scalable = false;
  options.iommu.capabilities.scalable_mode = false;
  options.iommu.capabilities.page_requests = true;
  DirectBench b(options);
  map_all(b);
  b->second->map(kOld + 0x5000, kNew, 12, {});
  const DeviceRequest request = b->plain_read(kOld + 0x5000);
  b->write64(vtd_reg::kRtaddr, b->tables->rtaddr());
  b->command(VtdGcmd::SRTP::kMask, true);
  ASSERT_TRUE(b.device->obtain(request));
  EXPECT_EQ(b.device->access(request).word, kOld + 0x5000);
  b->command(VtdGcmd::TE::kMask, true);
  const DirectDevice::Answer translated = b.device->access(request);
  EXPECT_FALSE(translated.direct);
  EXPECT_EQ(translated.word, kNew);
  ASSERT_TRUE(b.device->obtain(request));
  b->command(VtdGcmd::TE::kMask, false);
  const DirectDevice::Answer off = b.device->access(request);
  EXPECT_FALSE(off.direct);
  EXPECT_EQ(off.word, kOld + 0x5000);
}

TEST(DirectMemory, OnePageHoldsFourKilobytesOfALargePage) {
  DirectBench b;
  constexpr Addr kLarge = 0x4000'0000;
  b->memory->contents().write64(kOld + 0x3008, 42);
  b->memory->contents().write64(kOld + 0x4008, 43);
  b->first->map(kLarge, kOld, 21, kUsed);
  b->enable();
  EXPECT_TRUE(b.device->obtain(b->read(IommuBench::kPasid, kLarge + 0x3008, 8)));
  EXPECT_EQ(b.device->access(b->read(IommuBench::kPasid, kLarge + 0x3008, 8)).word, 42U);
  const DirectDevice::Answer other = b.device->access(b->read(IommuBench::kPasid, kLarge + 0x4008, 8));
  EXPECT_FALSE(other.direct);
  EXPECT_EQ(other.word, 43U);
  // All pieces go with the large page.
  b->first->cut(kLarge, 2);
  b->invalidate({make_pasid_iotlb_page(IommuBench::kFirstDomain, IommuBench::kPasid, kLarge + 0x5000, 0)});
  const DirectDevice::Answer gone = b.device->access(b->read(IommuBench::kPasid, kLarge + 0x3008, 8));
  EXPECT_FALSE(gone.direct);
  EXPECT_EQ(gone.status, CompletionStatus::kUnsupportedRequest);
}

// --- The end of a grant

struct End {
  const char* name;
  std::function<void(DirectBench&)> act;
  bool new_page;  // page A of the first PASID is looked up anew
};

void invalidate(DirectBench& b, const InvalidationDescriptor& descriptor) {
  ASSERT_TRUE(b->invalidate({descriptor}));
}

std::vector<End> ends() {
  const auto by = [](const InvalidationDescriptor& descriptor) {
    return [descriptor](DirectBench& b) { invalidate(b, descriptor); };
  };
  constexpr DomainId kDomain = IommuBench::kFirstDomain;
  constexpr Pasid kPasid = IommuBench::kPasid;
  return {
      {"iotlb_global", by(make_iotlb_global()), true},
      {"iotlb_domain", by(make_iotlb_domain(kDomain)), true},
      {"iotlb_page", by(make_iotlb_page(kDomain, kA, 0)), true},
      {"piotlb_pasid", by(make_pasid_iotlb_pasid(kDomain, kPasid)), true},
      {"piotlb_page", by(make_pasid_iotlb_page(kDomain, kPasid, kA, 0)), true},
      {"piotlb_page_leaf", by(make_pasid_iotlb_page(kDomain, kPasid, kA, 0, true)), true},
      {"context_global", by(make_context_cache(ContextGranularity::kGlobal)), false},
      {"context_device", by(make_context_cache(ContextGranularity::kDevice, {}, IommuBench::kDevice)), false},
      {"pasid_global", by(make_pasid_cache(PasidCacheGranularity::kGlobal)), false},
      {"pasid_domain", by(make_pasid_cache(PasidCacheGranularity::kDomain, kDomain)), false},
      {"pasid_selective", by(make_pasid_cache(PasidCacheGranularity::kPasid, kDomain, kPasid)), false},
      {"set_root", [](DirectBench& b) { b->command(VtdGcmd::SRTP::kMask, true); }, true},
      {"te_off_and_on",
       [](DirectBench& b) {
         b->command(VtdGcmd::TE::kMask, false);
         b->command(VtdGcmd::TE::kMask, true);
       },
       true},
      // The page request removes what the IOTLB holds of its page. SPEC: [VTD 6.5.3.1]
      {"page_request", [](DirectBench& b) { b.device->access(b->page_request(kPasid, kA, false, false, 1)); },
       true},
      {"eviction",
       [](DirectBench& b) {
         for (unsigned i = 0; i < 64; ++i) {
           const Addr page = 0x1'0000'0000 + i * kPageSize;
           b->first->map(page, kOld + 0x6000, 12, kUsed);
           b.device->access(b->read(kPasid, page));
         }
       },
       true},
      {"pasid_eviction",
       [](DirectBench& b) {
         for (const Pasid other : {IommuBench::kPasid2, IommuBench::kSecond, IommuBench::kPass}) {
           b.device->access(b->read(other, kB));  // another set of the IOTLB
         }
       },
       false},
      {"memory",
       [](DirectBench& b) { b->bus->target(0).get_base_export()->invalidate_direct_mem_ptr(0, ~Addr{0}); },
       false},
  };
}

class DirectMemoryEnd : public testing::TestWithParam<std::size_t> {};

TEST_P(DirectMemoryEnd, IsTheEndOfDirectAccess) {
  const End end = ends().at(GetParam());
  IommuBenchOptions options;
  options.iommu.iotlb.entries = 16;
  options.iommu.iotlb.ways = 2;
  options.iommu.pasid_cache.entries = 2;
  options.iommu.pasid_cache.ways = 2;
  DirectBench b(options);
  map_all(b);
  b->enable();
  const DeviceRequest read = b->read(IommuBench::kPasid, kA);
  const DeviceRequest write = IommuBench::as_write(read);
  ASSERT_TRUE(b.device->obtain(read));
  DeviceRequest far_write = write;
  far_write.address += 8;
  far_write.length = 8;
  ASSERT_TRUE(b.device->obtain(far_write));
  // The page moves; until software says so, the old one may be used.
  b->first->map(kA, kNew, 12, kUsed);
  const DirectDevice::Answer old = b.device->access(read);
  EXPECT_TRUE(old.direct);
  EXPECT_EQ(old.word, kOld);
  end.act(b);
  b->memory->contents().write64(kOld, 0xDEAD);
  const DirectDevice::Answer now = b.device->access(read, 0, false);
  EXPECT_FALSE(now.direct);
  EXPECT_EQ(now.word, end.new_page ? kNew : 0xDEAD);
  EXPECT_FALSE(b.device->access(far_write, 7, false).direct);
  EXPECT_EQ(b->memory->contents().read64((end.new_page ? kNew : kOld) + 8), 7U);
  // And a beginning.
  EXPECT_TRUE(b.device->obtain(read));
  EXPECT_EQ(b.device->access(read).word, end.new_page ? kNew : 0xDEAD);
}

INSTANTIATE_TEST_SUITE_P(All, DirectMemoryEnd, testing::Range(std::size_t{0}, ends().size()),
                         [](const auto& test) { return std::string(ends().at(test.param).name); });

TEST(DirectMemory, AnUnmappedPageFaultsAfterItsInvalidation) {
  DirectBench b;
  map_all(b);
  b->enable();
  ASSERT_TRUE(b.device->obtain(b->read(IommuBench::kPasid, kA)));
  b->first->unmap(kA);
  invalidate(b, make_pasid_iotlb_page(IommuBench::kFirstDomain, IommuBench::kPasid, kA, 0));
  const DirectDevice::Answer answer = b.device->access(b->read(IommuBench::kPasid, kA));
  EXPECT_FALSE(answer.direct);
  EXPECT_EQ(answer.status, CompletionStatus::kUnsupportedRequest);
  EXPECT_EQ(b->fault_reason(), FaultReason::kFirstStageNotPresent);
}

TEST(DirectMemory, AbortDmaEndsIt) {
  IommuBenchOptions options;
  options.iommu.capabilities.flush_on_set_root = false;  // the caches stay
  DirectBench b(options);
  map_all(b);
  b->enable();
  ASSERT_TRUE(b.device->obtain(b->read(IommuBench::kPasid, kA)));
  b->write64(vtd_reg::kRtaddr, (b->tables->rtaddr() & ~std::uint64_t{0xC00}) | 0xC00);
  b->command(VtdGcmd::SRTP::kMask, true);
  const DirectDevice::Answer answer = b.device->access(b->read(IommuBench::kPasid, kA));
  EXPECT_FALSE(answer.direct);
  EXPECT_EQ(answer.status, CompletionStatus::kUnsupportedRequest);
}

TEST(DirectMemory, RegistersInvalidateToo) {
  IommuBenchOptions options;
  options.scalable = false;
  options.iommu.capabilities.version = 5;
  DirectBench b(options);
  map_all(b);
  b->write64(vtd_reg::kRtaddr, b->tables->rtaddr());
  b->command(VtdGcmd::SRTP::kMask, true);
  b->command(VtdGcmd::TE::kMask, true);
  const DeviceRequest read = b->plain_read(kA);
  ASSERT_TRUE(b.device->obtain(read));
  b->second->map(kA, kNew, 12, {});
  // SPEC: [VTD 11.4.6] IVT and a global request; [VTD 11.4.5] ICC and a global request.
  b->write64(Capabilities::kIotlbRegisterOffset, (std::uint64_t{1} << 63) | (std::uint64_t{1} << 60));
  const DirectDevice::Answer moved = b.device->access(read);
  EXPECT_FALSE(moved.direct);
  EXPECT_EQ(moved.word, kNew);
  ASSERT_TRUE(b.device->obtain(read));
  b->write64(vtd_reg::kCcmd, (std::uint64_t{1} << 63) | (std::uint64_t{1} << 61));
  EXPECT_FALSE(b.device->access(read).direct);
}

// --- Whose page, and which right

TEST(DirectMemory, AnAddressBelongsToItsPasid) {
  DirectBench b;
  map_all(b);
  b->enable();
  const DeviceRequest one = b->read(IommuBench::kPasid, kA);
  const DeviceRequest two = b->read(IommuBench::kPasid2, kA);
  const DeviceRequest plain = b->plain_read(kA);
  for (const auto& [request, frame] : {std::pair{one, kOld}, {two, kOld + 0x2000}, {plain, kOld + 0x3000}}) {
    b.device->access(request);
    EXPECT_EQ(b.device->access(request).word, frame);
  }
  for (int i = 0; i < 2; ++i) {
    for (const auto& [request, frame] :
         {std::pair{one, kOld}, {two, kOld + 0x2000}, {plain, kOld + 0x3000}}) {
      const DirectDevice::Answer answer = b.device->access(request);
      EXPECT_TRUE(answer.direct || i == 0);
      EXPECT_EQ(answer.word, frame);
    }
  }
  b->first2->map(kA, kNew, 12, kUsed);
  invalidate(b, make_pasid_iotlb_pasid(IommuBench::kFirstDomain, IommuBench::kPasid2));
  EXPECT_EQ(b.device->access(one).word, kOld);
  EXPECT_EQ(b.device->access(two).word, kNew);
}

TEST(DirectMemory, ReadOnlyMeansReadOnly) {
  DirectBench b;
  LeafRights rights = kUsed;
  rights.write = false;
  map_all(b, rights);
  b->enable();
  const DeviceRequest read = b->read(IommuBench::kPasid, kA);
  ASSERT_TRUE(b.device->obtain(read));
  EXPECT_TRUE(b.device->granted_after(read, read));
  EXPECT_FALSE(b.device->granted_after(read, IommuBench::as_write(read)));
  const DirectDevice::Answer write = b.device->access(IommuBench::as_write(read), 1);
  EXPECT_FALSE(write.direct);
  EXPECT_EQ(write.status, CompletionStatus::kUnsupportedRequest);
  EXPECT_EQ(b->memory->contents().read64(kOld), kOld);
}

TEST(DirectMemory, NoWriteBeforeTheDirtyBit) {
  DirectBench b;
  LeafRights rights = kUsed;
  rights.extra = kAccessed;
  map_all(b, rights);
  b->enable();
  const DeviceRequest read = b->read(IommuBench::kPasid, kA);
  const DeviceRequest write = IommuBench::as_write(read);
  ASSERT_TRUE(b.device->obtain(read));
  EXPECT_TRUE(b.device->granted_after(read, read));
  EXPECT_FALSE(b.device->granted_after(read, write));
  EXPECT_EQ(b->first->entry(kA, 1) & kDirty, 0U);
  EXPECT_FALSE(b.device->access(write, 1).direct);
  EXPECT_EQ(b->first->entry(kA, 1) & kDirty, kDirty);
  EXPECT_TRUE(b.device->obtain(write));
  // Software clears it; after the invalidation a write sets it again.
  b->first->map(kA, kOld, 12, rights);
  invalidate(b, make_pasid_iotlb_page(IommuBench::kFirstDomain, IommuBench::kPasid, kA, 0));
  EXPECT_FALSE(b.device->access(write, 1).direct);
  EXPECT_EQ(b->first->entry(kA, 1) & kDirty, kDirty);
}

// The memory side is plain TLM-2.0: whoever asks with a payload of its own gets pointer, range and latency.
TEST(DirectMemory, MemoryGrantsToAnyInitiator) {
  DirectBench b;
  b->memory->contents().write64(kOld + 0x10, 42);
  InitiatorSocket<>& socket = b->host->socket;
  tlm::tlm_generic_payload payload;
  tlm::tlm_dmi dmi;
  std::uint64_t word = 0;
  payload.set_address(kOld + 0x10);
  payload.set_data_ptr(reinterpret_cast<unsigned char*>(&word));
  payload.set_data_length(8);
  payload.set_streaming_width(8);
  payload.set_read();
  sc_core::sc_time time;
  socket->b_transport(payload, time);
  EXPECT_TRUE(payload.is_dmi_allowed());
  ASSERT_TRUE(socket->get_direct_mem_ptr(payload, dmi));
  EXPECT_TRUE(dmi.is_read_allowed());
  EXPECT_FALSE(dmi.is_write_allowed());
  EXPECT_EQ(dmi.get_start_address(), kOld);
  EXPECT_EQ(dmi.get_end_address(), kOld + 0xFFF);
  EXPECT_EQ(dmi.get_read_latency(), time);
  EXPECT_EQ(time, to_sc(IommuBench::memory_time(8)));
  std::memcpy(&word, dmi.get_dmi_ptr() + 0x10, sizeof(word));
  EXPECT_EQ(word, 42U);
  payload.set_write();
  ASSERT_TRUE(socket->get_direct_mem_ptr(payload, dmi));
  EXPECT_TRUE(dmi.is_write_allowed());
  EXPECT_EQ(dmi.get_write_latency(), time);
  payload.set_address(kNew);  // never written
  EXPECT_FALSE(socket->get_direct_mem_ptr(payload, dmi));
  payload.set_address(std::uint64_t{1} << 40);  // nobody's
  EXPECT_FALSE(socket->get_direct_mem_ptr(payload, dmi));
}

// --- Nobody gets one

TEST(DirectMemory, NotInApproximateTiming) {
  // Not even what needs no translation.
  DirectBench b({}, false);
  map_all(b);
  Transaction& t = b->pool.allocate(tlm::TLM_READ_COMMAND, kOld, nullptr, 64, 0);
  tlm::tlm_dmi dmi;
  UseLedger ledger;
  t.set_extension(&ledger);
  EXPECT_FALSE(b.device->requests->get_direct_mem_ptr(t, dmi));
  EXPECT_FALSE(b->iommu->data_socket()->get_direct_mem_ptr(t, dmi));
  t.clear_extension(&ledger);
  t.release();
}

TEST(DirectMemory, NotPastAProtocolChecker) {
  DirectBench b({}, true, true);
  map_all(b);
  b->enable();
  const DeviceRequest read = b->read(IommuBench::kPasid, kA);
  EXPECT_FALSE(b.device->obtain(read));
  EXPECT_FALSE(b.device->granted_after(read, read));
  EXPECT_EQ(b.checker->violations().count(), 0U);
}

TEST(DirectMemory, NotToAPageWithoutEntry) {
  IommuBenchOptions options;
  options.iommu.iotlb.enable = false;
  DirectBench b(options);
  map_all(b);
  b->enable();
  EXPECT_FALSE(b.device->obtain(b->read(IommuBench::kPasid, kA)));
  EXPECT_FALSE(b.device->granted_after(b->read(IommuBench::kPasid, kA), b->read(IommuBench::kPasid, kA)));
}

TEST(DirectMemory, NotWithAPerfectIotlb) {
  IommuBenchOptions options;
  options.iommu.iotlb.perfect = true;
  DirectBench b(options);
  map_all(b);
  b->enable();
  EXPECT_FALSE(b.device->obtain(b->read(IommuBench::kPasid, kA)));
}

TEST(DirectMemory, NotForTranslatedRequestsNorAcrossPages) {
  DirectBench b;
  map_all(b);
  b->enable();
  EXPECT_FALSE(b.device->obtain(IommuBench::as_translated(b->plain_read(kOld))));
  const DeviceRequest last = b->read(IommuBench::kPasid, kA + 0xFC0, 64);
  EXPECT_TRUE(b.device->granted_after(last, last));
  EXPECT_FALSE(b.device->granted_after(last, b->read(IommuBench::kPasid, kA + 0xFC0, 128)));
  const DeviceRequest plain = b->plain_read(kA);
  EXPECT_TRUE(b.device->granted_after(plain, plain));
  EXPECT_FALSE(b.device->granted_after(plain, b->plain_read(0xFEE0'0000)));
  // Of another address space nothing is known.
  EXPECT_FALSE(b.device->granted_after(plain, last));
}

}  // namespace
}  // namespace svasim::test
