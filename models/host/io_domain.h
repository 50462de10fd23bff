// An I/O address space with page tables of its own, which devices are attached to.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "models/formats/page_table_format.h"
#include "models/host/address_span.h"
#include "models/host/errno.h"
#include "models/host/io_translation.h"
#include "models/host/iommu_driver.h"
#include "models/host/machine.h"
#include "models/host/page_table.h"

namespace svasim {

// Numbers of domains; 1 is that of all shared address spaces. SPEC: [VTD 6.2.3.1]
class DomainIds {
 public:
  // The lowest free one; there has to be one.
  DomainId allocate() {
    std::uint16_t id = kFirst;
    while (used_.count(id) != 0) ++id;
    used_.insert(id);
    return DomainId(id);
  }
  bool full() const { return used_.size() == kEnd - kFirst; }
  void free(DomainId id) { used_.erase(id.value()); }
  std::size_t used() const { return used_.size(); }

 private:
  static constexpr std::uint16_t kFirst = IoTranslation::kSharedDomain.value() + 1;
  static constexpr std::uint16_t kEnd = 0xFFFF;
  std::set<std::uint16_t> used_;
};

// Translated by a second stage that the kernel fills: what DMA mappings, guests and user-space drivers
// use. Entries change at once; who removes some tells the hardware by invalidate() before it reuses the
// pages. SPEC: [LINUX drivers/iommu/iommu.c iommu_map, iommu_unmap_fast]
class IoDomain {
 public:
  using Task = Machine::Task;
  // A device, and the driver of the IOMMU it is behind.
  struct Attachment {
    IommuDriver* iommu = nullptr;
    IoTarget target;
    bool nested = false;  // a guest's first stage lies over this one
    bool silenced = false;
  };
  struct Removed {
    AddressSpan span;
    std::vector<Addr> pages;  // physical, of 4 KiB
  };

  // format: a second stage; it has to outlive the domain.
  IoDomain(DomainId id, const PageTableFormat& format, PhysicalMemory& memory, PageAllocator& pages);

  DomainId id() const { return id_; }
  // What an entry for this domain says.
  IoTranslation translation() const;

  // Maps pages of 4 KiB, or of 2 MiB where addresses and length allow and the format has them. All
  // multiples of 4 KiB. kExists when something is mapped there, kNoMemory when there is none for tables;
  // nothing is mapped then.
  Errno map(Addr iova, Addr physical, std::uint64_t size, bool writable);
  // Removes what is mapped in [iova, iova + size); larger pages that stick out are split first. False: no
  // memory to do so, nothing is removed.
  bool unmap(Addr iova, std::uint64_t size, Removed& removed);
  // Where a byte lies; nullopt when nothing is mapped there.
  std::optional<Addr> find(Addr iova) const;
  std::uint64_t mapped_bytes() const { return mapped_; }

  // Translates the device's requests with this PASID (kNoPasid: without one) by the domain.
  void attach(IommuDriver& iommu, IoTarget target, Task done);
  // Puts a first stage of `levels` over it; `first` is the address of its top table in this domain.
  void attach_nested(IommuDriver& iommu, IoTarget target, Addr first, unsigned levels, Task done);
  // Has `to` translate what this one did.
  void replace(IoDomain& to, IoTarget target, Task done);
  // Its process has exited: translations go, its faults are not recorded any more; detach() follows.
  void silence(IoTarget target, Task done);
  // Afterwards no translation and no page request of it is left.
  void detach(IoTarget target, Task done);
  const std::vector<Attachment>& attachments() const { return attachments_; }

  // No cache of the attached devices has removed translations of the span when `done` runs.
  void invalidate(AddressSpan span, Task done);

  // Gives the tables back; nothing is attached any more.
  void release();

 private:
  Attachment& attachment_of(IoTarget target);
  Errno map_pages(Addr iova, Addr physical, std::uint64_t size, bool writable, std::uint64_t& mapped);

  DomainId id_;
  const PageTableFormat& format_;
  PageTable table_;
  std::vector<Attachment> attachments_;
  std::uint64_t mapped_ = 0;
};

}  // namespace svasim
