#include "models/walker/walker.h"

#include <fmt/format.h>

#include "base/check.h"

namespace svasim {

namespace {

WalkExtension& walk_of(tlm::tlm_generic_payload& payload) { return *payload.get_extension<WalkExtension>(); }

}  // namespace

PageTableWalker::PageTableWalker(sc_core::sc_module_name name, const WalkerParams& params,
                                 SimContext& context, unsigned requesters)
    : Walker(name), params_(params), memory_("memory", *this), wake_("wake") {
  for (std::uint32_t i = 0; i < params.slots; ++i) {
    slots_.push_back(std::make_unique<Slot>(i));
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
  SVASIM_CHECK(phase == tlm::BEGIN_REQ, "illegal phase at a walker");
  const Ps arrival = now_ps() + delay.value();
  const Walk walk{&payload, &walk_of(payload), port, arrival};
  // WHY without a wake-up: of a single requester no earlier walk can follow.
  if (requesters_.size() == 1 && arrivals_.empty() && free_.due() <= arrival) {
    begin(walk, arrival);
    return tlm::TLM_ACCEPTED;
  }
  const std::uint64_t key = (std::uint64_t{port} << 56U) | walk.extension->request.id;
  arrivals_.push(arrival, key, walk);
  wake_.arm(next_begin());
  return tlm::TLM_ACCEPTED;
}

void PageTableWalker::run() {
  wake_.fired();
  const Ps now = now_ps();
  while (next_begin() <= now) {
    begin(arrivals_.pop(), now);
  }
  wake_.arm(next_begin());
}

void PageTableWalker::begin(const Walk& walk, Ps now) {
  Slot& slot = *free_.pop();
  slot.walk = walk;
  slot.started = now;
  WalkExtension& extension = *walk.extension;
  extension.attribution.charge(Stage::kWalkWait, now);
  stats_.started.add();
  stats_.wait.record(now - walk.arrival);
  slot.access.source.key = (std::uint64_t{walk.port} << 40U) | extension.request.id;
  slot.access.source.snoop = extension.request.snooped;
  if (observer_ != nullptr) {
    observer_->walk_started(slot.access.slot, extension.request, now);
  }
  advance(slot, slot.machine.start(extension.request), now);
}

void PageTableWalker::advance(Slot& slot, WalkMachine::Need need, Ps when) {
  WalkExtension& extension = *slot.walk.extension;
  const Ps leave = when + params_.step_latency;
  extension.attribution.charge(Stage::kWalkLogic, leave);
  const Ps delay = leave - now_ps();
  if (need != WalkMachine::Need::kDone) {
    prepare(slot.access, slot.machine, need);
    slot.left = leave;
    memory_.send(slot.access, delay);
    return;
  }
  extension.result = slot.machine.result();
  count(extension.result);
  stats_.duration.record(leave - slot.started);
  if (observer_ != nullptr) {
    observer_->walk_finished(slot.access.slot, extension.result, leave);
  }
  const Walk done = slot.walk;
  slot.walk = Walk();
  free_.push(when, slot.access.slot, &slot);
  if (!arrivals_.empty()) {
    wake_.arm(next_begin());
  }
  tlm::tlm_phase phase = tlm::BEGIN_RESP;
  sc_core::sc_time time = to_sc(delay);
  (*requesters_[done.port])->nb_transport_bw(*done.payload, phase, time);
}

void PageTableWalker::prepare(EntryAccess& access, const PageWalk& machine, WalkMachine::Need need) {
  if (need == WalkMachine::Need::kUpdate) {
    access.prepare_update(machine.address(), machine.expected(), machine.desired());
  } else {
    access.prepare_read(machine.address());
  }
}

WalkMachine::Need PageTableWalker::resume(Slot& slot) {
  const EntryAccess& access = slot.access;
  return access.is_write() ? slot.machine.on_update(access.is_response_ok(), access.value())
                           : slot.machine.on_read(access.is_response_ok(), access.value());
}

void PageTableWalker::tell(const Slot& slot, Ps answered) {
  if (observer_ == nullptr) {
    return;
  }
  const EntryAccess& access = slot.access;
  WalkAccess told;
  told.update = access.is_write();
  told.address = access.get_address();
  told.expected = slot.machine.expected();
  told.desired = slot.machine.desired();
  told.ok = access.is_response_ok();
  told.value = access.value();
  told.left = slot.left;
  told.answered = answered;
  observer_->walk_accessed(access.slot, told);
}

void PageTableWalker::memory_response(tlm::tlm_generic_payload& payload, Ps delay) {
  Slot& slot = *slots_[static_cast<EntryAccess&>(payload).slot];
  const Ps when = now_ps() + delay;
  slot.walk.extension->attribution.charge(Stage::kWalkRead, when);
  tell(slot, when);
  advance(slot, resume(slot), when);
}

void PageTableWalker::b_transport(unsigned port, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  WalkExtension& extension = walk_of(payload);
  Slot& slot = *free_.front().value;
  slot.walk = Walk{&payload, &extension, port, 0};
  slot.access.source.key = (std::uint64_t{port} << 40U) | extension.request.id;
  slot.access.source.snoop = extension.request.snooped;
  const Ps now = now_ps();
  const Ps started = delay.value();
  Ps time = started;
  stats_.started.add();
  stats_.wait.record(0);
  if (observer_ != nullptr) {
    observer_->walk_started(slot.access.slot, extension.request, now + started);
  }
  WalkMachine::Need need = slot.machine.start(extension.request);
  for (;;) {
    time += params_.step_latency;
    extension.attribution.charge(Stage::kWalkLogic, now + time);
    if (need == WalkMachine::Need::kDone) {
      break;
    }
    prepare(slot.access, slot.machine, need);
    slot.left = now + time;
    memory_.access(slot.access, time);
    extension.attribution.charge(Stage::kWalkRead, now + time);
    tell(slot, now + time);
    need = resume(slot);
  }
  slot.walk = Walk();
  extension.result = slot.machine.result();
  count(extension.result);
  stats_.duration.record(time - started);
  if (observer_ != nullptr) {
    observer_->walk_finished(slot.access.slot, extension.result, now + time);
  }
  delay = to_sc(time);
}

void PageTableWalker::count(const WalkResult& result) {
  stats_.finished.add();
  stats_.reads.add(result.reads);
  stats_.updates.add(result.updates);
  if (result.fault != FaultReason::kNone) {
    stats_.faulted.add();
  }
}

std::uint64_t PageTableWalker::in_flight() const { return arrivals_.size() + slots_.size() - free_.size(); }

void PageTableWalker::dump_in_flight(std::ostream& out) const {
  const auto line = [&](const Walk& walk, const std::string& what) {
    out << fmt::format("{}: walk {} of {:#x} {}\n", name(), walk.extension->request.id,
                       walk.extension->request.iova, what);
  };
  for (std::size_t i = 0; i < arrivals_.size(); ++i) {
    line(arrivals_[i].value, "arrives or waits for a slot");
  }
  for (const auto& slot : slots_) {
    if (slot->walk.payload != nullptr) {
      line(slot->walk,
           fmt::format("reads level {} at {:#x}", slot->machine.level(), slot->machine.address()));
    }
  }
}

}  // namespace svasim
