#include "models/memory/sparse_memory.h"

#include <sys/mman.h>

#include "base/check.h"

namespace svasim {

SparseMemory::SparseMemory(std::uint64_t size)
    : size_(size), blocks_((size + (std::uint64_t{1} << kBlockShift) - 1) >> kBlockShift) {
  SVASIM_CHECK(size % kPageSize == 0 && size <= (std::uint64_t{1} << 52U),
               "memory size is whole pages, at most 4 PiB");
}

unsigned char* SparseMemory::add_page(Addr address) {
  SVASIM_CHECK(address < size_, "write beyond the end of a memory");
  std::unique_ptr<Block>& block = blocks_[address >> kBlockShift];
  if (!block) {
    block = std::make_unique<Block>();
  }
  if (chunk_used_ == kChunkPages) {
    constexpr std::size_t kBytes = kChunkPages * kPageSize;
    chunks_.emplace_back(static_cast<unsigned char*>(::operator new(kBytes, kChunkAlignment)));
    madvise(chunks_.back().get(), kBytes, MADV_HUGEPAGE);  // an error changes nothing but speed
    chunk_used_ = 0;
  }
  unsigned char* page = chunks_.back().get() + kPageSize * chunk_used_++;
  std::memset(page, 0, kPageSize);
  (*block)[(address >> kPageShift) & (kBlockPages - 1)] = page;
  ++pages_;
  return page;
}

std::uint64_t SparseMemory::digest() const {
  // FNV-1a over (page number, words) of every page that is not all zeros.
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  const auto mix = [&hash](std::uint64_t word) {
    hash = (hash ^ word) * 0x100000001B3ULL;
    hash ^= hash >> 29U;
  };
  for (std::size_t b = 0; b < blocks_.size(); ++b) {
    if (!blocks_[b]) {
      continue;
    }
    for (std::size_t p = 0; p < kBlockPages; ++p) {
      const unsigned char* page = (*blocks_[b])[p];
      if (page == nullptr) {
        continue;
      }
      std::array<std::uint64_t, kPageSize / 8> words;
      std::memcpy(words.data(), page, kPageSize);
      std::uint64_t any = 0;
      for (const std::uint64_t word : words) {
        any |= word;
      }
      if (any == 0) {
        continue;
      }
      mix(b * kBlockPages + p);
      for (const std::uint64_t word : words) {
        mix(word);
      }
    }
  }
  return hash;
}

}  // namespace svasim
