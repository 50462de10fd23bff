// Reader of table images: the translation structures in memory at a snapshot. Format in
// traces/FORMAT.md.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/archive_source.h"
#include "base/types.h"

namespace svasim {

// What a page of the image holds.
enum class ImagePageKind : std::uint8_t {
  kRoot,
  kLegacyContext,
  kScalableContext,
  kPasidDirectory,
  kPasidTable,
  kSecondStage,
  kFirstStage,
  kInterruptRemap,
  kInvalidationQueue,
};

struct ImagePage {
  Addr address = 0;
  ImagePageKind kind = ImagePageKind::kRoot;
  std::uint8_t level = 0;  // of a first- or second-stage table; 1 is the lowest
  std::array<std::uint64_t, kPageSize / 8> words{};
};

struct TableImage {
  // Registers at the snapshot.
  std::uint64_t rtaddr = 0;
  std::uint64_t cap = 0;
  std::uint64_t ecap = 0;
  std::uint64_t iqa = 0;
  std::uint64_t irta = 0;
  std::uint64_t gsts = 0;
  std::vector<ImagePage> pages;  // ascending by address

  // The page at a physical address, or nullptr.
  const ImagePage* find(Addr page) const;
  // A 64-bit word at an aligned physical address; false when the image does not hold it.
  bool read(Addr address, std::uint64_t& word) const;
};

// Throws InputError naming `name` and what is wrong: magic, version, kind, order, too short, too long.
TableImage read_table_image(ByteStream& stream, const std::string& name);

}  // namespace svasim
