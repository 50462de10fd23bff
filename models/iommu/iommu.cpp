#include "models/iommu/iommu.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "models/formats/ats_messages.h"

namespace svasim {

Iommu::Link::Link(Iommu& owner, unsigned number)
    : requests(fmt::format("requests{}", number).c_str(), owner, number),
      messages(fmt::format("messages{}", number).c_str(), owner, kMessagePort + number) {}

Iommu::Iommu(sc_core::sc_module_name name, const IommuParams& params, SimContext& context, unsigned links)
    : sc_core::sc_module(name),
      params_(params),
      context_(context),
      capabilities_(params.capabilities),
      log_(this->name()),
      registers_(capabilities_),
      translator_(params, capabilities_, stats_, context.seed, this->name()),
      register_socket_("registers", *this, kRegisterPort),
      walk_socket_("walks", *this, kWalkPort),
      data_("data", *this),
      structures_("structures", *this),
      wake_("wake"),
      end_request_delay_(to_sc(1)),
      lookup_latency_(params.lookup_latency()),
      requests_(params.request_slots),
      slots_(params.request_slots),
      loose_requests_(8),
      device_index_(1U << 16U, 0),
      devices_(1),
      walk_keys_(params.walks),
      fetches_(params.structure_fetches) {
  for (unsigned i = 0; i < links; ++i) {
    links_.push_back(std::make_unique<Link>(*this, i));
  }
  if (params.capabilities.page_requests) {
    page_request_socket_ = std::make_unique<InitiatorSocket<PcieProtocol>>(
        "page_requests", static_cast<BwReceiver&>(*this), kPageRequestPort);
  }
  for (unsigned i = 0; i < params.walks; ++i) {
    walks_.push_back(std::make_unique<Walk>());
    walks_.back()->payload.walk.slot = i;
    free_walks_.push_back(params.walks - 1 - i);
  }
  if (context.loose()) {
    translator_.caches().set_listener(*this);
  }
  SC_HAS_PROCESS(Iommu);
  SC_METHOD(run);
  sensitive << wake_.event() << timeout_event_ << perfect_event_;
  dont_initialize();

  stats_.describe(context.stats, this->name());
  const std::string prefix = this->name();
  const TranslationCaches& caches = translator_.caches();
  caches.contexts().stats().describe(context.stats, prefix + ".context_cache");
  caches.pasids().stats().describe(context.stats, prefix + ".pasid_cache");
  caches.iotlb().stats().describe(context.stats, prefix + ".iotlb");
  caches.translations().large().stats().describe(context.stats, prefix + ".iotlb_2m");
  caches.translations().huge().stats().describe(context.stats, prefix + ".iotlb_1g");
  caches.first_stage_tables().stats().describe(context.stats, prefix + ".first_stage_cache");
  caches.second_stage_tables().stats().describe(context.stats, prefix + ".second_stage_cache");
}

void Iommu::add_device(unsigned link, RequesterId requester) { device_of(requester, link); }

std::uint16_t Iommu::device_of(RequesterId requester, unsigned link) {
  std::uint16_t& index = device_index_[requester.value()];
  if (index == 0) {
    index = static_cast<std::uint16_t>(devices_.size());
    Device device;
    device.requester = requester;
    device.link = link;
    devices_.push_back(device);
  }
  return index;
}

// --- Sockets

tlm::tlm_sync_enum Iommu::nb_transport_fw(unsigned port, tlm::tlm_generic_payload& payload,
                                          tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  if (phase == tlm::END_RESP) {
    return tlm::TLM_COMPLETED;
  }
  SVASIM_CHECK(phase == tlm::BEGIN_REQ, "illegal phase at an IOMMU");
  const Ps arrival = now_ps() + delay.value();
  if (port == kRegisterPort) {
    const auto* tag = payload.get_extension<SourceTag>();
    const std::uint64_t key =
        tag != nullptr ? (std::uint64_t{tag->rank} << 40U) | (tag->key & 0xFF'FFFF'FFFFULL) : 0;
    schedule(arrival + params_.register_latency / 2, Work::kRegister, key, 0, &payload);
    phase = tlm::END_REQ;
    return tlm::TLM_UPDATED;
  }
  Transaction* transaction = Transaction::from(payload);
  SVASIM_CHECK(transaction != nullptr, "a PCIe request without its extension");
  const std::uint64_t key = (std::uint64_t{port} << 48U) | links_[port]->arrivals++;
  arrivals_.push(arrival, key, Arrival{transaction, port});
  wake_.arm(first_lookup_end());
  return tlm::TLM_ACCEPTED;
}

tlm::tlm_sync_enum Iommu::nb_transport_bw(unsigned port, tlm::tlm_generic_payload& payload,
                                          tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  if (phase == tlm::END_REQ) {
    return tlm::TLM_ACCEPTED;
  }
  const Ps when = now_ps() + delay.value();
  if (phase == kTableQuery) {
    const WalkExtension& walk = static_cast<WalkTransaction&>(payload).walk;
    if (!context_.loose()) {
      schedule(when, Work::kNestedTable, walk.request.id, walk.slot);
      return tlm::TLM_ACCEPTED;
    }
    answer_table_query(*walks_[walk.slot]);
    delay += to_sc(params_.paging_latency);
    phase = kTableAnswer;
    return tlm::TLM_UPDATED;
  }
  SVASIM_CHECK(phase == tlm::BEGIN_RESP, "illegal phase at an IOMMU");
  if (port == kWalkPort) {
    const WalkExtension& walk = static_cast<WalkTransaction&>(payload).walk;
    schedule(when, Work::kWalkDone, walk.request.id, walk.slot);
  } else if (port == kPageRequestPort) {
    const std::uint32_t slot = static_cast<Transaction&>(payload).pcie.slot;
    schedule(when, Work::kPageRequestDone, requests_[slot].number, slot);
  } else {
    --messages_in_flight_;
    payload.release();
  }
  return tlm::TLM_COMPLETED;
}

void Iommu::b_transport(unsigned port, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  Ps time = delay.value();
  if (port == kRegisterPort) {
    time += params_.register_latency;
    access_registers(payload, time);
  } else {
    Transaction* transaction = Transaction::from(payload);
    SVASIM_CHECK(transaction != nullptr, "a PCIe request without its extension");
    translate_now(*transaction, port, time);
  }
  delay = to_sc(time);
}

unsigned Iommu::transport_dbg(unsigned port, tlm::tlm_generic_payload& payload) {
  if (port != kRegisterPort || !payload.is_read()) {
    return 0;
  }
  Ps time = 0;
  access_registers(payload, time);
  return payload.is_response_ok() ? payload.get_data_length() : 0;
}

// --- Time

void Iommu::schedule(Ps when, Work work, std::uint64_t key, std::uint32_t index,
                     tlm::tlm_generic_payload* payload) {
  constexpr std::uint64_t kKeyMask = (std::uint64_t{1} << 56) - 1;
  due_.push(when, (std::uint64_t{static_cast<std::uint8_t>(work)} << 56U) | (key & kKeyMask),
            Due{work, index, payload});
  // WHY not while it runs: something earlier may follow, and the kernel keeps what was asked of it before.
  if (!running_) wake_.arm(when);
}

void Iommu::run() {
  const Ps now = now_ps();
  wake_.fired();
  running_ = true;
  if (!perfect_.empty()) {
    perfect_looks();
  }
  while (due_.due() <= now) {
    handle(due_.pop());
  }
  if (timeout_due_ <= now) {
    check_timeouts(now);
  }
  while (first_lookup_end() <= now) {
    const Ps arrived = arrivals_.due();
    Arrival arrival = arrivals_.pop();
    Attribution& attribution = arrival.payload->pcie.attribution;
    if (arrived < next_lookup_) {
      arrival.wait = next_lookup_ - arrived;
      attribution.charge(Stage::kIommuQueue, next_lookup_);
    }
    const Ps start = now - lookup_latency_;
    if (start >= interval_end_) {
      interval_end_ = start + params_.lookup_interval;
      ports_used_ = 0;
    }
    next_lookup_ = ++ports_used_ < params_.lookup_ports ? start : interval_end_;
    attribution.charge(Stage::kIommuLookup, now);
    if (!backlog_.empty() || !begin(arrival, now)) {
      backlog_.push_back(arrival);
    }
  }
  while (!backlog_.empty() && begin(backlog_.front(), now)) {
    backlog_.pop_front();
  }
  running_ = false;
  wake_.arm(std::min(due_.due(), first_lookup_end()));
  if (!backlog_.empty()) {
    wake_.arm(slots_.next());
  }
}

void Iommu::handle(const Due& due) {
  switch (due.work) {
    case Work::kWalkDone:
      return walk_done(due.index);
    case Work::kStructureData:
      return structure_data(fetches_[due.index]);
    case Work::kPageRequestDone: {
      Request& request = requests_[due.index];
      page_request_done(request);
      return answer(request, params_.response_latency);
    }
    case Work::kQueueData:
      return queue_data(due.index);
    case Work::kStatusWritten:
      finish_wait();
      return check_waits();
    case Work::kRegister: {
      Ps time = 0;
      access_registers(*due.payload, time);
      tlm::tlm_phase phase = tlm::BEGIN_RESP;
      sc_core::sc_time delay = to_sc(params_.register_latency - params_.register_latency / 2);
      register_socket_->nb_transport_bw(*due.payload, phase, delay);
      return;
    }
    case Work::kRegisterInvalidation:
      return wait_for_drain(InvalidationOperation(), static_cast<RegisterInvalidation::Command>(due.index));
    case Work::kSetRoot:
      return set_root();
    case Work::kQueueExecute:
      return due.index == queue_epoch_ ? queue_execute() : void();
    case Work::kQueueStep:
      if (due.index == queue_epoch_) {
        queue_busy_ = false;
        queue_step();
      }
      return;
    case Work::kDrainCheck:
      return check_waits();
    case Work::kRelookup:
      return act(due.index, look(requests_[due.index]));
    case Work::kNestedTable: {
      Walk& walk = *walks_[due.index];
      answer_table_query(walk);
      tlm::tlm_phase phase = kTableAnswer;
      sc_core::sc_time delay = to_sc(params_.paging_latency);
      walk_socket_->nb_transport_fw(walk.payload, phase, delay);
      return;
    }
  }
}

// --- Registers

void Iommu::access_registers(tlm::tlm_generic_payload& payload, Ps& time) {
  const Addr offset = payload.get_address() - params_.register_base;
  const unsigned length = payload.get_data_length();
  if (offset >= IommuParams::kRegisterBytes || (length != 4 && length != 8) || offset % length != 0) {
    payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    return;
  }
  const auto reg = static_cast<std::uint32_t>(offset);
  std::uint64_t value = 0;
  if (payload.is_read()) {
    value = length == 8 ? registers_.read64(reg) : registers_.read32(reg);
    std::copy_n(reinterpret_cast<const unsigned char*>(&value), length, payload.get_data_ptr());
  } else {
    std::copy_n(payload.get_data_ptr(), length, reinterpret_cast<unsigned char*>(&value));
    const bool enabled = registers_.translation_enabled();
    apply(length == 8 ? registers_.write64(reg, value)
                      : registers_.write32(reg, static_cast<std::uint32_t>(value)),
          time);
    if (registers_.translation_enabled() != enabled) {
      revoke(0, ~Addr{0});
    }
  }
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
}

void Iommu::apply(const Registers::Effects& effects, Ps& time) {
  if (effects.translation_off && capabilities_.params().scalable_mode) {
    // SPEC: [VTD 11.4.4.1] with scalable mode, TE = 0 flushes all translation caches.
    flush_all();
  }
  if (effects.set_root) {
    if (context_.loose()) {
      set_root();
      time += params_.set_root_latency;
    } else {
      schedule(now_ps() + params_.set_root_latency, Work::kSetRoot, 0, 0);
    }
  }
  if (effects.invalidate) {
    invalidate_by_register(*effects.invalidate, time);
  }
  if (effects.queue_off) {
    ++queue_epoch_;
    queue_busy_ = false;
    buffer_bytes_ = 0;
    history_.restart();
    noted_ = 0;
  }
  if (effects.queue && context_.monitor != nullptr) {
    note_queued();
  }
  if (effects.queue) {
    if (context_.loose()) {
      run_queue_now(time);
    } else {
      kick_queue();
    }
  }
  if (effects.message) {
    send_interrupt(*effects.message);
  }
}

void Iommu::set_root() {
  translator_.set_root(registers_.root_set());
  revoke(0, ~Addr{0});
  if (capabilities_.params().flush_on_set_root) {
    flush_all();
  }
}

void Iommu::flush_all() {
  translator_.caches().invalidate_all();
  outdate_contexts();
  invalidate_translations(InvalidationScope());
}

// --- Memory accesses and messages of the IOMMU itself

Transaction& Iommu::new_access(Access::Use use, std::uint32_t owner, tlm::tlm_command command, Addr address,
                               unsigned char* data, unsigned bytes) {
  if (free_accesses_.empty()) {
    free_accesses_.push_back(static_cast<std::uint32_t>(accesses_.size()));
    accesses_.emplace_back();
  }
  const std::uint32_t index = free_accesses_.back();
  free_accesses_.pop_back();
  Access& access = accesses_[index];
  access.use = use;
  access.owner = owner;
  if (data == nullptr) {
    data = reinterpret_cast<unsigned char*>(&access.data);
  }
  Transaction& payload = context_.pool.allocate(command, address, data, bytes, now_ps());
  payload.pcie.slot = index;
  payload.source.key = ++access_number_;
  payload.source.origin = AccessOrigin::kStructure;
  return payload;
}

void Iommu::send_access(Transaction& payload, Ps delay) { structures_.port.send(payload, delay); }

void Iommu::structure_response(Transaction& payload, Ps delay) {
  const std::uint32_t index = payload.pcie.slot;
  const Access access = accesses_[index];
  const bool ok = payload.is_response_ok();
  const std::uint64_t key = payload.source.key;
  free_accesses_.push_back(index);
  payload.release();
  const Ps when = now_ps() + delay;
  switch (access.use) {
    case Access::Use::kStructure: {
      Fetch& fetch = fetches_[access.owner];
      fetch.ok = fetch.ok && ok;
      fetch.latest = std::max(fetch.latest, when);
      if (--fetch.pending == 0) {
        schedule(fetch.latest, Work::kStructureData, fetch.number, access.owner);
      }
      return;
    }
    case Access::Use::kQueue:
      if (access.owner == queue_epoch_) {
        schedule(when, Work::kQueueData, key, ok);
      }
      return;
    case Access::Use::kStatus:
      schedule(when, Work::kStatusWritten, key, 0);
      return;
    case Access::Use::kInterrupt:
      return;
  }
}

void Iommu::send_interrupt(const MsiMessage& message) {
  Transaction& payload = new_access(Access::Use::kInterrupt, 0, tlm::TLM_WRITE_COMMAND, message.address,
                                    nullptr, sizeof(message.data));
  accesses_[payload.pcie.slot].data = message.data;
  if (context_.loose()) {
    Ps time = params_.message_latency;
    access_now(payload, time).release();
  } else {
    send_access(payload, params_.message_latency);
  }
}

Transaction& Iommu::new_message(TlpKind kind, RequesterId requester, bool has_pasid, Pasid pasid) {
  Transaction& message = context_.pool.allocate(tlm::TLM_IGNORE_COMMAND, 0, nullptr, 0, now_ps());
  message.pcie.kind = kind;
  message.pcie.requester = requester;
  message.pcie.has_pasid = has_pasid;
  message.pcie.pasid = has_pasid ? pasid : Pasid();
  message.pcie.id = ++message_number_;
  return message;
}

void Iommu::send_message(Transaction& message) {
  const std::uint16_t index = device_index_[message.pcie.requester.value()];
  if (index == 0) {
    // Nobody claims the requester ID: the message is lost on the way.
    message.release();
    return;
  }
  InitiatorSocket<PcieProtocol>& socket = links_[devices_[index].link]->messages;
  sc_core::sc_time delay = to_sc(params_.message_latency);
  if (context_.loose()) {
    socket->b_transport(message, delay);
    message.release();
    return;
  }
  ++messages_in_flight_;
  tlm::tlm_phase phase = tlm::BEGIN_REQ;
  socket->nb_transport_fw(message, phase, delay);
}

void Iommu::send_group_response(RequesterId requester, bool has_pasid, Pasid pasid, std::uint16_t prg_index,
                                std::uint8_t code) {
  Transaction& message = new_message(TlpKind::kPrgResponse, requester, has_pasid, pasid);
  message.pcie.attribution = context_.page_faults.take(requester, prg_index, now_ps());
  message.pcie.prg_index = prg_index;
  message.pcie.response_code = code;
  message.pcie.body = PrgResponseBody::PRGI::make(prg_index) | PrgResponseBody::CODE::make(code);
  send_message(message);
}

// --- Inspection

std::uint64_t Iommu::in_flight() const {
  std::uint64_t count = arrivals_.size() + backlog_.size() + waits_.size() + messages_in_flight_ +
                        (accesses_.size() - free_accesses_.size());
  for (const Request& request : requests_) {
    count += request.state != RequestState::kFree;
  }
  for (const DeviceInvalidation& invalidation : device_invalidations_) {
    count += invalidation.busy;
  }
  return count;
}

void Iommu::dump_in_flight(std::ostream& out) const {
  static constexpr const char* kStates[] = {"free",
                                            "is looked up",
                                            "waits for a structure fetch to become free",
                                            "waits for a context or PASID entry",
                                            "is looked up again",
                                            "waits for a walk to become free",
                                            "waits for a page walk",
                                            "waits for earlier writes of its requester",
                                            "waits for memory",
                                            "waits for the page request queue"};
  const auto line = [&](const Transaction& payload, const char* what) {
    out << fmt::format("{}: request {} of {} at {:#x} {}\n", name(), payload.pcie.id,
                       to_string(payload.pcie.requester), payload.pcie.iova, what);
  };
  for (const Request& request : requests_) {
    if (request.state != RequestState::kFree) {
      line(*request.payload, kStates[static_cast<std::size_t>(request.state)]);
    }
  }
  for (const Arrival& arrival : backlog_) {
    line(*arrival.payload, "waits for a request slot");
  }
  for (std::size_t i = 0; i < arrivals_.size(); ++i) {
    line(*arrivals_[i].value.payload, "is being looked up");
  }
  for (std::size_t itag = 0; itag < device_invalidations_.size(); ++itag) {
    if (device_invalidations_[itag].busy) {
      out << fmt::format("{}: invalidate request to {}, ITag {}, waits for its completion\n", name(),
                         to_string(device_invalidations_[itag].requester), itag);
    }
  }
  for (const PendingWait& wait : waits_) {
    out << fmt::format("{}: wait descriptor (status address {:#x}) waits for what stands before it\n", name(),
                       wait.operation.status_address);
  }
  if (messages_in_flight_ != 0) {
    out << fmt::format("{}: {} messages to devices not delivered\n", name(), messages_in_flight_);
  }
  if (accesses_.size() != free_accesses_.size()) {
    out << fmt::format("{}: {} memory accesses of its own\n", name(),
                       accesses_.size() - free_accesses_.size());
  }
}

}  // namespace svasim
