#include "models/traffic/linux_replay.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace svasim {
namespace {

bool is_message(const Transaction& transaction) {
  return transaction.pcie.kind != TlpKind::kMemRead && transaction.pcie.kind != TlpKind::kMemWrite;
}

}  // namespace

LinuxReplay::LinuxReplay(sc_core::sc_module_name name, const LinuxReplayParams& params,
                         LinuxReplayInput& input, SimContext& context)
    : sc_core::sc_module(name),
      params_(params),
      input_(input),
      session_(input.session),
      context_(context),
      req_("req", *this, 0),
      msg_("msg", *this, 1),
      port_("memory", *this),
      wake_("wake"),
      slots_(params.window) {
  for (std::uint32_t i = params.window; i-- > 0;) {
    slots_[i].data.resize(kPageSize);
    free_slots_.push_back(i);
  }
  SC_HAS_PROCESS(LinuxReplay);
  SC_METHOD(run);
  sensitive << wake_.event();
  dont_initialize();

  if (params.probes) session_.take_probes();
  const std::string prefix = this->name();
  stats_.describe(context.stats, prefix);
  report().describe(context.stats, prefix + ".capture");
}

void LinuxReplay::schedule(Ps delay, Work work, std::uint32_t index, tlm::tlm_generic_payload* payload) {
  const Ps due = now_ps() + delay;
  events_.push(due, static_cast<std::uint64_t>(work) << 32U | index, Event{work, payload, index});
  wake_.arm(due);
}

void LinuxReplay::run() {
  wake_.fired();
  while (events_.due() <= now_ps()) {
    const Event event = events_.pop();
    switch (event.work) {
      case Work::kMessage:
        answer_message(messages_[event.index]);
        break;
      case Work::kAccessDone:
        request_done(event.index, Transaction::of(*event.payload));
        break;
      case Work::kHostDone:
        host_done(static_cast<Transaction&>(*event.payload));
        break;
      case Work::kPause:
        continue_host();
        break;
      case Work::kStart:
        break;
    }
  }
  advance();
  wake_.arm(events_.due());
}

// Takes steps of the capture as long as they may start now.
void LinuxReplay::advance() {
  while (host_ == Host::kIdle && !done_) {
    const bool idle = free_slots_.size() == slots_.size();
    if (!faults_.empty() || alone_) {
      if (!idle) return;
      alone_ = false;
      if (!faults_.empty()) {
        service_faults();
        return;
      }
    }
    const ReplayStep step = session_.next();
    if (session_.may_overlap() ? free_slots_.empty() : !idle) return;
    alone_ = step == ReplayStep::kAccess && !session_.may_overlap();
    session_.take();
    switch (step) {
      case ReplayStep::kBoot:
        boot();
        break;
      case ReplayStep::kAccess:
        start_access();
        break;
      case ReplayStep::kEdit:
        span_ = 0;
        store_next();
        break;
      case ReplayStep::kInvalidation:
        push_descriptor();
        break;
      case ReplayStep::kSnapshot:
        compare_snapshot();
        break;
      case ReplayStep::kEnd:
        ending_ = true;
        since_wait_ == 0 ? end_replay() : drain_ring();
        break;
    }
  }
}

void LinuxReplay::start_access() {
  const std::uint32_t index = free_slots_.back();
  free_slots_.pop_back();
  Slot& slot = slots_[index];
  slot.access = session_.access();
  slot.at = slot.access.iova;
  slot.verdict = ReplaySession::Verdict::kEqual;
  slot.answer = {};
  slot.busy = true;
  send_request(index);
}

void LinuxReplay::send_request(std::uint32_t index) {
  Slot& slot = slots_[index];
  const ReplayAccess& access = slot.access;
  const std::uint64_t left = access.iova + (access.length - 1) - slot.at + 1;
  slot.length = std::min(left, kPageSize - (slot.at & (kPageSize - 1)));
  if (access.is_write) std::fill_n(slot.data.begin(), slot.length, static_cast<unsigned char>(0));
  Transaction& transaction =
      context_.pool.allocate(access.is_write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND, slot.at,
                             slot.data.data(), slot.length, now_ps() + params_.gap);
  transaction.pcie.requester = access.requester;
  transaction.pcie.has_pasid = access.has_pasid;
  transaction.pcie.pasid = access.pasid;
  send_up(transaction, params_.gap, index);
}

void LinuxReplay::send_up(Transaction& transaction, Ps delay, std::uint32_t slot) {
  transaction.pcie.id = (++next_id_ << kSlotBits) | slot;
  sc_core::sc_time time = to_sc(delay);
  if (context_.loose()) {
    req_->b_transport(transaction, time);
    if (is_message(transaction)) {
      transaction.release();
    } else {
      schedule(time.value(), Work::kAccessDone, slot, &transaction);
    }
    return;
  }
  tlm::tlm_phase phase = tlm::BEGIN_REQ;
  req_->nb_transport_fw(transaction, phase, time);
}

tlm::tlm_sync_enum LinuxReplay::nb_transport_bw(unsigned /*port*/, tlm::tlm_generic_payload& payload,
                                                tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  if (phase != tlm::BEGIN_RESP) return tlm::TLM_ACCEPTED;
  Transaction& transaction = Transaction::of(payload);
  if (is_message(transaction)) {
    transaction.release();
  } else {
    const auto slot = static_cast<std::uint32_t>(transaction.pcie.id & ((1U << kSlotBits) - 1));
    schedule(std::max<Ps>(delay.value(), 1), Work::kAccessDone, slot, &payload);
  }
  return tlm::TLM_COMPLETED;
}

void LinuxReplay::request_done(std::uint32_t index, Transaction& transaction) {
  Slot& slot = slots_[index];
  const PcieExtension& pcie = transaction.pcie;
  ReplayAccess::Answer answer;
  if (pcie.fault != FaultReason::kNone) {
    answer.fault = pcie.fault;
    stats_.accesses.faults.add();
    faults_.push_back({slot.access, slot.at, pcie.fault});
  } else {
    answer.page = pcie.translation.address;
    answer.page_shift = pcie.translation.page_shift;
    if (pcie.status != CompletionStatus::kSuccess) stats_.memory_errors.add();
  }
  stats_.accesses.complete(slot.access.is_write, slot.length, pcie.attribution);
  const bool hit = pcie.translation.hit;
  transaction.release();

  const ReplaySession::Verdict verdict = session_.judge(slot.access, slot.at, answer);
  if (slot.at == slot.access.iova) session_.count_hit(slot.access, hit);
  if (slot.at == slot.access.iova || verdict > slot.verdict) {
    slot.verdict = verdict;
    slot.answer = answer;
    slot.answer_at = slot.at;
  }
  slot.at += slot.length;
  if (slot.at != slot.access.iova + slot.access.length) {
    send_request(index);
    return;
  }
  session_.count(slot.access, slot.verdict, slot.answer_at, slot.answer);
  slot.busy = false;
  free_slots_.push_back(index);
}

// --- Messages to the devices

tlm::tlm_sync_enum LinuxReplay::nb_transport_fw(unsigned /*port*/, tlm::tlm_generic_payload& payload,
                                                tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  if (phase == tlm::BEGIN_REQ) take_message(&payload, Transaction::of(payload).pcie, delay.value());
  return tlm::TLM_ACCEPTED;
}

void LinuxReplay::b_transport(unsigned /*port*/, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  take_message(nullptr, Transaction::of(payload).pcie, delay.value());
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
}

void LinuxReplay::take_message(tlm::tlm_generic_payload* payload, const PcieExtension& pcie, Ps delay) {
  const auto free =
      std::find_if(messages_.begin(), messages_.end(), [](const Message& m) { return !m.busy; });
  const auto index = static_cast<std::uint32_t>(free - messages_.begin());
  if (free == messages_.end()) messages_.emplace_back();
  messages_[index] = {payload, pcie, true};
  schedule(std::max<Ps>(delay, 1), Work::kMessage, index);
}

void LinuxReplay::answer_message(Message& message) {
  if (message.payload != nullptr) {
    message.payload->set_response_status(tlm::TLM_OK_RESPONSE);
    for (tlm::tlm_phase phase : {tlm::tlm_phase(tlm::END_REQ), tlm::tlm_phase(tlm::BEGIN_RESP)}) {
      sc_core::sc_time delay = to_sc(1);
      msg_->nb_transport_bw(*message.payload, phase, delay);
    }
  }
  message.busy = false;
  if (message.pcie.kind != TlpKind::kInvalidateRequest) return;
  stats_.device_invalidations.add();
  const Ps leave = now_ps() + params_.gap;
  Transaction& completion = context_.pool.allocate(tlm::TLM_IGNORE_COMMAND, 0, nullptr, 0, leave);
  completion.pcie.kind = TlpKind::kInvalidateCompletion;
  completion.pcie.requester = message.pcie.requester;
  completion.pcie.itag_vector = std::uint32_t{1} << message.pcie.itag;
  completion.pcie.completion_count = 1;
  send_up(completion, params_.gap);
}

// --- Inspection

std::uint64_t LinuxReplay::in_flight() const {
  return slots_.size() - free_slots_.size() + (host_ == Host::kIdle ? 0 : 1);
}

void LinuxReplay::dump_in_flight(std::ostream& out) const {
  for (const Slot& slot : slots_) {
    if (!slot.busy) continue;
    out << fmt::format("{}: {} of {} at IOVA {:#x}, {} B, recorded in line {}: waits for its answer\n",
                       name(), slot.access.is_write ? "write" : "read", to_string(slot.access.requester),
                       slot.at, slot.length, slot.access.line);
  }
  if (host_ == Host::kPoll || host_ == Host::kPollPause) {
    out << fmt::format("{}: the driver waits for the status of a wait descriptor at {:#x}, {}\n", name(),
                       session_.invalidation().status_address,
                       session_.invalidation().line == 0
                           ? "its own"
                           : fmt::format("recorded in line {}", session_.invalidation().line));
  } else if (host_ != Host::kIdle) {
    out << fmt::format("{}: the driver waits for memory or a register\n", name());
  }
}

}  // namespace svasim
