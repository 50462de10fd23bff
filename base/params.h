// Parameters declared once: name, unit, default, range, one sentence and the source. Loading, error
// messages, resolved dump, JSON schema and the documentation page come from that declaration.
#pragma once

#include <limits>
#include <map>
#include <type_traits>
#include <utility>

#include "base/check.h"
#include "base/param_set.h"
#include "base/types.h"

namespace svasim {

// The parameters of struct P. Built once by chained calls; copies share the declaration.
template <typename P>
class ParamTable {
 public:
  explicit ParamTable(const std::string& summary) : set_(std::make_shared<ParamSet>(summary)) {}

  // An unsigned number in decimal or 0x hexadecimal; both bounds belong to the range.
  template <typename M>
  ParamTable& count(const char* name, M P::*member, const char* text, std::uint64_t low, std::uint64_t high,
                    const char* sentence, const char* source) {
    static_assert(std::is_unsigned_v<M> && !std::is_same_v<M, bool>);
    SVASIM_CHECK(high <= std::numeric_limits<M>::max(), std::string(name) + ": range wider than its member");
    return integer(ParamType::kCount, name, member, text, low, high, sentence, source);
  }
  // Like count; printed in hexadecimal.
  ParamTable& address(const char* name, std::uint64_t P::*member, const char* text, const char* sentence,
                      const char* source, std::uint64_t low = 0,
                      std::uint64_t high = std::numeric_limits<std::uint64_t>::max()) {
    return integer(ParamType::kAddress, name, member, text, low, high, sentence, source);
  }
  ParamTable& time(const char* name, Ps P::*member, const char* text, const char* low, const char* high,
                   const char* sentence, const char* source) {
    return quantity(ParamType::kTime, Quantity::kTime, name, member, text, low, high, sentence, source);
  }
  ParamTable& bytes(const char* name, std::uint64_t P::*member, const char* text, const char* low,
                    const char* high, const char* sentence, const char* source) {
    return quantity(ParamType::kBytes, Quantity::kBytes, name, member, text, low, high, sentence, source);
  }
  ParamTable& bandwidth(const char* name, std::uint64_t P::*member, const char* text, const char* low,
                        const char* high, const char* sentence, const char* source) {
    return quantity(ParamType::kBandwidth, Quantity::kBandwidth, name, member, text, low, high, sentence,
                    source);
  }
  ParamTable& frequency(const char* name, std::uint64_t P::*member, const char* text, const char* low,
                        const char* high, const char* sentence, const char* source) {
    return quantity(ParamType::kFrequency, Quantity::kFrequency, name, member, text, low, high, sentence,
                    source);
  }
  ParamTable& number(const char* name, double P::*member, const char* text, double low, double high,
                     const char* sentence, const char* source) {
    Param param = plain<double>(ParamType::kNumber, name, member, text, sentence, source);
    param.low_number = low;
    param.high_number = high;
    return add(std::move(param));
  }
  ParamTable& flag(const char* name, bool P::*member, const char* text, const char* sentence,
                   const char* source) {
    return add(plain<bool>(ParamType::kFlag, name, member, text, sentence, source));
  }
  ParamTable& choice(const char* name, std::string P::*member, const char* text,
                     std::vector<std::string> choices, const char* sentence, const char* source) {
    Param param = plain<std::string>(ParamType::kChoice, name, member, text, sentence, source);
    param.choices = std::move(choices);
    return add(std::move(param));
  }
  ParamTable& text(const char* name, std::string P::*member, const char* value, const char* sentence,
                   const char* source) {
    return add(plain<std::string>(ParamType::kText, name, member, value, sentence, source));
  }
  // A list of free texts, empty by default.
  ParamTable& texts(const char* name, std::vector<std::string> P::*member, const char* sentence,
                    const char* source) {
    return add(plain<std::vector<std::string>>(ParamType::kTexts, name, member, "", sentence, source));
  }
  // A requester ID, "02:00.0".
  ParamTable& bdf(const char* name, RequesterId P::*member, const char* text, const char* sentence,
                  const char* source) {
    Param param = declare(ParamType::kBdf, name, text, sentence, source);
    param.set = [member](void* object, const ParamValue& value) {
      static_cast<P*>(object)->*member =
          RequesterId(static_cast<std::uint16_t>(std::get<std::uint64_t>(value)));
    };
    param.get = [member](const void* object) -> ParamValue {
      return std::uint64_t{(static_cast<const P*>(object)->*member).value()};
    };
    return add(std::move(param));
  }

  // Names one other component that offers ports of `kind`.
  ParamTable& ref(const char* name, std::string P::*member, const char* kind, Ref need,
                  const char* sentence) {
    Param param = plain<std::string>(ParamType::kRef, name, member, "", sentence, "");
    param.ref_kind = kind;
    param.required = need == Ref::kRequired;
    return add(std::move(param));
  }
  // Names any number of components, at least one if required.
  ParamTable& refs(const char* name, std::vector<std::string> P::*member, const char* kind, Ref need,
                   const char* sentence) {
    Param param = plain<std::vector<std::string>>(ParamType::kRefs, name, member, "", sentence, "");
    param.ref_kind = kind;
    param.required = need == Ref::kRequired;
    return add(std::move(param));
  }

  // All parameters and checks of a member's table, as if they were declared here.
  template <typename Sub>
  ParamTable& include(Sub P::*member, const ParamTable<Sub>& table) {
    const auto inner = [member](void* object) -> void* { return &(static_cast<P*>(object)->*member); };
    const auto const_inner = [member](const void* object) -> const void* {
      return &(static_cast<const P*>(object)->*member);
    };
    set_->include(table.set(), inner, const_inner);
    return *this;
  }

  // A nested struct with its own table. `defaults` replaces defaults of that table, in its own syntax.
  template <typename Sub>
  ParamTable& group(const char* name, Sub P::*member, const ParamTable<Sub>& table, const char* sentence,
                    const std::vector<std::pair<std::string, std::string>>& defaults = {}) {
    Param param = declare(ParamType::kGroup, name, "", sentence, "");
    param.group = table.set().with_defaults(defaults);
    param.open = [member](void* object, const std::string&) -> void* {
      return &(static_cast<P*>(object)->*member);
    };
    param.each = [member](const void* object, const GroupVisitor& visit) {
      visit("", &(static_cast<const P*>(object)->*member));
    };
    return add(std::move(param));
  }
  // A list of such structs, empty by default.
  template <typename Sub>
  ParamTable& groups(const char* name, std::vector<Sub> P::*member, const ParamTable<Sub>& table,
                     const char* sentence) {
    Param param = declare(ParamType::kGroups, name, "", sentence, "");
    param.group = table.set().with_defaults({});
    param.open = [member](void* object, const std::string&) -> void* {
      return &(static_cast<P*>(object)->*member).emplace_back();
    };
    param.each = [member](const void* object, const GroupVisitor& visit) {
      for (const Sub& sub : static_cast<const P*>(object)->*member) visit("", &sub);
    };
    return add(std::move(param));
  }
  // Such structs by name, none by default.
  template <typename Sub>
  ParamTable& named_groups(const char* name, std::map<std::string, Sub> P::*member,
                           const ParamTable<Sub>& table, const char* sentence) {
    Param param = declare(ParamType::kNamedGroups, name, "", sentence, "");
    param.group = table.set().with_defaults({});
    param.open = [member](void* object, const std::string& key) -> void* {
      return &(static_cast<P*>(object)->*member)[key];
    };
    param.each = [member](const void* object, const GroupVisitor& visit) {
      for (const auto& [key, sub] : static_cast<const P*>(object)->*member) visit(key, &sub);
    };
    return add(std::move(param));
  }

  // A condition between parameters; called when each of them is valid alone.
  ParamTable& check(std::function<void(const P&, const Complain&)> condition) {
    set_->add_check([condition = std::move(condition)](const void* object, const Complain& complain) {
      condition(*static_cast<const P*>(object), complain);
    });
    return *this;
  }

  P defaults() const {
    P params{};
    set_->apply_defaults(&params);
    return params;
  }
  // The parameters in `node` (a map), defaults for the rest. Keys in `foreign` are someone else's.
  // What is wrong is added to `problems` and leaves the default.
  P load(const ConfigNode& node, Problems& problems, const std::vector<std::string>& foreign = {}) const {
    P params{};
    set_->load(&params, node, problems, foreign);
    return params;
  }
  // Every value in the user's units; can be loaded again. (Templates, so that only callers need the
  // complete json type.)
  template <typename Json = nlohmann::json>
  Json to_json(const P& params) const {
    return set_->to_json(&params);
  }
  // Every value as {"value": exact number or text, "unit": "ps"}.
  template <typename Json = nlohmann::json>
  Json to_exact_json(const P& params) const {
    return set_->to_exact_json(&params);
  }
  // The other components these parameters name; `node` is what they were loaded from.
  std::vector<RefUse> ref_uses(const P& params, const ConfigNode& node) const {
    return set_->ref_uses(&params, node);
  }

  const ParamSet& set() const { return *set_; }

 private:
  static Param declare(ParamType type, const char* name, const char* text, const char* sentence,
                       const char* source) {
    Param param;
    param.name = name;
    param.type = type;
    param.default_text = text;
    param.sentence = sentence;
    param.source = source;
    return param;
  }

  template <typename V>
  static Param plain(ParamType type, const char* name, V P::*member, const char* text, const char* sentence,
                     const char* source) {
    Param param = declare(type, name, text, sentence, source);
    param.set = [member](void* object, const ParamValue& value) {
      static_cast<P*>(object)->*member = std::get<V>(value);
    };
    param.get = [member](const void* object) -> ParamValue { return static_cast<const P*>(object)->*member; };
    return param;
  }

  template <typename M>
  ParamTable& integer(ParamType type, const char* name, M P::*member, const char* text, std::uint64_t low,
                      std::uint64_t high, const char* sentence, const char* source) {
    Param param = declare(type, name, text, sentence, source);
    param.low = low;
    param.high = high;
    param.set = [member](void* object, const ParamValue& value) {
      static_cast<P*>(object)->*member = static_cast<M>(std::get<std::uint64_t>(value));
    };
    param.get = [member](const void* object) -> ParamValue {
      return std::uint64_t{static_cast<const P*>(object)->*member};
    };
    return add(std::move(param));
  }

  ParamTable& quantity(ParamType type, Quantity kind, const char* name, std::uint64_t P::*member,
                       const char* text, const char* low, const char* high, const char* sentence,
                       const char* source) {
    return integer(type, name, member, text, parse_quantity(kind, low), parse_quantity(kind, high), sentence,
                   source);
  }

  ParamTable& add(Param param) {
    set_->add(std::move(param));
    return *this;
  }

  std::shared_ptr<ParamSet> set_;
};

}  // namespace svasim
