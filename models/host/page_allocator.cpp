#include "models/host/page_allocator.h"

#include <fmt/format.h>

#include "base/check.h"
#include "base/config.h"

namespace svasim {

void PageAllocator::refused() {
  log_.warn(0, "out of simulated memory", 1, [&] {
    return fmt::format(
        "out of simulated memory: of {} pages from {:#x} on {} are in use; what needs one more fails. Raise "
        "components.{}.memory_size, and the size of the memory behind it",
        (end_ - base_) >> kPageShift, base_, used_, owner_);
  });
}

void PageAllocator::too_small(const std::string& what) const {
  Problems problems;
  problems.add(
      Where(), "components." + owner_ + ".memory_size",
      fmt::format(
          "too small for {}: {} of {} pages are in use; raise it, and the size of the memory behind it", what,
          used_, (end_ - base_) >> kPageShift));
  throw ConfigError(problems);
}

void PageAllocator::mark(Addr page, bool used) {
  const std::size_t index = (page - base_) >> kPageShift;
  if (index >= in_use_.size()) {
    in_use_.resize(index + 1, false);
  }
  SVASIM_CHECK(in_use_[index] != used,
               used ? "a page was given out twice" : "a page was freed that is not in use");
  in_use_[index] = used;
  used_ += used ? 1 : ~std::uint64_t{0};
}

std::optional<Addr> PageAllocator::allocate() {
  Addr page = 0;
  if (!free_.empty()) {
    page = free_.back();
    free_.pop_back();
  } else if (next_ < end_) {
    page = next_;
    next_ += kPageSize;
  } else {
    refused();
    return std::nullopt;
  }
  mark(page, true);
  return page;
}

std::optional<Addr> PageAllocator::allocate_contiguous(std::uint64_t pages) {
  std::uint64_t size = kPageSize;
  while (size < pages * kPageSize) {
    size *= 2;
  }
  const Addr first = (next_ + size - 1) & ~(size - 1);
  if (first < next_ || first + pages * kPageSize > end_) {
    refused();
    return std::nullopt;
  }
  in_use_.resize((first - base_) >> kPageShift, false);
  while (next_ < first) {
    free_.push_back(next_);
    next_ += kPageSize;
  }
  for (std::uint64_t i = 0; i < pages; ++i, next_ += kPageSize) {
    mark(next_, true);
  }
  return first;
}

void PageAllocator::free(Addr page) {
  SVASIM_CHECK(page >= base_ && page < next_ && page % kPageSize == 0,
               "a page was freed that is not the allocator's");
  mark(page, false);
  free_.push_back(page);
}

}  // namespace svasim
