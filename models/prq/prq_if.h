// What the IOMMU front end and the page request queue know of each other.
#pragma once

#include <cstdint>

namespace svasim {

// The registers 0xC0 .. 0xEF (PQH, PQT, PQA, PRS, PECTL, PEDATA, PEADDR, PEUADDR) as the IOMMU's
// register file forwards them: offsets are those of the whole register block, naturally aligned.
// Called from the IOMMU's own process, so an implementation may change its state at once; what
// takes time (an event message released by unmasking) it schedules for itself.
// PECTL and its companions: EventRegisters in event_registers.h is the common hand-shake.
class PrqRegisters {
 public:
  static constexpr unsigned kFirst = 0xC0;
  static constexpr unsigned kEnd = 0xF0;

  virtual ~PrqRegisters() = default;
  virtual std::uint32_t read32(unsigned offset) const = 0;
  virtual std::uint64_t read64(unsigned offset) const = 0;
  virtual void write32(unsigned offset, std::uint32_t value) = 0;
  virtual void write64(unsigned offset, std::uint64_t value) = 0;
};

// The socket between them (PcieProtocol, IOMMU the initiator) carries page requests (kPageRequest,
// stop markers included) that passed all checks of [VTD 7.4]: the very payloads the devices sent.
//
// - BEGIN_REQ forward with positive delay, answered TLM_ACCEPTED. The IOMMU may have any number of
//   them outstanding; they are queued in the order of (arrival, order of calls).
// - END_REQ is optional and ignored.
// - BEGIN_RESP backward with positive delay, exactly one per request, in any order, when the
//   descriptor is visible in memory or was dropped. The queue writes only pcie.status and
//   pcie.attribution (kPageRequest up to the time of the response):
//     kSuccess             the descriptor is in the queue (PQT moved past it) or the request was a
//                          stop marker that is dropped silently;
//     kUnsupportedRequest  not queued: PRO was set already, or the queue was full and PRO is set now.
//                          The IOMMU then sends the PRG response (Success) when the request is the
//                          last of its group. SPEC: [VTD 7.4, Table 31]
// - The IOMMU completes a wait descriptor with PD=1 only after the responses to all page requests
//   received before it, so no further drain interface is needed.
// - Loose timing: b_transport does all this at once and annotates the time.

}  // namespace svasim
