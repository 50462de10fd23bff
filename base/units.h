// Quantities of configuration files: "10 ns", "4 KiB", "25 GB/s", "2 GHz", exact in integers.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/types.h"

namespace svasim {

enum class Quantity {
  kTime,       // picoseconds; ps, ns, us, ms, s
  kBytes,      // bytes; B, KiB, MiB, GiB, TiB
  kBandwidth,  // bytes per second; B/s, kB/s, MB/s, GB/s, TB/s (decimal), KiB/s, MiB/s, GiB/s
  kFrequency,  // hertz; Hz, kHz, MHz, GHz
};

// The text is not such a quantity; what() says why, which units exist and gives an example.
class UnitError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

// The quantity in its base unit (ps, bytes, bytes per second, hertz). Decimal fractions are allowed
// as long as the result is whole in the base unit. Throws UnitError.
std::uint64_t parse_quantity(Quantity kind, std::string_view text);

// The shortest exact text: parse_quantity(kind, format_quantity(kind, v)) == v.
std::string format_quantity(Quantity kind, std::uint64_t value);

// "ps", "bytes", "bytes/s", "Hz".
const char* base_unit(Quantity kind);
// "time", "size", "bandwidth", "frequency".
const char* quantity_name(Quantity kind);
// A regular expression that the texts of this kind match.
std::string quantity_pattern(Quantity kind);

inline Ps parse_time(std::string_view text) { return parse_quantity(Quantity::kTime, text); }
inline std::uint64_t parse_bytes(std::string_view text) { return parse_quantity(Quantity::kBytes, text); }
inline std::string format_time(Ps value) { return format_quantity(Quantity::kTime, value); }
inline std::string format_bytes(std::uint64_t value) { return format_quantity(Quantity::kBytes, value); }

// An unsigned number in decimal or, after 0x, hexadecimal; nothing else. False when it is not one or
// does not fit 64 bits.
bool parse_unsigned(std::string_view text, std::uint64_t& value);

}  // namespace svasim
