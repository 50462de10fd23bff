#include "base/trace_mappings.h"

#include "base/bits.h"
#include "base/field_scanner.h"

namespace svasim {

void MappingReader::parse_entry(std::string_view line, MappingRecord& record) {
  FieldScanner fields(line, lines_);
  const bool context = fields.take("kind") == "C";
  record.kind = context ? MappingRecord::Kind::kContext : MappingRecord::Kind::kPasidEntry;
  record.requester = fields.take_bdf("bdf");
  const auto add_word = [&](const char* name, std::string_view text) {
    if (record.word_count == record.words.size()) fields.bad(name, text, "is one word too many");
    record.words[record.word_count++] = fields.number(name, text);
  };
  bool in_words = false;
  while (!fields.at_end()) {
    const std::string_view field = fields.take("field");
    const std::size_t sign = field.find('=');
    if (sign == std::string_view::npos) {
      if (in_words) add_word("words", field);
      continue;
    }
    const std::string_view key = field.substr(0, sign);
    const std::string_view value = field.substr(sign + 1);
    in_words = key == "ctx" || key == "pe";
    if (in_words || key == "lo" || key == "hi") {
      add_word("words", value);
    } else if (key == "did") {
      record.domain = DomainId(static_cast<std::uint16_t>(fields.number("did", value, 0xFFFF)));
      record.has_domain = true;
    } else if (key == "pasid") {
      record.has_pasid = true;
      record.pasid = Pasid(static_cast<std::uint32_t>(fields.number("pasid", value, kMaxPasid)));
    }
  }
  const bool whole = context ? record.word_count == 2 || record.word_count == 4 : record.word_count == 8;
  if (!whole) lines_.fail("an entry of " + std::to_string(record.word_count) + " words");
  if (!context && !record.has_pasid) lines_.fail("field 'pasid' is missing");
}

void MappingReader::parse_leaf(std::string_view line, MappingRecord& record) {
  FieldScanner fields(line, lines_);
  fields.take("kind");
  record.kind = MappingRecord::Kind::kLeaf;
  record.requester = fields.take_bdf("bdf");
  record.has_pasid = fields.take_pasid("pasid", record.pasid);
  record.domain = DomainId(static_cast<std::uint16_t>(fields.take_number("did", 0xFFFF)));
  record.has_domain = true;
  record.iova = fields.take_number("iova");
  record.address = fields.take_number("pa");
  record.page_shift = static_cast<std::uint8_t>(fields.take_number("pgshift", 63));
  if (record.page_shift != 12 && record.page_shift != 21 && record.page_shift != 30) {
    fields.bad("pgshift", std::to_string(record.page_shift), "is not 12, 21 or 30");
  }
  record.flags = fields.take("flags");
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
      lines_.fail("not a record: '" + printable(line.substr(0, 40)) + "'");
    switch (line[0]) {
      case 'M':
        parse_leaf(line, record);
        return true;
      case 'C':
      case 'P':
        parse_entry(line, record);
        return true;
      default:
        lines_.fail("unknown record kind '" + printable(line.substr(0, 1)) + "'");
    }
  }
  return false;
}

}  // namespace svasim
