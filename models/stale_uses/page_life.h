// Whose a physical page is, as the owner of memory knows it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "base/types.h"

namespace svasim {

// 0: the page is free; else how often it has been given out; nullopt: it is not one of those that are given
// out. A page that was freed and given out again has another life.
using PageLife = std::function<std::optional<std::uint64_t>(Addr page)>;

}  // namespace svasim
