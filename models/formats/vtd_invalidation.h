// Descriptors of the invalidation queue, 256 bits each (IQA.DW = 1); a 128-bit descriptor is the
// lower half. Builders, field names, reserved bits. SPEC: [VTD 6.5.2]
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/types.h"
#include "models/formats/words.h"

namespace svasim {

using InvalidationDescriptor = Words<4>;
inline constexpr std::size_t kInvalidationDescriptorBytes = 32;
static_assert(sizeof(InvalidationDescriptor) == kInvalidationDescriptorBytes);

enum class InvalidationType : std::uint8_t {
  kContextCache = 0x1,
  kIotlb = 0x2,
  kDeviceTlb = 0x3,
  kInterruptEntryCache = 0x4,
  kWait = 0x5,
  kPasidIotlb = 0x6,
  kPasidCache = 0x7,
  kPasidDeviceTlb = 0x8,
  kPageGroupResponse = 0x9,
  kHostPermissionCache = 0xA,
};

// The type is {bits 11:9, bits 3:0}.
constexpr unsigned invalidation_type(const InvalidationDescriptor& d) {
  return static_cast<unsigned>((Field<11, 9>::get(d[0]) << 4) | Field<3, 0>::get(d[0]));
}
constexpr InvalidationDescriptor make_invalidation(InvalidationType type) {
  const auto code = static_cast<std::uint64_t>(type);
  return {Field<3, 0>::make(code) | Field<11, 9>::make(code >> 4), 0, 0, 0};
}

// Granularities, each with the encoding of its descriptor.
enum class ContextGranularity : std::uint8_t { kGlobal = 1, kDomain = 2, kDevice = 3 };
enum class IotlbGranularity : std::uint8_t { kGlobal = 1, kDomain = 2, kPage = 3 };
enum class PasidIotlbGranularity : std::uint8_t { kPasid = 2, kPage = 3 };
enum class PasidCacheGranularity : std::uint8_t { kDomain = 0, kPasid = 1, kGlobal = 3 };
enum class InterruptGranularity : std::uint8_t { kGlobal = 0, kIndex = 1 };

struct ContextCacheDescriptor {
  using G = WideField<5, 4>;
  using DID = WideField<31, 16>;
  using SID = WideField<47, 32>;
  using FM = WideField<49, 48>;
  static constexpr InvalidationDescriptor kReserved = {
      mask_between(63, 50) | mask_between(15, 12) | mask_between(8, 6), ~std::uint64_t{0}, ~std::uint64_t{0},
      ~std::uint64_t{0}};
};

struct IotlbDescriptor {
  using G = WideField<5, 4>;
  using DW = WideBit<6>;
  using DR = WideBit<7>;
  using DID = WideField<31, 16>;
  using AM = WideField<69, 64>;
  using IH = WideBit<70>;
  using ADDR = WideField<127, 76>;
  static constexpr InvalidationDescriptor kReserved = {
      mask_between(63, 32) | mask_between(15, 12) | mask_between(8, 8), mask_between(11, 7),
      ~std::uint64_t{0}, ~std::uint64_t{0}};
};

struct DeviceTlbDescriptor {
  using PFSID_LOW = WideField<15, 12>;
  using MIP = WideField<20, 16>;
  using SID = WideField<47, 32>;
  using PFSID_HIGH = WideField<63, 52>;
  using S = WideBit<64>;
  using ADDR = WideField<127, 76>;
  static constexpr InvalidationDescriptor kReserved = {
      mask_between(51, 48) | mask_between(31, 21) | mask_between(8, 4), mask_between(11, 1),
      ~std::uint64_t{0}, ~std::uint64_t{0}};
};

struct InterruptEntryDescriptor {
  using G = WideBit<4>;
  using IM = WideField<31, 27>;
  using IIDX = WideField<47, 32>;
  static constexpr InvalidationDescriptor kReserved = {
      mask_between(63, 48) | mask_between(26, 12) | mask_between(8, 5), ~std::uint64_t{0}, ~std::uint64_t{0},
      ~std::uint64_t{0}};
};

struct WaitDescriptor {
  using IF = WideBit<4>;
  using SW = WideBit<5>;
  using FN = WideBit<6>;
  using PD = WideBit<7>;
  using STATUS_DATA = WideField<63, 32>;
  using STATUS_ADDR = WideField<127, 66>;
  static constexpr InvalidationDescriptor kReserved = {
      mask_between(31, 12) | mask_between(8, 8), mask_between(1, 0), ~std::uint64_t{0}, ~std::uint64_t{0}};
};

struct PasidIotlbDescriptor {
  using G = WideField<5, 4>;
  using DID = WideField<31, 16>;
  using PASID = WideField<51, 32>;
  using AM = WideField<69, 64>;
  using IH = WideBit<70>;
  using ADDR = WideField<127, 76>;
  static constexpr InvalidationDescriptor kReserved = {
      mask_between(63, 52) | mask_between(15, 12) | mask_between(8, 6), mask_between(11, 7),
      ~std::uint64_t{0}, ~std::uint64_t{0}};
};

struct PasidCacheDescriptor {
  using G = WideField<5, 4>;
  using DID = WideField<31, 16>;
  using PASID = WideField<51, 32>;
  static constexpr InvalidationDescriptor kReserved = {
      mask_between(63, 52) | mask_between(15, 12) | mask_between(8, 6), ~std::uint64_t{0}, ~std::uint64_t{0},
      ~std::uint64_t{0}};
};

struct PasidDeviceTlbDescriptor {
  using MIP = WideField<8, 4>;
  using PFSID_LOW = WideField<15, 12>;
  using SID = WideField<31, 16>;
  using PASID = WideField<51, 32>;
  using PFSID_HIGH = WideField<63, 52>;
  using GI = WideBit<64>;
  using S = WideBit<75>;
  using ADDR = WideField<127, 76>;
  static constexpr InvalidationDescriptor kReserved = {0, mask_between(10, 1), ~std::uint64_t{0},
                                                       ~std::uint64_t{0}};
};

// Response codes of a page group, as sent to the device. SPEC: [PRI 7]
enum class PageResponseCode : std::uint8_t { kSuccess = 0, kInvalidRequest = 1, kResponseFailure = 0xF };

struct PageGroupResponseDescriptor {
  using PP = WideBit<4>;
  using RC = WideField<15, 12>;
  using RID = WideField<31, 16>;
  using PASID = WideField<51, 32>;
  using PRGI = WideField<75, 67>;
  static constexpr InvalidationDescriptor kReserved = {mask_between(63, 52) | mask_between(8, 5),
                                                       mask_between(63, 12) | mask_between(1, 0),
                                                       ~std::uint64_t{0}, ~std::uint64_t{0}};
};

constexpr bool has_reserved_bits(const InvalidationDescriptor& d, const InvalidationDescriptor& reserved) {
  return ((d[0] & reserved[0]) | (d[1] & reserved[1]) | (d[2] & reserved[2]) | (d[3] & reserved[3])) != 0;
}

// Builders. Domain, requester and address are ignored by hardware where the granularity does not
// use them; `am` is the order of the range in pages, whose low address bits are ignored.

constexpr InvalidationDescriptor make_context_cache(ContextGranularity granularity, DomainId did = {},
                                                    RequesterId sid = {}, unsigned function_mask = 0) {
  InvalidationDescriptor d = make_invalidation(InvalidationType::kContextCache);
  ContextCacheDescriptor::G::set(d, static_cast<std::uint64_t>(granularity));
  ContextCacheDescriptor::DID::set(d, did.value());
  ContextCacheDescriptor::SID::set(d, sid.value());
  ContextCacheDescriptor::FM::set(d, function_mask);
  return d;
}

constexpr InvalidationDescriptor make_iotlb(IotlbGranularity granularity, DomainId did, Addr address,
                                            unsigned am, bool leaf_only) {
  InvalidationDescriptor d = make_invalidation(InvalidationType::kIotlb);
  IotlbDescriptor::G::set(d, static_cast<std::uint64_t>(granularity));
  IotlbDescriptor::DW::set(d, 1);
  IotlbDescriptor::DR::set(d, 1);
  IotlbDescriptor::DID::set(d, did.value());
  IotlbDescriptor::AM::set(d, am);
  IotlbDescriptor::IH::set(d, leaf_only);
  IotlbDescriptor::ADDR::set_in_place(d, address);
  return d;
}
constexpr InvalidationDescriptor make_iotlb_global() {
  return make_iotlb(IotlbGranularity::kGlobal, {}, 0, 0, false);
}
constexpr InvalidationDescriptor make_iotlb_domain(DomainId did) {
  return make_iotlb(IotlbGranularity::kDomain, did, 0, 0, false);
}
// leaf_only is IH: no table was removed, so paging-structure caches may keep their entries.
constexpr InvalidationDescriptor make_iotlb_page(DomainId did, Addr address, unsigned am,
                                                 bool leaf_only = false) {
  return make_iotlb(IotlbGranularity::kPage, did, address, am, leaf_only);
}

constexpr InvalidationDescriptor make_pasid_iotlb(PasidIotlbGranularity granularity, DomainId did,
                                                  Pasid pasid, Addr address, unsigned am, bool leaf_only) {
  InvalidationDescriptor d = make_invalidation(InvalidationType::kPasidIotlb);
  PasidIotlbDescriptor::G::set(d, static_cast<std::uint64_t>(granularity));
  PasidIotlbDescriptor::DID::set(d, did.value());
  PasidIotlbDescriptor::PASID::set(d, pasid.value());
  PasidIotlbDescriptor::AM::set(d, am);
  PasidIotlbDescriptor::IH::set(d, leaf_only);
  PasidIotlbDescriptor::ADDR::set_in_place(d, address);
  return d;
}
constexpr InvalidationDescriptor make_pasid_iotlb_pasid(DomainId did, Pasid pasid) {
  return make_pasid_iotlb(PasidIotlbGranularity::kPasid, did, pasid, 0, 0, false);
}
constexpr InvalidationDescriptor make_pasid_iotlb_page(DomainId did, Pasid pasid, Addr address, unsigned am,
                                                       bool leaf_only = false) {
  return make_pasid_iotlb(PasidIotlbGranularity::kPage, did, pasid, address, am, leaf_only);
}

constexpr InvalidationDescriptor make_pasid_cache(PasidCacheGranularity granularity, DomainId did = {},
                                                  Pasid pasid = {}) {
  InvalidationDescriptor d = make_invalidation(InvalidationType::kPasidCache);
  PasidCacheDescriptor::G::set(d, static_cast<std::uint64_t>(granularity));
  PasidCacheDescriptor::DID::set(d, did.value());
  PasidCacheDescriptor::PASID::set(d, pasid.value());
  return d;
}

// `range` is the address field with the size encoded as in an ATS invalidate request
// (ats_messages.h: encode_range); `size_bit` its S.
constexpr InvalidationDescriptor make_device_tlb(RequesterId sid, Addr range, bool size_bit,
                                                 unsigned max_pending) {
  InvalidationDescriptor d = make_invalidation(InvalidationType::kDeviceTlb);
  DeviceTlbDescriptor::SID::set(d, sid.value());
  DeviceTlbDescriptor::PFSID_LOW::set(d, sid.value() & 0xFU);
  DeviceTlbDescriptor::PFSID_HIGH::set(d, sid.value() >> 4U);
  DeviceTlbDescriptor::MIP::set(d, max_pending);
  DeviceTlbDescriptor::S::set(d, size_bit);
  DeviceTlbDescriptor::ADDR::set_in_place(d, range);
  return d;
}

constexpr InvalidationDescriptor make_pasid_device_tlb(RequesterId sid, Pasid pasid, Addr range,
                                                       bool size_bit, unsigned max_pending,
                                                       bool global = false) {
  InvalidationDescriptor d = make_invalidation(InvalidationType::kPasidDeviceTlb);
  PasidDeviceTlbDescriptor::SID::set(d, sid.value());
  PasidDeviceTlbDescriptor::PFSID_LOW::set(d, sid.value() & 0xFU);
  PasidDeviceTlbDescriptor::PFSID_HIGH::set(d, sid.value() >> 4U);
  PasidDeviceTlbDescriptor::PASID::set(d, pasid.value());
  PasidDeviceTlbDescriptor::MIP::set(d, max_pending);
  PasidDeviceTlbDescriptor::GI::set(d, global);
  PasidDeviceTlbDescriptor::S::set(d, size_bit);
  PasidDeviceTlbDescriptor::ADDR::set_in_place(d, range);
  return d;
}

constexpr InvalidationDescriptor make_interrupt_entry_cache(InterruptGranularity granularity,
                                                            unsigned index = 0, unsigned index_mask = 0) {
  InvalidationDescriptor d = make_invalidation(InvalidationType::kInterruptEntryCache);
  InterruptEntryDescriptor::G::set(d, static_cast<std::uint64_t>(granularity));
  InterruptEntryDescriptor::IIDX::set(d, index);
  InterruptEntryDescriptor::IM::set(d, index_mask);
  return d;
}

// Writes `data` to `address` (4-byte aligned) when everything before it is done.
constexpr InvalidationDescriptor make_wait_status(Addr address, std::uint32_t data) {
  InvalidationDescriptor d = make_invalidation(InvalidationType::kWait);
  WaitDescriptor::SW::set(d, 1);
  WaitDescriptor::STATUS_DATA::set(d, data);
  WaitDescriptor::STATUS_ADDR::set_in_place(d, address);
  return d;
}
constexpr InvalidationDescriptor make_wait_interrupt() {
  InvalidationDescriptor d = make_invalidation(InvalidationType::kWait);
  WaitDescriptor::IF::set(d, 1);
  return d;
}
// Blocks the descriptors behind it until everything before it is done.
constexpr InvalidationDescriptor make_wait_fence() {
  InvalidationDescriptor d = make_invalidation(InvalidationType::kWait);
  WaitDescriptor::FN::set(d, 1);
  return d;
}
// As make_wait_status, but not before all page requests received earlier are in the page request queue.
constexpr InvalidationDescriptor make_wait_drain(Addr address, std::uint32_t data) {
  InvalidationDescriptor d = make_wait_status(address, data);
  WaitDescriptor::PD::set(d, 1);
  return d;
}

constexpr InvalidationDescriptor make_page_group_response(RequesterId rid, bool has_pasid, Pasid pasid,
                                                          unsigned prg_index, PageResponseCode code) {
  InvalidationDescriptor d = make_invalidation(InvalidationType::kPageGroupResponse);
  PageGroupResponseDescriptor::PP::set(d, has_pasid);
  PageGroupResponseDescriptor::RC::set(d, static_cast<std::uint64_t>(code));
  PageGroupResponseDescriptor::RID::set(d, rid.value());
  PageGroupResponseDescriptor::PASID::set(d, has_pasid ? pasid.value() : 0);
  PageGroupResponseDescriptor::PRGI::set(d, prg_index);
  return d;
}

}  // namespace svasim
