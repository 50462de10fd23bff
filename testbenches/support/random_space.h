// Random page tables and random addresses that have something to do with them.
#pragma once

#include <algorithm>
#include <functional>
#include <vector>

#include "base/rng.h"
#include "models/reference/page_table_builder.h"

namespace svasim::test {

// Where the pages of a random space lie.
struct RandomFrames {
  Addr first = 0;      // a multiple of 1 GiB
  unsigned bits = 34;  // frames lie in [first, first + 2^bits)
  // Or: any way to choose a frame of 2^shift bytes.
  std::function<Addr(unsigned shift)> choose{};
};

// Pages of all sizes in a few clusters, so that walks share tables at every level; rights and damage
// at random.
class RandomSpace {
 public:
  struct Page {
    Addr iova = 0;
    unsigned shift = 12;
  };

  // `most_bits`: of the addresses, where the tables could take wider ones.
  RandomSpace(MemoryView& memory, TablePages& pages, TableStage stage, unsigned levels, RngStream& rng,
              const RandomFrames& frames, unsigned most_bits = 64)
      : table_(memory, nullptr, pages, stage, levels), stage_(stage), rng_(rng), frames_(frames) {
    const unsigned input_bits = 12 + 9 * levels;
    for (int i = 0; i < 4; ++i) {
      Addr base = rng_.next() & mask_between(std::min(input_bits, most_bits) - 1, 31);
      // The first 4 GiB are left to others where that matters.
      if (most_bits != 64 && (base >> 32) == 0) base |= Addr{1} << 33;
      if (stage == TableStage::kFirst && (base >> (input_bits - 1)) != 0)
        base |= mask_between(63, input_bits);
      clusters_.push_back(base);
    }
  }

  static unsigned leaf_level_of(const Page& page) { return page.shift == 12 ? 1 : page.shift == 21 ? 2 : 3; }
  PageTableBuilder& table() { return table_; }
  // How much of it is damaged at a time, about.
  void set_most_damage(std::size_t count) { most_damage_ = count; }
  const std::vector<Page>& pages() const { return pages_; }

  // Maps up to `count` further pages; what does not fit beside the others is left out.
  void map_some(unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
      Page page;
      const Addr cluster = pick(clusters_);
      switch (rng_.below(8)) {
        case 0:
          page = {cluster + (Addr{1} << 30), 30};
          break;
        case 1:
        case 2:
          page = {cluster + ((8 + rng_.below(8)) << 21), 21};
          break;
        default:
          page = {cluster + (rng_.below(4) << 21) + (rng_.below(16) << 12), 12};
      }
      if (table_.leaf_level(page.iova) == 0 && map(page)) pages_.push_back(page);
    }
  }

  // Maps the page, or maps it anew, with random frame and rights.
  bool map(const Page& page) {
    const Addr frame = frames_.choose
                           ? frames_.choose(page.shift)
                           : frames_.first + (rng_.next() & mask_between(frames_.bits - 1, page.shift));
    return table_.map(page.iova, frame, page.shift, random_rights());
  }

  // An entry that was changed: that of `level` for `iova`.
  struct Touched {
    Addr iova = 0;
    unsigned level = 1;
  };

  // Flips a bit that is not a frame or table address bit, in an entry on the way to some page, or
  // flips one back. High address bits count as damage: they are reserved, or lead out of the memory.
  Touched damage() { return damage(busy_page()); }
  Touched damage(const Page& page) {
    if (damaged_.size() > most_damage_ && rng_.below(3) != 0) return heal();
    const unsigned leaf = leaf_level_of(page);
    const unsigned level = leaf + static_cast<unsigned>(rng_.below(table_.levels() - leaf + 1));
    static constexpr unsigned kBits[] = {0,  0,  1,  1,  2,  2,  5,  6,  7,  7,  8,  9,  10,
                                         11, 12, 13, 44, 44, 45, 46, 51, 52, 60, 61, 62, 63};
    unsigned bit = kBits[rng_.below(sizeof(kBits) / sizeof(kBits[0]))];
    // Bits 12 and 13 address in all but large leaves.
    if ((bit == 12 || bit == 13) && (level != leaf || leaf == 1)) bit = 7;
    // A table must not turn into a page that device writes reach, nor such a page into a table.
    const std::uint64_t entry = table_.entry(page.iova, level);
    if (bit == 7 && (level == leaf ? level > 1 : (entry & mask_between(20, 13)) == 0)) bit = 6;
    return flip({page.iova, level}, bit);
  }

  // Flips one bit on the way to a page, or flips some damage back.
  Touched toggle(const Page& page, unsigned level, unsigned bit) {
    if (damaged_.size() > most_damage_ && rng_.below(3) != 0) return heal();
    return flip({page.iova, level}, bit);
  }

  // For good: a table that is not in memory, and a reserved bit in a leaf, each on the way to some
  // 4-KiB page.
  void spoil() {
    spoil(2, Addr{1} << 44);
    spoil(1, Addr{1} << 51);
  }

  // Takes R/W, U/S or R and W away from a table entry on the way to some page, or flips some damage back.
  Touched change_upper_rights() {
    if (damaged_.size() > most_damage_ && rng_.below(3) != 0) return heal();
    const unsigned level = 2 + static_cast<unsigned>(rng_.below(table_.levels() - 1));
    return flip({busy_page().iova, level},
                (stage_ == TableStage::kFirst ? 1 : 0) + static_cast<unsigned>(rng_.below(2)));
  }

  // Unmaps some page, or maps it anew with another frame and other rights.
  Touched change_leaf() {
    const Page page = busy_page();
    if (rng_.below(3) == 0) {
      table_.unmap(page.iova);
    } else {
      map(page);
    }
    return {page.iova, leaf_level_of(page)};
  }

  Page random_page() { return pages_.empty() ? Page{pick(clusters_), 12} : pick(pages_); }
  // Mostly one of a few that change slowly, so that requests and changes meet.
  Page busy_page() {
    if (hot_.empty() || rng_.below(60) == 0) hot_ = {random_page(), random_page(), random_page()};
    return rng_.below(4) != 0 ? pick(hot_) : random_page();
  }

  Addr random_address() {
    Page page = busy_page();
    // Another one that shares upper tables with it.
    for (int i = 0; i < 8 && rng_.below(3) == 0; ++i) {
      const Page other = random_page();
      if ((other.iova ^ page.iova) >> 31 == 0) page = other;
    }
    const Addr offset = rng_.next() & ((Addr{1} << page.shift) - 1);
    switch (rng_.below(10)) {
      case 0:
        return pick(clusters_) + (rng_.next() & mask_between(31, 0));
      case 1:
        return (page.iova | offset) ^ (Addr{1} << (12 + rng_.below(52)));
      case 2:
        return rng_.below(4) == 0 ? rng_.next() : page.iova - 1;
      default:
        return page.iova | offset;
    }
  }

 private:
  template <typename T>
  const T& pick(const std::vector<T>& list) {
    return list[rng_.below(list.size())];
  }
  void spoil(unsigned level, std::uint64_t bit) {
    for (int i = 0; i < 100; ++i) {
      const Page page = random_page();
      if (page.shift != 12 || table_.leaf_level(page.iova) != 1) continue;
      table_.set_entry(page.iova, level, table_.entry(page.iova, level) | bit);
      return;
    }
  }
  Touched flip(const Touched& touched, unsigned bit) {
    const std::uint64_t entry = table_.entry(touched.iova, touched.level);
    if (entry != 0) {
      table_.set_entry(touched.iova, touched.level, entry ^ (std::uint64_t{1} << bit));
      damaged_.push_back({touched, bit});
    }
    return touched;
  }
  Touched heal() {
    const std::size_t number = rng_.below(damaged_.size());
    const Damage found = damaged_[number];
    damaged_.erase(damaged_.begin() + static_cast<std::ptrdiff_t>(number));
    const std::uint64_t entry = table_.entry(found.where.iova, found.where.level);
    if (entry != 0) {
      table_.set_entry(found.where.iova, found.where.level, entry ^ (std::uint64_t{1} << found.bit));
    }
    return found.where;
  }
  LeafRights random_rights() {
    LeafRights rights;
    rights.read = rng_.below(4) != 0;
    rights.write = rng_.below(3) != 0;
    rights.user = rng_.below(8) != 0;
    if (stage_ == TableStage::kSecond && !rights.read && !rights.write) rights.read = true;
    // A, D and SNP as software may leave them, and bits it may use freely.
    const bool first = stage_ == TableStage::kFirst;
    rights.extra = rng_.next() & (first ? 0x7E00000000000A60U : 0x1FE0000000000F00U);
    return rights;
  }

  PageTableBuilder table_;
  TableStage stage_;
  RngStream& rng_;
  RandomFrames frames_;
  std::vector<Addr> clusters_;
  std::vector<Page> pages_;
  std::vector<Page> hot_;
  struct Damage {
    Touched where;
    unsigned bit;
  };
  std::vector<Damage> damaged_;
  std::size_t most_damage_ = 4;
};

}  // namespace svasim::test
