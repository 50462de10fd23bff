#include "sim/script/fault_evidence.h"

#include <algorithm>

#include "models/formats/vtd_registers.h"

namespace svasim {

const char* request_kind_name(RequestKind kind) {
  switch (kind) {
    case RequestKind::kUntranslated:
      return "untranslated";
    case RequestKind::kTranslationRequest:
      return "translation-request";
    case RequestKind::kTranslated:
      return "translated";
    case RequestKind::kPageRequest:
      break;
  }
  return "page-request";
}

bool FaultEvidence::same_place(const Request& a, const Request& b) {
  return a.requester == b.requester && a.has_pasid == b.has_pasid && a.pasid == b.pasid &&
         a.privileged == b.privileged && a.execute == b.execute && a.page == b.page;
}

bool FaultEvidence::belongs(const Record& record, const Request& request) {
  const auto type = request.kind == RequestKind::kPageRequest ? FaultRecordType::kPageRequest
                    : request.kind != RequestKind::kTranslationRequest && request.write
                        ? FaultRecordType::kWrite
                        : FaultRecordType::kRead;
  return record.requester == request.requester && record.has_pasid == request.has_pasid &&
         (!record.has_pasid || record.pasid == request.pasid) && record.page == request.page &&
         record.at == request.at && record.type == static_cast<std::uint8_t>(type);
}

void FaultEvidence::asked(const Request& request) {
  if (request.kind == RequestKind::kUntranslated) {
    causes_.erase(std::remove_if(causes_.begin(), causes_.end(),
                                 [&](const Cause& cause) {
                                   return same_place(cause.request, request) &&
                                          cause.request.write == request.write;
                                 }),
                  causes_.end());
  }
  if (request.kind == RequestKind::kTranslationRequest &&
      (request.answer == "no-rights" || request.answer == "ok")) {
    answered_quietly(request);
  }
  if (request.answer != "ok") open_.push_back(request);
}

void FaultEvidence::answered_quietly(const Request& request) {
  for (const Cause& cause : causes_) {
    if (!same_place(cause.request, request) || (cause.request.write && request.no_write)) continue;
    const bool denied = cause.request.write ? !request.write_right : !request.read_right;
    if (!denied) continue;
    const bool none = !request.read_right && !request.write_right;
    pending_.push_back(
        {cause.code, request.kind, none ? "no-rights" : "effective-rights", false, request.line});
  }
}

void FaultEvidence::recorded(const Record& record) {
  const auto request =
      std::find_if(open_.rbegin(), open_.rend(), [&](const Request& r) { return belongs(record, r); });
  if (request == open_.rend()) return;
  cases_.push_back({record.code, request->kind, request->answer, true, request->line});
  // It was answered with a record, so not quietly.
  pending_.erase(std::remove_if(pending_.begin(), pending_.end(),
                                [&](const FaultCase& c) { return c.line == request->line; }),
                 pending_.end());
  if (request->kind == RequestKind::kUntranslated) causes_.push_back({*request, record.code});
  open_.erase(std::next(request).base());
}

void FaultEvidence::nothing_recorded() {
  cases_.insert(cases_.end(), pending_.begin(), pending_.end());
  pending_.clear();
  open_.clear();
}

}  // namespace svasim
