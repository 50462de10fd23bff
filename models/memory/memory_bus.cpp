#include "models/memory/memory_bus.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "tlm/direct_grant.h"
#include "tlm/time.h"

namespace svasim {

MemoryBus::MemoryBus(sc_core::sc_module_name name, const MemoryBusParams& params, SimContext& /*context*/,
                     unsigned initiators, unsigned targets)
    : sc_core::sc_module(name), latency_(to_sc(params.latency)) {
  SVASIM_CHECK(initiators <= 256, "a memory bus has at most 256 initiators");
  for (unsigned i = 0; i < initiators; ++i) {
    initiators_.push_back(
        std::make_unique<TargetSocket<>>(fmt::format("in{}", i).c_str(), static_cast<FwReceiver&>(*this), i));
  }
  for (unsigned i = 0; i < targets; ++i) {
    targets_.push_back(std::make_unique<InitiatorSocket<>>(fmt::format("out{}", i).c_str(),
                                                           static_cast<BwReceiver&>(*this), i));
  }
}

void MemoryBus::map(unsigned number, const std::string& what, Addr base, std::uint64_t size) {
  const Range added{base, base + (size - 1), number, what};
  for (const Range& range : ranges_) {
    SVASIM_CHECK(added.last < range.base || range.last < added.base,
                 fmt::format("addresses of {} overlap those of {}", what, range.what));
  }
  ranges_.push_back(added);
}

tlm::tlm_fw_transport_if<>* MemoryBus::connect(const tlm::tlm_generic_payload& payload) {
  for (const Range& range : ranges_) {
    routes_.push_back({range.base, range.last, targets_.at(range.target)->operator->()});
  }
  for (const auto& initiator : initiators_) {
    answers_.push_back(initiator->operator->());
  }
  return route(payload);
}

void MemoryBus::remember(SourceTag* tag, unsigned port, tlm::tlm_generic_payload& payload) {
  if (tag != nullptr) {
    SVASIM_CHECK(tag->hops < SourceTag::kMaxHops, "too many memory buses in a row");
    tag->port[tag->hops++] = static_cast<std::uint8_t>(port);
    tag->rank = static_cast<std::uint16_t>(port);
  } else {
    untagged_[&payload] = port;
  }
}

unsigned MemoryBus::recall(SourceTag* tag, tlm::tlm_generic_payload& payload) {
  if (tag != nullptr) {
    return tag->port[--tag->hops];
  }
  const auto found = untagged_.find(&payload);
  SVASIM_CHECK(found != untagged_.end(), "answer to a request the bus did not see");
  const unsigned port = found->second;
  untagged_.erase(found);
  return port;
}

tlm::tlm_sync_enum MemoryBus::nb_transport_fw(unsigned port, tlm::tlm_generic_payload& payload,
                                              tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  tlm::tlm_fw_transport_if<>* const target = route(payload);
  delay += latency_;
  if (target == nullptr) {
    payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    delay += latency_;
    return tlm::TLM_COMPLETED;
  }
  if (phase != tlm::BEGIN_REQ) {
    return target->nb_transport_fw(payload, phase, delay);
  }
  auto* const tag = payload.get_extension<SourceTag>();
  remember(tag, port, payload);
  const tlm::tlm_sync_enum answer = target->nb_transport_fw(payload, phase, delay);
  if (answer == tlm::TLM_COMPLETED || (answer == tlm::TLM_UPDATED && phase == tlm::BEGIN_RESP)) {
    recall(tag, payload);
    delay += latency_;
  }
  return answer;
}

tlm::tlm_sync_enum MemoryBus::nb_transport_bw(unsigned /*port*/, tlm::tlm_generic_payload& payload,
                                              tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  auto* const tag = payload.get_extension<SourceTag>();
  if (phase == tlm::END_REQ) {
    // Only a peek: the answer still has to come this way.
    const unsigned port = tag != nullptr ? tag->port[tag->hops - 1U] : untagged_.at(&payload);
    return answers_[port]->nb_transport_bw(payload, phase, delay);
  }
  delay += latency_;
  return answers_[recall(tag, payload)]->nb_transport_bw(payload, phase, delay);
}

void MemoryBus::b_transport(unsigned /*port*/, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  tlm::tlm_fw_transport_if<>* const target = route(payload);
  delay += latency_;
  if (target == nullptr) {
    payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
  } else {
    target->b_transport(payload, delay);
  }
  delay += latency_;
}

bool MemoryBus::get_direct_mem_ptr(unsigned /*port*/, tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) {
  tlm::tlm_fw_transport_if<>* const target = route(payload);
  if (target == nullptr || !target->get_direct_mem_ptr(payload, dmi)) {
    return false;
  }
  const Route& range = route_of(payload.get_address());
  if (dmi.get_start_address() < range.base) {
    dmi.set_dmi_ptr(dmi.get_dmi_ptr() + (range.base - dmi.get_start_address()));
    dmi.set_start_address(range.base);
  }
  dmi.set_end_address(std::min<Addr>(dmi.get_end_address(), range.last));
  add_latency(dmi, payload, 2 * latency_.value());
  return true;
}

const MemoryBus::Route& MemoryBus::route_of(Addr address) const {
  return *std::find_if(routes_.begin(), routes_.end(), [address](const Route& route) {
    return address >= route.base && address <= route.last;
  });
}

// Any of the initiators may have asked.
void MemoryBus::invalidate_direct_mem_ptr(unsigned /*port*/, Addr first, Addr last) {
  for (tlm::tlm_bw_transport_if<>* initiator : answers_) {
    initiator->invalidate_direct_mem_ptr(first, last);
  }
}

unsigned MemoryBus::transport_dbg(unsigned /*port*/, tlm::tlm_generic_payload& payload) {
  tlm::tlm_fw_transport_if<>* const target = route(payload);
  return target == nullptr ? 0 : target->transport_dbg(payload);
}

}  // namespace svasim
