#include "models/host/guest_memory.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace svasim {

GuestMemory::GuestMemory(IoDomain& domain, PhysicalMemory& host, PageAllocator& pages, std::uint64_t size,
                         bool huge, const std::string& who)
    : domain_(domain), host_(host), allocator_(pages) {
  const std::uint64_t step = huge ? kHuge : kPageSize;
  const std::string what = "the memory of guest " + who;
  for (std::uint64_t at = 0; at < size; at += step) {
    const Addr run = pages.needed(pages.allocate_contiguous(step >> kPageShift), what);
    for (std::uint64_t offset = 0; offset < step; offset += kPageSize) {
      host.zero_page(run + offset);
      pages_.push_back(run + offset);
    }
    if (domain.map(kBase + at, run, step, true) != Errno::kNone) pages.too_small(what);
  }
}

// --- the CPUs' accesses ---

Addr GuestMemory::reach(Addr address) {
  const Addr page = address & ~(kPageSize - 1);
  if (!contains(page) || (slot(page) == 0 && !restore(page))) return 0;
  return slot(page) | (address & (kPageSize - 1));
}

void GuestMemory::read(Addr address, void* data, std::size_t length) {
  auto* out = static_cast<unsigned char*>(data);
  while (length != 0) {
    const std::size_t part = std::min<std::size_t>(length, kPageSize - (address & (kPageSize - 1)));
    if (const Addr at = reach(address); at != 0) {
      host_.read(at, out, part);
    } else {
      std::memset(out, 0xFF, part);
    }
    address += part;
    out += part;
    length -= part;
  }
}

void GuestMemory::write(Addr address, const void* data, std::size_t length) {
  const auto* in = static_cast<const unsigned char*>(data);
  while (length != 0) {
    const std::size_t part = std::min<std::size_t>(length, kPageSize - (address & (kPageSize - 1)));
    if (const Addr at = reach(address); at != 0) host_.write(at, in, part);
    address += part;
    in += part;
    length -= part;
  }
}

// --- what the host does with pages ---

std::optional<Addr> GuestMemory::find(Addr page) const {
  if (!contains(page)) return std::nullopt;
  const Addr host = pages_[(page - kBase) >> kPageShift];
  return host == 0 ? std::nullopt : std::optional(host);
}

std::optional<Addr> GuestMemory::take(Addr page) {
  const auto host = find(page);
  if (!host.has_value() || !block(page)) return std::nullopt;
  slot(page) = 0;
  return host;
}

bool GuestMemory::restore(Addr page) {
  const auto host = allocator_.allocate();
  if (!host.has_value()) return false;
  host_.zero_page(*host);
  SVASIM_CHECK(domain_.map(page, *host, kPageSize, true) == Errno::kNone, "a guest's page is there twice");
  slot(page) = *host;
  return true;
}

bool GuestMemory::block(Addr page) {
  IoDomain::Removed removed;
  return domain_.unmap(page, kPageSize, removed);
}

Addr GuestMemory::move(Addr page, Addr target) {
  unsigned char bytes[kPageSize];
  const Addr old = slot(page);
  host_.read(old, bytes, sizeof bytes);
  host_.write(target, bytes, sizeof bytes);
  SVASIM_CHECK(domain_.map(page, target, kPageSize, true) == Errno::kNone, "a guest's page is there twice");
  slot(page) = target;
  return old;
}

void GuestMemory::release() {
  domain_.release();
  for (const Addr page : pages_) {
    if (page != 0) allocator_.free(page);
  }
  pages_.clear();
}

}  // namespace svasim
