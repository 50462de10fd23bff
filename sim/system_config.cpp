#include "sim/system_config.h"

#include <algorithm>
#include <set>

#include "base/suggest.h"
#include "models/stale_uses/stale_use_stats.h"
#include "sim/component_table.h"
#include "sim/system_checks.h"

namespace svasim {
namespace {

std::vector<std::string> top_level_keys() {
  std::vector<std::string> keys = {"description", "sim", "components", "checks"};
  for (const ComponentType& type : component_table()) {
    for (const TopLevelPart& part : type.top_level) keys.emplace_back(part.key);
  }
  return keys;
}

bool is_component_name(const std::string& name) {
  return !name.empty() && name.front() >= 'a' && name.front() <= 'z' &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
}

std::vector<std::string> type_names() {
  std::vector<std::string> names;
  for (const ComponentType& type : component_table()) names.emplace_back(type.name);
  return names;
}

class Checker {
 public:
  Checker(const Config& config, Problems& problems)
      : root_(config.root), problems_(problems), incomplete_(!problems.empty()) {
    system_.files = config.files;
  }

  SystemConfig run() {
    const std::vector<std::string> keys = top_level_keys();
    for (const ConfigNode::Member& member : root_.members()) {
      if (std::find(keys.begin(), keys.end(), member.key) == keys.end()) {
        problems_.add(member.where, member.key,
                      "unknown key '" + member.key + "'" + suggestion(member.key, keys));
      }
    }
    if (const ConfigNode* node = root_.find("description")) system_.description = node->text();
    const ConfigNode* sim = root_.find("sim");
    system_.sim = sim_params().load(sim != nullptr ? *sim : ConfigNode(), problems_);
    load_checks();
    load_components();
    check_top_level_taken();
    check_references();
    check_alone(system_.parts, problems_);
    // What follows goes along references, so they have to be right.
    problems_.throw_if_any();
    check_together(system_.parts, problems_);
    problems_.throw_if_any();
    resolve();
    return std::move(system_);
  }

 private:
  void load_checks() {
    const ConfigNode* checks = root_.find("checks");
    if (checks == nullptr) return;
    if (!checks->is_list()) {
      problems_.add(*checks, std::string("expected a list, found ") + checks->kind_name());
      return;
    }
    for (const ConfigNode& node : checks->items()) {
      system_.checks.push_back(stat_check_params().load(node, problems_));
      system_.check_nodes.push_back(node);
    }
  }

  void load_components() {
    const ConfigNode* components = root_.find("components");
    // They may stand in what could not be read.
    if (components == nullptr && incomplete_) return;
    if (components == nullptr || !components->is_map() || components->members().empty()) {
      problems_.add(components != nullptr ? components->where() : root_.where(), "components",
                    "a system needs components: a map of names to 'type' and parameters");
      return;
    }
    for (const ConfigNode::Member& member : components->members()) load_component(member);
  }

  void load_component(const ConfigNode::Member& member) {
    const ConfigNode& node = member.value;
    if (!is_component_name(member.key)) {
      problems_.add(
          member.where, node.path(),
          "a component's name is a lower-case letter, then lower-case letters, digits and underscores");
      return;
    }
    if (member.key == kStaleUses && system_.sim.stale_use_checks) {
      problems_.add(member.where, node.path(),
                    "is the name of what sim.stale_use_checks turns on; take another");
      return;
    }
    const ConfigNode* type_node = node.find("type");
    if (type_node == nullptr || !type_node->is_scalar()) {
      problems_.add(node.is_map() ? member.where : node.where(), node.path(),
                    "a component needs a 'type'" + suggestion("", type_names()));
      broken_.push_back(member.key);
      return;
    }
    const ComponentType* type = find_component_type(type_node->text());
    if (type == nullptr) {
      problems_.add(*type_node,
                    "unknown type '" + type_node->text() + "'" + suggestion(type_node->text(), type_names()));
      broken_.push_back(member.key);
      return;
    }
    ConfigNode whole = node;
    for (const TopLevelPart& part : type->top_level) take_top_level(part, member.key, whole);
    const std::size_t problems_before = problems_.size();
    std::unique_ptr<Component> loaded = type->load(whole, problems_);
    const bool sound = problems_.size() == problems_before;
    system_.parts.push_back({member.key, type, member.where, std::move(whole), sound, std::move(loaded)});
  }

  // Gives a component the parts of the top level that are its own.
  void take_top_level(const TopLevelPart& part, const std::string& component, ConfigNode& whole) {
    const ConfigNode* node = root_.find(part.key);
    if (node == nullptr) return;
    const auto [taker, fresh] = takers_.try_emplace(part.key, component);
    if (!fresh) {
      problems_.add(*node, "'" + taker->second + "' and '" + component + "' would both take it");
      return;
    }
    const auto take = [&](const std::string& param, const Where& where, const ConfigNode& value) {
      if (const ConfigNode* mine = whole.find(param)) {
        problems_.add(value.where(), value.path(),
                      "is given in '" + mine->path() + "' too (" + to_string(mine->where()) + ")");
      } else {
        whole.members().push_back({param, where, value});
      }
    };
    if (part.is_param()) {
      take(part.key, node->where(), *node);
      return;
    }
    if (!node->is_map()) problems_.add(*node, std::string("expected a map, found ") + node->kind_name());
    for (const ConfigNode::Member& entry : node->members()) {
      if (std::find(part.params.begin(), part.params.end(), entry.key) == part.params.end()) {
        problems_.add(entry.where, entry.value.path(),
                      "unknown key '" + entry.key + "'" + suggestion(entry.key, part.params));
      } else {
        take(entry.key, entry.where, entry.value);
      }
    }
  }

  void check_top_level_taken() {
    if (!broken_.empty() || system_.parts.empty()) return;
    for (const ComponentType& type : component_table()) {
      for (const TopLevelPart& part : type.top_level) {
        const ConfigNode* node = root_.find(part.key);
        if (node == nullptr || takers_.count(part.key) != 0) continue;
        problems_.add(
            *node, std::string("no component takes it: there is no component of type '") + type.name + "'");
      }
    }
  }

  const ConfiguredPart* find_part(const std::string& name) const {
    for (const ConfiguredPart& part : system_.parts) {
      if (part.name == name) return &part;
    }
    return nullptr;
  }

  void check_references() {
    struct Use {
      std::string from;
      Where where;
    };
    std::map<std::pair<std::string, std::size_t>, std::vector<Use>> uses;  // by target and offer
    std::set<std::string> misdirected;                                     // kinds of references to nowhere
    for (const ConfiguredPart& part : system_.parts) {
      for (const RefUse& ref : part.component->refs()) {
        const ConfiguredPart* target = find_part(ref.target);
        if (target == nullptr) {
          misdirected.insert(ref.kind);
          unknown_target(ref);
          continue;
        }
        const std::vector<Offer>& offers = target->type->offers;
        const auto fits = [&](const Offer& offer) {
          return std::any_of(offer.kinds.begin(), offer.kinds.end(),
                             [&](const char* k) { return ref.kind == k; });
        };
        const auto offer = std::find_if(offers.begin(), offers.end(), fits);
        if (offer == offers.end()) {
          misdirected.insert(ref.kind);
          problems_.add(ref.where, ref.path,
                        "'" + ref.target + "' is a " + target->type->name + " and offers no '" + ref.kind +
                            "'" + offers_of(*target->type));
          continue;
        }
        auto& users = uses[{ref.target, static_cast<std::size_t>(offer - offers.begin())}];
        if (users.size() == offer->most) {
          problems_.add(ref.where, ref.path,
                        "'" + ref.target + "' is bound twice: its " + offer->what + " is bound by '" +
                            users.front().from + "' (" + to_string(users.front().where) + ")");
        } else {
          users.push_back({part.name, ref.where});
        }
      }
    }
    // Who should have named it may stand in a component, or a reference, that is wrong itself: then
    // the message would mislead.
    if (!broken_.empty()) return;
    for (const ConfiguredPart& part : system_.parts) {
      for (std::size_t i = 0; i < part.type->offers.size(); ++i) {
        const Offer& offer = part.type->offers[i];
        const bool excused = std::any_of(offer.kinds.begin(), offer.kinds.end(),
                                         [&](const char* kind) { return misdirected.count(kind) != 0; });
        if (!excused && uses[{part.name, i}].size() < offer.least) {
          problems_.add(part.where, "components." + part.name,
                        std::string("is not bound: no component names its ") + offer.what);
        }
      }
    }
  }

  static std::string offers_of(const ComponentType& type) {
    std::string text;
    for (const Offer& offer : type.offers) {
      for (const char* kind : offer.kinds)
        text += (text.empty() ? " (it offers '" : ", '") + std::string(kind) + "'";
    }
    return text.empty() ? "" : text + ")";
  }

  void unknown_target(const RefUse& ref) {
    if (std::find(broken_.begin(), broken_.end(), ref.target) != broken_.end()) return;
    std::vector<std::string> fitting;
    for (const ConfiguredPart& part : system_.parts) {
      for (const Offer& offer : part.type->offers) {
        for (const char* kind : offer.kinds) {
          if (ref.kind == kind) fitting.push_back(part.name);
        }
      }
    }
    problems_.add(ref.where, ref.path,
                  "there is no component '" + ref.target + "'" + suggestion(ref.target, fitting));
  }

  void resolve() {
    nlohmann::json& resolved = system_.resolved;
    resolved["description"] = system_.description;
    resolved["sim"] = sim_params().to_json(system_.sim);
    // WHY: results are the same bytes whatever the order of construction, so they cannot name it.
    resolved["sim"].erase("construction");
    resolved["checks"] = nlohmann::json::array();
    for (const StatCheckParams& check : system_.checks) {
      resolved["checks"].push_back(stat_check_params().to_json(check));
    }
    system_.runnable = resolved;
    for (const ConfiguredPart& part : system_.parts) {
      const auto with_type = [&](nlohmann::json component) {
        component["type"] = part.type->name;
        return component;
      };
      resolved["components"][part.name] = with_type(part.component->resolved());
      system_.runnable["components"][part.name] = with_type(part.component->runnable());
    }
  }

  const ConfigNode& root_;
  Problems& problems_;
  bool incomplete_;  // something could not be read
  SystemConfig system_;
  std::vector<std::string> broken_;            // components of unknown type
  std::map<std::string, std::string> takers_;  // of parts of the top level: key and component
};

}  // namespace

std::vector<std::string> SystemConfig::input_files() const {
  std::vector<std::string> all = files;
  for (const ConfiguredPart& part : parts) {
    for (const std::string& file : part.component->input_files()) all.push_back(file);
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

SystemConfig check_system_config(const Config& config, Problems& problems) {
  return Checker(config, problems).run();
}

SystemConfig load_system_config(const std::string& file, const std::vector<std::string>& overrides) {
  Problems problems;
  const Config config = load_config(file, overrides, problems);
  // Without the file there is nothing that could be wrong with its contents.
  if (config.files.empty()) problems.throw_if_any();
  return check_system_config(config, problems);
}

nlohmann::json system_schema() {
  nlohmann::json component_schemas = nlohmann::json::array();
  nlohmann::json types = nlohmann::json::array();
  nlohmann::json top_level = nlohmann::json::object();
  for (const ComponentType& type : component_table()) {
    nlohmann::json schema = type.params().json_schema();
    for (const TopLevelPart& part : type.top_level) {
      if (part.is_param()) {
        top_level[part.key] = schema["properties"][part.key];
        continue;
      }
      nlohmann::json& entry = top_level[part.key];
      entry = {{"type", "object"}, {"additionalProperties", false}};
      for (const std::string& param : part.params) entry["properties"][param] = schema["properties"][param];
    }
    schema["properties"]["type"] = {{"const", type.name}};
    // Where a base configuration is extended, the rest may come from there.
    schema["properties"]["extends"] = true;
    schema.erase("required");
    schema["title"] = type.name;
    types.push_back(type.name);
    component_schemas.push_back(
        {{"if", {{"properties", {{"type", {{"const", type.name}}}}}, {"required", {"type"}}}},
         {"then", std::move(schema)}});
  }
  nlohmann::json extends = {{"description", "Files this one is laid on, relative to it."},
                            {"type", {"string", "array"}},
                            {"items", {{"type", "string"}}}};
  nlohmann::json properties = {
      {"extends", std::move(extends)},
      {"description", {{"description", "What this system is."}, {"type", "string"}}},
      {"sim", sim_params().set().json_schema()},
      {"checks", {{"type", "array"}, {"items", stat_check_params().set().json_schema()}}},
      {"components",
       {{"type", "object"},
        {"additionalProperties",
         {{"type", {"object", "null"}},
          {"properties", {{"type", {{"enum", std::move(types)}}}}},
          {"allOf", std::move(component_schemas)}}}}}};
  properties.update(top_level);
  return {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
          {"title", "svasim configuration"},
          {"type", "object"},
          {"properties", std::move(properties)},
          {"additionalProperties", false}};
}

}  // namespace svasim
