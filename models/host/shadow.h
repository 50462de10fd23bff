// What a buffer has to hold, kept apart from simulated memory.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <vector>

#include "models/host/process_memory.h"

namespace svasim {

// Byte ranges as a set.
class ByteRanges {
 public:
  void add(std::uint64_t first, std::uint64_t end);
  void remove(std::uint64_t first, std::uint64_t end);
  void clear() { ranges_.clear(); }
  bool empty() const { return ranges_.empty(); }
  // What of [first, end) is in the set, in order; `inside`: or else what is not.
  void for_each(std::uint64_t first, std::uint64_t end, bool inside,
                const std::function<void(std::uint64_t from, std::uint64_t to)>& visit) const;

 private:
  std::map<std::uint64_t, std::uint64_t> ranges_;  // end by first; apart from each other
};

// Something under way that reads or writes bytes in its own time: a device operation, or a change of the
// mapping that devices have not been told of yet.
struct Flight {
  bool disturbed = false;  // nobody can say what it writes, or leaves
};

// Bytes are definite or not. Those never written have their first contents. While something under way writes
// bytes, they are indefinite; when it ends its owner says what they are. Two things under way that write the
// same bytes, or of which one reads what the other writes, are disturbed: their order is not known.
//
// Offsets count from the buffer's start. Memory that several buffers share, of a device, has one shadow.
class Shadow {
 public:
  Shadow() = default;
  // area: the buffer's mapping.
  explicit Shadow(const Vma& area) : area_(area) {}

  // The bytes are definite from now on.
  void write(std::uint64_t offset, const unsigned char* data, std::size_t length);
  // They are indefinite.
  void blur(std::uint64_t offset, std::uint64_t length);
  // As `from` has them, for a copy.
  void copy(const Shadow& from, std::uint64_t from_offset, std::uint64_t offset, std::uint64_t length);
  // The bytes of those that are definite; others as they were once.
  void read(std::uint64_t offset, unsigned char* data, std::size_t length) const;

  // The buffer is mapped anew: first contents everywhere. What is under way stays so, disturbed.
  void map(const Vma& area);
  // The same for pages that are gone.
  void forget(std::uint64_t offset, std::uint64_t length);
  // What another one of these holds now, and may hold soon; nothing is under way.
  void inherit(const Shadow& parent);

  // `flight` stays where it is until it has left. heir: a child whose bytes become indefinite wherever
  // somebody writes here meanwhile.
  void enter(Flight& flight, std::uint64_t offset, std::uint64_t length, bool writes, Shadow* heir = nullptr);
  void leave(const Flight& flight);
  // Whether something under way writes any of these bytes.
  bool is_being_written(std::uint64_t offset, std::uint64_t length) const;

  // The first page from `page` on, below `end`, that was written to; `end` when there is none.
  std::uint64_t next_written(std::uint64_t page, std::uint64_t end) const;

  struct Comparison {
    std::uint64_t compared = 0;  // definite bytes
    std::uint64_t wrong = 0;
  };
  // With memory at `address`, where offset is.
  Comparison compare(const ProcessMemory& space, Addr address, std::uint64_t offset,
                     std::uint64_t length) const;

 private:
  using Page = std::array<unsigned char, kPageSize>;
  using Pages = std::map<std::uint64_t, std::size_t>;
  Page& page_to_write(std::uint64_t number, bool whole);
  void forget_pages(Pages::iterator page, Pages::iterator end);
  struct UnderWay {
    Flight* flight = nullptr;
    std::uint64_t first = 0;
    std::uint64_t end = 0;
    bool writes = false;
    Shadow* heir = nullptr;
    bool overlaps(std::uint64_t from, std::uint64_t to) const { return from < end && first < to; }
  };
  ByteRanges indefinite_now(std::uint64_t first, std::uint64_t end) const;

  Vma area_;
  Pages pages_;  // by page number within the buffer: where in store_
  std::deque<Page> store_;
  std::vector<std::size_t> free_;  // of store_
  ByteRanges indefinite_;
  std::vector<UnderWay> under_way_;
};

}  // namespace svasim
