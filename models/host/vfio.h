// Memory of devices that processes and I/O address spaces map: what happens when it goes away.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "models/host/address_span.h"
#include "models/host/iommufd.h"
#include "models/host/kernel.h"

namespace svasim {

// SPEC: [LINUX drivers/vfio/pci/vfio_pci_core.c vfio_pci_zap_and_down_write_memory_lock]
class Vfio {
 public:
  using Task = Machine::Task;
  using Result = Kernel::Result;
  // All address spaces, and all contexts, there are.
  using Spaces = std::function<std::vector<SvaSpace*>()>;
  using Contexts = std::function<std::vector<Iommufd*>()>;

  Vfio(Kernel& kernel, Spaces spaces, Contexts contexts);

  // Whether the memory at this address answers, for who maps it; nullptr: it is no BAR.
  const bool* there(Addr physical) const;

  // Sets or clears the device's Memory Space Enable. Who maps the BAR loses it first. kNoEntry: no such BAR.
  void enable(const std::string& bar, Result result);
  void disable(const std::string& bar, Result result);
  // Function level reset, which clears Memory Space Enable too.
  void reset(const std::string& bar, Result result);

 private:
  struct Bar {
    const BarParams* params = nullptr;
    bool there = true;
    AddressSpan span() const { return {params->base, params->base + params->size}; }
  };
  Bar* find(const std::string& name);
  // Nobody reaches it any more, as far as revocation goes.
  void take(Bar& bar, Task done);
  void zap(const Bar& bar, Task done);
  void revoke(const Bar& bar, Task done);
  // Writes a register of the configuration space and waits until the device has it.
  void configure(const Bar& bar, std::uint32_t offset, std::uint32_t value, const Result& result);

  Kernel& kernel_;
  Spaces spaces_;
  Contexts contexts_;
  std::vector<std::unique_ptr<Bar>> bars_;  // areas of processes point to them
};

}  // namespace svasim
