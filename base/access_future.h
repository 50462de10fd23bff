// What devices are going to access, for caches that may know.
#pragma once

#include <cstdint>

#include "base/types.h"

namespace svasim {

// Accesses are numbered in the order in which they leave.
class AccessFuture {
 public:
  static constexpr std::uint64_t kNever = ~std::uint64_t{0};
  virtual ~AccessFuture() = default;
  // Number of the access that left last.
  virtual std::uint64_t now() const = 0;
  // The first access after now() to this page of 2^shift bytes before an invalidation covers it, or
  // kNever. The owner of a page is its domain and, for a first stage, its PASID.
  virtual std::uint64_t next_use(RequesterId requester, DomainId domain, Pasid pasid, Addr page,
                                 unsigned shift) const = 0;
};

}  // namespace svasim
