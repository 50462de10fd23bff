// A scripted requester of page walks for tests.
#pragma once

#include <deque>
#include <map>
#include <systemc>

#include "models/walker/walker_if.h"
#include "tlm/sockets.h"
#include "tlm/time.h"

namespace svasim::test {

// Sends walks and remembers when and how each was answered.
class WalkRequester : public sc_core::sc_module, private BwReceiver {
 public:
  explicit WalkRequester(sc_core::sc_module_name name)
      : sc_core::sc_module(name), socket_("socket", *this, 0) {}

  InitiatorSocket<WalkProtocol>& socket() { return socket_; }

  // Sends now a walk that arrives `delay` later. Returns its number.
  std::size_t send(const WalkRequest& request, Ps delay) {
    WalkTransaction& walk = walks_.emplace_back();
    walk.walk.request = request;
    walk.walk.request.id = walks_.size();
    walk.walk.slot = static_cast<std::uint32_t>(walks_.size() - 1);
    walk.walk.attribution.start(now_ps());
    tlm::tlm_phase phase = tlm::BEGIN_REQ;
    sc_core::sc_time time = to_sc(delay);
    ++outstanding_;
    socket_->nb_transport_fw(walk, phase, time);
    return walks_.size() - 1;
  }

  // Walks at once with b_transport; the duration goes to `duration`.
  const WalkResult& walk_now(const WalkRequest& request, Ps* duration = nullptr) {
    WalkTransaction& walk = walks_.emplace_back();
    walk.walk.request = request;
    walk.walk.attribution.start(now_ps());
    sc_core::sc_time time = sc_core::SC_ZERO_TIME;
    socket_->b_transport(walk, time);
    if (duration != nullptr) {
      *duration = time.value();
    }
    return walk.walk.result;
  }

  std::size_t outstanding() const { return outstanding_; }
  bool answered(std::size_t number) const { return answered_at_.count(number) != 0; }
  Ps answered_at(std::size_t number) const { return answered_at_.at(number); }
  const WalkResult& result(std::size_t number) const { return walks_.at(number).walk.result; }
  const Attribution& attribution(std::size_t number) const { return walks_.at(number).walk.attribution; }

 private:
  tlm::tlm_sync_enum nb_transport_bw(unsigned /*port*/, tlm::tlm_generic_payload& payload,
                                     tlm::tlm_phase& /*phase*/, sc_core::sc_time& delay) override {
    --outstanding_;
    answered_at_[payload.get_extension<WalkExtension>()->slot] = now_ps() + delay.value();
    return tlm::TLM_COMPLETED;
  }

  InitiatorSocket<WalkProtocol> socket_;
  std::deque<WalkTransaction> walks_;
  std::map<std::size_t, Ps> answered_at_;
  std::size_t outstanding_ = 0;
};

}  // namespace svasim::test
