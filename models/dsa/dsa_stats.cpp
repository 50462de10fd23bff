#include "models/dsa/dsa_stats.h"

namespace svasim {

void DsaStats::describe(StatRegistry& registry, const std::string& prefix) const {
  constexpr StatKind kInvariant = StatKind::kInvariant;
  constexpr StatKind kTiming = StatKind::kTiming;
  const auto count = [&](const std::string& name, const Counter& counter, StatKind kind,
                         const std::string& text) {
    registry.counter(prefix + "." + name, &counter, StatUnit::kCount, kind, text);
  };
  const auto bytes_of = [&](const char* name, const Counter& counter, const char* text) {
    registry.counter(prefix + "." + name, &counter, StatUnit::kBytes, kInvariant, text);
  };
  const auto time = [&](const char* name, const Histogram& histogram, const char* text) {
    registry.histogram(prefix + "." + name, &histogram, StatUnit::kPs, kTiming, text);
  };
  count("submitted", submitted, kInvariant, "Descriptors accepted by a portal.");
  count("dropped", dropped, kTiming, "Portal writes ignored: queue full, disabled, or no 64-byte write.");
  count("deferred", deferred, kTiming,
        "ENQCMDs answered Retry: the queue's threshold reached, no shared queue, or disabled.");
  count("completed", completed, kInvariant,
        "Descriptors completed, whatever their status; without members of batches.");
  count("batch_members", batch_members, kInvariant,
        "Descriptors of batches completed, whatever their status.");
  static constexpr struct {
    DsaStatus status;
    const char* name;
  } kNamed[] = {
      {DsaStatus::kSuccess, "success"},
      {DsaStatus::kSuccessFalsePredicate, "false_predicate"},
      {DsaStatus::kPageFault, "page_fault"},
      {DsaStatus::kPageFaultInvalidResponse, "page_fault_invalid_response"},
      {DsaStatus::kBatchFail, "batch_fail"},
      {DsaStatus::kBatchPageFault, "batch_page_fault"},
      {DsaStatus::kDeltaOffsetOrder, "delta_offset_order"},
      {DsaStatus::kDeltaOffsetRange, "delta_offset_range"},
      {DsaStatus::kDifError, "dif_error"},
      {DsaStatus::kBadOpcode, "bad_opcode"},
      {DsaStatus::kInvalidFlags, "invalid_flags"},
      {DsaStatus::kReservedField, "reserved_field"},
      {DsaStatus::kTransferSize, "transfer_size"},
      {DsaStatus::kDescriptorCount, "descriptor_count"},
      {DsaStatus::kFieldValue, "field_value"},
      {DsaStatus::kOverlappingBuffers, "overlapping_buffers"},
      {DsaStatus::kDualcastAlignment, "dualcast_alignment"},
      {DsaStatus::kDescriptorListAlignment, "descriptor_list_alignment"},
      {DsaStatus::kInterruptHandle, "interrupt_handle"},
      {DsaStatus::kCompletionRecordFault, "completion_record_fault"},
      {DsaStatus::kCompletionRecordAlignment, "completion_record_alignment"},
      {DsaStatus::kAddressAlignment, "address_alignment"},
      {DsaStatus::kPrivilege, "privilege"},
      {DsaStatus::kDrainReadbackFault, "drain_readback_fault"},
      {DsaStatus::kHardwareError, "hardware_error"},
      {DsaStatus::kTranslationError, "translation_error"},
  };
  for (const auto& named : kNamed) {
    count(std::string("status.") + named.name, by_status[static_cast<std::size_t>(named.status)], kInvariant,
          std::string("Descriptors completed: ") + dsa_status_name(named.status) + ".");
  }
  count("records", records, kInvariant, "Completion records written.");
  count("interrupts", interrupts, kInvariant, "Interrupt messages sent.");
  count("software_errors", software_errors, kInvariant, "Errors reported to SWERROR.");
  count("events", events, kInvariant, "Entries written to the event log.");
  count("events_lost", events_lost, kTiming, "Events that found no room in the log, or no memory.");
  count("commands", commands, kInvariant, "Commands finished.");
  bytes_of("bytes", bytes, "Bytes completed as completion records count them; not of batches.");
  bytes_of("bytes_read", bytes_read, "Bytes of data read, at the response.");
  bytes_of("bytes_written", bytes_written, "Bytes of data written, when posted.");
  count("reads", reads, kInvariant, "Data reads, at the response.");
  count("writes", writes, kInvariant, "Data writes, when posted.");
  count("translation_requests", translation_requests, kInvariant, "Pages of operands and records asked for.");
  count("posted_errors", posted_errors, kTiming,
        "Posted writes that failed behind the device, which it cannot see.");
  count("page_waits", page_waits, kTiming,
        "Times a descriptor had to wait for the translation of its next page.");
  time("queue_wait", queue_wait, "Arrival at the portal until an engine takes the descriptor.");
  time("latency", latency, "Arrival at the portal until the completion record is in memory.");
  registry.rate(prefix + ".throughput", &bytes, StatUnit::kBytesPerSecond,
                "Bytes processed per simulated second.");
  count("accesses", accesses, kInvariant,
        "Data reads, data writes and completion records, at their response.");
  time("access_latency", access_latency,
       "One such access, its wait for translation and page requests included.");
  for (std::size_t i = 0; i < kStages; ++i) {
    registry.counter(prefix + ".attribution." + stage_name(static_cast<Stage>(i)), &attribution[i],
                     StatUnit::kPs, kTiming, "Time of all accesses spent in this stage, at their response.");
  }
}

}  // namespace svasim
