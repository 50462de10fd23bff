// Reading configuration trees: YAML events to nodes, `extends:`, overrides.
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>

#include "base/config.h"
#include "base/config_tree.h"
#include "base/units.h"
#include "base/utf8.h"

namespace svasim {
namespace {

namespace fs = std::filesystem;

// Aliases and extends copy trees; a file that multiplies itself must not eat the machine.
constexpr std::size_t kMostNodes = 100'000;
constexpr std::size_t kMostExtends = 1'000;

std::string item_path(const std::string& list_path, std::size_t index) {
  return list_path + "[" + std::to_string(index) + "]";
}

// The same tree at another path, and at another place if one is given.
ConfigNode moved(const ConfigNode& node, const std::string& path, const Where* where = nullptr) {
  const Where& place = where != nullptr ? *where : node.where();
  switch (node.kind()) {
    case ConfigNode::Kind::kNull:
      return ConfigNode::null(place, path);
    case ConfigNode::Kind::kScalar:
      return ConfigNode::scalar(place, path, node.text(), node.quoted());
    case ConfigNode::Kind::kList: {
      ConfigNode result = ConfigNode::list(place, path);
      for (const ConfigNode& item : node.items()) {
        result.items().push_back(moved(item, item_path(path, result.items().size()), where));
      }
      return result;
    }
    case ConfigNode::Kind::kMap:
      break;
  }
  ConfigNode result = ConfigNode::map(place, path);
  for (const ConfigNode::Member& member : node.members()) {
    result.members().push_back({member.key, where != nullptr ? *where : member.where,
                                moved(member.value, result.path_of(member.key), where)});
  }
  return result;
}

std::size_t count_nodes(const ConfigNode& node) {
  std::size_t count = 1;
  for (const ConfigNode& item : node.items()) count += count_nodes(item);
  for (const ConfigNode::Member& member : node.members()) count += count_nodes(member.value);
  return count;
}

struct TooLarge {};

class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(std::string file, Problems& problems) : file_(std::move(file)), problems_(problems) {}

  const ConfigNode& root() const { return root_; }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (wants_key()) {
      bad_key(where(mark));
    } else {
      // The mark of a missing value is somewhere behind it; its key is what the user looks for.
      const bool in_map = !open_.empty() && open_.back().node.is_map();
      add(ConfigNode::null(in_map ? open_.back().key_where : where(mark), next_path()), anchor);
    }
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    // The file itself is UTF-8; an escape can still make half of a character.
    if (!is_utf8(value)) problems_.add(where(mark), next_path(), "is no text: an escape makes no character");
    if (!wants_key()) {
      add(ConfigNode::scalar(where(mark), next_path(), value, tag == "!"), anchor);
      return;
    }
    Open& open = open_.back();
    open.key = value;
    open.key_where = where(mark);
    open.has_key = true;
    const ConfigNode::Member* first = open.node.find_member(value);
    open.drop_value = first != nullptr;
    if (first != nullptr) {
      problems_.add(
          open.key_where, open.node.path_of(value),
          "key '" + value + "' appears twice (first on line " + std::to_string(first->where.line) + ")");
    }
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (wants_key()) {
      bad_key(where(mark));
    } else if (found == anchors_.end()) {
      problems_.add(where(mark), next_path(), "an alias cannot stand inside the entry it names");
      add(ConfigNode::null(where(mark), next_path()), 0);
    } else {
      if ((nodes_ += count_nodes(found->second)) > kMostNodes) throw TooLarge();
      add(moved(found->second, next_path()), 0);
    }
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    start(ConfigNode::list(where(mark), next_path()), anchor);
  }
  void OnSequenceEnd() override { end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    start(ConfigNode::map(where(mark), next_path()), anchor);
  }
  void OnMapEnd() override { end(); }

 private:
  struct Open {
    ConfigNode node;
    YAML::anchor_t anchor = 0;
    bool is_key = false;  // this map or list stands where a key should
    std::string key;
    Where key_where;
    bool has_key = false;
    bool drop_value = false;
  };

  Where where(const YAML::Mark& mark) const { return {file_, mark.line + 1, mark.column + 1}; }

  bool wants_key() const { return !open_.empty() && open_.back().node.is_map() && !open_.back().has_key; }

  void bad_key(const Where& place) {
    problems_.add(place, open_.back().node.path(), "a key must be a plain word");
    open_.back().has_key = true;
    open_.back().drop_value = true;
  }

  std::string next_path() const {
    if (open_.empty()) return "";
    const Open& open = open_.back();
    return open.node.is_map() ? open.node.path_of(open.key)
                              : item_path(open.node.path(), open.node.items().size());
  }

  void start(ConfigNode node, YAML::anchor_t anchor) {
    Open open;
    open.is_key = wants_key();
    open.node = std::move(node);
    open.anchor = anchor;
    open_.push_back(std::move(open));
  }

  void end() {
    Open done = std::move(open_.back());
    open_.pop_back();
    if (done.is_key) {
      bad_key(done.node.where());
    } else {
      add(std::move(done.node), done.anchor);
    }
  }

  void add(ConfigNode node, YAML::anchor_t anchor) {
    if (++nodes_ > kMostNodes) throw TooLarge();
    if (anchor != 0) anchors_[anchor] = node;
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& open = open_.back();
    if (!open.node.is_map()) {
      open.node.items().push_back(std::move(node));
      return;
    }
    if (!open.drop_value) open.node.members().push_back({open.key, open.key_where, std::move(node)});
    open.has_key = false;
    open.drop_value = false;
  }

  std::string file_;
  Problems& problems_;
  ConfigNode root_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, ConfigNode> anchors_;
  std::size_t nodes_ = 0;
};

// The place of a byte in a text.
Where place_in(const std::string& text, std::size_t at, const std::string& name) {
  const std::string_view before = std::string_view(text).substr(0, at);
  const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  return {name, static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1,
          static_cast<int>(at - line_start) + 1};
}

// Why a file cannot be read; empty when it can.
std::string why_unreadable(const std::string& file) {
  std::error_code error;
  const fs::file_status status = fs::status(file, error);
  if (!fs::exists(status)) {
    return error && error != std::errc::no_such_file_or_directory ? error.message() : "there is no such file";
  }
  if (fs::is_directory(status)) return "it is a folder";
  // A device may have no end, and a pipe is empty when its hash is made.
  if (!fs::is_regular_file(status)) return "it is no file";
  errno = 0;
  if (std::ifstream stream(file, std::ios::binary); stream) return "";
  return std::strerror(errno);
}

std::string contents_of(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

// The tree of one YAML text; nullopt (and a problem) if it cannot be read at all.
std::optional<ConfigNode> parse_yaml(const std::string& text, const std::string& name, Problems& problems) {
  if (const std::size_t at = first_not_utf8(text); at != std::string::npos) {
    problems.add(place_in(text, at, name), "",
                 "not UTF-8: no character has the byte " + printable_utf8(text.substr(at, 1)) + " here");
    return std::nullopt;
  }
  std::istringstream stream(text);
  TreeBuilder builder(name, problems);
  try {
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    TreeBuilder second(name, problems);
    if (parser && parser.HandleNextDocument(second)) {
      problems.add({name, second.root().where().line, std::max(1, second.root().where().column)}, "",
                   "a configuration is one YAML document; a second one starts here");
    }
    return builder.root();
  } catch (const YAML::Exception& error) {
    problems.add({name, error.mark.line + 1, error.mark.column + 1}, "", "YAML syntax: " + error.msg);
  } catch (const TooLarge&) {
    problems.add({name, 0, 0}, "", "its aliases make more than " + std::to_string(kMostNodes) + " entries");
  }
  return std::nullopt;
}

class Loader {
 public:
  explicit Loader(Problems& problems) : problems_(problems) {}

  // The tree of a file with its extends resolved, at `path` of the whole. The problem of a file that
  // cannot be read stands at `mentioned`.
  ConfigNode load_file(const std::string& file, const std::string& path, const Where& mentioned,
                       const std::string& mentioned_path) {
    const auto empty = [&] { return ConfigNode::map({file, 1, 1}, path); };
    std::error_code unknown;  // then it cannot be read either
    const std::string identity = fs::weakly_canonical(file, unknown).string();
    for (std::size_t i = 0; i < chain_.size(); ++i) {
      if (chain_[i].first != identity) continue;
      std::string cycle;
      for (std::size_t j = i; j < chain_.size(); ++j) cycle += chain_[j].second + " -> ";
      problems_.add(mentioned, mentioned_path, "extends itself: " + cycle + chain_[i].second);
      return empty();
    }
    if (++loads_ > kMostExtends) {
      if (loads_ == kMostExtends + 1) problems_.add(mentioned, mentioned_path, "extends too many files");
      return empty();
    }
    // Its name goes into messages and results.
    if (!is_utf8(file)) {
      problems_.add(mentioned, mentioned_path, "the name '" + printable_utf8(file) + "' is not UTF-8");
      return empty();
    }
    if (const std::string why = why_unreadable(file); !why.empty()) {
      problems_.add(mentioned, mentioned_path, "cannot read '" + file + "': " + why);
      return empty();
    }
    const std::string text = contents_of(file);
    if (std::find(files_.begin(), files_.end(), file) == files_.end()) files_.push_back(file);
    return load_text(text, file, identity, path);
  }

  ConfigNode load_text(const std::string& text, const std::string& file, const std::string& identity,
                       const std::string& path) {
    const ConfigNode empty = ConfigNode::map({file, 1, 1}, path);
    std::optional<ConfigNode> tree = parse_yaml(text, file, problems_);
    if (!tree || tree->is_null()) return empty;
    if (!tree->is_map()) {
      problems_.add(tree->where(), path,
                    std::string("a configuration is a map, this is ") + tree->kind_name());
      return empty;
    }
    chain_.emplace_back(identity, file);
    ConfigNode resolved = resolve(moved(*tree, path), fs::path(file).parent_path());
    chain_.pop_back();
    return resolved;
  }

  std::vector<std::string> take_files() { return std::move(files_); }

 private:
  ConfigNode resolve(ConfigNode node, const fs::path& folder) {
    for (ConfigNode& item : node.items()) item = resolve(std::move(item), folder);
    std::optional<ConfigNode> extends;
    for (auto member = node.members().begin(); member != node.members().end();) {
      if (member->key == "extends") {
        extends = member->value;
        member = node.members().erase(member);
      } else {
        member->value = resolve(std::move(member->value), folder);
        ++member;
      }
    }
    if (!extends) return node;

    const std::vector<ConfigNode> names =
        extends->is_list() ? extends->items() : std::vector<ConfigNode>{*extends};
    ConfigNode base = ConfigNode::map(node.where(), node.path());
    for (const ConfigNode& name : names) {
      if (!name.is_scalar() || name.text().empty()) {
        problems_.add(name, "extends names a file or a list of files");
        continue;
      }
      const std::string file = (folder / name.text()).lexically_normal().string();
      base = merge_config(base, load_file(file, node.path(), name.where(), name.path()));
    }
    return merge_config(base, node);
  }

  Problems& problems_;
  std::vector<std::string> files_;
  std::vector<std::pair<std::string, std::string>> chain_;  // canonical and shown names
  std::size_t loads_ = 0;
};

struct Step {
  std::string key;  // empty: a list index
  std::size_t index = 0;
};

// "a.b[2].c"; nullopt if it is not a path.
std::optional<std::vector<Step>> parse_path(std::string_view text) {
  std::vector<Step> steps;
  while (!text.empty()) {
    if (text.front() == '[') {
      const std::size_t close = text.find(']');
      std::uint64_t index = 0;
      if (steps.empty() || close == std::string_view::npos ||
          !parse_unsigned(text.substr(1, close - 1), index)) {
        return std::nullopt;
      }
      steps.push_back({"", static_cast<std::size_t>(index)});
      text.remove_prefix(close + 1);
      if (!text.empty() && text.front() != '.' && text.front() != '[') return std::nullopt;
      continue;
    }
    if (!steps.empty()) {
      if (text.front() != '.') return std::nullopt;
      text.remove_prefix(1);
    }
    const std::size_t end = std::min(text.find_first_of(".["), text.size());
    if (end == 0) return std::nullopt;
    steps.push_back({std::string(text.substr(0, end)), 0});
    text.remove_prefix(end);
  }
  if (steps.empty()) return std::nullopt;
  return steps;
}

void apply_override(ConfigNode& root, const std::string& option, const Where& where, Problems& problems) {
  const std::size_t equals = option.find('=');
  const auto steps = parse_path(std::string_view(option).substr(0, std::min(equals, option.size())));
  if (!is_utf8(option)) {
    problems.add(where, "", "'" + printable_utf8(option) + "' is not UTF-8");
    return;
  }
  if (equals == std::string::npos || !steps) {
    problems.add(where, "", "'" + option + "' is not of the form path.to.key=value");
    return;
  }
  Problems value_problems;
  const auto value = parse_yaml(option.substr(equals + 1), "value", value_problems);
  if (!value || !value_problems.empty()) {
    problems.add(where, option.substr(0, equals), value_problems.lines().front());
    return;
  }

  ConfigNode changed = root;  // all or nothing
  ConfigNode* node = &changed;
  for (std::size_t i = 0; i < steps->size(); ++i) {
    const Step& step = (*steps)[i];
    const bool last = i + 1 == steps->size();
    if (step.key.empty()) {
      if (!node->is_list() || step.index >= node->items().size()) {
        problems.add(where, item_path(node->path(), step.index),
                     !node->is_list() ? std::string("there is ") + node->kind_name() + ", not a list"
                                      : "the list has " + std::to_string(node->items().size()) + " entries");
        return;
      }
      node = &node->items()[step.index];
      if (last) *node = merge_config(*node, moved(*value, node->path(), &where));
      continue;
    }
    const std::string path = node->path_of(step.key);
    if (node->is_null()) *node = ConfigNode::map(where, node->path());
    if (!node->is_map()) {
      problems.add(where, path,
                   "there is " + std::string(node->kind_name()) + " at '" + node->path() + "', not a map");
      return;
    }
    ConfigNode::Member* member = node->find_member(step.key);
    if (last && value->is_null()) {
      if (member == nullptr) {
        problems.add(where, path, "there is nothing to remove");
      } else {
        node->members().erase(node->members().begin() + (member - node->members().data()));
      }
      break;
    }
    if (member == nullptr) {
      node->members().push_back({step.key, where, ConfigNode::null(where, path)});
      member = &node->members().back();
      if (last) member->value = moved(*value, path, &where);
    } else if (last) {
      *member = {step.key, where, merge_config(member->value, moved(*value, path, &where))};
    }
    node = &member->value;
  }
  root = std::move(changed);
}

void apply_overrides(ConfigNode& root, const std::vector<std::string>& overrides, Problems& problems) {
  for (std::size_t i = 0; i < overrides.size(); ++i) {
    apply_override(root, overrides[i], {"--set", static_cast<int>(i + 1), 0}, problems);
  }
}

}  // namespace

Config load_config(const std::string& file, const std::vector<std::string>& overrides, Problems& problems) {
  Loader loader(problems);
  Config config;
  config.root = loader.load_file(fs::path(file).lexically_normal().string(), "", {}, "");
  config.files = loader.take_files();
  apply_overrides(config.root, overrides, problems);
  return config;
}

Config load_config_text(const std::string& text, const std::string& name,
                        const std::vector<std::string>& overrides, Problems& problems) {
  Loader loader(problems);
  Config config;
  config.root = loader.load_text(text, name, fs::weakly_canonical(name).string(), "");
  config.files = loader.take_files();
  apply_overrides(config.root, overrides, problems);
  return config;
}

ConfigNode load_tree(const std::string& file, Problems& problems) {
  const std::string why =
      !is_utf8(file) ? "the name '" + printable_utf8(file) + "' is not UTF-8" : why_unreadable(file);
  if (!why.empty()) {
    problems.add({is_utf8(file) ? file : "", 0, 0}, "", why);
    return {};
  }
  return parse_yaml(contents_of(file), file, problems).value_or(ConfigNode());
}

}  // namespace svasim
