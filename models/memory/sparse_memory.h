// Contents of a memory of which only a small part is used. No SystemC.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "base/types.h"

namespace svasim {

// Pages of 4 KiB appear when they are first written; a page never written reads as zeros.
// Addresses count from 0; every access lies below size().
class SparseMemory {
 public:
  // size: bytes, a multiple of 4 KiB, at most 2^52.
  explicit SparseMemory(std::uint64_t size);

  std::uint64_t size() const { return size_; }
  bool contains(Addr address, std::uint64_t length) const {
    return length <= size_ && address <= size_ - length;
  }

  void read(Addr address, void* data, std::size_t length) const {
    auto* out = static_cast<unsigned char*>(data);
    while (length != 0) {
      const std::size_t offset = address & (kPageSize - 1);
      const std::size_t part = std::min<std::size_t>(length, kPageSize - offset);
      if (const unsigned char* page = find(address)) {
        copy(out, page + offset, part);
      } else {
        std::memset(out, 0, part);
      }
      address += part;
      out += part;
      length -= part;
    }
  }

  void write(Addr address, const void* data, std::size_t length) {
    const auto* in = static_cast<const unsigned char*>(data);
    while (length != 0) {
      const std::size_t offset = address & (kPageSize - 1);
      const std::size_t part = std::min<std::size_t>(length, kPageSize - offset);
      copy(make(address) + offset, in, part);
      address += part;
      in += part;
      length -= part;
    }
  }

  std::uint64_t read64(Addr address) const {
    std::uint64_t word = 0;
    read(address, &word, sizeof(word));
    return word;
  }
  void write64(Addr address, std::uint64_t word) { write(address, &word, sizeof(word)); }

  // Where the byte is on the machine that runs the simulation; nullptr when its page was never written.
  const unsigned char* host_address(Addr address) const {
    const unsigned char* page = address < size_ ? find(address) : nullptr;
    return page == nullptr ? nullptr : page + (address & (kPageSize - 1));
  }

  // The start of the page, to read and write; nullptr when it was never written. It stays where it is.
  unsigned char* host_page(Addr address) {
    const Block* block = address < size_ ? blocks_[address >> kBlockShift].get() : nullptr;
    return block == nullptr ? nullptr : (*block)[(address >> kPageShift) & (kBlockPages - 1)];
  }

  // Pages that were ever written.
  std::uint64_t pages() const { return pages_; }

  // A number that depends on the contents only, not on which zero pages were written.
  std::uint64_t digest() const;

 private:
  // WHY a case of its own: a cache line is the usual access, and a copy of known size is a few moves.
  static void copy(unsigned char* to, const unsigned char* from, std::size_t length) {
    if (length == 64) {
      std::memcpy(to, from, 64);
    } else {
      std::memcpy(to, from, length);
    }
  }

  static constexpr unsigned kBlockShift = 30;  // one block of page pointers per GiB
  static constexpr std::size_t kBlockPages = std::size_t{1} << (kBlockShift - kPageShift);
  using Block = std::array<unsigned char*, kBlockPages>;

  const unsigned char* find(Addr address) const {
    const Block* block = blocks_[address >> kBlockShift].get();
    return block == nullptr ? nullptr : (*block)[(address >> kPageShift) & (kBlockPages - 1)];
  }
  unsigned char* make(Addr address) {
    Block* block = blocks_[address >> kBlockShift].get();
    unsigned char* page = block == nullptr ? nullptr : (*block)[(address >> kPageShift) & (kBlockPages - 1)];
    return page != nullptr ? page : add_page(address);
  }
  unsigned char* add_page(Addr address);

  std::uint64_t size_;
  std::vector<std::unique_ptr<Block>> blocks_;
  // WHY chunks of this size and alignment: the machine that runs the simulation can then use large pages.
  static constexpr std::size_t kChunkPages = 512;
  static constexpr std::align_val_t kChunkAlignment{kChunkPages * kPageSize};
  struct FreeChunk {
    void operator()(unsigned char* chunk) const { ::operator delete(chunk, kChunkAlignment); }
  };
  std::vector<std::unique_ptr<unsigned char, FreeChunk>> chunks_;
  std::size_t chunk_used_ = kChunkPages;
  std::uint64_t pages_ = 0;
};

}  // namespace svasim
