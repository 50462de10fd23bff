// A whole SVA system wired by hand: host, memory, one IOMMU, one DSA behind a link, checkers on every
// connection.
#pragma once

#include <memory>
#include <sstream>
#include <systemc>
#include <vector>

#include "models/atc/atc.h"
#include "models/dsa/dsa.h"
#include "models/host/host.h"
#include "models/iommu/iommu.h"
#include "models/link/link.h"
#include "models/memory/memory.h"
#include "models/memory/memory_bus.h"
#include "models/prq/prq.h"
#include "models/walker/walker.h"
#include "tlm/at_checker.h"
#include "tlm/ats_checker.h"
#include "tlm/transaction.h"

namespace svasim {

// A buffer and a step of a process with defaults but for these.
inline BufferParams buffer(const char* name, std::uint64_t size, double resident, const char* content) {
  BufferParams b = buffer_params().defaults();
  b.name = name;
  b.size = size;
  b.resident = resident;
  b.content = content;
  return b;
}

inline StepParams step(const char* action, const char* from, const char* to, std::uint64_t size = 4096,
                       std::uint64_t count = 1) {
  StepParams s = step_params().defaults();
  s.action = action;
  s.from = from;
  s.to = to;
  s.size = size;
  s.count = count;
  return s;
}

struct SystemParams {
  Timing timing = Timing::kApproximate;
  std::uint64_t seed = 1;
  MemoryParams memory = [] {
    MemoryParams p = memory_params().defaults();
    p.size = std::uint64_t{2} << 30U;  // below the interrupt range
    return p;
  }();
  LinkParams link = link_params().defaults();
  IommuParams iommu = iommu_params().defaults();
  WalkerParams walker = walker_params().defaults();
  PrqParams prq = prq_params().defaults();
  AtcParams atc = atc_params().defaults();
  DsaParams dsa = dsa_params().defaults();
  HostParams host = host_params().defaults();
};

class SvaSystem : public sc_core::sc_module {
 public:
  static constexpr Addr kIommuRegisters = 0xFED90000;

  SvaSystem(const sc_core::sc_module_name& module_name, const SystemParams& p)
      : sc_core::sc_module(module_name),
        context{p.seed, p.timing, pool, stats},
        memory("memory", p.memory, context),
        bus("bus", memory_bus_params().defaults(), context, 5, 4),
        walker("walker", p.walker, context, 1),
        prq("prq", p.prq, context),
        iommu("iommu0", p.iommu, context),
        link("link0", p.link, context),
        atc("atc0", p.atc, context),
        dsa("dsa0", p.dsa, context),
        host("host0", p.host, context) {
    iommu.add_device(0, p.dsa.bdf);
    iommu.set_page_request_registers(prq);
    connect("host", host.memory_socket(), bus.initiator(0));
    connect("iommu_structures", iommu.structure_socket(), bus.initiator(1));
    connect("walker", walker.memory_socket(), bus.initiator(2));
    connect("prq", prq.memory(), bus.initiator(3));
    connect("iommu_data", iommu.data_socket(), bus.initiator(4));
    connect("memory", bus.target(0), memory.socket());
    connect("interrupts", bus.target(1), host.interrupts());
    connect("registers", bus.target(2), iommu.register_socket());
    connect("mmio", bus.target(3), link.mmio_in());
    bus.map(0, "memory", p.memory.base, p.memory.size);
    bus.map(1, "interrupts", 0xFEE00000, 1U << 20U);
    bus.map(2, "registers", kIommuRegisters, kPageSize);
    bus.map(3, "bar0", p.dsa.bar0, 1U << 16U);
    bus.map(3, "bar2", p.dsa.bar2, p.dsa.queues * 4 * kPageSize);
    iommu.walk_socket().bind(walker.requester(0));
    connect<PcieProtocol>("pages", iommu.page_request_socket(), prq.requests());
    connect<PcieProtocol>("up", link.up_out(), iommu.requests(0));
    connect<PcieProtocol>("down", iommu.messages(0), link.down_in());
    ats = std::make_unique<AtsChecker>("ats_check");
    checkers.push_back(ats.get());
    connect<PcieProtocol>("atc_up", atc.up_out(), ats->upstream_target);
    ats->upstream_initiator.bind(link.up_in());
    connect<PcieProtocol>("atc_down", link.down_out(), ats->downstream_target);
    ats->downstream_initiator.bind(atc.down_in());
    connect<PcieProtocol>("dsa_up", dsa.up_out(), atc.up_in());
    connect<PcieProtocol>("dsa_down", atc.down_out(), dsa.down_in());

    Platform platform;
    platform.iommus.push_back({"iommu0", kIommuRegisters});
    platform.devices.push_back({"dsa0", p.dsa.bdf, p.dsa.bar0, p.dsa.bar2, 0});
    host.start(platform);
  }

  // Runs until the host is done and nothing is under way, or for `limit`.
  void run(Ps limit) {
    const Ps end = now_ps() + limit;
    while (now_ps() < end && !(host.done() && in_flight() == 0)) {
      sc_core::sc_start(to_sc(std::min<Ps>(end - now_ps(), 1'000'000)));
    }
  }

  std::vector<const Inspectable*> parts() const {
    return {&memory, &walker, &prq, &iommu, &link, &atc, &dsa, &host};
  }
  std::uint64_t in_flight() const {
    std::uint64_t sum = 0;
    for (const Inspectable* part : parts()) sum += part->in_flight();
    return sum;
  }
  std::string dump() const {
    std::ostringstream out;
    for (const Inspectable* part : parts()) part->dump_in_flight(out);
    return out.str();
  }
  std::string host_log() const {
    std::string text;
    for (const std::string& line : host.log()) text += line + "\n";
    return text;
  }
  // Violations of all checkers, after the end of the run.
  std::string violations() {
    std::ostringstream out;
    for (ProtocolChecker* checker : checkers) {
      checker->finish();
      out << checker->violations();
    }
    return out.str();
  }

  TransactionPool pool;
  StatRegistry stats;
  SimContext context;
  Memory memory;
  MemoryBus bus;
  PageTableWalker walker;
  PageRequestQueue prq;
  Iommu iommu;
  PcieLink link;
  Atc atc;
  Dsa dsa;
  Host host;
  std::unique_ptr<AtsChecker> ats;
  std::vector<ProtocolChecker*> checkers;

 private:
  template <typename Types = tlm::tlm_base_protocol_types, typename From, typename To>
  void connect(const char* what, From& from, To& to) {
    auto checker = std::make_unique<AtChecker<Types>>((std::string("check_") + what).c_str());
    from.bind(checker->target);
    checker->initiator.bind(to);
    checkers.push_back(checker.get());
    modules_.push_back(std::move(checker));
  }
  std::vector<std::unique_ptr<sc_core::sc_module>> modules_;
};

}  // namespace svasim
