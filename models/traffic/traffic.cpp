#include "models/traffic/traffic.h"

#include <fmt/format.h>

#include <cstring>

#include "base/check.h"

namespace svasim {

namespace {

// A request's id: its number, then its slot.
constexpr unsigned kSlotBits = 16;
std::uint32_t slot_of(const Transaction& transaction) {
  return static_cast<std::uint32_t>(transaction.pcie.id & ((1U << kSlotBits) - 1));
}

}  // namespace

TrafficGenerator::TrafficGenerator(sc_core::sc_module_name name, const TrafficParams& params,
                                   SimContext& context)
    : sc_core::sc_module(name),
      params_(params),
      context_(context),
      req_("req", *this, 0),
      msg_("msg", *this, 0),
      wake_("wake"),
      done_event_("done"),
      rng_(context.seed, this->name()),
      verify_(params.verify == "address"),
      random_(params.pattern == "random"),
      positions_((params.range - params.size) / params.stride + 1),
      slots_(params.outstanding),
      next_(params.outstanding, 0) {
  for (Slot& slot : slots_) {
    slot.data.resize(params.size);
  }
  SC_HAS_PROCESS(TrafficGenerator);
  SC_METHOD(run);
  sensitive << wake_.event();
  dont_initialize();
  stats_.describe(context.stats, this->name());
}

void TrafficGenerator::run() {
  wake_.fired();
  const Ps now = now_ps();
  while (messages_.due() <= now) {
    // A function without ATS has nothing to invalidate. SPEC: [ATS 4.1]
    tlm::tlm_generic_payload& message = *messages_.pop();
    message.get_extension<PcieExtension>()->status = CompletionStatus::kUnsupportedRequest;
    tlm::tlm_phase phase = tlm::BEGIN_RESP;
    sc_core::sc_time delay = to_sc(1);
    msg_->nb_transport_bw(message, phase, delay);
  }
  wake_.arm(messages_.due());
  if (context_.loose()) {
    run_loose(now);
    return;
  }
  if (started_) {
    return;
  }
  started_ = true;
  for (std::uint32_t i = 0; issued_ < params_.count && i < slots_.size(); ++i) {
    issue(i, params_.gap);
  }
}

void TrafficGenerator::start_of_simulation() {
  if (params_.start) {
    wake_.arm(0);
  } else {
    started_ = true;
  }
}

void TrafficGenerator::restart() {
  SVASIM_CHECK(in_flight() == 0, "a traffic generator is restarted when it is idle");
  issued_ = 0;
  completed_ = 0;
  started_ = false;
  std::fill(next_.begin(), next_.end(), 0);
  wake_.arm(now_ps());
}

TrafficGenerator::Access TrafficGenerator::next_access() {
  Access access{};
  if (random_) {
    access.iova = params_.base + rng_.below(positions_) * params_.stride;
  } else {
    access.iova = params_.base + position_ * params_.stride;
    position_ = position_ + 1 == positions_ ? 0 : position_ + 1;
  }
  access.write = params_.write_percent != 0 && rng_.below(100) < params_.write_percent;
  ++issued_;
  return access;
}

Transaction& TrafficGenerator::make(std::uint32_t index, Access access, Ps leave) {
  Slot& slot = slots_[index];
  slot.iova = access.iova;
  slot.busy = true;
  if (access.write) {
    fill(slot.data.data(), access.iova);
  }
  const tlm::tlm_command command = access.write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND;
  const std::uint64_t id = (issued_ << kSlotBits) | index;
  if (slot.payload != nullptr) {
    Transaction& transaction = *slot.payload;
    transaction.set_command(command);
    transaction.set_address(access.iova);
    transaction.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
    transaction.set_dmi_allowed(false);
    transaction.pcie.kind = access.write ? TlpKind::kMemWrite : TlpKind::kMemRead;
    transaction.pcie.repeat(id, access.iova, leave);
    return transaction;
  }
  Transaction& transaction =
      context_.pool.allocate(command, access.iova, slot.data.data(), slot.data.size(), leave);
  transaction.pcie.requester = params_.bdf;
  transaction.pcie.has_pasid = params_.use_pasid;
  transaction.pcie.pasid = Pasid(params_.pasid);
  transaction.pcie.no_snoop = params_.no_snoop;
  transaction.pcie.id = id;
  return transaction;
}

void TrafficGenerator::issue(std::uint32_t slot, Ps delay) {
  Transaction& transaction = make(slot, next_access(), now_ps() + delay);
  tlm::tlm_phase phase = tlm::BEGIN_REQ;
  sc_core::sc_time time = to_sc(delay);
  req_->nb_transport_fw(transaction, phase, time);
}

tlm::tlm_sync_enum TrafficGenerator::nb_transport_bw(unsigned /*port*/, tlm::tlm_generic_payload& payload,
                                                     tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  if (phase != tlm::BEGIN_RESP) {
    return tlm::TLM_ACCEPTED;
  }
  auto& transaction = static_cast<Transaction&>(payload);
  const auto slot = slot_of(transaction);
  complete(transaction, now_ps() + delay.value());
  transaction.release();
  if (issued_ < params_.count) {
    issue(slot, delay.value() + params_.gap);
  }
  return tlm::TLM_COMPLETED;
}

void TrafficGenerator::complete(Transaction& transaction, Ps when) {
  Slot& slot = slots_[slot_of(transaction)];
  slot.busy = false;
  stats_.complete(transaction.is_write(), params_.size, transaction.pcie.attribution);
  if (transaction.pcie.status != CompletionStatus::kSuccess) {
    stats_.faults.add();
  } else if (verify_ && transaction.is_read() && !matches(slot.data.data(), slot.iova)) {
    stats_.wrong_data.add();
  }
  count_done(when);
}

void TrafficGenerator::count_done(Ps when) {
  finished_at_ = std::max(finished_at_, when);
  if (++completed_ == params_.count) {
    done_event_.notify(to_sc(when - now_ps()));
  }
}

void TrafficGenerator::fill(unsigned char* data, Addr iova) const {
  for (std::size_t i = 0; i < params_.size; i += 8) {
    const std::uint64_t word = word_at(iova + i);
    std::memcpy(data + i, &word, sizeof(word));
  }
}

bool TrafficGenerator::matches(const unsigned char* data, Addr iova) const {
  std::uint64_t wrong = 0;
  std::uint64_t expected = word_at(iova);
  for (std::size_t i = 0; i < params_.size; i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, data + i, sizeof(word));
    wrong |= word ^ expected;
    expected += word_at(8);
  }
  return wrong == 0;
}

tlm::tlm_sync_enum TrafficGenerator::nb_transport_fw(unsigned /*port*/, tlm::tlm_generic_payload& payload,
                                                     tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  if (phase == tlm::BEGIN_REQ) {
    const Ps due = now_ps() + delay.value();
    messages_.push(due, 0, &payload);
    wake_.arm(due);
  }
  return tlm::TLM_ACCEPTED;
}

void TrafficGenerator::b_transport(unsigned /*port*/, tlm::tlm_generic_payload& payload,
                                   sc_core::sc_time& /*delay*/) {
  payload.get_extension<PcieExtension>()->status = CompletionStatus::kUnsupportedRequest;
}

void TrafficGenerator::dump_in_flight(std::ostream& out) const {
  for (const Slot& slot : slots_) {
    if (slot.busy) {
      out << fmt::format("{}: access of {} B at IOVA {:#x}\n", name(), slot.data.size(), slot.iova);
    }
  }
}

}  // namespace svasim
