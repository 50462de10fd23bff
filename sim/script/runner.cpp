#include "sim/script/runner.h"

#include <fmt/format.h>

#include <cstring>

#include "base/input_error.h"
#include "sim/script/parser.h"

namespace svasim {

namespace {

using Kind = StatementKind;
using Base = RegisterName::Base;

std::string hex(std::uint64_t value) { return fmt::format("{:#x}", value); }

bool holds(const std::string& comparison, std::uint64_t a, std::uint64_t b) {
  if (comparison == "==") return a == b;
  if (comparison == "!=") return a != b;
  if (comparison == "<=") return a <= b;
  if (comparison == ">=") return a >= b;
  return comparison == "<" ? a < b : a > b;
}

// Whether what requests meet afterwards can be something else.
bool changes(Kind kind) {
  switch (kind) {
    case Kind::kWrite:
    case Kind::kWriteOffset:
    case Kind::kStore:
    case Kind::kStoreBytes:
    case Kind::kTable:
    case Kind::kMap:
    case Kind::kUnmap:
    case Kind::kRoot:
    case Kind::kContext:
    case Kind::kPasidEntry:
    case Kind::kEnable:
    case Kind::kQueue:
    case Kind::kQueueRaw:
    case Kind::kSubmit:
    case Kind::kSync:
      return true;
    default:
      return false;
  }
}

}  // namespace

ScriptRunner::ScriptRunner(const RegisterScript& script, ScriptSystem& system, std::ostream& out)
    : script_(script), system_(system), out_(out), pages_(ScriptSystem::kTables, ScriptSystem::kData) {
  for (const ScriptConstant& constant : script_constants()) variables_[constant.name] = constant.value;
}

ScriptResult ScriptRunner::run() {
  try {
    for (const Statement& statement : script_.statements) {
      at_ = &statement;
      for (std::uint64_t i = 0; i < statement.repeat; ++i) execute(statement);
    }
    if (system_.violations().count() != 0) {
      check(false, "no broken rule of the protocol", system_.violations().violations().front().text);
    }
  } catch (const CheckFailed& failed) {
    result_.failed = true;
    out_ << fmt::format("{}:{}: {}\n  expected: {}\n  seen:     {}\n  section:  {} {} \"{}\"\n", script_.file,
                        at_->line, at_->text, failed.expected, failed.seen, script_.document, script_.section,
                        script_.title);
  }
  return result_;
}

void ScriptRunner::bad(const std::string& reason) const { throw InputError(script_.file, at_->line, reason); }

void ScriptRunner::check(bool ok, const std::string& expected, const std::string& seen) {
  ++result_.checks;
  if (!ok) throw CheckFailed{expected, seen};
}

void ScriptRunner::execute(const Statement& s) {
  constexpr Ps kEnd = Ps{1} << 63U;
  if (now_ps() > kEnd) bad("the simulated time is used up: let less time pass");
  if (changes(s.kind)) evidence_.changed();
  switch (s.kind) {
    case Kind::kLet:
      variables_[s.name] = value(s.values[0]);
      return;
    case Kind::kPrint:
      out_ << fmt::format("{}:{}: {:#x}\n", script_.file, s.line, value(s.values[0]));
      return;
    case Kind::kWrite:
      return write_register(s.values[0], value(s.values[1]));
    case Kind::kWriteOffset: {
      std::uint64_t offset = value(s.values[0]);
      for (std::size_t i = 1; i < s.values.size(); ++i, offset += s.bytes) {
        write_offset(offset, s.bytes, value(s.values[i]));
      }
      return;
    }
    case Kind::kExpect:
    case Kind::kPoll:
      return compare(s);
    case Kind::kStore: {
      Addr address = value(s.values[0]);
      for (std::size_t i = 1; i < s.values.size(); ++i, address += s.bytes) {
        const std::uint64_t word = value(s.values[i]);
        if (s.bytes < 8 && (word >> (8 * s.bytes)) != 0) {
          bad(hex(word) + " does not fit " + std::to_string(8 * s.bytes) + " bits");
        }
        store(address, &word, s.bytes);
      }
      return;
    }
    case Kind::kStoreBytes:
      return store(value(s.values[0]), s.data.data(), s.data.size());
    case Kind::kExpectBytes:
      return expect_bytes(s);
    case Kind::kAdvance:
      ScriptSystem::advance(s.time);
      return;
    case Kind::kTable:
    case Kind::kMap:
    case Kind::kUnmap:
    case Kind::kRoot:
    case Kind::kContext:
    case Kind::kPasidEntry:
      return build_tables(s);
    case Kind::kEnable:
      return enable(s);
    case Kind::kQueue:
      return queue_descriptor(s);
    case Kind::kQueueRaw: {
      std::vector<std::uint64_t> words;
      for (const Expression& e : s.values) words.push_back(value(e));
      return queue(words);
    }
    case Kind::kSubmit:
      return submit();
    case Kind::kSync:
      return sync(s);
    case Kind::kDma:
      return dma(s);
    case Kind::kTranslate:
      return translate(s);
    case Kind::kPageRequest:
      return page_request(s);
    case Kind::kComplete: {
      ScriptRequest completion;
      completion.kind = TlpKind::kInvalidateCompletion;
      completion.requester = requester(value(s.arguments, "bdf", 0));
      const std::uint64_t itag = value(s.arguments, "itag", 0);
      if (itag > 31) bad("itag= is 0 to 31");
      completion.itag_vector = 1U << itag;
      completion.completion_count = static_cast<std::uint8_t>(value(s.arguments, "cc", 1) & 7U);
      ask(completion);
      return;
    }
    case Kind::kDevice:
      system_.device().set_answer_delay(s.name == "silent" ? kNever : s.time);
      return;
    case Kind::kExpectFault:
      return expect_fault(s);
    case Kind::kExpectNoFault: {
      const std::uint64_t status = read_named("FSTS");
      check((status & (VtdFsts::PPF::kMask | VtdFsts::PFO::kMask)) == 0, "FSTS without PPF and PFO",
            "FSTS = " + hex(status));
      return evidence_.nothing_recorded();
    }
    case Kind::kExpectMessage:
      return expect_message(s);
    case Kind::kExpectNoMessage: {
      auto& received = system_.device().received();
      return check(received.empty(), "no message at the device",
                   received.empty() ? "" : describe(received.front()));
    }
    case Kind::kExpectInterrupt:
      return expect_interrupt(s);
    case Kind::kExpectNoInterrupt: {
      auto& received = system_.interrupts().received();
      return check(
          received.empty(), "no interrupt message",
          received.empty() ? "" : hex(received.front().address) + " = " + hex(received.front().data));
    }
    case Kind::kExpectPageRequest:
      return expect_page_request(s);
  }
}

// --- values

std::uint64_t ScriptRunner::variable(const std::string& name) {
  if (name == "rtaddr") return tables().rtaddr();
  return variables_.at(name);
}

std::uint64_t ScriptRunner::value(const Arguments& arguments, const char* name, std::uint64_t otherwise) {
  const Argument* argument = arguments.find(name);
  return argument == nullptr ? otherwise : value(*argument->value);
}

RequesterId ScriptRunner::requester(std::uint64_t id) const {
  if (id > 0xFFFF) bad("a requester has 16 bits: write it as 02:03.1");
  return RequesterId(static_cast<std::uint16_t>(id));
}

Pasid ScriptRunner::pasid(std::uint64_t id) const {
  if (id > kMaxPasid) bad("a PASID has 20 bits");
  return Pasid(static_cast<std::uint32_t>(id));
}

std::uint64_t ScriptRunner::call(const std::string& function, const std::vector<Expression>& arguments) {
  if (function == "mem8") return load(value(arguments[0]), 1);
  if (function == "mem16") return load(value(arguments[0]), 2);
  if (function == "mem32") return load(value(arguments[0]), 4);
  if (function == "mem64") return load(value(arguments[0]), 8);
  if (function == "reg32") return read_offset(value(arguments[0]), 4);
  if (function == "reg64") return read_offset(value(arguments[0]), 8);
  return with_tables([&] { return find_entry(function, arguments); });
}

// Where an entry lies, or a new page for tables.
std::uint64_t ScriptRunner::find_entry(const std::string& function,
                                       const std::vector<Expression>& arguments) {
  if (function == "page") return pages_.allocate();
  if (function == "entry") {
    if (arguments[0].kind != Expression::Kind::kVariable || page_tables_.count(arguments[0].name) == 0) {
      bad("entry() takes the name of a page table first");
    }
    const Addr iova = value(arguments[1]);
    PageTableBuilder& table = page_table(arguments[0].name);
    const std::uint64_t level = value(arguments[2]);
    if (level < 1 || level > table.levels())
      bad("the table has levels 1 to " + std::to_string(table.levels()));
    const Addr address = table.entry_address(iova, static_cast<unsigned>(level));
    if (address == 0)
      bad("the tables do not reach down to that level for this address: map a page there first");
    return address;
  }
  const RequesterId id = requester(value(arguments[0]));
  if (function == "root_entry") return tables().root_entry_address(id);
  Addr address = tables().context_entry_address(id);
  if (address == 0) bad("there is no context table for this requester: write a context statement first");
  if (function == "context_entry") return address;
  if (!scalable_) bad("legacy tables have no PASIDs");
  const Pasid process = pasid(value(arguments[1]));
  address = function == "directory_entry" ? tables().directory_entry_address(id, process)
                                          : tables().pasid_entry_address(id, process);
  if (address == 0) bad("there is no PASID table for this PASID: write a pasid-entry statement first");
  return address;
}

// --- registers

std::uint64_t ScriptRunner::read_offset(std::uint64_t offset, unsigned bytes) {
  if (offset % bytes != 0 || offset + bytes > IommuParams::kRegisterBytes) {
    bad("there is no " + std::to_string(8 * bytes) + "-bit register at " + hex(offset) +
        ": offsets are multiples of " + std::to_string(bytes) + " below 0x2000");
  }
  std::uint64_t result = 0;
  const bool ok = system_.read_register(static_cast<std::uint32_t>(offset), bytes, result);
  if (!ok) check(false, "a register that can be read", "the access was refused");
  return result;
}

void ScriptRunner::write_offset(std::uint64_t offset, unsigned bytes, std::uint64_t word) {
  if (offset % bytes != 0 || offset + bytes > IommuParams::kRegisterBytes) {
    bad("there is no " + std::to_string(8 * bytes) + "-bit register at " + hex(offset) +
        ": offsets are multiples of " + std::to_string(bytes) + " below 0x2000");
  }
  if (bytes == 4 && (word >> 32U) != 0) bad(hex(word) + " does not fit 32 bits");
  const bool ok = system_.write_register(static_cast<std::uint32_t>(offset), bytes, word);
  if (!ok) check(false, "a register that can be written", "the access was refused");
}

std::uint32_t ScriptRunner::offset_of(const Expression& place) {
  const RegisterName& reg = *place.reg;
  switch (reg.base) {
    case Base::kFixed:
      break;
    case Base::kIotlb:
      return static_cast<std::uint32_t>(VtdEcap::IRO::get(read_offset(vtd_reg::kEcap, 8)) * 16 + reg.offset);
    case Base::kFaultRecords: {
      const std::uint64_t cap = read_offset(vtd_reg::kCap, 8);
      const std::uint64_t index = value(place.operands.at(0));
      if (index > VtdCap::NFR::get(cap)) {
        bad("the fault records are 0 to " + std::to_string(VtdCap::NFR::get(cap)));
      }
      return static_cast<std::uint32_t>((VtdCap::FRO::get(cap) + index) * 16);
    }
  }
  return reg.offset;
}

std::uint64_t ScriptRunner::read_register(const Expression& place) {
  const std::uint32_t offset = offset_of(place);
  if (place.field == nullptr) return read_offset(offset, place.reg->bytes);
  const unsigned word = place.field->lo / 64;
  std::vector<std::uint64_t> words(word + 1, 0);
  words[word] = read_offset(offset + 8 * word, std::min(place.reg->bytes, 8U));
  return place.field->get(words);
}

// WHY GCMD apart: it cannot be read; software keeps the status bits that are not one-shot commands.
// SPEC: [VTD 11.4.4]
void ScriptRunner::write_register(const Expression& place, std::uint64_t word) {
  const std::uint32_t offset = offset_of(place);
  const unsigned bytes = std::min(place.reg->bytes, 8U);
  if (place.field == nullptr) return write_offset(offset, bytes, word);
  const FieldName& field = *place.field;
  if ((word & ~field.mask()) != 0) {
    bad(hex(word) + " does not fit " + place.name + "." + field.name + ", whose mask is " +
        hex(field.mask()));
  }
  const unsigned index = field.lo / 64;
  std::vector<std::uint64_t> words(index + 1, 0);
  if (place.reg->offset == vtd_reg::kGcmd && place.reg->base == Base::kFixed) {
    words[index] = read_offset(vtd_reg::kGsts, 4) & VtdGcmd::kKeptStatus;
  } else {
    words[index] = read_offset(offset + 8 * index, bytes);
  }
  field.set(words, word);
  write_offset(offset + 8 * index, bytes, words[index]);
}

bool ScriptRunner::compares(const Statement& s, std::uint64_t& left, std::uint64_t& right) {
  left = value(s.values[0]);
  right = value(s.values[1]);
  return holds(s.comparison, left, right);
}

void ScriptRunner::compare(const Statement& s) {
  std::uint64_t left = 0;
  std::uint64_t right = 0;
  const auto done = [&] { return compares(s, left, right); };
  const bool ok = s.kind == Kind::kPoll ? ScriptSystem::wait(s.time, done) : done();
  check(ok, s.comparison + " " + hex(right), hex(left));
}

// --- memory

std::uint64_t ScriptRunner::load(Addr address, unsigned bytes) {
  std::uint64_t word = 0;
  if (!system_.has_memory(address, bytes)) bad("there is no memory at " + hex(address));
  system_.read(address, &word, bytes);
  return word;
}

void ScriptRunner::store(Addr address, const void* bytes, std::size_t count) {
  if (!system_.has_memory(address, count)) bad("there is no memory at " + hex(address));
  system_.write(address, bytes, count);
}

void ScriptRunner::expect_bytes(const Statement& s) {
  const Addr address = value(s.values[0]);
  std::vector<unsigned char> seen(s.data.size());
  if (!system_.has_memory(address, seen.size())) bad("there is no memory at " + hex(address));
  system_.read(address, seen.data(), seen.size());
  check(seen == s.data, fmt::format("{:02x}", fmt::join(s.data, " ")),
        fmt::format("{:02x}", fmt::join(seen, " ")));
}

}  // namespace svasim
