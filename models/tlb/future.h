// What will be looked up, for a policy that knows it.
#pragma once

#include <cstdint>

#include "base/types.h"

namespace svasim {

// A page as a cache names it: the space as its user packs it, and the page.
struct PageName {
  std::uint64_t space = 0;
  Addr first = 0;
  unsigned shift = 0;
};

// Look-ups to come, numbered in their order.
class FutureUses {
 public:
  static constexpr std::uint64_t kNever = ~std::uint64_t{0};
  virtual ~FutureUses() = default;
  // Number of the look-up going on.
  virtual std::uint64_t now() const = 0;
  // The first one after now() that this page will answer, if it is kept; kNever when there is none, or
  // when an invalidation removes the page before.
  virtual std::uint64_t next_use(const PageName& page) const = 0;
};

}  // namespace svasim
