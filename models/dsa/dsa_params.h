// Parameters of a DSA device.
#pragma once

#include "base/bits.h"
#include "base/params.h"

namespace svasim {

// SPEC: [DSA 9.1.1]
inline constexpr std::uint64_t kDsaRegisterBytes = 0x10000;
inline constexpr std::uint64_t kDsaPortalsPerQueue = 0x4000;

struct DsaParams {
  RequesterId bdf;
  std::uint64_t bar0;
  std::uint64_t bar2;

  unsigned version;
  unsigned queues;
  unsigned queue_entries;
  unsigned groups;
  unsigned engines;
  unsigned read_buffers;
  unsigned interrupts;
  std::uint64_t max_transfer;
  std::uint64_t max_batch;
  bool overlapping_copy;
  bool shared_queues;
  unsigned interrupt_handles;
  bool event_log_overflow;

  bool ats;
  bool page_requests;
  bool pasid;
  bool privileged;

  unsigned descriptors_in_progress;
  unsigned batches_in_progress;
  unsigned access_size;
  std::uint64_t buffer_size;
  unsigned write_buffers;
  unsigned pages_ahead;

  Ps register_latency;
  Ps command_latency;
  Ps portal_latency;
  Ps dispatch_interval;
  Ps descriptor_latency;
  Ps request_interval;
  Ps completion_latency;
};

inline const ParamTable<DsaParams>& dsa_params() {
  static const ParamTable<DsaParams> table =
      ParamTable<DsaParams>("Intel Data Streaming Accelerator")
          .bdf("bdf", &DsaParams::bdf, "6a:01.0", "PCIe requester ID.", "MODEL")
          .address("bar0", &DsaParams::bar0, "0x2100000000", "Address of the control registers, 64 KiB.",
                   "DSA 9.1.1")
          .address("bar2", &DsaParams::bar2, "0x2100100000", "Address of the portals, 16 KiB per work queue.",
                   "DSA 9.1.1")
          .count(
              "version", &DsaParams::version, "1", 1, 2,
              "Major version, which decides about operations and capabilities. 1: DSA of Sapphire Rapids. 2 "
              "adds translation fetch, DIX generate, CRC64, 16-byte patterns, fault information and the "
              "continuation of batches.",
              "DSA 9.2")
          .count("queues", &DsaParams::queues, "8", 1, 64, "Work queues.", "CAL SPR")
          .count("queue_entries", &DsaParams::queue_entries, "128", 1, 65535,
                 "Entries of all work queues together.", "CAL SPR")
          .count("groups", &DsaParams::groups, "4", 1, 8, "Groups.", "CAL SPR")
          .count("engines", &DsaParams::engines, "4", 1, 64, "Engines.", "CAL SPR")
          .count("read_buffers", &DsaParams::read_buffers, "96", 4, 255,
                 "Read buffers of the device: what is read and not yet written.", "CAL SPR")
          .count("interrupts", &DsaParams::interrupts, "9", 1, 64, "MSI-X vectors.", "DSA C")
          .bytes("max_transfer", &DsaParams::max_transfer, "2 GiB", "1 B", "2 GiB",
                 "Largest transfer, a power of two.", "CAL SPR")
          .count("max_batch", &DsaParams::max_batch, "1024", 2, 32768,
                 "Most descriptors of a batch, a power of two.", "CAL SPR")
          .flag("overlapping_copy", &DsaParams::overlapping_copy, "true",
                "Whether a memory move may overlap its source.", "DSA 9.2")
          .flag("shared_queues", &DsaParams::shared_queues, "true",
                "Whether work queues may be shared: many processes submit, with ENQCMD.", "DSA 9.2")
          .count("interrupt_handles", &DsaParams::interrupt_handles, "0", 0, 256,
                 "Interrupt handles software can request by command. 0: there are no such commands, and the "
                 "handle of a vector is its number.",
                 "DSA 9.2")
          .flag("event_log_overflow", &DsaParams::event_log_overflow, "false",
                "Version 2: what happens to an event that finds the log full. false: it waits, and its "
                "descriptor with it; true: it is lost, which SWERROR tells.",
                "DSA 5")
          .flag("ats", &DsaParams::ats, "true",
                "Whether ATS is enabled: the device makes sure of each page by a translation request first.",
                "DSA 9.1.3")
          .flag("page_requests", &DsaParams::page_requests, "true",
                "Whether page requests (PRS) are enabled; needed for Block on Fault.", "DSA 9.1.3")
          .flag("pasid", &DsaParams::pasid, "true", "Whether the PASID capability is enabled.", "DSA 9.1.3")
          .flag("privileged", &DsaParams::privileged, "true",
                "Whether the PASID capability allows privileged requests.", "DSA 9.1.3")
          .count("descriptors_in_progress", &DsaParams::descriptors_in_progress, "16", 1, 255,
                 "Descriptors an engine works on at the same time.", "MODEL: ENGCAP value not published")
          .count("batches_in_progress", &DsaParams::batches_in_progress, "4", 1, 255,
                 "Batches whose descriptors an engine fetches at the same time; they take none of "
                 "descriptors_in_progress.",
                 "MODEL: ENGCAP value not published")
          .count("access_size", &DsaParams::access_size, "256", 64, 4096,
                 "Largest read or write, a power of two; none crosses a multiple of it.", "MODEL")
          .bytes("buffer_size", &DsaParams::buffer_size, "256 B", "64 B", "4 KiB",
                 "Bytes of one read or write buffer; a larger access takes several.", "MODEL")
          .count("write_buffers", &DsaParams::write_buffers, "128", 1, 4096,
                 "Write buffers of the device: writes sent and not yet in memory.", "MODEL")
          .count("pages_ahead", &DsaParams::pages_ahead, "1", 0, 16,
                 "Pages per operand whose translation is asked for before the page in use is finished.",
                 "MODEL")
          .time("register_latency", &DsaParams::register_latency, "40 ns", "1 ps", "1 ms",
                "From arrival of a register read at the device to its answer.", "MODEL")
          .time("command_latency", &DsaParams::command_latency, "1 us", "1 ps", "1 s",
                "From the write of CMD to the end of a command that waits for nothing.", "MODEL")
          .time("portal_latency", &DsaParams::portal_latency, "20 ns", "1 ps", "1 ms",
                "From arrival of a descriptor at its portal until an engine can take it.", "MODEL")
          .time("dispatch_interval", &DsaParams::dispatch_interval, "10 ns", "1 ps", "1 ms",
                "Least time between two descriptors taken by one engine.",
                "CAL HW: at most 54 M descriptors/s with 2 engines")
          .time("descriptor_latency", &DsaParams::descriptor_latency, "60 ns", "1 ps", "1 ms",
                "From taking a descriptor to the first request for it: decoding and checks.", "MODEL")
          .time("request_interval", &DsaParams::request_interval, "2 ns", "1 ps", "1 ms",
                "Least time between two requests of one engine.", "MODEL")
          .time("completion_latency", &DsaParams::completion_latency, "10 ns", "1 ps", "1 ms",
                "From the last data write being posted to the write of the completion record.", "MODEL")
          .check([](const DsaParams& p, const Complain& bad) {
            if (!is_power_of_two(p.access_size)) bad("access_size", "is no power of two");
            if (!is_power_of_two(p.max_batch)) bad("max_batch", "is no power of two");
            if (!is_power_of_two(p.max_transfer)) bad("max_transfer", "is no power of two");
            // Some operations read two sources or write two destinations at a time.
            if (std::uint64_t{2} * p.access_size > p.read_buffers * p.buffer_size)
              bad("read_buffers", "do not hold two accesses");
            if (std::uint64_t{2} * p.access_size > p.write_buffers * p.buffer_size)
              bad("write_buffers", "do not hold two accesses");
            // SPEC: [PCIE 7.5.1.2.1] a BAR is aligned to its size, a power of two.
            std::uint64_t portals = kDsaPortalsPerQueue;
            while (portals < p.queues * kDsaPortalsPerQueue) portals *= 2;
            if (p.bar0 % kDsaRegisterBytes != 0) bad("bar0", "is not a multiple of its size, 64 KiB");
            if (p.bar2 % portals != 0)
              bad("bar2", "is not a multiple of its size, " + std::to_string(portals / 1024) + " KiB");
            if (p.page_requests && !p.ats) bad("page_requests", "have no effect without ats");
          });
  return table;
}

}  // namespace svasim
