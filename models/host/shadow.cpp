#include "models/host/shadow.h"

#include <algorithm>
#include <cstring>

namespace svasim {

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

void Shadow::forget(std::uint64_t offset, std::uint64_t length) {
  const auto last = pages_.lower_bound((offset + length) >> kPageShift);
  for (auto page = pages_.lower_bound(offset >> kPageShift); page != last; page = pages_.erase(page)) {
    free_.push_back(page->second);
  }
}

void Shadow::write(std::uint64_t offset, const unsigned char* data, std::size_t length) {
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

std::uint64_t Shadow::compare(const ProcessMemory& space, std::uint64_t offset, std::uint64_t length) const {
  std::uint64_t wrong = 0;
  Page initial;
  Page found;
  while (length != 0) {
    const std::size_t within = offset & (kPageSize - 1);
    const std::size_t part = std::min<std::uint64_t>(length, kPageSize - within);
    const auto written = pages_.find(offset >> kPageShift);
    if (written == pages_.end()) {
      fill_initial(area_, area_.start + (offset - within), initial.data());
    }
    const unsigned char* const expected =
        (written == pages_.end() ? initial : store_[written->second]).data() + within;
    space.read(area_.start + offset, found.data(), part);
    if (std::memcmp(expected, found.data(), part) != 0) {
      for (std::size_t i = 0; i < part; ++i) wrong += expected[i] != found[i] ? 1 : 0;
    }
    offset += part;
    length -= part;
  }
  return wrong;
}

}  // namespace svasim
