#include "models/iommu/structure_fetch.h"

#include <algorithm>

#include "base/check.h"

namespace svasim {

namespace {

using State = StructureFetch::State;

template <std::size_t N>
bool any_set(const StructureFetch::Buffer& data, const Words<N>& mask) {
  std::uint64_t set = 0;
  for (std::size_t i = 0; i < N; ++i) {
    set |= data[i] & mask[i];
  }
  return set != 0;
}

}  // namespace

State StructureFetch::read(Entry entry, Addr address, std::size_t bytes) {
  entry_ = entry;
  address_ = address;
  bytes_ = static_cast<unsigned>(bytes);
  return State::kRead;
}

State StructureFetch::fail(FaultReason reason) {
  fault_ = reason;
  return State::kFault;
}

FaultPlace StructureFetch::place() const {
  using Structure = FaultPlace::Structure;
  switch (entry_) {
    case Entry::kLegacyRoot:
    case Entry::kScalableRoot:
      return {Structure::kRootEntry, address_};
    case Entry::kLegacyContext:
    case Entry::kScalableContext:
      return {Structure::kContextEntry, address_};
    case Entry::kPasidDirectory:
      return {Structure::kPasidDirectoryEntry, address_};
    case Entry::kPasidTable:
      break;
  }
  return {Structure::kPasidTableEntry, address_};
}

State StructureFetch::start_context(const RootPointer& root, RequesterId requester, std::uint64_t born) {
  requester_ = requester;
  born_ = born;
  quiet_ = false;
  return root.mode == TranslationMode::kLegacy
             ? read(Entry::kLegacyRoot, LegacyRootEntry::address(root.table, requester),
                    LegacyRootEntry::kBytes)
             : read(Entry::kScalableRoot, ScalableRootEntry::address(root.table, requester),
                    ScalableRootEntry::kBytes);
}

State StructureFetch::start_pasid(const ContextEntry& context, Pasid pasid, std::uint64_t born) {
  context_ = context;
  born_ = born;
  pasid_ = pasid;
  quiet_ = context.quiet;
  return read(Entry::kPasidDirectory, PasidDirectoryEntry::address(context.directory, pasid),
              PasidDirectoryEntry::kBytes);
}

State StructureFetch::step(const Capabilities& capabilities, const Buffer& data, bool ok) {
  switch (entry_) {
    case Entry::kLegacyRoot:
      return ok ? legacy_root(capabilities, data) : fail(FaultReason::kLegacyRootAccess);
    case Entry::kLegacyContext:
      return ok ? legacy_context(capabilities, data) : fail(FaultReason::kLegacyContextAccess);
    case Entry::kScalableRoot:
      return ok ? scalable_root(capabilities, data) : fail(FaultReason::kRootAccess);
    case Entry::kScalableContext:
      return ok ? scalable_context(capabilities, data) : fail(FaultReason::kContextAccess);
    case Entry::kPasidDirectory:
      return ok ? pasid_directory(capabilities, data) : fail(FaultReason::kDirectoryAccess);
    case Entry::kPasidTable:
      return ok ? pasid_table(capabilities, data) : fail(FaultReason::kPasidEntryAccess);
  }
  SVASIM_CHECK(false, "no such entry");
  return State::kFault;
}

State StructureFetch::legacy_root(const Capabilities& capabilities, const Buffer& data) {
  using E = LegacyRootEntry;
  if (E::P::get(data) == 0) {
    return fail(FaultReason::kLegacyRootNotPresent);
  }
  if (any_set(data, E::kReserved) || (E::CTP::in_place(data) & capabilities.beyond_host_width()) != 0) {
    return fail(FaultReason::kLegacyRootReserved);
  }
  return read(Entry::kLegacyContext, LegacyContextEntry::address(E::CTP::in_place(data), requester_),
              LegacyContextEntry::kBytes);
}

State StructureFetch::legacy_context(const Capabilities& capabilities, const Buffer& data) {
  using E = LegacyContextEntry;
  quiet_ = E::FPD::get(data) != 0;
  if (E::P::get(data) == 0) {
    return fail(FaultReason::kLegacyContextNotPresent);
  }
  if (any_set(data, E::kReserved)) {
    return fail(FaultReason::kLegacyContextReserved);
  }
  const auto type = static_cast<TranslationType>(E::TT::get(data));
  const IommuCapabilityParams& offered = capabilities.params();
  const bool pass_through = type == TranslationType::kPassThrough;
  if (type == TranslationType::kReserved || (type == TranslationType::kWithAts && !offered.device_tlb) ||
      (pass_through && !offered.pass_through)) {
    return fail(FaultReason::kLegacyContextInvalid);
  }
  AddressSpace space;
  space.legacy = true;
  space.quiet = quiet_;
  space.did = DomainId(static_cast<std::uint16_t>(E::DID::get(data)));
  space.walk_snoop = offered.coherent_walks;
  if (pass_through) {
    // SPEC: [VTD 9.3] AW must be the largest width offered; SSPTPTR is ignored.
    if (address_width_levels(E::AW::get(data)) != capabilities.most_second_stage_levels()) {
      return fail(FaultReason::kLegacyContextInvalid);
    }
    space.kind = SpaceKind::kPassThrough;
    space.input_bits = static_cast<std::uint8_t>(offered.host_address_width);
  } else {
    space.kind = SpaceKind::kSecondStage;
    space.format = capabilities.second_stage(address_width_levels(E::AW::get(data)), false);
    space.root = E::SSPTPTR::in_place(data);
    if (space.format == nullptr) {
      return fail(FaultReason::kLegacyContextInvalid);
    }
    if ((space.root & capabilities.beyond_host_width()) != 0) {
      return fail(FaultReason::kLegacyContextReserved);
    }
    space.input_bits = capabilities.second_stage_bits(*space.format);
  }
  space.tag = SpaceTag(space.kind, space.did, Pasid());
  context_ = ContextEntry();
  context_.legacy = true;
  context_.quiet = quiet_;
  context_.device_tlb = type == TranslationType::kWithAts;
  space.born = born_;
  context_.born = born_;
  context_.space = space;
  context_.entry = context_.space.entry = address_;
  return State::kDone;
}

State StructureFetch::scalable_root(const Capabilities& capabilities, const Buffer& data) {
  using E = ScalableRootEntry;
  const std::uint64_t half = data[E::half(requester_)];
  if ((half & 1) == 0) {
    return fail(FaultReason::kRootNotPresent);
  }
  const Addr table = half & mask_between(63, 12);
  if ((half & E::kReservedInHalf) != 0 || (table & capabilities.beyond_host_width()) != 0) {
    return fail(FaultReason::kRootReserved);
  }
  return read(Entry::kScalableContext, ScalableContextEntry::address(table, requester_),
              ScalableContextEntry::kBytes);
}

State StructureFetch::scalable_context(const Capabilities& capabilities, const Buffer& data) {
  using E = ScalableContextEntry;
  const IommuCapabilityParams& offered = capabilities.params();
  quiet_ = E::FPD::get(data) != 0;
  if (E::P::get(data) == 0) {
    return fail(FaultReason::kContextNotPresent);
  }
  // HPTE and EPTR need capabilities that are not offered.
  const Addr directory = E::PASIDDIRPTR::in_place(data);
  if (any_set(data, E::kReserved) || E::HPTE::get(data) != 0 || E::EPTR::get(data) != 0 ||
      (directory & capabilities.beyond_host_width()) != 0 ||
      (E::RID_PRIV::get(data) != 0 && !offered.supervisor_requests) ||
      (E::DTE::get(data) != 0 && !offered.device_tlb) || (E::PRE::get(data) != 0 && !offered.page_requests)) {
    return fail(FaultReason::kContextReserved);
  }
  ContextEntry context;
  context.quiet = quiet_;
  context.device_tlb = E::DTE::get(data) != 0;
  context.pasid_enable = E::PASIDE::get(data) != 0;
  context.page_requests = E::PRE::get(data) != 0;
  context.rid_privileged = E::RID_PRIV::get(data) != 0;
  context.rid_pasid = Pasid(static_cast<std::uint32_t>(E::RID_PASID::get(data)));
  context.pasid_limit = E::directory_entries(E::PDTS::get(data)) * 64;
  context.directory = directory;
  context.entry = address_;
  if ((context.page_requests && !context.device_tlb) || context.rid_pasid.value() >= context.pasid_limit) {
    return fail(FaultReason::kContextInvalid);
  }
  context.born = born_;
  context_ = context;
  return State::kDone;
}

State StructureFetch::pasid_directory(const Capabilities& capabilities, const Buffer& data) {
  using E = PasidDirectoryEntry;
  quiet_ = quiet_ || E::FPD::get(data[0]) != 0;
  if (E::P::get(data[0]) == 0) {
    return fail(FaultReason::kDirectoryNotPresent);
  }
  const Addr table = E::SMPTBLPTR::in_place(data[0]);
  if ((data[0] & E::kReserved) != 0 || (table & capabilities.beyond_host_width()) != 0) {
    return fail(FaultReason::kDirectoryReserved);
  }
  return read(Entry::kPasidTable, PasidTableEntry::address(table, pasid_), PasidTableEntry::kBytes);
}

State StructureFetch::pasid_table(const Capabilities& capabilities, const Buffer& data) {
  using E = PasidTableEntry;
  const IommuCapabilityParams& offered = capabilities.params();
  quiet_ = quiet_ || E::FPD::get(data) != 0;
  if (E::P::get(data) == 0) {
    return fail(FaultReason::kPasidEntryNotPresent);
  }
  using Type = PasidGranularTranslation;
  const auto type = static_cast<Type>(E::PGTT::get(data));
  const bool nested = type == Type::kNested;
  const bool first = type == Type::kFirstStage || nested;
  const bool second = type == Type::kSecondStage || nested;
  const std::uint64_t beyond = capabilities.beyond_host_width();
  // Reserved by missing capabilities: memory types and host permission tables never, others as offered.
  const bool reserved = any_set(data, E::kReserved) || E::CD::get(data) != 0 || E::EMTE::get(data) != 0 ||
                        E::PAT::get(data) != 0 || (data[4] | data[5]) != 0 ||
                        (E::PWSNP::get(data) != 0 && !offered.coherent_walks) ||
                        (E::PGSNP::get(data) != 0 && !offered.snoop_control) ||
                        (E::SRE::get(data) != 0 && !offered.supervisor_requests) ||
                        (E::EAFE::get(data) != 0 && !offered.extended_accessed) ||
                        (E::SSADE::get(data) != 0 && !offered.second_stage_ad) ||
                        (type == Type::kFirstStage && (E::FSPTPTR::in_place(data) & beyond) != 0) ||
                        (second && (E::SSPTPTR::in_place(data) & beyond) != 0);
  if (reserved) {
    return fail(FaultReason::kPasidEntryReserved);
  }
  AddressSpace space;
  space.quiet = quiet_;
  space.did = DomainId(static_cast<std::uint16_t>(E::DID::get(data)));
  space.page_snoop = E::PGSNP::get(data) != 0;
  space.walk_snoop = E::PWSNP::get(data) != 0;
  space.supervisor = E::SRE::get(data) != 0;
  if (!capabilities.translates(type)) {
    return fail(FaultReason::kPasidEntryInvalid);
  }
  const PageTableFormat* second_format = nullptr;
  if (second) {
    space.kind = SpaceKind::kSecondStage;
    space.update_ad = E::SSADE::get(data) != 0;
    second_format = capabilities.second_stage(address_width_levels(E::AW::get(data)), space.update_ad);
    if (second_format == nullptr) {
      return fail(FaultReason::kPasidEntryInvalid);
    }
    space.format = second_format;
    space.root = E::SSPTPTR::in_place(data);
    space.input_bits = capabilities.second_stage_bits(*second_format);
  }
  if (nested) {
    space.second_format = second_format;
    space.second_root = space.root;
    space.second_input_bits = space.input_bits;
    space.second_update_ad = space.update_ad;
    // SPEC: [VTD 7.1.3 SPT.4] a guest-physical address.
    if ((E::FSPTPTR::in_place(data) >> space.second_input_bits) != 0) {
      return fail(FaultReason::kPasidEntryInvalid);
    }
  }
  if (first) {
    space.kind = nested ? SpaceKind::kNested : SpaceKind::kFirstStage;
    space.write_protect = E::WPE::get(data) != 0;
    space.update_ad = true;
    space.format = capabilities.first_stage(E::FSPM::get(data), E::EAFE::get(data) != 0);
    if (space.format == nullptr) {
      return fail(FaultReason::kPasidEntryInvalid);
    }
    space.root = E::FSPTPTR::in_place(data);
    space.input_bits = space.format->input_bits;
  }
  if (type == Type::kPassThrough) {
    space.input_bits = static_cast<std::uint8_t>(offered.host_address_width);
  }
  space.tag = SpaceTag(space.kind, space.did, pasid_);
  space.entry = address_;
  space.born = born_;
  space_ = space;
  return State::kDone;
}

}  // namespace svasim
