// "Did you mean": the known word nearest to an unknown one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace svasim {

// Insertions, deletions, replacements and swaps of neighbours that turn a into b.
unsigned edit_distance(std::string_view a, std::string_view b);

// " (did you mean 'x'?)" for the nearest known word if it is near enough to be a slip of the pen,
// otherwise " (known: a, b, c)"; empty when nothing is known.
std::string suggestion(std::string_view word, const std::vector<std::string>& known);

}  // namespace svasim
