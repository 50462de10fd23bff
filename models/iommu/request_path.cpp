// Decisions about requests, common to both timing modes.
#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "models/formats/ats_messages.h"
#include "models/formats/vtd_page_request.h"
#include "models/iommu/iommu.h"
#include "tlm/translation_entry.h"

namespace svasim {

void Iommu::prepare(Request& r, Transaction& payload, unsigned link) {
  const PcieExtension& pcie = payload.pcie;
  r.payload = &payload;
  r.number = next_number_++;
  r.iova = payload.get_address();
  r.last = r.iova + payload.get_data_length() - 1;
  r.requester = pcie.requester;
  r.pasid = pcie.pasid;
  r.has_pasid = pcie.has_pasid;
  r.execute = pcie.has_pasid && pcie.execute;
  r.access = {payload.is_read(), payload.is_write(), pcie.has_pasid && pcie.privileged};
  r.state = RequestState::kLookup;
  r.port = static_cast<std::uint8_t>(link);
  r.device = device_of(pcie.requester, link);
  r.has_context = false;
  r.no_fill = false;
  r.space = nullptr;
  r.fault = FaultReason::kNone;
  r.quiet = false;
  r.crosses = false;
  r.found = false;
  r.hit = false;
  r.snoop = false;
  r.shift = 0;
  r.entries = 0;
  r.in_write_order = false;
  switch (pcie.kind) {
    case TlpKind::kPageRequest:
      r.kind = RequestKind::kPageRequest;
      r.iova = r.last = PageRequestBody::ADDR::in_place(pcie.body);
      r.access.read = PageRequestBody::R::get(pcie.body) != 0;
      r.access.write = PageRequestBody::W::get(pcie.body) != 0;
      stats_.page_requests.add();
      return;
    case TlpKind::kTranslationRequest:
      r.kind = RequestKind::kTranslationRequest;
      r.last = r.iova;
      r.access.read = true;
      // SPEC: [VTD 4.2.3] a request without NW counts as a write.
      r.access.write = !pcie.no_write || !capabilities_.params().no_write_flag;
      stats_.translation_requests.add();
      if (params_.check_translated) {
        devices_[r.device].grants.asked(&payload, {r.has_pasid, r.pasid}, r.iova & ~(kPageSize - 1));
      }
      return;
    default:
      break;
  }
  if (pcie.at == AddressType::kTranslated) {
    r.kind = RequestKind::kTranslated;
    stats_.translated.add();
  } else {
    r.kind = RequestKind::kUntranslated;
    stats_.untranslated.add();
  }
}

Iommu::Action Iommu::process(Request& r) {
  if (!registers_.translation_enabled()) {
    // SPEC: [VTD 4.2.3] while translation is off, everything but untranslated requests is refused.
    return r.kind == RequestKind::kUntranslated ? pass(r) : reject(r);
  }
  const PcieExtension& pcie = r.payload->pcie;
  if (r.kind != RequestKind::kUntranslated) {
    if (!capabilities_.params().device_tlb) {
      return reject(r);
    }
    if (r.kind == RequestKind::kTranslationRequest) {
      // MODEL: refused rather than malformed.
      const unsigned length = r.payload->get_data_length();
      if (r.payload->is_write() || length == 0 || length % kTranslationEntryBytes != 0 ||
          length > kReadCompletionBoundary || r.payload->get_byte_enable_ptr() != nullptr) {
        return reject(r);
      }
    }
  } else if (pcie.at != AddressType::kUntranslated) {
    return reject(r);  // AT = 01 is for translation requests only, 11 is reserved
  } else if (!r.has_pasid && in_interrupt_range(r.iova)) {
    // MODEL: no interrupt remapping; the message goes to memory as it is. SPEC: [VTD 3.14]
    if (!r.is_write()) {
      return reject(r);
    }
    stats_.interrupts.add();
    return pass(r);
  }
  return resolve(r);
}

Iommu::Action Iommu::resolve(Request& r) {
  const Translator::Next next = translator_.resolve(r);
  if (next == Translator::Next::kFetchContext) {
    return Action::kFetchContext;
  }
  if (next == Translator::Next::kFetchPasid) {
    return Action::kFetchPasid;
  }
  if (r.fault != FaultReason::kNone) {
    return fault(r);
  }
  switch (r.kind) {
    case RequestKind::kTranslated: {
      const bool legacy = translator_.root().mode == TranslationMode::kLegacy;
      if ((r.iova & capabilities_.beyond_host_width()) != 0) {
        r.fail(legacy ? FaultReason::kLegacyAddressBeyondWidth : FaultReason::kHostAddressBeyondWidth, {});
        return fault(r);
      }
      if (in_interrupt_range(r.iova)) {
        r.fail(legacy ? FaultReason::kLegacyOutputInInterruptRange : FaultReason::kOutputInInterruptRange,
               {});
        return fault(r);
      }
      if (params_.check_translated && !legacy && !devices_[r.device].grants.allows(r.iova, r.is_write())) {
        stats_.translated_refused.add();
        r.fault = r.is_write() ? FaultReason::kHostPermissionNoWrite : FaultReason::kHostPermissionNoRead;
        return fault(r);
      }
      return pass(r);
    }
    case RequestKind::kPageRequest:
      implicit_invalidation(r);
      requested_pages_.remember(r);
      return Action::kPageRequest;
    case RequestKind::kTranslationRequest:
      if (!r.has_pasid && in_interrupt_range(r.iova)) {
        return answer_interrupt_range(r);
      }
      break;
    default:
      break;
  }
  return r.has_context ? Action::kRelookup : look(r);
}

// SPEC: [VTD 4.2.3] interrupts may only be written, and untranslated.
Iommu::Action Iommu::answer_interrupt_range(Request& r) {
  const bool no_write = r.payload->pcie.no_write;
  r.rights = EffectiveRights{false, !no_write};
  r.page = r.iova & ~(kPageSize - 1);
  r.shift = kPageShift;
  stats_.completed.add();
  Translation t = answer_of(r);
  t.untranslated_only = !no_write;
  add_entry(r, t);
  return Action::kAnswer;
}

Iommu::Action Iommu::look(Request& r) {
  return translator_.lookup(r) == Translator::Next::kWalk ? Action::kWalk : conclude(r);
}

// The translation, or the fault, is in the request.
Iommu::Action Iommu::conclude(Request& r) {
  if (r.fault != FaultReason::kNone) {
    return fault(r);
  }
  if (r.crosses) {
    return reject(r);
  }
  if (r.kind == RequestKind::kTranslationRequest) {
    return conclude_translation(r);
  }
  stats_.completed.add();
  set_translation(r);
  if (context_.monitor != nullptr) {
    report_use(r, r.payload->pcie.translation);
  }
  return Action::kForward;
}

// Answers one more page of those asked for. SPEC: [ATS 3] the entries of a completion lie one behind the
// other and have one size; [VTD 4.2.3] fewer may be answered than were asked for.
Iommu::Action Iommu::conclude_translation(Request& r) {
  const Translation t = answer_of(r);
  const Translation& first = r.payload->pcie.translation;
  if (r.entries == 0) {
    stats_.completed.add();
  } else if ((!t.read && !t.write) || t.page_shift != first.page_shift) {
    return Action::kAnswer;
  }
  add_entry(r, t);
  if (context_.monitor != nullptr) {
    report_use(r, t);
  }
  const unsigned asked = translations_asked(*r.payload);
  const Addr end = r.payload->get_address() + Addr{asked} * kPageSize;
  const Addr next = ((r.iova >> r.shift) + 1) << r.shift;
  if ((!t.read && !t.write) || r.entries == std::min(asked, params_.translations) || next >= end ||
      next < r.payload->get_address()) {
    return Action::kAnswer;
  }
  r.iova = r.last = next;
  r.found = r.hit = false;
  return Action::kRelookup;
}

void Iommu::set_translation(Request& r) {
  Translation& t = r.payload->pcie.translation;
  t.address = r.page;
  t.page_shift = r.shift;
  t.read = r.rights.read;
  t.write = r.rights.write;
  t.privileged = r.access.privileged;
  t.hit = r.hit;
  // SPEC: [VTD 3.5] No Snoop counts unless the tables say otherwise. Of a translated request its device says
  // it, as N told it to.
  const bool forced =
      r.kind == RequestKind::kUntranslated && r.space != nullptr && (r.space->page_snoop || r.snoop);
  r.payload->source.snoop = !r.payload->pcie.no_snoop || forced;
  stats_.bytes.add(r.payload->get_data_length());
}

// The address goes to memory as it is.
Iommu::Action Iommu::pass(Request& r) {
  r.page = r.iova & ~(kPageSize - 1);
  r.shift = kPageShift;
  r.rights = {true, true};
  stats_.completed.add();
  set_translation(r);
  return Action::kForward;
}

// Unsupported request without a fault record.
Iommu::Action Iommu::reject(Request& r) {
  stats_.rejected.add();
  r.payload->pcie.status = CompletionStatus::kUnsupportedRequest;
  return Action::kAnswer;
}

Translation Iommu::answer_of(const Request& r) const {
  const PcieExtension& pcie = r.payload->pcie;
  Translation t;
  const bool write = r.rights.write && !(pcie.no_write && capabilities_.params().no_write_flag);
  if (r.rights.read || write) {
    t.address = r.page;
    t.page_shift = r.shift;
    t.read = r.rights.read;
    t.write = write;
    t.non_snooped = r.space != nullptr && (r.space->page_snoop || r.snoop);
    t.hit = r.hit;
  }
  t.privileged = r.access.privileged && r.has_pasid;
  return t;
}

// Adds it to the completion, also to its data, for devices that read the wire format.
void Iommu::add_entry(Request& r, const Translation& t) {
  Transaction& payload = *r.payload;
  unsigned char* data = payload.get_data_ptr();
  if (data != nullptr) {
    if (r.entries == 0) {
      std::memset(data, 0, payload.get_data_length());
    }
    const std::uint64_t entry = encode_translation(t);
    std::memcpy(data + std::size_t{r.entries} * kTranslationEntryBytes, &entry, sizeof entry);
  }
  if (r.entries == 0) {
    payload.pcie.translation = t;
  }
  payload.pcie.translations = ++r.entries;
}

Iommu::Action Iommu::fault(Request& r) {
  PcieExtension& pcie = r.payload->pcie;
  if (r.entries != 0) {
    // WHY no record: nobody has used that page yet, and fewer pages than asked for may be answered.
    return Action::kAnswer;
  }
  pcie.fault = r.fault;
  stats_.faulted.add();
  if (fault_is_logged(r.fault, r.kind) && !(r.quiet && fault_is_qualified(r.fault))) {
    FaultRecord record;
    record.requester = r.requester;
    record.has_pasid = r.has_pasid;
    record.pasid = r.pasid;
    record.execute = pcie.execute;
    record.privileged = pcie.privileged;
    record.at = static_cast<std::uint8_t>(
        r.kind == RequestKind::kTranslationRequest ? AddressType::kTranslationRequest : pcie.at);
    record.type = r.kind == RequestKind::kPageRequest                          ? FaultRecordType::kPageRequest
                  : r.kind != RequestKind::kTranslationRequest && r.is_write() ? FaultRecordType::kWrite
                                                                               : FaultRecordType::kRead;
    record.reason = r.fault;
    record.address = r.iova;
    const FaultRecorder::Recorded recorded = registers_.faults().record(record);
    (recorded.outcome == FaultRecorder::Outcome::kRecorded ? stats_.faults_recorded : stats_.faults_dropped)
        .add();
    log_.fault(record, r.place, recorded.outcome);
    if (recorded.interrupt) {
      send_interrupt(registers_.faults().event().message());
    }
  }
  pcie.translation.hit = r.found;
  switch (fault_answer(r.fault, r.kind)) {
    case FaultAnswer::kCompleterAbort:
      pcie.status = CompletionStatus::kCompleterAbort;
      break;
    case FaultAnswer::kNoRights:
    case FaultAnswer::kEffectiveRights:
      // WHY no rights at all: effective rights come from a walk that does not fault.
      r.rights = EffectiveRights();
      add_entry(r, answer_of(r));
      break;
    case FaultAnswer::kInvalidRequest:
      respond_to_group(r, static_cast<std::uint8_t>(PageResponseCode::kInvalidRequest));
      break;
    case FaultAnswer::kNotApplicable:
      // SPEC: [VTD Table 31] whatever keeps a page request from the queue, the last of a group is answered.
      if (r.kind == RequestKind::kPageRequest) {
        respond_to_group(r, static_cast<std::uint8_t>(PageResponseCode::kInvalidRequest));
        break;
      }
      [[fallthrough]];
    case FaultAnswer::kUnsupportedRequest:
      pcie.status = CompletionStatus::kUnsupportedRequest;
      break;
  }
  return Action::kAnswer;
}

// SPEC: [VTD 6.5.3.1] what a page request removes before it is queued.
void Iommu::implicit_invalidation(const Request& r) {
  InvalidationScope scope;
  scope.did = r.space->did;
  scope.address = r.iova;
  if (r.space->kind == SpaceKind::kFirstStage) {
    scope.kind = InvalidationScope::Kind::kPasidPage;
    scope.pasid = r.space->tag.pasid();
  } else if (r.space->kind == SpaceKind::kNested) {
    scope.kind = InvalidationScope::Kind::kDomain;
  } else {
    scope.kind = InvalidationScope::Kind::kDomainPage;
  }
  invalidate_translations(scope);
}

// What the device may use from now on.
void Iommu::note_grants(const Request& r) {
  if (r.kind != RequestKind::kTranslationRequest || !params_.check_translated) {
    return;
  }
  answered_.clear();
  for (unsigned i = 0; i < r.entries && r.payload->pcie.status == CompletionStatus::kSuccess; ++i) {
    answered_.push_back(translation_of(*r.payload, i));
  }
  devices_[r.device].grants.answered(r.payload, answered_);
}

void Iommu::page_request_done(Request& r) {
  PcieExtension& pcie = r.payload->pcie;
  if (pcie.status == CompletionStatus::kSuccess) {
    stats_.completed.add();
    return;
  }
  // SPEC: [VTD Table 31] overflow: the device shall try again.
  pcie.status = CompletionStatus::kSuccess;
  stats_.rejected.add();
  respond_to_group(r, static_cast<std::uint8_t>(PageResponseCode::kSuccess));
}

void Iommu::respond_to_group(const Request& r, std::uint8_t code) {
  const std::uint64_t body = r.payload->pcie.body;
  const bool stop_marker = r.has_pasid && !r.access.read && !r.access.write;
  if (PageRequestBody::L::get(body) == 0 || stop_marker) {
    return;
  }
  stats_.auto_responses.add();
  send_group_response(r.requester, r.has_pasid, r.pasid,
                      static_cast<std::uint16_t>(PageRequestBody::PRGI::get(body)), code);
}

}  // namespace svasim
