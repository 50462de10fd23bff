// Translations that may still be cached although they are gone from the tables: from an unmap to the
// end of its invalidation.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "base/types.h"
#include "models/formats/vtd_invalidation.h"
#include "models/traffic/replay_listing.h"

namespace svasim {

class UnmapWindows {
 public:
  struct Stale {
    TableLeaf leaf;
    bool read = false;
    bool write = false;
    TableStage stage = TableStage::kFirst;
  };

  void clear() { open_.clear(); }
  void open(DomainId domain, const Stale& stale);

  // Closes what this descriptor removes from the caches for certain. SPEC: [VTD 6.5.2]
  void close(const InvalidationDescriptor& descriptor);

  // What a request of the domain may still find at this address.
  void find(DomainId domain, Addr iova, std::vector<Stale>& found) const;
  bool contains(DomainId domain, const TableLeaf& leaf) const;
  std::size_t size() const;

 private:
  using ByAddress = std::multimap<Addr, Stale>;

  void close_pages(DomainId domain, Addr address, unsigned order, bool iotlb_descriptor);

  std::map<std::uint16_t, ByAddress> open_;  // by domain
};

}  // namespace svasim
