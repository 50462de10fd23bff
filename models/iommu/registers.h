// The register block as software sees it. SPEC: [VTD 11.4]
#pragma once

#include <cstdint>
#include <optional>

#include "models/formats/vtd_registers.h"
#include "models/iommu/capabilities.h"
#include "models/iommu/fault_recorder.h"
#include "models/iommu/register_invalidation.h"
#include "models/iommu/structure_fetch.h"
#include "models/prq/event_registers.h"
#include "models/prq/prq_if.h"

namespace svasim {

// IQA, IQH and IQT as they stand.
struct InvalidationQueueRegisters {
  Addr base = 0;
  bool wide = false;       // DW
  std::uint64_t size = 0;  // bytes
  std::uint64_t head = 0;  // byte offsets
  std::uint64_t tail = 0;
  std::uint64_t error = 0;  // IQERCD

  unsigned descriptor_bytes() const { return wide ? 32 : 16; }
};

// Holds what software wrote and shows what the hardware reports; what a write sets in motion is
// told by the effects, for the module to carry out in time.
class Registers {
 public:
  explicit Registers(const Capabilities& capabilities)
      : capabilities_(capabilities), faults_(capabilities.params().fault_records) {}

  // Where 0xC0 .. 0xEF are kept; without, they read 0.
  void set_page_request_registers(PrqRegisters* registers) { page_requests_ = registers; }

  struct Effects {
    bool set_root = false;  // SRTP: call root_set() when done
    bool translation_off = false;
    bool queue = false;  // the invalidation queue may have work
    bool queue_off = false;
    std::optional<RegisterInvalidation::Command> invalidate;
    std::optional<MsiMessage> message;
  };

  // Aligned accesses; an offset without a register reads 0 and ignores writes.
  std::uint32_t read32(std::uint32_t offset) const;
  std::uint64_t read64(std::uint32_t offset) const;
  Effects write32(std::uint32_t offset, std::uint32_t value);
  Effects write64(std::uint32_t offset, std::uint64_t value);

  // The root pointer of RTADDR has been taken over.
  RootPointer root_set();

  bool translation_enabled() const { return VtdGsts::TES::get(status_) != 0; }
  bool queue_enabled() const { return VtdGsts::QIES::get(status_) != 0; }
  InvalidationQueueRegisters& queue() { return queue_; }
  const InvalidationQueueRegisters& queue() const { return queue_; }
  RegisterInvalidation& invalidation() { return invalidation_; }
  FaultRecorder& faults() { return faults_; }
  const FaultRecorder& faults() const { return faults_; }

  // A wait descriptor with IF completed; the message to send, if any.
  std::optional<MsiMessage> invalidation_completed();
  // IQE, ICE or ITE with its details; the message to send, if any.
  std::optional<MsiMessage> queue_error(InvalidationQueueError error);
  std::optional<MsiMessage> completion_error(RequesterId requester);
  std::optional<MsiMessage> timeout_error(RequesterId requester);

 private:
  void write_command(std::uint32_t value, Effects& effects);
  void write_invalidation(std::uint32_t offset, std::uint32_t value, Effects& effects);
  void write_event(EventRegisters& event, std::uint32_t index, std::uint32_t value, Effects& effects);
  static std::uint32_t read_event(const EventRegisters& event, std::uint32_t index);
  bool is_page_request_register(std::uint32_t offset) const {
    return offset >= PrqRegisters::kFirst && offset < PrqRegisters::kEnd;
  }
  bool is_fault_record(std::uint32_t offset) const {
    return offset >= Capabilities::kFaultRecordOffset && offset < capabilities_.registers_end();
  }
  std::optional<MsiMessage> set_error(std::uint32_t status_bit);

  const Capabilities& capabilities_;
  std::uint32_t status_ = 0;  // GSTS
  std::uint64_t root_ = 0;    // RTADDR as written
  InvalidationQueueRegisters queue_;
  RegisterInvalidation invalidation_;
  FaultRecorder faults_;
  bool wait_completed_ = false;  // ICS.IWC
  EventRegisters completion_event_;
  PrqRegisters* page_requests_ = nullptr;
};

}  // namespace svasim
