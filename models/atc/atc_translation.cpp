// Translation requests and their completions.
#include <algorithm>

#include "models/atc/atc.h"
#include "tlm/translation_entry.h"

namespace svasim {

Transaction& Atc::make_translation_request(const AtsSpace& space, Addr page, unsigned translations,
                                           bool no_write, std::uint64_t* entries, Ps when) {
  Transaction& request =
      context_.pool.allocate(tlm::TLM_READ_COMMAND, page, reinterpret_cast<unsigned char*>(entries),
                             std::size_t{translations} * kTranslationEntryBytes, when);
  PcieExtension& pcie = request.pcie;
  pcie.kind = TlpKind::kTranslationRequest;
  pcie.at = AddressType::kTranslationRequest;
  pcie.requester = requester_;
  pcie.has_pasid = space.has_pasid;
  pcie.privileged = space.privileged;
  pcie.pasid = space.pasid;
  pcie.no_write = no_write;
  pcie.id = next_id_++;
  stats_.translation_requests.add();
  return request;
}

// How many to ask for: up to the first page that is known.
unsigned Atc::translations_from(const AtcCache& cache, const AtsSpace& space, Addr page) const {
  unsigned count = 1;
  while (count < params_.translations && !cache.holds(space, page + count * kPageSize)) {
    ++count;
  }
  return count;
}

void Atc::take_translations(const tlm::tlm_generic_payload& payload, AtcCache* cache, const AtsSpace& space,
                            Addr page, unsigned asked, std::uint64_t position, Ps sent) {
  const PcieExtension& pcie = *payload.get_extension<PcieExtension>();
  answers_.clear();
  for (unsigned i = 0; i < std::min<unsigned>(pcie.translations, asked); ++i) {
    AtcEntry translation(translation_of(payload, i), position, sent);
    const unsigned shift = std::max<unsigned>(translation.page_shift, kPageShift);
    const Addr first = (page >> shift) << shift;
    stats_.translations_received.add();
    // SPEC: [ATS 3]: with NW the result must not be used to write, whatever the agent answered.
    translation.write = translation.write && !pcie.no_write;
    if (log_.hit_since(position, space, first, shift, translation.global && space.has_pasid)) {
      stats_.stale.add();
    } else {
      answers_.push_back(Answer{first, shift, translation});
      if (cache != nullptr && (translation.read || translation.write) && !translation.untranslated_only) {
        cache->fill(space, page, translation);
      }
    }
    page = first + (Addr{1} << shift);
  }
}

const Atc::Answer* Atc::answer_for(Addr address) const {
  const auto found = std::find_if(answers_.begin(), answers_.end(), [address](const Answer& answer) {
    return ((answer.page ^ address) >> answer.shift) == 0;
  });
  return found == answers_.end() ? nullptr : &*found;
}

// MODEL: the answer to a translation request stays with the descriptor that asked until it asks for another
// page in its place; invalidations take it back like those in a cache.
void Atc::hold(const PcieExtension& request, const AtsSpace& space, Addr page, const AtcEntry& translation) {
  if (request.holder == 0) return;
  if (held_.size() <= request.holder) held_.resize(request.holder + 1);
  held_[request.holder] = {space, page, translation};
  if (translation.untranslated_only) held_[request.holder].translation.page_shift = 0;
}

const AtcEntry* Atc::held(const PcieExtension& pcie, const AtsSpace& space, Addr address, bool write) const {
  if (pcie.holder == 0 || pcie.holder >= held_.size() || pcie.kind == TlpKind::kTranslationRequest) {
    return nullptr;
  }
  const Held& own = held_[pcie.holder];
  const bool usable = own.translation.page_shift != 0 && own.page == (address & ~(kPageSize - 1)) &&
                      own.space == space && has_right(own.translation, write);
  return usable ? &own.translation : nullptr;
}

void Atc::drop_held(const AtcInvalidation& what) {
  for (Held& own : held_) {
    const unsigned shift = own.translation.page_shift;
    if (shift != 0 && what.covers(own.space, (own.page >> shift) << shift, shift,
                                  own.translation.global && own.space.has_pasid)) {
      own.translation.page_shift = 0;
    }
  }
}

// SPEC: [ATS 3.1]
void Atc::refused(CompletionStatus status) {
  switch (status) {
    case CompletionStatus::kCompleterAbort:
      return stats_.translation_ca.add();
    case CompletionStatus::kRequestRetry:
      return stats_.translation_malformed.add();
    default:
      stats_.translation_ur.add();
      enable_ats(false);
  }
}

void Atc::translated(tlm::tlm_generic_payload& payload) {
  const Ps now = now_ps();
  PcieExtension& pcie = *payload.get_extension<PcieExtension>();
  const std::uint32_t index = pcie.atc_slot;
  const Request request = requests_[index];
  stats_.translation_latency.record(now - request.sent);

  const bool success = pcie.status == CompletionStatus::kSuccess;
  answers_.clear();
  if (success && ats_) {
    take_translations(payload, is_newest(request) ? caches_[request.cache].get() : nullptr, request.space,
                      request.page, request.translations, request.position, request.sent);
  } else if (!success && ats_) {
    refused(pcie.status);
  }
  // Only now: its room holds the data.
  requests_[index].active = false;
  free_requests_.push_back(index);
  for (std::uint32_t slot = request.first; slot != kNone;) {
    Access& access = accesses_[slot];
    const std::uint32_t next = access.next;
    access.pcie->attribution.adopt_since_mark(pcie.attribution, now, Stage::kAtc);
    const Answer* answer = answer_for(access.address);
    if (answer == nullptr) {
      // Out of date, not answered, or ATS is off now. A refusal is one of the page asked for.
      if (ats_ && !success && request.page == (access.address & ~(kPageSize - 1))) {
        finish(slot, AccessOutcome::kTranslationError, pcie.status, now + 1);
      } else {
        need_translation(slot);
      }
    } else if (answer->translation.untranslated_only || has_right(answer->translation, access.write)) {
      use(slot, AtcEntry(answer->translation), now + 1);
    } else {
      fault(slot);
    }
    slot = next;
  }
  static_cast<Transaction&>(payload).release();
  queued_translations();
}

}  // namespace svasim
