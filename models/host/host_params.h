// Parameters of the host: operating system and CPUs.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/bits.h"
#include "base/params.h"
#include "models/host/dma_params.h"
#include "models/host/iommufd_params.h"
#include "models/host/workload_params.h"

namespace svasim {

// Use of an IOMMU's invalidation queue.
struct InvalidationParams {
  unsigned order;
  std::string wait;
  Ps submit_time;
  Ps poll_interval;
};

inline const ParamTable<InvalidationParams>& invalidation_params() {
  using P = InvalidationParams;
  static const ParamTable<P> table =
      ParamTable<P>("Invalidation queue of the IOMMU driver")
          .count("order", &P::order, "1", 0, 7, "The queue takes 2^order pages: 2^(order + 7) descriptors.",
                 "LINUX drivers/iommu/intel/dmar.c")
          .choice("wait", &P::wait, "poll", {"poll", "interrupt"},
                  "How software learns that a wait descriptor is done: by reading its status in a loop, or "
                  "by the "
                  "invalidation completion event.",
                  "LINUX drivers/iommu/intel/dmar.c polls")
          .time("submit_time", &P::submit_time, "100 ns", "1 ps", "1 ms",
                "From the decision to invalidate to the write of the queue's tail: locking and writing "
                "descriptors.",
                "MODEL")
          .time("poll_interval", &P::poll_interval, "20 ns", "1 ps", "1 ms",
                "Between two reads of the status word.", "MODEL: a read of a cached line");
  return table;
}

// One bucket of a measured distribution of times.
struct TimeBucketParams {
  std::uint64_t weight;
  Ps from;
  Ps mean;
  Ps to;
};

inline const ParamTable<TimeBucketParams>& time_bucket_params() {
  using P = TimeBucketParams;
  static const ParamTable<P> table =
      ParamTable<P>("A bucket of a distribution: a share of all times, uniform below and above their mean")
          .count("weight", &P::weight, "1", 1, std::uint64_t{1} << 40U,
                 "Its share is this over the sum of all weights: a measurement's count.", "MODEL")
          .time("from", &P::from, "1 us", "1 ps", "1000 s", "Shortest time.", "MODEL")
          .time("mean", &P::mean, "1 us", "1 ps", "1000 s", "Their mean.", "MODEL")
          .time("to", &P::to, "1 us", "1 ps", "1000 s", "Longest time.", "MODEL")
          .check([](const P& p, const Complain& bad) {
            if (p.mean < p.from || p.mean > p.to) bad("mean", "is not between from and to");
          });
  return table;
}

// The operating system's part of a device page fault.
struct FaultHandlerParams {
  unsigned handlers;
  std::string distribution;
  Ps service_time;
  Ps service_spread;
  std::vector<TimeBucketParams> service_buckets;
  Ps major_time;
  Ps queue_read_time;
  unsigned queue_order;
  bool drop_prg_responses;
};

inline const ParamTable<FaultHandlerParams>& fault_handler_params() {
  using P = FaultHandlerParams;
  static const ParamTable<P> table =
      ParamTable<P>("Handling of device page faults")
          .count("handlers", &P::handlers, "4", 1, 1024,
                 "Threads that serve page request groups; a group that finds none waits.", "MODEL")
          .choice("distribution", &P::distribution, "uniform", {"fixed", "uniform", "buckets"},
                  "Of the service time of a page: always service_time; uniform within service_spread around "
                  "it; or as service_buckets say.",
                  "MODEL")
          .time("service_time", &P::service_time, "6 us", "1 ps", "1 s",
                "From a handler taking a page to its entry in the page table: VMA look-up, page allocation, "
                "zeroing; "
                "waiting for the handler is not included.",
                "CAL QEMU: 97 % of page requests take 1 to 10 us")
          .time("service_spread", &P::service_spread, "2 us", "0 ps", "1 s",
                "Uniform: the service time differs from service_time by at most this.", "CAL QEMU")
          .groups("service_buckets", &P::service_buckets, time_bucket_params(),
                  "Distribution buckets: a histogram, as measurements publish it.")
          .time("major_time", &P::major_time, "80 us", "0 ps", "1 s",
                "More for a page that comes from storage: of a file, or written out before. Processes that "
                "touch such a page wait as long.",
                "MODEL: a read of an NVMe drive")
          .time("queue_read_time", &P::queue_read_time, "50 ns", "1 ps", "1 ms",
                "For taking one descriptor out of the page request queue.", "MODEL")
          .count("queue_order", &P::queue_order, "4", 0, 7,
                 "The page request queue takes 2^order pages: 2^(order + 7) descriptors.",
                 "LINUX drivers/iommu/intel/prq.c")
          .flag("drop_prg_responses", &P::drop_prg_responses, "false",
                "Fault injection: page groups are handled but never answered, so the devices hang.", "MODEL")
          .check([](const P& p, const Complain& bad) {
            if (p.distribution == "uniform" && p.service_spread >= p.service_time) {
              bad("service_spread", "the service time would reach 0");
            }
            if (p.distribution == "buckets" && p.service_buckets.empty()) {
              bad("service_buckets", "distribution buckets needs at least one");
            }
            if (p.distribution != "buckets" && !p.service_buckets.empty()) {
              bad("service_buckets", "only distribution buckets has them");
            }
          });
  return table;
}

struct AccelConfig;
struct AccelDevice;

// Drivers and user-space of DSA devices.
struct DsaDriverParams {
  std::string accel_config;
  bool accel_force;
  unsigned wq_size;
  unsigned shared_threshold;
  unsigned priority;
  std::uint64_t max_transfer;
  unsigned max_batch;
  std::string block_on_fault;
  Ps submit_interval;
  Ps poll_interval;
  Ps enqcmd_time;
  unsigned enqcmd_retries;
  Ps enqcmd_pause;
  unsigned event_log_entries;
  Ps event_read_time;
  Ps record_copy_time;
  Ps record_timeout;
  std::string find_space;

  std::shared_ptr<const AccelConfig> accel;  // what is in the file
  // nullptr: nothing says how to divide this device.
  const AccelDevice* divided(const std::string& device) const;
};

inline const ParamTable<DsaDriverParams>& dsa_driver_params() {
  using P = DsaDriverParams;
  static const ParamTable<P> table =
      ParamTable<P>("Use of DSA devices")
          .text(
              "accel_config", &P::accel_config, "",
              "A file of accel-config save-config, relative to this one, that divides the devices it names "
              "(dsa0 is the component dsa0) into groups, engines and work queues. Of these devices wq_size, "
              "shared_threshold, priority, max_transfer, max_batch and block_on_fault are the file's.",
              "ACCEL load-config")
          .flag("accel_force", &P::accel_force, "false",
                "Whether the device gets what the file says though it will refuse it: its commands end with "
                "an error, which the log of the host tells.",
                "DSA 9.2.12")
          .count("wq_size", &P::wq_size, "16", 1, 65535, "Entries of each work queue.", "MODEL")
          .count(
              "shared_threshold", &P::shared_threshold, "0", 0, 65535,
              "Threshold of shared work queues: with so many entries waiting an ENQCMD is answered Retry; 0: "
              "wq_size.",
              "DSA 3.3")
          .count("priority", &P::priority, "10", 1, 15, "Priority of the work queues.", "LINUX idxd default")
          .bytes("max_transfer", &P::max_transfer, "2 MiB", "1 B", "2 GiB",
                 "Largest transfer of a descriptor; a power of two.", "LINUX idxd default")
          .count("max_batch", &P::max_batch, "32", 2, 32768, "Most descriptors of a batch; a power of two.",
                 "LINUX idxd default")
          .choice("block_on_fault", &P::block_on_fault, "auto", {"auto", "true", "false"},
                  "Whether descriptors wait for the page of a fault; otherwise they end with a partial "
                  "completion, and the process touches the page and submits the rest. auto: on devices with "
                  "page requests.",
                  "DSA 3.13.2")
          .time("submit_interval", &P::submit_interval, "107 ns", "1 ps", "1 ms",
                "Between two descriptors a process submits.",
                "CAL HW: MOVDIR64B of one core to one portal, 9.38 M/s")
          .time("poll_interval", &P::poll_interval, "50 ns", "1 ps", "1 ms",
                "Between two looks of a process at its completion records.", "MODEL")
          .time("enqcmd_time", &P::enqcmd_time, "260 ns", "1 ps", "1 ms",
                "Least time of an ENQCMD, from its begin until the process goes on; longer when the device's "
                "answer takes longer. One at a time per thread.",
                "CAL DA: 558 to 598 cycles, 250 to 290 ns")
          .count("enqcmd_retries", &P::enqcmd_retries, "32", 0, 1000000,
                 "So often an ENQCMD answered Retry is tried again before the submission ends with EAGAIN.",
                 "LINUX IDXD_ENQCMDS_RETRIES")
          .time("enqcmd_pause", &P::enqcmd_pause, "2 us", "1 ps", "1 s",
                "Until a process submits again what ended with EAGAIN.", "MODEL")
          .count("event_log_entries", &P::event_log_entries, "64", 64, 65535,
                 "Entries of a device's event log (version 2).", "LINUX IDXD_EVL_SIZE_MIN")
          .time("event_read_time", &P::event_read_time, "50 ns", "1 ps", "1 ms",
                "For taking one entry out of the event log.", "MODEL")
          .time(
              "record_copy_time", &P::record_copy_time, "200 ns", "1 ps", "1 s",
              "Of a completion record in the event log: from the worker taking it to its bytes behind the "
              "status being in the process's memory, and from there to the status; page faults come on top.",
              "MODEL: kthread_use_mm and a copy")
          .time("record_timeout", &P::record_timeout, "1 ms", "1 ps", "1000 s",
                "How long a process waits for a completion record in a page it gave away; then the operation "
                "counts as failed.",
                "MODEL")
          .choice("find_space", &P::find_space, "driver", {"driver", "iommu"},
                  "How the kernel finds the process of a completion record in the event log: in the driver's "
                  "own table of PASIDs, or by the PASID in the IOMMU layer.",
                  "LINUX drivers/dma/idxd/cdev.c")
          .check([](const P& p, const Complain& bad) {
            if (!is_power_of_two(p.max_batch)) bad("max_batch", "is no power of two");
            if (!is_power_of_two(p.max_transfer)) {
              bad("max_transfer", std::to_string(p.max_transfer) + " B is no power of two");
            }
          });
  return table;
}

// What the kernel says of one device.
struct SvaDeviceParams {
  std::string group;
  std::uint32_t lowest_pasid;
  std::uint32_t highest_pasid;
};

inline const ParamTable<SvaDeviceParams>& sva_device_params() {
  using P = SvaDeviceParams;
  static const ParamTable<P> table =
      ParamTable<P>("Shared virtual addressing of one device")
          .text(
              "group", &P::group, "",
              "Devices with the same text share an IOMMU group, and are refused; empty: a group of its own.",
              "LINUX drivers/iommu/iommu.c")
          .count("lowest_pasid", &P::lowest_pasid, "1", 1, kMaxPasid, "Smallest PASID it can send.", "MODEL")
          .count("highest_pasid", &P::highest_pasid, "1048575", 1, kMaxPasid,
                 "Largest PASID it can send; its IOMMU's PASID width bounds it too.", "LINUX max_pasids")
          .check([](const P& p, const Complain& bad) {
            if (p.lowest_pasid > p.highest_pasid) bad("highest_pasid", "is less than lowest_pasid");
          });
  return table;
}

// Shared virtual addressing of the whole system.
struct SvaParams {
  std::uint32_t lowest_pasid;
  std::uint32_t highest_pasid;
  bool strict;
  unsigned paging_levels;
  bool gigabyte_pages;
  std::map<std::string, SvaDeviceParams> devices;
};

inline const ParamTable<SvaParams>& sva_params() {
  using P = SvaParams;
  static const ParamTable<P> table =
      ParamTable<P>("Shared virtual addressing")
          .count("lowest_pasid", &P::lowest_pasid, "1", 1, kMaxPasid,
                 "Smallest PASID given to an address space; 0 stands for none and is never given out.",
                 "MODEL")
          .count("highest_pasid", &P::highest_pasid, "1048575", 1, kMaxPasid, "Largest one: 20 bits.",
                 "LINUX drivers/iommu/iommu-sva.c")
          .flag(
              "strict", &P::strict, "false",
              "Refuse devices without ATS, as Linux does. Otherwise they are bound too, and processes touch "
              "the pages they use.",
              "MODEL")
          .count("paging_levels", &P::paging_levels, "4", 4, 5,
                 "Levels of the CPUs' page tables; 5 needs an IOMMU that walks them (FS5LP).",
                 "LINUX drivers/iommu/intel/svm.c")
          .flag("gigabyte_pages", &P::gigabyte_pages, "true",
                "Whether the CPUs have 1 GiB pages, which the IOMMU then has to walk too (FS1GP).",
                "LINUX drivers/iommu/intel/svm.c")
          .named_groups("devices", &P::devices, sva_device_params(), "By device.")
          .check([](const P& p, const Complain& bad) {
            if (p.lowest_pasid > p.highest_pasid) bad("highest_pasid", "is less than lowest_pasid");
          });
  return table;
}

// Memory of one more NUMA node.
struct NodeParams {
  std::uint64_t base;
  std::uint64_t size;
};

inline const ParamTable<NodeParams>& node_params() {
  using P = NodeParams;
  static const ParamTable<P> table =
      ParamTable<P>("Memory of a NUMA node")
          .address("base", &P::base, "0x100000000", "First physical address.", "MODEL")
          .bytes("size", &P::size, "1 GiB", "1 MiB", "4096 TiB", "How much.", "MODEL")
          .check([](const P& p, const Complain& bad) {
            if (p.base % kPageSize != 0) bad("base", "not a multiple of 4 KiB");
            if (p.size % kPageSize != 0) bad("size", "not a multiple of 4 KiB");
          });
  return table;
}

// A virtual machine.
struct GuestParams {
  std::string name;
  std::uint64_t memory_size;
  std::string pages;
  Ps exit_time;
  Ps resume_time;
  Ps injection_time;
  Ps answer_timeout;
  FaultHandlerParams faults;

  bool huge() const { return pages == "2 MiB"; }
};

inline const ParamTable<GuestParams>& guest_params() {
  using P = GuestParams;
  static const ParamTable<P> table =
      ParamTable<P>("A virtual machine: its kernel translates over a second stage of the host")
          .text("name", &P::name, "", "Processes say by it that they run in the guest.", "")
          .bytes("memory_size", &P::memory_size, "16 MiB", "1 MiB", "1 TiB",
                 "Its memory, all of it pinned in the host's; part of the host's memory_size.", "MODEL")
          .choice("pages", &P::pages, "4 KiB", {"4 KiB", "2 MiB"}, "Pages of the second stage.",
                  "LINUX drivers/iommu/intel/iommu.c")
          .time("exit_time", &P::exit_time, "4 us", "1 ps", "1 s",
                "From an access of a guest's CPU that leaves for the host to the host's handler of it: exit, "
                "and "
                "wake-up of the user-space machine monitor.",
                "CAL FSX: an invalidation in a nested guest takes 7 to 9 us; the host's own takes 1")
          .time("resume_time", &P::resume_time, "3 us", "1 ps", "1 s",
                "From the end of what the host does at an exit to the guest's CPU going on.",
                "CAL FSX: as above")
          .time("injection_time", &P::injection_time, "5 us", "1 ps", "1 s",
                "From the host's page request thread finding a group to the guest's: the machine monitor is "
                "woken, writes the guest's queue and injects an interrupt.",
                "MODEL: a wake-up in the host and an interrupt in the guest")
          .time("answer_timeout", &P::answer_timeout, "10 ms", "1 ps", "1000 s",
                "A group that the guest has not answered after this time is answered Invalid Request by the "
                "host.",
                "MODEL")
          .group("faults", &P::faults, fault_handler_params(), "Device page faults in the guest.")
          .check([](const P& p, const Complain& bad) {
            if (p.name.empty()) bad("name", "a guest needs a name");
            if (p.memory_size % (p.huge() ? std::uint64_t{2} << 20U : kPageSize) != 0) {
              bad("memory_size", "is not a multiple of " + p.pages);
            }
          });
  return table;
}

struct HostParams {
  std::string bus;
  std::vector<std::string> iommus;
  std::vector<std::string> devices;
  std::uint64_t memory_base;
  std::uint64_t memory_size;
  Ps interrupt_latency;
  Ps register_interval;
  Ps munmap_time;
  Ps munmap_page_time;
  Ps page_fault_time;
  Ps fork_time;
  bool teardown;
  std::vector<NodeParams> nodes;
  SvaParams sva;
  InvalidationParams invalidation;
  FaultHandlerParams faults;
  DsaDriverParams dsa;
  std::vector<GuestParams> guests;
  DmaParams dma;
  IommufdParams iommufd;
  VfioParams vfio;
  std::vector<ProcessParams> processes;
};

// That ranges of memory lie apart, and names of devices are known.
void check_places(const HostParams& host, const Complain& bad);
// That the processes fit what the host has, and that every step finds what it needs.
void check_workload(const HostParams& host, const Complain& bad);

inline const ParamTable<HostParams>& host_params() {
  using P = HostParams;
  static const ParamTable<P> table =
      ParamTable<P>("Host: operating system, drivers and processes")
          .ref("bus", &P::bus, "bus", Ref::kRequired, "The memory bus its CPUs are on.")
          .refs("iommus", &P::iommus, "iommu", Ref::kRequired, "The IOMMUs its driver runs.")
          .refs("devices", &P::devices, "dsa", Ref::kOptional, "The DSA devices its driver runs.")
          .address("memory_base", &P::memory_base, "0x100000",
                   "First physical address the operating system may use.", "MODEL")
          .bytes("memory_size", &P::memory_size, "1 GiB", "1 MiB", "4096 TiB",
                 "Memory it may use from there; only what is used takes host memory.", "MODEL")
          .time("interrupt_latency", &P::interrupt_latency, "3 us", "1 ps", "1 s",
                "From an interrupt message at the CPU to the first instruction of the handler thread.",
                "MODEL: interrupt and thread wake-up, guessed at 2 to 5 us")
          .time("register_interval", &P::register_interval, "10 ns", "1 ps", "1 ms",
                "Between two register accesses of the CPUs.", "MODEL")
          .time("munmap_time", &P::munmap_time, "1 us", "1 ps", "1 s",
                "From the call of munmap to the page-table entries being cleared, besides munmap_page_time.",
                "MODEL")
          .time("munmap_page_time", &P::munmap_page_time, "30 ns", "0 ps", "1 s",
                "More for each page of the area.", "MODEL")
          .time("page_fault_time", &P::page_fault_time, "1 us", "1 ps", "1 s",
                "From a process touching a page that is not in memory to its entry in the page table. "
                "Processes touch what a device without page requests needs.",
                "MODEL: a minor page fault, 0.5 to 1 us, with zeroing")
          .time("fork_time", &P::fork_time, "50 us", "1 ps", "1 s",
                "From the call of fork to the page tables being copied.", "MODEL")
          .flag("teardown", &P::teardown, "true",
                "At the end the processes exit: work queues are disabled, PASIDs unbound and drained, memory "
                "freed.",
                "MODEL")
          .groups("nodes", &P::nodes, node_params(),
                  "Further NUMA nodes, numbered from 1; memory_base and memory_size are node 0.")
          .group("sva", &P::sva, sva_params(), "Shared virtual addressing.")
          .group("invalidation", &P::invalidation, invalidation_params(), "Invalidation queue.")
          .group("faults", &P::faults, fault_handler_params(), "Device page faults.")
          .group("dsa", &P::dsa, dsa_driver_params(), "DSA devices.")
          .groups("guests", &P::guests, guest_params(), "Virtual machines on the host.")
          .group("dma", &P::dma, dma_params(), "Domains of the DMA API.")
          .group("iommufd", &P::iommufd, iommufd_params(), "Devices that user space drives.")
          .group("vfio", &P::vfio, vfio_params(), "Memory of devices that others map.")
          .groups("processes", &P::processes, process_params(), "The workload: what runs on the host.")
          .check([](const P& p, const Complain& bad) {
            if (p.memory_base % kPageSize != 0) {
              bad("memory_base", "not a multiple of 4 KiB");
            }
            if (p.memory_size % kPageSize != 0) {
              bad("memory_size", "not a multiple of 4 KiB");
            }
            check_places(p, bad);
            check_workload(p, bad);
          });
  return table;
}

}  // namespace svasim
