// What stands between devices and memory, as components of a configuration.
#pragma once

#include "models/atc/atc.h"
#include "models/formats/pci_config.h"
#include "models/iommu/iommu.h"
#include "models/link/link.h"
#include "models/memory/memory.h"
#include "models/prq/prq.h"
#include "models/rtl/make_walker.h"
#include "sim/binder.h"
#include "sim/ports.h"

namespace svasim {

using Bus = tlm::tlm_base_protocol_types;

// A component that is one module.
template <typename Params, const ParamTable<Params>& (*Table)(), typename Model>
class ModelComponent : public ConfiguredComponent<Params, Table> {
 public:
  using ConfiguredComponent<Params, Table>::ConfiguredComponent;
  const Inspectable* inspectable() const override { return dynamic_cast<const Inspectable*>(model_.get()); }

 protected:
  template <typename ModelParams, typename... Rest>
  void make(const std::string& name, const ModelParams& params, Rest&&... rest) {
    model_ =
        std::make_unique<Model>(sc_core::sc_module_name(name.c_str()), params, std::forward<Rest>(rest)...);
  }
  Model& model() const { return *model_; }
  std::string name() const { return model_->name(); }

 private:
  std::unique_ptr<Model> model_;
};

// The bus socket that `claim` got.
inline TargetSocket<>& bus_initiator(Binder& binder, const std::string& user, const Claim& claim) {
  return binder.port<BusPort>(claim.target).bus().initiator(binder.number(user, claim));
}

inline void connect_to_bus(Binder& binder, const std::string& user, InitiatorSocket<>& socket,
                           const Claim& claim) {
  binder.connect<Bus>(user + "." + claim.socket, socket, bus_initiator(binder, user, claim));
}

// The bus socket that `claim` got, which delivers accesses to these addresses.
inline InitiatorSocket<>& bus_target(Binder& binder, const std::string& user, const Claim& claim,
                                     const std::vector<AddressRange>& ranges) {
  MemoryBus& bus = binder.port<BusPort>(claim.target).bus();
  const unsigned number = binder.number(user, claim);
  for (const AddressRange& range : ranges) bus.map(number, user, range.base, range.size);
  return bus.target(number);
}

inline void connect_from_bus(Binder& binder, const std::string& user, TargetSocket<>& socket,
                             const Claim& claim, const std::vector<AddressRange>& ranges) {
  binder.connect<Bus>(claim.target + "." + user, bus_target(binder, user, claim, ranges), socket);
}

// ---- memory_bus

class BusComponent : public ModelComponent<MemoryBusParams, memory_bus_params, MemoryBus>, public BusPort {
 public:
  using ModelComponent::ModelComponent;
  void construct(const std::string& name, SimContext& context, const SocketPlan& plan) override {
    make(name, params(), context, plan.count(name, "initiator"), plan.count(name, "target"));
  }
  void bind(Binder&) override {}
  MemoryBus& bus() override { return model(); }
};

// ---- memory

struct MemoryWiring {
  MemoryParams model;
  std::string bus;
};

inline const ParamTable<MemoryWiring>& memory_wiring() {
  static const ParamTable<MemoryWiring> table =
      ParamTable<MemoryWiring>(memory_params().set().summary())
          .include(&MemoryWiring::model, memory_params())
          .ref("bus", &MemoryWiring::bus, "bus", Ref::kRequired, "The bus that reaches it.");
  return table;
}

class MemoryComponent : public ModelComponent<MemoryWiring, memory_wiring, Memory> {
 public:
  using ModelComponent::ModelComponent;
  std::vector<AddressRange> ranges() const override {
    std::vector<AddressRange> ranges = {{params().bus, params().model.base, params().model.size}};
    if (params().model.config != 0) {
      ranges.push_back({params().bus, params().model.config, pci_config::kBytes});
    }
    return ranges;
  }
  std::vector<Claim> claims() const override { return {bus_claim()}; }
  void construct(const std::string& name, SimContext& context, const SocketPlan&) override {
    make(name, params().model, context);
  }
  void bind(Binder& binder) override {
    binder.connect_memory(params().bus + "." + name(), bus_target(binder, name(), bus_claim(), ranges()),
                          model().socket());
  }

 private:
  Claim bus_claim() const { return {params().bus, "target", "socket"}; }
};

// ---- walker

struct WalkerWiring {
  WalkerParams model;
  std::string bus;
};

inline const ParamTable<WalkerWiring>& walker_wiring() {
  static const ParamTable<WalkerWiring> table =
      ParamTable<WalkerWiring>(walker_params().set().summary())
          .include(&WalkerWiring::model, walker_params())
          .ref("bus", &WalkerWiring::bus, "bus", Ref::kRequired, "Where its memory accesses go.")
          .check([](const WalkerWiring& p, const Complain& bad) {
            if (!has_walker_kind(p.model.kind)) bad("kind", "this program was built without RTL");
          });
  return table;
}

class WalkerComponent : public ConfiguredComponent<WalkerWiring, walker_wiring>, public WalkerPort {
 public:
  using ConfiguredComponent::ConfiguredComponent;
  std::vector<Claim> claims() const override { return {bus_claim()}; }
  void construct(const std::string& name, SimContext& context, const SocketPlan& plan) override {
    walker_ = make_walker(name, params().model, context, plan.count(name, "requester"));
  }
  void bind(Binder& binder) override {
    connect_to_bus(binder, walker_->name(), walker_->memory_socket(), bus_claim());
  }
  // Waves would be a file nobody wants.
  void list_statistics(const std::string& name, SimContext& context, const SocketPlan& plan) override {
    WalkerParams quiet = params().model;
    quiet.waves = false;
    walker_ = make_walker(name, quiet, context, plan.count(name, "requester"));
  }
  TargetSocket<WalkProtocol>& requester(unsigned number) override { return walker_->requester(number); }
  const std::string& bus() const override { return params().bus; }
  const Inspectable* inspectable() const override { return walker_.get(); }
  void add_checks(const std::string& name, RunChecks& checks) const override {
    for (const auto& [figure, value] : walker_->must_be_zero()) checks.none(name + "." + figure, value);
  }
  std::vector<std::string> notes() const override { return walker_->notes(); }

 private:
  Claim bus_claim() const { return {params().bus, "initiator", "memory"}; }
  std::unique_ptr<Walker> walker_;
};

// ---- page_request_queue

struct PrqWiring {
  PrqParams model;
  std::string bus;
};

inline const ParamTable<PrqWiring>& prq_wiring() {
  static const ParamTable<PrqWiring> table =
      ParamTable<PrqWiring>(prq_params().set().summary())
          .include(&PrqWiring::model, prq_params())
          .ref("bus", &PrqWiring::bus, "bus", Ref::kRequired, "Where descriptors and interrupts go.");
  return table;
}

class PrqComponent : public ModelComponent<PrqWiring, prq_wiring, PageRequestQueue>, public PageRequestPort {
 public:
  using ModelComponent::ModelComponent;
  std::vector<Claim> claims() const override { return {bus_claim()}; }
  void construct(const std::string& name, SimContext& context, const SocketPlan&) override {
    make(name, params().model, context);
  }
  void bind(Binder& binder) override { connect_to_bus(binder, name(), model().memory(), bus_claim()); }
  PageRequestQueue& queue() override { return model(); }
  const std::string& bus() const override { return params().bus; }

 private:
  Claim bus_claim() const { return {params().bus, "initiator", "memory"}; }
};

// ---- iommu

struct IommuWiring {
  IommuParams model;
  std::string bus;
  std::string walker;
  std::string page_request_queue;
};

inline const ParamTable<IommuWiring>& iommu_wiring() {
  static const ParamTable<IommuWiring> table =
      ParamTable<IommuWiring>(iommu_params().set().summary())
          .include(&IommuWiring::model, iommu_params())
          .ref("bus", &IommuWiring::bus, "bus", Ref::kRequired,
               "Where its accesses go and its registers are reached from.")
          .ref("walker", &IommuWiring::walker, "walker", Ref::kRequired, "Who walks page tables for it.")
          .ref("page_request_queue", &IommuWiring::page_request_queue, "page_request_queue", Ref::kOptional,
               "Who takes page requests; needed with capabilities.page_requests.")
          .check([](const IommuWiring& p, const Complain& bad) {
            if (p.model.capabilities.page_requests && p.page_request_queue.empty()) {
              bad("page_request_queue", "is not bound; name one, or set capabilities.page_requests to false");
            }
            if (!p.model.capabilities.page_requests && !p.page_request_queue.empty()) {
              bad("page_request_queue", "has no use without capabilities.page_requests");
            }
          });
  return table;
}

class IommuComponent : public ModelComponent<IommuWiring, iommu_wiring, Iommu>, public RootPort {
 public:
  using ModelComponent::ModelComponent;
  std::vector<AddressRange> ranges() const override {
    return {{params().bus, params().model.register_base, IommuParams::kRegisterBytes}};
  }
  void check_together(const std::string& name, Binder& binder, Contradictions& bad) const override {
    const auto same_bus = [&](const std::string& helper, const std::string& bus, const char* what) {
      if (bus == params().bus) return;
      bad.add({{helper, "bus"}, {name, "bus"}}, "'" + name + "' is on '" + params().bus + "', but " + what +
                                                    " '" + helper + "' is on '" + bus +
                                                    "': both have to reach the same memory");
    };
    same_bus(params().walker, binder.port<WalkerPort>(params().walker).bus(), "its walker");
    const std::string& queue = params().page_request_queue;
    if (!queue.empty()) same_bus(queue, binder.port<PageRequestPort>(queue).bus(), "its page request queue");
    if (params().model.iotlb.policy == kOraclePolicy) check_future(name, binder, bad);
  }
  std::vector<Claim> claims() const override {
    return {data_claim(), structure_claim(), register_claim(), walk_claim()};
  }
  void construct(const std::string& name, SimContext& context, const SocketPlan& plan) override {
    make(name, params().model, context, plan.count(name, "link"));
    view_ = std::make_unique<IommuView>(model());
  }
  void bind(Binder& binder) override {
    connect_to_bus(binder, name(), model().data_socket(), data_claim());
    connect_to_bus(binder, name(), model().structure_socket(), structure_claim());
    connect_from_bus(binder, name(), model().register_socket(), register_claim(), ranges());
    auto& walker = binder.port<WalkerPort>(params().walker);
    model().walk_socket().bind(walker.requester(binder.number(name(), walk_claim())));
    if (params().model.capabilities.page_requests) {
      PageRequestQueue& queue = binder.port<PageRequestPort>(params().page_request_queue).queue();
      model().set_page_request_registers(queue);
      binder.connect<PcieProtocol>(name() + ".pages", model().page_request_socket(), queue.requests());
    }
  }
  bool wants_future() const override { return params().model.iotlb.policy == kOraclePolicy; }
  bool future_by_requester() const override { return params().model.iotlb.by_requester(); }
  void watch_uses(Binder&, StaleUseDetector& detector) override { detector.watch(name(), model(), *view_); }
  void add_checks(const std::string& name, RunChecks& checks) const override {
    checks.none(name + ".stale_uses", model().stats().stale_uses.value);
  }
  RemappingView& remapping() override { return *view_; }
  Iommu& iommu() override { return model(); }
  Addr registers() const override { return params().model.register_base; }
  const std::string& bus() const override { return params().bus; }
  const IommuCapabilityParams& capabilities() const override { return params().model.capabilities; }

 private:
  // The policy "oracle" has to be told what comes, which one replay behind this IOMMU can do.
  static void check_future(const std::string& name, Binder& binder, Contradictions& bad) {
    unsigned links = 0;
    const FuturePort* future = nullptr;
    for (const auto& [other, component] : binder.components()) {
      if (const auto* port = dynamic_cast<const FuturePort*>(component)) {
        if (port->iommu_used(binder) == name) future = port;
      }
      for (const RefUse& ref : component->refs()) {
        if (ref.kind == "root_port" && ref.target == name) ++links;
      }
    }
    const std::string need = "oracle needs a linux_replay with window: 1 and nothing else behind this IOMMU";
    if (future == nullptr) {
      bad.add({{name, "iotlb.policy"}}, need);
    } else if (links != 1) {
      bad.add({{name, "iotlb.policy"}}, need + "; " + std::to_string(links) + " links end here");
    } else if (!future->unknown_order().empty()) {
      bad.add({{name, "iotlb.policy"}}, need + "; " + future->unknown_order());
    }
  }
  Claim data_claim() const { return {params().bus, "initiator", "data"}; }
  Claim structure_claim() const { return {params().bus, "initiator", "structures"}; }
  Claim register_claim() const { return {params().bus, "target", "registers"}; }
  Claim walk_claim() const { return {params().walker, "requester", "walks"}; }
  std::unique_ptr<IommuView> view_;
};

// ---- link

struct LinkWiring {
  LinkParams model;
  std::string iommu;
};

inline const ParamTable<LinkWiring>& link_wiring() {
  static const ParamTable<LinkWiring> table =
      ParamTable<LinkWiring>(link_params().set().summary())
          .include(&LinkWiring::model, link_params())
          .ref("iommu", &LinkWiring::iommu, "root_port", Ref::kRequired, "The IOMMU at its root end.");
  return table;
}

class LinkComponent : public ModelComponent<LinkWiring, link_wiring, PcieLink>, public DevicePort {
 public:
  using ModelComponent::ModelComponent;
  std::vector<Claim> claims() const override { return {root_claim()}; }
  void construct(const std::string& name, SimContext& context, const SocketPlan&) override {
    make(name, params().model, context);
  }
  void bind(Binder& binder) override {
    Iommu& iommu = binder.port<RootPort>(params().iommu).iommu();
    const unsigned number = binder.number(name(), root_claim());
    binder.connect<PcieProtocol>(name() + ".up", model().up_out(), iommu.requests(number));
    binder.connect<PcieProtocol>(name() + ".down", iommu.messages(number), model().down_in());
  }
  void attach(Binder& binder, const std::string& device, InitiatorSocket<PcieProtocol>& requests,
              TargetSocket<PcieProtocol>& messages, const AtsRuleOptions& rules) override {
    binder.connect_ats(device, requests, model().up_in(), model().down_out(), messages, rules);
  }
  void add_requester(Binder& binder, RequesterId requester) override {
    binder.port<RootPort>(params().iommu).iommu().add_device(binder.number(name(), root_claim()), requester);
  }
  TargetSocket<>& mmio(Binder&) override { return model().mmio_in(); }
  std::string iommu(Binder&) const override { return params().iommu; }
  bool has_atc() const override { return false; }

 private:
  Claim root_claim() const { return {params().iommu, "link", "root"}; }
};

// ---- atc

struct AtcWiring {
  AtcParams model;
  std::string link;
};

inline const ParamTable<AtcWiring>& atc_wiring() {
  static const ParamTable<AtcWiring> table =
      ParamTable<AtcWiring>(atc_params().set().summary())
          .include(&AtcWiring::model, atc_params())
          .ref("link", &AtcWiring::link, "link", Ref::kRequired, "The link it stands before.");
  return table;
}

class AtcComponent : public ModelComponent<AtcWiring, atc_wiring, Atc>, public DevicePort {
 public:
  using ModelComponent::ModelComponent;
  void construct(const std::string& name, SimContext& context, const SocketPlan&) override {
    make(name, params().model, context);
  }
  void bind(Binder& binder) override {
    AtsRuleOptions rules;
    rules.page_request_credits = params().model.page_requests.allocation;
    link(binder).attach(binder, name(), model().up_out(), model().down_in(), rules);
  }
  void attach(Binder& binder, const std::string& device, InitiatorSocket<PcieProtocol>& requests,
              TargetSocket<PcieProtocol>& messages, const AtsRuleOptions& /*rules*/) override {
    binder.connect<PcieProtocol>(device, requests, model().up_in());
    binder.connect<PcieProtocol>(name() + ".device", model().down_out(), messages);
  }
  void add_requester(Binder& binder, RequesterId requester) override {
    link(binder).add_requester(binder, requester);
  }
  TargetSocket<>& mmio(Binder& binder) override { return link(binder).mmio(binder); }
  std::string iommu(Binder& binder) const override { return link(binder).iommu(binder); }
  bool has_atc() const override { return true; }
  void add_checks(const std::string& name, RunChecks& checks) const override {
    const AtcStats& stats = model().stats();
    std::uint64_t parts = 0;
    for (const Counter& part : stats.page_fault_parts) parts += part.value;
    checks.equal(name + ".page_fault_parts_sum_to_latency_ps", parts, stats.page_fault_latency.sum());
    if (params().model.misbehave.ignores_credits || model().in_flight() != 0) return;
    checks.equal(name + ".page_request_credits", model().page_request_credits(),
                 params().model.page_requests.credits());
  }
  void watch_uses(Binder& binder, StaleUseDetector& detector) override {
    auto& root = binder.port<RootPort>(iommu(binder));
    detector.watch(name(), model(), root.remapping(), &root.iommu());
  }

 private:
  DevicePort& link(Binder& binder) const { return binder.port<DevicePort>(params().link); }
};

}  // namespace svasim
