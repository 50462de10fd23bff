#include "base/units.h"

#include <array>
#include <charconv>
#include <limits>
#include <vector>

#include "base/check.h"

namespace svasim {
namespace {

struct Unit {
  const char* name;
  std::uint64_t scale;
};

struct Kind {
  const char* name;
  const char* base;
  const char* example;
  std::vector<Unit> units;  // accepted, smallest first
  std::size_t written;      // how many of them format_quantity uses
};

const Kind& kind_of(Quantity quantity) {
  static const std::array<Kind, 4> kinds{{
      {"time",
       "ps",
       "10 ns",
       {{"ps", 1}, {"ns", 1'000}, {"us", 1'000'000}, {"ms", 1'000'000'000}, {"s", 1'000'000'000'000}},
       5},
      {"size",
       "bytes",
       "4 KiB",
       {{"B", 1}, {"KiB", 1ULL << 10}, {"MiB", 1ULL << 20}, {"GiB", 1ULL << 30}, {"TiB", 1ULL << 40}},
       5},
      {"bandwidth",
       "bytes/s",
       "25 GB/s",
       {{"B/s", 1},
        {"kB/s", 1'000},
        {"MB/s", 1'000'000},
        {"GB/s", 1'000'000'000},
        {"TB/s", 1'000'000'000'000},
        {"KiB/s", 1ULL << 10},
        {"MiB/s", 1ULL << 20},
        {"GiB/s", 1ULL << 30}},
       5},
      {"frequency",
       "Hz",
       "2 GHz",
       {{"Hz", 1}, {"kHz", 1'000}, {"MHz", 1'000'000}, {"GHz", 1'000'000'000}},
       4},
  }};
  return kinds.at(static_cast<std::size_t>(quantity));
}

[[noreturn]] void fail(const Kind& kind, std::string_view text, const std::string& why) {
  std::string units;
  for (const Unit& unit : kind.units) {
    units += units.empty() ? "" : ", ";
    units += unit.name;
  }
  throw UnitError("'" + std::string(text) + "' is not a " + kind.name + ": " + why + "; write for example '" +
                  kind.example + "' (units: " + units + ")");
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string_view take_digits(std::string_view& text) {
  std::size_t n = 0;
  while (n < text.size() && is_digit(text[n])) ++n;
  const std::string_view digits = text.substr(0, n);
  text.remove_prefix(n);
  return digits;
}

std::uint64_t power_of_ten(std::size_t exponent) {
  std::uint64_t power = 1;
  while (exponent-- > 0) power *= 10;
  return power;
}

}  // namespace

std::uint64_t parse_quantity(Quantity quantity, std::string_view text) {
  using Wide = unsigned __int128;
  const Kind& kind = kind_of(quantity);
  std::string_view rest = trim(text);
  const std::string_view whole_digits = take_digits(rest);
  if (whole_digits.empty()) fail(kind, text, "it does not start with a number");
  std::string_view fraction_digits;
  if (!rest.empty() && rest.front() == '.') {
    rest.remove_prefix(1);
    fraction_digits = take_digits(rest);
    if (fraction_digits.empty()) fail(kind, text, "there are no digits after the point");
    while (!fraction_digits.empty() && fraction_digits.back() == '0') fraction_digits.remove_suffix(1);
  }
  const std::string_view unit_name = trim(rest);
  if (unit_name.empty()) fail(kind, text, "the unit is missing");
  const Unit* unit = nullptr;
  for (const Unit& candidate : kind.units) {
    if (unit_name == candidate.name) unit = &candidate;
  }
  if (unit == nullptr) fail(kind, text, "unknown unit '" + std::string(unit_name) + "'");

  std::uint64_t whole = 0;
  const auto parsed = std::from_chars(whole_digits.data(), whole_digits.data() + whole_digits.size(), whole);
  Wide value = static_cast<Wide>(whole) * unit->scale;
  if (!fraction_digits.empty()) {
    constexpr std::size_t kMostDigits = 18;
    std::uint64_t fraction = 0;
    const std::uint64_t divisor = power_of_ten(std::min(fraction_digits.size(), kMostDigits));
    std::from_chars(fraction_digits.data(), fraction_digits.data() + fraction_digits.size(), fraction);
    const Wide scaled = static_cast<Wide>(fraction) * unit->scale;
    if (fraction_digits.size() > kMostDigits || scaled % divisor != 0) {
      fail(kind, text, std::string("it is finer than one ") + kind.units.front().name);
    }
    value += scaled / divisor;
  }
  if (parsed.ec != std::errc() || value > std::numeric_limits<std::uint64_t>::max()) {
    fail(kind, text, "it does not fit 64 bits");
  }
  return static_cast<std::uint64_t>(value);
}

std::string format_quantity(Quantity quantity, std::uint64_t value) {
  const Kind& kind = kind_of(quantity);
  for (std::size_t i = kind.written; i-- > 0;) {
    const Unit& unit = kind.units[i];
    if (value < unit.scale) continue;
    const std::uint64_t rest = value % unit.scale;
    // Three decimals at most: a longer number reads better in the next smaller unit.
    const auto thousandths = static_cast<unsigned __int128>(rest) * 1000;
    if (thousandths % unit.scale != 0) continue;
    std::string text = std::to_string(value / unit.scale);
    if (rest != 0) {
      std::string decimals = std::to_string(static_cast<std::uint64_t>(thousandths / unit.scale) + 1000);
      decimals.front() = '.';
      while (decimals.back() == '0') decimals.pop_back();
      text += decimals;
    }
    return text + " " + unit.name;
  }
  return std::string("0 ") + kind.units.front().name;
}

const char* base_unit(Quantity kind) { return kind_of(kind).base; }

const char* quantity_name(Quantity kind) { return kind_of(kind).name; }

std::string quantity_pattern(Quantity quantity) {
  std::string units;
  for (const Unit& unit : kind_of(quantity).units) {
    units += units.empty() ? "" : "|";
    units += unit.name;
  }
  return "^ *[0-9]+(\\.[0-9]+)? *(" + units + ") *$";
}

bool parse_unsigned(std::string_view text, std::uint64_t& value) {
  int base = 10;
  if (text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
    base = 16;
    text.remove_prefix(2);
  }
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value, base);
  return result.ec == std::errc() && result.ptr == end;
}

}  // namespace svasim
