// Driver of one IOMMU: set-up, translation structures, invalidation, faults.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "models/formats/vtd_context.h"
#include "models/formats/vtd_page_request.h"
#include "models/host/errno.h"
#include "models/host/host_params.h"
#include "models/host/host_stats.h"
#include "models/host/invalidation_queue.h"
#include "models/host/machine.h"
#include "models/host/page_allocator.h"
#include "models/host/script.h"

namespace svasim {

// Who handles page requests.
class PageRequestSink {
 public:
  virtual ~PageRequestSink() = default;
  // A request from the queue, in queue order; not a stop marker. Anything but kNone after a last request:
  // nobody will answer, so the driver does.
  virtual Errno page_request(unsigned iommu, const PageRequest& request) = 0;
  // The queue overflowed and is empty now: groups that are not complete never will be.
  virtual void page_requests_lost(unsigned iommu) = 0;
  // Runs `done` when all it was given up to now is handled.
  virtual void flush(unsigned iommu, Machine::Task done) = 0;
};

// What the driver writes to the log, newest last.
using HostLog = std::vector<std::string>;

// The smallest aligned power of two of bytes, at least a page, that covers [start, end).
struct InvalidationCover {
  Addr start;
  unsigned shift;  // 64: everything
};
InvalidationCover cover_of(Addr start, Addr end);

// Scalable mode, first-stage translation of shared address spaces. SPEC: [VTD 6, 7, 9, 11],
// [LINUX drivers/iommu/intel]
class IommuDriver {
 public:
  using Task = Machine::Task;
  // All first-stage entries share one domain. SPEC: [VTD 6.2.3.1], [LINUX FLPT_DEFAULT_DID]
  static constexpr DomainId kSharedDomain{1};

  // index: which of the host's IOMMUs this is.
  IommuDriver(std::string name, unsigned index, Machine& machine, PageAllocator& pages, Addr registers,
              const HostParams& params, HostStats& stats, HostLog& log);

  // What its devices can do, and so the IOMMU has to.
  struct Devices {
    bool ats = false;
    bool page_requests = false;
  };
  // Enables queues, events and translation. `sink` gets the page requests.
  void start(PageRequestSink& sink, Devices devices, Task done);
  bool usable() const { return usable_; }

  // Lets the device send requests with PASIDs: accesses, and those of `can`.
  void attach(RequesterId device, Devices can, Task done);

  // Binds an address space, `table` being its top table. Both ends with the device seeing the change.
  void bind(RequesterId device, Pasid pasid, Addr table, Task done);
  // Afterwards no translation of the PASID and no page request is left anywhere.
  void unbind(RequesterId device, Pasid pasid, Task done);
  // The process has exited but its device is still active: translations go and its faults are not recorded
  // (FPD). Page requests are not drained; end_silence() does that and frees the entry.
  void silence(RequesterId device, Pasid pasid, Task done);
  void end_silence(RequesterId device, Pasid pasid, Task done);

  // Page-table entries of [start, end) were removed: no cache of these devices holds them any more
  // when `done` runs.
  void invalidate(Pasid pasid, Addr start, Addr end, const std::vector<RequesterId>& devices, Task done);
  // The same for all of the PASID.
  void invalidate_all(Pasid pasid, const std::vector<RequesterId>& devices, Task done);

  // Lets the device ask for pages, or not any more (PRE).
  void set_page_requests(RequesterId device, bool on, Task done);

  // Answers a page request group; `done` when the IOMMU has taken it.
  void respond(const PageRequest& last, PageResponseCode code, Task done);

  // That it walks the CPUs' tables: SPEC: [LINUX intel_svm_check].
  bool walks(unsigned levels, bool gigabyte_pages) const;
  std::uint32_t pasid_limit() const { return std::uint32_t{1} << pasid_bits_; }
  const std::string& name() const { return name_; }

  std::uint64_t in_flight() const { return queue_.outstanding(); }
  void dump_in_flight(std::ostream& out) const { queue_.dump(name_, out); }

 private:
  struct Device {
    bool ats = false;
    Addr context = 0;  // its context entry
    Addr directory = 0;
    std::map<std::uint32_t, Addr> tables;  // PASID tables by directory index
  };

  Addr reg(std::uint32_t offset) const { return registers_ + offset; }
  Addr zeroed_pages(std::uint64_t count);
  void check_capabilities(Devices devices);
  void set_up_page_requests(const InterruptMessage& message, const Task& next);
  void program_event(Script& script, std::uint32_t control, const InterruptMessage& message);
  void command(Script& script, std::uint32_t bit);
  void set_entry(Addr entry, const Words<8>& words);
  Addr pasid_entry(RequesterId device, Pasid pasid);
  std::vector<InvalidationDescriptor> all_translations(RequesterId device, Pasid pasid) const;
  // Takes P, and with it everything cached; `set` are bits to leave in the entry.
  void take_entry(Script& script, RequesterId device, Pasid pasid, std::uint64_t set);
  // Frees the entry and waits until no page request of the PASID is anywhere.
  void free_entry(Script& script, RequesterId device, Pasid pasid);
  void drain(RequesterId device, Pasid pasid, const Task& next);
  void scan_queue(RequesterId device, Pasid pasid, const Task& next);

  // Page request queue thread.
  void on_page_request_event();
  void read_page_requests();
  void take_page_requests();
  void page_requests_taken();
  void check_overflow();
  bool is_malformed(const PageRequest& request) const;

  // Fault thread.
  void on_fault_event();
  void read_fault_record(unsigned index, unsigned left);
  void faults_read();
  // A device did not complete an invalidate request: it gets no translations any more.
  void cut_off(RequesterId device, Addr queue_head);

  std::string name_;
  unsigned index_;
  Machine& machine_;
  PageAllocator& pages_;
  Addr registers_;
  HostParams params_;
  HostStats& stats_;
  HostLog& log_;
  InvalidationQueue queue_;
  PageRequestSink* sink_ = nullptr;

  bool usable_ = false;
  std::uint64_t cap_ = 0;
  std::uint64_t ecap_ = 0;
  unsigned pasid_bits_ = 0;
  std::uint32_t status_ = 0;  // GSTS as last seen
  Addr root_ = 0;
  std::map<RequesterId, Device> devices_;

  Addr page_requests_ = 0;  // the queue
  std::uint64_t page_request_bytes_ = 0;
  std::uint64_t head_ = 0;
  std::uint64_t tail_ = 0;
  bool reading_ = false;        // the thread runs
  bool event_pending_ = false;  // and has to run again
  std::uint32_t fault_status_ = 0;
};

}  // namespace svasim
