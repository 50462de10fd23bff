// Fields of one line, separated by single spaces.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/line_reader.h"
#include "base/printable.h"
#include "base/types.h"

namespace svasim {

// Every take_* consumes one field and fails on the reader, with line and field name, when the
// field is missing or not what it should be.
class FieldScanner {
 public:
  FieldScanner(std::string_view line, const LineReader& reader) : rest_(line), reader_(reader) {}

  bool at_end() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }
  void end() const {
    if (!rest_.empty()) reader_.fail("unexpected text after the last field: '" + printable(rest_) + "'");
  }

  std::string_view take(const char* name) {
    if (rest_.empty()) reader_.fail(std::string("field '") + name + "' is missing");
    const std::size_t space = rest_.find(' ');
    const std::string_view field = rest_.substr(0, space);
    rest_ = space == std::string_view::npos ? std::string_view() : rest_.substr(space + 1);
    if (field.empty()) bad(name, field, "is empty");
    if (space != std::string_view::npos && rest_.empty()) reader_.fail("the line ends with a space");
    return field;
  }

  // The last field of the line; rest() becomes what stands before it.
  std::string_view take_last(const char* name) {
    if (rest_.empty()) reader_.fail(std::string("field '") + name + "' is missing");
    const std::size_t space = rest_.rfind(' ');
    const std::string_view field = space == std::string_view::npos ? rest_ : rest_.substr(space + 1);
    rest_ = space == std::string_view::npos ? std::string_view() : rest_.substr(0, space);
    if (field.empty()) reader_.fail("the line ends with a space");
    return field;
  }

  // Decimal, or hexadecimal with 0x.
  std::uint64_t number(const char* name, std::string_view field,
                       std::uint64_t maximum = ~std::uint64_t{0}) const {
    const bool hex = field.size() > 2 && field[0] == '0' && field[1] == 'x';
    const char* const first = field.data() + (hex ? 2 : 0);
    const char* const last = field.data() + field.size();
    std::uint64_t value = 0;
    const std::from_chars_result result = std::from_chars(first, last, value, hex ? 16 : 10);
    if (result.ec != std::errc() || result.ptr != last) bad(name, field, "is not a number");
    if (value > maximum) bad(name, field, "is too large");
    return value;
  }
  std::uint64_t take_number(const char* name, std::uint64_t maximum = ~std::uint64_t{0}) {
    return number(name, take(name), maximum);
  }

  RequesterId take_bdf(const char* name) {
    const std::string_view field = take(name);
    // bus:device.function in hexadecimal, as lspci prints it
    unsigned part[3] = {0, 0, 0};
    const char separator[3] = {':', '.', '\0'};
    const char* at = field.data();
    const char* const last = at + field.size();
    for (unsigned i = 0; i < 3; ++i) {
      const std::from_chars_result result = std::from_chars(at, last, part[i], 16);
      const bool stops_right =
          i == 2 ? result.ptr == last : result.ptr != last && *result.ptr == separator[i];
      if (result.ec != std::errc() || !stops_right) bad(name, field, "is not bus:device.function");
      at = result.ptr + 1;
    }
    if (part[0] > 0xFF || part[1] > 0x1F || part[2] > 7) bad(name, field, "is not bus:device.function");
    return RequesterId::from_bdf(part[0], part[1], part[2]);
  }

  // "-" for none. Returns whether there is one.
  bool take_pasid(const char* name, Pasid& pasid) {
    const std::string_view field = take(name);
    if (field == "-") return false;
    const std::uint64_t value = number(name, field);
    if (value > kMaxPasid) bad(name, field, "is wider than 20 bits");
    pasid = Pasid(static_cast<std::uint32_t>(value));
    return true;
  }

  [[noreturn]] void bad(const char* name, std::string_view field, const char* what) const {
    reader_.fail(std::string("field '") + name + "': '" + printable(field) + "' " + what);
  }

 private:
  std::string_view rest_;
  const LineReader& reader_;
};

}  // namespace svasim
