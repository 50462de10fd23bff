// The ports components offer each other, one class per kind of reference.
#pragma once

#include "models/dsa/dsa_params.h"
#include "models/host/host.h"
#include "models/iommu/iommu.h"
#include "models/memory/memory_bus.h"
#include "models/prq/prq.h"
#include "models/stale_uses/iommu_view.h"
#include "models/walker/walker_if.h"
#include "tlm/ats_rules.h"
#include "tlm/pcie_protocol.h"
#include "tlm/sockets.h"

namespace svasim {

class Binder;

// Kind "bus": for initiators of physical addresses and for what answers them. Numbered sockets
// "initiator" and "target".
class BusPort {
 public:
  virtual ~BusPort() = default;
  virtual MemoryBus& bus() = 0;
};

// Kinds "device_port" and "link": the device side of a link, or of an ATC before it.
class DevicePort {
 public:
  virtual ~DevicePort() = default;
  // rules: what a protocol checker may expect of this device.
  virtual void attach(Binder& binder, const std::string& device, InitiatorSocket<PcieProtocol>& requests,
                      TargetSocket<PcieProtocol>& messages, const AtsRuleOptions& rules) = 0;
  // Messages to this requester come this way.
  virtual void add_requester(Binder& binder, RequesterId requester) = 0;
  // Where the bus delivers accesses to the device's registers.
  virtual TargetSocket<>& mmio(Binder& binder) = 0;
  // Name of the IOMMU at the other end.
  virtual std::string iommu(Binder& binder) const = 0;
  // Whether what is attached here is translated for, by an ATC.
  virtual bool has_atc() const = 0;
};

// Kinds "root_port", where links end (numbered sockets "link"), and "iommu", for its driver.
class RootPort {
 public:
  virtual ~RootPort() = default;
  virtual Iommu& iommu() = 0;
  // How the tables it translates by are looked at.
  virtual RemappingView& remapping() = 0;
  virtual Addr registers() const = 0;
  virtual const std::string& bus() const = 0;
  virtual const IommuCapabilityParams& capabilities() const = 0;
  // Whether it has to be told what will be accessed, and whether pages of two requesters differ then.
  virtual bool wants_future() const = 0;
  virtual bool future_by_requester() const = 0;
};

// A component that drives a link, for what asks what it will do; no kind of reference.
class FuturePort {
 public:
  virtual ~FuturePort() = default;
  // Name of the IOMMU its accesses go to.
  virtual std::string iommu_used(Binder& binder) const = 0;
  // Why nobody can know in which order its accesses are looked up; empty when it is known.
  virtual std::string unknown_order() const = 0;
};

// Kind "walker". Numbered sockets "requester".
class WalkerPort {
 public:
  virtual ~WalkerPort() = default;
  virtual TargetSocket<WalkProtocol>& requester(unsigned number) = 0;
  virtual const std::string& bus() const = 0;
};

// Kind "dsa": for its driver.
class DsaPort {
 public:
  virtual ~DsaPort() = default;
  // Name of the IOMMU it is behind.
  virtual std::string iommu(Binder& binder) const = 0;
  // Whether it asks for translations, and whether faults of its descriptors can become page requests.
  virtual bool ats(Binder& binder) const = 0;
  virtual bool page_requests(Binder& binder) const = 0;
  // iommus: those the driver runs, in its order.
  virtual Platform::Dsa describe(Binder& binder, const std::vector<std::string>& iommus) const = 0;
  virtual const std::string& bus() const = 0;
  virtual const DsaParams& capabilities() const = 0;
};

// Kind "page_request_queue".
class PageRequestPort {
 public:
  virtual ~PageRequestPort() = default;
  virtual PageRequestQueue& queue() = 0;
  virtual const std::string& bus() const = 0;
};

}  // namespace svasim
