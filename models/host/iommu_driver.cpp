#include "models/host/iommu_driver.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "models/formats/ats_messages.h"
#include "models/formats/vtd_registers.h"

namespace svasim {

IommuDriver::IommuDriver(std::string name, unsigned index, Machine& machine, PageAllocator& pages,
                         Addr registers, const HostParams& params, HostStats& stats, HostLog& log)
    : name_(std::move(name)),
      index_(index),
      machine_(machine),
      pages_(pages),
      registers_(registers),
      params_(params),
      stats_(stats),
      log_(log),
      queue_(machine, pages, registers, params.invalidation.order, params.invalidation, stats) {
  root_ = zeroed_pages(1);
  page_request_bytes_ = VtdPqa::bytes(params.faults.queue_order);
  page_requests_ = zeroed_pages(page_request_bytes_ / kPageSize);
}

Addr IommuDriver::zeroed_pages(std::uint64_t count) {
  const Addr pages = pages_.needed(pages_.allocate_contiguous(count), "the structures of an IOMMU");
  for (std::uint64_t i = 0; i < count; ++i) {
    machine_.memory().zero_page(pages + i * kPageSize);
  }
  return pages;
}

// --- set-up ---

// SPEC: [VTD 11.4.4.1]: one command at a time, the persistent status bits written back with it.
void IommuDriver::command(Script& script, std::uint32_t bit) {
  script
      .read(reg(vtd_reg::kGsts), 4,
            [this](std::uint64_t value) { status_ = static_cast<std::uint32_t>(value); })
      .call([this, bit] {
        machine_.write_register32(reg(vtd_reg::kGcmd), (status_ & VtdGcmd::kKeptStatus) | bit);
      })
      .poll32(reg(vtd_reg::kGsts), bit, bit);
}

void IommuDriver::program_event(Script& script, std::uint32_t control, const InterruptMessage& message) {
  script.write32(reg(control + 4), message.data)
      .write32(reg(control + 8), static_cast<std::uint32_t>(message.address))
      .write32(reg(control + 12), static_cast<std::uint32_t>(message.address >> 32U))
      .write32(reg(control), 0);
}

void IommuDriver::check_capabilities(Devices devices) {
  const auto need = [this](bool there, const char* what) {
    if (!there) {
      log_.push_back(name_ + ": the IOMMU does not offer " + what);
      usable_ = false;
    }
  };
  usable_ = true;
  need(VtdEcap::QI::get(ecap_), "queued invalidation");
  need(VtdEcap::SMTS::get(ecap_), "scalable mode");
  need(VtdEcap::FSTS::get(ecap_), "first-stage translation");
  need(VtdEcap::PASID::get(ecap_), "PASIDs");
  need(VtdEcap::DT::get(ecap_) || !devices.ats, "device TLBs");
  need(VtdEcap::PRS::get(ecap_) || !devices.page_requests, "page requests");
  pasid_bits_ = static_cast<unsigned>(VtdEcap::PSS::get(ecap_)) + 1;
}

bool IommuDriver::walks(unsigned levels, bool gigabyte_pages) const {
  return (!gigabyte_pages || VtdCap::FS1GP::get(cap_) != 0) && (levels == 4 || VtdCap::FS5LP::get(cap_) != 0);
}

// SPEC: [VTD 7.5]
void IommuDriver::set_up_page_requests(const InterruptMessage& message, const Task& next) {
  if (VtdEcap::PRS::get(ecap_) == 0) {
    next();
    return;
  }
  Script script(machine_);
  script.write64(reg(vtd_reg::kPqh), 0)
      .write64(reg(vtd_reg::kPqt), 0)
      .write64(reg(vtd_reg::kPqa),
               VtdPqa::PQA::in_place(page_requests_) | VtdPqa::PQS::make(params_.faults.queue_order));
  program_event(script, vtd_reg::kPectl, message);
  script.run(next);
}

void IommuDriver::start(PageRequestSink& sink, Devices devices, Task done) {
  sink_ = &sink;
  const InterruptMessage fault = machine_.add_interrupt([this] { on_fault_event(); });
  const InterruptMessage wait = machine_.add_interrupt([this] { queue_.on_event(); });
  const InterruptMessage request = machine_.add_interrupt([this] { on_page_request_event(); });
  Script script(machine_);
  script.read(reg(vtd_reg::kCap), 8, [this](std::uint64_t value) { cap_ = value; })
      .read(reg(vtd_reg::kEcap), 8, [this](std::uint64_t value) { ecap_ = value; })
      .step([this, devices, done](const Task& next) {
        check_capabilities(devices);
        usable_ ? next() : done();
      });
  program_event(script, vtd_reg::kFectl, fault);
  program_event(script, vtd_reg::kIectl, wait);
  // Invalidation queue. SPEC: [VTD 6.5.2]
  script.write64(reg(vtd_reg::kIqt), 0).write64(reg(vtd_reg::kIqa), queue_.iqa());
  command(script, static_cast<std::uint32_t>(VtdGcmd::QIE::kMask));
  script.step([this, request](const Task& next) { set_up_page_requests(request, next); });
  // Root table, and nothing cached from before. SPEC: [VTD 6.6, 11.4.5]
  script.write64(reg(vtd_reg::kRtaddr),
                 VtdRtaddr::RTA::in_place(root_) |
                     VtdRtaddr::TTM::make(static_cast<std::uint64_t>(TranslationMode::kScalable)));
  command(script, static_cast<std::uint32_t>(VtdGcmd::SRTP::kMask));
  script.step([this](const Task& next) {
    queue_.submit({make_context_cache(ContextGranularity::kGlobal),
                   make_pasid_cache(PasidCacheGranularity::kGlobal), make_iotlb_global()},
                  next);
  });
  command(script, static_cast<std::uint32_t>(VtdGcmd::TE::kMask));
  script.run(std::move(done));
}

// --- translation structures ---

// SPEC: [VTD 9]: hardware may read an entry in pieces, so P is written last.
void IommuDriver::set_entry(Addr entry, const Words<8>& words) {
  PhysicalMemory& memory = machine_.memory();
  for (std::size_t i = words.size(); i-- > 0;) {
    memory.write64(entry + i * sizeof(std::uint64_t), words[i]);
  }
}

void IommuDriver::attach(RequesterId id, Devices can, Task done) {
  PhysicalMemory& memory = machine_.memory();
  using Root = ScalableRootEntry;
  const Addr root_half = Root::address(root_, id) + Root::half(id) * sizeof(std::uint64_t);
  Addr contexts = Root::LCTP::Bits::in_place(memory.read64(root_half));
  if (contexts == 0) {
    contexts = zeroed_pages(1);
    memory.write64(root_half, contexts | Root::LP::kMask);
  }
  Device& device = devices_[id];
  device.ats = can.ats;
  const std::uint64_t directory_bits = std::max(pasid_bits_, 13U) - 6;
  device.directory = zeroed_pages(
      ((std::uint64_t{1} << directory_bits) * PasidDirectoryEntry::kBytes + kPageSize - 1) / kPageSize);
  Words<4> context{};
  using Context = ScalableContextEntry;
  Context::P::set(context, 1);
  Context::DTE::set(context, can.ats);
  Context::PASIDE::set(context, 1);
  Context::PRE::set(context, can.page_requests);
  Context::PDTS::set(context, directory_bits - 7);
  Context::PASIDDIRPTR::set_in_place(context, device.directory);
  const Addr entry = Context::address(contexts, id);
  device.context = entry;
  for (std::size_t i = context.size(); i-- > 0;) {
    memory.write64(entry + i * sizeof(std::uint64_t), context[i]);
  }
  // SPEC: [VTD 6.1, Table 28]: not present -> present needs nothing unless faults are cached (CM).
  if (VtdCap::CM::get(cap_) == 0) {
    machine_.after(1, std::move(done));
    return;
  }
  queue_.submit({make_context_cache(ContextGranularity::kDevice, {}, id),
                 make_pasid_cache(PasidCacheGranularity::kGlobal), make_iotlb_global()},
                std::move(done));
}

Addr IommuDriver::pasid_entry(RequesterId id, Pasid pasid) {
  Device& device = devices_.at(id);
  const std::uint32_t index = pasid.value() >> 6U;
  Addr& table = device.tables[index];
  if (table == 0) {
    table = zeroed_pages(1);
    machine_.memory().write64(PasidDirectoryEntry::address(device.directory, pasid),
                              table | PasidDirectoryEntry::P::kMask);
  }
  return PasidTableEntry::address(table, pasid);
}

// SPEC: [VTD 9.6], [LINUX intel_pasid_setup_first_level]
void IommuDriver::bind(RequesterId device, Pasid pasid, Addr table, Task done) {
  using Entry = PasidTableEntry;
  Words<8> entry{};
  Entry::P::set(entry, 1);
  Entry::PGTT::set(entry, static_cast<std::uint64_t>(PasidGranularTranslation::kFirstStage));
  Entry::DID::set(entry, kSharedDomain.value());
  Entry::PWSNP::set(entry, VtdEcap::SMPWCS::get(ecap_));
  Entry::FSPM::set(entry,
                   static_cast<std::uint64_t>(params_.sva.paging_levels == 5 ? FirstStageMode::k5Level
                                                                             : FirstStageMode::k4Level));
  Entry::FSPTPTR::set_in_place(entry, table);
  set_entry(pasid_entry(device, pasid), entry);
  stats_.binds.add();
  if (VtdCap::CM::get(cap_) == 0) {
    machine_.after(1, std::move(done));
    return;
  }
  queue_.submit({make_pasid_cache(PasidCacheGranularity::kPasid, kSharedDomain, pasid),
                 make_pasid_iotlb_pasid(kSharedDomain, pasid)},
                std::move(done));
}

std::vector<InvalidationDescriptor> IommuDriver::all_translations(RequesterId device, Pasid pasid) const {
  const AtsRange all = encode_range(0, 64);
  std::vector<InvalidationDescriptor> descriptors = {make_pasid_iotlb_pasid(kSharedDomain, pasid)};
  // WHY: nobody would answer a device-TLB invalidation of a device without ATC.
  if (devices_.at(device).ats)
    descriptors.push_back(make_pasid_device_tlb(device, pasid, all.address, all.size_bit, 0));
  return descriptors;
}

// SPEC: [VTD 6.5.3.3], [LINUX intel_pasid_tear_down_entry]: P goes first, the rest of the entry only when
// nobody can still read it.
void IommuDriver::take_entry(Script& script, RequesterId device, Pasid pasid, std::uint64_t set) {
  const Addr entry = pasid_entry(device, pasid);
  PhysicalMemory& memory = machine_.memory();
  memory.write64(entry, (memory.read64(entry) & ~PasidTableEntry::P::kMask) | set);
  std::vector<InvalidationDescriptor> everything = all_translations(device, pasid);
  everything.insert(everything.begin(),
                    make_pasid_cache(PasidCacheGranularity::kPasid, kSharedDomain, pasid));
  script.step([this, everything](const Task& next) { queue_.submit(everything, next); });
}

void IommuDriver::free_entry(Script& script, RequesterId device, Pasid pasid) {
  const Addr entry = pasid_entry(device, pasid);
  script.call([this, entry] { set_entry(entry, Words<8>{}); })
      .step([this, device, pasid](const Task& next) { drain(device, pasid, next); })
      .call([this] { stats_.unbinds.add(); });
}

// SPEC: [VTD 7.10], [LINUX intel_drain_pasid_prq]: what is in the queue, what is being handled, what is on
// its way; once more if requests were lost meanwhile.
void IommuDriver::drain(RequesterId device, Pasid pasid, const Task& next) {
  Script script(machine_);
  const bool page_requests = VtdEcap::PRS::get(ecap_) != 0;
  if (page_requests) {
    script.step([=](const Task& scanned) { scan_queue(device, pasid, scanned); })
        .step([this](const Task& handled) { sink_->flush(index_, handled); });
  }
  script.step([=](const Task& drained) {
    queue_.submit(all_translations(device, pasid), drained, page_requests, true);
  });
  script.run([=] {
    if (!page_requests) {
      next();
      return;
    }
    machine_.read_register(reg(vtd_reg::kPrs), 4, [=](std::uint64_t status) {
      VtdPrs::PRO::get(status) != 0 ? drain(device, pasid, next) : next();
    });
  });
}

void IommuDriver::scan_queue(RequesterId device, Pasid pasid, const Task& next) {
  machine_.read_register(reg(vtd_reg::kPqt), 8, [=](std::uint64_t tail) {
    machine_.read_register(reg(vtd_reg::kPqh), 8, [=](std::uint64_t head) {
      const std::uint64_t end = VtdPqTail::OFFSET::in_place(tail);
      for (std::uint64_t at = VtdPqHead::OFFSET::in_place(head); at != end;
           at = (at + kPageRequestDescriptorBytes) & (page_request_bytes_ - 1)) {
        PageRequestDescriptor descriptor{};
        machine_.memory().read(page_requests_ + at, descriptor.data(), sizeof descriptor);
        const PageRequest request = decode_page_request(descriptor);
        if (request.requester == device && request.has_pasid && request.pasid == pasid) {
          machine_.after(params_.faults.queue_read_time, [=] { scan_queue(device, pasid, next); });
          return;
        }
      }
      next();
    });
  });
}

void IommuDriver::unbind(RequesterId device, Pasid pasid, Task done) {
  Script script(machine_);
  take_entry(script, device, pasid, 0);
  free_entry(script, device, pasid);
  script.run(std::move(done));
}

// SPEC: [LINUX intel_mm_release, intel_pasid_tear_down_entry(fault_ignore)]
void IommuDriver::silence(RequesterId device, Pasid pasid, Task done) {
  Script script(machine_);
  take_entry(script, device, pasid, PasidTableEntry::FPD::kMask);
  script.run(std::move(done));
}

void IommuDriver::end_silence(RequesterId device, Pasid pasid, Task done) {
  Script script(machine_);
  free_entry(script, device, pasid);
  script.run(std::move(done));
}

// SPEC: [VTD 6.5.2.5, 6.5.2.8], [LINUX cache.c calculate_psi_aligned_address]
InvalidationCover cover_of(Addr start, Addr end) {
  SVASIM_CHECK(end > start, "an empty range is invalidated");
  unsigned shift = kPageShift;
  while (shift < 64 && (start >> shift) != ((end - 1) >> shift)) {
    ++shift;
  }
  return {shift < 64 ? start & mask_between(63, shift) : 0, shift};
}

// IH is 0 because tables may go as well.
void IommuDriver::invalidate(Pasid pasid, Addr first, Addr end, const std::vector<RequesterId>& devices,
                             Task done) {
  const auto [start, shift] = cover_of(first, end);
  if (shift == 64) {
    invalidate_all(pasid, devices, std::move(done));
    return;
  }
  std::vector<InvalidationDescriptor> descriptors;
  descriptors.push_back(make_pasid_iotlb_page(kSharedDomain, pasid, start, shift - kPageShift));
  const AtsRange range = encode_range(start, shift);
  for (const RequesterId device : devices) {
    if (devices_.at(device).ats)
      descriptors.push_back(make_pasid_device_tlb(device, pasid, range.address, range.size_bit, 0));
  }
  queue_.submit(descriptors, std::move(done));
}

void IommuDriver::invalidate_all(Pasid pasid, const std::vector<RequesterId>& devices, Task done) {
  std::vector<InvalidationDescriptor> descriptors = {make_pasid_iotlb_pasid(kSharedDomain, pasid)};
  const AtsRange all = encode_range(0, 64);
  for (const RequesterId device : devices) {
    if (devices_.at(device).ats)
      descriptors.push_back(make_pasid_device_tlb(device, pasid, all.address, all.size_bit, 0));
  }
  queue_.submit(descriptors, std::move(done));
}

// SPEC: [VTD 6.5.2.1, Table 28]: a present context entry changes.
void IommuDriver::set_page_requests(RequesterId id, bool on, Task done) {
  const Device& device = devices_.at(id);
  PhysicalMemory& memory = machine_.memory();
  const std::uint64_t word = memory.read64(device.context);
  memory.write64(device.context,
                 on ? word | ScalableContextEntry::PRE::kMask : word & ~ScalableContextEntry::PRE::kMask);
  queue_.submit({make_context_cache(ContextGranularity::kDevice, {}, id),
                 make_pasid_cache(PasidCacheGranularity::kGlobal), make_iotlb_global()},
                std::move(done));
}

void IommuDriver::respond(const PageRequest& last, PageResponseCode code, Task done) {
  queue_.submit({make_page_group_response(last.requester, last.has_pasid, last.pasid, last.prg_index, code)},
                std::move(done));
}

// --- page requests, SPEC: [LINUX prq_event_thread] ---

void IommuDriver::on_page_request_event() {
  if (reading_) {
    event_pending_ = true;
    return;
  }
  reading_ = true;
  read_page_requests();
}

void IommuDriver::read_page_requests() {
  // PPR is cleared first: a request that comes later raises the event again.
  machine_.write_register32(reg(vtd_reg::kPrs), static_cast<std::uint32_t>(VtdPrs::PPR::kMask));
  machine_.read_register(reg(vtd_reg::kPqt), 8, [this](std::uint64_t tail) {
    tail_ = VtdPqTail::OFFSET::in_place(tail);
    machine_.read_register(reg(vtd_reg::kPqh), 8, [this](std::uint64_t head) {
      head_ = VtdPqHead::OFFSET::in_place(head);
      take_page_requests();
    });
  });
}

void IommuDriver::take_page_requests() {
  if (head_ == tail_) {
    page_requests_taken();
    return;
  }
  machine_.after(params_.faults.queue_read_time, [this] {
    PageRequestDescriptor descriptor{};
    machine_.memory().read(page_requests_ + head_, descriptor.data(), sizeof descriptor);
    head_ = (head_ + kPageRequestDescriptorBytes) & (page_request_bytes_ - 1);
    stats_.page_requests.add();
    const PageRequest request = decode_page_request(descriptor);
    if (request.is_stop_marker()) {
      // Nobody asked, nobody answers.
    } else if (is_malformed(request) || devices_.count(request.requester) == 0) {
      log_.push_back(fmt::format("{}: malformed page request of {} for {:#x}", name_,
                                 to_string(request.requester), request.page));
      stats_.bad_faults.add();
      if (request.last) {
        respond(request, PageResponseCode::kInvalidRequest, [] {});
      }
    } else if (sink_->page_request(index_, request) != Errno::kNone && request.last) {
      respond(request, PageResponseCode::kInvalidRequest, [] {});
    }
    take_page_requests();
  });
}

// SPEC: [LINUX prq_event_thread]: what the driver answers itself.
bool IommuDriver::is_malformed(const PageRequest& request) const {
  const unsigned sign = params_.sva.paging_levels == 5 ? 56 : 47;
  const Addr upper = request.page >> sign;
  const bool canonical = upper == 0 || upper == ~Addr{0} >> sign;
  return !canonical || (request.privileged && (request.read || request.write)) ||
         (request.execute && request.read);
}

void IommuDriver::page_requests_taken() {
  machine_.write_register64(reg(vtd_reg::kPqh), head_);
  machine_.read_register(reg(vtd_reg::kPrs), 4, [this](std::uint64_t status) {
    if (VtdPrs::PRO::get(status) != 0) {
      check_overflow();
      return;
    }
    reading_ = false;
    if (event_pending_) {
      event_pending_ = false;
      on_page_request_event();
    }
  });
}

// Overflow is cleared only when the queue is empty; what is left of groups then never completes.
void IommuDriver::check_overflow() {
  machine_.read_register(reg(vtd_reg::kPqt), 8, [this](std::uint64_t tail) {
    tail_ = VtdPqTail::OFFSET::in_place(tail);
    if (tail_ != head_) {
      take_page_requests();
      return;
    }
    stats_.overflows.add();
    sink_->page_requests_lost(index_);
    machine_.write_register32(reg(vtd_reg::kPrs), static_cast<std::uint32_t>(VtdPrs::PRO::kMask));
    // WHY once more: a request that came while PRO was set but PPR too raised no event of its own.
    read_page_requests();
  });
}

// --- faults ---

void IommuDriver::on_fault_event() {
  machine_.read_register(reg(vtd_reg::kFsts), 4, [this](std::uint64_t status) {
    fault_status_ = static_cast<std::uint32_t>(status);
    for (const auto& [bit, what] : {std::pair{VtdFsts::IQE::kMask, "invalidation queue error"},
                                    std::pair{VtdFsts::ICE::kMask, "invalidation completion error"},
                                    std::pair{VtdFsts::ITE::kMask, "invalidation time-out"},
                                    std::pair{VtdFsts::PFO::kMask, "fault overflow"}}) {
      if ((status & bit) != 0) {
        log_.push_back(name_ + ": " + what);
      }
    }
    const auto records = static_cast<unsigned>(VtdCap::NFR::get(cap_)) + 1;
    read_fault_record(static_cast<unsigned>(VtdFsts::FRI::get(status)),
                      VtdFsts::PPF::get(status) != 0 ? records : 0);
  });
}

// Errors are cleared last; the queue goes on when ITE is.
void IommuDriver::faults_read() {
  constexpr std::uint64_t kErrors =
      VtdFsts::IQE::kMask | VtdFsts::ICE::kMask | VtdFsts::ITE::kMask | VtdFsts::PFO::kMask;
  const auto clear = [this] {
    machine_.write_register32(reg(vtd_reg::kFsts), fault_status_ & static_cast<std::uint32_t>(kErrors));
  };
  if ((fault_status_ & VtdFsts::ITE::kMask) == 0) {
    return clear();
  }
  machine_.read_register(reg(vtd_reg::kIqercd), 8, [this, clear](std::uint64_t error) {
    machine_.read_register(reg(vtd_reg::kIqh), 8, [this, clear, error](std::uint64_t head) {
      clear();
      cut_off(RequesterId(static_cast<std::uint16_t>(VtdIqercd::ITESID::get(error))), head);
    });
  });
}

// WHY: who does not complete an invalidation may use the old translation for ever. Without DTE its translated
// requests and translation requests are refused, and what it sends untranslated is translated for it.
void IommuDriver::cut_off(RequesterId id, Addr queue_head) {
  const auto found = devices_.find(id);
  if (found != devices_.end() && found->second.ats) {
    found->second.ats = false;
    log_.push_back(
        fmt::format("{}: {} does not complete invalidations; its ATS is off", name_, to_string(id)));
    PhysicalMemory& memory = machine_.memory();
    using Context = ScalableContextEntry;
    Words<4> context{};
    context[0] = memory.read64(found->second.context);
    Context::DTE::set(context, 0);
    Context::PRE::set(context, 0);
    memory.write64(found->second.context, context[0]);
  }
  queue_.restart(queue_head, id, {make_context_cache(ContextGranularity::kDevice, {}, id)});
}

void IommuDriver::read_fault_record(unsigned index, unsigned left) {
  if (left == 0) {
    return faults_read();
  }
  const Addr record = registers_ + VtdCap::FRO::get(cap_) * 16 + index * 16;
  machine_.read_register(record + 8, 8, [this, record, index, left](std::uint64_t high) {
    if (VtdFrcdHigh::F::get(high) == 0) {
      read_fault_record(index, 0);
      return;
    }
    machine_.read_register(record, 8, [this, record, index, left, high](std::uint64_t low) {
      stats_.dma_faults.add();
      log_.push_back(
          fmt::format("{}: fault {:#x} of {}, PASID {}, address {:#x}", name_, VtdFrcdHigh::FR::get(high),
                      to_string(RequesterId(static_cast<std::uint16_t>(VtdFrcdHigh::SID::get(high)))),
                      VtdFrcdHigh::PP::get(high) != 0 ? std::to_string(VtdFrcdHigh::PV::get(high)) : "none",
                      VtdFrcdLow::FI::in_place(low)));
      machine_.write_register32(record + 12, static_cast<std::uint32_t>(VtdFrcdHigh::F::kMask >> 32U));
      const auto records = static_cast<unsigned>(VtdCap::NFR::get(cap_)) + 1;
      read_fault_record((index + 1) % records, left - 1);
    });
  });
}

}  // namespace svasim
