#include "models/host/shadow.h"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace svasim {

// --- ranges ---

void ByteRanges::add(std::uint64_t first, std::uint64_t end) {
  if (first >= end) {
    return;
  }
  auto at = ranges_.upper_bound(first);
  if (at != ranges_.begin() && std::prev(at)->second >= first) --at;
  while (at != ranges_.end() && at->first <= end) {
    first = std::min(first, at->first);
    end = std::max(end, at->second);
    at = ranges_.erase(at);
  }
  ranges_.emplace(first, end);
}

void ByteRanges::remove(std::uint64_t first, std::uint64_t end) {
  auto at = ranges_.upper_bound(first);
  if (at != ranges_.begin() && std::prev(at)->second > first) --at;
  while (at != ranges_.end() && at->first < end) {
    const auto [from, to] = *at;
    at = ranges_.erase(at);
    if (from < first) ranges_.emplace(from, first);
    if (to > end) ranges_.emplace(end, to);
  }
}

void ByteRanges::for_each(std::uint64_t first, std::uint64_t end, bool inside,
                          const std::function<void(std::uint64_t from, std::uint64_t to)>& visit) const {
  auto at = ranges_.upper_bound(first);
  if (at != ranges_.begin() && std::prev(at)->second > first) --at;
  for (; at != ranges_.end() && at->first < end; ++at) {
    const std::uint64_t from = std::max(first, at->first);
    const std::uint64_t to = std::min(end, at->second);
    if (inside) {
      visit(from, to);
    } else if (first < from) {
      visit(first, from);
    }
    first = to;
  }
  if (!inside && first < end) visit(first, end);
}

// --- contents ---

void Shadow::read(std::uint64_t offset, unsigned char* data, std::size_t length) const {
  while (length != 0) {
    const std::uint64_t page = offset >> kPageShift;
    const std::size_t within = offset & (kPageSize - 1);
    const std::size_t part = std::min<std::size_t>(length, kPageSize - within);
    if (const auto found = pages_.find(page); found != pages_.end()) {
      std::memcpy(data, store_[found->second].data() + within, part);
    } else {
      Page initial;
      fill_initial(area_, area_.start + page * kPageSize, initial.data());
      std::memcpy(data, initial.data() + within, part);
    }
    offset += part;
    data += part;
    length -= part;
  }
}

// With its first contents if it was never written, unless all of it will be.
Shadow::Page& Shadow::page_to_write(std::uint64_t number, bool whole) {
  const auto [place, added] = pages_.try_emplace(number, 0);
  if (added) {
    if (free_.empty()) {
      free_.push_back(store_.size());
      store_.emplace_back();
    }
    place->second = free_.back();
    free_.pop_back();
    if (!whole) fill_initial(area_, area_.start + number * kPageSize, store_[place->second].data());
  }
  return store_[place->second];
}

void Shadow::write(std::uint64_t offset, const unsigned char* data, std::size_t length) {
  if (!indefinite_.empty()) indefinite_.remove(offset, offset + length);
  while (length != 0) {
    const std::uint64_t page = offset >> kPageShift;
    const std::size_t within = offset & (kPageSize - 1);
    const std::size_t part = std::min<std::size_t>(length, kPageSize - within);
    std::memcpy(page_to_write(page, part == kPageSize).data() + within, data, part);
    offset += part;
    data += part;
    length -= part;
  }
}

void Shadow::blur(std::uint64_t offset, std::uint64_t length) { indefinite_.add(offset, offset + length); }

void Shadow::copy(const Shadow& from, std::uint64_t from_offset, std::uint64_t offset, std::uint64_t length) {
  std::vector<unsigned char> bytes(length);
  from.read(from_offset, bytes.data(), length);
  const ByteRanges unknown = from.indefinite_now(from_offset, from_offset + length);
  write(offset, bytes.data(), length);
  unknown.for_each(from_offset, from_offset + length, true, [&](std::uint64_t first, std::uint64_t end) {
    blur(first - from_offset + offset, end - first);
  });
}

void Shadow::map(const Vma& area) {
  area_ = area;
  forget_pages(pages_.begin(), pages_.end());
  indefinite_.clear();
  for (UnderWay& each : under_way_) each.flight->disturbed = true;
}

void Shadow::forget_pages(Pages::iterator page, Pages::iterator end) {
  for (; page != end; page = pages_.erase(page)) free_.push_back(page->second);
}

void Shadow::forget(std::uint64_t offset, std::uint64_t length) {
  forget_pages(pages_.lower_bound(offset >> kPageShift), pages_.lower_bound((offset + length) >> kPageShift));
  indefinite_.remove(offset, offset + length);
}

void Shadow::inherit(const Shadow& parent) {
  area_ = parent.area_;
  pages_ = parent.pages_;
  store_ = parent.store_;
  free_ = parent.free_;
  indefinite_ = parent.indefinite_;
  for (const UnderWay& each : parent.under_way_) {
    if (each.writes) indefinite_.add(each.first, each.end);
  }
}

// --- what is under way ---

void Shadow::enter(Flight& flight, std::uint64_t offset, std::uint64_t length, bool writes, Shadow* heir) {
  const std::uint64_t end = offset + length;
  for (const UnderWay& other : under_way_) {
    if (other.flight == &flight || !other.overlaps(offset, end)) continue;
    if (writes) other.flight->disturbed = true;
    if (other.writes) flight.disturbed = true;
    if (writes && other.heir != nullptr) other.heir->blur(offset, length);
  }
  under_way_.push_back({&flight, offset, end, writes, heir});
}

void Shadow::leave(const Flight& flight) {
  under_way_.erase(std::remove_if(under_way_.begin(), under_way_.end(),
                                  [&](const UnderWay& each) { return each.flight == &flight; }),
                   under_way_.end());
}

bool Shadow::is_being_written(std::uint64_t offset, std::uint64_t length) const {
  return std::any_of(under_way_.begin(), under_way_.end(), [&](const UnderWay& each) {
    return each.writes && each.overlaps(offset, offset + length);
  });
}

ByteRanges Shadow::indefinite_now(std::uint64_t first, std::uint64_t end) const {
  ByteRanges unknown;
  if (!indefinite_.empty()) {
    indefinite_.for_each(first, end, true,
                         [&](std::uint64_t from, std::uint64_t to) { unknown.add(from, to); });
  }
  for (const UnderWay& each : under_way_) {
    if (each.writes && each.overlaps(first, end)) unknown.add(each.first, each.end);
  }
  return unknown;
}

// --- comparison ---

std::uint64_t Shadow::next_written(std::uint64_t page, std::uint64_t end) const {
  const auto found = pages_.lower_bound(page);
  return found == pages_.end() ? end : std::min(end, found->first);
}

Shadow::Comparison Shadow::compare(const ProcessMemory& space, Addr address, std::uint64_t offset,
                                   std::uint64_t length) const {
  Comparison result;
  Page expected;
  Page found;
  const auto compare_range = [&](std::uint64_t at, std::uint64_t end) {
    result.compared += end - at;
    while (at < end) {
      const std::size_t part = std::min<std::uint64_t>(end - at, kPageSize - (at & (kPageSize - 1)));
      read(at, expected.data(), part);
      space.read(address + (at - offset), found.data(), part);
      if (std::memcmp(expected.data(), found.data(), part) != 0) {
        for (std::size_t i = 0; i < part; ++i) {
          result.wrong += expected[i] != found[i] ? 1 : 0;
        }
      }
      at += part;
    }
  };
  indefinite_now(offset, offset + length).for_each(offset, offset + length, false, compare_range);
  return result;
}

}  // namespace svasim
