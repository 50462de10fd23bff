#include "models/prq/prq.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "models/formats/ats_messages.h"
#include "models/formats/vtd_registers.h"
#include "tlm/transaction.h"

namespace svasim {

namespace {

PageRequest decode_message(const PcieExtension& pcie) {
  using B = PageRequestBody;
  PageRequest request;
  request.requester = pcie.requester;
  request.has_pasid = pcie.has_pasid;
  request.pasid = pcie.pasid;
  request.execute = pcie.execute;
  request.privileged = pcie.privileged;
  request.read = B::R::get(pcie.body) != 0;
  request.write = B::W::get(pcie.body) != 0;
  request.last = B::L::get(pcie.body) != 0;
  request.prg_index = static_cast<std::uint16_t>(B::PRGI::get(pcie.body));
  request.page = B::ADDR::in_place(pcie.body);
  return request;
}

PcieExtension& pcie_of(tlm::tlm_generic_payload& payload) { return *payload.get_extension<PcieExtension>(); }

}  // namespace

PageRequestQueue::PageRequestQueue(const sc_core::sc_module_name& name, const PrqParams& params,
                                   SimContext& context)
    : sc_core::sc_module(name),
      params_(params),
      context_(context),
      requests_("requests", *this, 0),
      memory_("memory", *this),
      wake_("wake"),
      slots_(params.outstanding),
      log_(this->name()) {
  SC_HAS_PROCESS(PageRequestQueue);
  SC_METHOD(run);
  sensitive << wake_.event();
  dont_initialize();
  stats_.describe(context.stats, this->name());
}

// One entry stays empty, or a full queue would look like an empty one.
std::uint64_t PageRequestQueue::room() const {
  return std::min(bytes() - kPageRequestDescriptorBytes,
                  std::uint64_t{params_.queue_limit} * kPageRequestDescriptorBytes);
}

std::uint64_t PageRequestQueue::bytes() const { return VtdPqa::bytes(VtdPqa::PQS::get(base_)); }

// --- requests ---

tlm::tlm_sync_enum PageRequestQueue::nb_transport_fw(unsigned /*port*/, tlm::tlm_generic_payload& payload,
                                                     tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  SVASIM_CHECK(phase == tlm::BEGIN_REQ, "illegal phase at a page request queue");
  const Ps due = now_ps() + delay.value();
  arrivals_.push(due, arrived_++, &payload);
  wake_.arm(std::max(due, next_turn_));
  return tlm::TLM_ACCEPTED;
}

void PageRequestQueue::run() {
  wake_.fired();
  catch_up();
}

// Order within an instant: answers of memory, page requests, interrupt messages.
void PageRequestQueue::catch_up() {
  const Ps now = now_ps();
  while (completions_.due() <= now) {
    slots_[completions_.pop()].done = true;
  }
  retire();
  while (arrivals_.due() <= now && next_turn_ <= now && used_slots_ < slots_.size()) {
    const Ps arrived = arrivals_.due();
    take(*arrivals_.pop(), arrived);
  }
  while (messages_.due() <= now) {
    const MsiMessage message = messages_.pop();
    sent_messages_.emplace_back();
    Message& sent = sent_messages_.back();
    std::memcpy(sent.data, &message.data, sizeof sent.data);
    sent.write =
        &context_.pool.allocate(tlm::TLM_WRITE_COMMAND, message.address, sent.data, sizeof sent.data, now);
    sent.write->source.key = ~std::uint64_t{0};
    stats_.events.add();
    if (context_.loose()) {
      Ps delay = 0;
      memory_.access(*sent.write, delay);
      sent.write->release();
      sent_messages_.pop_back();
    } else {
      memory_.send(*sent.write, 1);
    }
  }
  if (used_slots_ < slots_.size() && !arrivals_.empty()) {
    wake_.arm(std::max(arrivals_.due(), std::max(next_turn_, now + 1)));
  }
  wake_.arm(std::min(completions_.due(), messages_.due()));
}

void PageRequestQueue::take(tlm::tlm_generic_payload& request, Ps arrived) {
  const Ps now = now_ps();
  PcieExtension& pcie = pcie_of(request);
  next_turn_ = now + params_.interval;
  stats_.requests.add();
  stats_.wait.record(now - arrived);
  if (!admit(pcie)) {
    answer(request, decode_message(pcie).is_stop_marker(), params_.latency);
    return;
  }
  const auto index = static_cast<std::uint32_t>((first_slot_ + used_slots_) % slots_.size());
  ++used_slots_;
  Slot& slot = slots_[index];
  slot.descriptor = encode_page_request(decode_message(pcie));
  slot.request = &request;
  slot.arrived = arrived;
  slot.done = false;
  slot.failed = false;
  slot.write = &context_.pool.allocate(tlm::TLM_WRITE_COMMAND, VtdPqa::PQA::in_place(base_) + allocated_,
                                       reinterpret_cast<unsigned char*>(slot.descriptor.data()),
                                       sizeof slot.descriptor, now);
  slot.write->pcie.slot = index;
  slot.write->source.key = stats_.requests.value;
  allocated_ = wrap(allocated_ + kPageRequestDescriptorBytes);
  memory_.send(*slot.write, params_.latency);
}

// SPEC: [VTD 7.4, Table 31]
bool PageRequestQueue::admit(const PcieExtension& pcie) {
  const bool marker = decode_message(pcie).is_stop_marker();
  const bool overflowed = VtdPrs::PRO::get(status_) != 0;
  const bool full = failed_ || wrap(allocated_ - head_) >= room();
  if (!overflowed && !full) {
    return true;
  }
  if (marker) {
    stats_.markers_dropped.add();
    return false;
  }
  stats_.rejected.add();
  if (!overflowed) {
    stats_.overflows.add();
    set_status(VtdPrs::PRO::kMask);
  }
  return false;
}

void PageRequestQueue::memory_response(tlm::tlm_generic_payload& payload, Ps delay) {
  for (auto message = sent_messages_.begin(); message != sent_messages_.end(); ++message) {
    if (message->write == &payload) {
      payload.release();
      sent_messages_.erase(message);
      return;
    }
  }
  const std::uint32_t index = pcie_of(payload).slot;
  Slot& slot = slots_[index];
  slot.failed = payload.is_response_error();
  const Ps due = now_ps() + std::max<Ps>(delay, 1);
  completions_.push(due, index, index);
  wake_.arm(due);
}

// PQT moves over descriptors in queue order, whatever the order in which memory answers.
void PageRequestQueue::retire() {
  while (used_slots_ != 0 && slots_[first_slot_].done) {
    Slot& slot = slots_[first_slot_];
    const Addr descriptor = slot.write->get_address();
    slot.write->release();
    slot.write = nullptr;
    slot.done = false;
    first_slot_ = static_cast<std::uint32_t>((first_slot_ + 1) % slots_.size());
    --used_slots_;
    if (slot.failed) {
      // MODEL: the specification names no consequence; the queue behaves as if it overflowed, and
      // descriptors behind the failed one are not shown either.
      failed_ = true;
      write_failed(descriptor);
    }
    if (failed_) {
      stats_.rejected.add();
      if (VtdPrs::PRO::get(status_) == 0) {
        stats_.overflows.add();
        set_status(VtdPrs::PRO::kMask);
      }
      answer(*slot.request, decode_message(pcie_of(*slot.request)).is_stop_marker(), 1);
    } else {
      stats_.latency.record(now_ps() - slot.arrived);
      made_visible();
      log_journey(pcie_of(*slot.request), now_ps());
      answer(*slot.request, true, 1);
    }
    slot.request = nullptr;
  }
  if (failed_ && used_slots_ == 0) {
    failed_ = false;
    allocated_ = tail_;
  }
}

void PageRequestQueue::write_failed(Addr descriptor) {
  stats_.write_errors.add();
  log_.warn(0, "page request descriptor cannot be written", [&] {
    return fmt::format(
        "page request queue: descriptor at {:#x} cannot be written, PQA is {:#x}; taken as an overflow",
        descriptor, base_);
  });
}

void PageRequestQueue::made_visible() {
  tail_ = wrap(tail_ + kPageRequestDescriptorBytes);
  stats_.queued.add();
  stats_.depth.record(wrap(tail_ - head_) / kPageRequestDescriptorBytes);
  set_status(VtdPrs::PPR::kMask);
}

void PageRequestQueue::log_journey(const PcieExtension& pcie, Ps visible) {
  Attribution journey = pcie.attribution;
  journey.charge(Stage::kPageRequest, std::max(visible, journey.mark()));
  context_.page_faults.queued(pcie.requester, decode_message(pcie).prg_index, journey);
}

void PageRequestQueue::answer(tlm::tlm_generic_payload& request, bool queued, Ps delay) {
  PcieExtension& pcie = pcie_of(request);
  pcie.status = queued ? CompletionStatus::kSuccess : CompletionStatus::kUnsupportedRequest;
  pcie.attribution.charge(Stage::kPageRequest, now_ps() + delay);
  request.set_response_status(tlm::TLM_OK_RESPONSE);
  tlm::tlm_phase phase = tlm::BEGIN_RESP;
  sc_core::sc_time time = to_sc(delay);
  requests_->nb_transport_bw(request, phase, time);
}

void PageRequestQueue::b_transport(unsigned /*port*/, tlm::tlm_generic_payload& payload,
                                   sc_core::sc_time& delay) {
  PcieExtension& pcie = pcie_of(payload);
  stats_.requests.add();
  delay += to_sc(params_.latency);
  bool queued = admit(pcie);
  if (queued) {
    PageRequestDescriptor descriptor = encode_page_request(decode_message(pcie));
    Transaction& write = context_.pool.allocate(
        tlm::TLM_WRITE_COMMAND, VtdPqa::PQA::in_place(base_) + allocated_,
        reinterpret_cast<unsigned char*>(descriptor.data()), sizeof descriptor, now_ps());
    Ps time = delay.value();
    memory_.access(write, time);
    delay = to_sc(time);
    queued = !write.is_response_error();
    const Addr address = write.get_address();
    write.release();
    if (queued) {
      allocated_ = wrap(allocated_ + kPageRequestDescriptorBytes);
      stats_.wait.record(0);
      stats_.latency.record(time);
      log_journey(pcie, now_ps() + time);
      made_visible();
    } else {
      write_failed(address);
      stats_.rejected.add();
      stats_.overflows.add();
      set_status(VtdPrs::PRO::kMask);
    }
  } else {
    queued = decode_message(pcie).is_stop_marker();
  }
  pcie.status = queued ? CompletionStatus::kSuccess : CompletionStatus::kUnsupportedRequest;
  pcie.attribution.charge(Stage::kPageRequest, now_ps() + delay.value());
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
}

// --- events ---

// SPEC: [VTD 7.6]: an event only when neither PPR nor PRO was set.
void PageRequestQueue::set_status(std::uint32_t bit) {
  const bool quiet = (status_ & (VtdPrs::PPR::kMask | VtdPrs::PRO::kMask)) == 0;
  status_ |= bit;
  if (quiet) {
    raise();
  }
}

void PageRequestQueue::raise() {
  if (event_.raise()) {
    send_event(now_ps() + params_.event_latency);
  } else {
    stats_.events_held.add();
  }
}

void PageRequestQueue::send_event(Ps time) {
  const Ps due = time - 1;  // the way to the memory port takes the last picosecond
  messages_.push(due, 0, event_.message());
  wake_.arm(due);
}

// --- registers ---

std::uint32_t PageRequestQueue::read32(unsigned offset) const {
  // WHY the cast: what is read is the state after this instant's own work; that work was due anyway.
  const_cast<PageRequestQueue*>(this)->catch_up();
  switch (offset) {
    case vtd_reg::kPrs:
      return status_;
    case vtd_reg::kPectl:
      return event_.control();
    case vtd_reg::kPedata:
      return event_.data();
    case vtd_reg::kPeaddr:
      return event_.address();
    case vtd_reg::kPeuaddr:
      return event_.upper_address();
    case vtd_reg::kPqh:
    case vtd_reg::kPqt:
    case vtd_reg::kPqa:
      return static_cast<std::uint32_t>(read64(offset));
    case vtd_reg::kPqh + 4:
    case vtd_reg::kPqt + 4:
    case vtd_reg::kPqa + 4:
      return static_cast<std::uint32_t>(read64(offset - 4) >> 32U);
    default:
      return 0;
  }
}

std::uint64_t PageRequestQueue::read64(unsigned offset) const {
  const_cast<PageRequestQueue*>(this)->catch_up();
  switch (offset) {
    case vtd_reg::kPqh:
      return head_;
    case vtd_reg::kPqt:
      return tail_;
    case vtd_reg::kPqa:
      return base_;
    default:
      return read32(offset) | (std::uint64_t{read32(offset + 4)} << 32U);
  }
}

void PageRequestQueue::write32(unsigned offset, std::uint32_t value) {
  catch_up();
  switch (offset) {
    case vtd_reg::kPrs:
      status_ &= ~(value & static_cast<std::uint32_t>(VtdPrs::PPR::kMask | VtdPrs::PRO::kMask));
      if (status_ == 0) {
        event_.clear_pending();
      }
      break;
    case vtd_reg::kPectl:
      if (event_.write_control(value)) {
        send_event(now_ps() + params_.event_latency);
      }
      break;
    case vtd_reg::kPedata:
      event_.write_data(value);
      break;
    case vtd_reg::kPeaddr:
      event_.write_address(value);
      break;
    case vtd_reg::kPeuaddr:
      event_.write_upper_address(value);
      break;
    case vtd_reg::kPqh:
    case vtd_reg::kPqt:
    case vtd_reg::kPqa:
      write64(offset, (read64(offset) & ~std::uint64_t{0xFFFFFFFF}) | value);
      break;
    case vtd_reg::kPqh + 4:
    case vtd_reg::kPqt + 4:
    case vtd_reg::kPqa + 4:
      write64(offset - 4, (read64(offset - 4) & 0xFFFFFFFF) | (std::uint64_t{value} << 32U));
      break;
    default:
      break;
  }
}

void PageRequestQueue::write64(unsigned offset, std::uint64_t value) {
  catch_up();
  switch (offset) {
    case vtd_reg::kPqh:
      head_ = wrap(VtdPqHead::OFFSET::in_place(value));
      break;
    case vtd_reg::kPqt:
      // Software zeroes it at set-up, when no page request can arrive.
      tail_ = wrap(VtdPqTail::OFFSET::in_place(value));
      allocated_ = tail_;
      break;
    case vtd_reg::kPqa:
      base_ = value & (VtdPqa::PQA::kMask | VtdPqa::PQS::kMask);
      break;
    default:
      write32(offset, static_cast<std::uint32_t>(value));
      write32(offset + 4, static_cast<std::uint32_t>(value >> 32U));
      break;
  }
}

// --- inspection ---

std::uint64_t PageRequestQueue::in_flight() const {
  return arrivals_.size() + used_slots_ + messages_.size() + sent_messages_.size();
}

void PageRequestQueue::dump_in_flight(std::ostream& out) const {
  const auto line = [&](tlm::tlm_generic_payload& payload, const char* what) {
    const PageRequest request = decode_message(pcie_of(payload));
    out << fmt::format("{}: page request of {}, PASID {}, page {:#x}, group {}{}: {}\n", name(),
                       to_string(request.requester), request.pasid.value(), request.page, request.prg_index,
                       request.last ? " (last)" : "", what);
  };
  for (std::uint32_t i = 0; i < used_slots_; ++i) {
    line(*slots_[(first_slot_ + i) % slots_.size()].request, "descriptor on its way to memory");
  }
  for (std::size_t i = 0; i < arrivals_.size(); ++i) {
    line(*arrivals_[i].value, "waits for its turn");
  }
  if (!messages_.empty() || !sent_messages_.empty()) {
    out << name() << ": interrupt message on its way\n";
  }
}

}  // namespace svasim
