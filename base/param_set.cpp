#include "base/param_set.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/check.h"
#include "base/suggest.h"
#include "base/types.h"

namespace svasim {
namespace {

bool is_group(ParamType type) {
  return type == ParamType::kGroup || type == ParamType::kGroups || type == ParamType::kNamedGroups;
}

std::optional<Quantity> quantity_of(ParamType type) {
  switch (type) {
    case ParamType::kTime:
      return Quantity::kTime;
    case ParamType::kBytes:
      return Quantity::kBytes;
    case ParamType::kBandwidth:
      return Quantity::kBandwidth;
    case ParamType::kFrequency:
      return Quantity::kFrequency;
    default:
      return std::nullopt;
  }
}

std::string hex(std::uint64_t value) {
  char digits[17];
  const auto end = std::to_chars(digits, digits + 16, value, 16).ptr;
  return "0x" + std::string(digits, end);
}

std::string format_integer(const Param& param, std::uint64_t value) {
  if (const auto quantity = quantity_of(param.type)) return format_quantity(*quantity, value);
  if (param.type == ParamType::kAddress) return hex(value);
  return std::to_string(value);
}

std::string range_text(const Param& param) {
  switch (param.type) {
    case ParamType::kCount:
    case ParamType::kAddress:
    case ParamType::kTime:
    case ParamType::kBytes:
    case ParamType::kBandwidth:
    case ParamType::kFrequency:
      return format_integer(param, param.low) + " to " + format_integer(param, param.high);
    case ParamType::kNumber:
      return nlohmann::json(param.low_number).dump() + " to " + nlohmann::json(param.high_number).dump();
    case ParamType::kFlag:
      return "true, false";
    case ParamType::kChoice: {
      std::string list;
      for (const std::string& choice : param.choices) list += (list.empty() ? "" : ", ") + choice;
      return list;
    }
    default:
      return "";
  }
}

// As parse_unsigned accepts it, of any size.
bool is_whole_number(const std::string& text) {
  const bool hex_digits = text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
  const std::size_t start = hex_digits ? 2 : 0;
  return text.size() > start && text.find_first_not_of(hex_digits ? "0123456789abcdefABCDEF" : "0123456789",
                                                       start) == std::string::npos;
}

// " (did you mean 'x'?)" alone: a message that lists all the words does not list them again.
std::string nearest_choice(const std::string& text, const std::vector<std::string>& choices) {
  const std::string words = suggestion(text, choices);
  return words.rfind(" (did you mean", 0) == 0 ? words : "";
}

// One value of a parameter from its text. Throws std::invalid_argument with the message for the user.
ParamValue parse_value(const Param& param, const std::string& text) {
  const auto in_range = [&](std::uint64_t value) -> ParamValue {
    if (value < param.low || value > param.high) {
      throw std::invalid_argument(format_integer(param, value) + " is out of range (" + range_text(param) +
                                  ")");
    }
    return value;
  };
  if (const auto quantity = quantity_of(param.type)) return in_range(parse_quantity(*quantity, text));
  switch (param.type) {
    case ParamType::kCount:
    case ParamType::kAddress: {
      std::uint64_t value = 0;
      if (!parse_unsigned(text, value)) {
        if (is_whole_number(text)) {
          throw std::invalid_argument(text + " is too large (" + range_text(param) + ")");
        }
        throw std::invalid_argument("'" + text + "' is not a whole number (" + range_text(param) + ")");
      }
      return in_range(value);
    }
    case ParamType::kNumber: {
      double value = 0;
      const char* end = text.data() + text.size();
      const auto result = std::from_chars(text.data(), end, value);
      if (result.ec != std::errc() || result.ptr != end || !std::isfinite(value)) {
        throw std::invalid_argument("'" + text + "' is not a number");
      }
      if (value < param.low_number || value > param.high_number) {
        throw std::invalid_argument(text + " is out of range (" + range_text(param) + ")");
      }
      return value;
    }
    case ParamType::kFlag:
      if (text != "true" && text != "false") {
        throw std::invalid_argument("'" + text + "' is neither true nor false");
      }
      return text == "true";
    case ParamType::kChoice:
      if (std::find(param.choices.begin(), param.choices.end(), text) == param.choices.end()) {
        throw std::invalid_argument("'" + text + "' is not one of " + range_text(param) +
                                    nearest_choice(text, param.choices));
      }
      return text;
    case ParamType::kBdf: {
      RequesterId id;
      if (!parse_bdf(text, id)) {
        throw std::invalid_argument("'" + text + "' is not a bus:device.function such as 02:00.0");
      }
      return std::uint64_t{id.value()};
    }
    default:
      return text;
  }
}

// The entry at a path within `node`, "a[1].b"; or the last one on the way there that anybody wrote.
const ConfigNode& nearest_entry(const ConfigNode& node, const std::string& path) {
  const ConfigNode* at = &node;
  for (std::size_t begin = 0; begin < path.size();) {
    const ConfigNode* next = nullptr;
    if (path[begin] == '[') {
      const std::size_t close = path.find(']', begin);
      const std::size_t index = std::stoul(path.substr(begin + 1, close - begin - 1));
      next = index < at->items().size() ? &at->items()[index] : nullptr;
      begin = close + 1;
    } else {
      begin += path[begin] == '.' ? 1 : 0;
      const std::size_t end = std::min(path.find_first_of(".[", begin), path.size());
      next = at->find(path.substr(begin, end - begin));
      begin = end;
    }
    if (next == nullptr) break;
    at = next;
  }
  return *at;
}

std::optional<ParamValue> load_value(const Param& param, const ConfigNode& node, Problems& problems) {
  const bool list = param.type == ParamType::kTexts || param.type == ParamType::kRefs;
  if (list) {
    if (!node.is_list()) {
      problems.add(node, std::string("expected a list, found ") + node.kind_name());
      return std::nullopt;
    }
    std::vector<std::string> texts;
    for (const ConfigNode& item : node.items()) {
      if (item.is_scalar()) {
        texts.push_back(item.text());
      } else {
        problems.add(item, std::string("expected a value, found ") + item.kind_name());
      }
    }
    return texts;
  }
  if (!node.is_scalar()) {
    problems.add(node, std::string("expected a value, found ") + node.kind_name());
    return std::nullopt;
  }
  try {
    return parse_value(param, node.text());
  } catch (const std::invalid_argument& error) {
    problems.add(node, error.what());
    return std::nullopt;
  }
}

nlohmann::json value_json(const Param& param, const ParamValue& value, bool exact) {
  const bool as_number = exact || param.type == ParamType::kCount;
  if (const auto* number = std::get_if<std::uint64_t>(&value); number != nullptr && !as_number) {
    return format_value(param, value);
  }
  return std::visit([](const auto& v) { return nlohmann::json(v); }, value);
}

const char* unit_of(const Param& param) {
  if (const auto quantity = quantity_of(param.type)) return base_unit(*quantity);
  switch (param.type) {
    case ParamType::kCount:
    case ParamType::kNumber:
      return "number";
    case ParamType::kAddress:
      return "address";
    case ParamType::kFlag:
      return "flag";
    case ParamType::kChoice:
      return "choice";
    case ParamType::kTexts:
      return "list of texts";
    case ParamType::kBdf:
      return "bus:device.function";
    case ParamType::kRef:
      return "component";
    case ParamType::kRefs:
      return "list of components";
    default:
      return "text";
  }
}

}  // namespace

std::string format_value(const Param& param, const ParamValue& value) {
  if (param.type == ParamType::kBdf) {
    return to_string(RequesterId(static_cast<std::uint16_t>(std::get<std::uint64_t>(value))));
  }
  if (const auto* number = std::get_if<std::uint64_t>(&value)) return format_integer(param, *number);
  if (const auto* real = std::get_if<double>(&value)) return nlohmann::json(*real).dump();
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  std::string list;
  for (const std::string& text : std::get<std::vector<std::string>>(value))
    list += (list.empty() ? "" : ", ") + text;
  return list;
}

void ParamSet::add(Param param) {
  SVASIM_CHECK(find(param.name) == nullptr, "parameter " + param.name + " is declared twice");
  SVASIM_CHECK(!param.sentence.empty(), "parameter " + param.name + " needs a sentence");
  SVASIM_CHECK(param.low <= param.high && param.low_number <= param.high_number,
               "parameter " + param.name + " has an empty range");
  if (param.type == ParamType::kTexts || param.type == ParamType::kRefs) {
    param.default_value = std::vector<std::string>();
  } else if (!is_group(param.type)) {
    try {
      param.default_value = parse_value(param, param.default_text);
    } catch (const std::invalid_argument& error) {
      throw InternalError("default of parameter " + param.name + ": " + error.what());
    }
  }
  params_.push_back(std::move(param));
}

void ParamSet::include(const ParamSet& other, const std::function<void*(void*)>& inner,
                       const std::function<const void*(const void*)>& const_inner) {
  for (Param param : other.params_) {
    if (param.set) {
      param.set = [set = param.set, inner](void* object, const ParamValue& value) {
        set(inner(object), value);
      };
      param.get = [get = param.get, const_inner](const void* object) { return get(const_inner(object)); };
    }
    if (param.open) {
      param.open = [open = param.open, inner](void* object, const std::string& key) {
        return open(inner(object), key);
      };
      param.each = [each = param.each, const_inner](const void* object, const GroupVisitor& visit) {
        each(const_inner(object), visit);
      };
    }
    add(std::move(param));
  }
  for (const auto& check : other.checks_) {
    checks_.push_back([check, const_inner](const void* object, const Complain& complain) {
      check(const_inner(object), complain);
    });
  }
}

std::shared_ptr<const ParamSet> ParamSet::with_defaults(
    const std::vector<std::pair<std::string, std::string>>& defaults) const {
  auto copy = std::make_shared<ParamSet>(summary_);
  copy->checks_ = checks_;
  std::size_t used = 0;
  for (Param param : params_) {
    for (const auto& [name, text] : defaults) {
      if (name != param.name) continue;
      param.default_text = text;
      ++used;
    }
    copy->add(std::move(param));
  }
  SVASIM_CHECK(used == defaults.size(), "a replaced default names no parameter of: " + summary_);
  return copy;
}

const Param* ParamSet::find(std::string_view name) const {
  const auto found =
      std::find_if(params_.begin(), params_.end(), [&](const Param& param) { return param.name == name; });
  return found == params_.end() ? nullptr : &*found;
}

void ParamSet::apply_defaults(void* object) const {
  for (const Param& param : params_) {
    if (param.type == ParamType::kGroup) {
      param.group->apply_defaults(param.open(object, ""));
    } else if (!is_group(param.type)) {
      param.set(object, param.default_value);
    }
  }
}

void ParamSet::load(void* object, const ConfigNode& node, Problems& problems,
                    const std::vector<std::string>& foreign) const {
  apply_defaults(object);
  const std::size_t problems_before = problems.size();
  if (!node.is_map() && !node.is_null()) {
    problems.add(node, std::string("expected a map, found ") + node.kind_name());
    return;
  }
  const auto load_group = [&](const Param& param, const ConfigNode& value, const std::string& key) {
    param.group->load(param.open(object, key), value, problems, {});
  };
  for (const ConfigNode::Member& member : node.members()) {
    if (std::find(foreign.begin(), foreign.end(), member.key) != foreign.end()) continue;
    const Param* param = find(member.key);
    if (param == nullptr) {
      std::vector<std::string> known = foreign;
      for (const Param& candidate : params_) known.push_back(candidate.name);
      problems.add(member.where, node.path_of(member.key),
                   "unknown key '" + member.key + "'" + suggestion(member.key, known));
      continue;
    }
    const ConfigNode& value = member.value;
    if (param->type == ParamType::kGroup) {
      load_group(*param, value, "");
    } else if (param->type == ParamType::kGroups) {
      if (!value.is_list()) problems.add(value, std::string("expected a list, found ") + value.kind_name());
      for (const ConfigNode& item : value.items()) load_group(*param, item, "");
    } else if (param->type == ParamType::kNamedGroups) {
      if (!value.is_map()) problems.add(value, std::string("expected a map, found ") + value.kind_name());
      for (const ConfigNode::Member& entry : value.members()) load_group(*param, entry.value, entry.key);
    } else if (const auto loaded = load_value(*param, value, problems)) {
      param->set(object, *loaded);
    }
  }
  for (const Param& param : params_) {
    if (!param.required) continue;
    const ParamValue value = param.get(object);
    const auto* list = std::get_if<std::vector<std::string>>(&value);
    if (list != nullptr ? list->empty() : std::get<std::string>(value).empty()) {
      const ConfigNode* given = node.find(param.name);
      problems.add(given != nullptr ? given->where() : node.where(), node.path_of(param.name),
                   "is not bound: name a component that offers '" + param.ref_kind + "'");
    }
  }
  if (problems.size() != problems_before) return;
  for (const auto& check : checks_) {
    check(object, [&](const std::string& name, const std::string& message) {
      const ConfigNode& place = nearest_entry(node, name);
      problems.add(place.where(), &place == &node ? node.path_of(name) : place.path(), message);
    });
  }
}

nlohmann::json ParamSet::dump(const void* object, bool exact) const {
  nlohmann::json result = nlohmann::json::object();
  for (const Param& param : params_) {
    nlohmann::json& entry = result[param.name];
    if (!is_group(param.type)) {
      entry = value_json(param, param.get(object), exact);
      if (exact) entry = {{"value", std::move(entry)}, {"unit", unit_of(param)}};
      continue;
    }
    entry = param.type == ParamType::kGroups ? nlohmann::json::array() : nlohmann::json::object();
    param.each(object, [&](const std::string& key, const void* nested) {
      nlohmann::json value = param.group->dump(nested, exact);
      if (param.type == ParamType::kGroup) {
        entry = std::move(value);
      } else if (param.type == ParamType::kGroups) {
        entry.push_back(std::move(value));
      } else {
        entry[key] = std::move(value);
      }
    });
  }
  return result;
}

nlohmann::json ParamSet::to_json(const void* object) const { return dump(object, false); }

nlohmann::json ParamSet::to_exact_json(const void* object) const { return dump(object, true); }

std::vector<RefUse> ParamSet::ref_uses(const void* object, const ConfigNode& node) const {
  std::vector<RefUse> uses;
  for (const Param& param : params_) {
    const ConfigNode* given = node.find(param.name);
    const ConfigNode& place = given != nullptr ? *given : node;
    const auto use = [&](const std::string& name, const std::string& target, const ConfigNode& where) {
      if (!target.empty()) uses.push_back({name, param.ref_kind, target, where.where(), node.path_of(name)});
    };
    if (param.type == ParamType::kRef) {
      use(param.name, std::get<std::string>(param.get(object)), place);
    } else if (param.type == ParamType::kRefs) {
      const auto targets = std::get<std::vector<std::string>>(param.get(object));
      for (std::size_t i = 0; i < targets.size(); ++i) {
        use(param.name + "[" + std::to_string(i) + "]", targets[i],
            i < place.items().size() ? place.items()[i] : place);
      }
    } else if (is_group(param.type)) {
      std::size_t index = 0;
      param.each(object, [&](const std::string& key, const void* nested) {
        std::string prefix = param.name;
        const ConfigNode* nested_node = &place;
        if (param.type == ParamType::kGroups) {
          prefix += "[" + std::to_string(index) + "]";
          if (index < place.items().size()) nested_node = &place.items()[index];
        } else if (param.type == ParamType::kNamedGroups) {
          prefix += "." + key;
          if (const ConfigNode* found = place.find(key)) nested_node = found;
        }
        ++index;
        for (RefUse& inner : param.group->ref_uses(nested, *nested_node)) {
          inner.param = prefix + "." + inner.param;
          inner.path = node.path_of(inner.param);
          uses.push_back(std::move(inner));
        }
      });
    }
  }
  return uses;
}

namespace {

nlohmann::json schema_of(const Param& param) {
  nlohmann::json schema = {{"description", param.sentence}};
  if (!param.source.empty()) schema["x-source"] = param.source;
  if (const auto quantity = quantity_of(param.type)) {
    schema["type"] = "string";
    schema["pattern"] = quantity_pattern(*quantity);
    schema["x-unit"] = base_unit(*quantity);
    schema["x-range"] = range_text(param);
    schema["default"] = format_value(param, param.default_value);
    return schema;
  }
  switch (param.type) {
    case ParamType::kCount:
    case ParamType::kAddress:
      schema["type"] = "integer";
      schema["minimum"] = param.low;
      schema["maximum"] = param.high;
      schema["default"] = value_json(param, param.default_value, true);
      break;
    case ParamType::kNumber:
      schema["type"] = "number";
      schema["minimum"] = param.low_number;
      schema["maximum"] = param.high_number;
      schema["default"] = std::get<double>(param.default_value);
      break;
    case ParamType::kFlag:
      schema["type"] = "boolean";
      schema["default"] = std::get<bool>(param.default_value);
      break;
    case ParamType::kChoice:
      schema["enum"] = param.choices;
      schema["default"] = std::get<std::string>(param.default_value);
      break;
    case ParamType::kTexts:
    case ParamType::kRefs:
      schema["type"] = "array";
      schema["items"] = {{"type", "string"}};
      if (param.required) schema["minItems"] = 1;
      break;
    case ParamType::kBdf:
      schema["type"] = "string";
      schema["pattern"] = "^[0-9a-fA-F]{1,2}:[01]?[0-9a-fA-F]\\.[0-7]$";
      schema["default"] = format_value(param, param.default_value);
      break;
    case ParamType::kGroup:
      schema.update(param.group->json_schema());
      schema["description"] = param.sentence;
      return schema;
    case ParamType::kGroups:
      schema["type"] = "array";
      schema["items"] = param.group->json_schema();
      break;
    case ParamType::kNamedGroups:
      schema["type"] = "object";
      schema["additionalProperties"] = param.group->json_schema();
      break;
    default:
      schema["type"] = "string";
      if (param.type == ParamType::kText) schema["default"] = std::get<std::string>(param.default_value);
      break;
  }
  if (!param.ref_kind.empty()) schema["x-offers"] = param.ref_kind;
  return schema;
}

}  // namespace

nlohmann::json ParamSet::json_schema() const {
  nlohmann::json properties = nlohmann::json::object();
  nlohmann::json required = nlohmann::json::array();
  for (const Param& param : params_) {
    properties[param.name] = schema_of(param);
    if (param.required) required.push_back(param.name);
  }
  nlohmann::json schema = {{"type", "object"},
                           {"description", summary_},
                           {"properties", std::move(properties)},
                           {"additionalProperties", false}};
  if (!required.empty()) schema["required"] = std::move(required);
  return schema;
}

void ParamSet::append_markdown(const std::string& prefix, std::string& text) const {
  for (const Param& param : params_) {
    const std::string name = prefix + param.name;
    if (is_group(param.type)) {
      const std::string suffix = param.type == ParamType::kGroups        ? "[]."
                                 : param.type == ParamType::kNamedGroups ? ".NAME."
                                                                         : ".";
      text += "| `" + name + "` | group |  |  | " + param.sentence + " |  |\n";
      param.group->append_markdown(name + suffix, text);
      continue;
    }
    std::string fallback = format_value(param, param.default_value);
    if (param.required) fallback = "required";
    const std::string range = param.ref_kind.empty() ? range_text(param) : "offers `" + param.ref_kind + "`";
    text += "| `" + name + "` | " + unit_of(param) + " | " + fallback + " | " + range + " | " +
            param.sentence + " | " + param.source + " |\n";
  }
}

std::string ParamSet::markdown() const {
  std::string text = "| name | unit | default | range | meaning | source |\n|---|---|---|---|---|---|\n";
  append_markdown("", text);
  return text;
}

}  // namespace svasim
