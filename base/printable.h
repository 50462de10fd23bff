// Text of unknown origin, for messages.
#pragma once

#include <string>
#include <string_view>

namespace svasim {

// A byte as \xNN.
std::string escaped(char byte);

// Bytes that are not printable ASCII become \xNN, a backslash \\; long text is cut, which "..." shows.
std::string printable(std::string_view text);

}  // namespace svasim
