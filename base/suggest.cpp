#include "base/suggest.h"

#include <algorithm>

namespace svasim {

unsigned edit_distance(std::string_view a, std::string_view b) {
  std::vector<unsigned> before(b.size() + 1);
  std::vector<unsigned> above(b.size() + 1);
  std::vector<unsigned> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = static_cast<unsigned>(j);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = static_cast<unsigned>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    before.swap(above);
    above.swap(row);
  }
  return above[b.size()];
}

std::string suggestion(std::string_view word, const std::vector<std::string>& known) {
  if (known.empty()) return "";
  std::vector<std::string> sorted = known;
  std::sort(sorted.begin(), sorted.end());
  const auto nearest = std::min_element(sorted.begin(), sorted.end(), [&](const auto& a, const auto& b) {
    return edit_distance(word, a) < edit_distance(word, b);
  });
  // A third of the letters may be wrong, and two in a short word's case would match anything.
  const std::size_t tolerance = std::max<std::size_t>(1, std::max(word.size(), nearest->size()) / 3);
  if (edit_distance(word, *nearest) <= tolerance) return " (did you mean '" + *nearest + "'?)";
  std::string list;
  for (const std::string& entry : sorted) {
    list += list.empty() ? "" : ", ";
    list += entry;
  }
  return " (known: " + list + ")";
}

}  // namespace svasim
