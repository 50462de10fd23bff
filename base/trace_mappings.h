// Reader of mapping lists: what an independent walk found in a table image. Format in
// traces/FORMAT.md.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/archive_source.h"
#include "base/line_reader.h"
#include "base/types.h"

namespace svasim {

struct MappingRecord {
  enum class Kind : std::uint8_t {
    kContext,     // C line: the context entry of a device
    kPasidEntry,  // P line: a PASID-table entry
    kLeaf,        // M line
  };
  Kind kind = Kind::kLeaf;
  RequesterId requester;
  bool has_pasid = false;
  Pasid pasid;
  bool has_domain = false;  // not a context entry of scalable mode
  DomainId domain;
  // Entries: their words; legacy context entries have 2, scalable ones 4, PASID-table entries 8.
  std::array<std::uint64_t, 8> words{};
  std::size_t word_count = 0;
  // Leaf only.
  Addr iova = 0;
  Addr address = 0;
  std::uint8_t page_shift = 0;
  std::string_view flags;  // valid until the next record is read
  std::uint64_t entry = 0;
};

// Streams; memory use does not depend on the length. Throws InputError with file, line and reason.
class MappingReader {
 public:
  MappingReader(std::unique_ptr<ByteStream> stream, std::string name)
      : lines_(std::move(stream), std::move(name)) {}
  bool next(MappingRecord& record);
  std::uint64_t line() const { return lines_.line(); }
  const std::string& name() const { return lines_.name(); }
  // Throws InputError for the record returned last.
  [[noreturn]] void fail(const std::string& reason) const { lines_.fail(reason); }

 private:
  void parse_entry(std::string_view line, MappingRecord& record);
  void parse_leaf(std::string_view line, MappingRecord& record);

  LineReader lines_;
};

}  // namespace svasim
