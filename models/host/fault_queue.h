// A fault object of iommufd: page request groups that user space reads and answers.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <vector>

#include "models/host/errno.h"
#include "models/host/iommufd_stats.h"
#include "models/host/iopf.h"
#include "models/host/machine.h"

namespace svasim {

// One record of read(). SPEC: [LINUX include/uapi/linux/iommufd.h struct iommu_hwpt_pgfault]
struct IommufdFault {
  static constexpr std::uint32_t kPasidValid = 1;
  static constexpr std::uint32_t kLastPage = 2;
  static constexpr std::uint32_t kRead = 1;
  static constexpr std::uint32_t kWrite = 2;
  static constexpr std::uint32_t kExecute = 4;
  static constexpr std::uint32_t kPrivileged = 8;

  std::uint32_t flags = 0;
  std::uint32_t dev_id = 0;
  std::uint32_t pasid = 0;
  std::uint32_t grpid = 0;
  std::uint32_t perm = 0;
  std::uint32_t reserved = 0;
  std::uint64_t addr = 0;
  std::uint32_t length = 0;  // a hint; 0: not known
  std::uint32_t cookie = 0;
};
static_assert(sizeof(IommufdFault) == 40);

// SPEC: [LINUX drivers/iommu/iommufd/fault.c]
class FaultQueue {
 public:
  using Task = Machine::Task;
  // Answers the device.
  using Respond = std::function<void(const IopfGroupRef& group, PageResponseCode code)>;
  // Whose faults: a bound device and a PASID of it.
  struct Source {
    std::uint32_t dev_id = 0;
    std::uint32_t pasid = 0;
    bool operator==(const Source& other) const { return dev_id == other.dev_id && pasid == other.pasid; }
  };

  FaultQueue(Machine& machine, IommufdStats& stats, Respond respond)
      : machine_(machine), stats_(stats), respond_(std::move(respond)) {}

  void deliver(Source source, const IopfGroupRef& group);
  // Whole groups, as many as fit in `bytes`; each gets a cookie. kSeek: not a multiple of a record.
  Errno read(std::uint64_t bytes, std::vector<IommufdFault>& records);
  // The answer to a group that was read. kInvalid: no such cookie, nothing is sent.
  Errno write(std::uint32_t cookie, bool success);
  bool readable() const { return !waiting_.empty(); }
  // Runs the task when something can be read, at once if so. SPEC: [LINUX iommufd_fault_fops_poll]
  void when_readable(Task task);

  // Who waits to read looks again.
  void wake();

  // Answers everything of the source with Invalid Request, whether it was read or not.
  void discard(Source source);

  std::uint64_t pending() const { return waiting_.size() + read_.size(); }

 private:
  struct Group {
    Source source;
    IopfGroupRef group;
    Ps delivered = 0;
  };
  Machine& machine_;
  IommufdStats& stats_;
  Respond respond_;
  std::deque<Group> waiting_;
  std::map<std::uint32_t, Group> read_;  // by cookie
  std::vector<Task> pollers_;
};

}  // namespace svasim
