// A virtual machine and the kernel in it.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "models/formats/page_table_format.h"
#include "models/host/guest_machine.h"
#include "models/host/guest_memory.h"
#include "models/host/io_domain.h"
#include "models/host/process_kernel.h"
#include "models/host/virtual_iommu.h"

namespace svasim {

// What the guest's kernel runs on.
struct GuestHardware {
  GuestHardware(const VirtualIommu::Host& host, PageAllocator& host_pages, const GuestParams& own,
                const Platform& platform, DomainId id, GuestStats& stats);

  GuestParams vm;
  GuestMachine guest_machine;
  PageTableFormat second_stage;
  IoDomain domain;
  GuestMemory guest_memory;
  VirtualIommu iommu;
  PageFaultLog no_journeys;  // the host's log knows groups by the device's numbers
};

// Its kernel is the host's, on guest-physical memory. Devices are the host's: work queues are given to the
// guest's processes, and their portals mapped; enabling one with a PASID exits to the host.
// MODEL: the guest's kernel has the host's times (of munmap, fork, ...) and its own fault handlers.
class Guest : private GuestHardware, public ProcessKernel {
 public:
  using Task = Machine::Task;

  // processes: those of this guest.
  Guest(const Ground& ground, const HostParams& params, const GuestParams& own,
        const std::vector<ProcessParams>& processes, const Platform& platform,
        const MakeOpening& make_opening, const VirtualIommu::Host& host, PageAllocator& host_pages,
        DomainId id);

  const std::string& guest_name() const { return vm.name; }

  // devices: as the host knows them. `ended` when its processes have ended, or it has been destroyed, and
  // its memory is the host's again (with host.teardown).
  void run(const std::vector<SvaDeviceInfo>& devices, Task ended);
  // Stops it at once and takes everything back; kNoEntry when it has ended.
  void destroy(Result result);

  std::uint64_t work_done() const { return programs_done(); }
  std::uint64_t work_total() const { return programs_total(); }
  std::uint64_t in_flight() const;
  void dump_in_flight(std::ostream& out) const;
  using ProcessKernel::note_left_steps;

  // Kernel.
  Guest* guest() override { return this; }
  // A guest knows of no other.
  void destroy_guest(const std::string& /*name*/, Result result) override { result(Errno::kAccess); }

  // What its kernel and the host do about its memory; `pages` is how many.
  using Moved = std::function<void(Errno error, std::uint64_t pages)>;
  // The balloon driver gives free pages of the guest to the host. kNoMemory, and none, when it has too few.
  void inflate(std::uint64_t count, Moved moved);
  // And takes them back, the last ones first.
  void deflate(std::uint64_t count, Moved moved);
  // The host takes the pages of a part of an address space, although the guest uses them.
  void evict(const ProcessMemory& space, AddressSpan span, Moved moved);
  // The host moves them to other memory of its own.
  void migrate(const ProcessMemory& space, AddressSpan span, Moved moved);

 private:
  enum class State { kRunning, kEnding, kGone };

  // ProcessKernel.
  void open_queue(Opening& opening, Task done) override;
  void close_queue(Opening& opening, Task done) override;

  // Stops it, closes what is open, detaches, gives memory back.
  void end(Task done);
  void close_queues(Task done);

  // In the host.
  void take(const std::vector<Addr>& pages, const Task& answered, const Moved& moved);
  static std::vector<Addr> guest_pages(const ProcessMemory& space, AddressSpan span);

  PageAllocator& host_pages_;
  Task over_;
  State state_ = State::kRunning;
  std::vector<Opening*> enabled_;  // work queues that the device has enabled for it
  std::vector<Addr> balloon_;
};

}  // namespace svasim
