#include "models/reference/memory_view.h"

namespace svasim {

bool PageMemory::read64(Addr address, std::uint64_t& value) const {
  const auto page = pages_.find(address / kPageSize);
  if (page == pages_.end()) return false;
  value = (*page->second)[(address % kPageSize) / 8];
  return true;
}

bool PageMemory::write64(Addr address, std::uint64_t value) {
  const auto page = pages_.find(address / kPageSize);
  if (page == pages_.end()) return false;
  (*page->second)[(address % kPageSize) / 8] = value;
  return true;
}

PageMemory::Page& PageMemory::add_page(Addr address) {
  std::unique_ptr<Page>& page = pages_[address / kPageSize];
  if (!page) page = std::make_unique<Page>();  // value-initialised: zeros
  return *page;
}

void PageMemory::remove_page(Addr address) { pages_.erase(address / kPageSize); }

}  // namespace svasim
