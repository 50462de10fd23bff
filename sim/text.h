// Numbers as people read them.
#pragma once

#include <cstdint>
#include <string>

namespace svasim {

// Three significant digits and a unit: "1.23 us". From picoseconds.
std::string show_time(double ps);
// "12.3 GB/s".
std::string show_rate(double bytes_per_second);
// "12.3 MB" (decimal).
std::string show_bytes(double bytes);
// "1,234,567".
std::string show_count(std::uint64_t count);

}  // namespace svasim
