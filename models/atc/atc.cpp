#include "models/atc/atc.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

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
      retry_(retry_policy(params.page_requests.retry)),
      pages_(params.page_requests, params.misbehave.ignores_credits),
      accesses_(params.accesses),
      fault_times_(params.accesses),
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
  for (unsigned number = 0; number < params.engines * params.fields; ++number) {
    const std::string stream =
        number == 0 ? std::string(this->name()) : fmt::format("{}.{}", this->name(), number);
    caches_.push_back(std::make_unique<AtcCache>(params.cache, context.seed, stream));
  }
  newest_.resize(caches_.size());
  stats_.describe(context.stats, this->name());
}

void Atc::enable_ats(bool on) {
  if (on != ats_) {
    // SPEC: [ATS 4.3] translations under way go with the others.
    for (const auto& cache : caches_) {
      cache->clear();
    }
    held_.clear();
    log_.add_everything();
  }
  ats_ = on;
}

void Atc::push(Ps due, Work kind, std::uint64_t number, std::uint32_t index,
               tlm::tlm_generic_payload* payload) {
  const std::uint64_t key =
      (static_cast<std::uint64_t>(kind) << 56U) | (number & ~(std::uint64_t{0xFF} << 56U));
  work_.push(due, key, Item{kind, index, number, payload});
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
      case Work::kCompletion:
        combined_completion(item.index);
        break;
      case Work::kTimeout:
        response_overdue(item.index, item.number);
        break;
      case Work::kRetry:
        // It may have been stopped meanwhile.
        if (accesses_[item.index].state == State::kBackoff && accesses_[item.index].pcie->id == item.number) {
          look_up(item.index, false);
        }
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

void Atc::send_message(Transaction& message, Ps when) {
  message.pcie.id = next_id_++;
  Ps& last = last_posted_[message.pcie.traffic_class];
  last = std::max(last, when);
  tlm::tlm_phase phase = tlm::BEGIN_REQ;
  sc_core::sc_time delay = to_sc(when - now_ps());
  up_out_->nb_transport_fw(message, phase, delay);
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
      unsigned reads = 0;
      for (const unsigned count : invalidations_[itag].reads) reads += count;
      out << fmt::format("{}: invalidation with ITag {} waits for {} reads\n", name(), itag, reads);
    }
  }
  if (pages_.groups_outstanding() != 0) {
    out << fmt::format("{}: {} page request groups without response, {} wishes without credit\n", name(),
                       pages_.groups_outstanding(), pages_.waiting());
  }
}

}  // namespace svasim
