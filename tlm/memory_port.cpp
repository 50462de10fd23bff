#include "tlm/memory_port.h"

#include <algorithm>

#include "base/check.h"

namespace svasim {

void MemoryPort::begin(tlm::tlm_generic_payload& payload, Ps delay) {
  SVASIM_CHECK(delay > 0, "a memory request must leave after now");
  tlm::tlm_phase phase = tlm::BEGIN_REQ;
  sc_core::sc_time time = to_sc(delay);
  payload.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  requesting_ = &payload;
  switch (socket_->nb_transport_fw(payload, phase, time)) {
    case tlm::TLM_ACCEPTED:
      return;
    case tlm::TLM_UPDATED:
      requesting_ = nullptr;
      if (phase == tlm::BEGIN_RESP) {
        client_.memory_response(payload, time.value());
      } else {
        SVASIM_CHECK(phase == tlm::END_REQ, "illegal phase returned to BEGIN_REQ");
      }
      return;
    case tlm::TLM_COMPLETED:
      requesting_ = nullptr;
      client_.memory_response(payload, time.value());
      return;
  }
}

tlm::tlm_sync_enum MemoryPort::nb_transport_bw(unsigned /*port*/, tlm::tlm_generic_payload& payload,
                                               tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  if (phase == tlm::END_REQ) {
    requesting_ = nullptr;
    next();
    return tlm::TLM_ACCEPTED;
  }
  SVASIM_CHECK(phase == tlm::BEGIN_RESP, "illegal phase on the backward path");
  // BEGIN_RESP of the request that still waits for END_REQ stands for both.
  const bool implied_end = requesting_ == &payload;
  if (implied_end) {
    requesting_ = nullptr;
  }
  client_.memory_response(payload, delay.value());
  if (implied_end) {
    next();
  }
  return tlm::TLM_COMPLETED;
}

void MemoryPort::next() {
  while (requesting_ == nullptr && !waiting_.empty()) {
    const Waiting first = waiting_.front();
    waiting_.erase(waiting_.begin());
    begin(*first.payload, std::max(first.time, now_ps() + 1) - now_ps());
  }
}

}  // namespace svasim
