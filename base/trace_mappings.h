// Reader of mapping lists: what an independent walk found in a table image. Format in
// traces/FORMAT.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/archive_source.h"
#include "base/line_reader.h"
#include "base/types.h"

namespace svasim {

struct MappingRecord {
  enum class Kind : std::uint8_t {
    kBinding,  // C or P line with a domain: a device (and PASID) and the domain it uses
    kLeaf,     // M line
  };
  Kind kind = Kind::kLeaf;
  RequesterId requester;
  bool has_pasid = false;
  Pasid pasid;
  DomainId domain;
  // Leaf only.
  Addr iova = 0;
  Addr address = 0;
  std::uint8_t page_shift = 0;
  std::uint64_t entry = 0;
};

// Streams; memory use does not depend on the length. Throws InputError with file, line and reason.
class MappingReader {
 public:
  MappingReader(std::unique_ptr<ByteStream> stream, std::string name)
      : lines_(std::move(stream), std::move(name)) {}
  bool next(MappingRecord& record);
  std::uint64_t line() const { return lines_.line(); }

 private:
  bool parse_binding(std::string_view line, MappingRecord& record);
  void parse_leaf(std::string_view line, MappingRecord& record);

  LineReader lines_;
};

}  // namespace svasim
