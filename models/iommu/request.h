// One request inside the IOMMU.
#pragma once

#include <cstdint>

#include "models/formats/vtd_faults.h"
#include "models/iommu/access_rights.h"
#include "models/iommu/address_space.h"
#include "models/iommu/fault_place.h"
#include "tlm/transaction.h"

namespace svasim {

// Where a request stands; what it waits for.
enum class RequestState : std::uint8_t {
  kFree,
  kLookup,       // being looked up
  kFetchQueue,   // for a structure fetch to become free
  kFetch,        // for a context or PASID entry
  kRelookup,     // for the IOTLB look-up behind a structure fetch
  kWalkQueue,    // for a walk to become free
  kWalk,         // for a walk
  kOrder,        // translated; for earlier writes of the same requester
  kMemory,       // for the memory's answer
  kPageRequest,  // for the page request queue
};

inline constexpr std::uint32_t kNoRequest = ~std::uint32_t{0};

struct Request {
  Transaction* payload = nullptr;
  std::uint64_t number = 0;  // in order of look-up
  Addr iova = 0;
  Addr last = 0;  // last byte of the access
  RequesterId requester;
  Pasid pasid;
  RequestKind kind = RequestKind::kUntranslated;
  AccessKind access;
  bool has_pasid = false;
  bool execute = false;
  RequestState state = RequestState::kFree;
  std::uint8_t port = 0;
  std::uint16_t device = 0;

  Ps missed = 0;  // when it missed the IOTLB

  // What is known so far. `space` points into a cache while the request is being looked up, to
  // `own_space` as soon as it has to wait.
  bool has_context = false;
  bool no_fill = false;  // its context is older than an invalidation: caches must not learn from it
  const AddressSpace* space = nullptr;
  ContextEntry own_context;
  AddressSpace own_space;

  // What the translation rests on: how many invalidations had taken effect when it, its context entry and
  // its address space were asked for.
  std::uint64_t born = 0;
  std::uint64_t context_born = 0;
  std::uint64_t space_born = 0;
  SpaceTag tag;

  // Outcome.
  FaultReason fault = FaultReason::kNone;
  FaultPlace place;      // of the fault, when there is one
  bool quiet = false;    // FPD
  bool crosses = false;  // the access runs past the end of its page
  bool found = false;    // the IOTLB had an entry, perhaps without the rights
  bool hit = false;      // and it was used
  bool snoop = false;
  std::uint8_t shift = 0;
  std::uint8_t entries = 0;  // of a translation completion, so far
  Addr page = 0;
  EffectiveRights rights;

  // Lists: requests in flight by number; writes of one requester; waiters of a fetch or walk.
  std::uint32_t older = kNoRequest;
  std::uint32_t younger = kNoRequest;
  std::uint32_t write_before = kNoRequest;
  std::uint32_t write_after = kNoRequest;
  std::uint32_t next_waiter = kNoRequest;
  bool in_write_order = false;

  void fail(FaultReason reason, const FaultPlace& where) {
    fault = reason;
    place = where;
  }
  void keep_space() {
    own_space = *space;
    space = &own_space;
  }
  Addr address() const { return page | (iova & ((Addr{1} << shift) - 1)); }
  bool is_write() const { return access.write; }
};

}  // namespace svasim
