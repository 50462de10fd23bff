#include "sim/system_checks.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "base/units.h"
#include "sim/binder.h"
#include "sim/component_table.h"

namespace svasim {
namespace {

std::string hex(std::uint64_t value) {
  char digits[17];
  return "0x" + std::string(digits, std::to_chars(digits, digits + 16, value, 16).ptr);
}

// The entry at a dotted path of a map; nullptr when nobody wrote it.
const ConfigNode* find_entry(const ConfigNode& node, const std::string& path) {
  const std::size_t dot = path.find('.');
  const ConfigNode* found = node.find(path.substr(0, dot));
  if (found == nullptr || dot == std::string::npos) return found;
  return find_entry(*found, path.substr(dot + 1));
}

class Collected : public Contradictions {
 public:
  Collected(const std::vector<ConfiguredPart>& parts, Problems& problems)
      : parts_(parts), problems_(problems) {}

  void add(const std::vector<ParamPlace>& places, const std::string& message) override {
    const ConfigNode* chosen = nullptr;
    for (const ParamPlace& place : places) {
      const ConfigNode* entry = find_entry(part(place.component).node, place.param);
      const bool on_command_line = entry != nullptr && entry->where().file == "--set";
      if (entry != nullptr && (chosen == nullptr || (on_command_line && chosen->where().file != "--set"))) {
        chosen = entry;
      }
    }
    if (chosen != nullptr) {
      problems_.add(*chosen, message);
      return;
    }
    const ParamPlace& first = places.front();
    problems_.add(part(first.component).where, "components." + first.component + "." + first.param, message);
  }

 private:
  const ConfiguredPart& part(const std::string& name) const {
    const auto found =
        std::find_if(parts_.begin(), parts_.end(), [&](const auto& part) { return part.name == name; });
    SVASIM_CHECK(found != parts_.end(), "a contradiction of " + name + ", which is no component");
    return *found;
  }

  const std::vector<ConfiguredPart>& parts_;
  Problems& problems_;
};

bool is_memory(const ConfiguredPart& part) { return std::string(part.type->name) == "memory"; }

void check_ranges(const std::vector<ConfiguredPart>& parts, Problems& problems) {
  struct Claim {
    AddressRange range;
    const ConfiguredPart* part;
  };
  std::vector<Claim> claims;
  for (const ConfiguredPart& part : parts) {
    // What a wrong entry left are defaults; messages about them would mislead.
    if (!part.sound) continue;
    for (const AddressRange& range : part.component->ranges()) {
      if (range.base + (range.size - 1) < range.base) {
        problems.add(part.where, "components." + part.name,
                     "its physical addresses from " + hex(range.base) + " go beyond 64 bits");
        continue;
      }
      for (const Claim& other : claims) {
        if (other.range.bus != range.bus || range.base > other.range.base + (other.range.size - 1) ||
            other.range.base > range.base + (range.size - 1)) {
          continue;
        }
        problems.add(part.where, "components." + part.name,
                     "its physical addresses from " + hex(range.base) + " overlap those of '" +
                         other.part->name + "' from " + hex(other.range.base) + " (" +
                         to_string(other.part->where) + ")");
      }
      claims.push_back({range, &part});
    }
  }
}

void check_requesters(const std::vector<ConfiguredPart>& parts, Problems& problems) {
  std::map<std::uint16_t, const ConfiguredPart*> seen;
  for (const ConfiguredPart& part : parts) {
    const auto id = part.component->requester();
    if (!id || !part.sound) continue;
    const auto [place, fresh] = seen.try_emplace(id->value(), &part);
    if (!fresh) {
      problems.add(part.where, "components." + part.name,
                   "requester ID " + to_string(*id) + " belongs to '" + place->second->name + "' already (" +
                       to_string(place->second->where) + ")");
    }
  }
}

// The first address of the range that no memory has; nullopt when all have one.
std::optional<Addr> first_missing(const std::vector<ConfiguredPart>& parts, const AddressRange& need) {
  const Addr last = need.base + (need.size - 1);
  if (last < need.base) return need.base;
  Addr at = need.base;
  for (bool found = true; found;) {
    found = false;
    for (const ConfiguredPart& memory : parts) {
      if (!is_memory(memory)) continue;
      for (const AddressRange& range : memory.component->ranges()) {
        if (range.bus != need.bus || at < range.base || at - range.base >= range.size) continue;
        const Addr end = range.base + (range.size - 1);
        if (end >= last) return std::nullopt;
        found = true;
        at = end + 1;
      }
    }
  }
  return at;
}

}  // namespace

void check_alone(const std::vector<ConfiguredPart>& parts, Problems& problems) {
  check_ranges(parts, problems);
  check_requesters(parts, problems);
  check_memory(parts, problems);
}

void check_memory(const std::vector<ConfiguredPart>& parts, Problems& problems) {
  if (std::any_of(parts.begin(), parts.end(),
                  [](const ConfiguredPart& part) { return is_memory(part) && !part.sound; })) {
    return;
  }
  Collected bad(parts, problems);
  for (const ConfiguredPart& part : parts) {
    if (!part.sound) continue;
    for (const MemoryNeed& need : part.component->memory_used()) {
      const std::optional<Addr> missing = first_missing(parts, need.range);
      if (!missing) continue;
      const Addr last = need.range.base + (need.range.size - 1);
      std::vector<ParamPlace> places;
      if (!need.param.empty()) places.push_back({part.name, need.param});
      std::vector<const ConfiguredPart*> memories;
      for (const ConfiguredPart& memory : parts) {
        if (!is_memory(memory) || memory.component->ranges().front().bus != need.range.bus) continue;
        memories.push_back(&memory);
        places.push_back({memory.name, "size"});
      }
      if (places.empty()) places.push_back({part.name, "bus"});
      std::string message = "'" + part.name + "' uses memory from " + hex(need.range.base) + " to " +
                            hex(last) + ", but there is none at " + hex(*missing) + " on '" + need.range.bus +
                            "'";
      if (memories.size() == 1) {
        const Addr base = memories.front()->component->ranges().front().base;
        if (base <= need.range.base && last > base) {
          message += " ('" + memories.front()->name + "' would need a size of " +
                     format_bytes(last - base + 1) + ")";
        }
      }
      if (!need.why.empty()) message += "; " + need.why;
      bad.add(places, message);
      break;  // the next one may be behind it
    }
  }
}

void check_together(const std::vector<ConfiguredPart>& parts, Problems& problems) {
  std::map<std::string, Component*> components;
  for (const ConfiguredPart& part : parts) components[part.name] = part.component.get();
  const SocketPlan no_sockets;
  Binder binder(components, no_sockets, false);
  Collected bad(parts, problems);
  for (const ConfiguredPart& part : parts) part.component->check_together(part.name, binder, bad);
}

}  // namespace svasim
