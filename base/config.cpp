#include "base/config.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <tuple>

#include "base/units.h"

namespace svasim {

std::string to_string(const Where& where) {
  if (where.column == 0 && where.file == "--set") return "--set #" + std::to_string(where.line);
  if (where.line == 0) return where.file;
  return where.file + ":" + std::to_string(where.line) + ":" + std::to_string(where.column);
}

void Problems::add(const Where& where, const std::string& path, const std::string& message) {
  entries_.push_back({where, path, message});
}

void Problems::add(const ConfigNode& node, const std::string& message) {
  add(node.where(), node.path(), message);
}

std::vector<std::string> Problems::lines() const {
  const auto key = [](const Entry& e) {
    return std::tie(e.where.file, e.where.line, e.where.column, e.path, e.message);
  };
  std::vector<Entry> sorted = entries_;
  std::sort(sorted.begin(), sorted.end(), [&](const Entry& a, const Entry& b) { return key(a) < key(b); });
  std::vector<std::string> result;
  for (const Entry& entry : sorted) {
    std::string line = svasim::to_string(entry.where);
    if (!line.empty()) line += ": ";
    if (!entry.path.empty()) line += entry.path + ": ";
    line += entry.message;
    if (result.empty() || result.back() != line) result.push_back(line);
  }
  return result;
}

std::string Problems::to_string() const {
  std::string text;
  for (const std::string& line : lines()) {
    text += text.empty() ? "" : "\n";
    text += line;
  }
  return text;
}

void Problems::throw_if_any() const {
  if (!empty()) throw ConfigError(*this);
}

ConfigNode ConfigNode::null(Where where, std::string path) {
  ConfigNode node;
  node.where_ = std::move(where);
  node.path_ = std::move(path);
  return node;
}

ConfigNode ConfigNode::scalar(Where where, std::string path, std::string text, bool quoted) {
  ConfigNode node = null(std::move(where), std::move(path));
  node.kind_ = Kind::kScalar;
  node.text_ = std::move(text);
  node.quoted_ = quoted;
  return node;
}

ConfigNode ConfigNode::list(Where where, std::string path) {
  ConfigNode node = null(std::move(where), std::move(path));
  node.kind_ = Kind::kList;
  return node;
}

ConfigNode ConfigNode::map(Where where, std::string path) {
  ConfigNode node = null(std::move(where), std::move(path));
  node.kind_ = Kind::kMap;
  return node;
}

const char* ConfigNode::kind_name() const {
  switch (kind_) {
    case Kind::kNull:
      return "nothing";
    case Kind::kScalar:
      return "a value";
    case Kind::kList:
      return "a list";
    case Kind::kMap:
      return "a map";
  }
  return "?";
}

const ConfigNode* ConfigNode::find(std::string_view key) const {
  const auto found =
      std::find_if(members_.begin(), members_.end(), [&](const Member& member) { return member.key == key; });
  return found == members_.end() ? nullptr : &found->value;
}

ConfigNode::Member* ConfigNode::find_member(std::string_view key) {
  const auto found =
      std::find_if(members_.begin(), members_.end(), [&](const Member& member) { return member.key == key; });
  return found == members_.end() ? nullptr : &*found;
}

std::string ConfigNode::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

ConfigNode merge_config(const ConfigNode& base, const ConfigNode& over) {
  if (!base.is_map() || !over.is_map()) return over;
  ConfigNode result = base;
  for (const ConfigNode::Member& member : over.members()) {
    ConfigNode::Member* existing = result.find_member(member.key);
    if (existing == nullptr) {
      result.members().push_back(member);
    } else if (member.value.is_null()) {
      result.members().erase(result.members().begin() + (existing - result.members().data()));
    } else {
      *existing = {member.key, member.where, merge_config(existing->value, member.value)};
    }
  }
  return result;
}

namespace {

nlohmann::json scalar_json(const ConfigNode& node) {
  const std::string& text = node.text();
  if (node.quoted()) return text;
  if (text == "true" || text == "false") return text == "true";
  std::uint64_t number = 0;
  if (parse_unsigned(text, number)) return number;
  const char* end = text.data() + text.size();
  std::int64_t negative = 0;
  if (const auto r = std::from_chars(text.data(), end, negative); r.ec == std::errc() && r.ptr == end) {
    return negative;
  }
  double real = 0;
  const bool starts_numeric = text.find_first_of("0123456789") <= 1;  // neither nan nor inf
  if (const auto r = std::from_chars(text.data(), end, real);
      starts_numeric && r.ec == std::errc() && r.ptr == end) {
    return real;
  }
  return text;
}

void append_yaml(const nlohmann::json& json, const std::string& indent, std::string& text) {
  const auto append_value = [&](const nlohmann::json& value, const std::string& deeper) {
    if (value.is_structured() && !value.empty()) {
      text += "\n";
      append_yaml(value, deeper, text);
    } else {
      // WHY: a scalar of JSON, quoted strings included, is a scalar of YAML.
      text += " " + value.dump() + "\n";
    }
  };
  if (json.is_array()) {
    for (const nlohmann::json& item : json) {
      text += indent + "-";
      append_value(item, indent + "  ");
    }
  } else {
    for (const auto& [key, value] : json.items()) {
      text += indent +
              (key.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") ==
                           std::string::npos &&
                       !key.empty()
                   ? key
                   : nlohmann::json(key).dump()) +
              ":";
      append_value(value, indent + "  ");
    }
  }
}

}  // namespace

nlohmann::json ConfigNode::to_json() const {
  switch (kind_) {
    case Kind::kNull:
      return nullptr;
    case Kind::kScalar:
      return scalar_json(*this);
    case Kind::kList: {
      nlohmann::json result = nlohmann::json::array();
      for (const ConfigNode& item : items_) result.push_back(item.to_json());
      return result;
    }
    case Kind::kMap:
      break;
  }
  nlohmann::json result = nlohmann::json::object();
  for (const Member& member : members_) result[member.key] = member.value.to_json();
  return result;
}

std::string json_to_yaml(const nlohmann::json& json) {
  if (!json.is_structured() || json.empty()) return json.dump() + "\n";
  std::string text;
  append_yaml(json, "", text);
  return text;
}

std::string ConfigNode::to_yaml() const { return json_to_yaml(to_json()); }

}  // namespace svasim
