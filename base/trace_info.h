// What a capture contains, in one pass.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "base/trace_capture.h"
#include "base/types.h"

namespace svasim {

struct TraceInfo {
  struct Device {
    std::uint64_t reads = 0;
    std::uint64_t writes = 0;
    std::uint64_t other = 0;  // direction not known
    std::uint64_t bytes = 0;
    std::uint64_t faults = 0;
  };
  struct Domain {
    std::uint64_t accesses = 0;
    std::uint64_t maps = 0;
    std::uint64_t unmaps = 0;
  };
  struct Snapshot {
    std::string name;
    std::uint64_t line = 0;  // of its record in the trace; 0: none there
    std::uint64_t table_pages = 0;
    bool has_image = false;
  };

  std::string path;
  std::array<std::uint64_t, kRecordKinds> records{};
  std::uint64_t lines = 0;
  std::uint64_t recordings = 0;  // one, unless the file holds several
  std::uint64_t first_us = 0;    // of the last recording
  std::uint64_t last_us = 0;
  std::uint64_t end_line = 0;               // of the first END marker; 0: none
  std::map<std::uint16_t, Device> devices;  // by requester ID
  std::map<std::uint16_t, Domain> domains;
  std::map<unsigned, std::uint64_t> page_shifts;  // accesses by size of the page used
  std::map<unsigned, std::uint64_t> fault_reasons;
  std::map<std::string, std::uint64_t> classes;
  std::map<std::string, std::uint64_t> invalidations;
  std::vector<Snapshot> snapshots;  // in the order of the trace, then those without a record

  std::uint64_t count(RecordKind kind) const { return records[static_cast<std::size_t>(kind)]; }
};

// Reads the whole capture, images included. Throws InputError.
TraceInfo trace_info(const std::string& path);

void print(std::ostream& out, const TraceInfo& info);

}  // namespace svasim
