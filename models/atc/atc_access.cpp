// The way of one access through the ATC.
#include <algorithm>

#include "base/check.h"
#include "models/atc/atc.h"
#include "models/formats/vtd_invalidation.h"

namespace svasim {

namespace {

PcieExtension& pcie_of(tlm::tlm_generic_payload& payload) { return *payload.get_extension<PcieExtension>(); }

constexpr Addr page_of(Addr address) { return address & ~(kPageSize - 1); }

// The access needs the right to write. A translation request without NW asks for it too.
bool needs_write(const PcieExtension& pcie) {
  return pcie.kind == TlpKind::kMemWrite || (pcie.kind == TlpKind::kTranslationRequest && !pcie.no_write);
}

bool is_stop_marker(const PcieExtension& pcie) {
  using B = PageRequestBody;
  return pcie.has_pasid && B::L::get(pcie.body) != 0 && B::R::get(pcie.body) == 0 &&
         B::W::get(pcie.body) == 0;
}

AtcEntry untranslated() {
  AtcEntry translation;
  translation.untranslated_only = true;
  return translation;
}

Addr physical(const Translation& translation, Addr address) {
  return translation.address | (address & ((Addr{1} << translation.page_shift) - 1));
}

}  // namespace

bool Atc::passes_untranslated(const PcieExtension& pcie, Addr address) const {
  return !ats_ || pcie.at == AddressType::kTranslated ||
         (!pcie.has_pasid && pcie.kind == TlpKind::kMemWrite && (address >> 20U) == 0xFEE);
}

// The PASID the access goes out with; the device's own is given back.
Pasid Atc::take_pasid(PcieExtension& pcie) {
  const Pasid own = pcie.pasid;
  if (params_.misbehave.foreign_pasid != 0 && pcie.has_pasid && wrong_turn(access_turn_)) {
    stats_.misbehaved.add();
    pcie.pasid = Pasid(params_.misbehave.foreign_pasid);
  }
  return own;
}

void Atc::accept(tlm::tlm_generic_payload& payload) {
  PcieExtension& pcie = pcie_of(payload);
  if (pcie.kind == TlpKind::kPageRequest) {
    SVASIM_CHECK(is_stop_marker(pcie), "a device leaves page requests to its ATC");
    pcie.attribution.charge(Stage::kDevice, now_ps());
    return stop_pasid(payload);
  }
  SVASIM_CHECK((payload.get_address() & (kPageSize - 1)) + payload.get_data_length() <= kPageSize,
               "an access of a device crosses a 4-KiB boundary");
  pcie.attribution.charge(Stage::kDevice, now_ps());
  if (free_accesses_.empty() || !waiting_.empty()) {
    waiting_.push_back(&payload);
    return;
  }
  const std::uint32_t slot = free_accesses_.back();
  free_accesses_.pop_back();
  start(slot, payload);
}

void Atc::start(std::uint32_t slot, tlm::tlm_generic_payload& payload) {
  Access& access = accesses_[slot];
  PcieExtension& pcie = pcie_of(payload);
  access = Access();
  access.payload = &payload;
  access.pcie = &pcie;
  access.write = needs_write(pcie);
  access.no_snoop = pcie.no_snoop;
  access.cache = cache_number(pcie);
  access.traffic_class = static_cast<std::uint8_t>(pcie.engine % params_.traffic_classes);
  pcie.traffic_class = access.traffic_class;
  access.own_pasid = take_pasid(pcie);
  access.space = AtsSpace::of(pcie);
  access.address = payload.get_address();
  access.at = pcie.at;
  access.arrived = pcie.attribution.mark();
  pcie.atc_slot = slot;
  requester_ = pcie.requester;
  if (pcie.kind == TlpKind::kMemWrite && !pcie.relaxed) {
    access.ordered = true;
    order_.push_back(slot);
  }
  if (pcie.outcome == AccessOutcome::kWait) {
    pcie.outcome = AccessOutcome::kDone;
    fault(slot);
    return;
  }
  stats_.accesses.add();
  if (passes_untranslated(pcie, access.address)) {
    need_translation(slot);
  } else if (const AtcEntry* own = held(pcie, access.space, access.address, access.write)) {
    stats_.held.add();
    use(slot, *own, now_ps() + params_.latency);
  } else {
    look_up(slot, true);
  }
}

void Atc::look_up(std::uint32_t slot, bool first) {
  Access& access = accesses_[slot];
  const AtcEntry* found = cache_of(access).find(access.space, access.address);
  const bool hit = found != nullptr && has_right(*found, access.write);
  if (first) {
    (hit ? stats_.hits : found == nullptr ? stats_.misses : stats_.rights_misses).add();
    access.pcie->known = hit;
  }
  if (hit) {
    use(slot, *found, now_ps() + params_.latency);
  } else {
    need_translation(slot);
  }
}

void Atc::need_translation(std::uint32_t slot) {
  Access& access = accesses_[slot];
  const Ps now = now_ps();
  if (passes_untranslated(*access.pcie, access.address)) {
    if (!ats_ && !params_.untranslated_fallback && access.at != AddressType::kTranslated) {
      finish(slot, AccessOutcome::kTranslationError, CompletionStatus::kUnsupportedRequest,
             now + params_.latency);
    } else {
      use(slot, untranslated(), now + params_.latency);
    }
    return;
  }
  const Addr page = page_of(access.address);
  access.next = kNone;
  access.state = State::kTranslating;
  for (Request& request : requests_) {
    if (request.active && request.covers(page) && request.cache == access.cache &&
        request.space == access.space && !(request.no_write && access.write) &&
        !log_.hit_since(request.position, request.space, page, kPageShift, false)) {
      stats_.merged.add();
      access.pcie->known = true;
      accesses_[request.last].next = slot;
      request.last = slot;
      return;
    }
  }
  if (free_requests_.empty()) {
    access.state = State::kQueued;
    queued_.push_back(slot);
    return;
  }
  const std::uint32_t index = free_requests_.back();
  free_requests_.pop_back();
  Request& request = requests_[index];
  const Ps when = now + params_.latency;
  request.space = access.space;
  request.page = page;
  request.no_write = !access.write && params_.read_only_requests;
  request.active = true;
  request.cache = access.cache;
  request.translations = translations_from(cache_of(access), access.space, page);
  request.position = log_.position();
  request.first = request.last = slot;
  request.sent = when;
  // MODEL: a cache of one entry gives it up to the page it asks for; several keep theirs until the answer.
  if (params_.cache.entries == 1) {
    caches_[access.cache]->clear();
    newest_[access.cache] = request.order = ++asked_;
  }
  access.pcie->attribution.charge(Stage::kAtc, when);
  Transaction& message = make_translation_request(request.space, page, request.translations, request.no_write,
                                                  request.entries.data(), when);
  message.pcie.traffic_class = access.traffic_class;
  message.pcie.atc_slot = index;
  transmit(message, when);
}

void Atc::queued_translations() {
  while (!queued_.empty() && !free_requests_.empty()) {
    const std::uint32_t slot = queued_.front();
    queued_.pop_front();
    look_up(slot, false);
  }
}

void Atc::use(std::uint32_t slot, const AtcEntry& translation, Ps ready) {
  Access& access = accesses_[slot];
  access.translation = translation;
  if (access.faulted) fault_ended(slot, ready);
  if (access.pcie->kind == TlpKind::kTranslationRequest) {
    access.pcie->translation = translation;
    hold(*access.pcie, access.space, page_of(access.address), translation);
    finish(slot, AccessOutcome::kDone, CompletionStatus::kSuccess, ready);
    return;
  }
  if (!access.ordered) {
    send(slot, ready);
    return;
  }
  access.state = State::kReady;
  if (order_.front() != slot) {
    stats_.held_for_order.add();
    return;
  }
  send_in_order(ready);
}

void Atc::send_in_order(Ps ready) {
  while (!order_.empty() && accesses_[order_.front()].state == State::kReady) {
    const std::uint32_t slot = order_.front();
    order_.pop_front();
    send(slot, ready);
  }
}

void Atc::send(std::uint32_t slot, Ps ready) {
  Access& access = accesses_[slot];
  PcieExtension& pcie = *access.pcie;
  access.state = State::kSent;
  if (access.translation.untranslated_only) {
    stats_.untranslated.add();
  } else {
    if (context_.monitor != nullptr) {
      report_use(pcie, access.space, access.address, access.payload->get_data_length(), access.translation);
    }
    pcie.at = AddressType::kTranslated;
    pcie.has_pasid = false;
    pcie.privileged = false;
    // SPEC: [ATS 3.2]
    pcie.no_snoop = pcie.no_snoop && !access.translation.non_snooped;
    access.payload->set_address(physical(access.translation, access.address));
  }
  if (pcie.kind == TlpKind::kMemWrite) {
    Ps& last = last_posted_[access.traffic_class];
    last = std::max(last, ready);
  }
  pcie.attribution.charge(Stage::kAtc, ready);
  tlm::tlm_phase phase = tlm::END_REQ;
  sc_core::sc_time delay = to_sc(ready - now_ps());
  up_in_->nb_transport_bw(*access.payload, phase, delay);
  transmit(*access.payload, ready);
}

void Atc::report_use(const PcieExtension& pcie, const AtsSpace& space, Addr address, std::uint64_t length,
                     const AtcEntry& entry) const {
  TranslationUse use;
  use.time = now_ps();
  use.in_order = context_.loose();
  use.number = pcie.id;
  use.requester = pcie.requester;
  use.has_pasid = space.has_pasid;
  use.privileged = space.privileged;
  use.read = pcie.kind == TlpKind::kMemRead;
  use.write = pcie.kind == TlpKind::kMemWrite;
  use.origin = TranslationOrigin::kAtc;
  use.page_shift = entry.page_shift;
  use.pasid = space.pasid;
  use.iova = address;
  use.last = address + length - 1;
  use.address = physical(entry, address);
  use.born = entry.born;
  use.asked = entry.asked;
  context_.monitor->used(*this, use);
}

// The device gets its request back as it sent it.
void Atc::restore(const Access& access) {
  PcieExtension& pcie = *access.pcie;
  pcie.pasid = access.own_pasid;
  pcie.no_snoop = access.no_snoop;
  if (!access.translation.untranslated_only && pcie.at == AddressType::kTranslated) {
    pcie.translation = access.translation;
    pcie.has_pasid = access.space.has_pasid;
    pcie.privileged = access.space.privileged;
    pcie.at = access.at;
    access.payload->set_address(access.address);
  }
}

void Atc::fault(std::uint32_t slot) {
  Access& access = accesses_[slot];
  stats_.no_rights.add();
  const Ps now = now_ps();
  if (access.stopped) {
    stats_.stopped.add();
    finish(slot, AccessOutcome::kStopped, CompletionStatus::kUnsupportedRequest, now + 1);
    return;
  }
  if (access.pcie->no_page_request || !pages_.enabled()) {
    finish(slot, AccessOutcome::kPageFault, CompletionStatus::kUnsupportedRequest, now + 1);
    return;
  }
  if (access.tries > params_.page_requests.max_retries) {
    finish(slot, AccessOutcome::kInvalidResponse, CompletionStatus::kUnsupportedRequest, now + 1);
    return;
  }
  if (!access.faulted) {
    access.faulted = true;
    fault_times_[slot] = FaultTimes{{}, access.arrived};
    fault_times_[slot].charge(FaultPart::kMiss, now);
  } else {
    fault_times_[slot].charge(FaultPart::kRejected, now);
  }
  const Addr length =
      access.pcie->kind == TlpKind::kTranslationRequest ? 0 : access.payload->get_data_length();
  const std::uint32_t wish = pages_.ask(access.space, access.address,
                                        access.address + length + access.pcie->ahead, access.write, now);
  access.state = State::kPaging;
  access.next = pages_.waiters(wish);
  pages_.waiters(wish) = slot;
}

void Atc::resume(std::uint32_t slot, unsigned code) {
  Access& access = accesses_[slot];
  const Ps now = now_ps();
  if (code == static_cast<unsigned>(PageResponseCode::kInvalidRequest)) {
    finish(slot, AccessOutcome::kInvalidResponse, CompletionStatus::kUnsupportedRequest, now + 1);
    return;
  }
  if (code != static_cast<unsigned>(PageResponseCode::kSuccess)) {
    finish(slot, AccessOutcome::kResponseFailure, CompletionStatus::kUnsupportedRequest, now + 1);
    return;
  }
  // SPEC: [PRI 9]: Success means try again, not that the page is there.
  stats_.retries.add();
  ++access.tries;
  const Ps wait = retry_.wait(params_.page_requests.retry_delay, access.tries);
  if (wait == 0) {
    look_up(slot, false);
    return;
  }
  access.state = State::kBackoff;
  push(now + wait, Work::kRetry, access.pcie->id, slot, nullptr);
}

void Atc::finish(std::uint32_t slot, AccessOutcome outcome, CompletionStatus status, Ps when) {
  Access& access = accesses_[slot];
  tlm::tlm_generic_payload& payload = *access.payload;
  PcieExtension& pcie = *access.pcie;
  pcie.outcome = outcome;
  pcie.status = status;
  pcie.pasid = access.own_pasid;
  if (outcome != AccessOutcome::kDone) {
    stats_.faults.add();
  }
  pcie.attribution.charge(Stage::kAtc, when);
  payload.set_response_status(outcome == AccessOutcome::kDone ? tlm::TLM_OK_RESPONSE
                                                              : tlm::TLM_ADDRESS_ERROR_RESPONSE);
  const bool ordered = access.ordered;
  access.state = State::kFree;
  free_accesses_.push_back(slot);
  for (tlm::tlm_phase phase : {tlm::tlm_phase(tlm::END_REQ), tlm::tlm_phase(tlm::BEGIN_RESP)}) {
    sc_core::sc_time delay = to_sc(when - now_ps());
    up_in_->nb_transport_bw(payload, phase, delay);
  }
  if (ordered) {
    const bool first = order_.front() == slot;
    order_.erase(std::find(order_.begin(), order_.end(), slot));
    if (first) {
      send_in_order(when);
    }
  }
}

void Atc::free_slot(std::uint32_t slot) {
  Access& access = accesses_[slot];
  access.state = State::kFree;
  free_accesses_.push_back(slot);
  read_done(slot);
}

void Atc::access_blocking(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  PcieExtension& pcie = pcie_of(payload);
  const Ps now = now_ps();
  const Addr address = payload.get_address();
  const Pasid own_pasid = take_pasid(pcie);
  const AtsSpace space = AtsSpace::of(pcie);
  AtcCache& cache = *caches_[cache_number(pcie)];
  const bool write = needs_write(pcie);
  const bool no_snoop = pcie.no_snoop;
  requester_ = pcie.requester;
  stats_.accesses.add();
  pcie.attribution.charge(Stage::kDevice, now + delay.value());
  delay += to_sc(params_.latency);
  pcie.attribution.charge(Stage::kAtc, now + delay.value());

  const auto end = [&](AccessOutcome outcome, CompletionStatus status) {
    pcie.outcome = outcome;
    pcie.status = status;
    pcie.pasid = own_pasid;
    payload.set_response_status(outcome == AccessOutcome::kDone ? tlm::TLM_OK_RESPONSE
                                                                : tlm::TLM_ADDRESS_ERROR_RESPONSE);
    if (outcome != AccessOutcome::kDone && outcome != AccessOutcome::kWait) {
      stats_.faults.add();
    }
  };

  AtcEntry translation;
  bool known = false;
  if (!passes_untranslated(pcie, address)) {
    const AtcEntry* own = held(pcie, space, address, write);
    const AtcEntry* found = own != nullptr ? own : cache.find(space, address);
    known = found != nullptr && has_right(*found, write);
    (own != nullptr     ? stats_.held
     : known            ? stats_.hits
     : found == nullptr ? stats_.misses
                        : stats_.rights_misses)
        .add();
    pcie.known = known;
    if (known) {
      translation = *found;
    }
  }
  if (!known && !passes_untranslated(pcie, address)) {
    std::array<std::uint64_t, kMaxTranslations> entries{};
    const Ps sent = now + delay.value();
    const unsigned asked = translations_from(cache, space, page_of(address));
    Transaction& request = make_translation_request(
        space, page_of(address), asked, !write && params_.read_only_requests, entries.data(), sent);
    up_out_->b_transport(request, delay);
    pcie.attribution.adopt_since_mark(request.pcie.attribution, now + delay.value(), Stage::kAtc);
    stats_.translation_latency.record(now + delay.value() - sent);
    const CompletionStatus status = request.pcie.status;
    if (status == CompletionStatus::kSuccess) {
      take_translations(request, &cache, space, page_of(address), asked, log_.position(), now);
      translation = answers_.front().translation;
      known = true;
    } else {
      refused(status);
    }
    request.release();
    if (status == CompletionStatus::kCompleterAbort || status == CompletionStatus::kRequestRetry) {
      end(AccessOutcome::kTranslationError, status);
      return;
    }
    if (known && !translation.untranslated_only && !has_right(translation, write)) {
      if (pcie.no_page_request || !pages_.enabled()) {
        stats_.no_rights.add();
        end(AccessOutcome::kPageFault, CompletionStatus::kUnsupportedRequest);
      } else {
        end(AccessOutcome::kWait, CompletionStatus::kSuccess);
      }
      return;
    }
  }
  if (!known) {
    if (!ats_ && !params_.untranslated_fallback && pcie.at != AddressType::kTranslated) {
      end(AccessOutcome::kTranslationError, CompletionStatus::kUnsupportedRequest);
      return;
    }
    translation = untranslated();
  }
  if (pcie.kind == TlpKind::kTranslationRequest) {
    pcie.translation = translation;
    hold(pcie, space, page_of(address), translation);
    end(AccessOutcome::kDone, CompletionStatus::kSuccess);
    return;
  }
  if (translation.untranslated_only) {
    stats_.untranslated.add();
    up_out_->b_transport(payload, delay);
    pcie.pasid = own_pasid;
    return;
  }
  if (context_.monitor != nullptr) {
    report_use(pcie, space, address, payload.get_data_length(), translation);
  }
  const AddressType at = pcie.at;
  pcie.at = AddressType::kTranslated;
  pcie.has_pasid = false;
  pcie.privileged = false;
  pcie.no_snoop = no_snoop && !translation.non_snooped;
  payload.set_address(physical(translation, address));
  up_out_->b_transport(payload, delay);
  payload.set_address(address);
  pcie.at = at;
  pcie.has_pasid = space.has_pasid;
  pcie.privileged = space.privileged;
  pcie.no_snoop = no_snoop;
  pcie.pasid = own_pasid;
  pcie.translation = translation;
}

}  // namespace svasim
