// A set-associative cache of translations, or of anything found by (address space, page).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/bits.h"
#include "base/check.h"
#include "base/types.h"
#include "models/tlb/replacement.h"
#include "models/tlb/tlb_params.h"
#include "models/tlb/tlb_stats.h"

namespace svasim {

// Entries of several page sizes share one array; a look-up probes each size that is present.
// `space` names the address space as its user packs it (domain, PASID, stage, ...): entries of two
// spaces never answer for each other. Data is what the user keeps per entry; it is copied.
//
// No call allocates, except fills of an infinite cache. A pointer to an entry's data is valid until the next
// fill or invalidate.
template <typename Data>
class Tlb {
 public:
  // Largest page shift plus one: 57-bit address spaces have leaves of up to 2^48 bytes.
  static constexpr unsigned kShifts = 64;

  // Equal parts of the sets: a page lies in the part given by its space's bits from `shift` up.
  struct Partition {
    unsigned parts = 1;
    unsigned shift = 0;
  };

  Tlb(const TlbParams& params, std::uint64_t seed, std::string_view name)
      : Tlb(params, seed, name, Partition()) {}
  Tlb(const TlbParams& params, std::uint64_t seed, std::string_view name, Partition partition)
      : enabled_(params.enable),
        infinite_(params.infinite),
        ways_(infinite_          ? kInfinite
              : params.ways == 0 ? params.entries
                                 : params.ways),
        sets_(infinite_ ? 1 : params.entries / ways_),
        page_mask_(sets_ / partition.parts - 1),
        owner_mask_(partition.parts - 1),
        owner_shift_(partition.shift),
        rng_(seed, name),
        policy_(infinite_ ? std::make_unique<NoReplacement>()
                          : make_replacement(params.policy, ReplacementShape{sets_, ways_}, rng_)),
        keys_(infinite_ ? 0 : params.entries, 0),
        spaces_(keys_.size(), 0),
        data_(keys_.size()) {
    SVASIM_CHECK(is_power_of_two(sets_), "the number of sets is a power of two");
    SVASIM_CHECK(is_power_of_two(partition.parts) && partition.parts <= sets_, "parts of the sets");
  }

  Tlb(const Tlb&) = delete;
  Tlb& operator=(const Tlb&) = delete;

  // The entry that translates `address` in `space`, or nullptr. Counts a hit or a miss.
  Data* lookup(std::uint64_t space, Addr address) {
    const Place place = find(space, address);
    if (place.index == kNone) {
      stats_.misses.add();
      return nullptr;
    }
    stats_.hits.add();
    policy_->touch(place.set, static_cast<unsigned>(place.index - std::size_t{place.set} * ways_));
    return &data_[place.index];
  }

  // An entry that may be used without being looked up until it is dropped: every use is a hit and a
  // touch. `data` is nullptr when there is none.
  struct Held {
    Data* data = nullptr;
    Recency* recency = nullptr;
    unsigned set = 0;
    unsigned way = 0;
  };
  Held hold(std::uint64_t space, Addr address) {
    const Place place = find(space, address);
    if (place.index == kNone) {
      return {};
    }
    const auto way = static_cast<unsigned>(place.index - std::size_t{place.set} * ways_);
    return {&data_[place.index], policy_.get(), place.set, way};
  }

  // Hears of every entry that is dropped or replaced, also by a newer one of the same page.
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void dropped(Addr first, unsigned shift, const Data& data) = 0;
  };
  // It must outlive the last fill or invalidation.
  void set_listener(Listener* listener) { listener_ = listener; }

  // As lookup, but changes no replacement state and counts nothing.
  const Data* peek(std::uint64_t space, Addr address) const {
    const Place place = find(space, address);
    return place.index == kNone ? nullptr : &data_[place.index];
  }

  // Enters a translation of the page of size 2^shift that holds `address`; replaces an entry of
  // the same page and space. Does nothing when the cache is disabled.
  void fill(std::uint64_t space, Addr address, unsigned shift, const Data& data) {
    if (!enabled_) {
      return;
    }
    const std::uint64_t key = key_of(address, shift);
    if (infinite_) {
      return fill_infinite(space, key, shift, data);
    }
    const unsigned set = set_of(space, address, shift);
    const std::size_t first = std::size_t{set} * ways_;
    unsigned way = ways_;
    for (unsigned i = 0; i < ways_; ++i) {
      if (keys_[first + i] == key && spaces_[first + i] == space) {
        way = i;
        break;
      }
      if (keys_[first + i] == 0 && way == ways_) {
        way = i;
      }
    }
    stats_.fills.add();
    if (way == ways_) {
      way = make_room(set);
    } else if (keys_[first + way] != 0) {
      report_drop(first + way);
      data_[first + way] = data;
      policy_->touch(set, way);
      return;
    }
    keys_[first + way] = key;
    spaces_[first + way] = space;
    data_[first + way] = data;
    add_count(shift);
    policy_->name(set, way, {space, key & ~kShiftMask, shift});
    policy_->fill(set, way);
  }

  // Drops every entry for which match(space, first address, page shift, data) holds; returns how
  // many.
  template <typename Match>
  unsigned invalidate_if(Match match) {
    unsigned dropped = 0;
    if (valid_ == 0) {
      return 0;
    }
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      const std::uint64_t key = keys_[i];
      if (key != 0 &&
          match(spaces_[i], key & ~kShiftMask, static_cast<unsigned>(key & kShiftMask), data_[i])) {
        report_drop(i);
        drop_count(key);
        if (infinite_) {
          index_.erase({key, spaces_[i]});
          holes_.push_back(i);
        }
        keys_[i] = 0;
        policy_->invalidate(static_cast<unsigned>(i / ways_), static_cast<unsigned>(i % ways_));
        ++dropped;
      }
    }
    stats_.invalidations.add(dropped);
    return dropped;
  }

  unsigned invalidate_all() {
    return invalidate_if([](std::uint64_t, Addr, unsigned, const Data&) { return true; });
  }

  // For a policy that knows what comes.
  void set_future(const FutureUses* future) { policy_->set_future(future); }

  unsigned valid_entries() const { return valid_; }
  unsigned sets() const { return sets_; }
  unsigned ways() const { return ways_; }
  TlbStats& stats() { return stats_; }
  const TlbStats& stats() const { return stats_; }

 private:
  static constexpr std::size_t kNone = ~std::size_t{0};
  static constexpr std::uint64_t kShiftMask = 63;
  static constexpr unsigned kInfinite = 1U << 31;

  // Of an infinite cache.
  struct NoReplacement final : ReplacementPolicy {
    void touch(unsigned /*set*/, unsigned /*way*/) override {}
    void fill(unsigned /*set*/, unsigned /*way*/) override {}
    void invalidate(unsigned /*set*/, unsigned /*way*/) override {}
    unsigned victim(unsigned /*set*/) const override { return 0; }
  };
  struct Name {
    std::uint64_t key;
    std::uint64_t space;
    bool operator==(const Name& other) const { return key == other.key && space == other.space; }
  };
  struct NameHash {
    std::size_t operator()(const Name& name) const {
      return (name.key ^ (name.space * 0x9E3779B97F4A7C15ULL)) * 0xD6E8FEB86659FD93ULL >> 20U;
    }
  };

  // First address of the page with its shift in the low bits; 0 is no key, as no page has shift 0.
  static std::uint64_t key_of(Addr address, unsigned shift) { return ((address >> shift) << shift) | shift; }
  unsigned set_of(std::uint64_t space, Addr address, unsigned shift) const {
    const unsigned owner = static_cast<unsigned>(space >> owner_shift_) & owner_mask_;
    return owner * (page_mask_ + 1) + (static_cast<unsigned>(address >> shift) & page_mask_);
  }

  void report_drop(std::size_t index) {
    if (listener_ != nullptr) {
      listener_->dropped(keys_[index] & ~kShiftMask, static_cast<unsigned>(keys_[index] & kShiftMask),
                         data_[index]);
    }
  }

  // A free way of a set that has none.
  unsigned make_room(unsigned set) {
    if (policy_->clears()) {
      stats_.clears.add();
      stats_.evictions.add(valid_);
      for (std::size_t i = 0; i < keys_.size(); ++i) {
        if (keys_[i] != 0) {
          report_drop(i);
          drop_count(keys_[i]);
          keys_[i] = 0;
        }
      }
      return 0;
    }
    const unsigned way = policy_->victim(set);
    stats_.evictions.add();
    report_drop(std::size_t{set} * ways_ + way);
    drop_count(keys_[std::size_t{set} * ways_ + way]);
    return way;
  }

  void fill_infinite(std::uint64_t space, std::uint64_t key, unsigned shift, const Data& data) {
    stats_.fills.add();
    const auto [entry, is_new] = index_.try_emplace(Name{key, space}, keys_.size());
    if (!is_new) {
      report_drop(entry->second);
      data_[entry->second] = data;
      return;
    }
    if (holes_.empty()) {
      keys_.push_back(key);
      spaces_.push_back(space);
      data_.push_back(data);
    } else {
      const std::size_t i = entry->second = holes_.back();
      holes_.pop_back();
      keys_[i] = key;
      spaces_[i] = space;
      data_[i] = data;
    }
    add_count(shift);
  }

  struct Place {
    std::size_t index;  // kNone: not there
    unsigned set;
  };
  Place find(std::uint64_t space, Addr address) const {
    for (std::uint64_t left = shifts_present_; left != 0; left &= left - 1) {
      const auto shift = static_cast<unsigned>(__builtin_ctzll(left));
      const std::uint64_t key = key_of(address, shift);
      if (infinite_) {
        const auto entry = index_.find({key, space});
        if (entry != index_.end()) {
          return {entry->second, 0};
        }
        continue;
      }
      const unsigned set = set_of(space, address, shift);
      const std::size_t first = std::size_t{set} * ways_;
      for (std::size_t i = first; i < first + ways_; ++i) {
        if (keys_[i] == key && spaces_[i] == space) {
          return {i, set};
        }
      }
    }
    return {kNone, 0};
  }

  void add_count(unsigned shift) {
    ++valid_;
    ++count_[shift];
    shifts_present_ |= std::uint64_t{1} << shift;
  }
  void drop_count(std::uint64_t key) {
    const auto shift = static_cast<unsigned>(key & kShiftMask);
    --valid_;
    if (--count_[shift] == 0) {
      shifts_present_ &= ~(std::uint64_t{1} << shift);
    }
  }

  bool enabled_;
  bool infinite_;
  unsigned ways_;
  unsigned sets_;
  unsigned page_mask_;  // of the sets of one part
  unsigned owner_mask_;
  unsigned owner_shift_;
  Listener* listener_ = nullptr;
  RngStream rng_;
  std::unique_ptr<ReplacementPolicy> policy_;
  std::vector<std::uint64_t> keys_;
  std::vector<std::uint64_t> spaces_;
  std::vector<Data> data_;
  // Infinite: where an entry is, and which places are empty.
  std::unordered_map<Name, std::size_t, NameHash> index_;
  std::vector<std::size_t> holes_;
  std::array<unsigned, kShifts> count_{};
  std::uint64_t shifts_present_ = 0;
  unsigned valid_ = 0;
  TlbStats stats_;
};

}  // namespace svasim
