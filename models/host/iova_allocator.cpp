#include "models/host/iova_allocator.h"

#include <algorithm>

#include "base/check.h"

namespace svasim {

IovaAllocator::IovaAllocator(Addr limit) {
  if (limit > kLowest) free_.emplace(kLowest, limit);
}

std::optional<Addr> IovaAllocator::highest_fit(std::uint64_t bytes, Addr limit) const {
  std::uint64_t alignment = kPageSize;
  while (alignment < bytes) alignment *= 2;
  for (auto range = free_.rbegin(); range != free_.rend(); ++range) {
    const Addr end = std::min(range->second, limit);
    if (range->first >= end || end - range->first < bytes) continue;
    const Addr start = (end - bytes) & ~(alignment - 1);
    if (start >= range->first) return start;
  }
  return std::nullopt;
}

// [start, end) lies in one free range.
void IovaAllocator::take(Addr start, Addr end) {
  const auto range = std::prev(free_.upper_bound(start));
  const Addr behind = range->second;
  if (range->first == start) {
    free_.erase(range);
  } else {
    range->second = start;
  }
  if (end < behind) free_.emplace(end, behind);
}

void IovaAllocator::reserve(Addr start, Addr end) {
  auto range = free_.upper_bound(start);
  if (range != free_.begin()) --range;
  while (range != free_.end() && range->first < end) {
    const auto [first, last] = *range;
    ++range;
    if (std::max(first, start) < std::min(last, end)) take(std::max(first, start), std::min(last, end));
  }
}

std::optional<Addr> IovaAllocator::allocate(std::uint64_t bytes, Addr limit) {
  SVASIM_CHECK(bytes != 0 && bytes % kPageSize == 0, "I/O addresses are whole pages");
  const auto start = highest_fit(bytes, limit);
  if (!start.has_value()) return std::nullopt;
  take(*start, *start + bytes);
  live_.emplace(*start, bytes);
  used_ += bytes;
  return start;
}

void IovaAllocator::free(Addr start) {
  const auto found = live_.find(start);
  SVASIM_CHECK(found != live_.end(), "an I/O address is freed that is not in use");
  Addr end = start + found->second;
  used_ -= found->second;
  live_.erase(found);
  auto behind = free_.lower_bound(start);
  if (behind != free_.end() && behind->first == end) {
    end = behind->second;
    behind = free_.erase(behind);
  }
  if (behind != free_.begin() && std::prev(behind)->second == start) {
    std::prev(behind)->second = end;
  } else {
    free_.emplace(start, end);
  }
}

}  // namespace svasim
