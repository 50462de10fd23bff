// Who uses devices by mapping: domains of devices and of PASIDs, and what is attached to them.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "models/host/dma_api.h"
#include "models/host/dma_view.h"
#include "models/host/host_params.h"
#include "models/host/kernel.h"
#include "models/host/sva.h"

namespace svasim {

// Requests without PASID are those of the device's default domain; a client of a PASID has a domain of its
// own, beside address spaces that the same device shares. SPEC: [LINUX drivers/iommu/iommu.c
// iommu_get_dma_domain, iommu_attach_device_pasid]
// MODEL: a default domain is attached while somebody has opened its device, so that requests without PASID
// fault at all other times.
class DmaClients {
 public:
  using Task = Machine::Task;
  using Result = Kernel::Result;
  // A device, by its number, and the driver of the IOMMU it is behind.
  struct Device {
    IommuDriver* iommu = nullptr;
    RequesterId requester;
  };
  using FindDevice = std::function<Device(unsigned number)>;

  DmaClients(Kernel& kernel, SvaCore& sva, DomainIds& ids, FindDevice find)
      : kernel_(kernel), sva_(sva), ids_(ids), find_(std::move(find)) {}

  // Attaches a domain and keeps `records` of the memory mapped; sets view and PASID of the opening.
  // kNotSupported: the IOMMU cannot; the log says what it lacks.
  void open(const ProcessParams& process, ProcessMemory& memory, const std::vector<AddressSpan>& records,
            Opening& opening, Result result);
  // Undoes it. The device has stopped.
  void close(Opening& opening, Task done);
  // Somebody has, or had until just now, a domain of the device attached.
  bool uses(unsigned device) const;
  // Gives all tables back; nothing is open.
  void release();

 private:
  enum class State : std::uint8_t { kDetached, kAttaching, kAttached, kDetaching };
  struct Client {
    unsigned device = 0;
    Pasid pasid = kNoPasid;  // of an auxiliary domain; the default domain has none
    bool auxiliary = false;
    std::unique_ptr<DmaApi> api;
    State state = State::kDetached;
    unsigned users = 0;
    std::vector<Task> waiting;  // to be attached
  };
  struct View {
    Opening* opening = nullptr;
    Client* client = nullptr;
    std::unique_ptr<DmaView> view;
  };

  Client& client_of(unsigned device, const IommuDriver& iommu);
  std::unique_ptr<DmaApi> make_api(const IommuDriver& iommu, bool default_domain);
  void attach(Client& client, Task done);
  void attach_now(Client& client);
  void detach(Client& client, Task done);
  void keep_records(View& view, std::vector<AddressSpan> records, Result result);

  Kernel& kernel_;
  SvaCore& sva_;
  DomainIds& ids_;
  FindDevice find_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<std::unique_ptr<View>> views_;
};

}  // namespace svasim
