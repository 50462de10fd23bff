#include "base/trace_mappings.h"

#include "base/bits.h"
#include "base/field_scanner.h"

namespace svasim {

bool MappingReader::parse_binding(std::string_view line, MappingRecord& record) {
  FieldScanner fields(line, lines_);
  fields.take("kind");
  record.kind = MappingRecord::Kind::kBinding;
  record.requester = fields.take_bdf("bdf");
  bool has_domain = false;
  while (!fields.at_end()) {
    const std::string_view field = fields.take("field");
    if (field.substr(0, 4) == "did=") {
      record.domain = DomainId(static_cast<std::uint16_t>(fields.number("did", field.substr(4), 0xFFFF)));
      has_domain = true;
    } else if (field.substr(0, 6) == "pasid=") {
      record.has_pasid = true;
      record.pasid = Pasid(static_cast<std::uint32_t>(fields.number("pasid", field.substr(6), kMaxPasid)));
    }
  }
  return has_domain;
}

void MappingReader::parse_leaf(std::string_view line, MappingRecord& record) {
  FieldScanner fields(line, lines_);
  fields.take("kind");
  record.kind = MappingRecord::Kind::kLeaf;
  record.requester = fields.take_bdf("bdf");
  record.has_pasid = fields.take_pasid("pasid", record.pasid);
  record.domain = DomainId(static_cast<std::uint16_t>(fields.take_number("did", 0xFFFF)));
  record.iova = fields.take_number("iova");
  record.address = fields.take_number("pa");
  record.page_shift = static_cast<std::uint8_t>(fields.take_number("pgshift", 63));
  if (record.page_shift != 12 && record.page_shift != 21 && record.page_shift != 30) {
    fields.bad("pgshift", std::to_string(record.page_shift), "is not 12, 21 or 30");
  }
  fields.take("flags");
  record.entry = fields.take_number("pte");
  fields.end();
  if (((record.iova | record.address) & mask_between(record.page_shift - 1U, 0)) != 0) {
    fields.bad("iova", "page", "is not aligned to its size");
  }
}

bool MappingReader::next(MappingRecord& record) {
  std::string_view line;
  while (lines_.next(line)) {
    if (line.empty() || line[0] == '#') continue;
    record = MappingRecord{};
    if (line.size() < 2 || line[1] != ' ')
      lines_.fail("not a record: '" + std::string(line.substr(0, 40)) + "'");
    switch (line[0]) {
      case 'M':
        parse_leaf(line, record);
        return true;
      case 'C':
      case 'P':
        if (parse_binding(line, record)) return true;
        break;
      default:
        lines_.fail("unknown record kind '" + std::string(1, line[0]) + "'");
    }
  }
  return false;
}

}  // namespace svasim
