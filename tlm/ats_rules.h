// The rules of ATS and PRI between the devices of one link and the root complex, as a state machine
// that only watches. SystemC-free; the caller presents what it sees in the order of simulated time.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tlm/ats_grants.h"
#include "tlm/pcie_protocol.h"
#include "tlm/protocol_checker.h"

namespace svasim {

struct AtsRuleOptions {
  // Outstanding Page Request Allocation of every device; 0: not checked. SPEC: [PRI 5]
  unsigned page_request_credits = 0;
  // After this time an invalidation may be given up and its ITag used again. SPEC: [ATS 4.2]
  Ps invalidation_timeout = kNever;
  // PRG Response PASID Required: a response carries the PASID its requests had.
  bool response_pasid_required = true;
  // Translated requests may carry a PASID (VT-d ECAP.PTRS with EPTR).
  bool pasid_in_translated = false;
  // Longest translation request in bytes, the read completion boundary. SPEC: [ATS 3]
  unsigned max_translation_bytes = 64;
};

// | rule                   | broken by                                                              |
// |------------------------|------------------------------------------------------------------------|
// | direction              | a message on the path it cannot take                                   |
// | address_type           | an AT field that the kind of request cannot have                       |
// | pasid                  | a PASID of more than 20 bits, privileged or execute without PASID, a   |
// |                        | PASID on a translated request where not allowed                        |
// | length                 | a memory request of 0 or more than 4096 bytes, or across a 4-KiB       |
// |                        | boundary; a translation request of odd or too long length              |
// | translation_address    | a translation request whose address bits 11:0 are not 0                |
// | byte_enables           | byte enables on a translation request                                  |
// | translation_size       | a completion whose address is not aligned to its size, or no size, or  |
// |                        | whose translations have several sizes                                  |
// | translation_count      | more translations in a completion than were asked for                  |
// | translated_unknown     | a translated request to an address the device was not given, not with  |
// |                        | that right, or whose invalidation it has completed                     |
// | itag_range, itag_reused | an invalidate request with ITag over 31, or one still outstanding      |
// | invalidate_body        | reserved bits set in an invalidate request                             |
// | completion_unexpected  | an invalidate completion for no ITag, or for one not outstanding       |
// | completion_count       | completions of one invalidation that disagree on their number          |
// | page_request_kind      | a page request with execute but not read                               |
// | traffic_class          | a page request or response that is not in traffic class 0              |
// | stop_marker            | a marker while a group of its PASID has not seen its last request      |
// | prg_index_reused       | a request in a group whose last request was already sent               |
// | prg_pasid              | requests of one group with different PASIDs                            |
// | credits                | more outstanding page requests than allocated                          |
// | response_unexpected    | a response for no outstanding group: a second one, or none asked       |
// | response_early         | a response other than failure before the group's last request          |
// | response_code          | a code other than success, invalid request, failure                    |
// | response_pasid         | a response without the PASID of its group, or with another one         |
// | unanswered_invalidation, unanswered_group | still open at the end                               |
// | incomplete_group       | no last request until the end                                          |
class AtsRules {
 public:
  // What the rules look at in one TLP.
  struct Tlp {
    TlpKind kind = TlpKind::kMemRead;
    AddressType at = AddressType::kUntranslated;
    RequesterId requester;
    bool has_pasid = false;
    bool privileged = false;
    bool execute = false;
    Pasid pasid;
    Addr address = 0;  // as sent
    unsigned length = 0;
    bool byte_enables = false;
    std::uint64_t body = 0;
    std::uint32_t itag_vector = 0;
    std::uint8_t itag = 0;
    std::uint8_t completion_count = 1;
    std::uint16_t prg_index = 0;
    std::uint8_t response_code = 0;
    std::uint8_t traffic_class = 0;
    // Identifies a translation request to its completion while it is outstanding.
    const void* key = nullptr;
  };

  AtsRules(const AtsRuleOptions& options, ViolationLog& log) : options_(options), log_(log) {}

  void upstream(const Tlp& tlp, Ps time);    // leaves the device
  void downstream(const Tlp& tlp, Ps time);  // arrives at the device
  // The completion of translation request `key` of that requester arrives at the device.
  void translation_completed(RequesterId requester, const void* key, CompletionStatus status,
                             const std::vector<Translation>& translations, Ps time);
  void finish(Ps time);

  std::uint64_t observed() const { return observed_; }

 private:
  struct Request {
    Addr iova = 0;
    unsigned translations = 1;
  };
  struct Invalidation {
    bool outstanding = false;
    Ps sent = 0;
    unsigned expected = 0;  // completions, from the first one
    unsigned received = 0;
  };
  struct Group {
    bool has_pasid = false;
    Pasid pasid;
    bool last_seen = false;
    unsigned requests = 0;
  };
  struct Device {
    AtsGrants grants;
    std::map<const void*, Request> requests;
    Invalidation invalidations[32];
    std::map<unsigned, Group> groups;  // by PRG index
    unsigned page_requests = 0;
  };

  void memory_request(Device& device, const Tlp& tlp, Ps time);
  void translation_request(Device& device, const Tlp& tlp, Ps time);
  void page_request(Device& device, const Tlp& tlp, Ps time);
  void invalidate_completion(Device& device, const Tlp& tlp, Ps time);
  void invalidate_request(Device& device, const Tlp& tlp, Ps time);
  void prg_response(Device& device, const Tlp& tlp, Ps time);
  void check_pasid(const Tlp& tlp, Ps time);
  void bad(Ps time, const char* rule, const std::string& text, const Tlp& tlp);

  AtsRuleOptions options_;
  ViolationLog& log_;
  std::map<RequesterId, Device> devices_;
  std::uint64_t observed_ = 0;
};

}  // namespace svasim
