// The translations an ATC keeps and what an invalidate request does to them. No SystemC in here.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "models/atc/atc_params.h"
#include "models/formats/ats_messages.h"
#include "models/tlb/tlb.h"
#include "tlm/pcie_protocol.h"
#include "tlm/translation_monitor.h"

namespace svasim {

// Whose addresses: with or without PASID, and the privilege the rights refer to.
struct AtsSpace {
  bool has_pasid = false;
  bool privileged = false;
  Pasid pasid;

  static AtsSpace of(const PcieExtension& pcie) {
    return AtsSpace{pcie.has_pasid, pcie.privileged, pcie.has_pasid ? pcie.pasid : Pasid()};
  }
  std::uint64_t key() const {
    return (std::uint64_t{pasid.value()} << 2U) | (std::uint64_t{has_pasid} << 1U) |
           std::uint64_t{privileged};
  }
  friend bool operator==(const AtsSpace& a, const AtsSpace& b) { return a.key() == b.key(); }
};

// One invalidate request. SPEC: [ATS 4.1]
struct AtcInvalidation {
  DecodedRange range;
  bool has_pasid = false;
  bool all_pasids = false;  // G with PASID: every PASID, global translations too
  Pasid pasid;
  bool drops_pasid = false;  // without PASID: translations with PASID go as well, at any address

  static AtcInvalidation of(std::uint64_t body, bool has_pasid, Pasid pasid, bool plain_drops_pasid) {
    AtcInvalidation invalidation;
    invalidation.range = decode_range(body);
    invalidation.has_pasid = has_pasid;
    invalidation.all_pasids = has_pasid && InvalidateRequestBody::G::get(body) != 0;
    invalidation.pasid = pasid;
    invalidation.drops_pasid = !has_pasid && plain_drops_pasid;
    return invalidation;
  }

  // Whether it hits the page of 2^shift bytes at `page` of that space.
  bool covers(const AtsSpace& space, Addr page, unsigned shift, bool global) const;
};

// Tells answers that were under way when an invalidation arrived. Remembers the last invalidations;
// what started before those counts as hit.
class InvalidationLog {
 public:
  void add(const AtcInvalidation& invalidation, Ps now) {
    recent_[next_++ % kRemembered] = {invalidation, now, kNever};
  }
  // The completion of the invalidation at this position leaves at `when`.
  void completed(std::uint64_t position, Ps when) {
    if (next_ - position <= kRemembered) recent_[position % kRemembered].done = when;
  }
  // Place in the sequence: of everything that starts now.
  std::uint64_t position() const { return next_; }
  // Everything under way counts as hit.
  void add_everything() { next_ += kRemembered + 1; }
  bool hit_since(std::uint64_t position, const AtsSpace& space, Addr page, unsigned shift, bool global) const;
  // What came since `use` was born and covers it: one that was done before it, else the first.
  // MODEL: of what came before the last invalidations that are remembered, nothing is known.
  CoveringInvalidation covering(const AtsSpace& space, const TranslationUse& use) const;

 private:
  struct Item {
    AtcInvalidation what;
    Ps arrived = 0;
    Ps done = kNever;
  };
  static constexpr std::size_t kRemembered = 64;
  std::array<Item, kRemembered> recent_{};
  std::uint64_t next_ = 0;
};

// A translation and when it was asked for: the time, and the position in the log.
struct AtcEntry : Translation {
  AtcEntry() = default;
  AtcEntry(const Translation& translation, std::uint64_t born_at, Ps asked_at)
      : Translation(translation), born(born_at), asked(asked_at) {}
  std::uint64_t born = 0;
  Ps asked = 0;
};

inline bool has_right(const Translation& translation, bool write) {
  return write ? translation.write : translation.read;
}

class AtcCache {
 public:
  AtcCache(const TlbParams& params, std::uint64_t seed, std::string_view name) : tlb_(params, seed, name) {}

  // The translation of the page that holds `address`, or nullptr; its rights may not suffice.
  const AtcEntry* find(const AtsSpace& space, Addr address);
  // As find, but changes and counts nothing.
  bool holds(const AtsSpace& space, Addr address) const;
  // Keeps a translation of the page that holds `address`. It has a right and U is not set.
  void fill(const AtsSpace& space, Addr address, const AtcEntry& translation);
  unsigned invalidate(const AtcInvalidation& invalidation);
  void clear() { tlb_.invalidate_all(); }

  const TlbStats& stats() const { return tlb_.stats(); }
  unsigned valid_entries() const { return tlb_.valid_entries(); }

 private:
  // Global translations answer for every PASID and so lie in a space of their own.
  static constexpr std::uint64_t kGlobal = std::uint64_t{1} << 40;
  static AtsSpace space_of(std::uint64_t key);

  Tlb<AtcEntry> tlb_;
  bool any_global_ = false;
};

}  // namespace svasim
