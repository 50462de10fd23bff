#include "models/host/iommu_driver.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "models/formats/ats_messages.h"
#include "models/formats/vtd_second_stage.h"

namespace svasim {

IommuDriver::IommuDriver(std::string name, unsigned index, Machine& machine, PageAllocator& pages,
                         Addr registers, const HostParams& params, HostStats& stats, HostLog& log)
    : name_(std::move(name)),
      index_(index),
      machine_(machine),
      registers_(registers),
      params_(params),
      stats_(stats),
      log_(log),
      queue_(machine, pages, registers, params.invalidation.order, params.invalidation, stats),
      tables_(machine.memory(), pages),
      page_requests_(
          {name_, index_, registers_, [this](RequesterId id) { return tables_.has_device(id); },
           [this](const PageRequest& last) { respond(last, PageResponseCode::kInvalidRequest, [] {}); }},
          machine, pages, params_, stats, log) {}

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

// WHY coherent walks too: the tables are in the CPUs' caches, and hardware has to set A and D in them.
bool IommuDriver::walks(unsigned levels, bool gigabyte_pages) const {
  return VtdEcap::SMPWCS::get(ecap_) != 0 && (!gigabyte_pages || VtdCap::FS1GP::get(cap_) != 0) &&
         (levels == 4 || VtdCap::FS5LP::get(cap_) != 0);
}

bool IommuDriver::nests(unsigned levels, bool huge) const {
  return walks(levels, false) && VtdEcap::NEST::get(ecap_) != 0 && (VtdCap::SAGAW::get(cap_) & 4U) != 0 &&
         (!huge || (VtdCap::SSLPS::get(cap_) & 1U) != 0);
}

// SPEC: [VTD 11.4.2, 11.4.3]
const char* IommuDriver::lacks(const IoTranslation& translation) const {
  using Kind = IoTranslation::Kind;
  const std::uint64_t level = std::uint64_t{1} << (translation.second_levels - 2);
  if (translation.kind == Kind::kPassThrough && VtdEcap::PT::get(ecap_) == 0) return "pass-through (PT)";
  if (translation.has_first() && VtdEcap::FSTS::get(ecap_) == 0) return "first-stage translation (FSTS)";
  if (translation.has_second() && VtdEcap::SSTS::get(ecap_) == 0) return "second-stage translation (SSTS)";
  if (translation.has_second() && (VtdCap::SAGAW::get(cap_) & level) == 0) {
    return "second-stage tables of that height (SAGAW)";
  }
  if (translation.kind == Kind::kNested && VtdEcap::NEST::get(ecap_) == 0) return "nested translation (NEST)";
  if (translation.supervisor && VtdEcap::SRS::get(ecap_) == 0) return "supervisor requests (SRS)";
  return nullptr;
}

PageTableFormat IommuDriver::second_stage() const {
  PageFormatOptions options;
  options.second_stage_2m = (VtdCap::SSLPS::get(cap_) & VtdCap::kSslps2M) != 0;
  options.second_stage_1g = (VtdCap::SSLPS::get(cap_) & VtdCap::kSslps1G) != 0;
  return make_vtd_second_stage((VtdCap::SAGAW::get(cap_) & VtdCap::kSagaw4Level) != 0 ? 4 : 3, options);
}

void IommuDriver::start(PageRequestSink& sink, Devices devices, Task done) {
  sink_ = &sink;
  const InterruptMessage fault = machine_.add_interrupt([this] { on_fault_event(); });
  const InterruptMessage wait = machine_.add_interrupt([this] { queue_.on_event(); });
  const InterruptMessage request = machine_.add_interrupt([this] { page_requests_.on_event(); });
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
  script.step([this, request](const Task& next) {
    Script set_up(machine_);
    if (VtdEcap::PRS::get(ecap_) != 0) {
      page_requests_.set_up(set_up, *sink_);
      program_event(set_up, vtd_reg::kPectl, request);
    }
    set_up.run(next);
  });
  // Root table, and nothing cached from before. SPEC: [VTD 6.6, 11.4.5]
  script.write64(reg(vtd_reg::kRtaddr),
                 VtdRtaddr::RTA::in_place(tables_.root()) |
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

void IommuDriver::attach(RequesterId id, Devices can, Task done) {
  tables_.add_device(id, can.ats, can.page_requests, pasid_bits_);
  // SPEC: [VTD 6.1, Table 28]: not present -> present needs nothing unless faults are cached (CM).
  if (VtdCap::CM::get(cap_) == 0) {
    machine_.after(1, std::move(done));
    return;
  }
  queue_.submit({make_context_cache(ContextGranularity::kDevice, {}, id),
                 make_pasid_cache(PasidCacheGranularity::kGlobal), make_iotlb_global()},
                std::move(done));
}

void IommuDriver::bind(RequesterId device, Pasid pasid, const IoTranslation& translation, Task done) {
  const auto [binding, fresh] = bindings_.insert({{device, pasid}, translation});
  SVASIM_CHECK(fresh, "a PASID of a device is bound twice");
  if (pasid != kNoPasid) stats_.binds.add();  // requests without PASID have no address space
  set_entry(device, pasid, translation, std::move(done));
}

void IommuDriver::set_entry(RequesterId device, Pasid pasid, const IoTranslation& translation, Task done) {
  tables_.set(device, pasid, translation, VtdEcap::SMPWCS::get(ecap_) != 0);
  if (VtdCap::CM::get(cap_) == 0) {
    machine_.after(1, std::move(done));
    return;
  }
  const std::vector<InvalidationDescriptor> descriptors = {
      make_pasid_cache(PasidCacheGranularity::kPasid, translation.domain, pasid),
      translation.has_first() ? make_pasid_iotlb_pasid(translation.domain, pasid)
                              : make_iotlb_domain(translation.domain)};
  queue_.submit(descriptors, std::move(done));
}

// SPEC: [LINUX drivers/iommu/intel/pasid.c] P is a hand-over bit: other fields change only when nobody can
// still read them. MODEL: so requests fault in between, where Linux writes the entry at once.
void IommuDriver::replace(RequesterId device, Pasid pasid, const IoTranslation& translation, Task done) {
  Script script(machine_);
  take_entry(script, device, pasid, 0);
  script.step([=](const Task& next) {
    bindings_.at({device, pasid}) = translation;
    set_entry(device, pasid, translation, next);
  });
  script.run(std::move(done));
}

const IoTranslation& IommuDriver::translation_of(RequesterId device, Pasid pasid) const {
  const auto found = bindings_.find({device, pasid});
  SVASIM_CHECK(found != bindings_.end(), "a PASID is unbound that was not bound");
  return found->second;
}

void IommuDriver::add_device_tlb(std::vector<InvalidationDescriptor>& descriptors, IoTarget target,
                                 Addr start, unsigned shift) const {
  if (!tables_.has_ats(target.device)) {
    return;
  }
  const AtsRange range = encode_range(start, shift);
  descriptors.push_back(
      target.pasid == kNoPasid
          ? make_device_tlb(target.device, range.address, range.size_bit, 0)
          : make_pasid_device_tlb(target.device, target.pasid, range.address, range.size_bit, 0));
}

// SPEC: [VTD 6.5.2, Table 28], [LINUX intel_pasid_tear_down_entry]: with a second stage by domain.
std::vector<InvalidationDescriptor> IommuDriver::all_translations(RequesterId device, Pasid pasid) const {
  const IoTranslation& translation = translation_of(device, pasid);
  std::vector<InvalidationDescriptor> descriptors = {translation.has_second()
                                                         ? make_iotlb_domain(translation.domain)
                                                         : make_pasid_iotlb_pasid(translation.domain, pasid)};
  add_device_tlb(descriptors, {device, pasid}, 0, 64);
  return descriptors;
}

// SPEC: [VTD 6.5.3.3], [LINUX intel_pasid_tear_down_entry]: P goes first, the rest of the entry only when
// nobody can still read it.
void IommuDriver::take_entry(Script& script, RequesterId device, Pasid pasid, std::uint64_t set) {
  tables_.take_present(device, pasid, set);
  std::vector<InvalidationDescriptor> everything = all_translations(device, pasid);
  everything.insert(everything.begin(), make_pasid_cache(PasidCacheGranularity::kPasid,
                                                         translation_of(device, pasid).domain, pasid));
  script.step([this, everything](const Task& next) { queue_.submit(everything, next); });
}

void IommuDriver::free_entry(Script& script, RequesterId device, Pasid pasid) {
  script.call([this, device, pasid] { tables_.clear(device, pasid); })
      .step([this, device, pasid](const Task& next) { drain(device, pasid, next); })
      .call([this, device, pasid] {
        bindings_.erase({device, pasid});
        if (pasid != kNoPasid) stats_.unbinds.add();
      });
}

// SPEC: [VTD 7.10], [LINUX intel_drain_pasid_prq]: what is in the queue, what is being handled, what is on
// its way; once more if requests were lost meanwhile.
void IommuDriver::drain(RequesterId device, Pasid pasid, const Task& next) {
  Script script(machine_);
  const bool page_requests = VtdEcap::PRS::get(ecap_) != 0;
  if (page_requests) {
    script.step([=](const Task& scanned) { page_requests_.scan(device, pasid, scanned); })
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
void IommuDriver::invalidate_first(DomainId domain, Pasid pasid, AddressSpan span,
                                   const std::vector<RequesterId>& devices, Task done) {
  const auto [start, shift] = cover_of(span.start, span.end);
  std::vector<InvalidationDescriptor> descriptors = {
      shift == 64 ? make_pasid_iotlb_pasid(domain, pasid)
                  : make_pasid_iotlb_page(domain, pasid, start, shift - kPageShift)};
  for (const RequesterId device : devices) add_device_tlb(descriptors, {device, pasid}, start, shift);
  queue_.submit(descriptors, std::move(done));
}

// SPEC: [VTD 6.5.2.3] Larger than MAMV allows: the whole domain.
void IommuDriver::invalidate_second(DomainId domain, AddressSpan span, const std::vector<IoTarget>& targets,
                                    const std::vector<IoTarget>& nested, Task done) {
  const auto [start, shift] = cover_of(span.start, span.end);
  const bool pages = shift != 64 && shift - kPageShift <= VtdCap::MAMV::get(cap_);
  std::vector<InvalidationDescriptor> descriptors = {
      pages ? make_iotlb_page(domain, start, shift - kPageShift) : make_iotlb_domain(domain)};
  for (const IoTarget target : targets) add_device_tlb(descriptors, target, start, shift);
  for (const IoTarget target : nested) add_device_tlb(descriptors, target, 0, 64);
  queue_.submit(descriptors, std::move(done));
}

// SPEC: [VTD 6.5.2.1, Table 28]: a present context entry changes.
void IommuDriver::set_page_requests(RequesterId id, bool on, Task done) {
  tables_.set_page_requests(id, on);
  queue_.submit({make_context_cache(ContextGranularity::kDevice, {}, id),
                 make_pasid_cache(PasidCacheGranularity::kGlobal), make_iotlb_global()},
                std::move(done));
}

void IommuDriver::respond(const PageRequest& last, PageResponseCode code, Task done) {
  queue_.submit({make_page_group_response(last.requester, last.has_pasid, last.pasid, last.prg_index, code)},
                std::move(done));
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
  if (tables_.has_device(id) && tables_.has_ats(id)) {
    tables_.take_ats(id);
    log_.push_back(
        fmt::format("{}: {} does not complete invalidations; its ATS is off", name_, to_string(id)));
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
