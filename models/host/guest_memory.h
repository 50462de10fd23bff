// A guest's physical memory: host pages behind the second stage of its domain.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "models/host/io_domain.h"
#include "models/host/page_allocator.h"
#include "models/host/physical_memory.h"

namespace svasim {

// All of it is allocated and mapped at the beginning and stays (pinned) unless the host takes pages away.
// MODEL: the guest's CPUs and its devices see one second stage; a CPU that touches a page taken away gets a
// new one of zeros at once, a device does not. SPEC: [LINUX drivers/vfio/vfio_iommu_type1.c] pins,
// [LINUX virt/kvm] faults.
class GuestMemory : public PhysicalMemory {
 public:
  // Behind what firmware uses; a multiple of 2 MiB.
  static constexpr Addr kBase = 0x20'0000;
  static constexpr std::uint64_t kHuge = std::uint64_t{1} << 21U;

  // huge: of pages of 2 MiB, and `size` is a multiple of that. ConfigError when the host has not that much.
  GuestMemory(IoDomain& domain, PhysicalMemory& host, PageAllocator& pages, std::uint64_t size, bool huge,
              const std::string& who);

  // Guest addresses. Where nothing is, bytes read as ones and writes are lost.
  void read(Addr address, void* data, std::size_t length) override;
  void write(Addr address, const void* data, std::size_t length) override;

  // The host's page behind a guest's; nullopt when it has been taken.
  std::optional<Addr> find(Addr page) const;
  // The page's second-stage entry goes, and the guest does not have it any more: devices have to be told
  // before the host's page, which is returned, is used again. nullopt: it is not there, or there is no memory
  // to split a large page.
  std::optional<Addr> take(Addr page);
  // Gives a page of zeros in place of one taken. False: the host has no memory.
  bool restore(Addr page);
  // Moves a page in two steps. The first takes it from devices only; when they have been told, the second
  // copies it to `target`, where everybody finds it then, and returns the old one.
  bool block(Addr page);
  Addr move(Addr page, Addr target);

  // Gives everything back to the host; devices are detached.
  void release();

 private:
  Addr& slot(Addr page) { return pages_[(page - kBase) >> kPageShift]; }
  bool contains(Addr address) const {
    return address >= kBase && ((address - kBase) >> kPageShift) < pages_.size();
  }
  // The host's address of a byte for a CPU; 0: there is none.
  Addr reach(Addr address);

  IoDomain& domain_;
  PhysicalMemory& host_;
  PageAllocator& allocator_;
  std::vector<Addr> pages_;  // by guest page; 0: taken
};

}  // namespace svasim
