// Direct access to memory by address of a device, and what it adds to the statistics of the modules it does
// not pass through. Loose timing only.
#pragma once

#include <array>
#include <memory>
#include <tlm>
#include <vector>

#include "base/recency.h"
#include "base/stats.h"
#include "tlm/sockets.h"
#include "tlm/time.h"
#include "tlm/transaction.h"

namespace svasim {

// Hears how often something was used that it named by `key`.
class UseListener {
 public:
  virtual ~UseListener() = default;
  virtual void used(std::uint64_t key, std::uint64_t times) = 0;
};

// An ignorable extension of the payload of get_direct_mem_ptr: every module on the way that says yes enters
// what one access like this payload would do there. What depends on the order of uses, the replacement state
// of a cache, happens at each use; the rest is counted in one number and settled before anybody can look.
class UseLedger : public tlm::tlm_extension<UseLedger> {
 public:
  void count(Counter& counter, std::uint64_t per_use = 1) { counts_.emplace_back(&counter, per_use); }
  void tell(UseListener& listener, std::uint64_t key) { listeners_.emplace_back(&listener, key); }
  // At most one cache.
  void touch(Recency& recency, unsigned set, unsigned way) {
    recency_ = &recency;
    set_ = set;
    way_ = way;
  }

  Recency* recency() const { return recency_; }
  unsigned set() const { return set_; }
  unsigned way() const { return way_; }

  // Adds `uses` uses.
  void settle(std::uint64_t uses) const;
  // Whether one use adds the same; the cache's entry may be another.
  bool adds_as(const UseLedger& other) const {
    return counts_ == other.counts_ && listeners_ == other.listeners_;
  }

  tlm::tlm_extension_base* clone() const override { return new UseLedger(*this); }
  void copy_from(const tlm::tlm_extension_base& other) override {
    *this = static_cast<const UseLedger&>(other);
  }

 private:
  std::vector<std::pair<Counter*, std::uint64_t>> counts_;
  std::vector<std::pair<UseListener*, std::uint64_t>> listeners_;
  Recency* recency_ = nullptr;
  unsigned set_ = 0;
  unsigned way_ = 0;
};

// Adds to the latency of the access that `dmi` is asked for.
inline void add_latency(tlm::tlm_dmi& dmi, const tlm::tlm_generic_payload& payload, Ps time) {
  if (payload.is_write()) {
    dmi.set_write_latency(dmi.get_write_latency() + to_sc(time));
  } else {
    dmi.set_read_latency(dmi.get_read_latency() + to_sc(time));
  }
}

// The pages a device may read, or write, without a call: for accesses that differ in nothing but their
// address. The device asks after an access that came back with the DMI hint, settles before it lets anybody
// else run or calls a socket, and passes invalidate_direct_mem_ptr on to revoke().
class DirectPages {
 public:
  // What the uses of some pages have in common.
  struct Path {
    UseLedger ledger;
    Attribution attribution;
    Ps latency = 0;
    std::uint64_t uses = 0;  // not settled
  };
  struct Page {
    Addr number = kNoPage;
    unsigned char* data = nullptr;
    Path* path = nullptr;
    Recency* recency = nullptr;
    unsigned set = 0;
    unsigned way = 0;

    // One access; where its first byte is.
    unsigned char* use(Addr address) {
      ++path->uses;
      if (recency != nullptr) {
        recency->touch(set, way);
      }
      return data + (address & (kPageSize - 1));
    }
  };

  // The page of this address; nullptr when it is not granted.
  Page* find(Addr address) {
    Page& page = page_of(address >> kPageShift);
    return page.number == address >> kPageShift ? &page : nullptr;
  }

  // Asks for the page of an access that was just answered.
  void ask(InitiatorSocket<PcieProtocol>& socket, Transaction& access);
  void revoke(Addr first, Addr last);

  // Settles all uses. complete(path, uses): the device's own statistics.
  template <typename Complete>
  void settle(Complete complete) {
    for (const std::unique_ptr<Path>& path : paths_) {
      if (path->uses != 0) {
        path->ledger.settle(path->uses);
        complete(*path, path->uses);
        path->uses = 0;
      }
    }
  }

 private:
  static constexpr Addr kNoPage = ~Addr{0};
  static constexpr unsigned kIndexBits = 10;
  // WHY a product: pages at a large stride have equal low bits.
  Page& page_of(Addr number) { return pages_[(number * 0x9E3779B97F4A7C15U) >> (64U - kIndexBits)]; }
  Path& path_of(const Path& path);

  std::array<Page, std::size_t{1} << kIndexBits> pages_{};  // another page in its place replaces one
  std::vector<std::unique_ptr<Path>> paths_;
};

}  // namespace svasim
