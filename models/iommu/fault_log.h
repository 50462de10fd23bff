// What the fault and queue registers tell software, told to people: with the structure and its address.
#pragma once

#include <cstdint>
#include <string>

#include "base/problem_log.h"
#include "models/formats/vtd_invalidation.h"
#include "models/iommu/fault_place.h"
#include "models/iommu/fault_recorder.h"
#include "models/iommu/registers.h"

namespace svasim {

class FaultLog {
 public:
  explicit FaultLog(std::string owner) : log_(std::move(owner)) {}

  void fault(const FaultRecord& fault, const FaultPlace& place, FaultRecorder::Outcome outcome);
  // `descriptor`: what was read at the head; nullptr when the registers are at fault, or the read failed.
  void queue_error(InvalidationQueueError error, const InvalidationQueueRegisters& queue,
                   const InvalidationDescriptor* descriptor);
  void unexpected_completion(RequesterId requester, std::uint32_t itag);
  void timeout(RequesterId requester, std::uint32_t itag);

 private:
  ProblemLog log_;
};

}  // namespace svasim
