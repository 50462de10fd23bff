#include "models/walker/walker.h"

#include <fmt/format.h>

#include "base/check.h"

namespace svasim {

namespace {

WalkExtension& walk_of(tlm::tlm_generic_payload& payload) { return *payload.get_extension<WalkExtension>(); }

}  // namespace

inline void PageTableWalker::prepare(Slot& slot, Need need) {
  const PageWalk& machine = slot.machine;
  if (need == Need::kRead) {
    return slot.access.prepare_read(machine.address());
  }
  slot.lines.drop(machine.address());
  slot.access.prepare_update(machine.address(), machine.expected(), machine.desired());
}

inline PageWalk::Need PageTableWalker::resume(Slot& slot, Ps when) {
  const EntryAccess& access = slot.access;
  const bool ok = access.is_response_ok();
  if (observer_ != nullptr) {
    tell(slot, access.is_write(), ok, access.value(), when);
  }
  if (access.is_write()) {
    return slot.machine.on_update(ok, access.value());
  }
  if (buffered_ && ok) {
    slot.lines.keep(slot.machine.address(), access.line());
  }
  return slot.machine.on_read(ok, access.value());
}

PageTableWalker::PageTableWalker(sc_core::sc_module_name name, const WalkerParams& params,
                                 SimContext& context, unsigned requesters)
    : Walker(name),
      params_(params),
      memory_("memory", *this),
      wake_("wake"),
      queue_(params),
      buffered_(params.line_buffer_entries != 0) {
  for (std::uint32_t i = 0; i < params.slots; ++i) {
    slots_.push_back(std::make_unique<Slot>(i, params));
  }
  for (const auto& slot : slots_) {
    free_.push(0, slot->access.slot, slot.get());
  }
  for (unsigned i = 0; i < requesters; ++i) {
    requesters_.push_back(std::make_unique<TargetSocket<WalkProtocol>>(fmt::format("requester{}", i).c_str(),
                                                                       static_cast<FwReceiver&>(*this), i));
  }
  SC_HAS_PROCESS(PageTableWalker);
  SC_METHOD(run);
  sensitive << wake_.event();
  dont_initialize();
  stats_.describe(context.stats, this->name());
}

tlm::tlm_sync_enum PageTableWalker::nb_transport_fw(unsigned port, tlm::tlm_generic_payload& payload,
                                                    tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  const Ps when = now_ps() + delay.value();
  WalkExtension& extension = walk_of(payload);
  if (phase != tlm::BEGIN_REQ) {
    SVASIM_CHECK(phase == kTableAnswer, "illegal phase at a walker");
    Slot& slot = *slots_[extension.walker_slot];
    act(slot, slot.machine.on_table(extension.tables.start), when, when);
    return tlm::TLM_ACCEPTED;
  }
  const QueuedWalk walk{&payload, &extension, port, when};
  // WHY without a wake-up: of a single requester no earlier walk can follow, and none is preferred.
  if (requesters_.size() == 1 && queue_.plain() && queue_.empty() && free_.due() <= when) {
    begin(walk, when);
    return tlm::TLM_ACCEPTED;
  }
  queue_.push(walk);
  wake_.arm(next_begin());
  return tlm::TLM_ACCEPTED;
}

void PageTableWalker::run() {
  wake_.fired();
  const Ps now = now_ps();
  while (next_begin() <= now) {
    begin(queue_.take(now), now);
  }
  wake_.arm(next_begin());
}

void PageTableWalker::begin(const QueuedWalk& walk, Ps now) {
  Slot& slot = *free_.pop();
  walk.extension->attribution.charge(Stage::kWalkWait, now);
  stats_.begin(walk.extension->request.walk_class, now - walk.arrival);
  occupy(slot, walk, now);
  advance(slot, slot.machine.start(walk.extension->request), now);
}

void PageTableWalker::occupy(Slot& slot, const QueuedWalk& walk, Ps when) {
  WalkExtension& extension = *walk.extension;
  slot.walk = walk;
  slot.started = when;
  if (buffered_) {
    slot.lines.clear();
  }
  extension.walker_slot = slot.access.slot;
  slot.access.source.key = (std::uint64_t{walk.port} << 40U) | extension.request.id;
  slot.access.source.snoop = extension.request.snooped;
  if (observer_ != nullptr) {
    observer_->walk_started(slot.access.slot, extension.request, when);
  }
}

void PageTableWalker::advance(Slot& slot, Need need, Ps when) {
  for (;;) {
    const Ps leave = when + params_.step_latency;
    slot.walk.extension->attribution.charge(Stage::kWalkLogic, leave);
    if (!buffered_ || need != Need::kRead || !in_line(slot, need, leave)) {
      return act(slot, need, when, leave);
    }
    when = leave;
  }
}

void PageTableWalker::act(Slot& slot, Need need, Ps when, Ps leave) {
  if (need == Need::kRead || need == Need::kUpdate) {
    prepare(slot, need);
    slot.left = leave;
    return memory_.send(slot.access, leave - now_ps());
  }
  if (need == Need::kLookUp) {
    return ask(slot, leave);
  }
  const QueuedWalk done = slot.walk;
  finish(slot, leave);
  free_.push(when, slot.access.slot, &slot);
  if (!queue_.empty()) {
    wake_.arm(next_begin());
  }
  tlm::tlm_phase phase = tlm::BEGIN_RESP;
  sc_core::sc_time time = to_sc(leave - now_ps());
  (*requesters_[done.port])->nb_transport_bw(*done.payload, phase, time);
}

void PageTableWalker::ask(Slot& slot, Ps leave) {
  tell_tables(slot);
  tlm::tlm_phase phase = kTableQuery;
  sc_core::sc_time time = to_sc(leave - now_ps());
  if ((*requesters_[slot.walk.port])->nb_transport_bw(*slot.walk.payload, phase, time) == tlm::TLM_UPDATED) {
    const Ps answered = now_ps() + time.value();
    act(slot, slot.machine.on_table(slot.walk.extension->tables.start), answered, answered);
  }
}

bool PageTableWalker::in_line(Slot& slot, Need& need, Ps when) {
  const LineBuffer::Line* line = slot.lines.find(slot.machine.address());
  if (line == nullptr) {
    return false;
  }
  const std::uint64_t entry = (*line)[LineBuffer::place_of(slot.machine.address())];
  if (observer_ != nullptr) {
    slot.left = when;
    tell(slot, false, true, entry, when);
  }
  stats_.line_hits.add();
  need = slot.machine.on_read(true, entry);
  return true;
}

// What the walk asks for, and what the requester may learn.
void PageTableWalker::tell_tables(Slot& slot) {
  TableQuery& query = slot.walk.extension->tables;
  query.guest = slot.machine.guest();
  query.found_guest = slot.machine.found_guest();
  query.steps = static_cast<std::uint8_t>(slot.machine.found_steps());
  query.step = slot.machine.found().step;
}

void PageTableWalker::tell(const Slot& slot, bool update, bool ok, std::uint64_t value, Ps answered) {
  WalkAccess told;
  told.update = update;
  told.address = slot.machine.address();
  told.expected = slot.machine.expected();
  told.desired = slot.machine.desired();
  told.ok = ok;
  told.value = value;
  told.left = slot.left;
  told.answered = answered;
  observer_->walk_accessed(slot.access.slot, told);
}

void PageTableWalker::memory_response(tlm::tlm_generic_payload& payload, Ps delay) {
  Slot& slot = *slots_[static_cast<EntryAccess&>(payload).slot];
  const Ps when = now_ps() + delay;
  slot.walk.extension->attribution.charge(Stage::kWalkRead, when);
  advance(slot, resume(slot, when), when);
}

void PageTableWalker::b_transport(unsigned port, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  WalkExtension& extension = walk_of(payload);
  Slot& slot = *free_.front().value;
  const Ps now = now_ps();
  Ps time = delay.value();
  stats_.begin(extension.request.walk_class, 0);
  occupy(slot, QueuedWalk{&payload, &extension, port, 0}, now + time);
  for (Need need = slot.machine.start(extension.request);;) {
    time += params_.step_latency;
    extension.attribution.charge(Stage::kWalkLogic, now + time);
    if (buffered_ && need == Need::kRead && in_line(slot, need, now + time)) {
      continue;
    }
    if (need == Need::kLookUp) {
      tell_tables(slot);
      tlm::tlm_phase phase = kTableQuery;
      sc_core::sc_time answered = to_sc(time);
      (*requesters_[port])->nb_transport_bw(payload, phase, answered);
      SVASIM_CHECK(phase == kTableAnswer, "a question within b_transport is answered at once");
      time = answered.value();
      need = slot.machine.on_table(extension.tables.start);
    }
    if (need == Need::kDone) {
      break;
    }
    prepare(slot, need);
    slot.left = now + time;
    memory_.access(slot.access, time);
    extension.attribution.charge(Stage::kWalkRead, now + time);
    need = resume(slot, now + time);
  }
  finish(slot, now + time);
  delay = to_sc(time);
}

// The walk leaves its slot with its result.
void PageTableWalker::finish(Slot& slot, Ps leave) {
  WalkExtension& extension = *slot.walk.extension;
  const WalkRequest& request = extension.request;
  const WalkResult& result = extension.result = slot.machine.result();
  if (request.nested.cached) {
    tell_tables(slot);
  }
  if (request.keep_line) {
    const Addr entry = slot.machine.address();
    extension.line_address = slot.access.holds(entry) ? LineBuffer::line_of(entry) : WalkExtension::kNoLine;
    extension.line = slot.access.line();
  }
  stats_.finished.add();
  stats_.reads.add(result.reads);
  stats_.updates.add(result.updates);
  if (result.fault != FaultReason::kNone) {
    stats_.faulted.add();
  }
  stats_.duration.record(leave - slot.started);
  if (observer_ != nullptr) {
    observer_->walk_finished(slot.access.slot, result, leave);
  }
  slot.walk = QueuedWalk();
}

std::uint64_t PageTableWalker::in_flight() const { return queue_.size() + slots_.size() - free_.size(); }

void PageTableWalker::dump_in_flight(std::ostream& out) const {
  const auto line = [&](const QueuedWalk& walk, const std::string& what) {
    out << fmt::format("{}: walk {} of {:#x} {}\n", name(), walk.extension->request.id,
                       walk.extension->request.iova, what);
  };
  queue_.for_each([&](const QueuedWalk& walk) { line(walk, "arrives or waits for a slot"); });
  for (const auto& slot : slots_) {
    if (slot->walk.payload != nullptr) {
      line(slot->walk,
           fmt::format("reads level {} at {:#x}", slot->machine.level(), slot->machine.address()));
    }
  }
}

}  // namespace svasim
