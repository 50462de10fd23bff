// Random first-stage tables with everything a walk can meet, and random walks of them.
#pragma once

#include <set>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/rng.h"
#include "models/formats/x86_first_stage.h"
#include "models/reference/page_table_builder.h"

namespace svasim {

// Maps `pages` random pages of all sizes close enough together to share tables, then damages about
// `damage` of all entries on the way to them: rights, P, reserved bits, wild addresses.
class RandomTables {
 public:
  // `builder` builds in `memory`; pages lie below 2^host_width.
  RandomTables(MemoryView& memory, PageTableBuilder& builder, RngStream& rng, unsigned host_width)
      : memory_(memory), builder_(builder), rng_(rng), width_(host_width) {}

  void fill(unsigned pages, double damage) {
    for (unsigned i = 0; i < pages; ++i) {
      const Addr iova = any_iova();
      const unsigned shift = kShifts[rng_.below(3)];
      const Addr pa = rng_.below(std::uint64_t{1} << (width_ - shift)) << shift;
      LeafRights rights;
      rights.write = rng_.chance(0.7);
      rights.user = rng_.chance(0.8);
      rights.extra = rng_.next() & kHarmless;
      if (builder_.map(iova & ~((Addr{1} << shift) - 1), pa, shift, rights)) iovas_.push_back(iova);
    }
    // All places first: what is damaged may lead anywhere.
    std::set<std::pair<Addr, unsigned>> entries;
    for (const Addr iova : iovas_) {
      for (unsigned level = 1; level <= 4; ++level) {
        if (const Addr entry = builder_.entry_address(iova, level)) entries.emplace(entry, level);
      }
    }
    for (const auto& [entry, level] : entries) vary(entry, level, damage);
  }

  const std::vector<Addr>& iovas() const { return iovas_; }

  // An address near a mapping most of the time.
  Addr pick() {
    if (iovas_.empty() || rng_.chance(0.05)) return any_iova();
    if (rng_.chance(0.03)) return rng_.next();  // hardly ever canonical
    const Addr iova = iovas_[rng_.below(iovas_.size())];
    if (rng_.chance(0.02)) return iova ^ Addr { 1 } << (47 + rng_.below(17));  // nearly canonical
    return (iova & ~(kPageSize - 1)) | rng_.below(kPageSize);
  }

 private:
  static constexpr unsigned kShifts[] = {12, 21, 30};
  static constexpr std::uint64_t kHarmless =
      FirstStageEntry::A::kMask | FirstStageEntry::D::kMask | FirstStageEntry::G::kMask |
      FirstStageEntry::EA::kMask | FirstStageEntry::PWT::kMask | FirstStageEntry::PCD::kMask |
      FirstStageEntry::XD::kMask | Field<62, 52>::kMask | Bit<9>::kMask | Bit<11>::kMask;

  // Few values per index, so that walks share tables; both canonical halves.
  Addr any_iova() {
    Addr iova = (rng_.below(4) * 5) << 39 | (rng_.below(3) * 7) << 30 | (rng_.below(6) * 3) << 21 |
                rng_.below(8) << 12;
    if (rng_.chance(0.3)) iova |= 0xFFFF'8000'0000'0000;
    return iova | rng_.below(kPageSize);
  }

  void vary(Addr address, unsigned level, double damage) {
    std::uint64_t entry = 0;
    SVASIM_CHECK(memory_.read64(address, entry), "a table is not in memory");
    if (rng_.chance(0.3)) entry ^= rng_.next() & kHarmless;
    // The higher an entry, the more mappings it spoils.
    if (rng_.chance(damage / level)) {
      switch (rng_.below(6)) {
        case 0:
          entry &= ~FirstStageEntry::P::kMask;
          break;
        case 1:
          entry &= ~FirstStageEntry::RW::kMask;
          break;
        case 2:
          entry &= ~FirstStageEntry::US::kMask;
          break;
        case 3:
          entry |= std::uint64_t{1} << (12 + rng_.below(40));  // address, PAT or reserved
          break;
        case 4:
          entry ^= FirstStageEntry::PS::kMask;
          break;
        default:
          entry = rng_.next() | FirstStageEntry::P::kMask;
          break;
      }
    }
    memory_.write64(address, entry);
  }

  MemoryView& memory_;
  PageTableBuilder& builder_;
  RngStream& rng_;
  unsigned width_;
  std::vector<Addr> iovas_;
};

}  // namespace svasim
