// A random nested space: guest memory with a second stage, and first stages whose tables lie in it.
#pragma once

#include <optional>
#include <unordered_map>

#include "support/random_space.h"

namespace svasim::test {

// Guest-physical memory as far as first-stage tables lie in it: pages of host memory at other addresses.
class GuestTables : public MemoryView {
 public:
  explicit GuestTables(MemoryView& host) : host_(host) {}

  void add(Addr guest_page, Addr host_page) { pages_[guest_page / kPageSize] = host_page; }
  Addr host_page(Addr guest_page) const { return pages_.at(guest_page / kPageSize); }
  bool read64(Addr address, std::uint64_t& value) const override {
    const auto page = pages_.find(address / kPageSize);
    return page != pages_.end() && host_.read64(page->second + address % kPageSize, value);
  }
  bool write64(Addr address, std::uint64_t value) override {
    const auto page = pages_.find(address / kPageSize);
    return page != pages_.end() && host_.write64(page->second + address % kPageSize, value);
  }

 private:
  MemoryView& host_;
  std::unordered_map<Addr, Addr> pages_;
};

// Guest memory: random pages of all sizes for data, and one place for tables under each page size.
class RandomGuest {
 public:
  static constexpr Addr kSmall = Addr{1} << 30;  // tables under 4-KiB pages
  static constexpr Addr kMedium = Addr{2} << 30;
  static constexpr Addr kLarge = Addr{3} << 30;

  RandomGuest(MemoryView& host, TablePages& pages, unsigned levels, RngStream& rng,
              const RandomFrames& frames, unsigned address_bits)
      : rng_(rng),
        host_(host),
        host_pages_(pages),
        second_(host, pages, TableStage::kSecond, levels, rng, frames, address_bits),
        view_(host) {
    second_.map_some(60);
    second_.set_most_damage(0);
  }

  RandomSpace& second() { return second_; }
  MemoryView& view() { return view_; }
  const std::vector<RandomSpace::Page>& homes() const { return homes_; }

  // Guest pages for the tables of one first stage, under second-stage pages of all sizes, in disorder.
  TablePages table_pages(unsigned count) {
    TablePages guest_pages(0, 0);
    for (unsigned i = 0; i < count; ++i) {
      const Addr host = host_pages_.allocate();
      for (Addr word = host; word < host + kPageSize; word += 8) host_.write64(word, 0);
      Addr guest = 0;
      unsigned shift = 12;
      switch (rng_.below(8)) {
        case 0:
          guest = kLarge | host;
          shift = 30;
          break;
        case 1:
        case 2:
          guest = kMedium | host;
          shift = 21;
          break;
        default:
          guest = kSmall + (next_small_++ << 12);
      }
      const Addr offset = (Addr{1} << shift) - 1;
      // One second-stage page may hold several tables.
      if (second_.table().leaf_level(guest) == 0) {
        LeafRights rights;
        rights.extra = rng_.next() & 0x300;  // A, D
        SVASIM_CHECK(second_.table().map(guest & ~offset, host & ~offset, shift, rights),
                     "a place for tables");
        homes_.push_back({guest & ~offset, shift});
      }
      view_.add(guest, host);
      guest_pages.release(guest);
    }
    return guest_pages;
  }

  // A frame for a first-stage page: in a second-stage page, or around one.
  Addr frame(unsigned shift) {
    RandomSpace::Page page = second_.random_page();
    for (int i = 0; i < 3 && second_.table().leaf_level(page.iova) == 0; ++i) page = second_.random_page();
    const Addr inside = page.shift > shift ? rng_.next() & mask_between(page.shift - 1, shift) : 0;
    // Some lie further up than guest memory reaches.
    const Addr beyond = rng_.below(40) == 0 ? Addr{1} << 45 : 0;
    return (page.iova >> shift << shift) | inside | beyond;
  }

  // An address in [first, first + 2^shift), of a page if there is one.
  Addr address_in(Addr first, unsigned shift) {
    for (int i = 0; i < 60; ++i) {
      const RandomSpace::Page page = second_.random_page();
      if (page.shift < shift && (page.iova ^ first) >> shift == 0 &&
          second_.table().leaf_level(page.iova) != 0) {
        return page.iova | (rng_.next() & ((Addr{1} << page.shift) - 1));
      }
    }
    return first | (rng_.next() & ((Addr{1} << shift) - 1));
  }

  // A bit in the second stage on the way to tables is flipped, or flipped back. `top`: prefer this table.
  RandomSpace::Touched damage_home(Addr top) {
    RandomSpace::Page home = homes_[rng_.below(homes_.size())];
    if (rng_.below(3) == 0) {
      for (const RandomSpace::Page& page : homes_) {
        if ((page.iova ^ top) >> page.shift == 0) home = page;
      }
    }
    // Mostly R or W of the leaf.
    if (rng_.below(3) == 0) return second_.damage(home);
    return second_.toggle(home, RandomSpace::leaf_level_of(home), static_cast<unsigned>(rng_.below(2)));
  }

  // A table under a 4-KiB page goes to another place in host memory.
  std::optional<RandomSpace::Touched> move_home() {
    const RandomSpace::Page home = homes_[rng_.below(homes_.size())];
    if (home.shift != 12 || second_.table().leaf_level(home.iova) != 1) return std::nullopt;
    const Addr old = view_.host_page(home.iova);
    const Addr host = host_pages_.allocate();
    for (Addr offset = 0; offset < kPageSize; offset += 8) {
      std::uint64_t value = 0;
      host_.read64(old + offset, value);
      host_.write64(host + offset, value);
    }
    LeafRights rights;
    rights.extra = rng_.next() & 0x300;
    if (!second_.table().map(home.iova, host, 12, rights)) return std::nullopt;
    view_.add(home.iova, host);
    left_.push_back(old);
    return RandomSpace::Touched{home.iova, 1};
  }
  // When nobody can be reading them any more.
  void reuse_left() {
    for (const Addr page : left_) host_pages_.release(page);
    left_.clear();
  }

 private:
  RngStream& rng_;
  MemoryView& host_;
  TablePages& host_pages_;
  RandomSpace second_;
  GuestTables view_;
  std::vector<RandomSpace::Page> homes_;
  std::vector<Addr> left_;
  Addr next_small_ = 0;
};

// A first stage over it.
class NestedSpace {
 public:
  NestedSpace(RandomGuest& guest, unsigned levels, RngStream& rng)
      : guest_(guest),
        rng_(rng),
        pages_(guest.table_pages(60)),
        first_(guest.view(), pages_, TableStage::kFirst, levels, rng,
               {0, 0, [&guest](unsigned shift) { return guest.frame(shift); }}) {
    first_.map_some(40);
    first_.set_most_damage(1);
  }

  RandomGuest& guest() { return guest_; }
  RandomSpace& first() { return first_; }

  // Mostly one that both stages map.
  Addr random_address() {
    Addr address = first_.random_address();
    for (int i = 0; i < 3 && first_.table().leaf_level(address) == 0; ++i) address = first_.random_address();
    const unsigned level = first_.table().leaf_level(address);
    if (level < 2 || rng_.below(4) == 0) return address;
    const unsigned shift = 3 + 9 * level;
    const Addr offset = (Addr{1} << shift) - 1;
    const Addr frame = first_.table().entry(address, level) & mask_between(51, shift);
    return (address & ~offset) | (guest_.address_in(frame, shift) & offset);
  }

  // Sets A, EA and D on the way to every page, in both stages, and so leaves little to be set.
  void mark_all() {
    mark(first_, 0x460);
    mark(guest_.second(), 0x300);
    for (const RandomSpace::Page& home : guest_.homes()) mark(guest_.second(), home, 0x300);
  }

 private:
  static void mark(RandomSpace& space, std::uint64_t bits) {
    for (const RandomSpace::Page& page : space.pages()) mark(space, page, bits);
  }
  static void mark(RandomSpace& space, const RandomSpace::Page& page, std::uint64_t bits) {
    PageTableBuilder& table = space.table();
    for (unsigned level = table.levels(); level >= RandomSpace::leaf_level_of(page); --level) {
      const std::uint64_t entry = table.entry(page.iova, level);
      if (entry != 0) table.set_entry(page.iova, level, entry | bits);
    }
  }

  RandomGuest& guest_;
  RngStream& rng_;
  TablePages pages_;
  RandomSpace first_;
};

}  // namespace svasim::test
