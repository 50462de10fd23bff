#include "models/dsa/dsa.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "tlm/deferrable_write.h"

namespace svasim {

Dsa::Dsa(sc_core::sc_module_name name, const DsaParams& params, SimContext& context)
    : sc_core::sc_module(name),
      params_(params),
      context_(context),
      up_out_("up_out", *this, kUpOut),
      down_in_("down_in", *this, kDownIn),
      wake_("wake"),
      registers_(params),
      commands_(params, registers_, *this),
      dispatch_(params.queues, params.groups),
      queues_(params.queues),
      engines_(params.engines),
      groups_(params.groups),
      tasks_(std::size_t{params.engines} * (params.descriptors_in_progress + params.batches_in_progress)),
      turns_(tasks_.size()),
      read_units_(params.read_buffers * units_per_buffer()),
      write_units_(params.write_buffers * units_per_buffer()) {
  params_.access_size = params.largest_access();
  // What has been read may still have to be written, and the next pages are known already.
  while (held_pages_ < params.pages_ahead + 3 + read_units_ * kLine / kPageSize) held_pages_ *= 2;
  SC_HAS_PROCESS(Dsa);
  SC_METHOD(run);
  sensitive << wake_.event();
  dont_initialize();
  for (unsigned engine = 0; engine < params.engines; ++engine) {
    for (unsigned i = slots(); i-- != 0;) {
      const bool batch = i >= params.descriptors_in_progress;
      (batch ? engines_[engine].free_batches : engines_[engine].free).push_back(engine * slots() + i);
    }
  }
  stats_.describe(context.stats, this->name());
}

void Dsa::disable_ats() {
  params_.ats = params_.page_requests = false;
  commands_.disable_ats();
}

void Dsa::push(Ps due, Event kind, std::uint64_t number, std::uint32_t index) {
  const std::uint64_t key =
      (static_cast<std::uint64_t>(kind) << 60U) | (number & ~(std::uint64_t{0xF} << 60U));
  events_.push(due, key, Item{kind, index});
  wake_.arm(due);
}

void Dsa::run() {
  wake_.fired();
  const Ps now = now_ps();
  while (events_.due() <= now) {
    const Item item = events_.pop();
    switch (item.kind) {
      case Event::kPosted:
        posted(item.index);
        break;
      case Event::kAnswered:
        answered(item.index);
        break;
      case Event::kCommand:
        if (commands_.execute()) {
          command_finished();
        }
        break;
      case Event::kTask: {
        Task& task = tasks_[item.index];
        if (task.state == TaskState::kDecoding) {
          task.state = TaskState::kRunning;
          mark(item.index);
        } else {
          finish(item.index);
        }
        break;
      }
    }
  }
  while (arrivals_.due() <= now) {
    tlm::tlm_generic_payload& payload = *arrivals_.pop();
    const Ps answer = access(payload, now);
    tlm::tlm_phase phase = tlm::END_REQ;
    sc_core::sc_time delay = to_sc(1);
    down_in_->nb_transport_bw(payload, phase, delay);
    phase = tlm::BEGIN_RESP;
    delay = to_sc(std::max<Ps>(answer, 1));
    down_in_->nb_transport_bw(payload, phase, delay);
  }
  // MODEL: the engine with the least in progress is first at queues and buffers; of equals they take turns.
  unsigned first = (first_engine_ + 1) % params_.engines;
  for (unsigned i = 1; i < params_.engines; ++i) {
    const unsigned number = (first_engine_ + 1 + i) % params_.engines;
    if (engines_[number].active.size() < engines_[first].active.size()) first = number;
  }
  first_engine_ = first;
  bool again = true;
  while (again) {
    again = false;
    for (unsigned i = 0; i < params_.engines; ++i) {
      const unsigned number = (first_engine_ + i) % params_.engines;
      Engine& engine = engines_[number];
      if (engine.used) {
        dispatch(number);
        if (engine.dirty) {
          advance(number);
          again = true;
        }
      }
    }
  }
  wake_.arm(events_.due());
  wake_.arm(arrivals_.due());
}

// One access to BAR0 or BAR2 at `when`; how long its answer takes.
Ps Dsa::access(tlm::tlm_generic_payload& payload, Ps when) {
  const Addr address = payload.get_address();
  unsigned char* data = payload.get_data_ptr();
  const unsigned length = payload.get_data_length();
  const bool in_registers = address >= params_.bar0 && address - params_.bar0 < DsaRegisters::kSize;
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
  if (payload.is_read()) {
    std::memset(data, 0, length);
    if (in_registers) {
      const auto offset = static_cast<std::uint32_t>(address - params_.bar0);
      for (unsigned queue = 0; queue < params_.queues; ++queue) {
        registers_.set_occupancy(queue, dispatch_.waiting(queue));
      }
      registers_.read(offset, data, length);
    }
    return params_.register_latency;
  }
  auto* deferrable = payload.get_extension<DeferrableWrite>();
  if (!in_registers) {
    const bool taken = submit(address - params_.bar2, data, length, deferrable != nullptr, when);
    if (deferrable != nullptr) deferrable->accepted = taken;
    if (!taken) (deferrable != nullptr ? stats_.deferred : stats_.dropped).add();
  }
  if (deferrable != nullptr) {
    return params_.portal_latency;
  }
  if (!in_registers) {
    return 0;
  }
  if (registers_.write(static_cast<std::uint32_t>(address - params_.bar0), data, length)) {
    if (commands_.begin()) {
      push(when + params_.command_latency, Event::kCommand, 0, 0);
    } else {
      report(event_of(DsaStatus::kCommandWhileActive, nullptr, 0, false, 0), kNone);
    }
  }
  write_events();
  send_unmasked();
  return 0;
}

// SPEC: [DSA 3.3, 9.3]: shared queues take deferrable writes, dedicated ones the others.
bool Dsa::submit(std::uint64_t offset, const unsigned char* data, unsigned length, bool deferrable, Ps when) {
  const std::uint64_t number = offset / kDsaPortalsPerQueue;
  const DsaPortal portal = dsa_portal_kind(offset);
  const bool msix = portal == DsaPortal::kUnlimited || portal == DsaPortal::kLimited;
  if (number >= params_.queues || length != kDsaPortalBytes || offset % kDsaPortalBytes != 0 || !msix ||
      commands_.refuses_submissions()) {
    return false;
  }
  DsaSubmission submission;
  submission.queue = static_cast<unsigned>(number);
  const DsaQueueConfig& queue = queues_[submission.queue];
  if (registers_.queue_state(submission.queue) != DsaWqState::kEnabled || queue.dedicated == deferrable) {
    return false;
  }
  if (deferrable) {
    // The threshold may change while the queue is enabled.
    const unsigned most =
        portal == DsaPortal::kLimited ? registers_.queue_config(submission.queue).threshold : queue.size;
    if (dispatch_.waiting(submission.queue) >= most) return false;
  }
  std::memcpy(&submission.descriptor, data, sizeof submission.descriptor);
  submission.arrived = when;
  submission.ready = when + params_.portal_latency;
  submission.number = next_submission_++;
  submission.has_pasid = queue.pasid_enable;
  submission.pasid = queue.dedicated ? queue.pasid : submission.descriptor.pasid();
  submission.privileged = queue.dedicated ? queue.privileged : submission.descriptor.privileged();
  if (!dispatch_.push(submission)) {
    report(event_of(DsaStatus::kQueueOverflow, &submission, 0, false, 0), kNone);
    return false;
  }
  stats_.submitted.add();
  wake_.arm(submission.ready);
  return true;
}

void Dsa::command_finished() {
  stats_.commands.add();
  if (commands_.interrupts()) {
    misc_interrupt(DsaIntcause::COMMAND::kMask);
  }
}

bool Dsa::idle(const DsaScope& scope) const {
  return !dispatch_.any_waiting(scope) && std::none_of(tasks_.begin(), tasks_.end(), [&](const Task& task) {
    return task.state != TaskState::kFree && scope.covers(task.submission);
  });
}

void Dsa::discard(const DsaScope& scope) {
  std::vector<unsigned> before;
  for (unsigned queue = 0; queue < params_.queues; ++queue) before.push_back(dispatch_.waiting(queue));
  dispatch_.discard(scope);
  for (unsigned queue = 0; queue < params_.queues; ++queue) left_queue(queue, before[queue]);
}

void Dsa::device_enabled() {
  for (Engine& engine : engines_) {
    engine.used = false;
  }
  for (unsigned group = 0; group < params_.groups; ++group) {
    dispatch_.set_group(group, registers_.group_queues(group));
    groups_[group].read_units = registers_.group_read_buffers(group) * units_per_buffer();
    for (std::uint64_t left = registers_.group_engines(group); left != 0; left &= left - 1) {
      Engine& engine = engines_[static_cast<unsigned>(__builtin_ctzll(left))];
      engine.group = group;
      engine.used = true;
    }
  }
}

void Dsa::queue_enabled(unsigned queue) {
  queues_[queue] = registers_.queue_config(queue);
  dispatch_.configure(queue, queues_[queue].size, queues_[queue].priority);
}

tlm::tlm_sync_enum Dsa::nb_transport_fw(unsigned /*port*/, tlm::tlm_generic_payload& payload,
                                        tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  if (phase == tlm::END_RESP) {
    return tlm::TLM_COMPLETED;
  }
  SVASIM_CHECK(phase == tlm::BEGIN_REQ, "illegal phase at a device");
  const TlpKind kind = payload.get_extension<PcieExtension>()->kind;
  SVASIM_CHECK(kind == TlpKind::kMemRead || kind == TlpKind::kMemWrite, "a message to a device without ATC");
  const Ps due = now_ps() + delay.value();
  arrivals_.push(due, 0, &payload);
  wake_.arm(due);
  return tlm::TLM_ACCEPTED;
}

void Dsa::b_transport(unsigned /*port*/, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  delay += to_sc(access(payload, now_ps() + delay.value()));
}

unsigned Dsa::transport_dbg(unsigned /*port*/, tlm::tlm_generic_payload& payload) {
  const Addr address = payload.get_address();
  if (!payload.is_read() || address < params_.bar0 || address - params_.bar0 >= DsaRegisters::kSize) {
    return 0;
  }
  registers_.read(static_cast<std::uint32_t>(address - params_.bar0), payload.get_data_ptr(),
                  payload.get_data_length());
  return payload.get_data_length();
}

tlm::tlm_sync_enum Dsa::nb_transport_bw(unsigned /*port*/, tlm::tlm_generic_payload& payload,
                                        tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  const std::uint64_t id = payload.get_extension<PcieExtension>()->id;
  const Ps due = now_ps() + delay.value();
  const auto index = static_cast<std::uint32_t>(id & 0xFFFF);
  // A link without END_REQ says with the answer that a write is posted.
  if (payload.is_write() && !flights_[index].announced) {
    flights_[index].announced = true;
    push(due, Event::kPosted, id, index);
  }
  if (phase == tlm::END_REQ) {
    return tlm::TLM_ACCEPTED;
  }
  SVASIM_CHECK(phase == tlm::BEGIN_RESP, "illegal phase from a link");
  push(due, Event::kAnswered, id, index);
  return tlm::TLM_COMPLETED;
}

std::uint64_t Dsa::in_flight() const {
  std::uint64_t active = 0;
  for (const Engine& engine : engines_) {
    active += engine.active.size();
  }
  return active + dispatch_.waiting() + arrivals_.size() + flights_.size() - free_flights_.size() +
         events_waiting_.size() + (commands_.active() ? 1 : 0);
}

void Dsa::dump_in_flight(std::ostream& out) const {
  static constexpr const char* kStates[] = {"free",
                                            "is decoded",
                                            "runs",
                                            "finishes",
                                            "waits for the page of its completion record",
                                            "writes its completion record"};
  for (const Engine& engine : engines_) {
    for (const std::uint32_t index : engine.active) {
      const Task& task = tasks_[index];
      out << fmt::format(
          "{}: {} of queue {}, completion record {:#x}: {}, {} of {} B started, {} pages asked for\n", name(),
          dsa_opcode_name(task.submission.descriptor.opcode()), task.submission.queue,
          task.submission.descriptor.completion_address, kStates[static_cast<unsigned>(task.state)],
          task.progress.position(), task.progress.limit(), task.pages_in_flight);
      if (task.submission.descriptor.opcode() == DsaOpcode::kBatch) {
        out << fmt::format("{}: its batch: {} descriptors done, {} in progress\n", name(), task.members_done,
                           task.members_in_progress);
      }
    }
  }
  for (unsigned queue = 0; queue < params_.queues; ++queue) {
    if (dispatch_.waiting(queue) != 0) {
      out << fmt::format("{}: {} descriptors wait in queue {}\n", name(), dispatch_.waiting(queue), queue);
    }
  }
  if (!events_waiting_.empty()) {
    out << fmt::format("{}: {} events wait for room in the event log\n", name(), events_waiting_.size());
  }
  if (commands_.active()) {
    out << fmt::format("{}: command {:#x} is active\n", name(), registers_.command());
  }
}

}  // namespace svasim
