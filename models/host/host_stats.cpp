#include "models/host/host_stats.h"

namespace svasim {

void HostStats::describe(StatRegistry& registry, const std::string& prefix) const {
  const auto count = [&](const char* name, const Counter& counter, StatUnit unit, StatKind kind,
                         const char* text) {
    registry.counter(prefix + "." + name, &counter, unit, kind, text);
  };
  const auto time = [&](const char* name, const Histogram& histogram, const char* text) {
    registry.histogram(prefix + "." + name, &histogram, StatUnit::kPs, StatKind::kTiming, text);
  };
  constexpr auto kCount = StatUnit::kCount;
  constexpr auto kBytes = StatUnit::kBytes;
  constexpr auto kTiming = StatKind::kTiming;
  constexpr auto kInvariant = StatKind::kInvariant;

  count("interrupts", interrupts, kCount, kTiming, "Interrupt messages received.");
  count("faults.page_requests", page_requests, kCount, kTiming,
        "Descriptors taken out of page request queues.");
  count("faults.groups", page_groups, kCount, kTiming,
        "Page request groups completed by their last request.");
  count("faults.pages_mapped", pages_mapped, kCount, kInvariant, "Pages brought in by the handlers.");
  count("faults.pages_present", pages_present, kCount, kTiming,
        "Page requests for pages that were there already when a handler looked.");
  count("faults.pages_copied", pages_copied, kCount, kTiming,
        "Pages copied at a store, by a device or a process, because a fork shares them.");
  count("faults.major", major_faults, kCount, kTiming,
        "Faults, of devices and processes, that had to wait for storage.");
  count("faults.bad", bad_faults, kCount, kInvariant,
        "Page requests refused: no area, no right, or no memory.");
  count("faults.responses", responses, kCount, kTiming, "Page group responses submitted.");
  count("faults.responses_dropped", responses_dropped, kCount, kTiming,
        "Page group responses not submitted because of drop_prg_responses.");
  count("faults.overflows", overflows, kCount, kTiming,
        "Times a page request queue was found overflowed (PRO).");
  count("faults.partials_discarded", partials_discarded, kCount, kTiming,
        "Page requests of incomplete groups discarded after an overflow.");
  time("faults.queue", fault_queue, "From a group leaving the page request queue to a handler taking it.");
  time("faults.service", fault_service, "From a handler taking a group to the decision on its response.");
  time("faults.total", fault_total,
       "From a group leaving the page request queue until software saw its response executed.");

  count("invalidation.submissions", invalidation_submissions, kCount, kTiming,
        "Batches put into invalidation queues, each with a wait descriptor.");
  count("invalidation.descriptors", invalidation_descriptors, kCount, kTiming,
        "Descriptors put into invalidation queues, the batches' wait descriptors not included.");
  time("invalidation.latency", invalidation_latency,
       "From the decision to submit a batch until software saw its wait descriptor done.");
  count("unmap.calls", unmaps, kCount, kInvariant, "munmap calls completed.");
  count("unmap.pages", pages_unmapped, kCount, kInvariant, "Resident pages removed by munmap.");
  time("unmap.latency", unmap_latency, "From the munmap call until its pages were free again.");

  count("dma.maps", dma_maps, kCount, kInvariant, "Calls of the DMA API that mapped.");
  count("dma.maps_failed", dma_maps_failed, kCount, kInvariant,
        "Calls of the DMA API that found no addresses or no memory for tables.");
  count("dma.unmaps", dma_unmaps, kCount, kInvariant, "Calls of the DMA API that unmapped.");
  count("dma.flushes", dma_flushes, kCount, kTiming,
        "Flushes of a domain because its flush queue was full or its timer ended.");
  time("dma.unmap_latency", dma_unmap_latency,
       "From the call to unmap until its caller could use the pages for something else.");
  count("sva.binds", binds, kCount, kInvariant,
        "Address spaces and domains bound to a device or a PASID of it.");
  count("sva.unbinds", unbinds, kCount, kInvariant, "Address spaces and domains unbound from it.");
  count("process.forks", forks, kCount, kInvariant, "Processes begun by fork.");
  count("process.exits", exits, kCount, kInvariant, "Processes that ended in an exit step.");
  count("sva.exit_callbacks", exit_callbacks, kCount, kInvariant,
        "Drivers told of the exit of a process they had bound.");
  count("memory.pages_out", pages_out, kCount, kTiming, "Pages reclaimed: written out and freed.");
  // Requests that fault at the same time may find no free record, and how many overlap is timing.
  count("dma_faults", dma_faults, kCount, kTiming, "Fault records read from IOMMUs.");
  count("registers.accesses", register_accesses, kCount, kTiming, "Register reads and writes by the CPUs.");
  count("registers.errors", register_errors, kCount, kInvariant, "Register accesses answered with an error.");

  user_devices.describe(registry, prefix);

  count("operations.completed", operations, kCount, kInvariant,
        "Device operations that completed with success.");
  count("operations.failed", operations_failed, kCount, kInvariant,
        "Device operations that ended otherwise.");
  count("operations.resubmitted", operations_resubmitted, kCount, kTiming,
        "Times the rest of an operation was submitted after a partial completion.");
  count("operations.descriptors", descriptors, kCount, kInvariant,
        "Descriptors of these; those of batches without the batch itself.");
  count("operations.time", operations_time, StatUnit::kPs, kTiming,
        "From the submission of the first operation to the process seeing the last completion so far.");
  count("operations.pages_touched", pages_touched, kCount, kInvariant,
        "Pages a process brought in by touching them, in touch steps and for devices without page requests.");
  count("operations.bytes", bytes, kBytes, kInvariant, "Bytes moved or filled by completed operations.");
  registry.rate(prefix + ".operations.throughput", &bytes, StatUnit::kBytesPerSecond,
                "Bytes moved or filled per second of simulated time.");
  time("operations.latency", operation_latency,
       "From an operation's submission until its process saw the completion record.");
  idxd.describe(registry, prefix + ".idxd");
  count("verify.bytes", bytes_verified, kBytes, kTiming, "Bytes compared with what they have to be.");
  count("verify.wrong", bytes_wrong, kBytes, kInvariant, "Bytes that were different.");
  guests.describe(registry, prefix + ".guests");
}

}  // namespace svasim
