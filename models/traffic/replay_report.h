// What a replay compared and found.
#pragma once

#include <string>
#include <vector>

#include "base/stats.h"

namespace svasim {

struct ReplayReport {
  // Accesses up to the END marker.
  Counter accesses;              // recorded translations issued
  Counter faults;                // recorded faults issued
  Counter compared;              // accesses and faults compared with their record
  Counter address_mismatches;    // translated, but not to the recorded address
  Counter page_size_mismatches;  // right address, other page size
  Counter fault_mismatches;      // a fault instead of a translation, the reverse, or another reason
  Counter record_mismatches;     // fault record does not say what the request's fault says
  Counter fault_records;         // fault records compared
  // Explained differences, by name.
  Counter window_uses;         // accesses between an unmap of their page and the end of its invalidation
  Counter stale_differences;   // those that got a legal answer other than the recorded one
  Counter violations_faulted;  // accesses without permission that the emulator answered: faulted here
  // Faults recorded with a legacy code in scalable mode, compared by cause.
  Counter legacy_codes_unmapped;  // nothing is mapped
  Counter legacy_codes_no_right;  // mapped without the right
  Counter probes;                 // look-ups without an access that were issued, in `accesses` too
  // Hits here and in the emulator's own cache, by kind of record.
  struct Hits {
    Counter both_hit;
    Counter both_miss;
    Counter only_here;
    Counter only_recorded;
    std::uint64_t agree() const { return both_hit.value + both_miss.value; }
    std::uint64_t all() const { return agree() + only_here.value + only_recorded.value; }
  };
  Hits access_hits;
  Hits probe_hits;
  Hits violation_hits;
  // Of all look-ups, the share that hit here as in the emulator; 1 when there is none.
  double hits_agree() const;
  Counter duplicates;       // look-ups without an access, not issued
  Counter late_unmaps;      // unmap records behind the map record that reuses their pages
  Counter rebinds;          // a device found in another domain: bound to it as the driver did
  Counter after_end;        // accesses and faults outside of a recording, not issued
  Counter not_ended;        // recordings that the capture ends without an END marker
  Counter foreign_records;  // fault records of devices that are not replayed
  // Table edits.
  Counter maps;
  Counter unmaps;
  Counter unmapped_nothing;  // unmap records of pages that were not mapped
  Counter invalidations;
  // Snapshots met on the way.
  Counter snapshots;
  Counter snapshots_without_image;
  Counter leaves_equal;           // mappings of the image that the replay's tables hold
  Counter leaf_mismatches;        // in only one of the two, or different
  Counter leaves_being_unmapped;  // only in the image: unmapped, invalidation still open
  Counter leaves_recorded_late;   // in one of the two, and a record up to 1 ms later explains it
  Counter rights_not_recorded;    // leaves whose rights no record showed, and which differ in them
  Counter other_bindings;         // devices whose binding changed without a record that shows it

  // Remarks on the capture, and what stopped the replay.
  std::vector<std::string> notes;
  // The first mismatches in words.
  static constexpr std::size_t kMaxTexts = 20;
  std::vector<std::string> texts;

  std::uint64_t mismatches() const {
    return address_mismatches.value + page_size_mismatches.value + fault_mismatches.value +
           record_mismatches.value + leaf_mismatches.value;
  }
  void describe_mismatch(const std::string& text) {
    if (texts.size() < kMaxTexts) texts.push_back(text);
  }
  void describe(StatRegistry& registry, const std::string& prefix) const;
};

}  // namespace svasim
