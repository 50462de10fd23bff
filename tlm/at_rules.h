// The rules of the two transaction protocols, as a state machine that only watches.
#pragma once

#include <cstdint>
#include <string>
#include <tlm>
#include <unordered_map>

#include "tlm/pcie_protocol.h"
#include "tlm/protocol_checker.h"

namespace svasim {

enum class AtProtocol : std::uint8_t {
  kBase,  // TLM-2.0 base protocol, approximately timed (IEEE 1666-2011, chapters 15 and 16)
  kPcie,  // PcieProtocol, see tlm/pcie_protocol.h
};

// Rules by name; both protocols unless said otherwise:
//
// | rule               | broken by                                                                   |
// |--------------------|-----------------------------------------------------------------------------|
// | phase_direction    | a phase on the wrong path, or one the protocol does not have                |
// | phase_order        | END_REQ or BEGIN_RESP without its request, twice or too late; END_RESP      |
// |                    | without BEGIN_RESP (BEGIN_RESP implies an END_REQ that did not come)        |
// | request_exclusion  | base: BEGIN_REQ while another request waits for END_REQ. PCIe: more requests |
// |                    | before END_REQ than credits                                                 |
// | response_exclusion | base: BEGIN_RESP while another response waits for END_RESP                  |
// | payload_reused     | BEGIN_REQ of a payload that is still under way                              |
// | return_value       | a status and phase that may not be returned to the call                     |
// | timing             | a phase earlier than the one before it. PCIe: a message without delay       |
// | reference          | no memory manager, or no reference held                                     |
// | attributes         | an illegal payload: no data, length or streaming width 0, DMI allowed       |
// | command            | PCIe: a memory read without read command, a memory write without write      |
// | initial_status     | a request whose response status is not TLM_INCOMPLETE_RESPONSE              |
// | response_status    | a response whose status is still TLM_INCOMPLETE_RESPONSE                    |
// | changed            | an attribute changed while under way. Base: the address too. PCIe: a        |
// |                    | request field of the extension                                              |
// | write_data         | the bytes of a write changed while under way                                |
// | extension          | PCIe: no PcieExtension                                                      |
// | unanswered         | a request without response at the end                                       |
class AtRules {
 public:
  // credits: PCIe requests allowed between BEGIN_REQ and END_REQ; 0: any number.
  AtRules(AtProtocol protocol, ViolationLog& log, unsigned credits = 0)
      : protocol_(protocol), log_(log), credits_(credits) {}

  // `time` is the time of the phase, the annotated delay included; `now` that of the call.
  void forward_call(const tlm::tlm_generic_payload& payload, const tlm::tlm_phase& phase, Ps time, Ps now);
  void forward_return(const tlm::tlm_generic_payload& payload, const tlm::tlm_phase& sent,
                      tlm::tlm_sync_enum status, const tlm::tlm_phase& phase, Ps time);
  void backward_call(const tlm::tlm_generic_payload& payload, const tlm::tlm_phase& phase, Ps time, Ps now);
  void backward_return(const tlm::tlm_generic_payload& payload, const tlm::tlm_phase& sent,
                       tlm::tlm_sync_enum status, const tlm::tlm_phase& phase, Ps time);
  void blocking_call(const tlm::tlm_generic_payload& payload, Ps time);
  void blocking_return(const tlm::tlm_generic_payload& payload, Ps start, Ps end);
  void finish(Ps now);

  std::uint64_t observed() const { return observed_; }
  std::uint64_t in_flight() const { return tracks_.size(); }

 private:
  // What must not change between request and response.
  struct Attributes {
    tlm::tlm_command command = tlm::TLM_IGNORE_COMMAND;
    Addr address = 0;
    const unsigned char* data = nullptr;
    unsigned length = 0;
    unsigned streaming_width = 0;
    const unsigned char* enables = nullptr;
    unsigned enable_length = 0;
    std::uint64_t write_data = 0;  // hash of the bytes of a write
    bool has_extension = false;
    std::uint64_t fields[6] = {};  // request fields of the extension
  };
  enum class State : std::uint8_t { kRequested, kAccepted, kResponding };
  struct Track {
    std::uint64_t number = 0;
    State state = State::kRequested;
    Ps time = 0;
    Attributes attributes;
  };

  Attributes attributes_of(const tlm::tlm_generic_payload& payload) const;
  void check_request(const tlm::tlm_generic_payload& payload, Ps time);
  void check_unchanged(const Attributes& before, const tlm::tlm_generic_payload& payload, Ps time);
  void begin_request(const tlm::tlm_generic_payload& payload, Ps time, Ps now);
  void end_request(const tlm::tlm_generic_payload& payload, Ps time);
  void begin_response(const tlm::tlm_generic_payload& payload, Ps time);
  void end_response(const tlm::tlm_generic_payload& payload);
  void request_accepted(Track& track);
  void advance(Track& track, const char* phase, Ps time);
  void check_reference(const tlm::tlm_generic_payload& payload, Ps time);
  Track* find(const tlm::tlm_generic_payload& payload);
  std::string describe(const Attributes& attributes) const;
  std::string describe(const tlm::tlm_generic_payload& payload) const {
    return describe(attributes_of(payload));
  }

  AtProtocol protocol_;
  ViolationLog& log_;
  unsigned credits_;
  std::unordered_map<const tlm::tlm_generic_payload*, Track> tracks_;
  unsigned requesting_ = 0;  // requests between BEGIN_REQ and END_REQ
  const tlm::tlm_generic_payload* responding_ = nullptr;
  std::uint64_t responding_number_ = 0;
  std::uint64_t observed_ = 0;
};

}  // namespace svasim
