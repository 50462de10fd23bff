#include "tlm/ats_rules.h"

#include <algorithm>
#include <cstdio>

#include "models/formats/ats_messages.h"
#include "models/formats/vtd_invalidation.h"

namespace svasim {

namespace {

constexpr const char* kKindNames[] = {"memory read",  "memory write",       "translation request",
                                      "page request", "invalidate request", "invalidate completion",
                                      "PRG response"};

bool needs_stay_within_page(const AtsRules::Tlp& tlp) {
  return tlp.length != 0 && (tlp.address & (kPageSize - 1)) + tlp.length > kPageSize;
}

}  // namespace

void AtsRules::bad(Ps time, const char* rule, const std::string& text, const Tlp& tlp) {
  char what[160];
  std::snprintf(what, sizeof what, " (%s, requester %s, PASID %s, address 0x%llx, %u bytes)",
                kKindNames[static_cast<unsigned>(tlp.kind)], to_string(tlp.requester).c_str(),
                tlp.has_pasid ? std::to_string(tlp.pasid.value()).c_str() : "none",
                static_cast<unsigned long long>(tlp.address), tlp.length);
  log_.add(time, rule, text + what);
}

void AtsRules::check_pasid(const Tlp& tlp, Ps time) {
  if (tlp.has_pasid && tlp.pasid.value() > kMaxPasid) bad(time, "pasid", "PASID over 20 bits", tlp);
  if (!tlp.has_pasid && (tlp.privileged || tlp.execute)) {
    bad(time, "pasid", "privileged or execute requested without PASID", tlp);
  }
}

void AtsRules::upstream(const Tlp& tlp, Ps time) {
  ++observed_;
  check_pasid(tlp, time);
  Device& device = devices_[tlp.requester];
  switch (tlp.kind) {
    case TlpKind::kMemRead:
    case TlpKind::kMemWrite:
      memory_request(device, tlp, time);
      return;
    case TlpKind::kTranslationRequest:
      translation_request(device, tlp, time);
      return;
    case TlpKind::kPageRequest:
      page_request(device, tlp, time);
      return;
    case TlpKind::kInvalidateCompletion:
      invalidate_completion(device, tlp, time);
      return;
    case TlpKind::kInvalidateRequest:
    case TlpKind::kPrgResponse:
      bad(time, "direction", "sent by a device", tlp);
      return;
  }
}

void AtsRules::downstream(const Tlp& tlp, Ps time) {
  ++observed_;
  check_pasid(tlp, time);
  Device& device = devices_[tlp.requester];
  switch (tlp.kind) {
    case TlpKind::kInvalidateRequest:
      invalidate_request(device, tlp, time);
      return;
    case TlpKind::kPrgResponse:
      prg_response(device, tlp, time);
      return;
    case TlpKind::kMemRead:
    case TlpKind::kMemWrite:
      return;
    case TlpKind::kTranslationRequest:
    case TlpKind::kPageRequest:
    case TlpKind::kInvalidateCompletion:
      bad(time, "direction", "sent to a device", tlp);
      return;
  }
}

// SPEC: [PCIE 2.2.7] length and 4-KiB rule; [ATS 1] the AT field.
void AtsRules::memory_request(Device& device, const Tlp& tlp, Ps time) {
  if (tlp.length == 0 || tlp.length > 4096) bad(time, "length", "not 1 to 4096 bytes", tlp);
  if (needs_stay_within_page(tlp)) bad(time, "length", "crosses a 4-KiB boundary", tlp);
  if (tlp.at == AddressType::kUntranslated) return;
  if (tlp.at != AddressType::kTranslated) {
    bad(time, "address_type", "AT is neither untranslated nor translated", tlp);
    return;
  }
  if (tlp.has_pasid && !options_.pasid_in_translated)
    bad(time, "pasid", "translated request with PASID", tlp);
  if (!device.grants.allows(tlp.address, tlp.kind == TlpKind::kMemWrite)) {
    bad(time, "translated_unknown", "no valid translation for this access", tlp);
  }
}

// SPEC: [ATS 3]
void AtsRules::translation_request(Device& device, const Tlp& tlp, Ps time) {
  if (tlp.at != AddressType::kTranslationRequest)
    bad(time, "address_type", "AT is not translation request", tlp);
  if ((tlp.address & (kPageSize - 1)) != 0)
    bad(time, "translation_address", "address bits 11:0 are not 0", tlp);
  if (tlp.length % 8 != 0 || tlp.length > options_.max_translation_bytes) {
    bad(time, "length", "not a whole number of entries, or too long", tlp);
  }
  if (tlp.byte_enables) bad(time, "byte_enables", "byte enables on a translation request", tlp);
  device.requests[tlp.key] = Request{tlp.address, std::max(tlp.length / 8, 1U)};
  device.grants.asked(tlp.key, {tlp.has_pasid, tlp.pasid}, tlp.address);
}

void AtsRules::translation_completed(RequesterId requester, const void* key, CompletionStatus status,
                                     const std::vector<Translation>& translations, Ps time) {
  Device& device = devices_[requester];
  const auto found = device.requests.find(key);
  if (found == device.requests.end()) return;  // AtRules reports an answer without request
  const Request request = found->second;
  device.requests.erase(found);
  Tlp tlp;
  tlp.kind = TlpKind::kTranslationRequest;
  tlp.requester = requester;
  tlp.address = request.iova;
  std::vector<Translation> usable;
  if (status == CompletionStatus::kSuccess) {
    if (translations.size() > request.translations) {
      bad(time, "translation_count", std::to_string(translations.size()) + " translations", tlp);
    }
    for (const Translation& t : translations) {
      const bool aligned = t.page_shift >= 12 && t.page_shift <= 63 &&
                           (t.address & ((std::uint64_t{1} << t.page_shift) - 1)) == 0;
      const bool same = t.page_shift == translations.front().page_shift;
      if ((t.read || t.write) && (!aligned || !same)) {
        bad(time, "translation_size", "completion with an address not aligned to its size, or several sizes",
            tlp);
        break;
      }
      usable.push_back(t);
    }
  }
  device.grants.answered(key, usable);
}

// SPEC: [ATS 4.1]: what a device must stop using when it completes this request.
void AtsRules::invalidate_request(Device& device, const Tlp& tlp, Ps time) {
  if (tlp.itag >= kItags) {
    bad(time, "itag_range", "ITag " + std::to_string(tlp.itag), tlp);
    return;
  }
  if ((tlp.body & mask_between(10, 1)) != 0) bad(time, "invalidate_body", "reserved bits 10:1 set", tlp);
  Invalidation& invalidation = device.invalidations[tlp.itag];
  if (invalidation.outstanding && time - invalidation.sent < options_.invalidation_timeout) {
    bad(time, "itag_reused", "ITag " + std::to_string(tlp.itag) + " is outstanding", tlp);
  }
  invalidation = Invalidation{true, time, 0, 0};
  device.grants.invalidate(tlp.itag, tlp.body, {tlp.has_pasid, tlp.pasid});
}

// SPEC: [ATS 4.2]
void AtsRules::invalidate_completion(Device& device, const Tlp& tlp, Ps time) {
  if (tlp.itag_vector == 0) bad(time, "completion_unexpected", "no ITag", tlp);
  const unsigned count = completion_count(tlp.completion_count & 7U);
  std::uint32_t done = 0;
  for (unsigned itag = 0; itag < kItags; ++itag) {
    if (((tlp.itag_vector >> itag) & 1U) == 0) continue;
    Invalidation& invalidation = device.invalidations[itag];
    if (!invalidation.outstanding) {
      bad(time, "completion_unexpected", "ITag " + std::to_string(itag) + " is not outstanding", tlp);
      continue;
    }
    if (invalidation.received == 0) {
      invalidation.expected = count;
    } else if (invalidation.expected != count) {
      bad(time, "completion_count",
          "ITag " + std::to_string(itag) + ": CC " + std::to_string(count) + " after " +
              std::to_string(invalidation.expected),
          tlp);
    }
    if (++invalidation.received >= invalidation.expected) {
      invalidation.outstanding = false;
      done |= std::uint32_t{1} << itag;
    }
  }
  device.grants.completed(done);
}

// SPEC: [PRI 6]
void AtsRules::page_request(Device& device, const Tlp& tlp, Ps time) {
  using B = PageRequestBody;
  const bool read = B::R::get(tlp.body) != 0;
  const bool write = B::W::get(tlp.body) != 0;
  const bool last = B::L::get(tlp.body) != 0;
  if (tlp.execute && !read) bad(time, "page_request_kind", "execute without read", tlp);
  // SPEC: [PRI 4] other traffic classes are malformed.
  if (tlp.traffic_class != 0) bad(time, "traffic_class", "not in traffic class 0", tlp);
  if (tlp.has_pasid && last && !read && !write) {
    // A stop marker: no group, no credit, no response. SPEC: [PRI 8]
    for (const auto& [number, group] : device.groups) {
      if (!group.last_seen && group.has_pasid && group.pasid == tlp.pasid) {
        bad(time, "stop_marker", "group " + std::to_string(number) + " is not complete", tlp);
      }
    }
    return;
  }
  const auto index = static_cast<unsigned>(B::PRGI::get(tlp.body));
  Group& group = device.groups[index];
  if (group.last_seen)
    bad(time, "prg_index_reused", "group " + std::to_string(index) + " waits for its response", tlp);
  if (group.requests == 0) {
    group.has_pasid = tlp.has_pasid;
    group.pasid = tlp.pasid;
  } else if (group.has_pasid != tlp.has_pasid || (tlp.has_pasid && group.pasid != tlp.pasid)) {
    bad(time, "prg_pasid", "group " + std::to_string(index) + " began with another PASID", tlp);
  }
  ++group.requests;
  group.last_seen = group.last_seen || last;
  ++device.page_requests;
  if (options_.page_request_credits != 0 && device.page_requests > options_.page_request_credits) {
    bad(time, "credits", std::to_string(device.page_requests) + " page requests outstanding", tlp);
  }
}

// SPEC: [PRI 7]
void AtsRules::prg_response(Device& device, const Tlp& tlp, Ps time) {
  const auto found = device.groups.find(tlp.prg_index);
  if (found == device.groups.end()) {
    bad(time, "response_unexpected", "group " + std::to_string(tlp.prg_index) + " is not outstanding", tlp);
    return;
  }
  const Group& group = found->second;
  const auto code = static_cast<PageResponseCode>(tlp.response_code);
  if (code != PageResponseCode::kSuccess && code != PageResponseCode::kInvalidRequest &&
      code != PageResponseCode::kResponseFailure) {
    bad(time, "response_code", "code " + std::to_string(tlp.response_code), tlp);
  }
  if (!group.last_seen && code != PageResponseCode::kResponseFailure) {
    bad(time, "response_early", "group " + std::to_string(tlp.prg_index) + " is not complete", tlp);
  }
  if (tlp.has_pasid ? !group.has_pasid || group.pasid != tlp.pasid
                    : group.has_pasid && options_.response_pasid_required) {
    bad(time, "response_pasid", "group " + std::to_string(tlp.prg_index), tlp);
  }
  device.page_requests -= group.requests;
  device.groups.erase(found);
}

void AtsRules::finish(Ps time) {
  for (auto& [requester, device] : devices_) {
    for (unsigned itag = 0; itag < kItags; ++itag) {
      if (device.invalidations[itag].outstanding) {
        log_.add(time, "unanswered_invalidation", to_string(requester) + ": ITag " + std::to_string(itag));
      }
    }
    for (const auto& [index, group] : device.groups) {
      if (group.last_seen) {
        log_.add(time, "unanswered_group", to_string(requester) + ": group " + std::to_string(index));
      } else {
        log_.add(time, "incomplete_group", to_string(requester) + ": group " + std::to_string(index));
      }
    }
  }
  devices_.clear();
}

}  // namespace svasim
