#include "base/printable.h"

namespace svasim {

std::string printable(std::string_view text) {
  constexpr std::size_t kMost = 100;
  constexpr char kDigits[] = "0123456789abcdef";
  std::string shown;
  for (const char c : text.substr(0, kMost)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\\') {
      shown += "\\\\";
    } else if (byte >= 0x20 && byte < 0x7F) {
      shown += c;
    } else {
      shown += {'\\', 'x', kDigits[byte >> 4U], kDigits[byte & 0xFU]};
    }
  }
  if (text.size() > kMost) shown += "...";
  return shown;
}

}  // namespace svasim
