// What a replay must know of a capture before it starts.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/spool_file.h"
#include "base/trace_dataset.h"
#include "models/traffic/replay_ranges.h"
#include "models/traffic/replay_tables.h"

namespace svasim {

// Reads the whole capture once, so that a malformed line or a damaged image anywhere is found before
// anything is simulated.
//
// WHY: a map record does not say what rights the driver gave. Accesses show the leaf they used, so the
// rights of a mapping are those of the first access while it lived. They are needed when the mapping
// is made, which is earlier.
class ReplayPlan {
 public:
  // Throws InputError; also when there is no snapshot `boot` to start from.
  explicit ReplayPlan(const TraceDataset& dataset);

  // Flags of the leaves of the n-th map record inside the recordings, counted from 0.
  LeafFlags flags(std::uint64_t n) const;

  // Tables, recorded accesses and status writes all lie below this physical address.
  Addr physical_end() const { return physical_end_; }
  // The record or member that reaches there, as "file:line".
  const std::string& physical_end_at() const { return physical_end_at_; }
  std::uint64_t records() const { return records_; }
  const std::set<RequesterId>& requesters() const { return requesters_; }
  // What a user should know of the capture.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  static constexpr std::uint64_t kNoRecord = ~std::uint64_t{0};
  struct Mapping {
    std::uint64_t record = kNoRecord;  // kNoRecord: from the boot image
    bool shown = false;
  };

  void check_members(const TraceDataset& dataset);
  void start(const TableImage& image);
  void map(const TraceRecord& record, const TraceReader& reader);
  void access(const TraceRecord& record);
  void fault(const TraceRecord& record);
  // An address of at most 52 bits.
  void uses(Addr address, std::uint64_t length, const std::string& file, std::uint64_t line);

  SpoolFile flags_;
  Addr physical_end_ = 0;
  std::string physical_end_at_;
  bool large_pages_ = false;  // the boot tables may map with them
  std::uint64_t records_ = 0;
  std::set<RequesterId> requesters_;
  std::vector<std::string> notes_;
  std::uint64_t maps_ = 0;
  std::map<std::uint16_t, RangeMap<Mapping>> live_;  // by domain
  LateUnmaps late_;
  std::map<std::uint16_t, std::uint16_t> domain_of_;  // by requester
};

// Snapshot `boot` starts a recording, the END marker ends it; what lies outside is not replayed.
inline constexpr const char* kBootSnapshot = "boot";

}  // namespace svasim
