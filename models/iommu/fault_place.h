// Where a fault was met, for people.
#pragma once

#include <cstdint>

#include "base/types.h"

namespace svasim {

struct FaultPlace {
  enum class Structure : std::uint8_t {
    kNone,  // the address or the kind of the request itself
    kRootTable,
    kRootEntry,
    kContextEntry,
    kPasidDirectoryEntry,
    kPasidTableEntry,
    kFirstStageEntry,
    kSecondStageEntry,
    kPage,
  };
  Structure structure = Structure::kNone;
  Addr address = 0;
  std::uint8_t level = 0;  // of a page-table entry
};

}  // namespace svasim
