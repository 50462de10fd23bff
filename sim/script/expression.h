// Tokens and expressions of scripts: numbers, requester IDs, names, registers, memory, functions.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/types.h"
#include "sim/script/layouts.h"

namespace svasim {

struct Token {
  enum class Kind { kNumber, kTime, kName, kString, kSymbol, kEnd };
  Kind kind = Kind::kEnd;
  std::string text;
  std::uint64_t value = 0;  // of a number
};

// 64-bit unsigned arithmetic, wrapping.
struct Expression {
  enum class Kind { kNumber, kVariable, kRegister, kFunction, kUnary, kBinary };
  Kind kind = Kind::kNumber;
  std::uint64_t value = 0;
  std::string name;  // variable, function or operator
  const RegisterName* reg = nullptr;
  const FieldName* field = nullptr;  // of the register
  std::vector<Expression> operands;  // of a register: its index, if it has one
};

// What the values in expressions are.
class ExpressionValues {
 public:
  virtual ~ExpressionValues() = default;
  virtual std::uint64_t variable(const std::string& name) = 0;
  virtual std::uint64_t read_register(const Expression& place) = 0;
  virtual std::uint64_t call(const std::string& function, const std::vector<Expression>& arguments) = 0;
};

std::uint64_t evaluate(const Expression& expression, ExpressionValues& values);

// One line of a script, read from left to right. Everything that is wrong throws InputError.
class LineParser {
 public:
  LineParser(std::string file, std::uint64_t line, const std::string& text);

  bool at_end() const { return peek().kind == Token::Kind::kEnd; }
  const Token& peek(std::size_t ahead = 0) const;
  Token next();
  bool take_symbol(const char* symbol);
  bool take_name(const char* name);
  void need_symbol(const char* symbol);
  std::string need_name(const char* what);
  std::string need_string(const char* what);
  std::vector<unsigned char> need_bytes();
  // A number and a unit: "10 us".
  Ps need_time();
  // Functions and the variables of `known` may occur.
  Expression need_expression(const std::set<std::string>& known);
  Expression need_register(const std::set<std::string>& known);
  void need_end() const;
  [[noreturn]] void fail(const std::string& reason) const;

 private:
  void tokenize(const std::string& text);
  Expression binary(unsigned level, const std::set<std::string>& known);
  Expression primary(const std::set<std::string>& known);

  std::string file_;
  std::uint64_t line_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
};

}  // namespace svasim
