#include "models/memory/memory_bus.h"

#include <fmt/format.h>

#include "base/check.h"
#include "tlm/pcie_protocol.h"
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

std::size_t MemoryBus::route(const tlm::tlm_generic_payload& payload) const {
  const Addr address = payload.get_address();
  for (const Range& range : ranges_) {
    if (address >= range.base && address <= range.last) {
      return range.target;
    }
  }
  return targets_.size();
}

void MemoryBus::remember(unsigned port, tlm::tlm_generic_payload& payload) {
  if (auto* tag = payload.get_extension<SourceTag>()) {
    SVASIM_CHECK(tag->hops < SourceTag::kMaxHops, "too many memory buses in a row");
    tag->port[tag->hops++] = static_cast<std::uint8_t>(port);
    tag->rank = static_cast<std::uint16_t>(port);
  } else {
    untagged_[&payload] = port;
  }
}

unsigned MemoryBus::recall(tlm::tlm_generic_payload& payload) {
  if (auto* tag = payload.get_extension<SourceTag>()) {
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
  const std::size_t target = route(payload);
  delay += latency_;
  if (target == targets_.size()) {
    payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    delay += latency_;
    return tlm::TLM_COMPLETED;
  }
  if (phase != tlm::BEGIN_REQ) {
    return (*targets_[target])->nb_transport_fw(payload, phase, delay);
  }
  remember(port, payload);
  const tlm::tlm_sync_enum answer = (*targets_[target])->nb_transport_fw(payload, phase, delay);
  if (answer == tlm::TLM_COMPLETED || (answer == tlm::TLM_UPDATED && phase == tlm::BEGIN_RESP)) {
    recall(payload);
    delay += latency_;
  }
  return answer;
}

tlm::tlm_sync_enum MemoryBus::nb_transport_bw(unsigned /*port*/, tlm::tlm_generic_payload& payload,
                                              tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  if (phase == tlm::END_REQ) {
    // Only a peek: the answer still has to come this way.
    if (const auto* tag = payload.get_extension<SourceTag>()) {
      return (*initiators_[tag->port[tag->hops - 1U]])->nb_transport_bw(payload, phase, delay);
    }
    return (*initiators_[untagged_.at(&payload)])->nb_transport_bw(payload, phase, delay);
  }
  delay += latency_;
  return (*initiators_[recall(payload)])->nb_transport_bw(payload, phase, delay);
}

void MemoryBus::b_transport(unsigned /*port*/, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  const std::size_t target = route(payload);
  delay += latency_;
  if (target == targets_.size()) {
    payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
  } else {
    (*targets_[target])->b_transport(payload, delay);
  }
  delay += latency_;
}

unsigned MemoryBus::transport_dbg(unsigned /*port*/, tlm::tlm_generic_payload& payload) {
  const std::size_t target = route(payload);
  return target == targets_.size() ? 0 : (*targets_[target])->transport_dbg(payload);
}

}  // namespace svasim
