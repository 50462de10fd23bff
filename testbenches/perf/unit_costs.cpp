#include "perf/unit_costs.h"

namespace svasim::perf {

SelfWake::SelfWake(sc_core::sc_module_name name) : sc_core::sc_module(name), event_("event") {
  SC_HAS_PROCESS(SelfWake);
  SC_METHOD(wake);
  sensitive << event_;
  dont_initialize();
}

void SelfWake::run(std::uint64_t count) {
  left_ = count;
  event_.notify(1, sc_core::SC_NS);
  sc_core::sc_start(static_cast<double>(count + 1), sc_core::SC_NS);
}

void SelfWake::wake() {
  static const sc_core::sc_time period(1, sc_core::SC_NS);
  if (--left_ != 0) {
    event_.notify(period);
  }
}

BareCall::BareCall(sc_core::sc_module_name name)
    : sc_core::sc_module(name), out_("out", *this, 0), in_("in", *this, 0) {
  out_.bind(in_);
}

void BareCall::b_transport(unsigned /*port*/, tlm::tlm_generic_payload& /*payload*/,
                           sc_core::sc_time& delay) {
  static const sc_core::sc_time added(10, sc_core::SC_NS);
  delay += added;
}

Ps BareCall::run(std::uint64_t count) {
  Transaction& payload = pool_.allocate(tlm::TLM_READ_COMMAND, 0, nullptr, 0, 0);
  sc_core::sc_time delay;
  for (std::uint64_t i = 0; i < count; ++i) {
    out_->b_transport(payload, delay);
  }
  payload.release();
  return delay.value();
}

}  // namespace svasim::perf
