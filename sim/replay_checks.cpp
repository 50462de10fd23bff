#include "sim/replay_checks.h"

namespace svasim {

ImageCheck check_images(const TraceDataset& dataset) {
  ImageCheck sum;
  for (const std::string& snapshot : dataset.snapshots()) {
    if (!dataset.has_mappings(snapshot)) continue;
    MappingReader mappings = dataset.mappings(snapshot);
    const ImageCheck check = check_image(dataset.image(snapshot), mappings, "mappings." + snapshot + ".txt");
    sum.mappings += check.mappings;
    sum.resolved += check.resolved;
    sum.texts.insert(sum.texts.end(), check.texts.begin(), check.texts.end());
  }
  return sum;
}

void add_replay_checks(const std::string& name, const ReplayReport& r, const ImageCheck& images,
                       RunChecks& checks) {
  const auto none = [&](const char* what, const Counter& count) {
    checks.none(name + "." + what, count.value);
  };
  const auto explained = [&](const char* what, const Counter& count) {
    checks.add(name + "." + what, true, count.value, "any number");
  };
  const std::uint64_t recorded = r.accesses.value + r.faults.value;
  checks.add(name + ".compared", r.compared.value == recorded && recorded != 0, r.compared.value,
             "all " + std::to_string(recorded) + " recorded accesses and faults, at least 1");
  none("address_mismatches", r.address_mismatches);
  none("page_size_mismatches", r.page_size_mismatches);
  none("fault_mismatches", r.fault_mismatches);
  none("fault_record_mismatches", r.record_mismatches);
  none("snapshot_mapping_mismatches", r.leaf_mismatches);
  checks.equal(name + ".image_mappings_resolved", images.resolved, images.mappings);
  checks.add(name + ".emulator_cache_agrees", true, r.hits_agree(),
             "any share: of its look-ups, those that hit or missed here as in the emulator's own cache");
  explained("explained.uses_between_unmap_and_invalidation", r.window_uses);
  explained("explained.stale_answers_between_unmap_and_invalidation", r.stale_differences);
  explained("explained.emulator_answered_without_permission", r.violations_faulted);
  explained("explained.emulator_legacy_codes_unmapped", r.legacy_codes_unmapped);
  explained("explained.emulator_legacy_codes_no_right", r.legacy_codes_no_right);
  explained("explained.emulator_duplicate_lookups", r.duplicates);
  explained("explained.unmap_records_behind_reuse", r.late_unmaps);
  explained("explained.snapshot_mappings_being_unmapped", r.leaves_being_unmapped);
  explained("explained.snapshot_mappings_recorded_late", r.leaves_recorded_late);
  explained("explained.snapshot_rights_not_recorded", r.rights_not_recorded);
  explained("explained.snapshot_bindings_not_recorded", r.other_bindings);
  explained("explained.accesses_outside_of_recording", r.after_end);
  explained("explained.recordings_without_end", r.not_ended);
}

}  // namespace svasim
