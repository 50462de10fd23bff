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
      std::memcpy(data, found->second.data() + within, part);
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

void Shadow::write(std::uint64_t offset, const unsigned char* data, std::size_t length) {
  while (length != 0) {
    const std::uint64_t page = offset >> kPageShift;
    const std::size_t within = offset & (kPageSize - 1);
    const std::size_t part = std::min<std::size_t>(length, kPageSize - within);
    auto found = pages_.find(page);
    if (found == pages_.end()) {
      found = pages_.emplace(page, Page{}).first;
      fill_initial(area_, area_.start + page * kPageSize, found->second.data());
    }
    std::memcpy(found->second.data() + within, data, part);
    offset += part;
    data += part;
    length -= part;
  }
}

std::uint64_t Shadow::compare(const ProcessMemory& space, std::uint64_t offset, std::uint64_t length) const {
  std::uint64_t wrong = 0;
  Page expected;
  Page found;
  while (length != 0) {
    const std::size_t part = std::min<std::uint64_t>(length, kPageSize - (offset & (kPageSize - 1)));
    read(offset, expected.data(), part);
    space.read(area_.start + offset, found.data(), part);
    if (std::memcmp(expected.data(), found.data(), part) != 0) {
      for (std::size_t i = 0; i < part; ++i) {
        wrong += expected[i] != found[i] ? 1 : 0;
      }
    }
    offset += part;
    length -= part;
  }
  return wrong;
}

}  // namespace svasim
