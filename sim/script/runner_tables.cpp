// Tables, the order in which software brings the unit up, and the invalidation queue.
#include <fmt/format.h>

#include <cstring>

#include "sim/script/runner.h"

namespace svasim {

void ScriptRunner::build_tables(const Statement& s) {
  with_tables([&] {
    switch (s.kind) {
      case StatementKind::kTable:
        return new_table(s);
      case StatementKind::kMap:
        return map_page(s);
      case StatementKind::kUnmap:
        return unmap_page(s);
      case StatementKind::kContext:
        return set_context(s);
      case StatementKind::kPasidEntry:
        return set_pasid_entry(s);
      default:
        scalable_ = s.name == "scalable";
        tables_.reset();
        tables();
        return;
    }
  });
}

RemappingTables& ScriptRunner::tables() {
  if (tables_ == nullptr) tables_ = std::make_unique<RemappingTables>(system_, nullptr, pages_, scalable_);
  return *tables_;
}

PageTableBuilder& ScriptRunner::page_table(const std::string& name) {
  const auto found = page_tables_.find(name);
  if (found == page_tables_.end()) bad("'" + name + "' is no page table");
  return *found->second;
}

void ScriptRunner::new_table(const Statement& s) {
  const std::uint64_t levels = value(s.arguments, "levels", 4);
  const bool first = s.comparison == "first";
  if (levels < (first ? 4 : 3) || levels > 5)
    bad("levels= is 4 or 5 for a first stage, 3, 4 or 5 for a second");
  auto& table = page_tables_[s.name];
  table = std::make_unique<PageTableBuilder>(system_, nullptr, pages_,
                                             first ? TableStage::kFirst : TableStage::kSecond,
                                             static_cast<unsigned>(levels));
  variables_[s.name] = table->root();
}

void ScriptRunner::map_page(const Statement& s) {
  const std::uint64_t size = value(s.arguments, "size", kPageSize);
  unsigned shift = 0;
  for (const unsigned known : {12U, 21U, 30U}) {
    if (size == std::uint64_t{1} << known) shift = known;
  }
  if (shift == 0) bad("size= is 4k, 2m or 1g");
  LeafRights rights;
  rights.read = value(s.arguments, "read", 1) != 0;
  rights.write = value(s.arguments, "write", 1) != 0;
  rights.user = value(s.arguments, "user", 1) != 0;
  rights.extra = value(s.arguments, "bits", 0);
  const Addr iova = value(s.arguments, "iova", 0);
  const Addr pa = value(s.arguments, "pa", 0);
  if (((iova | pa) & (size - 1)) != 0) bad("iova= and pa= are multiples of the page size");
  if (!page_table(s.name).map(iova, pa, shift, rights)) {
    bad("something else is mapped there, or the tables lead out of memory: unmap it, or use another address");
  }
}

void ScriptRunner::unmap_page(const Statement& s) {
  if (!page_table(s.name).unmap(value(s.arguments, "iova", 0))) bad("nothing is mapped there");
}

// Writes the fields that are given into the entry at this address.
void ScriptRunner::set_fields(Addr entry, unsigned words, const Arguments& arguments) {
  std::vector<std::uint64_t> content(words, 0);
  const std::size_t bytes = std::size_t{8} * words;
  if (!system_.has_memory(entry, bytes))
    bad("the tables lead out of memory: damage them after they are built");
  system_.read(entry, content.data(), bytes);
  for (const Argument& argument : arguments.all()) {
    if (argument.field == nullptr) continue;
    const std::uint64_t given = value(*argument.value);
    if ((given & ~argument.field->mask()) != 0) {
      bad(fmt::format("{}={:#x} does not fit the field, whose mask is {:#x}", argument.name, given,
                      argument.field->mask()));
    }
    argument.field->set(content, given);
  }
  system_.write(entry, content.data(), bytes);
}

void ScriptRunner::set_context(const Statement& s) {
  const RequesterId id = requester(value(s.arguments, "bdf", 0));
  system_.add_device(id);
  if (s.name == "legacy") {
    const Argument* table = s.arguments.find("table");
    if ((table != nullptr) == s.arguments.has("pass")) bad("a legacy context has table=NAME, or pass");
    if (table != nullptr) {
      PageTableBuilder& pages = page_table(table->word);
      tables().set_legacy_context(id, TranslationType::kUntranslatedOnly, pages.root(), pages.levels(),
                                  DomainId(0));
    } else {
      // SPEC: [VTD 9.3] AW is the largest width offered.
      tables().set_legacy_context(id, TranslationType::kPassThrough, 0, 4, DomainId(0));
    }
    return set_fields(tables().context_entry_address(id), LegacyContextEntry::kWords, s.arguments);
  }
  ScalableContext context;
  const std::uint64_t pdts = value(s.arguments, "PDTS", 0);
  if (pdts > 7) bad("PDTS= is 0 to 7");
  context.pdts = static_cast<unsigned>(pdts);
  tables().set_context(id, context);
  set_fields(tables().context_entry_address(id), ScalableContextEntry::kWords, s.arguments);
}

void ScriptRunner::set_pasid_entry(const Statement& s) {
  const RequesterId id = requester(value(s.arguments, "bdf", 0));
  const Pasid process = pasid(value(s.arguments, "pasid", 0));
  if (!scalable_ || tables().context_entry_address(id) == 0) {
    bad("there is no PASID directory: write a context statement for this requester first");
  }
  const Argument* first = s.arguments.find("first");
  const Argument* second = s.arguments.find("second");
  const bool pass = s.arguments.has("pass");
  if (pass ? first != nullptr || second != nullptr : first == nullptr && second == nullptr) {
    bad("an entry has first=NAME, second=NAME, both (nested), or pass");
  }
  Words<8> entry = pass_through_pasid_entry(DomainId(0));
  if (first != nullptr && second != nullptr) {
    entry =
        nested_pasid_entry(page_table(first->word).root(), page_table(first->word).levels(),
                           page_table(second->word).root(), page_table(second->word).levels(), DomainId(0));
  } else if (first != nullptr) {
    entry = first_stage_pasid_entry(page_table(first->word).root(), page_table(first->word).levels(),
                                    DomainId(0));
  } else if (second != nullptr) {
    entry = second_stage_pasid_entry(page_table(second->word).root(), page_table(second->word).levels(),
                                     DomainId(0));
  }
  tables().set_pasid_entry(id, process, entry);
  set_fields(tables().pasid_entry_address(id, process), PasidTableEntry::kWords, s.arguments);
}

void ScriptRunner::write_command(std::uint32_t mask, bool on) {
  const std::uint64_t kept = read_offset(vtd_reg::kGsts, 4) & VtdGcmd::kKeptStatus;
  write_offset(vtd_reg::kGcmd, 4, on ? kept | mask : kept & ~std::uint64_t{mask});
}

// SPEC: [VTD 6.5.2, 6.6, 7.4.1, 11.4.4] the order in which software brings the unit up.
void ScriptRunner::enable(const Statement& s) {
  const auto wait_status = [&](std::uint64_t mask, const char* bit) {
    const auto set = [&] { return (read_offset(vtd_reg::kGsts, 4) & mask) != 0; };
    check(ScriptSystem::wait(ScriptSystem::kPatience, set),
          std::string("GSTS.") + bit + " is set within 1 ms",
          fmt::format("GSTS = {:#x}", read_offset(vtd_reg::kGsts, 4)));
  };
  write_offset(vtd_reg::kRtaddr, 8, tables().rtaddr());
  write_command(VtdGcmd::SRTP::kMask, true);
  wait_status(VtdGsts::RTPS::kMask, "RTPS");
  const bool wide = value(s.arguments, "wide", 1) != 0;
  write_offset(vtd_reg::kIqa, 8, ScriptSystem::kQueue | VtdIqa::DW::make(wide));
  write_offset(vtd_reg::kIqt, 8, 0);
  write_command(VtdGcmd::QIE::kMask, true);
  wait_status(VtdGsts::QIES::kMask, "QIES");
  if (system_.params().iommu.capabilities.page_requests) {
    write_offset(vtd_reg::kPqa, 8, ScriptSystem::kPageQueue);
    write_offset(vtd_reg::kPqh, 8, 0);
    write_offset(vtd_reg::kPqt, 8, 0);
  }
  if (value(s.arguments, "translation", 1) != 0) {
    write_command(VtdGcmd::TE::kMask, true);
    wait_status(VtdGsts::TES::kMask, "TES");
  }
}

void ScriptRunner::queue(const std::vector<std::uint64_t>& words) {
  const std::uint64_t iqa = read_offset(vtd_reg::kIqa, 8);
  const std::uint64_t bytes = VtdIqa::DW::get(iqa) != 0 ? 32 : 16;
  const std::uint64_t size = VtdIqa::bytes(VtdIqa::QS::get(iqa));
  const std::uint64_t tail = (read_offset(vtd_reg::kIqt, 8) + unsent_) % size;
  std::vector<std::uint64_t> descriptor = words;
  descriptor.resize(4, 0);
  if (bytes == 16 && (descriptor[2] | descriptor[3]) != 0) bad("IQA.DW is 0: a descriptor is 2 words");
  store(VtdIqa::IQA::in_place(iqa) + tail, descriptor.data(), bytes);
  unsent_ += bytes;
}

void ScriptRunner::queue_descriptor(const Statement& s) {
  const DescriptorName& kind = *find_script_descriptor(s.name);
  const InvalidationDescriptor empty = make_invalidation(kind.type);
  std::vector<std::uint64_t> words(empty.begin(), empty.end());
  for (const Argument& argument : s.arguments.all()) {
    const std::uint64_t given = value(*argument.value);
    if ((given & ~argument.field->mask()) != 0) {
      bad(fmt::format(
          "{}={:#x} does not fit the field, whose mask is {:#x}; use queue raw for bits around it",
          argument.name, given, argument.field->mask()));
    }
    argument.field->set(words, given);
  }
  // A physical function of its own, unless the script says otherwise.
  if (const FieldName* low = find_field(kind.fields, "PFSID_LOW");
      low != nullptr && !s.arguments.has("PFSID_LOW") && !s.arguments.has("PFSID_HIGH")) {
    const std::uint64_t sid = find_field(kind.fields, "SID")->get(words);
    low->set(words, sid & 0xFU);
    find_field(kind.fields, "PFSID_HIGH")->set(words, sid >> 4U);
  }
  queue(words);
}

void ScriptRunner::submit() {
  const std::uint64_t size = VtdIqa::bytes(VtdIqa::QS::get(read_offset(vtd_reg::kIqa, 8)));
  const std::uint64_t tail = (read_offset(vtd_reg::kIqt, 8) + unsent_) % size;
  unsent_ = 0;
  write_offset(vtd_reg::kIqt, 8, tail);
}

void ScriptRunner::sync(const Statement& s) {
  ++cookie_;
  const InvalidationDescriptor wait = make_wait_status(ScriptSystem::kStatus, cookie_);
  queue({wait.begin(), wait.end()});
  submit();
  const auto written = [&] { return load(ScriptSystem::kStatus, 4) == cookie_; };
  const bool ok = ScriptSystem::wait(s.time, written);
  check(ok, fmt::format("the wait descriptor is done within {}", format_time(s.time)),
        fmt::format("IQH = {:#x}, IQT = {:#x}, FSTS = {:#x}, IQERCD = {:#x}", read_named("IQH"),
                    read_named("IQT"), read_named("FSTS"), read_named("IQERCD")));
}

}  // namespace svasim
