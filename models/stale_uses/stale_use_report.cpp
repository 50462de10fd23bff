#include "models/stale_uses/stale_use_report.h"

#include <fmt/format.h>

namespace svasim {
namespace {

// Exact, whatever the size.
std::string when(Ps time) { return fmt::format("{}.{:06} us", time / 1'000'000, time % 1'000'000); }

std::string space_of(RequesterId requester, bool has_pasid, Pasid pasid) {
  return to_string(requester) + (has_pasid ? fmt::format(" PASID {:#x}", pasid.value()) : " without PASID");
}

const char* cause_of(FaultReason reason) {
  switch (reason) {
    case FaultReason::kLegacyRootNotPresent:
    case FaultReason::kRootNotPresent:
      return "the root entry is not present";
    case FaultReason::kLegacyContextNotPresent:
    case FaultReason::kContextNotPresent:
      return "the context entry is not present";
    case FaultReason::kDirectoryNotPresent:
    case FaultReason::kPasidEntryNotPresent:
      return "the PASID's entry is not present";
    case FaultReason::kFirstStageNotPresent:
    case FaultReason::kSecondStageNotPresent:
      return "no page there";
    case FaultReason::kLegacyNoWrite:
    case FaultReason::kNoWrite:
      return "no right to write";
    case FaultReason::kLegacyNoRead:
    case FaultReason::kNoRead:
      return "no right to read";
    case FaultReason::kUserNotAllowed:
      return "not a page of users";
    case FaultReason::kDeviceTlbDisabled:
    case FaultReason::kLegacyAtsBlocked:
      return "translation requests are not allowed";
    default:
      return "no translation";
  }
}

}  // namespace

std::string to_string(const PageUser& user) {
  return fmt::format("{} at {:#x}", space_of(user.requester, user.has_pasid, user.pasid), user.page);
}

const char* to_string(TranslationOrigin origin) {
  static constexpr const char* kNames[] = {"walk", "IOTLB", "ATC"};
  return kNames[static_cast<unsigned>(origin)];
}

std::string describe_answer(const ReferenceResult& result, const TranslationUse& use) {
  if (result.interrupt) return "an interrupt, not an access";
  if (result.fault != FaultReason::kNone) {
    return fmt::format("{} (fault {:#04x})", cause_of(result.fault), static_cast<unsigned>(result.fault));
  }
  if (!result.ok) return "refused: translation is off";
  if (use.write && !result.write) return "no right to write";
  if (use.read && !result.read) return "no right to read";
  return fmt::format("page at {:#x}", result.address >> kPageShift << kPageShift);
}

std::string StaleUse::invalidation() const {
  if (!covering.exists()) return "no covering invalidation queued";
  if (covering.done == kNever) return "invalidation queued at " + when(covering.queued) + ", not complete";
  return "invalidation queued at " + when(covering.queued) + ", complete at " + when(covering.done);
}

std::string StaleUse::sentence() const {
  const char* access = use.answer  ? "answer to a translation request"
                       : use.write ? (use.read ? "atomic" : "write")
                                   : "read";
  std::string text = fmt::format("{} {}: {} {} of {} at {:#x} went to {:#x} ({}); tables: {}; {}",
                                 when(use.time), error ? "ERROR" : "exposed", user, access,
                                 space_of(use.requester, use.has_pasid, use.pasid), use.iova, use.address,
                                 to_string(use.origin), tables, invalidation());
  if (agreed != kNever) text += "; tables agreed until " + when(agreed);
  if (given_away) text += "; the page was free, or somebody else's";
  if (reused) text += fmt::format("; the page was used by {} at {}", to_string(owner), when(owner_time));
  return text;
}

}  // namespace svasim
