#include "base/printable.h"

#include <fmt/format.h>

namespace svasim {

std::string escaped(char byte) { return fmt::format("\\x{:02x}", static_cast<unsigned char>(byte)); }

std::string printable(std::string_view text) {
  constexpr std::size_t kMost = 100;
  std::string shown;
  for (const char c : text.substr(0, kMost)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\\') {
      shown += "\\\\";
    } else if (byte >= 0x20 && byte < 0x7F) {
      shown += c;
    } else {
      shown += escaped(c);
    }
  }
  if (text.size() > kMost) shown += "...";
  return shown;
}

}  // namespace svasim
