// Page requests, their responses, and stopping a PASID. SPEC: [PRI 6 - 8]
#include <algorithm>

#include "models/atc/atc.h"
#include "models/formats/vtd_invalidation.h"

namespace svasim {

void Atc::send_page_request(const PageRequester::Message& request) {
  const Ps when = now_ps() + params_.latency;
  stats_.page_requests.add();
  stats_.misbehaved.add(pages_.take_excess());
  unsigned index = request.index;
  if (request.last) {
    stats_.page_groups.add();
    if (params_.page_requests.response_timeout != 0) {
      push(when + params_.page_requests.response_timeout, Work::kTimeout, pages_.serial(index), index,
           nullptr);
    }
    if (params_.misbehave.wrong_group_index && wrong_turn(group_turn_)) {
      stats_.misbehaved.add();
      index = (index + 1) % kPrgIndices;
    }
  }
  Transaction& message = context_.pool.allocate(tlm::TLM_IGNORE_COMMAND, request.page, nullptr, 0, when);
  PcieExtension& pcie = message.pcie;
  pcie.kind = TlpKind::kPageRequest;
  pcie.requester = requester_;
  pcie.has_pasid = request.space.has_pasid;
  pcie.privileged = request.space.privileged;
  pcie.pasid = request.space.pasid;
  pcie.body = make_page_request_body(request.page, !request.write, request.write, request.last, index);
  send_message(message, when);
}

void Atc::collect_waiters(std::uint32_t wish) {
  const std::size_t first = resumed_.size();
  for (std::uint32_t slot = pages_.waiters(wish); slot != kNone; slot = accesses_[slot].next) {
    resumed_.push_back(slot);
  }
  // The chain is last in, first out.
  std::reverse(resumed_.begin() + static_cast<std::ptrdiff_t>(first), resumed_.end());
}

// A response ends a try. One that never got into the queue was answered by the IOMMU itself.
void Atc::charge_try(std::uint32_t slot, unsigned group, Ps sent, Ps now) {
  FaultTimes& times = fault_times_[slot];
  const PageFaultLog::Steps& steps = context_.page_faults.steps(requester_, group);
  if (steps[static_cast<std::size_t>(FaultStep::kQueued)] == 0) {
    times.charge(FaultPart::kRejected, now);
    return;
  }
  times.charge(FaultPart::kCredits, std::min(sent, now));
  constexpr std::array<FaultPart, std::size_t(FaultStep::kCount)> kParts = {
      FaultPart::kRequest, FaultPart::kEvent, FaultPart::kHandlerQueue, FaultPart::kService};
  for (std::size_t i = 0; i < kParts.size(); ++i) times.charge(kParts[i], std::min(steps[i], now));
  times.charge(FaultPart::kResponse, now);
}

void Atc::fault_ended(std::uint32_t slot, Ps ready) {
  FaultTimes& times = fault_times_[slot];
  times.charge(FaultPart::kRetry, ready);
  for (std::size_t i = 0; i < kFaultParts; ++i) stats_.page_fault_parts[i].add(times.parts[i]);
  stats_.page_fault_latency.record(ready - accesses_[slot].arrived);
}

void Atc::page_response(const PcieExtension& response) {
  const Ps now = now_ps();
  resumed_.clear();
  const auto end_wish = [&](std::uint32_t wish) {
    stats_.page_request_latency.record(now - pages_.since(wish));
    collect_waiters(wish);
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
  const Ps sent = journey.mark() - journey.total();
  journey.charge(Stage::kResponse, std::max(now, journey.mark()));
  for (const std::uint32_t slot : resumed_) {
    charge_try(slot, response.prg_index, sent, now);
    accesses_[slot].pcie->attribution.adopt_since_mark(journey, now, Stage::kPageRequest);
    resume(slot, code);
  }
}

void Atc::response_overdue(unsigned group, std::uint64_t serial) {
  resumed_.clear();
  if (!pages_.give_up(group, serial, [this](std::uint32_t wish) { collect_waiters(wish); })) {
    return;
  }
  stats_.response_timeouts.add();
  const Ps now = now_ps();
  for (const std::uint32_t slot : resumed_) {
    accesses_[slot].pcie->attribution.charge(Stage::kPageRequest, now);
    finish(slot, AccessOutcome::kResponseFailure, CompletionStatus::kUnsupportedRequest, now + 1);
  }
}

// SPEC: [PRI 8]: what waits for pages ends, responses still to come only give credits and index back, and the
// marker pushes the page requests before it. No group is incomplete: they are sent as a whole.
void Atc::stop_pasid(tlm::tlm_generic_payload& marker) {
  PcieExtension& pcie = *marker.get_extension<PcieExtension>();
  const Ps now = now_ps();
  resumed_.clear();
  pages_.stop(pcie.pasid, [this](std::uint32_t wish) { collect_waiters(wish); });
  for (std::uint32_t slot = 0; slot < accesses_.size(); ++slot) {
    Access& access = accesses_[slot];
    if (!access.space.has_pasid || access.space.pasid != pcie.pasid) {
      continue;
    }
    access.stopped = true;
    if (access.state == State::kBackoff) {
      resumed_.push_back(slot);
    }
  }
  for (const std::uint32_t slot : resumed_) {
    const bool paging = accesses_[slot].state == State::kPaging;
    accesses_[slot].pcie->attribution.charge(paging ? Stage::kPageRequest : Stage::kAtc, now);
    stats_.stopped.add();
    finish(slot, AccessOutcome::kStopped, CompletionStatus::kUnsupportedRequest, now + 1);
  }
  const Ps when = now + params_.latency;
  stats_.stop_markers.add();
  Transaction& message = context_.pool.allocate(tlm::TLM_IGNORE_COMMAND, 0, nullptr, 0, when);
  message.pcie.kind = TlpKind::kPageRequest;
  message.pcie.requester = pcie.requester;
  message.pcie.has_pasid = true;
  message.pcie.pasid = pcie.pasid;
  message.pcie.body = make_page_request_body(0, false, false, true, 0);
  send_message(message, when);
  pcie.attribution.charge(Stage::kAtc, when);
  marker.set_response_status(tlm::TLM_OK_RESPONSE);
  for (tlm::tlm_phase phase : {tlm::tlm_phase(tlm::END_REQ), tlm::tlm_phase(tlm::BEGIN_RESP)}) {
    sc_core::sc_time delay = to_sc(when - now);
    up_in_->nb_transport_bw(marker, phase, delay);
  }
}

}  // namespace svasim
