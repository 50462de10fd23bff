// Random page tables and random addresses that have something to do with them.
#pragma once

#include <vector>

#include "base/rng.h"
#include "models/reference/page_table_builder.h"

namespace svasim::test {

// Where the pages of a random space lie.
struct RandomFrames {
  Addr first = 0;      // a multiple of 1 GiB
  unsigned bits = 34;  // frames lie in [first, first + 2^bits)
};

// Pages of all sizes in a few clusters, so that walks share tables at every level; rights and damage
// at random.
class RandomSpace {
 public:
  struct Page {
    Addr iova = 0;
    unsigned shift = 12;
  };

  RandomSpace(MemoryView& memory, TablePages& pages, TableStage stage, unsigned levels, RngStream& rng,
              const RandomFrames& frames)
      : table_(memory, nullptr, pages, stage, levels), stage_(stage), rng_(rng), frames_(frames) {
    const unsigned input_bits = 12 + 9 * levels;
    for (int i = 0; i < 4; ++i) {
      Addr base = rng_.next() & mask_between(input_bits - 1, 31);
      if (stage == TableStage::kFirst && (base >> (input_bits - 1)) != 0)
        base |= mask_between(63, input_bits);
      clusters_.push_back(base);
    }
  }

  PageTableBuilder& table() { return table_; }
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
      if (map(page)) pages_.push_back(page);
    }
  }

  // Maps the page, or maps it anew, with random frame and rights.
  bool map(const Page& page) {
    const Addr frame = frames_.first + (rng_.next() & mask_between(frames_.bits - 1, page.shift));
    return table_.map(page.iova, frame, page.shift, random_rights());
  }

  // Flips a bit that is not a frame or table address bit, in an entry on the way to some page. High
  // address bits count as damage: they are reserved, or lead out of the memory.
  // Returns the page whose walk changes, and others of its table's range with it.
  Page damage() {
    const Page page = random_page();
    const unsigned leaf = page.shift == 12 ? 1 : page.shift == 21 ? 2 : 3;
    const unsigned level = leaf + static_cast<unsigned>(rng_.below(table_.levels() - leaf + 1));
    static constexpr unsigned kBits[] = {0,  0,  1,  1,  2,  2,  5,  6,  7,  7,  8,  9, 10,
                                         11, 12, 13, 44, 45, 46, 51, 52, 60, 61, 62, 63};
    unsigned bit = kBits[rng_.below(sizeof(kBits) / sizeof(kBits[0]))];
    // Bits 12 and 13 address in all but large leaves.
    if ((bit == 12 || bit == 13) && (level != leaf || leaf == 1)) bit = 7;
    if (table_.entry(page.iova, level) != 0) {
      table_.set_entry(page.iova, level, table_.entry(page.iova, level) ^ (std::uint64_t{1} << bit));
    }
    return page;
  }

  // Takes R/W, U/S or R and W away from a table entry on the way to some page, or gives them back.
  Page change_upper_rights() {
    const Page page = random_page();
    const unsigned level = 2 + static_cast<unsigned>(rng_.below(table_.levels() - 1));
    const std::uint64_t entry = table_.entry(page.iova, level);
    if (entry != 0) {
      table_.set_entry(page.iova, level,
                       entry ^ (std::uint64_t{1} << (stage_ == TableStage::kFirst ? 1 : 0) << rng_.below(2)));
    }
    return page;
  }

  Page random_page() { return pages_.empty() ? Page{pick(clusters_), 12} : pick(pages_); }

  Addr random_address() {
    const Page page = random_page();
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
  LeafRights random_rights() {
    LeafRights rights;
    rights.read = rng_.below(4) != 0;
    rights.write = rng_.below(3) != 0;
    rights.user = rng_.below(8) != 0;
    if (stage_ == TableStage::kSecond && !rights.read && !rights.write) rights.read = true;
    // A and D as software may leave them, and bits it may use freely.
    const bool first = stage_ == TableStage::kFirst;
    rights.extra = rng_.next() & (first ? 0x7E00000000000A60U : 0x1FE0000000000700U);
    return rights;
  }

  PageTableBuilder table_;
  TableStage stage_;
  RngStream& rng_;
  RandomFrames frames_;
  std::vector<Addr> clusters_;
  std::vector<Page> pages_;
};

}  // namespace svasim::test
