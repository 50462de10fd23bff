#include "sim/script/parser.h"

#include <algorithm>
#include <array>
#include <functional>
#include <istream>
#include <map>
#include <regex>

#include "base/input_error.h"
#include "base/suggest.h"
#include "sim/script/rules.h"
#include "sim/script/script_params.h"
#include "sim/script/script_system.h"

namespace svasim {
namespace {

using Kind = StatementKind;

using Rules = ArgumentRules;
using W = ArgumentRule::What;

class ScriptParser {
 public:
  ScriptParser(std::string file, std::vector<std::string>& problems) : problems_(problems) {
    script_.file = std::move(file);
    for (const ScriptConstant& constant : script_constants()) variables_.insert(constant.name);
    variables_.insert("rtaddr");
  }

  RegisterScript read(std::istream& in) {
    std::string text;
    for (std::uint64_t number = 1; std::getline(in, text); ++number) {
      if (!text.empty() && text.back() == '\r') text.pop_back();
      try {
        line(number, text);
      } catch (const InputError& error) {
        problems_.emplace_back(error.what());
      }
    }
    script_.params = load_script_params(script_.file, settings_, problems_);
    const auto whole = [&](const char* reason) {
      problems_.emplace_back(InputError(script_.file, 0, reason).what());
    };
    if (script_.section.empty()) {
      whole("no specification is cited: begin with a line like spec VTD 6.5.2.3 \"what it tests\"");
    }
    if (!has_check_ && problems_.empty()) {
      whole("nothing is checked: add an expect statement, or -> with what a request must get");
    }
    return std::move(script_);
  }

 private:
  void line(std::uint64_t number, const std::string& text) {
    constexpr std::size_t kLongest = 1000;
    if (text.size() > kLongest) throw InputError(script_.file, number, "a line has at most 1000 characters");
    LineParser parser(script_.file, number, strip_head(text));
    if (parser.at_end()) return;
    if (head(number, text)) return;
    Statement s;
    s.line = number;
    s.text = text.substr(text.find_first_not_of(" \t"));
    std::string word = parser.need_name("a statement");
    if (word == "repeat") {
      if (parser.peek().kind != Token::Kind::kNumber)
        parser.fail("how often is missing: write repeat 10 STATEMENT");
      s.repeat = parser.next().value;
      if (s.repeat < 1 || s.repeat > 100'000) parser.fail("a statement can be repeated 1 to 100000 times");
      word = parser.need_name("a statement");
    }
    const auto& table = statements();
    const auto found = table.find(word);
    if (found == table.end()) {
      std::vector<std::string> names = {"spec", "set", "repeat"};
      for (const auto& [name, read] : table) names.push_back(name);
      parser.fail("there is no statement '" + word + "'" + suggestion(word, names));
    }
    found->second(*this, parser, s);
    parser.need_end();
    script_.statements.push_back(std::move(s));
  }

  // WHY: sections and parameter values are not tokens of expressions.
  static std::string strip_head(const std::string& text) {
    static const std::regex head_line("^\\s*(spec|set)\\b.*");
    return std::regex_match(text, head_line) ? "head" : text;
  }

  // spec and set.
  bool head(std::uint64_t number, const std::string& text) {
    static const std::regex spec_line(
        "^\\s*spec\\s+([A-Z][A-Z0-9]*)\\s+([0-9A-Z][0-9A-Za-z.]*)\\s+\"([^\"]+)\"\\s*(#.*)?$");
    static const std::regex set_line(
        "^\\s*set\\s+([A-Za-z_][A-Za-z0-9_.]*)\\s*=\\s*([^#]*[^#\\s])\\s*(#.*)?$");
    std::smatch match;
    if (strip_head(text) != "head") return false;
    const bool is_spec = text[text.find_first_not_of(" \t") + 1] == 'p';
    if (is_spec) {
      if (!std::regex_match(text, match, spec_line)) {
        throw InputError(script_.file, number, "write spec VTD 6.5.2.3 \"what is tested\"");
      }
      if (!script_.section.empty()) {
        throw InputError(script_.file, number, "a script cites one section; this is the second spec");
      }
      script_.document = match[1];
      script_.section = match[2];
      script_.title = match[3];
      return true;
    }
    if (!std::regex_match(text, match, set_line)) {
      throw InputError(script_.file, number, "write set iommu.capabilities.scalable_mode = true");
    }
    if (!script_.statements.empty()) {
      throw InputError(script_.file, number,
                       "set stands before the first statement: the system is built with it");
    }
    settings_.push_back({number, match[1].str() + "=" + match[2].str()});
    return true;
  }

  Expression expression(LineParser& p) { return p.need_expression(variables_); }

  Ps within(LineParser& p, Ps otherwise) { return p.take_name("within") ? p.need_time() : otherwise; }

  // A name that is not taken yet.
  std::string new_name(LineParser& p, const char* what) {
    std::string name = p.need_name(what);
    if (name.find('-') != std::string::npos) p.fail("'" + name + "': a name is letters, digits and _");
    if (find_script_register(name) != nullptr) p.fail("'" + name + "' is a register");
    for (const char* word : {"fault", "message", "interrupt", "bytes", "within", "rtaddr"}) {
      if (name == word) p.fail("'" + name + "' has a meaning already: take another name");
    }
    for (const ScriptConstant& constant : script_constants()) {
      if (name == constant.name) p.fail("'" + name + "' is " + constant.meaning);
    }
    return name;
  }

  std::string table_name(LineParser& p) {
    std::string name = p.need_name("the name of a page table");
    if (tables_.count(name) == 0) {
      p.fail("there is no page table '" + name + "': write table " + name + " first, or table " + name +
             " second, before it" + suggestion(name, {tables_.begin(), tables_.end()}));
    }
    return name;
  }

  void arguments(LineParser& p, const Rules& rules, const FieldNames* fields, Arguments& into) {
    while (!p.at_end() && p.peek().kind == Token::Kind::kName) {
      Argument argument;
      argument.name = p.next().text;
      if (into.has(argument.name)) p.fail("'" + argument.name + "' is given twice");
      const auto rule = std::find_if(rules.begin(), rules.end(),
                                     [&](const ArgumentRule& r) { return argument.name == r.name; });
      if (rule == rules.end()) {
        argument.field = fields != nullptr ? find_field(*fields, argument.name) : nullptr;
        if (argument.field == nullptr) {
          std::vector<std::string> names = fields != nullptr ? names_of(*fields) : std::vector<std::string>();
          for (const ArgumentRule& r : rules) names.emplace_back(r.name);
          p.fail("'" + argument.name + "' has no meaning here" + suggestion(argument.name, names));
        }
      }
      const W what = rule == rules.end() ? W::kValue : rule->what;
      if (what != W::kFlag) {
        p.need_symbol("=");
        if (what == W::kBytes) argument.bytes = p.need_bytes();
        if (what == W::kTable) argument.word = table_name(p);
        if (what == W::kWord) {
          argument.word = p.need_name("a word");
          const std::vector<std::string>& words = argument.name == "at" ? address_types() : request_types();
          if (std::find(words.begin(), words.end(), argument.word) == words.end()) {
            p.fail("'" + argument.word + "' is no value of " + argument.name +
                   suggestion(argument.word, words));
          }
        }
        if (what == W::kValue) argument.value = expression(p);
      }
      into.add(std::move(argument));
    }
    for (const ArgumentRule& rule : rules) {
      if (rule.required && !into.has(rule.name)) p.fail(std::string(rule.name) + "= is missing");
    }
  }

  void outcome(LineParser& p, Statement& s, const OutcomeRules& known) {
    if (!p.take_symbol("->")) return;
    s.outcome = p.need_name("what the request gets");
    if (known.count(s.outcome) == 0) {
      p.fail("'" + s.outcome + "' is no outcome of this request" + suggestion(s.outcome, keys(known)));
    }
    arguments(p, known.at(s.outcome), nullptr, s.outcome_arguments);
    has_check_ = true;
  }

  void comparison(LineParser& p, Statement& s) {
    static constexpr std::array<const char*, 6> kComparisons = {"==", "!=", "<=", ">=", "<", ">"};
    s.values.push_back(expression(p));
    for (const char* symbol : kComparisons) {
      if (!p.take_symbol(symbol)) continue;
      s.comparison = symbol;
      s.values.push_back(expression(p));
      has_check_ = true;
      return;
    }
    p.fail("a comparison is missing: write == != < <= > or >= and a value");
  }

  void expect(LineParser& p, Statement& s);
  void store(LineParser& p, Statement& s, unsigned bytes) {
    s.kind = Kind::kStore;
    s.bytes = bytes;
    s.values.push_back(expression(p));
    p.need_symbol("=");
    do s.values.push_back(expression(p));
    while (p.take_symbol(","));
  }
  void table(LineParser& p, Statement& s);
  void queue(LineParser& p, Statement& s);
  void pasid_entry(LineParser& p, Statement& s);

  using Reader = std::function<void(ScriptParser&, LineParser&, Statement&)>;
  static const std::map<std::string, Reader>& statements();

  RegisterScript script_;
  std::vector<std::string>& problems_;
  std::vector<ScriptSetting> settings_;
  std::set<std::string> variables_;
  std::set<std::string> tables_;
  bool scalable_ = true;
  bool has_check_ = false;
};

void ScriptParser::table(LineParser& p, Statement& s) {
  s.kind = Kind::kTable;
  s.name = new_name(p, "the name of the page table");
  const std::string stage = p.need_name("first or second");
  if (stage != "first" && stage != "second") p.fail("'" + stage + "' is no stage: write first or second");
  s.comparison = stage;
  arguments(p, {{"levels"}}, nullptr, s.arguments);
  tables_.insert(s.name);
  variables_.insert(s.name);
}

void ScriptParser::queue(LineParser& p, Statement& s) {
  const std::string kind = p.need_name("the kind of descriptor");
  s.kind = Kind::kQueue;
  s.name = kind;
  if (kind == "raw") {
    s.kind = Kind::kQueueRaw;
    do s.values.push_back(expression(p));
    while (p.take_symbol(","));
    if (s.values.size() != 2 && s.values.size() != 4) p.fail("a descriptor is 2 or 4 words");
    return;
  }
  const DescriptorName* descriptor = find_script_descriptor(kind);
  if (descriptor == nullptr) {
    std::vector<std::string> names = {"raw"};
    for (const DescriptorName& entry : script_descriptors()) names.emplace_back(entry.name);
    p.fail("there is no descriptor '" + kind + "'" + suggestion(kind, names));
  }
  arguments(p, {}, &descriptor->fields, s.arguments);
}

void ScriptParser::pasid_entry(LineParser& p, Statement& s) {
  s.kind = Kind::kPasidEntry;
  arguments(p,
            {{"bdf", W::kValue, true},
             {"pasid", W::kValue, true},
             {"first", W::kTable},
             {"second", W::kTable},
             {"pass", W::kFlag}},
            &pasid_entry_fields(), s.arguments);
}

void ScriptParser::expect(LineParser& p, Statement& s) {
  const auto simple = [&](const char* word, Kind kind) {
    if (!p.take_name(word)) return false;
    s.kind = kind;
    return true;
  };
  has_check_ = true;
  if (simple("no-fault", Kind::kExpectNoFault) || simple("no-message", Kind::kExpectNoMessage) ||
      simple("no-interrupt", Kind::kExpectNoInterrupt)) {
    return;
  }
  if (simple("fault", Kind::kExpectFault)) {
    arguments(p, fault_rules(), nullptr, s.arguments);
  } else if (simple("message", Kind::kExpectMessage)) {
    s.name = p.need_name("the kind of message");
    if (message_rules().count(s.name) == 0) {
      p.fail("a device gets no message '" + s.name + "'" + suggestion(s.name, keys(message_rules())));
    }
    arguments(p, message_rules().at(s.name), nullptr, s.arguments);
  } else if (simple("interrupt", Kind::kExpectInterrupt)) {
    arguments(p, {{"addr"}, {"data"}}, nullptr, s.arguments);
  } else if (simple("page-request", Kind::kExpectPageRequest)) {
    arguments(p, queued_request_rules(), nullptr, s.arguments);
  } else if (simple("bytes", Kind::kExpectBytes)) {
    s.values.push_back(expression(p));
    p.need_symbol("==");
    s.data = p.need_bytes();
  } else {
    s.kind = Kind::kExpect;
    comparison(p, s);
  }
}

const std::map<std::string, ScriptParser::Reader>& ScriptParser::statements() {
  using P = ScriptParser;
  using L = LineParser;
  using S = Statement;
  static const std::map<std::string, Reader> table = {
      {"let",
       [](P& me, L& p, S& s) {
         s.kind = Kind::kLet;
         s.name = me.new_name(p, "the name of the variable");
         if (me.tables_.count(s.name) != 0) p.fail("'" + s.name + "' is a page table");
         p.need_symbol("=");
         s.values.push_back(me.expression(p));
         me.variables_.insert(s.name);
       }},
      {"print",
       [](P& me, L& p, S& s) {
         s.kind = Kind::kPrint;
         s.values.push_back(me.expression(p));
       }},
      {"write",
       [](P& me, L& p, S& s) {
         s.kind = Kind::kWrite;
         s.values.push_back(p.need_register(me.variables_));
         p.need_symbol("=");
         s.values.push_back(me.expression(p));
       }},
      {"write32", [](P& me, L& p, S& s) { me.store(p, s, 4), s.kind = Kind::kWriteOffset; }},
      {"write64", [](P& me, L& p, S& s) { me.store(p, s, 8), s.kind = Kind::kWriteOffset; }},
      {"mem8", [](P& me, L& p, S& s) { me.store(p, s, 1); }},
      {"mem16", [](P& me, L& p, S& s) { me.store(p, s, 2); }},
      {"mem32", [](P& me, L& p, S& s) { me.store(p, s, 4); }},
      {"mem64", [](P& me, L& p, S& s) { me.store(p, s, 8); }},
      {"bytes",
       [](P& me, L& p, S& s) {
         s.kind = Kind::kStoreBytes;
         s.values.push_back(me.expression(p));
         p.need_symbol("=");
         s.data = p.need_bytes();
       }},
      {"expect", [](P& me, L& p, S& s) { me.expect(p, s); }},
      {"poll",
       [](P& me, L& p, S& s) {
         s.kind = Kind::kPoll;
         me.comparison(p, s);
         if (!p.take_name("within")) p.fail("how long is missing: end with within 10 us");
         s.time = p.need_time();
       }},
      {"advance",
       [](P&, L& p, S& s) {
         s.kind = Kind::kAdvance;
         s.time = p.need_time();
       }},
      {"table", [](P& me, L& p, S& s) { me.table(p, s); }},
      {"map",
       [](P& me, L& p, S& s) {
         s.kind = Kind::kMap;
         s.name = me.table_name(p);
         me.arguments(p,
                      {{"iova", W::kValue, true},
                       {"pa", W::kValue, true},
                       {"size"},
                       {"read"},
                       {"write"},
                       {"user"},
                       {"bits"}},
                      nullptr, s.arguments);
       }},
      {"unmap",
       [](P& me, L& p, S& s) {
         s.kind = Kind::kUnmap;
         s.name = me.table_name(p);
         me.arguments(p, {{"iova", W::kValue, true}}, nullptr, s.arguments);
       }},
      {"root",
       [](P& me, L& p, S& s) {
         s.kind = Kind::kRoot;
         s.name = p.need_name("legacy or scalable");
         if (s.name != "legacy" && s.name != "scalable") p.fail("'" + s.name + "': write legacy or scalable");
         me.scalable_ = s.name == "scalable";
       }},
      {"context",
       [](P& me, L& p, S& s) {
         s.kind = Kind::kContext;
         s.name = me.scalable_ ? "scalable" : "legacy";
         Rules rules = {{"bdf", W::kValue, true}};
         if (!me.scalable_) rules = with(rules, {{"table", W::kTable}, {"pass", W::kFlag}});
         me.arguments(p, rules, me.scalable_ ? &scalable_context_fields() : &legacy_context_fields(),
                      s.arguments);
       }},
      {"pasid-entry", [](P& me, L& p, S& s) { me.pasid_entry(p, s); }},
      {"enable",
       [](P& me, L& p, S& s) {
         s.kind = Kind::kEnable;
         me.arguments(p, {{"wide"}, {"translation"}}, nullptr, s.arguments);
       }},
      {"queue", [](P& me, L& p, S& s) { me.queue(p, s); }},
      {"submit", [](P&, L&, S& s) { s.kind = Kind::kSubmit; }},
      {"sync",
       [](P& me, L& p, S& s) {
         s.kind = Kind::kSync;
         s.time = me.within(p, ScriptSystem::kPatience);
         me.has_check_ = true;
       }},
      {"dma",
       [](P& me, L& p, S& s) {
         s.kind = Kind::kDma;
         s.name = p.need_name("read or write");
         if (s.name != "read" && s.name != "write") p.fail("'" + s.name + "': write dma read or dma write");
         me.arguments(p, with(request_rules(), {{"len"}, {"at", W::kWord}, {"data", W::kBytes}}), nullptr,
                      s.arguments);
         if (s.name == "read" && s.arguments.has("data")) {
           p.fail("a read brings data: write -> ok data=\"...\" to check it");
         }
         me.outcome(p, s, dma_outcomes());
       }},
      {"translate",
       [](P& me, L& p, S& s) {
         s.kind = Kind::kTranslate;
         me.arguments(p, with(request_rules(), {{"nw", W::kFlag}, {"count"}}), nullptr, s.arguments);
         me.outcome(p, s, translate_outcomes());
       }},
      {"page-request",
       [](P& me, L& p, S& s) {
         s.kind = Kind::kPageRequest;
         me.arguments(
             p,
             with(request_rules(), {{"read", W::kFlag}, {"write", W::kFlag}, {"last", W::kFlag}, {"prgi"}}),
             nullptr, s.arguments);
         me.outcome(p, s, page_request_outcomes());
       }},
      {"complete",
       [](P& me, L& p, S& s) {
         s.kind = Kind::kComplete;
         me.arguments(p, {{"bdf", W::kValue, true}, {"itag", W::kValue, true}, {"cc"}}, nullptr, s.arguments);
       }},
      {"device",
       [](P&, L& p, S& s) {
         s.kind = Kind::kDevice;
         s.name = p.need_name("answers or silent");
         if (s.name != "answers" && s.name != "silent") p.fail("'" + s.name + "': write answers or silent");
         s.time = s.name == "answers" && p.take_name("after") ? p.need_time() : ScriptSystem::kDeviceAnswer;
       }},
  };
  return table;
}

}  // namespace

const std::vector<ScriptConstant>& script_constants() {
  static const std::vector<ScriptConstant> table = {
      {"iq_base", ScriptSystem::kQueue, "where enable puts the invalidation queue"},
      {"pq_base", ScriptSystem::kPageQueue, "where enable puts the page request queue"},
      {"status", ScriptSystem::kStatus, "the word sync waits for"},
      {"data", ScriptSystem::kData, "the first address nothing else uses"},
      {"rom", ScriptSystem::kRom, "the first address of memory that only software can write"},
      {"msi", kInterruptRangeFirst, "the first address of interrupt messages"},
  };
  return table;
}

RegisterScript parse_script(std::istream& in, const std::string& file, std::vector<std::string>& problems) {
  return ScriptParser(file, problems).read(in);
}

}  // namespace svasim
