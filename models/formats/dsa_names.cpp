#include "models/formats/dsa_descriptor.h"

namespace svasim {

const char* dsa_opcode_name(DsaOpcode opcode) {
  switch (opcode) {
    case DsaOpcode::kNoop:
      return "no-op";
    case DsaOpcode::kBatch:
      return "batch";
    case DsaOpcode::kDrain:
      return "drain";
    case DsaOpcode::kMemmove:
      return "memory move";
    case DsaOpcode::kFill:
      return "fill";
    case DsaOpcode::kCompare:
      return "compare";
    case DsaOpcode::kComparePattern:
      return "compare pattern";
    case DsaOpcode::kCreateDelta:
      return "create delta record";
    case DsaOpcode::kApplyDelta:
      return "apply delta record";
    case DsaOpcode::kDualcast:
      return "dualcast";
    case DsaOpcode::kTranslationFetch:
      return "translation fetch";
    case DsaOpcode::kCrcGeneration:
      return "CRC generation";
    case DsaOpcode::kCopyCrc:
      return "copy with CRC";
    case DsaOpcode::kDifCheck:
      return "DIF check";
    case DsaOpcode::kDifInsert:
      return "DIF insert";
    case DsaOpcode::kDifStrip:
      return "DIF strip";
    case DsaOpcode::kDifUpdate:
      return "DIF update";
    case DsaOpcode::kDixGenerate:
      return "DIX generate";
    case DsaOpcode::kCacheFlush:
      return "cache flush";
    case DsaOpcode::kUpdateWindow:
      return "update window";
    case DsaOpcode::kInterDomainCopy:
      return "inter-domain copy";
    case DsaOpcode::kInterDomainFill:
      return "inter-domain fill";
    case DsaOpcode::kInterDomainCompare:
      return "inter-domain compare";
    case DsaOpcode::kInterDomainComparePattern:
      return "inter-domain compare pattern";
  }
  return "undefined operation";
}

const char* dsa_status_name(DsaStatus status) {
  switch (status) {
    case DsaStatus::kNone:
      return "not written";
    case DsaStatus::kSuccess:
      return "success";
    case DsaStatus::kSuccessFalsePredicate:
      return "success with false predicate";
    case DsaStatus::kPageFault:
      return "page fault, not blocked on";
    case DsaStatus::kPageFaultInvalidResponse:
      return "page fault, answered Invalid Request";
    case DsaStatus::kBatchFail:
      return "batch with failed descriptors";
    case DsaStatus::kBatchPageFault:
      return "page fault on the descriptor list";
    case DsaStatus::kDeltaOffsetOrder:
      return "delta offsets not increasing";
    case DsaStatus::kDeltaOffsetRange:
      return "delta offset out of range";
    case DsaStatus::kDifError:
      return "DIF error";
    case DsaStatus::kBadOpcode:
      return "unsupported operation";
    case DsaStatus::kInvalidFlags:
      return "invalid flags";
    case DsaStatus::kReservedField:
      return "reserved field not zero";
    case DsaStatus::kTransferSize:
      return "transfer size out of range";
    case DsaStatus::kDescriptorCount:
      return "descriptor count out of range";
    case DsaStatus::kFieldValue:
      return "unsupported field value";
    case DsaStatus::kOverlappingBuffers:
      return "overlapping buffers";
    case DsaStatus::kDualcastAlignment:
      return "dualcast destinations differ in their page offset";
    case DsaStatus::kDescriptorListAlignment:
      return "descriptor list not aligned";
    case DsaStatus::kInterruptHandle:
      return "invalid interrupt handle";
    case DsaStatus::kCompletionRecordFault:
      return "page fault on the completion record";
    case DsaStatus::kCompletionRecordAlignment:
      return "completion record not aligned";
    case DsaStatus::kAddressAlignment:
      return "address or size not aligned";
    case DsaStatus::kPrivilege:
      return "privileged submission not allowed";
    case DsaStatus::kTrafficClass:
      return "traffic class configuration";
    case DsaStatus::kDrainReadbackFault:
      return "page fault on a drain readback address";
    case DsaStatus::kHardwareError:
      return "hardware error";
    case DsaStatus::kHardwareErrorWrite:
      return "hardware error on a write";
    case DsaStatus::kTranslationError:
      return "translation error";
    case DsaStatus::kDrainEventLog:
      return "drain completion in the event log";
    case DsaStatus::kBatchEventLog:
      return "batch completion in the event log";
    case DsaStatus::kConfigurationChanged:
      return "configuration changed while enabled";
    case DsaStatus::kCommandWhileActive:
      return "command while another was active";
    case DsaStatus::kQueueOverflow:
      return "dedicated work queue overflow";
    case DsaStatus::kEventLogLost:
      return "event log entry lost";
  }
  return "undefined status";
}

}  // namespace svasim
