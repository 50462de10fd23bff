// What a replayed access must lead to, and whether it did.
#include <fmt/format.h>

#include "models/formats/vtd_registers.h"
#include "models/traffic/replay_session.h"

namespace svasim {
namespace {

using Answer = ReplayAccess::Answer;

bool same(const Answer& a, const Answer& b) {
  if (a.page_shift != b.page_shift) return false;
  return a.page_shift == 0 ? a.fault == b.fault : a.page == b.page;
}

std::string text_of(const Answer& answer) {
  if (answer.page_shift == 0) return fmt::format("fault {:#x}", static_cast<unsigned>(answer.fault));
  return fmt::format("page {:#x} of 2^{} bytes", answer.page, answer.page_shift);
}

constexpr std::uint64_t offset(Addr iova, std::uint8_t shift) { return iova & mask_between(shift - 1U, 0); }

Answer fault(FaultReason reason) { return {0, 0, reason}; }

}  // namespace

FaultReason ReplaySession::missing_right(const TableBinding* binding, bool is_write) const {
  if (binding != nullptr && !binding->scalable) {
    return is_write ? FaultReason::kLegacyNoWrite : FaultReason::kLegacyNoRead;
  }
  return is_write ? FaultReason::kNoWrite : FaultReason::kNoRead;
}

// SPEC: [VTD 7.1] by cause: what the tables say now, and the reason the mode gives it.
Answer ReplaySession::answer_of_tables(const TableBinding* binding, Addr iova, bool is_write) const {
  if (binding == nullptr) return fault(FaultReason::kNone);
  if (binding->tables.levels == 0) return {iova >> kPageShift << kPageShift, kPageShift, FaultReason::kNone};
  const bool first = binding->tables.stage == TableStage::kFirst;
  if (!format_of(binding->tables).accepts(iova)) {
    return fault(first               ? FaultReason::kNotCanonical
                 : binding->scalable ? FaultReason::kSecondStageBeyondWidth
                                     : FaultReason::kLegacyAddressBeyondWidth);
  }
  const TableLookup found = tables_.lookup(binding->tables, iova);
  if (found.present && (is_write ? found.write : found.read)) {
    return {found.leaf.address, found.leaf.page_shift, FaultReason::kNone};
  }
  if (first) {
    if (!found.present) return fault(FaultReason::kFirstStageNotPresent);
    return fault(found.read ? FaultReason::kNoWrite : FaultReason::kUserNotAllowed);
  }
  const bool nothing = !found.present || (!found.read && !found.write);
  if (binding->scalable && nothing) return fault(FaultReason::kSecondStageNotPresent);
  return fault(missing_right(binding, is_write));
}

void ReplaySession::expect_fault(const TableBinding* binding) {
  const auto reason = static_cast<FaultReason>(record_.reason);
  const Answer now = answer_of_tables(binding, access_.iova, access_.is_write);
  const bool tables_fault = binding != nullptr && now.page_shift == 0;
  if (record_.kind == RecordKind::kAccess) {
    access_.basis = ReplayAccess::Basis::kViolation;
    access_.expected = tables_fault ? now : fault(missing_right(binding, access_.is_write));
    return;
  }
  access_.expected = fault(reason);
  // The emulator reports every second-stage fault as "no write" or "no read" with the codes of legacy
  // mode. In scalable mode the specification's reason depends on the cause.
  const bool legacy_code =
      reason == (access_.is_write ? FaultReason::kLegacyNoWrite : FaultReason::kLegacyNoRead);
  if (legacy_code && tables_fault && binding->scalable) {
    access_.basis = ReplayAccess::Basis::kLegacyCode;
    access_.expected = now;
  }
}

void ReplaySession::add_window_answers(const TableBinding* binding) {
  std::vector<UnmapWindows::Stale> stale;
  windows_.find(binding->domain, access_.iova, stale);
  if (stale.empty()) return;
  access_.in_window = true;
  for (const UnmapWindows::Stale& s : stale) {
    const bool allowed = access_.is_write ? s.write : s.read;
    access_.also_legal.push_back(allowed ? Answer{s.leaf.address, s.leaf.page_shift, FaultReason::kNone}
                                         : fault(missing_right(binding, access_.is_write)));
  }
  access_.also_legal.push_back(answer_of_tables(binding, access_.iova, access_.is_write));
}

ReplaySession::Verdict ReplaySession::judge(const ReplayAccess& access, Addr iova,
                                            const Answer& answer) const {
  const Answer& expected = access.expected;
  if (same(answer, expected)) return Verdict::kEqual;
  for (const Answer& legal : access.also_legal) {
    if (same(answer, legal)) return Verdict::kStale;
  }
  if (answer.page_shift == 0 || expected.page_shift == 0) return Verdict::kFault;
  const Addr got = answer.page + offset(iova, answer.page_shift);
  const Addr wanted = expected.page + offset(iova, expected.page_shift);
  return got == wanted ? Verdict::kSize : Verdict::kAddress;
}

void ReplaySession::count(const ReplayAccess& access, Verdict verdict, Addr iova, const Answer& answer) {
  ++report_.compared;
  if (access.in_window) ++report_.window_uses;
  switch (verdict) {
    case Verdict::kEqual:
      if (access.basis == ReplayAccess::Basis::kViolation) ++report_.violations_faulted;
      if (access.basis == ReplayAccess::Basis::kLegacyCode) {
        const bool no_right =
            access.expected.fault == FaultReason::kNoRead || access.expected.fault == FaultReason::kNoWrite;
        ++(no_right ? report_.legacy_codes_no_right : report_.legacy_codes_unmapped);
      }
      break;
    case Verdict::kStale:
      ++report_.stale_differences;
      break;
    case Verdict::kAddress:
      mismatch(report_.address_mismatches, access, iova, answer);
      break;
    case Verdict::kSize:
      mismatch(report_.page_size_mismatches, access, iova, answer);
      break;
    case Verdict::kFault:
      mismatch(report_.fault_mismatches, access, iova, answer);
      break;
  }
}

void ReplaySession::count_hit(const ReplayAccess& access, bool hit) {
  using Look = ReplayAccess::Look;
  if (access.look == Look::kNone) return;
  ReplayReport::Hits& hits = access.look == Look::kProbe       ? report_.probe_hits
                             : access.look == Look::kViolation ? report_.violation_hits
                                                               : report_.access_hits;
  ++(access.recorded_hit ? (hit ? hits.both_hit : hits.only_recorded)
                         : (hit ? hits.only_here : hits.both_miss));
}

void ReplaySession::mismatch(Counter& counter, const ReplayAccess& access, Addr iova, const Answer& answer) {
  ++counter;
  report_.describe_mismatch(fmt::format("{}:{}: {} of {} at {:#x}: expected {}, got {}", reader_.name(),
                                        access.line, access.is_write ? "write" : "read",
                                        to_string(access.requester), iova, text_of(access.expected),
                                        text_of(answer)));
}

void ReplaySession::count_fault_record(const ReplayAccess& access, Addr iova, FaultReason reason,
                                       std::uint64_t low, std::uint64_t high) {
  using H = VtdFrcdHigh;
  ++report_.fault_records;
  const auto type = static_cast<std::uint64_t>(H::T1::get(high) << 1U | H::T2::get(high));
  const auto wanted =
      static_cast<std::uint64_t>(access.is_write ? FaultRecordType::kWrite : FaultRecordType::kRead);
  const bool right = H::F::get(high) != 0 && H::SID::get(high) == access.requester.value() &&
                     H::FR::get(high) == static_cast<std::uint64_t>(reason) && type == wanted &&
                     (H::PP::get(high) != 0) == access.has_pasid &&
                     VtdFrcdLow::FI::in_place(low) == iova >> kPageShift << kPageShift;
  if (right) return;
  ++report_.record_mismatches;
  report_.describe_mismatch(fmt::format("{}:{}: fault {:#x} of {} at {:#x}: fault record {:016x} {:016x}",
                                        reader_.name(), access.line, static_cast<unsigned>(reason),
                                        to_string(access.requester), iova, high, low));
}

}  // namespace svasim
