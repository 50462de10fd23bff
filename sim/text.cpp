#include "sim/text.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace svasim {
namespace {

template <std::size_t N>
std::string scaled(double value, const std::array<const char*, N>& units) {
  std::size_t unit = 0;
  while (unit + 1 < N && value >= 999.5) {
    value /= 1000;
    ++unit;
  }
  const int decimals = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return fmt::format("{:.{}f} {}", value, value == std::floor(value) && unit == 0 ? 0 : decimals,
                     units[unit]);
}

}  // namespace

std::string show_time(double ps) { return scaled(ps, std::array{"ps", "ns", "us", "ms", "s"}); }

std::string show_rate(double bytes_per_second) {
  return scaled(bytes_per_second, std::array{"B/s", "kB/s", "MB/s", "GB/s", "TB/s"});
}

std::string show_bytes(double bytes) { return scaled(bytes, std::array{"B", "kB", "MB", "GB", "TB"}); }

std::string show_count(std::uint64_t count) {
  std::string digits = std::to_string(count);
  for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, ",");
  return digits;
}

}  // namespace svasim
