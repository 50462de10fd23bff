#include "models/iommu/invalidation_operation.h"

#include "models/formats/ats_messages.h"

namespace svasim {

namespace {

using Kind = InvalidationOperation::Kind;
using Error = InvalidationQueueError;
using Result = std::optional<Error>;

RequesterId requester(std::uint64_t value) { return RequesterId(static_cast<std::uint16_t>(value)); }
DomainId domain(std::uint64_t value) { return DomainId(static_cast<std::uint16_t>(value)); }
Pasid pasid(std::uint64_t value) { return Pasid(static_cast<std::uint32_t>(value)); }

Result context_cache(const InvalidationDescriptor& d, bool scalable, InvalidationOperation& op) {
  using D = ContextCacheDescriptor;
  // FM: function bits that are not compared. SPEC: [VTD 6.5.2.1]
  static constexpr std::uint16_t kFunctionMasks[] = {0, 4, 6, 7};
  op.did = domain(D::DID::get(d));
  op.requester = requester(D::SID::get(d));
  op.requester_mask = kFunctionMasks[D::FM::get(d)];
  switch (static_cast<ContextGranularity>(D::G::get(d))) {
    case ContextGranularity::kGlobal:
      op.kind = Kind::kContextGlobal;
      return {};
    case ContextGranularity::kDomain:
      // SPEC: scalable-mode context entries have no domain.
      op.kind = scalable ? Kind::kContextGlobal : Kind::kContextDomain;
      return {};
    case ContextGranularity::kDevice:
      op.kind = Kind::kContextDevice;
      return {};
  }
  return Error::kReservedField;
}

Result iotlb(const InvalidationDescriptor& d, unsigned max_address_mask, InvalidationOperation& op) {
  using D = IotlbDescriptor;
  op.kind = Kind::kTranslations;
  op.scope.did = domain(D::DID::get(d));
  op.drain_reads = D::DR::get(d) != 0;
  op.drain_writes = D::DW::get(d) != 0;
  switch (static_cast<IotlbGranularity>(D::G::get(d))) {
    case IotlbGranularity::kGlobal:
      op.scope.kind = InvalidationScope::Kind::kGlobal;
      return {};
    case IotlbGranularity::kDomain:
      op.scope.kind = InvalidationScope::Kind::kDomain;
      return {};
    case IotlbGranularity::kPage:
      if (D::AM::get(d) > max_address_mask) {
        return Error::kReservedField;
      }
      op.scope.kind = InvalidationScope::Kind::kDomainPage;
      op.scope.address = D::ADDR::in_place(d);
      op.scope.shift = kPageShift + static_cast<unsigned>(D::AM::get(d));
      op.scope.leaf_only = D::IH::get(d) != 0;
      return {};
  }
  return Error::kReservedField;
}

Result pasid_iotlb(const InvalidationDescriptor& d, InvalidationOperation& op) {
  using D = PasidIotlbDescriptor;
  op.kind = Kind::kTranslations;
  op.scope.did = domain(D::DID::get(d));
  op.scope.pasid = pasid(D::PASID::get(d));
  op.drain_reads = true;  // SPEC: [VTD 6.5.2.4] always
  op.drain_writes = true;
  switch (static_cast<PasidIotlbGranularity>(D::G::get(d))) {
    case PasidIotlbGranularity::kPasid:
      op.scope.kind = InvalidationScope::Kind::kPasid;
      return {};
    case PasidIotlbGranularity::kPage:
      op.scope.kind = InvalidationScope::Kind::kPasidPage;
      op.scope.address = D::ADDR::in_place(d);
      op.scope.shift = kPageShift + static_cast<unsigned>(D::AM::get(d));
      op.scope.leaf_only = D::IH::get(d) != 0;
      return {};
  }
  return Error::kReservedField;
}

Result pasid_cache(const InvalidationDescriptor& d, InvalidationOperation& op) {
  using D = PasidCacheDescriptor;
  op.did = domain(D::DID::get(d));
  op.pasid = pasid(D::PASID::get(d));
  switch (static_cast<PasidCacheGranularity>(D::G::get(d))) {
    case PasidCacheGranularity::kDomain:
      op.kind = Kind::kPasidDomain;
      return {};
    case PasidCacheGranularity::kPasid:
      op.kind = Kind::kPasidSelective;
      return {};
    case PasidCacheGranularity::kGlobal:
      op.kind = Kind::kPasidGlobal;
      return {};
  }
  return Error::kReservedField;
}

Result device_tlb(const InvalidationDescriptor& d, InvalidationOperation& op) {
  using D = DeviceTlbDescriptor;
  op.kind = Kind::kDeviceTlb;
  op.requester = requester(D::SID::get(d));
  op.limited_by = requester((D::PFSID_HIGH::get(d) << 4U) | D::PFSID_LOW::get(d));
  op.max_pending = invalidate_queue_depth(static_cast<unsigned>(D::MIP::get(d)));
  op.body = InvalidateRequestBody::ADDR::in_place(d[1]) | InvalidateRequestBody::S::make(D::S::get(d));
  return {};
}

Result pasid_device_tlb(const InvalidationDescriptor& d, InvalidationOperation& op) {
  using D = PasidDeviceTlbDescriptor;
  op.kind = Kind::kDeviceTlb;
  op.requester = requester(D::SID::get(d));
  op.limited_by = requester((D::PFSID_HIGH::get(d) << 4U) | D::PFSID_LOW::get(d));
  op.max_pending = invalidate_queue_depth(static_cast<unsigned>(D::MIP::get(d)));
  op.has_pasid = true;
  op.pasid = pasid(D::PASID::get(d));
  op.body = InvalidateRequestBody::ADDR::in_place(d[1]) | InvalidateRequestBody::S::make(D::S::get(d)) |
            InvalidateRequestBody::G::make(D::GI::get(d));
  return {};
}

Result wait(const InvalidationDescriptor& d, InvalidationOperation& op) {
  using D = WaitDescriptor;
  op.kind = Kind::kWait;
  op.interrupt = D::IF::get(d) != 0;
  op.status_write = D::SW::get(d) != 0;
  op.fence = D::FN::get(d) != 0;
  op.page_drain = D::PD::get(d) != 0;
  op.status_data = static_cast<std::uint32_t>(D::STATUS_DATA::get(d));
  op.status_address = D::STATUS_ADDR::in_place(d);
  return {};
}

Result group_response(const InvalidationDescriptor& d, InvalidationOperation& op) {
  using D = PageGroupResponseDescriptor;
  op.kind = Kind::kGroupResponse;
  op.requester = requester(D::RID::get(d));
  op.has_pasid = D::PP::get(d) != 0;
  op.pasid = pasid(D::PASID::get(d));
  op.prg_index = static_cast<std::uint16_t>(D::PRGI::get(d));
  op.response_code = static_cast<std::uint8_t>(D::RC::get(d));
  return {};
}

}  // namespace

Result decode_invalidation(const InvalidationDescriptor& d, TranslationMode mode, bool wide,
                           unsigned max_address_mask, InvalidationOperation& op) {
  op = InvalidationOperation();
  const bool legacy = mode == TranslationMode::kLegacy;
  const auto checked = [&](const InvalidationDescriptor& reserved, auto decode) -> Result {
    return has_reserved_bits(d, reserved) ? Result(Error::kReservedField) : decode();
  };
  const auto scalable_only = [&](const InvalidationDescriptor& reserved, auto decode) -> Result {
    return legacy || !wide ? Result(Error::kInvalidType) : checked(reserved, decode);
  };
  switch (static_cast<InvalidationType>(invalidation_type(d))) {
    case InvalidationType::kContextCache:
      return checked(ContextCacheDescriptor::kReserved, [&] { return context_cache(d, !legacy, op); });
    case InvalidationType::kIotlb:
      return checked(IotlbDescriptor::kReserved, [&] { return iotlb(d, max_address_mask, op); });
    case InvalidationType::kDeviceTlb:
      return checked(DeviceTlbDescriptor::kReserved, [&] { return device_tlb(d, op); });
    case InvalidationType::kInterruptEntryCache:
      return checked(InterruptEntryDescriptor::kReserved, [&]() -> Result {
        op.kind = Kind::kInterruptEntries;
        return {};
      });
    case InvalidationType::kWait:
      return checked(WaitDescriptor::kReserved, [&] { return wait(d, op); });
    case InvalidationType::kPasidIotlb:
      return scalable_only(PasidIotlbDescriptor::kReserved, [&] { return pasid_iotlb(d, op); });
    case InvalidationType::kPasidCache:
      return scalable_only(PasidCacheDescriptor::kReserved, [&] { return pasid_cache(d, op); });
    case InvalidationType::kPasidDeviceTlb:
      return scalable_only(PasidDeviceTlbDescriptor::kReserved, [&] { return pasid_device_tlb(d, op); });
    case InvalidationType::kPageGroupResponse:
      return scalable_only(PageGroupResponseDescriptor::kReserved, [&] { return group_response(d, op); });
    case InvalidationType::kHostPermissionCache:
      break;  // Needs ECAP.HPTS, which is not offered.
  }
  return Error::kInvalidType;
}

}  // namespace svasim
