// Texts that go into results have to be UTF-8.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace svasim {

// Where the first byte stands that no valid UTF-8 can have there; npos when there is none.
std::size_t first_not_utf8(std::string_view text);

inline bool is_utf8(std::string_view text) { return first_not_utf8(text) == std::string_view::npos; }

// The text with such bytes written as \xNN, for messages.
std::string printable_utf8(std::string_view text);

}  // namespace svasim
