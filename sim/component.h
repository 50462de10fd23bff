// A component of a configuration, from its parameters to its model.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/config.h"
#include "base/params.h"
#include "models/stale_uses/page_life.h"
#include "sim/checks.h"
#include "tlm/context.h"
#include "tlm/inspect.h"

namespace svasim {

class Binder;
class StaleUseDetector;

// How far a component that drives the run has come.
struct Progress {
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  Ps asleep_until = 0;  // the work itself is to pause until then
};

// Physical addresses a component answers on a bus.
struct AddressRange {
  std::string bus;
  Addr base = 0;
  std::uint64_t size = 0;
};

// Memory a component takes for granted, and its parameter that says how much of it.
struct MemoryNeed {
  AddressRange range;
  std::string param;  // empty: there is none, the memory has to be larger
  std::string why{};  // what asks for it; may be empty
};

// A parameter of a component: "walker0" and "bus", "host0" and "dsa.wq_size".
struct ParamPlace {
  std::string component;
  std::string param;
};

// Takes contradictions between components.
class Contradictions {
 public:
  virtual ~Contradictions() = default;
  // `places` are the parameters that contradict each other. The message stands at the one the user
  // gave last: on the command line, else the first one that is written anywhere.
  virtual void add(const std::vector<ParamPlace>& places, const std::string& message) = 0;
};

// A number of a statistic that a component will look up while it runs.
struct StatisticUse {
  std::string statistic;
  std::string field;
  ConfigNode entry;      // what names it
  bool figures = false;  // its bounds are texts that may have a unit
};

// A numbered socket of another component that is used by one of this component's sockets.
struct Claim {
  std::string target;
  std::string kind;    // "initiator", "target", "requester", "link": which row of sockets
  std::string socket;  // of the claiming component
};

// Who gets which numbered socket: numbers follow the names, never the order of construction.
class SocketPlan {
 public:
  // For all components, in the order of their names.
  void add(const std::string& user, const Claim& claim) {
    std::vector<std::string>& row = rows_[claim.target + "." + claim.kind];
    row.push_back(user + "." + claim.socket);
  }
  unsigned count(const std::string& target, const std::string& kind) const {
    const auto row = rows_.find(target + "." + kind);
    return row == rows_.end() ? 0 : static_cast<unsigned>(row->second.size());
  }
  unsigned number(const std::string& user, const Claim& claim) const {
    const auto row = rows_.find(claim.target + "." + claim.kind);
    SVASIM_CHECK(row != rows_.end(), user + " did not claim a " + claim.kind + " of " + claim.target);
    const auto place = std::find(row->second.begin(), row->second.end(), user + "." + claim.socket);
    SVASIM_CHECK(place != row->second.end(), user + " did not claim a " + claim.kind + " of " + claim.target);
    return static_cast<unsigned>(place - row->second.begin());
  }

 private:
  std::map<std::string, std::vector<std::string>> rows_;
};

// Life: made from its part of the configuration, checked against the others, constructed as a
// SystemC module, bound, run, asked for its checks.
class Component {
 public:
  virtual ~Component() = default;

  // All parameters, as results record them: nothing that depends on where the files are.
  virtual const nlohmann::json& resolved() const = 0;
  // The same so that it can be run from anywhere on this machine.
  virtual nlohmann::json runnable() const { return resolved(); }
  virtual const std::vector<RefUse>& refs() const = 0;
  virtual std::vector<AddressRange> ranges() const { return {}; }
  // Memory that has to be behind a bus for it; of what it reads, only after read_inputs().
  virtual std::vector<MemoryNeed> memory_used() const { return {}; }
  // Statistics it looks up.
  virtual std::vector<StatisticUse> statistics_used() const { return {}; }
  virtual std::optional<RequesterId> requester() const { return std::nullopt; }
  // Files the run depends on, besides the configuration.
  virtual std::vector<std::string> input_files() const { return {}; }
  // Reads and checks them, before anything of the run is written. Throws InputError.
  virtual void read_inputs() {}

  // Contradictions with the components it names, before anything is constructed: of the binder's
  // ports only what comes from parameters may be used. `name` is its own.
  virtual void check_together(const std::string& /*name*/, Binder& /*binder*/,
                              Contradictions& /*bad*/) const {}

  // The numbered sockets it will use.
  virtual std::vector<Claim> claims() const { return {}; }

  virtual void construct(const std::string& name, SimContext& context, const SocketPlan& plan) = 0;
  // Registers the statistics such a component has, to list them; it is not used further.
  virtual void list_statistics(const std::string& name, SimContext& context, const SocketPlan& plan) {
    construct(name, context, plan);
  }
  // Binds what this component's parameters name. Called in the order of names.
  virtual void bind(Binder& binder) = 0;
  // Has the detector watch what it uses translations for; after everything is bound.
  virtual void watch_uses(Binder& /*binder*/, StaleUseDetector& /*detector*/) {}
  // Of a component that gives out physical pages: whose they are. nullptr: it gives out none.
  virtual PageLife page_life() const { return nullptr; }
  // After everything is bound and before the first event.
  virtual void start(Binder& /*binder*/) {}

  virtual const Inspectable* inspectable() const { return nullptr; }
  // Of a component that has work of its own: the run ends when all of these are done.
  virtual std::optional<Progress> progress() const { return std::nullopt; }
  // When its work was done, if that is later than the simulated time (loose timing).
  virtual Ps finished_at() const { return 0; }
  // Findings in words, for people.
  virtual std::vector<std::string> notes() const { return {}; }
  virtual void add_checks(const std::string& /*name*/, RunChecks& /*checks*/) const {}
};

// A port others may name: one socket (or pair of sockets) under one or more kinds.
struct Offer {
  const char* what;                // "device side", for messages
  std::vector<const char*> kinds;  // the kinds of reference it satisfies
  unsigned least;                  // how many components have to, and may, name it
  unsigned most;
};

inline constexpr unsigned kAny = ~0U;

// A part of the configuration's top level that a type takes as its own parameters. The key is
// either a parameter itself or a map of the listed parameters.
struct TopLevelPart {
  const char* key;
  std::vector<std::string> params;
  bool is_param() const { return params.size() == 1 && params.front() == key; }
};

struct ComponentType {
  const char* name;
  const ParamSet& (*params)();
  std::vector<Offer> offers;
  std::vector<TopLevelPart> top_level;
  std::unique_ptr<Component> (*load)(const ConfigNode& node, Problems& problems);
};

// The part that is the same for all types.
template <typename Params, const ParamTable<Params>& (*Table)()>
class ConfiguredComponent : public Component {
 public:
  ConfiguredComponent(const ConfigNode& node, Problems& problems)
      : params_(Table().load(node, problems, {"type"})),
        resolved_(Table().to_json(params_)),
        refs_(Table().ref_uses(params_, node)) {}

  const nlohmann::json& resolved() const override { return resolved_; }
  const std::vector<RefUse>& refs() const override { return refs_; }

  static const ParamSet& param_set() { return Table().set(); }

 protected:
  const Params& params() const { return params_; }
  // For what is known from the configuration's text only.
  Params& mutable_params() { return params_; }
  void record(const std::string& param, const std::string& value) { resolved_[param] = value; }
  void record(const nlohmann::json::json_pointer& param, const std::string& value) {
    resolved_[param] = value;
  }

 private:
  Params params_;
  nlohmann::json resolved_;
  std::vector<RefUse> refs_;
};

}  // namespace svasim
