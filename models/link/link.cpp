#include "models/link/link.h"

#include <fmt/format.h>

#include "base/check.h"
#include "tlm/deferrable_write.h"
#include "tlm/direct_grant.h"

namespace svasim {

namespace {

constexpr Ps kHandOver = 1;  // every message has a positive delay; taken out of the link's latency

PcieExtension& pcie_of(tlm::tlm_generic_payload& payload) { return Transaction::of(payload).pcie; }

// An access of the memory bus that the device answers with a completion.
bool is_completed(const tlm::tlm_generic_payload& access) {
  return access.is_read() || access.get_extension<DeferrableWrite>() != nullptr;
}

}  // namespace

PcieLink::PcieLink(sc_core::sc_module_name name, const LinkParams& params, SimContext& context)
    : sc_core::sc_module(name),
      params_(params),
      up_in_("up_in", *this, kUpIn),
      up_out_("up_out", *this, kUpOut),
      down_in_("down_in", *this, kDownIn),
      down_out_("down_out", *this, kDownOut),
      mmio_in_("mmio_in", *this, kMmioIn),
      wake_("wake"),
      drain_wake_("drain_wake"),
      up_time_(params.lanes * params.lane_rate),
      down_time_(params.lanes * params.lane_rate),
      posted_(params.posted_credits),
      non_posted_(params.non_posted_credits),
      down_(params.latency - kHandOver),
      pool_(context.pool) {
  SC_HAS_PROCESS(PcieLink);
  SC_METHOD(run);
  sensitive << wake_.event();
  dont_initialize();
  SC_METHOD(drain);
  sensitive << drain_wake_.event();
  dont_initialize();
  stats_.describe(context.stats, this->name());
}

std::uint64_t PcieLink::request_bytes(tlm::tlm_generic_payload& payload) const {
  const PcieExtension& pcie = pcie_of(payload);
  switch (pcie.kind) {
    case TlpKind::kMemWrite:
      return wire_bytes(payload.get_data_length(), pcie.has_pasid);
    case TlpKind::kInvalidateRequest:
      return wire_bytes(sizeof(pcie.body), pcie.has_pasid);
    default:
      return wire_bytes(0, pcie.has_pasid);
  }
}

std::uint64_t PcieLink::completion_bytes(tlm::tlm_generic_payload& payload) const {
  const PcieExtension& pcie = pcie_of(payload);
  if (pcie.kind == TlpKind::kTranslationRequest) {
    const bool success = pcie.status == CompletionStatus::kSuccess;
    return wire_bytes(success ? pcie.translations * sizeof(std::uint64_t) : 0, false);
  }
  const bool data = pcie.status == CompletionStatus::kSuccess && !payload.is_write();
  return wire_bytes(data ? payload.get_data_length() : 0, false);
}

tlm::tlm_sync_enum PcieLink::nb_transport_fw(unsigned port, tlm::tlm_generic_payload& payload,
                                             tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  if (phase == tlm::END_RESP) {
    return tlm::TLM_COMPLETED;
  }
  SVASIM_CHECK(phase == tlm::BEGIN_REQ, "illegal phase at a link");
  const Ps ready = now_ps() + delay.value();
  if (port == kUpIn) {
    send_up(payload, ready);
    return tlm::TLM_ACCEPTED;
  }
  if (port == kDownIn) {
    send_down(payload, kMessage, ready);
    return tlm::TLM_ACCEPTED;
  }
  if (mmio_free_.empty()) {
    mmio_free_.push_back(static_cast<std::uint32_t>(mmio_.size()));
    mmio_.push_back(nullptr);
  }
  Transaction& access = begin_mmio(payload);
  access.pcie.slot = mmio_free_.back();
  mmio_free_.pop_back();
  mmio_[access.pcie.slot] = &payload;
  send_down(access, kMmio, ready);
  phase = tlm::END_REQ;
  return tlm::TLM_UPDATED;
}

// What the memory bus asks, as the device sees it.
Transaction& PcieLink::begin_mmio(tlm::tlm_generic_payload& payload) {
  Transaction& access = pool_.allocate(payload.get_command(), payload.get_address(), payload.get_data_ptr(),
                                       payload.get_data_length(), now_ps());
  if (auto* deferrable = payload.get_extension<DeferrableWrite>()) access.set_extension(deferrable);
  return access;
}

void PcieLink::end_mmio(Transaction& access, tlm::tlm_generic_payload& payload) {
  payload.set_response_status(access.get_response_status() == tlm::TLM_INCOMPLETE_RESPONSE
                                  ? tlm::TLM_OK_RESPONSE
                                  : access.get_response_status());
  access.clear_extension<DeferrableWrite>();
  access.release();
}

void PcieLink::send_up(tlm::tlm_generic_payload& payload, Ps ready) {
  PcieExtension& pcie = pcie_of(payload);
  const bool posted = is_posted(pcie.kind);
  const bool behind = !waiting_posted_.empty() || (!posted && !waiting_non_posted_.empty());
  if (!behind && credits_of(pcie).take(ready)) {
    depart_up(payload, ready);
    return;
  }
  stats_.credit_stalls.add();
  (posted ? waiting_posted_ : waiting_non_posted_).push_back(Waiting{&payload, ready});
  drain_wake_.arm(std::max(credits_of(pcie).next(), now_ps() + 1));
}

void PcieLink::depart_up(tlm::tlm_generic_payload& payload, Ps ready) {
  PcieExtension& pcie = pcie_of(payload);
  pcie.holds_credit = true;
  const std::uint64_t bytes = request_bytes(payload);
  stats_.up_packets.add();
  stats_.up_bytes.add(bytes);
  up_busy_until_ = std::max(ready, up_busy_until_) + up_time_(bytes);
  const Ps arrival = up_busy_until_ + params_.latency;
  pcie.attribution.charge(Stage::kLink, arrival);
  if (pcie.kind == TlpKind::kMemWrite) {
    // The sender is rid of a write when its last byte is on the wire.
    tlm::tlm_phase left = tlm::END_REQ;
    sc_core::sc_time leaving = to_sc(up_busy_until_ - now_ps());
    up_in_->nb_transport_bw(payload, left, leaving);
  }
  tlm::tlm_phase phase = tlm::BEGIN_REQ;
  sc_core::sc_time delay = to_sc(arrival - now_ps());
  up_out_->nb_transport_fw(payload, phase, delay);
}

void PcieLink::drain() {
  drain_wake_.fired();
  // WHY in a second step: requests the device sends at this very instant go first, whichever
  // process runs first.
  if (!draining_) {
    draining_ = true;
    drain_wake_.arm(now_ps());
    return;
  }
  draining_ = false;
  const Ps now = now_ps();
  const auto send_waiting = [&](std::deque<Waiting>& waiting, Credits& credits) {
    while (!waiting.empty() && credits.take(std::max(now, waiting.front().ready))) {
      const Waiting first = waiting.front();
      waiting.pop_front();
      const Ps ready = std::max(now, first.ready);
      stats_.credit_wait.record(ready - first.ready);
      depart_up(*first.payload, ready);
    }
  };
  send_waiting(waiting_posted_, posted_);
  if (waiting_posted_.empty()) {
    send_waiting(waiting_non_posted_, non_posted_);
    if (!waiting_non_posted_.empty()) {
      drain_wake_.arm(std::max(non_posted_.next(), now + 1));
    }
  } else {
    drain_wake_.arm(std::max(posted_.next(), now + 1));
  }
}

void PcieLink::end_request(PcieExtension& pcie, Ps when) {
  if (!pcie.holds_credit) {
    return;
  }
  pcie.holds_credit = false;
  const Ps back = when + params_.latency;
  credits_of(pcie).give_back(back);
  if (!waiting_posted_.empty() || !waiting_non_posted_.empty()) {
    drain_wake_.arm(back);
  }
}

tlm::tlm_sync_enum PcieLink::nb_transport_bw(unsigned port, tlm::tlm_generic_payload& payload,
                                             tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  const Ps when = now_ps() + delay.value();
  PcieExtension& pcie = pcie_of(payload);
  if (port == kUpOut) {
    end_request(pcie, when);
    if (phase == tlm::BEGIN_RESP) {
      send_down(payload, kCompletion, when);
      return tlm::TLM_COMPLETED;
    }
    SVASIM_CHECK(phase == tlm::END_REQ, "illegal phase from the root side of a link");
    return tlm::TLM_ACCEPTED;
  }
  if (phase == tlm::END_REQ) {
    return tlm::TLM_ACCEPTED;
  }
  SVASIM_CHECK(phase == tlm::BEGIN_RESP, "illegal phase from the device side of a link");
  if (pcie.kind == TlpKind::kMemRead || pcie.kind == TlpKind::kMemWrite) {
    answer_mmio(static_cast<Transaction&>(payload), when);
    return tlm::TLM_COMPLETED;
  }
  return down_in_->nb_transport_bw(payload, phase, delay);
}

void PcieLink::answer_mmio(Transaction& access, Ps ready) {
  Ps arrival = ready;
  if (is_completed(access)) {
    const std::uint64_t bytes = completion_bytes(access);
    stats_.up_packets.add();
    stats_.up_bytes.add(bytes);
    up_busy_until_ = std::max(ready, up_busy_until_) + up_time_(bytes);
    arrival = up_busy_until_ + params_.latency;
  }
  const std::uint32_t slot = access.pcie.slot;
  tlm::tlm_generic_payload& payload = *mmio_[slot];
  mmio_[slot] = nullptr;
  mmio_free_.push_back(slot);
  end_mmio(access, payload);
  tlm::tlm_phase phase = tlm::BEGIN_RESP;
  sc_core::sc_time delay = to_sc(arrival - now_ps());
  mmio_in_->nb_transport_bw(payload, phase, delay);
}

void PcieLink::send_down(tlm::tlm_generic_payload& payload, DownClass kind, Ps ready) {
  const PcieExtension& pcie = pcie_of(payload);
  Ps duration = 0;
  // A posted request's answer is no packet: it only tells the sender that it is done.
  if (kind != kCompletion || !is_posted(pcie.kind)) {
    const std::uint64_t bytes = kind == kCompletion ? completion_bytes(payload) : request_bytes(payload);
    stats_.down_packets.add();
    stats_.down_bytes.add(bytes);
    duration = down_time_(bytes);
  }
  const std::uint64_t key = (static_cast<std::uint64_t>(kind) << 60U) | (kind == kCompletion ? pcie.id : 0);
  wake_.arm(down_.push(ready, key, duration, Down{&payload, kind}));
}

void PcieLink::run() {
  wake_.fired();
  const Ps now = now_ps();
  while (down_.ready(now)) {
    const auto served = down_.serve();
    deliver_down(served.value, served.done + kHandOver);
  }
  wake_.arm(down_.next());
}

void PcieLink::deliver_down(const Down& down, Ps when) {
  sc_core::sc_time delay = to_sc(when - now_ps());
  if (down.kind == kCompletion) {
    tlm::tlm_phase phase = tlm::BEGIN_RESP;
    pcie_of(*down.payload).attribution.charge(Stage::kLink, when);
    up_in_->nb_transport_bw(*down.payload, phase, delay);
  } else {
    tlm::tlm_phase phase = tlm::BEGIN_REQ;
    down_out_->nb_transport_fw(*down.payload, phase, delay);
  }
}

void PcieLink::b_transport(unsigned port, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  if (port == kMmioIn) {
    Transaction& access = begin_mmio(payload);
    delay += to_sc(down_time_(request_bytes(access)) + params_.latency);
    down_out_->b_transport(access, delay);
    if (is_completed(access)) {
      delay += to_sc(up_time_(completion_bytes(access)) + params_.latency);
    }
    end_mmio(access, payload);
    return;
  }
  PcieExtension& pcie = pcie_of(payload);
  const bool up = port == kUpIn;
  const std::uint64_t bytes = request_bytes(payload);
  (up ? stats_.up_packets : stats_.down_packets).add();
  (up ? stats_.up_bytes : stats_.down_bytes).add(bytes);
  delay += to_sc((up ? up_time_ : down_time_)(bytes) + params_.latency);
  if (!up) {
    down_out_->b_transport(payload, delay);
    return;
  }
  const Ps now = now_ps();
  pcie.attribution.charge(Stage::kLink, now + delay.value());
  up_out_->b_transport(payload, delay);
  if (!is_posted(pcie.kind)) {
    const std::uint64_t back = completion_bytes(payload);
    stats_.down_packets.add();
    stats_.down_bytes.add(back);
    delay += to_sc(down_time_(back));
  }
  delay += to_sc(params_.latency);
  pcie.attribution.charge(Stage::kLink, now + delay.value());
}

// What b_transport does to a request that succeeds, once for all.
bool PcieLink::get_direct_mem_ptr(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) {
  auto* ledger = payload.get_extension<UseLedger>();
  if (port != kUpIn || ledger == nullptr || !up_out_->get_direct_mem_ptr(payload, dmi)) {
    return false;
  }
  PcieExtension& pcie = pcie_of(payload);
  const std::uint64_t bytes = request_bytes(payload);
  Ps time = up_time_(bytes) + 2 * params_.latency;
  ledger->count(stats_.up_packets);
  ledger->count(stats_.up_bytes, bytes);
  if (!is_posted(pcie.kind)) {
    const std::uint64_t back = completion_bytes(payload);
    ledger->count(stats_.down_packets);
    ledger->count(stats_.down_bytes, back);
    time += down_time_(back);
  }
  pcie.attribution.charge(Stage::kLink, pcie.attribution.mark() + time);
  add_latency(dmi, payload, time);
  return true;
}

void PcieLink::invalidate_direct_mem_ptr(unsigned port, Addr first, Addr last) {
  if (port == kUpOut) {
    up_in_->invalidate_direct_mem_ptr(first, last);
  }
}

unsigned PcieLink::transport_dbg(unsigned port, tlm::tlm_generic_payload& payload) {
  return port == kUpIn ? up_out_->transport_dbg(payload) : down_out_->transport_dbg(payload);
}

std::uint64_t PcieLink::in_flight() const {
  return down_.size() + waiting_posted_.size() + waiting_non_posted_.size() + mmio_.size() -
         mmio_free_.size() + posted_.in_use() + non_posted_.in_use();
}

void PcieLink::dump_in_flight(std::ostream& out) const {
  const auto line = [&](const tlm::tlm_generic_payload* payload, const char* what) {
    out << fmt::format("{}: {} at {:#x} of {} B\n", name(), what, payload->get_address(),
                       payload->get_data_length());
  };
  for (const Waiting& waiting : waiting_posted_) {
    line(waiting.payload, "posted request waits for a credit");
  }
  for (const Waiting& waiting : waiting_non_posted_) {
    line(waiting.payload, "non-posted request waits for a credit");
  }
  down_.for_each([&](const Down& down, Ps) { line(down.payload, "packet on its way to the device"); });
  const auto credits = [&](const Credits& pool, const char* what) {
    if (pool.in_use() != 0) {
      out << fmt::format("{}: {} {} credits not returned\n", name(), pool.in_use(), what);
    }
  };
  credits(posted_, "posted");
  credits(non_posted_, "non-posted");
  for (const tlm::tlm_generic_payload* payload : mmio_) {
    if (payload != nullptr) {
      line(payload, "access of the memory bus waits for the device");
    }
  }
}

}  // namespace svasim
