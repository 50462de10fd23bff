#include "models/traffic/replay_session.h"

#include <fmt/format.h>

#include "base/check.h"
#include "models/formats/vtd_registers.h"
#include "models/formats/vtd_second_stage.h"

namespace svasim {
namespace {

// Table pages start at a multiple of this behind everything the capture touches.
constexpr Addr kTableAlignment = Addr{1} << 30U;

constexpr Addr table_base(Addr physical_end) {
  return (physical_end + kTableAlignment - 1) & ~(kTableAlignment - 1);
}

bool is_wait(const InvalidationDescriptor& d) {
  return invalidation_type(d) == static_cast<unsigned>(InvalidationType::kWait);
}

}  // namespace

ReplaySession::ReplaySession(const TraceDataset& dataset)
    : dataset_(dataset), plan_(dataset), reader_(dataset.trace()), tables_(table_base(plan_.physical_end())) {
  report_.notes = plan_.notes();
}

ReplaySession::MemoryUse ReplaySession::memory_use() const {
  const Addr tables = table_base(plan_.physical_end());
  return {plan_.physical_end(), tables, tables + kTableAlignment};
}

bool ReplaySession::read() {
  have_record_ = reader_.next(record_);
  if (have_record_ && !pending_.empty()) expire_pending(record_.time_us);
  return have_record_;
}

ReplayStep ReplaySession::next() {
  overlap_ = false;
  if (!own_.empty()) return step_ = ReplayStep::kInvalidation;
  while (true) {
    if (!have_record_ && !read()) {
      if (recording_) {
        ++report_.not_ended;
        end_recording();
      }
      return step_ = ReplayStep::kEnd;
    }
    if (record_.kind == RecordKind::kSnapshot && record_.text == kBootSnapshot)
      return step_ = ReplayStep::kBoot;
    const bool is_dma = record_.kind == RecordKind::kAccess || record_.kind == RecordKind::kFault;
    if (!recording_) {
      if (is_dma) ++report_.after_end;
    } else if (record_.kind == RecordKind::kMarker && record_.is_end) {
      end_recording();
    } else if (record_.kind == RecordKind::kAccess && record_.role == AccessRole::kDuplicate && !probes_) {
      ++report_.duplicates;
    } else if (is_dma) {
      const TableBinding* const binding = binding_of(record_);
      if (record_.kind == RecordKind::kAccess && binding != nullptr && binding->domain != record_.domain) {
        return step_ = ReplayStep::kEdit;
      }
      overlap_ = record_.kind == RecordKind::kAccess && record_.role != AccessRole::kViolation;
      return step_ = ReplayStep::kAccess;
    } else if (record_.kind == RecordKind::kMap || record_.kind == RecordKind::kUnmap) {
      return step_ = ReplayStep::kEdit;
    } else if (record_.kind == RecordKind::kInvalidation) {
      return step_ = ReplayStep::kInvalidation;
    } else if (record_.kind == RecordKind::kSnapshot) {
      return step_ = ReplayStep::kSnapshot;
    }
    have_record_ = false;
  }
}

void ReplaySession::take() {
  switch (step_) {
    case ReplayStep::kBoot:
      start_recording();
      break;
    case ReplayStep::kAccess:
      take_access();
      break;
    case ReplayStep::kEdit:
      take_edit();
      return;
    case ReplayStep::kInvalidation:
      take_invalidation();
      return;
    case ReplayStep::kSnapshot:
      snapshot_ = record_.text;
      break;
    case ReplayStep::kEnd:
      return;
  }
  have_record_ = false;
}

void ReplaySession::start_recording() {
  if (recording_) {
    ++report_.not_ended;
    end_recording();
  }
  writes_.clear();
  late_.clear();
  windows_.clear();
  unfinished_.clear();
  const TableImage image = dataset_.image(kBootSnapshot);
  tables_.load(image, dataset_.image_name(kBootSnapshot), writes_);
  boot_.rtaddr = tables_.rtaddr();
  const auto pages = static_cast<unsigned>(VtdIqa::bytes(VtdIqa::QS::get(image.iqa)) / kPageSize);
  boot_.iqa = VtdIqa::IQA::set(image.iqa, tables_.allocate_pages(pages) >> kPageShift);
  // The emulator takes 128-bit descriptors in scalable mode, hardware does not; they are padded with
  // zeros. SPEC: [VTD 6.5.2]
  if (VtdRtaddr::TTM::get(boot_.rtaddr) != 0) boot_.iqa = VtdIqa::DW::set(boot_.iqa, 1);
  // WHY: some emulators do not store DW; the driver must have set it, scalable mode has no other.
  if (tables_.scalable()) boot_.iqa |= VtdIqa::DW::kMask;
  boot_.tables = &writes_;
  own_status_ = tables_.allocate_pages(1);
  flush_all();
  recording_ = true;
}

void ReplaySession::end_recording() {
  recording_ = false;
  expire_pending(~std::uint64_t{0});
}

const TableBinding* ReplaySession::binding_of(const TraceRecord& record) const {
  // A recorded PASID that is the device's RID_PASID stands for a plain request.
  const TableBinding* const plain = tables_.binding(record.requester, false, Pasid());
  if (!record.has_pasid || (plain != nullptr && plain->pasid == record.pasid)) return plain;
  return tables_.binding(record.requester, true, record.pasid);
}

void ReplaySession::take_access() {
  const TableBinding* const binding = binding_of(record_);
  access_.requester = record_.requester;
  // 0 is recorded for plain requests, also of a device without an entry; any other PASID was sent.
  const bool plain = binding == nullptr ? record_.pasid == Pasid() : binding->for_plain;
  access_.has_pasid = record_.has_pasid && !plain;
  access_.pasid = access_.has_pasid ? record_.pasid : Pasid();
  access_.iova = record_.iova;
  const bool probe = record_.kind == RecordKind::kAccess && record_.role == AccessRole::kDuplicate;
  access_.length = probe ? 1 : record_.length;
  // An access of unknown direction reads, unless its leaf allows only writes.
  const bool write_only = binding != nullptr && binding->tables.stage == TableStage::kSecond &&
                          (record_.leaf & (SecondStageEntry::R::kMask | SecondStageEntry::W::kMask)) ==
                              SecondStageEntry::W::kMask;
  access_.is_write = record_.direction == DmaDirection::kWrite ||
                     (record_.direction == DmaDirection::kUnknown && write_only);
  access_.line = reader_.line();
  access_.basis = ReplayAccess::Basis::kRecorded;
  describe_look(binding);
  access_.in_window = false;
  access_.also_legal.clear();
  if (record_.kind == RecordKind::kFault) {
    ++report_.faults;
    expect_fault(binding);
  } else {
    ++report_.accesses;
    if (record_.role == AccessRole::kViolation) {
      expect_fault(binding);
    } else {
      access_.expected = {record_.address >> record_.page_shift << record_.page_shift, record_.page_shift,
                          FaultReason::kNone};
    }
  }
  if (binding != nullptr) add_window_answers(binding);
}

// What caches of translations have to do with the access.
void ReplaySession::describe_look(const TableBinding* binding) {
  using Look = ReplayAccess::Look;
  const bool translated = record_.kind == RecordKind::kAccess;
  access_.look = !translated                              ? Look::kNone
                 : record_.role == AccessRole::kDuplicate ? Look::kProbe
                 : record_.role == AccessRole::kViolation ? Look::kViolation
                                                          : Look::kAccess;
  access_.recorded_hit = record_.hit;
  access_.first_stage = binding != nullptr && binding->tables.stage == TableStage::kFirst;
  access_.domain = binding != nullptr ? binding->domain : DomainId();
  access_.page_pasid = access_.first_stage ? binding->pasid : Pasid();
  access_.recorded_shift = translated ? record_.page_shift : 0;
  if (access_.look == Look::kProbe) ++report_.probes;
}

void ReplaySession::open_windows(DomainId domain, const std::vector<TableLeaf>& removed) {
  const DomainTables& tables = *tables_.domain(domain);
  const PageTableFormat& format = format_of(tables);
  for (const TableLeaf& leaf : removed) {
    // MODEL: rights of the leaf alone; tables above grant everything, as drivers write them.
    const bool user = PageTableFormat::grants(leaf.entry, format.user);
    windows_.open(domain, {leaf, user && PageTableFormat::grants(leaf.entry, format.read),
                           user && PageTableFormat::grants(leaf.entry, format.write), tables.stage});
  }
}

void ReplaySession::take_edit() {
  writes_.clear();
  if (record_.kind == RecordKind::kAccess) {
    rebind(*binding_of(record_));
    return;  // the access itself comes next
  }
  have_record_ = false;
  if (!pending_.empty()) explain_pending();
  const DomainId domain = record_.domain;
  const Addr last = record_.iova + (record_.length - 1);
  std::vector<TableLeaf> removed;
  if (record_.kind == RecordKind::kMap) {
    ++report_.maps;
    if (tables_.domain(domain) == nullptr) tables_.add_domain(domain, writes_);
    if (tables_.domain(domain)->levels == 0) return;  // pass-through: nothing to edit
    tables_.map(domain, record_.iova, record_.length, record_.address, plan_.flags(maps_++), writes_,
                removed);
    for (const TableLeaf& leaf : removed) late_.expect(domain, leaf.iova, leaf.end() - 1);
  } else {
    ++report_.unmaps;
    const bool late = late_.apply(domain, record_.iova, last, [&](Addr first, Addr end) {
      tables_.unmap(domain, first, end - first + 1, writes_, removed);
    });
    if (late) {
      ++report_.late_unmaps;
    } else if (removed.empty()) {
      ++report_.unmapped_nothing;
    }
  }
  if (!removed.empty()) open_windows(domain, removed);
}

// The driver changed the entry and flushed the caches at a time the trace does not show; the first
// access that was translated by the new domain shows that it is done.
void ReplaySession::rebind(const TableBinding& binding) {
  ++report_.rebinds;
  const DomainId old = binding.domain;
  if (tables_.domain(record_.domain) == nullptr) tables_.add_domain(record_.domain, writes_);
  InvalidationDescriptor cache;
  if (binding.scalable) {
    using D = PasidCacheDescriptor;
    cache = make_invalidation(InvalidationType::kPasidCache);
    D::G::set(cache, static_cast<std::uint64_t>(PasidCacheGranularity::kPasid));
    D::DID::set(cache, old.value());
    D::PASID::set(cache, binding.pasid.value());
  } else {
    using D = ContextCacheDescriptor;
    cache = make_invalidation(InvalidationType::kContextCache);
    D::G::set(cache, static_cast<std::uint64_t>(ContextGranularity::kDevice));
    D::DID::set(cache, old.value());
    D::SID::set(cache, binding.requester.value());
  }
  InvalidationDescriptor iotlb = make_invalidation(InvalidationType::kIotlb);
  IotlbDescriptor::G::set(iotlb, static_cast<std::uint64_t>(IotlbGranularity::kDomain));
  IotlbDescriptor::DID::set(iotlb, old.value());
  own_ = {cache, iotlb, own_wait()};
  tables_.rebind(binding, record_.domain, writes_);
}

InvalidationDescriptor ReplaySession::own_wait() {
  InvalidationDescriptor wait = make_invalidation(InvalidationType::kWait);
  WaitDescriptor::SW::set(wait, 1);
  WaitDescriptor::STATUS_DATA::set(wait, ++own_waits_);
  WaitDescriptor::STATUS_ADDR::set_in_place(wait, own_status_);
  return wait;
}

// What a driver flushes after it has set the root table. SPEC: [VTD 6.6]
void ReplaySession::flush_all() {
  InvalidationDescriptor contexts = make_invalidation(InvalidationType::kContextCache);
  ContextCacheDescriptor::G::set(contexts, static_cast<std::uint64_t>(ContextGranularity::kGlobal));
  InvalidationDescriptor pasids = make_invalidation(InvalidationType::kPasidCache);
  PasidCacheDescriptor::G::set(pasids, static_cast<std::uint64_t>(PasidCacheGranularity::kGlobal));
  InvalidationDescriptor iotlb = make_invalidation(InvalidationType::kIotlb);
  IotlbDescriptor::G::set(iotlb, static_cast<std::uint64_t>(IotlbGranularity::kGlobal));
  own_ = {contexts};
  if (tables_.scalable()) own_.push_back(pasids);
  own_.push_back(iotlb);
  own_.push_back(own_wait());
}

void ReplaySession::take_invalidation() {
  if (!own_.empty()) {
    invalidation_.line = 0;
    invalidation_.descriptor = own_.front();
    own_.pop_front();
    invalidation_.last_of_batch = own_.empty();
  } else {
    ++report_.invalidations;
    invalidation_.line = reader_.line();
    invalidation_.descriptor = {record_.words[0], record_.words[1], 0, 0};
    invalidation_.last_of_batch = !read() || record_.kind != RecordKind::kInvalidation;
  }
  const InvalidationDescriptor& d = invalidation_.descriptor;
  invalidation_.wait = is_wait(d) && WaitDescriptor::SW::get(d) != 0;
  invalidation_.status_address = WaitDescriptor::STATUS_ADDR::in_place(d);
  invalidation_.status_data = static_cast<std::uint32_t>(WaitDescriptor::STATUS_DATA::get(d));
  if (invalidation_.wait) {
    // The batch ends here even if descriptors follow at once: the driver waited.
    invalidation_.last_of_batch = true;
  } else {
    unfinished_.push_back(d);
  }
}

void ReplaySession::note_queue_error(std::uint64_t line, const InvalidationDescriptor& descriptor,
                                     const std::string& why) {
  const std::string where = line == 0 ? reader_.name() + ": own descriptor"
                                      : fmt::format("{}:{}: descriptor", reader_.name(), line);
  report_.notes.push_back(fmt::format("{} {:#018x} {:#018x} stops the invalidation queue: {}", where,
                                      descriptor[0], descriptor[1], why));
}

void ReplaySession::waited() {
  for (const InvalidationDescriptor& d : unfinished_) windows_.close(d);
  unfinished_.clear();
}

}  // namespace svasim
