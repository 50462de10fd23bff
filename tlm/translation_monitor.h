// Who wants to know of every use of a translation, and what it is told.
#pragma once

#include <cstdint>

#include "base/types.h"

namespace svasim {

// Where a translation that is used came from: a page walk for this request, the IOTLB, or an ATC, whose
// accesses leave as translated requests.
enum class TranslationOrigin : std::uint8_t { kWalk, kIotlb, kAtc };

// An access is about to go to a physical address that was translated. The use is the moment at which the
// address is put into the access for good: from then on the access is under way, and an invalidation waits
// for it.
struct TranslationUse {
  Ps time = 0;
  std::uint64_t number = 0;  // of the access, unique and deterministic for its user
  RequesterId requester;
  bool has_pasid = false;
  bool privileged = false;
  bool read = false;
  bool write = false;
  bool answer = false;  // no access: the IOMMU tells it to an ATC, with these rights
  TranslationOrigin origin = TranslationOrigin::kWalk;
  std::uint8_t page_shift = 0;
  Pasid pasid;
  Addr iova = 0;
  Addr last = 0;
  Addr address = 0;  // physical, of the first byte

  // For its user, to say which invalidations came later: how many invalidations had arrived when
  // translation, context entry and PASID-table entry were asked for; the space's name; when it was asked.
  std::uint64_t born = 0;
  std::uint64_t context_born = 0;
  std::uint64_t space_born = 0;
  std::uint64_t space = 0;
  Ps asked = 0;

  // Loose timing: things happen in the order of the calls. Else nobody can say what comes first within an
  // instant, and nobody is blamed for it.
  bool in_order = false;
  bool after(Ps other) const { return other < time || (in_order && other == time); }
};

// An invalidation after which a translation must no longer be used, as far as it has come.
struct CoveringInvalidation {
  Ps queued = kNever;  // software gave it to hardware (an ATC: it arrived)
  Ps done = kNever;    // it was reported complete

  bool exists() const { return queued != kNever; }
  bool done_before(const TranslationUse& use) const { return done != kNever && use.after(done); }
};

// Uses translations: an IOMMU, an ATC.
class TranslationUser {
 public:
  virtual ~TranslationUser() = default;
  // One that was complete before the use, if there is any; else the first that is not complete. An IOMMU
  // is also asked about uses of the ATCs behind it.
  virtual CoveringInvalidation covering(const TranslationUse& use) const = 0;
};

// Told of every use, in no particular order within an instant. It must change nothing a model can see.
class TranslationMonitor {
 public:
  virtual ~TranslationMonitor() = default;
  virtual void used(const TranslationUser& user, const TranslationUse& use) = 0;
};

}  // namespace svasim
