// The IOTLB: one cache for all page sizes, or one per size.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/access_future.h"
#include "models/iommu/access_rights.h"
#include "models/iommu/address_space.h"
#include "models/iommu/iommu_params.h"
#include "models/tlb/tlb.h"

namespace svasim {

struct IotlbEntry {
  Addr page = 0;
  std::uint64_t born = 0;  // for StaleCheck
  PageRights rights;
  std::uint8_t shift = 0;
  bool snoop = false;       // SNP of a second-stage leaf
  bool prefetched = false;  // and not used yet
  bool granted = false;     // for direct access
};

// What an entry is found by besides its page: the tag of the address space in the low bits and, with
// tag = requester, the requester above.
class IotlbKey {
 public:
  static constexpr unsigned kRequesterShift = 48;

  IotlbKey(SpaceTag tag, RequesterId requester, std::uint64_t requester_mask)
      : bits_(tag.bits() | ((std::uint64_t{requester.value()} << kRequesterShift) & requester_mask)) {}
  explicit IotlbKey(std::uint64_t bits) : bits_(bits) {}
  std::uint64_t bits() const { return bits_; }
  SpaceTag tag() const { return SpaceTag(bits_ & ((std::uint64_t{1} << kRequesterShift) - 1)); }
  RequesterId requester() const { return RequesterId(static_cast<std::uint16_t>(bits_ >> kRequesterShift)); }

 private:
  std::uint64_t bits_;
};

// Hears that translations of these addresses, of any address space, may no longer be used without asking.
class GrantListener {
 public:
  virtual ~GrantListener() = default;
  virtual void revoke(Addr first, Addr last) = 0;
};

class Iotlb : private Tlb<IotlbEntry>::Listener {
 public:
  using Cache = Tlb<IotlbEntry>;

  Iotlb(const IommuParams& params, std::uint64_t seed, const std::string& name)
      : requester_mask_(params.iotlb.by_requester() ? ~std::uint64_t{0} : 0),
        split_(params.iotlb.split),
        perfect_(params.iotlb.perfect),
        pages_(params.iotlb, seed, name + ".iotlb", SpaceTag::partition<Cache>(params.iotlb)),
        large_(params.iotlb_2m, seed, name + ".iotlb_2m", SpaceTag::partition<Cache>(params.iotlb_2m)),
        huge_(params.iotlb_1g, seed, name + ".iotlb_1g", SpaceTag::partition<Cache>(params.iotlb_1g)) {}

  IotlbKey key(const AddressSpace& space, RequesterId requester) const {
    return {space.tag, requester, requester_mask_};
  }
  IotlbEntry* lookup(IotlbKey key, Addr iova) {
    return split_ || perfect_ ? lookup_special(key.bits(), iova) : pages_.lookup(key.bits(), iova);
  }
  // The entry that lookup() would find, without a trace, and where its hits are counted. None with a policy
  // that knows the future, which has to see every use.
  struct Held {
    Cache::Held entry;
    Counter* hits = nullptr;
  };
  Held hold(IotlbKey key, Addr iova) {
    if (perfect_ || future_ != nullptr) {
      return {};
    }
    for (Cache* cache : {&large_, &huge_, &pages_}) {
      if (const Cache::Held held = cache->hold(key.bits(), iova); held.data != nullptr) {
        return {held, &cache->stats().hits};
      }
    }
    return {};
  }
  // For entries that were granted.
  void set_listener(GrantListener& listener) {
    listener_ = &listener;
    for (Cache* cache : {&pages_, &large_, &huge_}) {
      cache->set_listener(this);
    }
  }

  bool perfect() const { return perfect_; }
  bool holds(IotlbKey key, Addr iova) const {
    return pages_.peek(key.bits(), iova) != nullptr ||
           (split_ && (large_.peek(key.bits(), iova) != nullptr || huge_.peek(key.bits(), iova) != nullptr));
  }
  void fill(IotlbKey key, Addr iova, const IotlbEntry& entry) {
    if (perfect_) return;
    Cache& cache = !split_ || entry.shift < kLargeShift ? pages_ : entry.shift < kHugeShift ? large_ : huge_;
    cache.fill(key.bits(), iova, entry.shift, entry);
  }
  template <typename Match>
  void invalidate_if(Match match) {
    pages_.invalidate_if(match);
    large_.invalidate_if(match);
    huge_.invalidate_if(match);
  }

  // `future` must outlive the IOTLB.
  void set_future(const AccessFuture& future) {
    future_ = std::make_unique<Future>(future);
    pages_.set_future(future_.get());
  }

  // The one for all sizes, or for 4-KiB pages.
  const Cache& pages() const { return pages_; }
  const Cache& large() const { return large_; }
  const Cache& huge() const { return huge_; }

 private:
  static constexpr unsigned kLargeShift = 21;
  static constexpr unsigned kHugeShift = 30;

  void dropped(Addr first, unsigned shift, const IotlbEntry& entry) override {
    if (entry.granted) {
      listener_->revoke(first, first + ((Addr{1} << shift) - 1));
    }
  }

  // A look-up that finds nothing counts as one miss, of the 4-KiB pages.
  IotlbEntry* lookup_special(std::uint64_t space, Addr iova) {
    if (perfect_) {
      pages_.stats().hits.add();
      return nullptr;
    }
    for (Cache* cache : {&large_, &huge_}) {
      if (cache->valid_entries() != 0 && cache->peek(space, iova) != nullptr) {
        return cache->lookup(space, iova);
      }
    }
    return pages_.lookup(space, iova);
  }

  struct Future final : FutureUses {
    explicit Future(const AccessFuture& future) : accesses(future) {}
    std::uint64_t now() const override { return accesses.now(); }
    std::uint64_t next_use(const PageName& page) const override {
      const IotlbKey key(page.space);
      const SpaceTag tag = key.tag();
      const Pasid pasid = has_first_stage(tag.kind()) ? tag.pasid() : Pasid();
      return accesses.next_use(key.requester(), tag.did(), pasid, page.first, page.shift);
    }
    const AccessFuture& accesses;
  };

  GrantListener* listener_ = nullptr;
  std::uint64_t requester_mask_;
  bool split_;
  bool perfect_;
  Cache pages_;
  Cache large_;
  Cache huge_;
  std::unique_ptr<Future> future_;
};

}  // namespace svasim
