#include "models/host/process_memory.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/rng.h"

namespace svasim {

void fill_initial(const Vma& vma, Addr page, unsigned char* data) {
  if (vma.content == Content::kZero) {
    std::memset(data, 0, kPageSize);
    return;
  }
  std::uint64_t state = vma.seed ^ ((page - vma.start) >> kPageShift) * 0xD6E8'FEB8'6659'FD93U;
  for (std::size_t i = 0; i < kPageSize; i += sizeof state) {
    const std::uint64_t word = split_mix64(state);
    std::memcpy(data + i, &word, sizeof word);
  }
}

Addr ProcessMemory::map(std::uint64_t size, const Vma& like, Addr address) {
  size = (size + kPageSize - 1) & ~(kPageSize - 1);
  if (address == 0) {
    address = next_area_;
  }
  Vma vma = like;
  vma.start = address;
  vma.end = address + size;
  const auto behind = areas_.lower_bound(vma.end);
  SVASIM_CHECK(behind == areas_.begin() || std::prev(behind)->second.end <= address, "areas overlap");
  areas_.emplace(address, vma);
  // One page stays free between areas, so that an access beyond an area finds none.
  next_area_ = std::max(next_area_, vma.end + kPageSize);
  return address;
}

std::vector<Addr> ProcessMemory::unmap(Addr start) {
  const auto found = areas_.find(start);
  SVASIM_CHECK(found != areas_.end(), "no area begins there");
  std::vector<Addr> pages;
  for (Addr page = start; page < found->second.end; page += kPageSize) {
    if (const auto leaf = table_.unmap(page); leaf.has_value()) {
      pages.push_back(leaf->page);
      --resident_;
    }
  }
  areas_.erase(found);
  return pages;
}

const Vma* ProcessMemory::find_area(Addr address) const {
  const auto behind = areas_.upper_bound(address);
  if (behind == areas_.begin()) {
    return nullptr;
  }
  const Vma& vma = std::prev(behind)->second;
  return vma.contains(address) ? &vma : nullptr;
}

FaultResult ProcessMemory::fault(Addr address, bool read, bool write) {
  const Vma* vma = find_area(address);
  if (vma == nullptr) {
    return FaultResult::kNoArea;
  }
  if ((read && !vma->read) || (write && !vma->write)) {
    return FaultResult::kNoRight;
  }
  const Addr va = address & ~(kPageSize - 1);
  if (table_.find(va).has_value()) {
    return FaultResult::kAlreadyMapped;
  }
  const auto page = pages_.allocate();
  if (!page.has_value()) {
    return FaultResult::kNoMemory;
  }
  unsigned char data[kPageSize];
  fill_initial(*vma, va, data);
  memory_.write(*page, data, sizeof data);
  if (!table_.map(va, *page, 1, vma->write, write)) {
    pages_.free(*page);
    return FaultResult::kNoMemory;
  }
  ++resident_;
  return FaultResult::kMapped;
}

void ProcessMemory::read(Addr address, void* data, std::size_t length) const {
  auto* out = static_cast<unsigned char*>(data);
  while (length != 0) {
    const Addr va = address & ~(kPageSize - 1);
    const std::size_t offset = address - va;
    const std::size_t part = std::min<std::size_t>(length, kPageSize - offset);
    if (const auto leaf = table_.find(va); leaf.has_value()) {
      memory_.read(leaf->page + (address & ((std::uint64_t{1} << leaf->shift) - 1)), out, part);
    } else {
      const Vma* vma = find_area(va);
      SVASIM_CHECK(vma != nullptr, "the CPU reads where nothing is mapped");
      unsigned char page[kPageSize];
      fill_initial(*vma, va, page);
      std::memcpy(out, page + offset, part);
    }
    address += part;
    out += part;
    length -= part;
  }
}

Addr ProcessMemory::translate(Addr address) const {
  const auto leaf = table_.find(address);
  SVASIM_CHECK(leaf.has_value(), "no page is at this address");
  return leaf->page + (address & ((std::uint64_t{1} << leaf->shift) - 1));
}

void ProcessMemory::write(Addr address, const void* data, std::size_t length) {
  const auto* in = static_cast<const unsigned char*>(data);
  while (length != 0) {
    const std::size_t offset = address & (kPageSize - 1);
    const std::size_t part = std::min<std::size_t>(length, kPageSize - offset);
    memory_.write(translate(address), in, part);
    address += part;
    in += part;
    length -= part;
  }
}

void ProcessMemory::release() {
  while (!areas_.empty()) {
    for (const Addr page : unmap(areas_.begin()->first)) {
      pages_.free(page);
    }
  }
  table_.release();
}

}  // namespace svasim
