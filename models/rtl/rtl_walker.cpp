#include "models/rtl/rtl_walker.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/config.h"
#include "models/formats/page_table_format.h"
#include "models/rtl/rtl_format.h"
#include "models/rtl/rtl_stats.h"

namespace svasim {

namespace {

WalkExtension& walk_of(tlm::tlm_generic_payload& payload) { return *payload.get_extension<WalkExtension>(); }

RtlWalkerCore::Options core_options(const std::string& waves_file) {
  RtlWalkerCore::Options options;
  options.waves = waves_file;
  return options;
}

[[noreturn]] void refuse(const std::string& walker, const WalkRequest& walk) {
  Problems problems;
  problems.add(
      Where(), walker + ".kind",
      fmt::format("the rtl walker walks x86-fs4 only, but software uses {}{}; take kind tlm or lockstep",
                  walk.format->name, walk.nested.format == nullptr ? "" : ", nested"));
  throw ConfigError(problems);
}

}  // namespace

RtlWalker::RtlWalker(sc_core::sc_module_name name, const WalkerParams& params, SimContext& context,
                     unsigned requesters, const std::string& waves_file)
    : Walker(name),
      period_(params.clock),
      memory_("memory", *this),
      wake_("wake"),
      core_(core_options(waves_file)) {
  for (unsigned i = 0; i < requesters; ++i) {
    requesters_.push_back(std::make_unique<TargetSocket<WalkProtocol>>(fmt::format("requester{}", i).c_str(),
                                                                       static_cast<FwReceiver&>(*this), i));
  }
  SC_HAS_PROCESS(RtlWalker);
  SC_METHOD(run);
  sensitive << wake_.event();
  dont_initialize();
  stats_.describe(context.stats, this->name());
  describe_rtl_cycles(core_, context.stats, this->name());
}

tlm::tlm_sync_enum RtlWalker::nb_transport_fw(unsigned port, tlm::tlm_generic_payload& payload,
                                              tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  SVASIM_CHECK(phase == tlm::BEGIN_REQ, "illegal phase at a walker");
  const Ps arrival = now_ps() + delay.value();
  const std::uint64_t key = (std::uint64_t{port} << 56U) | walk_of(payload).request.id;
  arrivals_.push(arrival, key, Walk{&payload, port, arrival});
  wake_.arm(arrival);
  return tlm::TLM_ACCEPTED;
}

void RtlWalker::run() {
  wake_.fired();
  const Ps now = now_ps();
  while (arrivals_.due() <= now) {
    const Walk walk = arrivals_.pop();
    if (walk_.payload == nullptr) {
      begin(walk);
    } else {
      waiting_.push_back(walk);
    }
  }
  wake_.arm(arrivals_.due());
}

void RtlWalker::begin(const Walk& walk) {
  take(walk, std::max(edge_from(walk.arrival), free_from_));
  advance(taken_);
}

void RtlWalker::take(const Walk& walk, Ps edge) {
  WalkExtension& extension = walk_of(*walk.payload);
  if (!rtl_covers(extension.request)) {
    refuse(name(), extension.request);
  }
  walk_ = walk;
  taken_ = edge;
  extension.attribution.charge(Stage::kWalkWait, edge);
  stats_.begin(extension.request.walk_class, edge - walk.arrival);
  access_.source.key = (std::uint64_t{walk.port} << 40U) | extension.request.id;
  access_.source.snoop = extension.request.snooped;
  core_.start(to_rtl_request(extension.request));
}

bool RtlWalker::clock(Ps edge) {
  edge_ = edge;
  const RtlWalkerCore::Event event = core_.run(edge_, period_);
  WalkExtension& extension = walk_of(*walk_.payload);
  extension.attribution.charge(Stage::kWalkLogic, edge_);
  switch (event) {
    case RtlWalkerCore::Event::kRead:
      access_.prepare_read(core_.read_address());
      return false;
    case RtlWalkerCore::Event::kUpdate:
      access_.prepare_update(core_.update().address, core_.update().old_value, core_.update().new_value);
      return false;
    default:
      finish(extension);
      return true;
  }
}

Ps RtlWalker::answer(Ps when) {
  walk_of(*walk_.payload).attribution.charge(Stage::kWalkRead, when);
  const Ps edge = std::max(edge_from(when), edge_ + period_);
  core_.skip((edge - edge_) / period_ - 1);
  if (access_.is_write()) {
    core_.answer_update(access_.value(), !access_.is_response_ok());
  } else {
    core_.answer_read(access_.value(), !access_.is_response_ok());
  }
  return edge;
}

void RtlWalker::advance(Ps edge) {
  const bool done = clock(edge);
  const Ps delay = edge_ - now_ps();
  if (!done) {
    memory_.send(access_, delay);
    return;
  }
  const Walk finished = walk_;
  walk_ = Walk();
  free_from_ = edge_ + period_;
  tlm::tlm_phase phase = tlm::BEGIN_RESP;
  sc_core::sc_time time = to_sc(delay);
  (*requesters_[finished.port])->nb_transport_bw(*finished.payload, phase, time);
  if (!waiting_.empty()) {
    const Walk next = waiting_.front();
    waiting_.pop_front();
    begin(next);
  }
}

void RtlWalker::finish(WalkExtension& extension) {
  extension.result = to_walk_result(extension.request, core_.result());
  extension.result.entry = extension.result.reads == 0 ? 0 : access_.get_address();
  stats_.finished.add();
  stats_.reads.add(extension.result.reads);
  stats_.updates.add(extension.result.updates);
  if (extension.result.fault != FaultReason::kNone) {
    stats_.faulted.add();
  }
  stats_.duration.record(edge_ - taken_);
}

void RtlWalker::memory_response(tlm::tlm_generic_payload& /*payload*/, Ps delay) {
  advance(answer(now_ps() + delay));
}

void RtlWalker::b_transport(unsigned port, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  SVASIM_CHECK(walk_.payload == nullptr, "b_transport while a walk of nb_transport is under way");
  const Ps now = now_ps();
  const Ps arrival = now + delay.value();
  take(Walk{&payload, port, arrival}, edge_from(arrival));
  Ps edge = taken_;
  while (!clock(edge)) {
    Ps time = edge_ - now;
    memory_.access(access_, time);
    edge = answer(now + time);
  }
  walk_ = Walk();
  delay = to_sc(edge_ - now);
}

std::uint64_t RtlWalker::in_flight() const {
  return arrivals_.size() + waiting_.size() + (walk_.payload == nullptr ? 0 : 1);
}

void RtlWalker::dump_in_flight(std::ostream& out) const {
  const auto line = [&](const Walk& walk, const std::string& what) {
    const WalkRequest& request = walk_of(*walk.payload).request;
    out << fmt::format("{}: walk {} of {:#x} {}\n", name(), request.id, request.iova, what);
  };
  for (std::size_t i = 0; i < arrivals_.size(); ++i) {
    line(arrivals_[i].value, "arriving");
  }
  for (const Walk& walk : waiting_) {
    line(walk, "waits for the walker");
  }
  if (walk_.payload != nullptr) {
    line(walk_, fmt::format("{} the entry at {:#x}", access_.is_write() ? "updates" : "reads",
                            access_.get_address()));
  }
}

}  // namespace svasim
