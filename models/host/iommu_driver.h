// Driver of one IOMMU: set-up, translation structures, invalidation, faults.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "models/formats/page_table_format.h"
#include "models/formats/vtd_registers.h"
#include "models/host/address_span.h"
#include "models/host/host_params.h"
#include "models/host/host_stats.h"
#include "models/host/invalidation_queue.h"
#include "models/host/io_translation.h"
#include "models/host/machine.h"
#include "models/host/page_allocator.h"
#include "models/host/page_request_thread.h"
#include "models/host/script.h"
#include "models/host/translation_tables.h"

namespace svasim {

// The smallest aligned power of two of bytes, at least a page, that covers [start, end).
struct InvalidationCover {
  Addr start;
  unsigned shift;  // 64: everything
};
InvalidationCover cover_of(Addr start, Addr end);

// Scalable mode. SPEC: [VTD 6, 7, 9, 11], [LINUX drivers/iommu/intel]
class IommuDriver {
 public:
  using Task = Machine::Task;
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

  // Translates the device's requests with this PASID; kNoPasid: those without one. `done` when the device
  // sees the change.
  void bind(RequesterId device, Pasid pasid, const IoTranslation& translation, Task done);
  // Another translation in place of the one it has.
  void replace(RequesterId device, Pasid pasid, const IoTranslation& translation, Task done);
  // Afterwards no translation of the PASID and no page request is left anywhere.
  void unbind(RequesterId device, Pasid pasid, Task done);
  // The process has exited but its device is still active: translations go and its faults are not recorded
  // (FPD). Page requests are not drained; end_silence() does that and frees the entry.
  void silence(RequesterId device, Pasid pasid, Task done);
  void end_silence(RequesterId device, Pasid pasid, Task done);

  // First-stage entries of the span were removed or lost rights: no cache of these devices holds them any
  // more when `done` runs. kEverywhere: of all of the PASID.
  void invalidate_first(DomainId domain, Pasid pasid, AddressSpan span,
                        const std::vector<RequesterId>& devices, Task done);
  // The same of the second stage of a domain. `targets`: who is translated with it; `nested`: those who have
  // a first stage of their own over it, so that all their translations may have gone by the span.
  void invalidate_second(DomainId domain, AddressSpan span, const std::vector<IoTarget>& targets,
                         const std::vector<IoTarget>& nested, Task done);

  // Lets the device ask for pages, or not any more (PRE).
  void set_page_requests(RequesterId device, bool on, Task done);

  // Answers a page request group; `done` when the IOMMU has taken it.
  void respond(const PageRequest& last, PageResponseCode code, Task done);

  // That it walks the CPUs' tables: SPEC: [LINUX intel_svm_check].
  bool walks(unsigned levels, bool gigabyte_pages) const;
  // That it walks a first stage of so many levels over a second one of 4 levels, with pages of 2 MiB if
  // `huge`.
  bool nests(unsigned levels, bool huge) const;
  // What the IOMMU would have to offer to translate so, and does not; nullptr: nothing.
  const char* lacks(const IoTranslation& translation) const;
  // The second-stage tables it walks, with as many levels as it can up to 4, and the width of their input.
  PageTableFormat second_stage() const;
  unsigned second_stage_bits() const { return static_cast<unsigned>(VtdCap::MGAW::get(cap_)) + 1; }
  bool can_pass_through() const { return VtdEcap::PT::get(ecap_) != 0; }
  std::uint32_t pasid_limit() const { return std::uint32_t{1} << pasid_bits_; }
  const std::string& name() const { return name_; }

  std::uint64_t in_flight() const { return queue_.outstanding(); }
  void dump_in_flight(std::ostream& out) const { queue_.dump(name_, out); }

 private:
  Addr reg(std::uint32_t offset) const { return registers_ + offset; }
  void check_capabilities(Devices devices);
  void program_event(Script& script, std::uint32_t control, const InterruptMessage& message);
  void command(Script& script, std::uint32_t bit);
  const IoTranslation& translation_of(RequesterId device, Pasid pasid) const;
  std::vector<InvalidationDescriptor> all_translations(RequesterId device, Pasid pasid) const;
  // WHY not for all: nobody would answer for a device without ATC.
  void add_device_tlb(std::vector<InvalidationDescriptor>& descriptors, IoTarget target, Addr start,
                      unsigned shift) const;
  // Takes P, and with it everything cached; `set` are bits to leave in the entry.
  void take_entry(Script& script, RequesterId device, Pasid pasid, std::uint64_t set);
  // Writes an entry that is not present.
  void set_entry(RequesterId device, Pasid pasid, const IoTranslation& translation, Task done);
  // Frees the entry and waits until no page request of the PASID is anywhere.
  void free_entry(Script& script, RequesterId device, Pasid pasid);
  void drain(RequesterId device, Pasid pasid, const Task& next);

  // Fault thread.
  void on_fault_event();
  void read_fault_record(unsigned index, unsigned left);
  void faults_read();
  // A device did not complete an invalidate request: it gets no translations any more.
  void cut_off(RequesterId device, Addr queue_head);

  std::string name_;
  unsigned index_;
  Machine& machine_;
  Addr registers_;
  HostParams params_;
  HostStats& stats_;
  HostLog& log_;
  InvalidationQueue queue_;
  TranslationTables tables_;
  PageRequestThread page_requests_;
  PageRequestSink* sink_ = nullptr;

  bool usable_ = false;
  std::uint64_t cap_ = 0;
  std::uint64_t ecap_ = 0;
  unsigned pasid_bits_ = 0;
  std::uint32_t status_ = 0;  // GSTS as last seen
  std::map<IoTarget, IoTranslation> bindings_;
  std::uint32_t fault_status_ = 0;
};

}  // namespace svasim
