#include "models/atc/atc.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "models/formats/vtd_invalidation.h"

namespace svasim {

namespace {

PcieExtension& pcie_of(tlm::tlm_generic_payload& payload) { return *payload.get_extension<PcieExtension>(); }

// WHY: numbers of the ATC's own requests must differ from those of the device.
constexpr std::uint64_t kOwnRequest = std::uint64_t{1} << 63;

}  // namespace

Atc::Atc(sc_core::sc_module_name name, const AtcParams& params, SimContext& context)
    : sc_core::sc_module(name),
      params_(params),
      context_(context),
      up_in_("up_in", *this, kUpIn),
      up_out_("up_out", *this, kUpOut),
      down_in_("down_in", *this, kDownIn),
      down_out_("down_out", *this, kDownOut),
      wake_("wake"),
      ats_(params.ats),
      cache_(params.cache, context.seed, this->name()),
      pages_(params.page_requests),
      accesses_(params.accesses),
      requests_(params.translation_requests),
      next_id_(kOwnRequest) {
  SC_HAS_PROCESS(Atc);
  SC_METHOD(run);
  sensitive << wake_.event();
  dont_initialize();
  for (unsigned i = params.accesses; i-- != 0;) {
    free_accesses_.push_back(i);
  }
  for (unsigned i = params.translation_requests; i-- != 0;) {
    free_requests_.push_back(i);
  }
  stats_.describe(context.stats, this->name());
}

void Atc::enable_ats(bool on) {
  if (on != ats_) {
    cache_.clear();
  }
  ats_ = on;
}

void Atc::push(Ps due, Work kind, std::uint64_t number, std::uint32_t index,
               tlm::tlm_generic_payload* payload) {
  const std::uint64_t key =
      (static_cast<std::uint64_t>(kind) << 56U) | (number & ~(std::uint64_t{0xFF} << 56U));
  work_.push(due, key, Item{kind, index, payload});
  wake_.arm(due);
}

bool Atc::someone_waits() const { return !waiting_.empty() || active_invalidations_ != 0; }

void Atc::run() {
  wake_.fired();
  const Ps now = now_ps();
  while (released_.due() <= now) {
    free_slot(released_.pop());
  }
  while (work_.due() <= now) {
    const Item item = work_.pop();
    switch (item.kind) {
      case Work::kTranslated:
        translated(*item.payload);
        break;
      case Work::kMessage:
        message(item.index);
        break;
      case Work::kRetry:
        look_up(item.index, false);
        break;
      case Work::kAccess:
        accept(*item.payload);
        break;
    }
  }
  while (!waiting_.empty() && !free_accesses_.empty()) {
    tlm::tlm_generic_payload& payload = *waiting_.front();
    waiting_.pop_front();
    const std::uint32_t slot = free_accesses_.back();
    free_accesses_.pop_back();
    start(slot, payload);
  }
  pages_.pump([this](const PageRequester::Message& request) { send_page_request(request); });
  wake_.arm(work_.due());
  if (someone_waits()) {
    wake_.arm(released_.due());
  }
}

tlm::tlm_sync_enum Atc::nb_transport_fw(unsigned port, tlm::tlm_generic_payload& payload,
                                        tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  if (phase == tlm::END_RESP) {
    return tlm::TLM_COMPLETED;
  }
  SVASIM_CHECK(phase == tlm::BEGIN_REQ, "illegal phase at an ATC");
  const Ps due = now_ps() + delay.value();
  if (port == kUpIn) {
    push(due, Work::kAccess, 0, 0, &payload);
    return tlm::TLM_ACCEPTED;
  }
  const PcieExtension& pcie = pcie_of(payload);
  if (pcie.kind == TlpKind::kMemRead || pcie.kind == TlpKind::kMemWrite) {
    SVASIM_CHECK(down_out_.size() != 0, "a memory-mapped access to a device that has no registers");
    return down_out_->nb_transport_fw(payload, phase, delay);
  }
  take_message(&payload, pcie, due);
  return tlm::TLM_ACCEPTED;
}

tlm::tlm_sync_enum Atc::nb_transport_bw(unsigned port, tlm::tlm_generic_payload& payload,
                                        tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  if (port == kDownOut) {
    return down_in_->nb_transport_bw(payload, phase, delay);
  }
  if (phase == tlm::END_REQ) {
    return tlm::TLM_ACCEPTED;
  }
  SVASIM_CHECK(phase == tlm::BEGIN_RESP, "illegal phase from a link");
  answered(payload, now_ps() + delay.value());
  return tlm::TLM_COMPLETED;
}

void Atc::b_transport(unsigned port, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  if (port == kUpIn) {
    access_blocking(payload, delay);
    return;
  }
  const PcieExtension& pcie = pcie_of(payload);
  if (pcie.kind == TlpKind::kMemRead || pcie.kind == TlpKind::kMemWrite) {
    SVASIM_CHECK(down_out_.size() != 0, "a memory-mapped access to a device that has no registers");
    down_out_->b_transport(payload, delay);
    return;
  }
  take_message(nullptr, pcie, now_ps() + std::max<Ps>(delay.value(), 1));
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
}

unsigned Atc::transport_dbg(unsigned port, tlm::tlm_generic_payload& payload) {
  if (port == kUpIn) {
    return up_out_->transport_dbg(payload);
  }
  return down_out_.size() == 0 ? 0 : down_out_->transport_dbg(payload);
}

void Atc::take_message(tlm::tlm_generic_payload* to_answer, const PcieExtension& pcie, Ps due) {
  if (free_messages_.empty()) {
    free_messages_.push_back(static_cast<std::uint32_t>(messages_.size()));
    messages_.emplace_back();
  }
  const std::uint32_t index = free_messages_.back();
  free_messages_.pop_back();
  messages_[index].payload = to_answer;
  messages_[index].pcie = pcie;
  push(due, Work::kMessage, 0, index, nullptr);
}

void Atc::message(std::uint32_t index) {
  Message& message = messages_[index];
  if (message.payload != nullptr) {
    message.payload->set_response_status(tlm::TLM_OK_RESPONSE);
    for (tlm::tlm_phase phase : {tlm::tlm_phase(tlm::END_REQ), tlm::tlm_phase(tlm::BEGIN_RESP)}) {
      sc_core::sc_time delay = to_sc(1);
      down_in_->nb_transport_bw(*message.payload, phase, delay);
    }
    message.payload = nullptr;
  }
  if (message.pcie.kind == TlpKind::kInvalidateRequest) {
    invalidate(message.pcie);
  } else {
    SVASIM_CHECK(message.pcie.kind == TlpKind::kPrgResponse, "a message that does not go to devices");
    page_response(message.pcie);
  }
  free_messages_.push_back(index);
}

void Atc::invalidate(const PcieExtension& request) {
  SVASIM_CHECK(request.itag < kItags, "ITag of more than 5 bits");
  stats_.invalidations.add();
  const Ps now = now_ps();
  const auto what = AtcInvalidation::of(request.body, request.has_pasid, request.pasid,
                                        params_.plain_invalidation_drops_pasid);
  const std::uint64_t position = log_.position();
  log_.add(what, now);
  cache_.invalidate(what);
  Invalidation& invalidation = invalidations_[request.itag];
  if (!invalidation.active) {
    invalidation = Invalidation();
    invalidation.active = true;
    ++active_invalidations_;
  }
  invalidation.arrived = now;
  invalidation.position = position;
  invalidation.requester = request.requester;
  const std::uint32_t bit = std::uint32_t{1} << request.itag;
  for (std::uint32_t slot = 0; slot < accesses_.size(); ++slot) {
    Access& access = accesses_[slot];
    if ((access.state != State::kSent && access.state != State::kReady) ||
        access.translation.untranslated_only) {
      continue;
    }
    const unsigned shift = access.translation.page_shift;
    const bool global = access.translation.global && access.space.has_pasid;
    if (!what.covers(access.space, (access.address >> shift) << shift, shift, global)) {
      continue;
    }
    if (access.state == State::kReady) {
      look_up(slot, false);
    } else if (!access.write && (access.drains & bit) == 0) {
      // SPEC: [ATS 4.2]: reads must be finished; writes are pushed by the completion behind them.
      access.drains |= bit;
      ++invalidation.reads;
    }
  }
  if (invalidation.reads == 0) {
    complete_invalidation(request.itag);
  } else {
    stats_.invalidations_drained.add();
  }
}

void Atc::complete_invalidation(unsigned itag) {
  Invalidation& invalidation = invalidations_[itag];
  invalidation.active = false;
  --active_invalidations_;
  const Ps now = now_ps();
  const Ps when = std::max({now + 1, invalidation.arrived + params_.invalidation_latency, last_posted_ + 1});
  stats_.invalidation_latency.record(when - invalidation.arrived);
  log_.completed(invalidation.position, when);
  Transaction& completion = context_.pool.allocate(tlm::TLM_IGNORE_COMMAND, 0, nullptr, 0, when);
  completion.pcie.kind = TlpKind::kInvalidateCompletion;
  completion.pcie.requester = invalidation.requester;
  completion.pcie.itag_vector = std::uint32_t{1} << itag;
  completion.pcie.completion_count = 1;
  send_message(completion, when);
}

void Atc::send_page_request(const PageRequester::Message& request) {
  const Ps when = now_ps() + params_.latency;
  stats_.page_requests.add();
  if (request.last) {
    stats_.page_groups.add();
  }
  Transaction& message = context_.pool.allocate(tlm::TLM_IGNORE_COMMAND, request.page, nullptr, 0, when);
  PcieExtension& pcie = message.pcie;
  pcie.kind = TlpKind::kPageRequest;
  pcie.requester = requester_;
  pcie.has_pasid = request.space.has_pasid;
  pcie.privileged = request.space.privileged;
  pcie.pasid = request.space.pasid;
  pcie.body =
      make_page_request_body(request.page, !request.write, request.write, request.last, request.index);
  send_message(message, when);
}

void Atc::send_message(Transaction& message, Ps when) {
  message.pcie.id = next_id_++;
  last_posted_ = std::max(last_posted_, when);
  tlm::tlm_phase phase = tlm::BEGIN_REQ;
  sc_core::sc_time delay = to_sc(when - now_ps());
  up_out_->nb_transport_fw(message, phase, delay);
}

void Atc::page_response(const PcieExtension& response) {
  const Ps now = now_ps();
  resumed_.clear();
  const auto end_wish = [&](std::uint32_t wish) {
    stats_.page_request_latency.record(now - pages_.since(wish));
    const std::size_t first = resumed_.size();
    for (std::uint32_t slot = pages_.waiters(wish); slot != kNone; slot = accesses_[slot].next) {
      resumed_.push_back(slot);
    }
    // The chain is last in, first out.
    std::reverse(resumed_.begin() + static_cast<std::ptrdiff_t>(first), resumed_.end());
  };
  const PageRequester::Answer answer = pages_.respond(response.prg_index, end_wish);
  if (answer != PageRequester::Answer::kTaken) {
    if (answer == PageRequester::Answer::kUnexpected) {
      stats_.responses_unexpected.add();
    }
    return;
  }
  const unsigned code = response.response_code;
  if (code == static_cast<unsigned>(PageResponseCode::kSuccess)) {
    stats_.responses_success.add();
  } else if (code == static_cast<unsigned>(PageResponseCode::kInvalidRequest)) {
    stats_.responses_invalid.add();
  } else {
    // SPEC: [PRI 7]: codes without meaning count as Response Failure.
    stats_.responses_failure.add();
    pages_.fail(end_wish);
  }
  Attribution journey = response.attribution;
  journey.charge(Stage::kResponse, std::max(now, journey.mark()));
  for (const std::uint32_t slot : resumed_) {
    accesses_[slot].pcie->attribution.adopt_since_mark(journey, now, Stage::kPageRequest);
    resume(slot, code);
  }
}

Transaction& Atc::make_translation_request(const AtsSpace& space, Addr page, bool no_write,
                                           std::uint64_t* entry, Ps when) {
  Transaction& request = context_.pool.allocate(tlm::TLM_READ_COMMAND, page,
                                                reinterpret_cast<unsigned char*>(entry), sizeof *entry, when);
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

AtcEntry Atc::take_translation(const PcieExtension& pcie, const AtsSpace& space, Addr page,
                               std::uint64_t born, Ps asked) {
  AtcEntry translation(pcie.translation, born, asked);
  // SPEC: [ATS 3]: with NW the result must not be used to write, whatever the agent answered.
  translation.write = translation.write && !pcie.no_write;
  if ((translation.read || translation.write) && !translation.untranslated_only) {
    cache_.fill(space, page, translation);
  }
  return translation;
}

// SPEC: [ATS 3.1]
void Atc::refused(CompletionStatus status) {
  if (status == CompletionStatus::kUnsupportedRequest) {
    stats_.translation_ur.add();
    enable_ats(false);
  } else {
    stats_.translation_ca.add();
  }
}

void Atc::translated(tlm::tlm_generic_payload& payload) {
  const Ps now = now_ps();
  PcieExtension& pcie = pcie_of(payload);
  const std::uint32_t index = pcie.atc_slot;
  const Request request = requests_[index];
  requests_[index].active = false;
  free_requests_.push_back(index);
  stats_.translation_latency.record(now - request.sent);

  const bool success = pcie.status == CompletionStatus::kSuccess;
  const unsigned shift = std::max<unsigned>(pcie.translation.page_shift, kPageShift);
  const bool stale =
      success && log_.hit_since(request.position, request.space, (request.page >> shift) << shift, shift,
                                pcie.translation.global && request.space.has_pasid);
  AtcEntry translation;
  if (stale) {
    stats_.stale.add();
  } else if (success && ats_) {
    translation = take_translation(pcie, request.space, request.page, request.position, request.sent);
  } else if (!success && ats_) {
    refused(pcie.status);
  }
  for (std::uint32_t slot = request.first; slot != kNone;) {
    const std::uint32_t next = accesses_[slot].next;
    accesses_[slot].pcie->attribution.adopt_since_mark(pcie.attribution, now, Stage::kAtc);
    if (stale || !ats_) {
      need_translation(slot);
    } else if (!success) {
      finish(slot, AccessOutcome::kTranslationError, pcie.status, now + 1);
    } else if (translation.untranslated_only || has_right(translation, accesses_[slot].write)) {
      use(slot, translation, now + 1);
    } else {
      fault(slot);
    }
    slot = next;
  }
  static_cast<Transaction&>(payload).release();
  queued_translations();
}

CoveringInvalidation Atc::covering(const TranslationUse& use) const {
  const AtsSpace space{use.has_pasid, use.privileged, use.pasid};
  return log_.covering(space, use);
}

void Atc::transmit(tlm::tlm_generic_payload& payload, Ps when) {
  sc_core::sc_time delay = to_sc(when - now_ps());
  if (context_.loose()) {
    up_out_->b_transport(payload, delay);
    answered(payload, now_ps() + delay.value());
    return;
  }
  tlm::tlm_phase phase = tlm::BEGIN_REQ;
  up_out_->nb_transport_fw(payload, phase, delay);
}

void Atc::answered(tlm::tlm_generic_payload& payload, Ps when) {
  PcieExtension& pcie = pcie_of(payload);
  switch (pcie.kind) {
    case TlpKind::kTranslationRequest:
      push(when, Work::kTranslated, pcie.id, 0, &payload);
      return;
    case TlpKind::kMemRead:
    case TlpKind::kMemWrite: {
      const std::uint32_t slot = pcie.atc_slot;
      restore(accesses_[slot]);
      tlm::tlm_phase phase = tlm::BEGIN_RESP;
      sc_core::sc_time delay = to_sc(when - now_ps());
      up_in_->nb_transport_bw(payload, phase, delay);
      released_.push(when, slot, slot);
      if (someone_waits()) {
        wake_.arm(when);
      }
      return;
    }
    default:
      static_cast<Transaction&>(payload).release();
  }
}

std::uint64_t Atc::in_flight() const {
  return accesses_.size() - free_accesses_.size() - released_.size() + waiting_.size() +
         active_invalidations_ + pages_.groups_outstanding() + work_.size();
}

void Atc::dump_in_flight(std::ostream& out) const {
  static constexpr const char* kStates[] = {"free",
                                            "waits for its translation",
                                            "waits for a translation request",
                                            "waits for a page",
                                            "backs off",
                                            "waits for earlier writes",
                                            "sent"};
  // Answered ones are done; their slots are only recycled at the next wake-up.
  std::vector<bool> answered(accesses_.size());
  for (std::size_t i = 0; i < released_.size(); ++i) {
    answered[released_[i].value] = true;
  }
  for (std::size_t i = 0; i < accesses_.size(); ++i) {
    const Access& access = accesses_[i];
    if (access.state != State::kFree && !answered[i]) {
      out << fmt::format("{}: {} at {:#x}, PASID {}: {}\n", name(), access.write ? "write" : "read",
                         access.address,
                         access.space.has_pasid ? std::to_string(access.space.pasid.value()) : "none",
                         kStates[static_cast<unsigned>(access.state)]);
    }
  }
  for (const tlm::tlm_generic_payload* payload : waiting_) {
    out << fmt::format("{}: access at {:#x} waits at the input\n", name(), payload->get_address());
  }
  for (unsigned itag = 0; itag < kItags; ++itag) {
    if (invalidations_[itag].active) {
      out << fmt::format("{}: invalidation with ITag {} waits for {} reads\n", name(), itag,
                         invalidations_[itag].reads);
    }
  }
  if (pages_.groups_outstanding() != 0) {
    out << fmt::format("{}: {} page request groups without response, {} wishes without credit\n", name(),
                       pages_.groups_outstanding(), pages_.waiting());
  }
}

}  // namespace svasim
