#include "models/traffic/replay_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/input_error.h"
#include "models/formats/vtd_faults.h"
#include "models/formats/vtd_invalidation.h"
#include "models/formats/vtd_registers.h"
#include "models/traffic/replay_check.h"

namespace svasim {
namespace {

// A spooled word: flag bits 11:0, XD, and what is known.
using SpooledBits = Field<11, 0>;
using SpooledXd = Bit<12>;
using SpooledNoRead = Bit<13>;
using SpooledNoWrite = Bit<14>;
using SpooledKnown = Bit<15>;
constexpr std::uint64_t kXd = Bit<63>::kMask;
constexpr std::uint64_t kLargePage = Bit<7>::kMask;

// Entries one map record may take: 32 MiB of tables. The kernel maps runs of contiguous memory, which
// are far shorter.
constexpr std::uint64_t kMaxEntries = std::uint64_t{1} << 22U;
constexpr Addr kPhysicalEnd = Addr{1} << 52U;

bool denies_write(std::uint8_t reason) {
  const auto r = static_cast<FaultReason>(reason);
  return r == FaultReason::kLegacyNoWrite || r == FaultReason::kNoWrite;
}
bool denies_read(std::uint8_t reason) {
  const auto r = static_cast<FaultReason>(reason);
  return r == FaultReason::kLegacyNoRead || r == FaultReason::kNoRead;
}

}  // namespace

ReplayPlan::ReplayPlan(const TraceDataset& dataset) : flags_(dataset.path()) {
  if (!dataset.has_image(kBootSnapshot)) {
    throw InputError(dataset.path(), 0, "holds no table image of the snapshot 'boot' to start from");
  }
  check_members(dataset);
  TableWrites unused;
  HostTables(0).load(dataset.image(kBootSnapshot), dataset.image_name(kBootSnapshot), unused);
  TraceReader reader = dataset.trace();
  TraceRecord record;
  bool recording = false;
  bool found = false;
  while (reader.next(record)) {
    if (record.kind == RecordKind::kSnapshot && record.text == kBootSnapshot) {
      if (recording)
        notes_.push_back(
            fmt::format("{}:{}: no END marker before this recording", reader.name(), reader.line()));
      start(dataset.image(kBootSnapshot));
      recording = found = true;
    }
    if (!recording) continue;
    switch (record.kind) {
      case RecordKind::kMap:
        map(record, reader);
        break;
      case RecordKind::kUnmap:
        late_.apply(record.domain, record.iova, record.iova + (record.length - 1),
                    [&](Addr first, Addr last) { live_[record.domain.value()].erase(first, last); });
        break;
      case RecordKind::kAccess:
        uses(record.address, record.length, reader.name(), reader.line());
        if (record.role != AccessRole::kDuplicate) access(record);
        break;
      case RecordKind::kFault:
        fault(record);
        break;
      case RecordKind::kInvalidation: {
        const InvalidationDescriptor d = {record.words[0], record.words[1], 0, 0};
        if (invalidation_type(d) == static_cast<unsigned>(InvalidationType::kWait)) {
          const Addr status = WaitDescriptor::STATUS_ADDR::in_place(d);
          if (WaitDescriptor::SW::get(d) != 0 && status >= kPhysicalEnd)
            reader.fail(fmt::format("the wait descriptor writes to {:#x}, beyond 52 bits", status));
          if (WaitDescriptor::SW::get(d) != 0) uses(status, 4, reader.name(), reader.line());
        }
        break;
      }
      case RecordKind::kMarker:
        if (record.is_end) recording = false;
        break;
      default:
        break;
    }
  }
  records_ = reader.line();
  if (recording)
    notes_.push_back(fmt::format("{}: no END marker: the capture may be cut off", reader.name()));
  if (!found) throw InputError(reader.name(), 0, "has no record 'S boot' to start from");
  live_.clear();
  late_.clear();
}

void ReplayPlan::uses(Addr address, std::uint64_t length, const std::string& file, std::uint64_t line) {
  if (address + length <= physical_end_) return;
  physical_end_ = address + length;
  physical_end_at_ = line == 0 ? file : fmt::format("{}:{}", file, line);
}

void ReplayPlan::check_members(const TraceDataset& dataset) {
  for (const std::string& name : dataset.snapshots()) {
    const TableImage image = dataset.image(name);
    check_tables(image, dataset.image_name(name));
    if (dataset.has_registers(name))
      check_registers(image, dataset.image_name(name), dataset.registers(name));
    for (const ImagePage& page : image.pages) uses(page.address, kPageSize, dataset.image_name(name), 0);
    if (!dataset.has_mappings(name)) continue;
    MappingReader reader = dataset.mappings(name);
    if (check_mappings(image, reader) == 0)
      notes_.push_back(reader.name() + ": lists nothing, so the image is not compared with it");
  }
}

void ReplayPlan::start(const TableImage& image) {
  live_.clear();
  late_.clear();
  domain_of_.clear();
  const ImageSource source(image);
  large_pages_ = (VtdCap::SSLPS::get(image.cap) & VtdCap::kSslps2M) != 0;
  for (const TableBinding& b : list_bindings(image.rtaddr, source)) {
    large_pages_ = large_pages_ || b.tables.stage == TableStage::kFirst;
    requesters_.insert(b.requester);
    if (b.for_plain) domain_of_[b.requester.value()] = b.domain.value();
    RangeMap<Mapping>& live = live_[b.domain.value()];
    if (live.size() != 0) continue;  // a domain already listed for another device
    list_leaves(b.tables, source, [&](const TableLeaf& leaf) { live.assign(leaf.iova, leaf.end() - 1, {}); });
  }
}

void ReplayPlan::map(const TraceRecord& record, const TraceReader& reader) {
  constexpr std::uint64_t kInLargePage = mask_between(20, 0);
  const bool large = large_pages_ && ((record.iova ^ record.address) & kInLargePage) == 0;
  const std::uint64_t entries = record.length / (large ? kInLargePage + 1 : kPageSize);
  if (entries > kMaxEntries) {
    reader.fail(fmt::format("field 'size': {} B take {} page-table entries; at most {} are replayed",
                            record.length, entries, kMaxEntries));
  }
  const Addr last = record.iova + (record.length - 1);
  RangeMap<Mapping>& live = live_[record.domain.value()];
  live.erase(record.iova, last,
             [&](Addr first, Addr end, const Mapping&) { late_.expect(record.domain, first, end); });
  live.assign(record.iova, last, {maps_++, false});
}

void ReplayPlan::access(const TraceRecord& record) {
  requesters_.insert(record.requester);
  domain_of_[record.requester.value()] = record.domain.value();
  auto* const range = live_[record.domain.value()].find(record.iova);
  if (range == nullptr || range->value.shown || range->value.record == kNoRecord) return;
  range->value.shown = true;
  const auto word =
      static_cast<std::uint16_t>(SpooledKnown::kMask | SpooledXd::make((record.leaf & kXd) != 0) |
                                 (SpooledBits::get(record.leaf) & ~kLargePage));
  flags_.write(range->value.record * sizeof(word), &word, sizeof(word));
}

// A denied access to a mapping no access has shown yet: the right is missing.
void ReplayPlan::fault(const TraceRecord& record) {
  requesters_.insert(record.requester);
  const auto domain = domain_of_.find(record.requester.value());
  if (domain == domain_of_.end() || !(denies_read(record.reason) || denies_write(record.reason))) return;
  auto* const range = live_[domain->second].find(record.iova);
  if (range == nullptr || range->value.shown || range->value.record == kNoRecord) return;
  const auto word =
      static_cast<std::uint16_t>(denies_read(record.reason) ? SpooledNoRead::kMask : SpooledNoWrite::kMask);
  flags_.write(range->value.record * sizeof(word), &word, sizeof(word));
}

LeafFlags ReplayPlan::flags(std::uint64_t n) const {
  std::uint16_t word = 0;
  flags_.read(n * sizeof(word), &word, sizeof(word));
  LeafFlags flags;
  flags.known = SpooledKnown::get(word) != 0;
  flags.no_read = SpooledNoRead::get(word) != 0;
  flags.no_write = SpooledNoWrite::get(word) != 0;
  flags.bits = SpooledBits::get(word) | (SpooledXd::get(word) != 0 ? kXd : 0);
  return flags;
}

}  // namespace svasim
