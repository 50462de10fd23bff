#include "base/trace_info.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/trace_dataset.h"

namespace svasim {
namespace {

void count_access(TraceInfo& info, const TraceRecord& record) {
  TraceInfo::Device& device = info.devices[record.requester.value()];
  device.reads += record.direction == DmaDirection::kRead;
  device.writes += record.direction == DmaDirection::kWrite;
  device.other += record.direction == DmaDirection::kUnknown;
  device.bytes += record.length;
  ++info.domains[record.domain.value()].accesses;
  ++info.page_shifts[record.page_shift];
  ++info.classes[std::string(record.access_class)];
}

void count_snapshots(TraceInfo& info, const TraceDataset& dataset) {
  for (const std::string& name : dataset.snapshots()) {
    const auto same = [&](const TraceInfo::Snapshot& s) { return s.name == name; };
    auto at = std::find_if(info.snapshots.begin(), info.snapshots.end(), same);
    if (at == info.snapshots.end()) at = info.snapshots.insert(at, TraceInfo::Snapshot{name, 0, 0, false});
    at->has_image = true;
    at->table_pages = dataset.image(name).pages.size();
  }
}

template <typename Map>
std::string list(const Map& counts, const char* format) {
  std::string text;
  for (const auto& [key, count] : counts) {
    text += (text.empty() ? "" : ", ") + fmt::format(fmt::runtime(format), key, count);
  }
  return text.empty() ? "none" : text;
}

}  // namespace

TraceInfo trace_info(const std::string& path) {
  const TraceDataset dataset(path);
  TraceInfo info;
  info.path = dataset.path();
  TraceReader reader = dataset.trace();
  TraceRecord record;
  bool ended = true;
  while (reader.next(record)) {
    ++info.records[static_cast<std::size_t>(record.kind)];
    if (ended && (info.lines == 0 || record.time_us == 0)) {
      ++info.recordings;
      info.first_us = record.time_us;
      ended = false;
    }
    ++info.lines;
    info.last_us = record.time_us;
    switch (record.kind) {
      case RecordKind::kAccess:
        count_access(info, record);
        break;
      case RecordKind::kFault:
        ++info.devices[record.requester.value()].faults;
        ++info.fault_reasons[record.reason];
        break;
      case RecordKind::kMap:
        ++info.domains[record.domain.value()].maps;
        break;
      case RecordKind::kUnmap:
        ++info.domains[record.domain.value()].unmaps;
        break;
      case RecordKind::kInvalidation:
        ++info.invalidations[std::string(record.text.substr(0, record.text.find(' ')))];
        break;
      case RecordKind::kSnapshot:
        info.snapshots.push_back({std::string(record.text), reader.line(), 0, false});
        break;
      case RecordKind::kMarker:
        if (record.is_end) {
          ended = true;
          if (info.end_line == 0) info.end_line = reader.line();
        }
        break;
      case RecordKind::kQueueTail:
      case RecordKind::kInterrupt:
      case RecordKind::kCacheEvent:
      case RecordKind::kRegister:
        break;
    }
  }
  count_snapshots(info, dataset);
  return info;
}

void print(std::ostream& out, const TraceInfo& info) {
  out << fmt::format("{}\n", info.path);
  out << fmt::format("  lines        {}, {:.3f} s of capture", info.lines,
                     static_cast<double>(info.last_us - info.first_us) * 1e-6);
  if (info.recordings > 1) out << fmt::format(" (last of {} recordings)", info.recordings);
  out << (info.end_line == 0 ? std::string(", no END marker\n")
                             : fmt::format(", END marker in line {}\n", info.end_line));
  out << "  records     ";
  for (std::size_t i = 0; i < kRecordKinds; ++i) {
    if (info.records[i] != 0)
      out << fmt::format(" {} {}", record_name(static_cast<RecordKind>(i)), info.records[i]);
  }
  out << "\n  devices\n";
  for (const auto& [id, device] : info.devices) {
    out << fmt::format("    {}  reads {}, writes {}, unknown {}, {} bytes, faults {}\n",
                       to_string(RequesterId(id)), device.reads, device.writes, device.other, device.bytes,
                       device.faults);
  }
  out << "  domains\n";
  for (const auto& [id, domain] : info.domains) {
    out << fmt::format("    {}  accesses {}, maps {}, unmaps {}\n", id, domain.accesses, domain.maps,
                       domain.unmaps);
  }
  out << fmt::format("  page sizes   {}\n", list(info.page_shifts, "2^{} bytes: {}"));
  out << fmt::format("  faults       {}\n", list(info.fault_reasons, "{:#x}: {}"));
  out << fmt::format("  classes      {}\n", list(info.classes, "{} {}"));
  out << fmt::format("  invalidation {}\n", list(info.invalidations, "{} {}"));
  out << "  snapshots\n";
  for (const TraceInfo::Snapshot& s : info.snapshots) {
    out << fmt::format("    {:<8} {}, {}\n", s.name,
                       s.line == 0 ? std::string("not in the trace") : fmt::format("line {}", s.line),
                       s.has_image ? fmt::format("{} table pages", s.table_pages) : std::string("no image"));
  }
}

}  // namespace svasim
