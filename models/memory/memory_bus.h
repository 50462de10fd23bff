// The bus between initiators of physical addresses and what answers them.
#pragma once

#include <memory>
#include <string>
#include <systemc>
#include <unordered_map>
#include <vector>

#include "models/memory/memory_params.h"
#include "tlm/context.h"
#include "tlm/pcie_protocol.h"
#include "tlm/sockets.h"

namespace svasim {

// Routes by address and adds its latency in each direction; never waits and never wakes. A request
// to an address nobody claimed is answered TLM_ADDRESS_ERROR_RESPONSE. Initiators are ranked by
// their number: targets serve equal-time requests in that order.
class MemoryBus : public sc_core::sc_module, private FwReceiver, private BwReceiver {
 public:
  MemoryBus(sc_core::sc_module_name name, const MemoryBusParams& params, SimContext& context,
            unsigned initiators, unsigned targets);

  // Sockets by number; every one has to be bound.
  TargetSocket<>& initiator(unsigned number) { return *initiators_.at(number); }
  InitiatorSocket<>& target(unsigned number) { return *targets_.at(number); }
  // Target `number` answers `size` bytes from `base`; it may have several ranges. Ranges must not
  // overlap (InternalError).
  void map(unsigned number, const std::string& what, Addr base, std::uint64_t size);

 private:
  struct Range {
    Addr base;
    Addr last;
    unsigned target;
    std::string what;
  };
  struct Route {
    Addr base;
    Addr last;
    tlm::tlm_fw_transport_if<>* target;
  };

  tlm::tlm_sync_enum nb_transport_fw(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override;
  void b_transport(unsigned port, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
  unsigned transport_dbg(unsigned port, tlm::tlm_generic_payload& payload) override;
  bool get_direct_mem_ptr(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) override;
  tlm::tlm_sync_enum nb_transport_bw(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override;
  void invalidate_direct_mem_ptr(unsigned port, Addr first, Addr last) override;

  // The target that claims the first byte; nullptr when nobody does.
  tlm::tlm_fw_transport_if<>* route(const tlm::tlm_generic_payload& payload) {
    const Addr address = payload.get_address();
    for (const Route& route : routes_) {
      if (address >= route.base && address <= route.last) {
        return route.target;
      }
    }
    return routes_.size() == ranges_.size() ? nullptr : connect(payload);
  }
  // The range whose target claims the address; there is one when route() found one.
  const Route& route_of(Addr address) const;
  // At the first access, when everything is bound.
  tlm::tlm_fw_transport_if<>* connect(const tlm::tlm_generic_payload& payload);
  void remember(SourceTag* tag, unsigned port, tlm::tlm_generic_payload& payload);
  unsigned recall(SourceTag* tag, tlm::tlm_generic_payload& payload);

  sc_core::sc_time latency_;
  std::vector<std::unique_ptr<TargetSocket<>>> initiators_;
  std::vector<std::unique_ptr<InitiatorSocket<>>> targets_;
  std::vector<Range> ranges_;
  // What is bound to the sockets above.
  std::vector<Route> routes_;
  std::vector<tlm::tlm_bw_transport_if<>*> answers_;
  // Way back of payloads that have no SourceTag, which only foreign initiators send.
  std::unordered_map<const tlm::tlm_generic_payload*, unsigned> untagged_;
};

}  // namespace svasim
