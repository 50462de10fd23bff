#include "models/reference/reference_context.h"

#include <algorithm>

#include "models/formats/vtd_registers.h"

namespace svasim {
namespace {

template <std::size_t N>
bool read_words(const MemoryView& memory, Addr address, Words<N>& words) {
  for (std::size_t i = 0; i < N; ++i) {
    if (!memory.read64(address + 8 * i, words[i])) return false;
  }
  return true;
}

// Bits of a word that no field covers.
template <typename... Fields>
constexpr std::uint64_t outside() {
  return ~(std::uint64_t{0} | ... | Fields::kMask);
}

// Pointers to host memory: bits from the host address width up are reserved.
bool beyond_host(const ReferenceRegisters& registers, Addr pointer) {
  return (pointer >> registers.host_address_width) != 0;
}

bool is_ats(RequestKind kind) {
  return kind == RequestKind::kTranslationRequest || kind == RequestKind::kTranslated;
}

std::uint64_t sagaw_bit(unsigned levels) {
  switch (levels) {
    case 3:
      return VtdCap::kSagaw3Level;
    case 4:
      return VtdCap::kSagaw4Level;
    case 5:
      return VtdCap::kSagaw5Level;
    default:
      return 0;
  }
}

bool supports_levels(const ReferenceRegisters& registers, unsigned levels) {
  return (VtdCap::SAGAW::get(registers.cap) & sagaw_bit(levels)) != 0;
}

unsigned guest_width(const ReferenceRegisters& registers, unsigned levels) {
  return std::min(static_cast<unsigned>(VtdCap::MGAW::get(registers.cap)) + 1, 12 + 9 * levels);
}

// SPEC: [VTD 3.4.1, 9.1, 9.3] requests in legacy mode.
FaultReason find_legacy(const MemoryView& memory, const ReferenceRegisters& registers,
                        const ReferenceRequest& request, ReferenceContext& context) {
  using E = LegacyContextEntry;
  // 1. Page requests and PASIDs belong to scalable mode.
  if (request.kind == RequestKind::kPageRequest) return FaultReason::kPageRequestInLegacyMode;
  if (request.has_pasid) return FaultReason::kPasidInLegacyMode;

  // 2. The root entry of the bus.
  Words<2> root{};
  const Addr root_table = VtdRtaddr::RTA::in_place(registers.rtaddr);
  if (!read_words(memory, root_table + request.requester.bus() * 16, root))
    return FaultReason::kLegacyRootAccess;
  if (LegacyRootEntry::P::get(root) == 0) return FaultReason::kLegacyRootNotPresent;
  if ((root[0] & outside<LegacyRootEntry::P, LegacyRootEntry::CTP>()) != 0 || root[1] != 0 ||
      beyond_host(registers, root[0])) {
    return FaultReason::kLegacyRootReserved;
  }

  // 3. The context entry of the device and function.
  Words<2> entry{};
  const Addr context_table = LegacyRootEntry::CTP::in_place(root);
  if (!read_words(memory, context_table + request.requester.devfn() * 16, entry)) {
    return FaultReason::kLegacyContextAccess;
  }
  context.fault_processing_disabled = E::FPD::get(entry) != 0;
  if (E::P::get(entry) == 0) return FaultReason::kLegacyContextNotPresent;
  if ((entry[0] & outside<E::P, E::FPD, E::TT, E::SSPTPTR>()) != 0 ||
      (entry[1] & outside<E::AW, E::IGNORED, E::DID>()) != 0) {
    return FaultReason::kLegacyContextReserved;
  }

  // 4. A width and a translation type this unit has.
  const auto type = static_cast<TranslationType>(E::TT::get(entry));
  const std::uint64_t aw = E::AW::get(entry);
  const unsigned levels = aw >= 1 && aw <= 3 ? static_cast<unsigned>(aw) + 2 : 0;
  if (!supports_levels(registers, levels)) return FaultReason::kLegacyContextInvalid;
  const bool type_exists = type == TranslationType::kUntranslatedOnly ||
                           (type == TranslationType::kWithAts && VtdEcap::DT::get(registers.ecap) != 0) ||
                           (type == TranslationType::kPassThrough && VtdEcap::PT::get(registers.ecap) != 0);
  if (!type_exists) return FaultReason::kLegacyContextInvalid;

  // SSPTPTR is ignored by pass-through.
  if (type != TranslationType::kPassThrough && beyond_host(registers, E::SSPTPTR::in_place(entry))) {
    return FaultReason::kLegacyContextReserved;
  }

  // 5. ATS only where the entry allows it.
  if (is_ats(request.kind) && type != TranslationType::kWithAts) return FaultReason::kLegacyAtsBlocked;

  context.passes_translated = request.kind == RequestKind::kTranslated;
  context.translation = type == TranslationType::kPassThrough ? PasidGranularTranslation::kPassThrough
                                                              : PasidGranularTranslation::kSecondStage;
  context.domain = DomainId(static_cast<std::uint16_t>(E::DID::get(entry)));
  context.second_stage_table = E::SSPTPTR::in_place(entry);
  context.second_stage_levels = levels;
  return FaultReason::kNone;
}

// SPEC: [VTD 9.4] the scalable-mode context entry; on success `directory` and `pasid` lead on.
FaultReason find_scalable_context(const MemoryView& memory, const ReferenceRegisters& registers,
                                  const ReferenceRequest& request, ReferenceContext& context,
                                  Addr& directory) {
  using E = ScalableContextEntry;
  const std::uint64_t ecap = registers.ecap;

  // 1. The root entry of the bus, its half by device number.
  Words<2> root{};
  const Addr root_table = VtdRtaddr::RTA::in_place(registers.rtaddr);
  if (!read_words(memory, root_table + request.requester.bus() * 16, root)) return FaultReason::kRootAccess;
  const std::uint64_t half = root[request.requester.devfn() < 128 ? 0 : 1];
  if ((half & ScalableRootEntry::LP::kMask) == 0) return FaultReason::kRootNotPresent;
  if ((half & outside<ScalableRootEntry::LP, ScalableRootEntry::LCTP>()) != 0 ||
      beyond_host(registers, half)) {
    return FaultReason::kRootReserved;
  }

  // 2. The context entry.
  Words<4> entry{};
  const Addr context_table = half & ScalableRootEntry::LCTP::kMask;
  if (!read_words(memory, context_table + (request.requester.devfn() % 128) * 32, entry)) {
    return FaultReason::kContextAccess;
  }
  context.fault_processing_disabled = E::FPD::get(entry) != 0;
  if (E::P::get(entry) == 0) return FaultReason::kContextNotPresent;

  // 3. Reserved bits, some of them by missing capabilities.
  std::uint64_t reserved0 =
      outside<E::P, E::FPD, E::DTE, E::PASIDE, E::PRE, E::HPTE, E::EPTR, E::PDTS, E::PASIDDIRPTR>();
  std::uint64_t reserved1 = outside<E::RID_PASID, E::RID_PRIV>();
  if (VtdEcap::DT::get(ecap) == 0) reserved0 |= E::DTE::kMask;
  if (VtdEcap::PASID::get(ecap) == 0) reserved0 |= E::PASIDE::kMask;
  if (VtdEcap::PRS::get(ecap) == 0) reserved0 |= E::PRE::kMask;
  if (VtdEcap::HPTS::get(ecap) == 0) reserved0 |= E::HPTE::kMask;
  if (VtdEcap::PTRS::get(ecap) == 0) reserved0 |= E::EPTR::kMask;
  if (VtdEcap::RPS::get(ecap) == 0) reserved1 |= E::RID_PASID::kMask;
  if (VtdEcap::RPRIVS::get(ecap) == 0) reserved1 |= E::RID_PRIV::kMask;
  if ((entry[0] & reserved0) != 0 || (entry[1] & reserved1) != 0 || entry[2] != 0 || entry[3] != 0 ||
      beyond_host(registers, entry[0])) {
    return FaultReason::kContextReserved;
  }

  // 4. Combinations that make no sense.
  const bool dte = E::DTE::get(entry) != 0;
  const bool paside = E::PASIDE::get(entry) != 0;
  const bool pre = E::PRE::get(entry) != 0;
  const bool eptr = E::EPTR::get(entry) != 0;
  const auto rid_pasid = static_cast<std::uint32_t>(E::RID_PASID::get(entry));
  const std::uint32_t first_uncovered = 64U << (E::PDTS::get(entry) + 7);
  if ((!dte && pre) || (eptr && !paside) || rid_pasid >= first_uncovered) return FaultReason::kContextInvalid;

  // 5. Whether this kind of request is allowed.
  if (is_ats(request.kind) && !dte) return FaultReason::kDeviceTlbDisabled;
  if (request.kind == RequestKind::kPageRequest && !pre) return FaultReason::kPageRequestDisabled;
  const bool translated = request.kind == RequestKind::kTranslated;
  if (request.has_pasid && !translated && !paside) return FaultReason::kPasidDisabled;

  // 6. The PASID: its width, the directory's size, and that it is not the one of plain requests. A
  // translated request must be allowed to carry one.
  if (request.has_pasid) {
    const auto width = static_cast<unsigned>(VtdEcap::PSS::get(ecap)) + 1;
    if ((request.pasid.value() >> width) != 0) return FaultReason::kPasidBeyondWidth;
    if (translated && !eptr) return FaultReason::kTranslatedWithPasid;
    if (request.pasid.value() >= first_uncovered) return FaultReason::kPasidBeyondDirectory;
    if (request.pasid.value() == rid_pasid) return FaultReason::kPasidIsRidPasid;
    context.pasid = request.pasid;
    context.privileged = request.privileged;
  } else {
    context.pasid = Pasid(rid_pasid);
    context.privileged = E::RID_PRIV::get(entry) != 0;
  }

  context.passes_translated = request.kind == RequestKind::kTranslated;
  directory = E::PASIDDIRPTR::in_place(entry);
  return FaultReason::kNone;
}

// Reserved bits of a PASID-table entry under these capabilities.
bool pasid_entry_reserved(const Words<8>& entry, const ReferenceRegisters& registers) {
  using E = PasidTableEntry;
  const std::uint64_t ecap = registers.ecap;
  Words<8> reserved = {outside<E::P, E::FPD, E::AW, E::PGTT, E::SSADE, E::SSPTPTR>(),
                       outside<E::DID, E::PWSNP, E::PGSNP, E::CD, E::EMTE, E::PAT>(),
                       // Bits 134:133 are ignored.
                       outside<E::SRE, E::FSPM, E::WPE, WideField<134, 133>, E::EAFE, E::FSPTPTR>(),
                       ~std::uint64_t{0}, ~std::uint64_t{0}, ~std::uint64_t{0}, ~std::uint64_t{0},
                       ~std::uint64_t{0}};
  if (VtdEcap::SSADS::get(ecap) == 0) reserved[0] |= E::SSADE::kMask;
  if (VtdEcap::SMPWCS::get(ecap) == 0) reserved[1] |= E::PWSNP::kMask;
  if (VtdEcap::SC::get(ecap) == 0) reserved[1] |= E::PGSNP::kMask;
  if (VtdEcap::MTS::get(ecap) == 0) reserved[1] |= E::CD::kMask | E::EMTE::kMask | E::PAT::kMask;
  if (VtdEcap::SRS::get(ecap) == 0) reserved[2] |= E::SRE::kMask;
  if (VtdEcap::EAFS::get(ecap) == 0) reserved[2] |= E::EAFE::kMask;
  if (VtdEcap::HPTS::get(ecap) != 0) {
    const unsigned haw = registers.host_address_width;
    reserved[4] = outside<E::HPTSZ, E::HPTPFD>() & ~mask_between(haw - 1, 12);
    reserved[5] = outside<E::HPTDID>();
  }
  std::uint64_t violation = 0;
  for (std::size_t i = 0; i < 8; ++i) violation |= entry[i] & reserved[i];
  return violation != 0;
}

// SPEC: [VTD 9.5, 9.6] PASID directory and PASID table.
FaultReason find_pasid_entry(const MemoryView& memory, const ReferenceRegisters& registers,
                             const ReferenceRequest& request, Addr directory, ReferenceContext& context) {
  using E = PasidTableEntry;
  const std::uint64_t ecap = registers.ecap;

  // 1. The directory entry.
  std::uint64_t directory_entry = 0;
  if (!memory.read64(directory + (context.pasid.value() / 64) * 8, directory_entry)) {
    return FaultReason::kDirectoryAccess;
  }
  if (PasidDirectoryEntry::FPD::get(directory_entry) != 0) context.fault_processing_disabled = true;
  if (PasidDirectoryEntry::P::get(directory_entry) == 0) return FaultReason::kDirectoryNotPresent;
  using D = PasidDirectoryEntry;
  if ((directory_entry & outside<D::P, D::FPD, D::SMPTBLPTR>()) != 0 ||
      beyond_host(registers, directory_entry)) {
    return FaultReason::kDirectoryReserved;
  }

  // 2. The table entry.
  Words<8> entry{};
  const Addr table = D::SMPTBLPTR::in_place(directory_entry);
  if (!read_words(memory, table + (context.pasid.value() % 64) * 64, entry))
    return FaultReason::kPasidEntryAccess;
  if (E::FPD::get(entry) != 0) context.fault_processing_disabled = true;
  if (E::P::get(entry) == 0) return FaultReason::kPasidEntryNotPresent;
  if (pasid_entry_reserved(entry, registers)) return FaultReason::kPasidEntryReserved;

  // 3. A translation type this unit has.
  const std::uint64_t pgtt = E::PGTT::get(entry);
  context.translation = static_cast<PasidGranularTranslation>(pgtt);
  bool first = false;
  bool second = false;
  switch (context.translation) {
    case PasidGranularTranslation::kFirstStage:
      first = true;
      if (VtdEcap::FSTS::get(ecap) == 0) return FaultReason::kPasidEntryInvalid;
      break;
    case PasidGranularTranslation::kSecondStage:
      second = true;
      if (VtdEcap::SSTS::get(ecap) == 0) return FaultReason::kPasidEntryInvalid;
      break;
    case PasidGranularTranslation::kNested:
      first = second = true;
      if (VtdEcap::NEST::get(ecap) == 0) return FaultReason::kPasidEntryInvalid;
      break;
    case PasidGranularTranslation::kPassThrough:
      if (VtdEcap::PT::get(ecap) == 0) return FaultReason::kPasidEntryInvalid;
      break;
    default:
      return FaultReason::kPasidEntryInvalid;
  }

  // 4. Fields of the stages in use; those of the other stage are ignored. Reserved address bits come first.
  if (second && beyond_host(registers, E::SSPTPTR::in_place(entry))) return FaultReason::kPasidEntryReserved;
  if (first && !second && beyond_host(registers, E::FSPTPTR::in_place(entry))) {
    return FaultReason::kPasidEntryReserved;
  }
  if (second) {
    const std::uint64_t aw = E::AW::get(entry);
    const unsigned levels = aw >= 1 && aw <= 3 ? static_cast<unsigned>(aw) + 2 : 0;
    if (!supports_levels(registers, levels)) return FaultReason::kPasidEntryInvalid;
    context.second_stage_levels = levels;
    context.second_stage_table = E::SSPTPTR::in_place(entry);
    context.second_stage_accessed_dirty = E::SSADE::get(entry) != 0;
  }
  if (first) {
    const std::uint64_t mode = E::FSPM::get(entry);
    const bool five = mode == static_cast<std::uint64_t>(FirstStageMode::k5Level);
    if (mode > 1 || (five && VtdCap::FS5LP::get(registers.cap) == 0)) return FaultReason::kPasidEntryInvalid;
    context.first_stage_levels = five ? 5 : 4;
    context.first_stage_table = E::FSPTPTR::in_place(entry);
    context.write_protect = E::WPE::get(entry) != 0;
    context.extended_accessed = E::EAFE::get(entry) != 0;
    // A guest address when nested.
    if (second && (context.first_stage_table >> guest_width(registers, context.second_stage_levels)) != 0) {
      return FaultReason::kPasidEntryInvalid;
    }
  }
  context.domain = DomainId(static_cast<std::uint16_t>(E::DID::get(entry)));
  context.walk_snooped = E::PWSNP::get(entry) != 0;
  context.page_snoop = E::PGSNP::get(entry) != 0;

  // 5. What the request may ask for. Page requests are judged by software.
  if (request.kind != RequestKind::kPageRequest) {
    if (request.has_pasid && request.execute && registers.major_version < 8) {
      return FaultReason::kPasidExecuteRequested;
    }
    if (first && context.privileged && E::SRE::get(entry) == 0) return FaultReason::kSupervisorDisabled;
  }
  return FaultReason::kNone;
}

}  // namespace

ReferenceContext find_context(const MemoryView& memory, const ReferenceRegisters& registers,
                              const ReferenceRequest& request) {
  ReferenceContext context;
  const auto mode = static_cast<TranslationMode>(VtdRtaddr::TTM::get(registers.rtaddr));
  const std::uint64_t ecap = registers.ecap;
  // SSIRWE reads as zero in a unit that does not have it.
  context.internal_rights = VtdEcap::SSIRWS::get(ecap) != 0 && VtdRtaddr::SSIRWE::get(registers.rtaddr) != 0;

  // SPEC: [VTD 7.1.2] the mode comes first.
  const bool mode_exists = (mode == TranslationMode::kLegacy && !context.internal_rights) ||
                           (mode == TranslationMode::kScalable && VtdEcap::SMTS::get(ecap) != 0) ||
                           (mode == TranslationMode::kAbortDma && VtdEcap::ADMS::get(ecap) != 0);
  if (!mode_exists) {
    context.fault = FaultReason::kTranslationModeInvalid;
    return context;
  }
  if (mode == TranslationMode::kAbortDma) {
    context.fault = FaultReason::kAbortDma;
    return context;
  }
  if (request.has_pasid && request.execute && registers.major_version >= 8 &&
      request.kind != RequestKind::kPageRequest) {
    context.fault = FaultReason::kExecuteRequested;
    return context;
  }
  if (mode == TranslationMode::kLegacy) {
    context.legacy = true;
    context.fault = find_legacy(memory, registers, request, context);
    return context;
  }
  Addr directory = 0;
  context.fault = find_scalable_context(memory, registers, request, context, directory);
  // A translated request needs no table: its address is a host address already.
  if (context.fault == FaultReason::kNone && !context.passes_translated) {
    context.fault = find_pasid_entry(memory, registers, request, directory, context);
  }
  return context;
}

}  // namespace svasim
