// The declarations behind ParamTable<P>, without the type of P. Use base/params.h.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <variant>
#include <vector>

#include "base/config.h"
#include "base/units.h"

namespace svasim {

enum class ParamType {
  kCount,
  kAddress,
  kTime,
  kBytes,
  kBandwidth,
  kFrequency,
  kNumber,
  kFlag,
  kChoice,
  kText,
  kTexts,
  kBdf,
  kRef,
  kRefs,
  kGroup,
  kGroups,
  kNamedGroups,
};

enum class Ref { kOptional, kRequired };

using ParamValue = std::variant<std::uint64_t, double, bool, std::string, std::vector<std::string>>;

// Reports that a parameter contradicts another one.
using Complain = std::function<void(const std::string& param, const std::string& message)>;

using GroupVisitor = std::function<void(const std::string& key, const void* object)>;

class ParamSet;

struct Param {
  std::string name;
  ParamType type = ParamType::kText;
  std::string default_text;
  std::string sentence;
  std::string source;
  std::uint64_t low = 0;
  std::uint64_t high = std::numeric_limits<std::uint64_t>::max();
  double low_number = 0;
  double high_number = 0;
  std::vector<std::string> choices;
  std::string ref_kind;
  bool required = false;
  std::shared_ptr<const ParamSet> group;

  ParamValue default_value;  // parsed default_text; unused for groups
  std::function<void(void*, const ParamValue&)> set;
  std::function<ParamValue(const void*)> get;
  // Groups: the nested object to fill (a new one for lists and maps), and all there are.
  std::function<void*(void*, const std::string& key)> open;
  std::function<void(const void*, const GroupVisitor&)> each;
};

// Parameter `param` names component `target` and needs a port of `kind` there.
struct RefUse {
  std::string param;  // "memory", "devices[1]", "upstream.port"
  std::string kind;
  std::string target;
  Where where;
  std::string path;  // of the entry in the configuration
};

class ParamSet {
 public:
  explicit ParamSet(std::string summary) : summary_(std::move(summary)) {}

  // Throws InternalError if the name is taken or the default is not valid.
  void add(Param param);
  void add_check(std::function<void(const void*, const Complain&)> check) {
    checks_.push_back(std::move(check));
  }
  // Declares the parameters and checks of `other`, whose objects are members of this set's objects.
  void include(const ParamSet& other, const std::function<void*(void*)>& inner,
               const std::function<const void*(const void*)>& const_inner);
  // A copy in which the named parameters have other defaults.
  std::shared_ptr<const ParamSet> with_defaults(
      const std::vector<std::pair<std::string, std::string>>& defaults) const;

  const std::string& summary() const { return summary_; }
  const std::vector<Param>& params() const { return params_; }
  const Param* find(std::string_view name) const;

  void apply_defaults(void* object) const;
  void load(void* object, const ConfigNode& node, Problems& problems,
            const std::vector<std::string>& foreign) const;
  nlohmann::json to_json(const void* object) const;
  nlohmann::json to_exact_json(const void* object) const;
  std::vector<RefUse> ref_uses(const void* object, const ConfigNode& node) const;

  // JSON schema (draft 2020-12) of the map these parameters are loaded from.
  nlohmann::json json_schema() const;
  // Rows "| name | unit | default | range | meaning | source |" of all parameters, nested ones with
  // dotted names, below a heading row.
  std::string markdown() const;

 private:
  nlohmann::json dump(const void* object, bool exact) const;
  void append_markdown(const std::string& prefix, std::string& text) const;

  std::string summary_;
  std::vector<Param> params_;
  std::vector<std::function<void(const void*, const Complain&)>> checks_;
};

// The value as users write it: "2 ns", "64", "0x1000", "true".
std::string format_value(const Param& param, const ParamValue& value);

}  // namespace svasim
