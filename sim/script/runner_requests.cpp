// What the device sends, what it gets, and what software is told about it.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "models/formats/ats_messages.h"
#include "sim/script/runner.h"

namespace svasim {
namespace {

const char* status_name(CompletionStatus status) {
  switch (status) {
    case CompletionStatus::kSuccess:
      return "ok";
    case CompletionStatus::kUnsupportedRequest:
      return "ur";
    case CompletionStatus::kCompleterAbort:
      return "ca";
    case CompletionStatus::kRequestRetry:
      return "crs";
  }
  return "?";
}

std::string show_bytes_of(const std::vector<unsigned char>& bytes) {
  const std::size_t most = std::min<std::size_t>(bytes.size(), 16);
  return fmt::format("{:02x}",
                     fmt::join(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(most), " ")) +
         (most < bytes.size() ? " ..." : "");
}

// What was asked for and found, of the arguments a statement gives.
class Comparison {
 public:
  void field(const char* name, std::uint64_t expected, std::uint64_t seen) {
    ok_ = ok_ && expected == seen;
    expected_ += fmt::format("{}{}={:#x}", expected_.empty() ? "" : " ", name, expected);
    seen_ += fmt::format("{}{}={:#x}", seen_.empty() ? "" : " ", name, seen);
  }
  void word(const char* name, const std::string& expected, const std::string& seen) {
    ok_ = ok_ && expected == seen;
    expected_ += fmt::format("{}{}={}", expected_.empty() ? "" : " ", name, expected);
    seen_ += fmt::format("{}{}={}", seen_.empty() ? "" : " ", name, seen);
  }
  bool ok() const { return ok_; }
  const std::string& expected() const { return expected_; }
  const std::string& seen() const { return seen_; }

 private:
  bool ok_ = true;
  std::string expected_;
  std::string seen_;
};

}  // namespace

std::uint64_t address_type(const std::string& word) {
  const auto& words = address_types();
  return static_cast<std::uint64_t>(std::find(words.begin(), words.end(), word) - words.begin());
}

ScriptRequest ScriptRunner::request(const Statement& s) {
  ScriptRequest r;
  r.requester = requester(value(s.arguments, "bdf", 0));
  r.address = value(s.arguments, "addr", 0);
  r.has_pasid = s.arguments.has("pasid");
  r.pasid = pasid(value(s.arguments, "pasid", 0));
  r.privileged = s.arguments.has("priv");
  r.execute = s.arguments.has("exec");
  if ((r.privileged || r.execute) && !r.has_pasid)
    bad("priv and exec belong to the PASID prefix: give pasid= too");
  return r;
}

const ScriptAnswer& ScriptRunner::ask(const ScriptRequest& request) {
  ScriptDevice& device = system_.device();
  const std::size_t number = device.send(request);
  const bool done = ScriptSystem::wait(ScriptSystem::kPatience, [&] { return device.answer(number).done; });
  if (!done) check(false, "an answer within 1 ms", "none");
  const ScriptAnswer& answer = device.answer(number);
  if (answer.at > now_ps()) ScriptSystem::advance(answer.at - now_ps());
  return answer;
}

void ScriptRunner::expect_status(const Statement& s, const ScriptAnswer& answer) {
  std::string seen = status_name(answer.status);
  if (answer.status == CompletionStatus::kSuccess && !answer.data_ok) seen = "an error of the memory";
  const std::string expected = s.outcome == "no-rights" ? "ok" : s.outcome;
  check(seen == expected, expected, seen);
}

// What FaultEvidence has to know of a request whose answer was checked.
void ScriptRunner::note(const ScriptRequest& request, RequestKind kind, const std::string& answer,
                        bool read_right, bool write_right) {
  FaultEvidence::Request r;
  r.kind = kind;
  r.requester = request.requester;
  r.has_pasid = request.has_pasid;
  r.pasid = request.pasid;
  r.privileged = request.privileged;
  r.execute = request.execute;
  r.write = request.kind == TlpKind::kMemWrite;
  r.no_write = request.no_write;
  r.page = kind == RequestKind::kPageRequest ? PageRequestBody::ADDR::in_place(request.body)
                                             : request.address & ~(kPageSize - 1);
  r.at = static_cast<std::uint8_t>(request.at);
  r.answer = answer;
  r.read_right = read_right;
  r.write_right = write_right;
  r.line = at_->line;
  evidence_.asked(r);
}

void ScriptRunner::dma(const Statement& s) {
  const bool write = s.name == "write";
  ScriptRequest r = request(s);
  r.kind = write ? TlpKind::kMemWrite : TlpKind::kMemRead;
  if (const Argument* at = s.arguments.find("at")) r.at = static_cast<AddressType>(address_type(at->word));
  const Argument* given = s.arguments.find("data");
  const std::uint64_t length = value(s.arguments, "len", given != nullptr ? given->bytes.size() : 64);
  if (length == 0 || length > 4096) bad("len= is 1 to 4096");
  if (given != nullptr && given->bytes.size() != length) bad("len= is not the length of data=");
  const Argument* pa = s.outcome_arguments.find("pa");
  const Argument* wanted = s.outcome_arguments.find("data");
  if (write && wanted != nullptr) bad("a write brings no data: use expect bytes");
  const Addr target = pa == nullptr ? 0 : value(*pa->value);
  if (pa != nullptr && !system_.has_memory(target, length)) bad("pa= lies outside memory");
  // Bytes that are nowhere else, so that they can only have come by this access.
  std::vector<unsigned char> pattern(length);
  for (unsigned char& byte : pattern) {
    pattern_ = pattern_ * 6364136223846793005ULL + 1442695040888963407ULL;
    byte = static_cast<unsigned char>(pattern_ >> 56U);
  }
  if (write) {
    r.data = given != nullptr ? given->bytes : pattern;
  } else {
    r.data.assign(length, 0);
    if (pa != nullptr && wanted == nullptr) system_.write(target, pattern.data(), length);
  }
  const ScriptAnswer& answer = ask(r);
  if (s.outcome.empty()) return;
  expect_status(s, answer);
  note(r, r.at == AddressType::kTranslated ? RequestKind::kTranslated : RequestKind::kUntranslated,
       s.outcome);
  if (pa != nullptr && (write || wanted == nullptr)) {
    std::vector<unsigned char> found = answer.data;
    if (write) system_.read(target, found.data(), length);
    const std::vector<unsigned char>& sent = write ? r.data : pattern;
    check(found == sent, fmt::format("the bytes at {:#x}: {}", target, show_bytes_of(sent)),
          show_bytes_of(found));
  }
  if (wanted != nullptr) {
    check(answer.data == wanted->bytes, show_bytes_of(wanted->bytes), show_bytes_of(answer.data));
  }
}

// SPEC: [ATS 3.2] the completion's entry, as the device reads it.
void ScriptRunner::translate(const Statement& s) {
  using E = TranslationEntry;
  ScriptRequest r = request(s);
  r.kind = TlpKind::kTranslationRequest;
  r.at = AddressType::kTranslationRequest;
  r.no_write = s.arguments.has("nw");
  const std::uint64_t count = value(s.arguments, "count", 1);
  if (count == 0 || count > 512) bad("count= is 1 to 512");
  r.data.assign(count * kTranslationEntryBytes, 0);
  const ScriptAnswer& answer = ask(r);
  if (s.outcome.empty()) return;
  expect_status(s, answer);
  if (answer.status != CompletionStatus::kSuccess) {
    return note(r, RequestKind::kTranslationRequest, s.outcome);
  }
  std::uint64_t entry = 0;
  std::memcpy(&entry, answer.data.data(), 8);
  Comparison compare;
  const auto field = [&](const char* name, std::uint64_t seen) {
    if (const Argument* argument = s.outcome_arguments.find(name)) {
      compare.field(name, value(*argument->value), seen);
    }
  };
  if (s.outcome == "no-rights") {
    compare.field("R", 0, E::R::get(entry));
    compare.field("W", 0, E::W::get(entry));
    compare.field("U", 0, E::U::get(entry));
    compare.field("S", 0, E::S::get(entry));
  }
  const DecodedRange range = decode_range(entry);
  field("R", E::R::get(entry));
  field("W", E::W::get(entry));
  field("U", E::U::get(entry));
  field("N", E::N::get(entry));
  field("PRIV", E::PRIV::get(entry));
  field("EXE", E::EXE::get(entry));
  field("GLOBAL", E::GLOBAL::get(entry));
  field("size", range.shift >= 64 ? 0 : std::uint64_t{1} << range.shift);
  const std::uint64_t below = range.shift >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << range.shift) - 1;
  field("pa", range.address | (r.address & below));
  field("count", answer.translations);
  // The entries lie one behind the other in the tables of the scripts.
  for (unsigned i = 1; s.outcome_arguments.find("pa") != nullptr && i < answer.translations; ++i) {
    std::uint64_t other = 0;
    std::memcpy(&other, answer.data.data() + std::size_t{i} * kTranslationEntryBytes, sizeof other);
    compare.field("the next entry", entry + (std::uint64_t{i} << range.shift), other);
  }
  if (!compare.expected().empty()) check(compare.ok(), compare.expected(), compare.seen());
  // WHY only rights the script names: what is not compared is not proved.
  const bool named =
      s.outcome == "no-rights" || (s.outcome_arguments.has("R") && s.outcome_arguments.has("W"));
  if (named) {
    note(r, RequestKind::kTranslationRequest, s.outcome, E::R::get(entry) != 0, E::W::get(entry) != 0);
  }
}

// SPEC: [VTD 7.5] what the queue has to hold.
void ScriptRunner::page_request(const Statement& s) {
  ScriptRequest r = request(s);
  r.kind = TlpKind::kPageRequest;
  const std::uint64_t group = value(s.arguments, "prgi", 0);
  if (group >= kPrgIndices) bad("prgi= is 0 to 511");
  const bool read = s.arguments.has("read");
  const bool write = s.arguments.has("write");
  const bool last = s.arguments.has("last");
  if (r.address % kPageSize != 0) bad("addr= is the address of a page");
  r.body = make_page_request_body(r.address, read, write, last, static_cast<unsigned>(group));
  r.address = 0;
  const std::uint64_t before = read_named("PQT");
  auto& received = system_.device().received();
  const std::size_t messages = received.size();
  const ScriptAnswer& answer = ask(r);
  const auto moved = [&] { return read_named("PQT") != before; };
  const auto quiet = [&] { return received.size() == messages; };
  if (s.outcome.empty()) return;
  if (s.outcome == "ur") {
    return check(answer.status == CompletionStatus::kUnsupportedRequest && !moved(), "ur",
                 status_name(answer.status));
  }
  if (s.outcome == "queued") {
    check(ScriptSystem::wait(ScriptSystem::kPatience, moved), "PQT moves",
          fmt::format("PQT = {:#x}", before));
    std::array<std::uint64_t, 4> seen{};
    const Addr at = (read_named("PQA") & ~(kPageSize - 1)) + before;
    if (!system_.has_memory(at, 32)) bad("PQA points outside memory");
    system_.read(at, seen.data(), 32);
    std::array<std::uint64_t, 4> expected{};
    expected[0] = 1 | std::uint64_t{r.requester.value()} << 16;
    if (r.has_pasid) {
      expected[0] |= 1 << 8 | std::uint64_t{r.pasid.value()} << 32 | std::uint64_t{r.execute} << 52 |
                     std::uint64_t{r.privileged} << 53;
    }
    expected[1] = std::uint64_t{read} | std::uint64_t{write} << 1 | std::uint64_t{last} << 2 | group << 3 |
                  PageRequestBody::ADDR::in_place(r.body);
    // The group of a request for nothing is undefined.
    if (!read && !write) {
      seen[1] &= ~(std::uint64_t{kPrgIndices - 1} << 3);
      expected[1] &= ~(std::uint64_t{kPrgIndices - 1} << 3);
    }
    return check(seen == expected, fmt::format("{:#x}", fmt::join(expected, " ")),
                 fmt::format("{:#x}", fmt::join(seen, " ")));
  }
  if (s.outcome == "response") {
    const ScriptMessage message = next_message("a PRG response");
    Comparison compare;
    compare.word("kind", "response", message.kind == TlpKind::kPrgResponse ? "response" : "invalidate");
    compare.field("bdf", r.requester.value(), message.requester.value());
    compare.field("code", value(s.outcome_arguments, "code", 0), message.response_code);
    compare.field("prgi", group, message.prg_index);
    compare.field("has_pasid", r.has_pasid, message.has_pasid);
    if (r.has_pasid) compare.field("pasid", r.pasid.value(), message.pasid.value());
    check(compare.ok(), compare.expected(), compare.seen());
    check(!moved(), "nothing in the page request queue", "PQT moved");
    return note(r, RequestKind::kPageRequest, fmt::format("response-{}", message.response_code));
  }
  ScriptSystem::advance(10'000'000);
  check(!moved() && quiet(), "nothing in the page request queue, no message",
        moved()   ? "PQT moved"
        : quiet() ? ""
                  : describe(received.back()));
  note(r, RequestKind::kPageRequest, "dropped");
}

// Software reads the oldest record that is pending and clears its F. SPEC: [VTD 7.2.1, 11.4.14]
void ScriptRunner::expect_fault(const Statement& s) {
  const auto pending = [&] { return (read_named("FSTS") & VtdFsts::PPF::kMask) != 0; };
  const bool any = ScriptSystem::wait(10'000'000, pending);
  check(any, "FSTS.PPF is set", fmt::format("FSTS = {:#x}", read_named("FSTS")));
  const std::uint64_t cap = read_named("CAP");
  const std::uint64_t count = VtdCap::NFR::get(cap) + 1;
  const auto record = [&](std::uint64_t index, unsigned word) {
    return read_offset((VtdCap::FRO::get(cap) + index) * 16 + std::uint64_t{8} * word, 8);
  };
  std::uint64_t index = next_fault_ % count;
  if (VtdFrcdHigh::F::get(record(index, 1)) == 0) index = VtdFsts::FRI::get(read_named("FSTS"));
  index = value(s.arguments, "index", index);
  if (index >= count) bad("the fault records are 0 to " + std::to_string(count - 1));
  const std::uint64_t low = record(index, 0);
  const std::uint64_t high = record(index, 1);
  Comparison compare;
  compare.field("F", 1, high >> 63U);
  const auto field = [&](const char* name, std::uint64_t seen) {
    if (const Argument* argument = s.arguments.find(name)) compare.field(name, value(*argument->value), seen);
  };
  field("code", (high >> 32U) & 0xFFU);
  if (const Argument* addr = s.arguments.find("addr")) {
    compare.field("addr", value(*addr->value) & ~(kPageSize - 1), low & ~(kPageSize - 1));
  }
  field("bdf", high & 0xFFFFU);
  if (s.arguments.has("pasid")) compare.field("PP", 1, (high >> 31U) & 1U);
  if (s.arguments.has("no-pasid")) compare.field("PP", 0, (high >> 31U) & 1U);
  field("pasid", (high >> 40U) & 0xFFFFFU);
  if (const Argument* type = s.arguments.find("type")) {
    static constexpr const char* kNames[] = {"write", "page-request", "read", "atomic"};
    const std::uint64_t seen = ((high >> 62U) & 1U) << 1U | ((high >> 28U) & 1U);
    compare.word("type", type->word, kNames[seen]);
  }
  if (const Argument* at = s.arguments.find("at"))
    compare.field("at", address_type(at->word), (high >> 60U) & 3U);
  field("priv", (high >> 29U) & 1U);
  field("exec", (high >> 30U) & 1U);
  check(compare.ok(), compare.expected(), compare.seen());
  FaultEvidence::Record seen;
  seen.code = static_cast<std::uint8_t>((high >> 32U) & 0xFFU);
  seen.requester = RequesterId(static_cast<std::uint16_t>(high & 0xFFFFU));
  seen.has_pasid = ((high >> 31U) & 1U) != 0;
  seen.pasid = Pasid(static_cast<std::uint32_t>((high >> 40U) & 0xFFFFFU));
  seen.page = low & ~(kPageSize - 1);
  seen.at = static_cast<std::uint8_t>((high >> 60U) & 3U);
  seen.type = static_cast<std::uint8_t>(((high >> 62U) & 1U) << 1U | ((high >> 28U) & 1U));
  evidence_.recorded(seen);
  write_offset((VtdCap::FRO::get(cap) + index) * 16 + 12, 4, 0x80000000);
  next_fault_ = index + 1;
}

ScriptMessage ScriptRunner::next_message(const char* expected) {
  auto& received = system_.device().received();
  const bool any = ScriptSystem::wait(ScriptSystem::kPatience, [&] { return !received.empty(); });
  check(any, std::string(expected) + " within 1 ms", "none");
  const ScriptMessage message = received.front();
  received.pop_front();
  if (message.at > now_ps()) ScriptSystem::advance(message.at - now_ps());
  return message;
}

std::string ScriptRunner::describe(const ScriptMessage& message) const {
  const std::string from = to_string(message.requester) +
                           (message.has_pasid ? fmt::format(" pasid={:#x}", message.pasid.value()) : "");
  return message.kind == TlpKind::kPrgResponse
             ? fmt::format("response to {} code={:#x} prgi={:#x}", from, message.response_code,
                           message.prg_index)
             : fmt::format("invalidate to {} itag={} body={:#x}", from, message.itag, message.body);
}

void ScriptRunner::expect_message(const Statement& s) {
  const bool response = s.name == "response";
  const ScriptMessage message = next_message(response ? "a PRG response" : "an invalidate request");
  const TlpKind kind = response ? TlpKind::kPrgResponse : TlpKind::kInvalidateRequest;
  check(message.kind == kind, s.name, describe(message));
  Comparison compare;
  const auto field = [&](const char* name, std::uint64_t seen) {
    if (const Argument* argument = s.arguments.find(name)) compare.field(name, value(*argument->value), seen);
  };
  field("bdf", message.requester.value());
  if (s.arguments.has("pasid")) compare.field("has_pasid", 1, message.has_pasid);
  if (s.arguments.has("no-pasid")) compare.field("has_pasid", 0, message.has_pasid);
  field("pasid", message.pasid.value());
  field("itag", message.itag);
  const DecodedRange range = decode_range(message.body);
  field("addr", range.address);
  field("size", range.shift >= 64 ? 0 : std::uint64_t{1} << range.shift);
  if (s.arguments.has("all")) compare.field("bits of the size", 64, range.shift);
  field("global", InvalidateRequestBody::G::get(message.body));
  field("body", message.body);
  field("code", message.response_code);
  field("prgi", message.prg_index);
  if (!compare.expected().empty()) check(compare.ok(), compare.expected(), compare.seen());
}

void ScriptRunner::expect_interrupt(const Statement& s) {
  auto& received = system_.interrupts().received();
  const bool any = ScriptSystem::wait(ScriptSystem::kPatience, [&] { return !received.empty(); });
  check(any, "an interrupt message within 1 ms", "none");
  const ScriptInterrupts::Message message = received.front();
  received.pop_front();
  if (message.at > now_ps()) ScriptSystem::advance(message.at - now_ps());
  Comparison compare;
  compare.field("addr", value(s.arguments, "addr", message.address), message.address);
  compare.field("data", value(s.arguments, "data", message.data), message.data);
  check(compare.ok(), compare.expected(), compare.seen());
}

// Software takes the descriptor at PQH. SPEC: [VTD 7.4.1, 7.5]
void ScriptRunner::expect_page_request(const Statement& s) {
  const auto any = [&] { return read_named("PQH") != read_named("PQT"); };
  const bool found = ScriptSystem::wait(ScriptSystem::kPatience, any);
  check(found, "a page request in the queue", "PQH = PQT");
  const std::uint64_t head = read_named("PQH");
  const std::uint64_t pqa = read_named("PQA");
  const Addr at = (pqa & ~(kPageSize - 1)) + head;
  const std::uint64_t word0 = load(at, 8);
  const std::uint64_t word1 = load(at + 8, 8);
  Comparison compare;
  const auto field = [&](const char* name, std::uint64_t seen) {
    if (const Argument* argument = s.arguments.find(name)) compare.field(name, value(*argument->value), seen);
  };
  compare.field("type", 1, word0 & 0xFFU);
  field("bdf", (word0 >> 16U) & 0xFFFFU);
  if (s.arguments.has("pasid")) compare.field("PP", 1, (word0 >> 8U) & 1U);
  if (s.arguments.has("no-pasid")) compare.field("PP", 0, (word0 >> 8U) & 1U);
  field("pasid", (word0 >> 32U) & 0xFFFFFU);
  field("exec", (word0 >> 52U) & 1U);
  field("priv", (word0 >> 53U) & 1U);
  field("read", word1 & 1U);
  field("write", (word1 >> 1U) & 1U);
  field("last", (word1 >> 2U) & 1U);
  field("prgi", (word1 >> 3U) & 0x1FFU);
  field("addr", word1 & ~(kPageSize - 1));
  check(compare.ok(), compare.expected(), compare.seen());
  write_offset(vtd_reg::kPqh, 8, (head + 32) % VtdPqa::bytes(VtdPqa::PQS::get(pqa)));
}

}  // namespace svasim
