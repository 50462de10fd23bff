#include "base/types.h"

#include <cstdio>

namespace svasim {

std::string to_string(RequesterId id) {
  char text[16];
  std::snprintf(text, sizeof(text), "%02x:%02x.%x", id.bus(), id.devfn() >> 3U, id.devfn() & 7U);
  return text;
}

bool parse_bdf(const std::string& text, RequesterId& id) {
  unsigned bus = 0;
  unsigned device = 0;
  unsigned function = 0;
  int used = 0;
  if (std::sscanf(text.c_str(), "%2x:%2x.%1x%n", &bus, &device, &function, &used) != 3 ||
      static_cast<std::size_t>(used) != text.size() || device > 31 || function > 7) {
    return false;
  }
  id = RequesterId::from_bdf(bus, device, function);
  return true;
}

}  // namespace svasim
