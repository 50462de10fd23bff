#include "base/trace_capture.h"

#include <fmt/format.h>

#include <array>
#include <cstddef>

#include "base/bits.h"
#include "base/field_scanner.h"

namespace svasim {
namespace {

constexpr std::array<const char*, kRecordKinds> kNames = {"A", "F", "I", "Q", "MAP", "UNM",
                                                          "N", "X", "G", "K", "S"};

// The whole input address space of four levels: no record is longer.
constexpr std::uint64_t kMaxLength = std::uint64_t{1} << 48U;

bool find_kind(std::string_view word, RecordKind& kind) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (word == kNames[i]) {
      kind = static_cast<RecordKind>(i);
      return true;
    }
  }
  return false;
}

DmaDirection take_direction(FieldScanner& fields) {
  const std::string_view field = fields.take("dir");
  if (field == "R") return DmaDirection::kRead;
  if (field == "W") return DmaDirection::kWrite;
  if (field != "?" && field != "-") fields.bad("dir", field, "is not R, W, ? or -");
  return DmaDirection::kUnknown;
}

// SPEC: [VTD 9] Addresses in entries have at most 52 bits.
constexpr unsigned kPhysicalBits = 52;

Addr take_physical(FieldScanner& fields, std::uint64_t length) {
  const Addr address = fields.take_number("pa");
  constexpr Addr kEnd = Addr{1} << kPhysicalBits;
  if (address >= kEnd || length > kEnd - address) {
    fields.bad("pa", fmt::format("{:#x}", address), "goes beyond 52 bits");
  }
  return address;
}

void take_requester(FieldScanner& fields, TraceRecord& r) {
  r.requester = fields.take_bdf("sid");
  r.has_pasid = fields.take_pasid("pasid", r.pasid);
}

void take_range(FieldScanner& fields, TraceRecord& r, const char* length_name) {
  r.iova = fields.take_number("iova");
  r.length = fields.take_number(length_name, kMaxLength);
  if (r.length > 0 && r.iova + (r.length - 1) < r.iova)
    fields.bad("iova", "range", "goes beyond the last address");
}

void take_pages(FieldScanner& fields, TraceRecord& r) {
  r.domain = DomainId(static_cast<std::uint16_t>(fields.take_number("did", 0xFFFF)));
  take_range(fields, r, "size");
  if (r.length == 0 || ((r.iova | r.length) & (kPageSize - 1)) != 0) {
    fields.bad("size", "range", "is not whole pages");
  }
}

void parse_access(FieldScanner& fields, TraceRecord& r) {
  take_requester(fields, r);
  take_range(fields, r, "len");
  r.direction = take_direction(fields);
  r.address = take_physical(fields, r.length);
  r.page_shift = static_cast<std::uint8_t>(fields.take_number("pgshift", 63));
  if (r.page_shift != 12 && r.page_shift != 21 && r.page_shift != 30) {
    fields.bad("pgshift", std::to_string(r.page_shift), "is not 12, 21 or 30");
  }
  r.domain = DomainId(static_cast<std::uint16_t>(fields.take_number("did", 0xFFFF)));
  const std::string_view hit = fields.take("hm");
  if (hit != "H" && hit != "M") fields.bad("hm", hit, "is not H or M");
  r.hit = hit == "H";
  r.access_class = fields.take("class");
  r.role = r.access_class == "dup"    ? AccessRole::kDuplicate
           : r.access_class == "viol" ? AccessRole::kViolation
                                      : AccessRole::kNormal;
  r.leaf = fields.take_number("pte");
  if (r.length == 0 && r.role != AccessRole::kDuplicate) fields.bad("len", "0", "is not a length");
  const std::uint64_t in_page = mask_between(r.page_shift - 1U, 0);
  if (((r.iova ^ r.address) & in_page) != 0)
    fields.bad("pa", "offset", "in the page differs from that of iova");
  if ((r.iova & in_page) + r.length > in_page + 1) fields.bad("len", "range", "crosses the end of the page");
}

void parse_fault(FieldScanner& fields, TraceRecord& r) {
  take_requester(fields, r);
  take_range(fields, r, "len");
  if (r.length == 0) fields.bad("len", "0", "is not a length");
  // As one that was translated would have to.
  constexpr std::uint64_t kLargestPage = std::uint64_t{1} << 30U;
  if (r.length > kLargestPage) fields.bad("len", std::to_string(r.length), "is more than the largest page");
  r.direction = take_direction(fields);
  r.reason = static_cast<std::uint8_t>(fields.take_number("reason", 0xFF));
  if (r.reason == 0) fields.bad("reason", "0", "is no fault");
}

void parse_invalidation(FieldScanner& fields, TraceRecord& r) {
  r.words[1] = fields.number("hi", fields.take_last("hi"));
  r.words[0] = fields.number("lo", fields.take_last("lo"));
  r.text = fields.rest();
  if (r.text.empty()) fields.bad("text", "", "is missing");
}

}  // namespace

const char* record_name(RecordKind kind) { return kNames[static_cast<std::size_t>(kind)]; }

void TraceReader::check_time(std::uint64_t time) {
  if (ended_ && time == 0) {
    ended_ = false;
  } else if (time < time_) {
    lines_.fail("time goes back from " + std::to_string(time_) + " to " + std::to_string(time));
  }
  time_ = time;
}

bool TraceReader::next(TraceRecord& record) {
  std::string_view line;
  if (!lines_.next(line)) return false;
  FieldScanner fields(line, lines_);
  record = TraceRecord{};
  record.time_us = fields.take_number("time");
  const std::string_view word = fields.take("kind");
  if (!find_kind(word, record.kind)) fields.bad("kind", word, "is not a record kind");
  switch (record.kind) {
    case RecordKind::kAccess:
      parse_access(fields, record);
      fields.end();
      break;
    case RecordKind::kFault:
      parse_fault(fields, record);
      fields.end();
      break;
    case RecordKind::kInvalidation:
      parse_invalidation(fields, record);
      break;
    case RecordKind::kQueueTail:
      record.tail = fields.take_number("tail");
      fields.end();
      break;
    case RecordKind::kMap:
      take_pages(fields, record);
      record.address = take_physical(fields, record.length);
      if ((record.address & (kPageSize - 1)) != 0) fields.bad("pa", "address", "is not the start of a page");
      fields.end();
      break;
    case RecordKind::kUnmap:
      take_pages(fields, record);
      fields.end();
      break;
    case RecordKind::kInterrupt:
      record.message_address = fields.take_number("addr");
      record.message_data = static_cast<std::uint32_t>(fields.take_number("data", 0xFFFFFFFF));
      fields.end();
      break;
    case RecordKind::kSnapshot:
      record.text = fields.take("name");
      fields.end();
      break;
    case RecordKind::kMarker:
      record.text = fields.rest();
      // The last word is the marker's name; what stands before it names the tool that set it.
      record.is_end = record.text == "END" ||
                      (record.text.size() > 4 && record.text.substr(record.text.size() - 4) == " END");
      break;
    case RecordKind::kCacheEvent:
    case RecordKind::kRegister:
      record.text = fields.rest();
      break;
  }
  check_time(record.time_us);
  if (record.is_end) ended_ = true;
  return true;
}

}  // namespace svasim
