#include "models/traffic/replay_report.h"

namespace svasim {

void ReplayReport::describe(StatRegistry& registry, const std::string& prefix) const {
  const auto add = [&](const char* name, const Counter& counter, const char* text) {
    registry.counter(prefix + "." + name, &counter, StatUnit::kCount, StatKind::kInvariant, text);
  };
  add("accesses", accesses, "Recorded translations replayed; at the record.");
  add("faults", faults, "Recorded faults replayed; at the record.");
  add("compared", compared, "Accesses and faults compared with their record; when the last answer arrives.");
  add("address_mismatches", address_mismatches, "Translated to another address than recorded.");
  add("page_size_mismatches", page_size_mismatches, "Translated with another page size than recorded.");
  add("fault_mismatches", fault_mismatches,
      "Faulted and should not have, or the reverse, or for another reason.");
  // Faults inside an unmap window depend on what is cached, too.
  registry.counter(prefix + ".fault_records", &fault_records, StatUnit::kCount, StatKind::kTiming,
                   "Fault records read from the remapping unit and compared.");
  add("record_mismatches", record_mismatches, "Fault records that do not say what the access met.");
  add("window_uses", window_uses, "Accesses between an unmap of their page and the end of its invalidation.");
  // Which of the legal answers comes depends on what is cached.
  registry.counter(prefix + ".stale_differences", &stale_differences, StatUnit::kCount, StatKind::kTiming,
                   "Accesses in such a window with a legal answer other than the recorded one.");
  add("violations_faulted", violations_faulted,
      "Accesses the emulator answered without permission; faulted here.");
  add("legacy_codes_unmapped", legacy_codes_unmapped,
      "Faults recorded with a legacy code in scalable mode: nothing mapped, as the fault here says.");
  add("legacy_codes_no_right", legacy_codes_no_right,
      "Faults recorded with a legacy code in scalable mode: right missing, as the fault here says.");
  add("probes", probes, "Recorded look-ups without an access, issued as reads of one byte.");
  // Kind of record: accesses, look-ups without an access, accesses without permission.
  const auto add_hits = [&](const std::string& kind, const Hits& hits, const std::string& what) {
    const auto one = [&](const char* name, const Counter& counter, const char* text) {
      registry.counter(prefix + ".hm_" + kind + name, &counter, StatUnit::kCount, StatKind::kTiming,
                       what + text);
    };
    one("_both_hit", hits.both_hit, ": hit in the IOTLB and in the emulator's cache.");
    one("_both_miss", hits.both_miss, ": missed in both.");
    one("_only_here", hits.only_here, ": hit in the IOTLB, missed in the emulator's cache.");
    one("_only_recorded", hits.only_recorded, ": missed in the IOTLB, hit in the emulator's cache.");
  };
  add_hits("access", access_hits, "Recorded accesses");
  add_hits("probe", probe_hits, "Recorded look-ups without an access");
  add_hits("violation", violation_hits, "Recorded accesses without permission");
  add("duplicates", duplicates, "Recorded look-ups without an access; skipped.");
  add("late_unmaps", late_unmaps, "Unmap records behind the map record that reuses their pages.");
  add("rebinds", rebinds, "Devices bound to another domain because an access shows it.");
  add("outside", after_end, "Accesses and faults outside of a recording; skipped.");
  add("not_ended", not_ended, "Recordings without an END marker: the capture may be cut off.");
  registry.counter(prefix + ".foreign_records", &foreign_records, StatUnit::kCount, StatKind::kTiming,
                   "Fault records of devices that are not part of the capture; ignored.");
  add("maps", maps, "Map records applied to the tables.");
  add("unmaps", unmaps, "Unmap records applied to the tables.");
  add("unmapped_nothing", unmapped_nothing, "Unmap records of pages that were not mapped.");
  add("invalidations", invalidations, "Descriptors put into the invalidation queue.");
  add("snapshots", snapshots, "Snapshots met.");
  add("snapshots_without_image", snapshots_without_image, "Snapshots met of which the capture has no image.");
  add("leaves_equal", leaves_equal, "Mappings of snapshots' images that the replay's tables hold.");
  add("leaf_mismatches", leaf_mismatches, "Mappings in only one of image and replay, or different.");
  add("leaves_being_unmapped", leaves_being_unmapped,
      "Mappings only in an image: unmapped, invalidation open.");
  add("leaves_recorded_late", leaves_recorded_late, "Differences that a record up to 1 ms later explains.");
  add("rights_not_recorded", rights_not_recorded,
      "Mappings of other rights than an image's that no record shows.");
  add("other_bindings", other_bindings, "Devices in an image bound to another domain than in the replay.");
}

double ReplayReport::hits_agree() const {
  const std::uint64_t all = access_hits.all() + probe_hits.all() + violation_hits.all();
  const std::uint64_t agree = access_hits.agree() + probe_hits.agree() + violation_hits.agree();
  return all == 0 ? 1.0 : static_cast<double>(agree) / static_cast<double>(all);
}

}  // namespace svasim
