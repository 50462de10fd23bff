// Captured table images against what another program found in them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/trace_image.h"
#include "base/trace_mappings.h"

namespace svasim {

struct ImageCheck {
  std::uint64_t mappings = 0;      // leaves listed, each looked up at its first and its last byte
  std::uint64_t resolved = 0;      // led to the listed address with the listed page size
  std::vector<std::string> texts;  // the first that did not resolve
};

// Translates every listed mapping with the reference translator. Throws InputError.
ImageCheck check_image(const TableImage& image, MappingReader& mappings, const std::string& name);

}  // namespace svasim
