// The kernel writes completion records to the memory of a process.
#pragma once

#include <functional>

#include "models/formats/dsa_descriptor.h"
#include "models/host/kernel.h"

namespace svasim {

// SPEC: [LINUX idxd_copy_cr]: all bytes but the status, then the status, so that who polls never sees half a
// record. Pages that are not there come in by faults of the kernel thread. Each part takes
// dsa.record_copy_time, and a fault the time of a fault.
class IdxdRecordCopy {
 public:
  // Bytes that were copied.
  using Done = std::function<void(std::size_t copied)>;

  explicit IdxdRecordCopy(Kernel& kernel) : kernel_(kernel) {}

  // `space` may be nullptr, or be dead by now: then nothing is copied.
  void copy(SvaSpace* space, Addr address, const DsaCompletionRecord& record, Done done);

 private:
  void part(SvaSpace& space, Addr address, const DsaCompletionRecord& record, std::size_t from,
            std::size_t to, const std::function<void(bool written)>& done);

  Kernel& kernel_;
};

}  // namespace svasim
