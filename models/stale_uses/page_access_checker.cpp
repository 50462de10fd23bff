#include "models/stale_uses/page_access_checker.h"

#include <fmt/format.h>

#include <utility>

namespace svasim {

PageAccessChecker::PageAccessChecker(const sc_core::sc_module_name& name, PageLife life)
    : sc_core::sc_module(name),
      target("target", *this, 0),
      initiator("initiator", *this, 0),
      life_(std::move(life)),
      wake_("wake"),
      log_(this->name()) {
  SC_HAS_PROCESS(PageAccessChecker);
  SC_METHOD(arrived);
  sensitive << wake_.event();
  dont_initialize();
}

tlm::tlm_sync_enum PageAccessChecker::nb_transport_fw(unsigned /*port*/, tlm::tlm_generic_payload& payload,
                                                      tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  if (phase == tlm::BEGIN_REQ) {
    const Ps due = now_ps() + delay.value();
    arrivals_.push(due, observed_++, {payload.get_address(), payload.is_write()});
    wake_.arm(due);
  }
  return initiator->nb_transport_fw(payload, phase, delay);
}

tlm::tlm_sync_enum PageAccessChecker::nb_transport_bw(unsigned /*port*/, tlm::tlm_generic_payload& payload,
                                                      tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  return target->nb_transport_bw(payload, phase, delay);
}

void PageAccessChecker::b_transport(unsigned /*port*/, tlm::tlm_generic_payload& payload,
                                    sc_core::sc_time& delay) {
  ++observed_;
  look({payload.get_address(), payload.is_write()}, now_ps() + delay.value());
  initiator->b_transport(payload, delay);
  payload.set_dmi_allowed(false);  // it has to see every access
}

unsigned PageAccessChecker::transport_dbg(unsigned /*port*/, tlm::tlm_generic_payload& payload) {
  return initiator->transport_dbg(payload);
}

void PageAccessChecker::arrived() {
  wake_.fired();
  const Ps now = now_ps();
  while (arrivals_.due() <= now) look(arrivals_.pop(), now);
  wake_.arm(arrivals_.due());
}

void PageAccessChecker::look(const Arrival& arrival, Ps time) {
  if (life_(arrival.address & ~(kPageSize - 1)) == 0U) {
    log_.add(time, "page_free",
             fmt::format("{} of {:#x}, which is free", arrival.write ? "write" : "read", arrival.address));
  }
}

}  // namespace svasim
