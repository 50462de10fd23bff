// An I/O address space of iommufd: areas of user memory by I/O virtual address.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "models/host/address_span.h"
#include "models/host/errno.h"
#include "models/host/io_domain.h"
#include "models/host/user_pages.h"

namespace svasim {

// The areas are in the tables of every domain made of it. SPEC: [LINUX drivers/iommu/iommufd/io_pagetable.c]
class Ioas {
 public:
  using Task = Machine::Task;
  struct Area {
    std::uint64_t size = 0;
    bool writable = false;
    bool revoked = false;  // in no table any more; only its addresses are taken
    std::vector<UserPage> pages;
  };
  // Interrupt messages are written there. SPEC: [VTD 3.14]
  static constexpr AddressSpan kReserved{0xFEE0'0000, 0xFEF0'0000};

  // bits: width of its addresses.
  Ioas(UserPages& pages, IommufdStats& stats, unsigned bits)
      : pages_(pages), stats_(stats), end_(Addr{1} << bits) {}

  // What may be mapped, whether something is or not: SPEC: [LINUX IOMMU_IOAS_IOVA_RANGES].
  std::vector<AddressSpan> iova_ranges() const { return {{0, kReserved.start}, {kReserved.end, end_}}; }
  // The lowest free addresses of this size; kNoSpace when there are none.
  Errno allocate(std::uint64_t size, Addr& iova) const;
  // Whether an area may be put there: kInvalid, kOverflow, kExists.
  Errno check_fixed(Addr iova, std::uint64_t size) const;
  // Puts it into all domains. Checked before. kNoMemory: it is not mapped, the pages stay the caller's.
  Errno insert(Addr iova, Area area);

  // Removes all areas of [iova, iova + size), which has to have no part of one; kEverything: all there are.
  // `done` with the number of bytes when devices have forgotten them and the pages are unpinned. An error,
  // and `done` does not run: kNoEntry when it cuts an area, or there is none and not everything was meant.
  static constexpr std::uint64_t kEverything = ~std::uint64_t{0};
  Errno unmap(Addr iova, std::uint64_t size, std::function<void(std::uint64_t bytes)> done);

  // The memory [span) of a device goes: areas of it are taken out of all tables, and devices told if
  // `invalidate`.
  void revoke(AddressSpan physical, bool invalidate, const Task& done);

  // Fills a new domain. kNoMemory: it is not added, what was mapped is gone with its tables.
  Errno add_domain(IoDomain& domain);
  void remove_domain(IoDomain& domain);

  const std::map<Addr, Area>& areas() const { return areas_; }
  bool is_used() const { return !domains_.empty(); }

 private:
  static Errno fill(IoDomain& domain, Addr iova, const Area& area);
  // Out of all tables; nobody is told.
  void take(Addr iova, const Area& area);
  void invalidate(AddressSpan span, Task done);

  UserPages& pages_;
  IommufdStats& stats_;
  Addr end_;
  std::map<Addr, Area> areas_;  // by I/O virtual address
  std::vector<IoDomain*> domains_;
};

}  // namespace svasim
