// The I/O page fault framework: from a page request of a device to whoever handles its domain, and back.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "models/formats/vtd_invalidation.h"
#include "models/formats/vtd_page_request.h"
#include "models/host/errno.h"
#include "models/host/machine.h"

namespace svasim {

// Page requests that are answered together. The last request is last, the others in order of arrival.
struct IopfGroup {
  unsigned queue = 0;  // number of the IopfQueue
  RequesterId device;
  std::vector<PageRequest> requests;
  bool pending = true;   // the device waits for an answer
  bool working = false;  // in queue_work()
  bool dropped = false;  // it was dealt with, but the answer is kept back (fault injection)
  const PageRequest& last() const { return requests.back(); }
};
using IopfGroupRef = std::shared_ptr<IopfGroup>;

// One IOMMU's faults. SPEC: [LINUX drivers/iommu/io-pgfault.c]
class IopfQueue {
 public:
  using Task = Machine::Task;
  // Of a domain; it keeps what data it needs. Anything but kNone: it did not take the group.
  using Handler = std::function<Errno(const IopfGroupRef& group)>;
  // How a device gets its answer; `taken` when the IOMMU has it.
  using PageResponse = std::function<void(const PageRequest& last, PageResponseCode code, Task taken)>;
  // Runs when a worker takes the group; ends by calling `done`.
  using Work = std::function<void(Task done)>;
  // Has some worker carry out the work.
  using Workers = std::function<void(const IopfGroupRef& group, Work work)>;

  IopfQueue(unsigned number, Workers workers) : number_(number), workers_(std::move(workers)) {}

  // kBusy: it was added already; kNoDevice: it has no way to answer.
  Errno add_device(RequesterId device, PageResponse response);
  // Drops its partial groups, answers Invalid Request to everything it waits for. Answers that come later
  // do nothing. Before: page requests stopped and this queue flushed. Returns how many were answered that
  // nobody had dealt with.
  std::uint64_t remove_device(RequesterId device);
  bool has_device(RequesterId device) const { return devices_.count(device) != 0; }

  // What handles faults of a PASID of the device, and of requests without PASID.
  void set_handler(RequesterId device, std::optional<Pasid> pasid, Handler handler);
  void remove_handler(RequesterId device, std::optional<Pasid> pasid);

  // A request, not a stop marker. Anything but kNone after a last request: the caller answers the device.
  Errno report(const PageRequest& request);
  // The answer to a group. kInvalid, and nothing is sent, when the device does not wait for it.
  Errno respond(const IopfGroupRef& group, PageResponseCode code, Task taken);

  // From a handler: has the group dealt with. kBusy when it is queued already.
  Errno queue_work(const IopfGroupRef& group, Work work);
  // Runs `done` when all work that is queued now has ended, of all devices.
  void flush(Task done);
  // Drops all requests of incomplete groups; returns how many.
  std::uint64_t discard_partial();

  std::uint64_t partials() const;
  std::uint64_t pending() const;  // groups whose answer a device waits for
  std::uint64_t groups() const { return groups_; }
  void dump_partials(const std::function<void(const PageRequest&)>& line) const;

 private:
  struct Device {
    PageResponse response;
    std::vector<PageRequest> partial;
    std::vector<IopfGroupRef> faults;
    std::map<std::uint32_t, Handler> handlers;  // by PASID; kNoPasid: without
  };
  struct Flush {
    std::uint64_t up_to = 0;  // number of the last work it waits for
    Task done;
  };
  static constexpr std::uint32_t kNoPasid = ~std::uint32_t{0};
  static std::uint32_t key(std::optional<Pasid> pasid) {
    return pasid.has_value() ? pasid->value() : kNoPasid;
  }

  void work_ended(std::uint64_t number);

  unsigned number_;
  Workers workers_;
  std::map<RequesterId, Device> devices_;
  std::map<std::uint64_t, IopfGroupRef> work_;  // queued or being done, by number
  std::uint64_t next_work_ = 0;
  std::vector<Flush> flushes_;
  std::uint64_t groups_ = 0;
};

}  // namespace svasim
