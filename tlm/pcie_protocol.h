// What a PCIe request means beyond a plain TLM payload: the extension and the protocol type.
#pragma once

#include <cstdint>
#include <tlm>

#include "base/types.h"
#include "models/formats/vtd_faults.h"
#include "tlm/attribution.h"

namespace svasim {

// The AT field of a memory TLP. SPEC: [ATS 1]
enum class AddressType : std::uint8_t { kUntranslated = 0, kTranslationRequest = 1, kTranslated = 2 };

enum class TlpKind : std::uint8_t {
  kMemRead,
  kMemWrite,
  kTranslationRequest,
  kPageRequest,           // message, device to root complex
  kInvalidateRequest,     // message, root complex to device
  kInvalidateCompletion,  // message, device to root complex
  kPrgResponse,           // message, root complex to device
};

inline bool is_posted(TlpKind kind) {
  return kind != TlpKind::kMemRead && kind != TlpKind::kTranslationRequest;
}

// SPEC: [PCIE 2.2.9]; no request modelled here may be answered with CRS, a faulty agent can all the same.
enum class CompletionStatus : std::uint8_t {
  kSuccess,
  kUnsupportedRequest,
  kCompleterAbort,
  kRequestRetry,
};

// How an access ended that went through an ATC, as the device sees it.
enum class AccessOutcome : std::uint8_t {
  kDone,              // see status for what the completer said
  kWait,              // b_transport only: waits for a page; send it again with nb_transport, unchanged
  kPageFault,         // no right to the page, and no page request was made for it
  kInvalidResponse,   // page group response Invalid Request, or still no right after all retries
  kResponseFailure,   // page group response Response Failure
  kTranslationError,  // the translation request ended with UR or CA
  kStopped,           // waited for a page when its PASID was stopped
};

// A translation as the translation agent answered or used it.
struct Translation {
  Addr address = 0;             // physical address of the page (not of the access)
  std::uint8_t page_shift = 0;  // 12, 21 or 30; 0: none
  bool read = false;
  bool write = false;
  bool execute = false;
  bool privileged = false;  // the rights are those of privileged accesses
  bool global = false;
  bool untranslated_only = false;  // U of the completion entry
  bool non_snooped = false;        // N of the completion entry
  bool hit = false;                // answered from the IOTLB
};

// WHY a constant: a temporary would be written in words and read back in pairs, which stalls.
inline constexpr Translation kNoTranslation{};

// Fields of every request on a PCIe socket. The sender of the request writes the request fields;
// the completer writes the outcome before BEGIN_RESP; each hop charges its time to `attribution`.
//
// clang-format off
// | field                   | written by     | default      | meaning                                          |
// |-------------------------|----------------|--------------|--------------------------------------------------|
// | kind, at                | requester      | read, untr.  | what the TLP is                                  |
// | requester               | requester      | 00:00.0      | Requester ID                                     |
// | has_pasid, pasid        | requester      | none         | PASID prefix                                     |
// | privileged, execute     | requester      | false        | bits of the PASID prefix                         |
// | no_write                | requester      | false        | NW of a translation request                      |
// | no_snoop                | requester      | false        | the No Snoop attribute                           |
// | no_page_request         | device         | false        | to its ATC: fail rather than ask for a page      |
// | relaxed                 | device         | false        | to its ATC: a write that need not keep its order |
// | engine                  | device         | 0            | to its ATC: which part of it makes the access    |
// | field                   | device         | 0            | to its ATC: which address of a work descriptor   |
// | ahead                   | device         | 0            | to its ATC: bytes behind the access it will use  |
// | holder                  | device         | 0: none      | to its ATC: a translation request puts its answer|
// |                         |                |              | there, accesses take their translation from it   |
// | traffic_class           | requester, ATC | 0            | TC                                               |
// | id                      | requester      | 0            | number, unique and deterministic per device      |
// | iova                    | requester      | 0            | address as requested; the payload's address      |
// |                         |                |              | becomes the translated one behind the IOMMU      |
// | body, prg_index, ...    | message sender | 0            | contents of messages                             |
// | status, fault           | completer      | success,none | outcome                                          |
// | translation             | completer      | none         | the translation used, or the first one answered  |
// | translations            | completer      | 1            | entries in a translation completion; all of them |
// |                         |                |              | stand in its data                                |
// | outcome                 | ATC            | done         | how the access ended for the device              |
// | known                   | ATC            | false        | no translation request was made for this access  |
// | attribution             | every hop      | empty        | where the time went                              |
// | slot, atc_slot          | IOMMU, ATC     | 0            | book-keeping of who holds it                     |
// | holds_credit            | link           | false        | its flow-control credit is not returned yet      |
// clang-format on
class PcieExtension : public tlm::tlm_extension<PcieExtension> {
 public:
  TlpKind kind = TlpKind::kMemRead;
  AddressType at = AddressType::kUntranslated;
  RequesterId requester;
  bool has_pasid = false;
  bool privileged = false;
  bool execute = false;
  bool no_write = false;
  bool no_page_request = false;
  bool relaxed = false;
  bool no_snoop = false;
  std::uint8_t engine = 0;
  std::uint8_t traffic_class = 0;
  std::uint8_t field = 0;
  Pasid pasid;
  std::uint32_t ahead = 0;
  std::uint32_t holder = 0;
  std::uint64_t id = 0;
  Addr iova = 0;

  // Messages. SPEC: [ATS 4], [PRI 6, 7]
  std::uint64_t body = 0;             // invalidate or page request: the 64-bit body, see ats_messages.h
  std::uint32_t itag_vector = 0;      // invalidate completion
  std::uint8_t itag = 0;              // invalidate request
  std::uint8_t completion_count = 1;  // CC of an invalidate completion
  std::uint16_t prg_index = 0;        // PRG response
  std::uint8_t response_code = 0;     // PRG response

  CompletionStatus status = CompletionStatus::kSuccess;
  Translation translation;
  std::uint8_t translations = 1;
  FaultReason fault = FaultReason::kNone;
  AccessOutcome outcome = AccessOutcome::kDone;
  bool known = false;

  Attribution attribution;
  std::uint32_t slot = 0;
  std::uint32_t atc_slot = 0;
  bool holds_credit = false;

  tlm::tlm_extension_base* clone() const override { return new PcieExtension(*this); }
  void copy_from(const tlm::tlm_extension_base& other) override {
    *this = static_cast<const PcieExtension&>(other);
  }

  // Back to defaults for reuse; the attribution restarts at `now`.
  void reset(Ps now);
  // Only the outcome: the same request is made again, with another id and address.
  void repeat(std::uint64_t new_id, Addr new_iova, Ps now) {
    id = new_id;
    iova = new_iova;
    status = CompletionStatus::kSuccess;
    translation = kNoTranslation;
    fault = FaultReason::kNone;
    attribution.start(now);
  }
};

// What an access of memory is for; which of them a cache keeps depends on that.
enum class AccessOrigin : std::uint8_t {
  kDevice,     // data of a device
  kStructure,  // the IOMMU's root, context and PASID structures, its queues
  kWalk,       // page-table entries
};

// Ignorable hint for shared targets: who sent this, a number that is unique per sender, for a fair and
// deterministic order (a target that does not know it falls back to the order of calls), and what caches on
// the way want to know.
class SourceTag : public tlm::tlm_extension<SourceTag> {
 public:
  static constexpr unsigned kMaxHops = 4;
  std::uint64_t key = 0;   // unique per sender, deterministic
  std::uint16_t rank = 0;  // sender's rank at the shared target, written by the bus
  std::uint8_t hops = 0;   // way back through interconnects
  std::uint8_t port[kMaxHops] = {};
  AccessOrigin origin = AccessOrigin::kDevice;
  bool snoop = true;  // false: caches are neither looked up nor filled

  tlm::tlm_extension_base* clone() const override { return new SourceTag(*this); }
  void copy_from(const tlm::tlm_extension_base& other) override {
    *this = static_cast<const SourceTag&>(other);
  }
};

// Protocol of PCIe sockets. A component that does not know PcieExtension would change the meaning
// of a request by ignoring it, so it cannot be bound: the traits type differs.
//
// Payloads are Transactions of a TransactionPool, so that every hop reaches the extension for free.
// Phases: BEGIN_REQ forward with a delay of at least 1 ps (the receiver answers TLM_ACCEPTED and
// queues); END_REQ backward when the receiver has taken the request out of its input buffer, which
// returns the flow-control credit (a receiver that never runs out of room may leave it out:
// BEGIN_RESP implies it); BEGIN_RESP backward with the outcome, answered TLM_COMPLETED.
// Unlike in the base protocol, several requests may be between BEGIN_REQ and END_REQ, as many as
// the receiver advertised credits. Posted requests get a BEGIN_RESP too: it costs nothing on the
// link and tells the sender that the payload is free.
struct PcieProtocol {
  using tlm_payload_type = tlm::tlm_generic_payload;
  using tlm_phase_type = tlm::tlm_phase;
};

}  // namespace svasim
