// What a buffer has to hold, kept apart from simulated memory.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "models/host/process_memory.h"

namespace svasim {

// Offsets count from the buffer's start. Pages never written have their first contents.
class Shadow {
 public:
  Shadow() = default;
  // area: the buffer's mapping.
  explicit Shadow(const Vma& area) : area_(area) {}

  void read(std::uint64_t offset, unsigned char* data, std::size_t length) const;
  void write(std::uint64_t offset, const unsigned char* data, std::size_t length);
  // The buffer is elsewhere now.
  void move_to(Addr start) { area_.end = start + (area_.end - area_.start), area_.start = start; }
  // What was written to these pages is gone.
  void forget(std::uint64_t offset, std::uint64_t length);
  bool is_written(std::uint64_t page) const { return pages_.count(page) != 0; }

  // Compares [offset, offset + length) with memory; returns the number of bytes that differ.
  std::uint64_t compare(const ProcessMemory& space, std::uint64_t offset, std::uint64_t length) const;

 private:
  using Page = std::array<unsigned char, kPageSize>;
  Page& page_to_write(std::uint64_t number, bool whole);

  Vma area_;
  std::map<std::uint64_t, std::size_t> pages_;  // by page number within the buffer: where in store_
  std::deque<Page> store_;
  std::vector<std::size_t> free_;  // of store_
};

}  // namespace svasim
