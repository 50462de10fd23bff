// Joins sockets, with a protocol checker in between where the protocol has one.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "models/stale_uses/page_access_checker.h"
#include "sim/component.h"
#include "tlm/at_checker.h"
#include "tlm/ats_checker.h"

namespace svasim {

class Binder {
 public:
  Binder(const std::map<std::string, Component*>& components, const SocketPlan& plan, bool protocol_checks)
      : components_(components), plan_(plan), protocol_checks_(protocol_checks) {}

  unsigned number(const std::string& user, const Claim& claim) const { return plan_.number(user, claim); }

  // The port of a component; that it has one was checked with the configuration.
  template <typename Port>
  Port& port(const std::string& component) const {
    const auto found = components_.find(component);
    auto* port = found == components_.end() ? nullptr : dynamic_cast<Port*>(found->second);
    SVASIM_CHECK(port != nullptr, "component " + component + " lacks a port its type declares");
    return *port;
  }

  // `from` names the initiator, for checkers' messages: "link0.up".
  template <typename Types, typename From, typename To>
  void connect(const std::string& from, From& initiator, To& target) {
    if (!protocol_checks_) {
      initiator.bind(target);
      return;
    }
    auto& checker = add<AtChecker<Types>>(from, "at");
    initiator.bind(checker.target);
    checker.initiator.bind(target);
  }

  // The way of a bus to a memory.
  template <typename From, typename To>
  void connect_memory(const std::string& from, From& initiator, To& target) {
    if (page_life_ == nullptr) {
      connect<tlm::tlm_base_protocol_types>(from, initiator, target);
      return;
    }
    auto& checker = add<PageAccessChecker>(from, "pages", page_life_);
    connect<tlm::tlm_base_protocol_types>(from, initiator, checker.target);
    checker.initiator.bind(target);
  }

  // Both directions between a device with ATS and its link.
  template <typename Up, typename UpTarget, typename Down, typename DownTarget>
  void connect_ats(const std::string& device, Up& up, UpTarget& up_target, Down& down,
                   DownTarget& down_target, const AtsRuleOptions& rules) {
    if (!protocol_checks_) {
      up.bind(up_target);
      down.bind(down_target);
      return;
    }
    auto& checker = add<AtsChecker>(device, "ats", rules);
    connect<PcieProtocol>(device + ".up", up, checker.upstream_target);
    checker.upstream_initiator.bind(up_target);
    connect<PcieProtocol>(device + ".down", down, checker.downstream_target);
    checker.downstream_initiator.bind(down_target);
  }

  // Has accesses to memory compared with it.
  void watch_pages(PageLife life) { page_life_ = std::move(life); }
  bool protocol_checks() const { return protocol_checks_; }
  const std::map<std::string, Component*>& components() const { return components_; }
  const std::vector<ProtocolChecker*>& checkers() const { return checkers_; }

  // A module that belongs to no component.
  template <typename Module, typename... Args>
  Module& own(Args&&... args) {
    auto module = std::make_unique<Module>(std::forward<Args>(args)...);
    Module& result = *module;
    modules_.push_back(std::move(module));
    return result;
  }

 private:
  template <typename Checker, typename... Args>
  Checker& add(const std::string& name, const std::string& kind, const Args&... args) {
    std::string module_name = "check_" + name + "_" + kind;
    for (char& c : module_name) {
      if (c == '.') c = '_';
    }
    auto& checker = own<Checker>(sc_core::sc_module_name(module_name.c_str()), args...);
    checkers_.push_back(&checker);
    return checker;
  }

  const std::map<std::string, Component*>& components_;
  const SocketPlan& plan_;
  bool protocol_checks_;
  PageLife page_life_;
  std::vector<std::unique_ptr<sc_core::sc_module>> modules_;
  std::vector<ProtocolChecker*> checkers_;
};

// An initiator that never starts anything, for a target socket nobody uses.
template <typename Types = tlm::tlm_base_protocol_types>
class IdleInitiator : public sc_core::sc_module, private BwReceiver {
 public:
  explicit IdleInitiator(const sc_core::sc_module_name& name)
      : sc_core::sc_module(name), socket("socket", *this, 0) {}
  InitiatorSocket<Types> socket;

 private:
  tlm::tlm_sync_enum nb_transport_bw(unsigned /*port*/, tlm::tlm_generic_payload& /*payload*/,
                                     tlm::tlm_phase& /*phase*/, sc_core::sc_time& /*delay*/) override {
    return tlm::TLM_ACCEPTED;
  }
};

}  // namespace svasim
