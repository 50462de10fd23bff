// The structures an IOMMU finds translations by: root table, context entries, PASID tables.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "models/formats/vtd_context.h"
#include "models/host/io_translation.h"
#include "models/host/page_allocator.h"
#include "models/host/physical_memory.h"

namespace svasim {

// Scalable mode. Edits memory and tells nobody. SPEC: [VTD 9]
class TranslationTables {
 public:
  TranslationTables(PhysicalMemory& memory, PageAllocator& pages);

  Addr root() const { return root_; }

  // ats: the device may send translation requests; page_requests: and ask for pages. `pasid_bits`: of the
  // IOMMU.
  void add_device(RequesterId device, bool ats, bool page_requests, unsigned pasid_bits);
  bool has_device(RequesterId device) const { return devices_.count(device) != 0; }
  // Whether it has a device TLB that has to be told.
  bool has_ats(RequesterId device) const { return devices_.at(device).ats; }
  void set_page_requests(RequesterId device, bool on);
  // Neither translation nor page requests any more.
  void take_ats(RequesterId device);

  // snoop: page walks snoop the CPUs' caches.
  void set(RequesterId device, Pasid pasid, const IoTranslation& translation, bool snoop);
  // What an entry says now; nullopt when it has P=0. For who walks the tables of another.
  std::optional<IoTranslation> get(RequesterId device, Pasid pasid);
  // Takes P and leaves the rest, which hardware may still be reading; `set` are bits to set with it.
  void take_present(RequesterId device, Pasid pasid, std::uint64_t set);
  void clear(RequesterId device, Pasid pasid);

 private:
  struct Device {
    bool ats = false;
    Addr context = 0;  // its context entry
    Addr directory = 0;
    std::map<std::uint32_t, Addr> tables;  // PASID tables by directory index
  };

  Addr zeroed_pages(std::uint64_t count);
  Addr entry(RequesterId device, Pasid pasid);
  void write(Addr entry, const Words<8>& words);

  PhysicalMemory& memory_;
  PageAllocator& pages_;
  Addr root_;
  std::map<RequesterId, Device> devices_;
};

}  // namespace svasim
