#include "tlm/at_rules.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <vector>

namespace svasim {

namespace {

// Any change of one bit changes the result: every step is a bijection of the state.
std::uint64_t hash_bytes(const unsigned char* data, unsigned length) {
  std::uint64_t hash = length;
  const auto mix = [&hash](std::uint64_t word) {
    hash = (hash ^ word) * 0x9E3779B97F4A7C15U;
    hash ^= hash >> 32U;
  };
  unsigned done = 0;
  for (; done + 8 <= length; done += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, data + done, sizeof word);
    mix(word);
  }
  std::uint64_t rest = 0;
  std::memcpy(&rest, data + done, length - done);
  mix(rest);
  return hash;
}

std::string phase_name(const tlm::tlm_phase& phase) {
  switch (static_cast<unsigned>(phase)) {
    case tlm::BEGIN_REQ:
      return "BEGIN_REQ";
    case tlm::END_REQ:
      return "END_REQ";
    case tlm::BEGIN_RESP:
      return "BEGIN_RESP";
    case tlm::END_RESP:
      return "END_RESP";
    default:
      return "phase " + std::to_string(static_cast<unsigned>(phase));
  }
}

}  // namespace

AtRules::Attributes AtRules::attributes_of(const tlm::tlm_generic_payload& payload) const {
  Attributes a;
  a.command = payload.get_command();
  a.address = payload.get_address();
  a.data = payload.get_data_ptr();
  a.length = payload.get_data_length();
  a.streaming_width = payload.get_streaming_width();
  a.enables = payload.get_byte_enable_ptr();
  a.enable_length = payload.get_byte_enable_length();
  if (a.command == tlm::TLM_WRITE_COMMAND && a.data != nullptr) {
    a.write_data = hash_bytes(a.data, a.length);
  }
  if (protocol_ == AtProtocol::kPcie) {
    const PcieExtension* pcie = payload.get_extension<PcieExtension>();
    if (pcie != nullptr) {
      a.has_extension = true;
      a.fields[0] = (std::uint64_t{pcie->requester.value()} << 48U) |
                    (static_cast<std::uint64_t>(pcie->kind) << 40U) |
                    (static_cast<std::uint64_t>(pcie->at) << 32U) | (std::uint64_t{pcie->has_pasid} << 31U) |
                    (std::uint64_t{pcie->privileged} << 30U) | (std::uint64_t{pcie->execute} << 29U) |
                    (std::uint64_t{pcie->no_write} << 28U) | pcie->pasid.value();
      a.fields[1] = pcie->id;
      a.fields[2] = pcie->iova;
      a.fields[3] = pcie->body;
      a.fields[4] = (std::uint64_t{pcie->itag_vector} << 32U) | (std::uint64_t{pcie->itag} << 8U) |
                    pcie->completion_count;
      a.fields[5] = (std::uint64_t{pcie->prg_index} << 8U) | pcie->response_code;
    }
  }
  return a;
}

std::string AtRules::describe(const Attributes& a) const {
  char text[160];
  std::snprintf(text, sizeof text, "%s of %u bytes at 0x%llx",
                a.command == tlm::TLM_READ_COMMAND    ? "read"
                : a.command == tlm::TLM_WRITE_COMMAND ? "write"
                                                      : "ignore",
                a.length, static_cast<unsigned long long>(a.address));
  std::string result = text;
  if (a.has_extension) {
    std::snprintf(text, sizeof text, ", requester %s, kind %u, id %llu",
                  to_string(RequesterId(static_cast<std::uint16_t>(a.fields[0] >> 48U))).c_str(),
                  static_cast<unsigned>((a.fields[0] >> 40U) & 0xFFU),
                  static_cast<unsigned long long>(a.fields[1]));
    result += text;
  }
  return result;
}

AtRules::Track* AtRules::find(const tlm::tlm_generic_payload& payload) {
  const auto found = tracks_.find(&payload);
  return found == tracks_.end() ? nullptr : &found->second;
}

void AtRules::check_reference(const tlm::tlm_generic_payload& payload, Ps time) {
  if (!payload.has_mm() || payload.get_ref_count() < 1) {
    log_.add(time, "reference",
             payload.has_mm() ? "no reference is held on the payload" : "the payload has no memory manager");
  }
}

void AtRules::check_request(const tlm::tlm_generic_payload& payload, Ps time) {
  const auto bad = [&](const char* what) {
    log_.add(time, "attributes", std::string(what) + ": " + describe(payload));
  };
  const PcieExtension* pcie = nullptr;
  bool carries_data = true;
  if (protocol_ == AtProtocol::kPcie) {
    pcie = payload.get_extension<PcieExtension>();
    if (pcie == nullptr) {
      log_.add(time, "extension", "no PcieExtension: " + describe(payload));
    } else {
      // Messages and translation requests keep their contents in the extension.
      carries_data = pcie->kind == TlpKind::kMemRead || pcie->kind == TlpKind::kMemWrite;
      if ((pcie->kind == TlpKind::kMemRead && !payload.is_read()) ||
          (pcie->kind == TlpKind::kMemWrite && !payload.is_write())) {
        log_.add(time, "command", "the command does not fit the kind: " + describe(payload));
      }
    }
  }
  if (carries_data && payload.get_command() != tlm::TLM_IGNORE_COMMAND) {
    if (payload.get_data_ptr() == nullptr) bad("no data pointer");
    if (payload.get_data_length() == 0) bad("data length 0");
    if (payload.get_streaming_width() == 0) bad("streaming width 0");
  }
  if (payload.get_byte_enable_ptr() != nullptr && payload.get_byte_enable_length() == 0)
    bad("byte enable length 0");
  if (payload.is_dmi_allowed()) bad("DMI allowed is set");
  if (payload.get_response_status() != tlm::TLM_INCOMPLETE_RESPONSE) {
    log_.add(time, "initial_status", "status is not incomplete: " + describe(payload));
  }
}

void AtRules::check_unchanged(const Attributes& before, const tlm::tlm_generic_payload& payload, Ps time) {
  const Attributes after = attributes_of(payload);
  const char* what = nullptr;
  if (after.command != before.command) what = "command";
  if (after.data != before.data) what = "data pointer";
  if (after.length != before.length) what = "data length";
  if (after.streaming_width != before.streaming_width) what = "streaming width";
  if (after.enables != before.enables || after.enable_length != before.enable_length) what = "byte enables";
  // MODEL: TLM-2.0 lets an interconnect replace the address; no memory-side interconnect here does.
  if (protocol_ == AtProtocol::kBase && after.address != before.address) what = "address";
  if (!std::equal(std::begin(after.fields), std::end(after.fields), std::begin(before.fields))) {
    what = "request field of the PCIe extension";
  }
  if (what != nullptr) {
    log_.add(time, "changed",
             std::string(what) + " changed: was " + describe(before) + ", is " + describe(after));
  } else if (after.write_data != before.write_data) {
    log_.add(time, "write_data", "the bytes of a write changed: " + describe(before));
  }
}

void AtRules::advance(Track& track, const char* phase, Ps time) {
  if (time < track.time) {
    log_.add(time, "timing",
             std::string(phase) + " at " + std::to_string(time) + " ps, before the phase at " +
                 std::to_string(track.time) + " ps: " + describe(track.attributes));
  }
  track.time = std::max(track.time, time);
}

void AtRules::begin_request(const tlm::tlm_generic_payload& payload, Ps time, Ps now) {
  ++observed_;
  check_reference(payload, time);
  check_request(payload, time);
  if (Track* old = find(payload); old != nullptr) {
    // WHY: an initiator that answers BEGIN_RESP with TLM_COMPLETED may use the payload again before
    // its answer returns to us.
    if (old->state != State::kResponding) {
      log_.add(time, "payload_reused", "the payload is still under way: " + describe(old->attributes));
      if (old->state == State::kRequested) --requesting_;
    }
    tracks_.erase(&payload);
  }
  const unsigned limit = protocol_ == AtProtocol::kBase ? 1 : credits_;
  if (limit != 0 && requesting_ >= limit) {
    log_.add(time, "request_exclusion",
             std::to_string(requesting_) + " requests wait for END_REQ: " + describe(payload));
  }
  if (protocol_ == AtProtocol::kPcie && time == now) {
    log_.add(time, "timing", "a message without delay: " + describe(payload));
  }
  ++requesting_;
  Track track;
  track.number = observed_;
  track.time = time;
  track.attributes = attributes_of(payload);
  tracks_.emplace(&payload, track);
}

void AtRules::request_accepted(Track& track) {
  if (track.state == State::kRequested) {
    --requesting_;
    track.state = State::kAccepted;
  }
}

void AtRules::end_request(const tlm::tlm_generic_payload& payload, Ps time) {
  Track* track = find(payload);
  if (track == nullptr || track->state != State::kRequested) {
    log_.add(time, "phase_order", "END_REQ without BEGIN_REQ before it: " + describe(payload));
    return;
  }
  advance(*track, "END_REQ", time);
  request_accepted(*track);
}

void AtRules::begin_response(const tlm::tlm_generic_payload& payload, Ps time) {
  Track* track = find(payload);
  if (track == nullptr || track->state == State::kResponding) {
    log_.add(time, "phase_order",
             (track == nullptr ? "BEGIN_RESP without request: " : "second BEGIN_RESP: ") + describe(payload));
    return;
  }
  if (protocol_ == AtProtocol::kBase && responding_ != nullptr) {
    log_.add(time, "response_exclusion", "another response waits for END_RESP: " + describe(payload));
  }
  advance(*track, "BEGIN_RESP", time);
  check_reference(payload, time);
  check_unchanged(track->attributes, payload, time);
  if (payload.get_response_status() == tlm::TLM_INCOMPLETE_RESPONSE) {
    log_.add(time, "response_status", "status is still incomplete: " + describe(payload));
  }
  request_accepted(*track);
  track->state = State::kResponding;
  responding_ = &payload;
  responding_number_ = track->number;
}

void AtRules::end_response(const tlm::tlm_generic_payload& payload) {
  const Track* track = find(payload);
  if (track != nullptr && track->number == responding_number_) tracks_.erase(&payload);
  responding_ = nullptr;
}

void AtRules::forward_call(const tlm::tlm_generic_payload& payload, const tlm::tlm_phase& phase, Ps time,
                           Ps now) {
  if (phase == tlm::BEGIN_REQ) {
    begin_request(payload, time, now);
  } else if (phase == tlm::END_RESP && protocol_ == AtProtocol::kBase) {
    if (responding_ != &payload) {
      log_.add(time, "phase_order", "END_RESP without BEGIN_RESP: " + describe(payload));
      return;
    }
    if (Track* track = find(payload); track != nullptr) advance(*track, "END_RESP", time);
    end_response(payload);
  } else {
    log_.add(time, "phase_direction", phase_name(phase) + " on the forward path");
  }
}

void AtRules::forward_return(const tlm::tlm_generic_payload& payload, const tlm::tlm_phase& sent,
                             tlm::tlm_sync_enum status, const tlm::tlm_phase& phase, Ps time) {
  if (status == tlm::TLM_ACCEPTED) return;
  const auto bad = [&] {
    log_.add(time, "return_value",
             std::string(status == tlm::TLM_UPDATED ? "TLM_UPDATED with " : "TLM_COMPLETED with ") +
                 phase_name(phase) + " returned to " + phase_name(sent));
  };
  if (sent == tlm::END_RESP) {
    if (status == tlm::TLM_UPDATED) bad();
    return;
  }
  if (sent != tlm::BEGIN_REQ) return;
  if (protocol_ == AtProtocol::kPcie) {
    bad();
    return;
  }
  if (status == tlm::TLM_COMPLETED) {
    begin_response(payload, time);
    end_response(payload);
  } else if (phase == tlm::END_REQ) {
    end_request(payload, time);
  } else if (phase == tlm::BEGIN_RESP) {
    begin_response(payload, time);
  } else {
    bad();
  }
}

void AtRules::backward_call(const tlm::tlm_generic_payload& payload, const tlm::tlm_phase& phase, Ps time,
                            Ps now) {
  if (phase == tlm::END_REQ) {
    end_request(payload, time);
  } else if (phase == tlm::BEGIN_RESP) {
    if (protocol_ == AtProtocol::kPcie && time == now) {
      log_.add(time, "timing", "a response without delay: " + describe(payload));
    }
    begin_response(payload, time);
  } else {
    log_.add(time, "phase_direction", phase_name(phase) + " on the backward path");
  }
}

void AtRules::backward_return(const tlm::tlm_generic_payload& payload, const tlm::tlm_phase& sent,
                              tlm::tlm_sync_enum status, const tlm::tlm_phase& phase, Ps time) {
  const bool ends = status == tlm::TLM_COMPLETED || (status == tlm::TLM_UPDATED && phase == tlm::END_RESP);
  bool legal = true;
  if (sent == tlm::END_REQ) {
    legal = status == tlm::TLM_ACCEPTED;
  } else if (sent == tlm::BEGIN_RESP) {
    legal =
        protocol_ == AtProtocol::kPcie ? status == tlm::TLM_COMPLETED : ends || status == tlm::TLM_ACCEPTED;
    if (ends && responding_ == &payload) end_response(payload);
  }
  if (!legal) {
    log_.add(time, "return_value",
             "status " + std::to_string(static_cast<int>(status)) + " with " + phase_name(phase) +
                 " returned to " + phase_name(sent));
  }
}

void AtRules::blocking_call(const tlm::tlm_generic_payload& payload, Ps time) {
  ++observed_;
  check_request(payload, time);
  Track track;
  track.number = observed_;
  track.time = time;
  track.attributes = attributes_of(payload);
  track.state = State::kAccepted;
  if (!tracks_.emplace(&payload, track).second) {
    log_.add(time, "payload_reused", "the payload is still under way: " + describe(payload));
  }
}

void AtRules::blocking_return(const tlm::tlm_generic_payload& payload, Ps start, Ps end) {
  Track* track = find(payload);
  if (track == nullptr) return;
  if (end < start) {
    log_.add(end, "timing", "b_transport reduced the delay: " + describe(payload));
  }
  check_unchanged(track->attributes, payload, end);
  if (payload.get_response_status() == tlm::TLM_INCOMPLETE_RESPONSE) {
    log_.add(end, "response_status", "status is still incomplete: " + describe(payload));
  }
  tracks_.erase(&payload);
}

void AtRules::finish(Ps now) {
  std::vector<const Track*> left;
  for (const auto& entry : tracks_) left.push_back(&entry.second);
  std::sort(left.begin(), left.end(), [](const Track* a, const Track* b) { return a->number < b->number; });
  for (const Track* track : left) {
    log_.add(now, "unanswered", "no response: " + describe(track->attributes));
  }
  tracks_.clear();
  requesting_ = 0;
  responding_ = nullptr;
}

}  // namespace svasim
