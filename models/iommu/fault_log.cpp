#include "models/iommu/fault_log.h"

#include <fmt/format.h>

#include <array>

#include "tlm/pcie_protocol.h"

namespace svasim {

namespace {

// Numbers of kinds in the log; faults are numbered by their code.
constexpr unsigned kQueueErrors = 0x100;
constexpr unsigned kUnexpectedCompletion = 0x200;
constexpr unsigned kTimeout = 0x201;

std::string place_text(const FaultPlace& place) {
  static constexpr std::array<const char*, 9> kNames = {"",
                                                        "root table",
                                                        "root entry",
                                                        "context entry",
                                                        "PASID directory entry",
                                                        "PASID-table entry",
                                                        "first-stage entry",
                                                        "second-stage entry",
                                                        "page"};
  if (place.structure == FaultPlace::Structure::kNone) {
    return "";
  }
  const std::string level = place.level == 0 ? "" : fmt::format(" (level {})", place.level);
  return fmt::format(", {} at {:#x}{}", kNames[static_cast<std::size_t>(place.structure)], place.address,
                     level);
}

const char* type_text(const FaultRecord& fault) {
  if (fault.type == FaultRecordType::kPageRequest) {
    return "page request";
  }
  switch (static_cast<AddressType>(fault.at)) {
    case AddressType::kTranslationRequest:
      return "translation request";
    case AddressType::kTranslated:
      return fault.type == FaultRecordType::kWrite ? "translated write" : "translated read";
    default:
      return fault.type == FaultRecordType::kWrite ? "write" : "read";
  }
}

const char* queue_error_text(InvalidationQueueError error) {
  switch (error) {
    case InvalidationQueueError::kNoInformation:
      break;
    case InvalidationQueueError::kInvalidTail:
      return "tail beyond the queue";
    case InvalidationQueueError::kFetchError:
      return "descriptor cannot be read";
    case InvalidationQueueError::kInvalidType:
      return "type of descriptor that this mode does not have";
    case InvalidationQueueError::kReservedField:
      return "reserved bit or value in a descriptor";
    case InvalidationQueueError::kInvalidWidth:
      return "descriptor width that this mode does not have";
    case InvalidationQueueError::kTailMisaligned:
      return "tail is no multiple of the descriptor width";
    case InvalidationQueueError::kInvalidMode:
      return "reserved translation table mode";
  }
  return "no information";
}

}  // namespace

void FaultLog::fault(const FaultRecord& fault, const FaultPlace& place, FaultRecorder::Outcome outcome) {
  const FaultInfo& info = fault_info(fault.reason);
  log_.warn(static_cast<unsigned>(fault.reason), info.mnemonic, [&] {
    return fmt::format(
        "fault {:#04x} {} ({}){}, requester {}{}, {} of {:#x}{}", static_cast<unsigned>(fault.reason),
        info.mnemonic, info.text, place_text(place), to_string(fault.requester),
        fault.has_pasid ? fmt::format(" PASID {:#x}", fault.pasid.value()) : "", type_text(fault),
        fault.address, outcome == FaultRecorder::Outcome::kRecorded ? "" : "; not recorded, FSTS.PFO is set");
  });
}

void FaultLog::queue_error(InvalidationQueueError error, const InvalidationQueueRegisters& queue,
                           const InvalidationDescriptor* descriptor) {
  const char* kind = queue_error_text(error);
  log_.warn(kQueueErrors + static_cast<unsigned>(error), kind, [&] {
    std::string words;
    for (unsigned i = 0; descriptor != nullptr && i < queue.descriptor_bytes() / 8; ++i) {
      words += fmt::format(" {:#x}", (*descriptor)[i]);
    }
    return fmt::format(
        "invalidation queue error {} ({}), invalidation descriptor at {:#x}{}, IQH {:#x}, IQT {:#x}",
        static_cast<unsigned>(error), kind, queue.base + queue.head, words.empty() ? "" : ":" + words,
        queue.head, queue.tail);
  });
}

void FaultLog::unexpected_completion(RequesterId requester, std::uint32_t itag) {
  log_.warn(kUnexpectedCompletion, "unexpected invalidate completion", [&] {
    return fmt::format("unexpected invalidate completion, requester {}, ITag {}", to_string(requester), itag);
  });
}

void FaultLog::timeout(RequesterId requester, std::uint32_t itag) {
  log_.warn(kTimeout, "no invalidate completion in time", [&] {
    return fmt::format("no invalidate completion in time, requester {}, ITag {}", to_string(requester), itag);
  });
}

}  // namespace svasim
