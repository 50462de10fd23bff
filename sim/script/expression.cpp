#include "sim/script/expression.h"

#include <array>
#include <cctype>
#include <map>

#include "base/input_error.h"
#include "base/suggest.h"
#include "base/units.h"

namespace svasim {
namespace {

// Functions and how many arguments they take.
const std::map<std::string, std::size_t>& functions() {
  static const std::map<std::string, std::size_t> table = {
      {"mem8", 1},        {"mem16", 1}, {"mem32", 1},           {"mem64", 1},
      {"reg32", 1},       {"reg64", 1}, {"root_entry", 1},      {"context_entry", 1},
      {"pasid_entry", 2}, {"entry", 3}, {"directory_entry", 2}, {"page", 0}};
  return table;
}

// Operators, loosest first.
const std::array<std::vector<const char*>, 6>& operators() {
  static const std::array<std::vector<const char*>, 6> table = {
      {{"|"}, {"^"}, {"&"}, {"<<", ">>"}, {"+", "-"}, {"*", "/", "%"}}};
  return table;
}

const std::set<std::string> kTimeUnits = {"ps", "ns", "us", "ms", "s"};

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }

std::uint64_t apply(const std::string& op, std::uint64_t a, std::uint64_t b) {
  if (op == "|") return a | b;
  if (op == "^") return a ^ b;
  if (op == "&") return a & b;
  if (op == "<<") return b >= 64 ? 0 : a << b;
  if (op == ">>") return b >= 64 ? 0 : a >> b;
  if (op == "+") return a + b;
  if (op == "-") return a - b;
  if (op == "*") return a * b;
  if (b == 0) return 0;
  return op == "/" ? a / b : a % b;
}

}  // namespace

std::uint64_t evaluate(const Expression& e, ExpressionValues& values) {
  switch (e.kind) {
    case Expression::Kind::kNumber:
      return e.value;
    case Expression::Kind::kVariable:
      return values.variable(e.name);
    case Expression::Kind::kRegister:
      return values.read_register(e);
    case Expression::Kind::kFunction:
      return values.call(e.name, e.operands);
    case Expression::Kind::kUnary: {
      const std::uint64_t value = evaluate(e.operands[0], values);
      return e.name == "~" ? ~value : 0 - value;
    }
    case Expression::Kind::kBinary:
      break;
  }
  const std::uint64_t left = evaluate(e.operands[0], values);
  return apply(e.name, left, evaluate(e.operands[1], values));
}

LineParser::LineParser(std::string file, std::uint64_t line, const std::string& text)
    : file_(std::move(file)), line_(line) {
  tokenize(text);
}

void LineParser::fail(const std::string& reason) const { throw InputError(file_, line_, reason); }

void LineParser::tokenize(const std::string& text) {
  static constexpr std::array<const char*, 7> kPairs = {"->", "==", "!=", "<=", ">=", "<<", ">>"};
  std::size_t i = 0;
  while (i < text.size()) {
    const char c = text[i];
    if (std::isspace(static_cast<unsigned char>(c)) != 0) {
      ++i;
      continue;
    }
    if (c == '#') break;
    Token token;
    std::size_t end = i;
    if (RequesterId id; text.size() - i >= 7 && text[i + 2] == ':' && parse_bdf(text.substr(i, 7), id) &&
                        (text.size() - i == 7 || !is_word(text[i + 7]))) {
      token = {Token::Kind::kNumber, text.substr(i, 7), id.value()};
      end = i + 7;
    } else if (std::isdigit(static_cast<unsigned char>(c)) != 0) {
      while (end < text.size() && is_word(text[end])) ++end;
      std::string digits = text.substr(i, end - i);
      token = {Token::Kind::kNumber, digits, 0};
      static const std::map<char, unsigned> kScales = {{'k', 10}, {'m', 20}, {'g', 30}};
      const bool hex = digits.compare(0, 2, "0x") == 0;
      const auto scale = kScales.find(digits.back());
      if (!hex && scale != kScales.end()) digits.pop_back();
      const std::size_t unit = digits.find_first_not_of("0123456789");
      if (unit != std::string::npos && unit != 0 && kTimeUnits.count(digits.substr(unit)) != 0) {
        token.kind = Token::Kind::kTime;
      } else if (!parse_unsigned(digits, token.value)) {
        fail("'" + token.text + "' is no number: write 12, 0x1f, 4k, 2m, 1g or a requester as 02:03.1");
      }
      if (!hex && scale != kScales.end()) token.value <<= scale->second;
    } else if (is_letter(c)) {
      while (end < text.size() &&
             (is_word(text[end]) || (text[end] == '-' && end + 1 < text.size() && is_letter(text[end + 1]))))
        ++end;
      token = {Token::Kind::kName, text.substr(i, end - i), 0};
    } else if (c == '"') {
      end = text.find('"', i + 1);
      if (end == std::string::npos) fail("the text that begins with \" has no end");
      token = {Token::Kind::kString, text.substr(i + 1, end - i - 1), 0};
      ++end;
    } else {
      end = i + 1;
      for (const char* pair : kPairs) {
        if (text.compare(i, 2, pair) == 0) end = i + 2;
      }
      token = {Token::Kind::kSymbol, text.substr(i, end - i), 0};
      if (end == i + 1 && std::string("=<>+-*/%&|^~()[],.").find(c) == std::string::npos) {
        fail(std::string("'") + c + "' has no meaning in a script");
      }
    }
    tokens_.push_back(token);
    i = end;
  }
  tokens_.emplace_back();
}

const Token& LineParser::peek(std::size_t ahead) const {
  return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
}

Token LineParser::next() {
  Token token = peek();
  if (at_ + 1 < tokens_.size()) ++at_;
  return token;
}

bool LineParser::take_symbol(const char* symbol) {
  if (peek().kind != Token::Kind::kSymbol || peek().text != symbol) return false;
  next();
  return true;
}

bool LineParser::take_name(const char* name) {
  if (peek().kind != Token::Kind::kName || peek().text != name) return false;
  next();
  return true;
}

void LineParser::need_symbol(const char* symbol) {
  if (take_symbol(symbol)) return;
  fail(std::string("'") + symbol + "' is missing" +
       (at_end() ? " at the end" : " before '" + peek().text + "'"));
}

std::string LineParser::need_name(const char* what) {
  if (peek().kind != Token::Kind::kName) {
    fail(std::string(what) + " is missing" + (at_end() ? " at the end" : " before '" + peek().text + "'"));
  }
  return next().text;
}

std::string LineParser::need_string(const char* what) {
  if (peek().kind != Token::Kind::kString) fail(std::string(what) + " is missing: write it in quotes");
  return next().text;
}

std::vector<unsigned char> LineParser::need_bytes() {
  const std::string text = need_string("a byte string");
  std::vector<unsigned char> bytes;
  std::string digits;
  for (const char c : text) {
    if (c == ' ') continue;
    if (std::isxdigit(static_cast<unsigned char>(c)) == 0)
      fail("\"" + text + "\" is not bytes like \"de ad\"");
    digits += c;
    if (digits.size() == 2) {
      bytes.push_back(static_cast<unsigned char>(std::stoul(digits, nullptr, 16)));
      digits.clear();
    }
  }
  if (!digits.empty() || bytes.empty()) fail("\"" + text + "\" is not bytes like \"de ad\"");
  return bytes;
}

Ps LineParser::need_time() {
  const std::string hint = ": write a time like 10 us";
  const bool joined = peek().kind == Token::Kind::kTime;
  if (!joined && peek().kind != Token::Kind::kNumber) fail("a time is missing" + hint);
  std::string text = next().text;
  if (!joined && peek().kind == Token::Kind::kName) text += " " + next().text;
  constexpr Ps kLongest = 1'000'000'000'000'000;
  Ps time = 0;
  try {
    time = parse_time(text);
  } catch (const UnitError& error) {
    fail(error.what());
  }
  if (time > kLongest) fail("a time is at most 1000 s");
  return time;
}

Expression LineParser::need_expression(const std::set<std::string>& known) { return binary(0, known); }

Expression LineParser::binary(unsigned level, const std::set<std::string>& known) {
  if (level == operators().size()) return primary(known);
  Expression left = binary(level + 1, known);
  for (;;) {
    const char* found = nullptr;
    for (const char* op : operators()[level]) {
      if (take_symbol(op)) found = op;
      if (found != nullptr) break;
    }
    if (found == nullptr) return left;
    Expression both;
    both.kind = Expression::Kind::kBinary;
    both.name = found;
    both.operands.push_back(std::move(left));
    both.operands.push_back(binary(level + 1, known));
    left = std::move(both);
  }
}

Expression LineParser::primary(const std::set<std::string>& known) {
  Expression e;
  if (take_symbol("(")) {
    e = need_expression(known);
    need_symbol(")");
    return e;
  }
  for (const char* op : {"~", "-"}) {
    if (!take_symbol(op)) continue;
    e.kind = Expression::Kind::kUnary;
    e.name = op;
    e.operands.push_back(primary(known));
    return e;
  }
  if (peek().kind == Token::Kind::kNumber) {
    e.value = next().value;
    return e;
  }
  if (peek().kind != Token::Kind::kName) {
    fail("a value is missing" + std::string(at_end() ? " at the end" : " before '" + peek().text + "'"));
  }
  if (peek(1).kind == Token::Kind::kSymbol && peek(1).text == "(") {
    e.kind = Expression::Kind::kFunction;
    e.name = next().text;
    std::vector<std::string> names;
    for (const auto& [name, count] : functions()) names.push_back(name);
    if (functions().count(e.name) == 0)
      fail("there is no function '" + e.name + "'" + suggestion(e.name, names));
    need_symbol("(");
    while (!take_symbol(")")) {
      if (!e.operands.empty()) need_symbol(",");
      e.operands.push_back(need_expression(known));
    }
    if (const std::size_t count = functions().at(e.name); count != e.operands.size()) {
      fail(e.name + "() takes " + std::to_string(count) + " values, not " +
           std::to_string(e.operands.size()));
    }
    return e;
  }
  if (known.count(peek().text) != 0) {
    e.kind = Expression::Kind::kVariable;
    e.name = next().text;
    return e;
  }
  return need_register(known);
}

Expression LineParser::need_register(const std::set<std::string>& known) {
  Expression e;
  e.kind = Expression::Kind::kRegister;
  e.name = need_name("a register");
  e.reg = find_script_register(e.name);
  if (e.reg == nullptr) {
    std::vector<std::string> names(known.begin(), known.end());
    for (const RegisterName& entry : script_registers()) names.emplace_back(entry.name);
    fail("there is no register or variable '" + e.name + "'" + suggestion(e.name, names));
  }
  if (e.reg->base == RegisterName::Base::kFaultRecords) {
    need_symbol("[");
    e.operands.push_back(need_expression(known));
    need_symbol("]");
  }
  if (take_symbol(".")) {
    const std::string name = need_name("a field");
    e.field = find_field(e.reg->fields, name);
    if (e.field == nullptr) {
      fail(e.name + " has no field '" + name + "'" + suggestion(name, names_of(e.reg->fields)));
    }
  } else if (e.reg->bytes > 8) {
    fail(e.name + " is wider than a value: name a field of it" + suggestion("", names_of(e.reg->fields)));
  }
  return e;
}

void LineParser::need_end() const {
  if (!at_end()) fail("'" + peek().text + "' is too much");
}

}  // namespace svasim
