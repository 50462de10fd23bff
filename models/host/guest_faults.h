// Page requests on their way from the host's page request thread to a guest, and the answers back.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <ostream>
#include <string>

#include "models/host/fault_service.h"
#include "models/host/guest_machine.h"
#include "models/host/iopf.h"

namespace svasim {

// Groups get numbers of the guest's own, so that an answer that comes late is never taken for that of a
// later group. SPEC: [LINUX drivers/iommu/iommufd/fault.c] cookies
class GuestFaults {
 public:
  using Task = Machine::Task;
  struct Host {
    Machine& machine;
    FaultService& faults;
    PageFaultLog& journeys;
  };

  GuestFaults(const Host& host, const GuestParams& params, GuestMachine& machine, GuestStats& stats)
      : host_(host), params_(params), machine_(machine), stats_(stats) {}
  // Who gets the requests in the guest.
  void start(FaultService& guest) { guest_ = &guest; }

  // Of a nested domain: for the host's IopfQueue. `pasid`: the guest's.
  IopfQueue::Handler handler(Pasid pasid);
  // The guest answers.
  void answer(const PageRequest& last, PageResponseCode code, const Task& taken);

  // Answers Invalid Request to what the guest still has: of one PASID (the host's) of a device, or all.
  // SPEC: [LINUX drivers/iommu/iommufd/fault.c]: at detach
  void refuse(RequesterId device, Pasid pasid);
  void refuse_all();

  std::uint64_t in_flight() const;
  void dump_in_flight(const std::string& who, std::ostream& out) const;

 private:
  struct Forwarded {
    IopfGroupRef group;
    Ps since = 0;
  };
  struct Deadline {
    Ps at = 0;
    IopfGroupRef group;
  };
  // SPEC: [VTD 7.4.1] nine bits number the groups of a device.
  static constexpr unsigned kGroups = 512;

  Errno forward(const IopfGroupRef& group, Pasid pasid);
  void deliver(unsigned number, Pasid pasid);
  bool respond(const IopfGroupRef& group, PageResponseCode code, const Task& taken);
  void watch();
  void refuse_if(const std::function<bool(const IopfGroup&)>& which);

  Host host_;
  const GuestParams& params_;
  GuestMachine& machine_;
  GuestStats& stats_;
  FaultService* guest_ = nullptr;
  std::map<unsigned, Forwarded> forwarded_;  // by the guest's number, until the guest answers
  std::size_t requests_ = 0;                 // in all of them
  std::deque<Deadline> deadlines_;
  bool watching_ = false;
};

}  // namespace svasim
