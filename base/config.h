// Configuration trees: YAML with `extends:` and overrides, every node knowing where it was written.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace svasim {

// A place in a configuration: a file's line and column from 1, or the n-th --set option of the
// command line (file "--set", line n, column 0).
struct Where {
  std::string file;
  int line = 0;
  int column = 0;
};

// "file:12:3" or "--set #2".
std::string to_string(const Where& where);

class ConfigNode;

// Everything that is wrong with a configuration, so that it can be reported at once.
class Problems {
 public:
  // path: dotted configuration path of the offending entry; may be empty.
  void add(const Where& where, const std::string& path, const std::string& message);
  void add(const ConfigNode& node, const std::string& message);

  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  // One line per problem, "file:line:column: path: message", sorted by place, without repetitions.
  std::string to_string() const;
  std::vector<std::string> lines() const;
  // Throws ConfigError if there is any problem.
  void throw_if_any() const;

 private:
  struct Entry {
    Where where;
    std::string path;
    std::string message;
  };
  std::vector<Entry> entries_;
};

// A configuration that cannot be used: exit code 2. what() is all problems, one per line.
class ConfigError : public std::runtime_error {
 public:
  explicit ConfigError(const Problems& problems)
      : std::runtime_error(problems.to_string()), problems_(problems) {}
  const Problems& problems() const { return problems_; }

 private:
  Problems problems_;
};

// One node: null, scalar, list or map. A value; copies are independent.
class ConfigNode {
 public:
  enum class Kind { kNull, kScalar, kList, kMap };
  struct Member;

  ConfigNode() = default;
  static ConfigNode null(Where where, std::string path);
  // quoted: the text was in quotes and so is never a number, a flag or null.
  static ConfigNode scalar(Where where, std::string path, std::string text, bool quoted);
  static ConfigNode list(Where where, std::string path);
  static ConfigNode map(Where where, std::string path);

  Kind kind() const { return kind_; }
  bool is_null() const { return kind_ == Kind::kNull; }
  bool is_scalar() const { return kind_ == Kind::kScalar; }
  bool is_list() const { return kind_ == Kind::kList; }
  bool is_map() const { return kind_ == Kind::kMap; }
  // "nothing", "a value", "a list", "a map": for messages.
  const char* kind_name() const;

  const std::string& text() const { return text_; }
  bool quoted() const { return quoted_; }
  const std::vector<ConfigNode>& items() const { return items_; }
  std::vector<ConfigNode>& items() { return items_; }
  const std::vector<Member>& members() const { return members_; }
  std::vector<Member>& members() { return members_; }
  // The member's value, or nullptr if there is none (or this is no map).
  const ConfigNode* find(std::string_view key) const;
  Member* find_member(std::string_view key);

  const Where& where() const { return where_; }
  // "components.iommu0.iotlb.entries", "workload.steps[2]"; empty at the root.
  const std::string& path() const { return path_; }
  // Path of a member of this map.
  std::string path_of(std::string_view key) const;

  // Sorted keys; plain scalars as numbers, flags or null where they are such.
  nlohmann::json to_json() const;
  std::string to_yaml() const;

 private:
  Kind kind_ = Kind::kNull;
  bool quoted_ = false;
  Where where_;
  std::string path_;
  std::string text_;
  std::vector<ConfigNode> items_;
  std::vector<Member> members_;
};

struct ConfigNode::Member {
  std::string key;
  Where where;  // of the key
  ConfigNode value;
};

// Block-style YAML of a JSON value, keys sorted.
std::string json_to_yaml(const nlohmann::json& json);

// `over` laid on `base`: maps are merged deep, scalars and lists replace, null removes the entry.
ConfigNode merge_config(const ConfigNode& base, const ConfigNode& over);

struct Config {
  ConfigNode root;
  std::vector<std::string> files;  // every file read, each once, in the order met
};

// Reads a file, what it extends, and lays the overrides ("path.to.key=value", the value in YAML) on
// it. `extends:` (a name or a list of names, relative to the file it stands in, later ones laid on
// earlier ones) may stand in any map: the map is laid on the root maps of those files. Problems are
// collected; the tree holds what could be read.
Config load_config(const std::string& file, const std::vector<std::string>& overrides, Problems& problems);

// The same from a text; `name` stands for the file in messages and for finding extended files.
Config load_config_text(const std::string& text, const std::string& name,
                        const std::vector<std::string>& overrides, Problems& problems);

}  // namespace svasim
