// Driver of one DSA device. SPEC: [DSA 9], [LINUX drivers/dma/idxd]
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/formats/dsa_descriptor.h"
#include "models/formats/dsa_registers.h"
#include "models/host/dsa_division.h"
#include "models/host/host_log.h"
#include "models/host/machine.h"
#include "models/host/platform.h"
#include "models/host/script.h"
#include "models/host/serial_work.h"

namespace svasim {

class IdxdEventLog;
class Kernel;
struct DsaDriverParams;
struct SvaSpace;

// Its work queues are divided by a plan: dedicated ones, which one process has at a time, and shared ones,
// which are enabled from the start.
class DsaDriver {
 public:
  using Task = Machine::Task;
  // What happens when a page of a descriptor is not there.
  enum class Faults : std::uint8_t {
    kBlock,     // the device asks for it and waits: Block on Fault
    kReported,  // the descriptor ends before it, and its completion record says so
    kFinal,     // it fails: what the device uses is there, or nobody will bring it in
    kUnseen,    // reads fail, writes are lost without notice: pages have to be there
  };
  // Lets the device reach the memory of the kernel without PASID; empty when it cannot.
  using KernelMemory = std::function<void(Task done)>;

  DsaDriver(std::string name, Kernel& kernel, const Platform::Dsa& place, Faults faults);
  ~DsaDriver();

  // Configures and enables the device.
  void start(const DsaDivision& plan, const KernelMemory& memory, Task done);
  // False when the device refused a command or cannot do what is asked; the log says why.
  bool usable() const { return usable_; }

  // SPEC: [LINUX idxd_cdev_open]: a dedicated queue has one opener at a time. True: it is this one's until
  // it is given back.
  bool claim(unsigned queue);
  void give_back(unsigned queue) { --openers_[queue]; }
  // Whose addresses a work queue uses.
  struct Identity {
    std::optional<Pasid> pasid;  // none: requests without PASID
    bool privileged = false;
    bool block_on_fault = false;
    SvaSpace* space = nullptr;  // what the kernel writes records to that the device could not
  };
  // Lets somebody use the queue; a dedicated one is enabled.
  void open(unsigned queue, const Identity& identity, Task done);
  // Everything it submitted with this PASID has ended when `done` runs, and the event log is not read for it
  // any more.
  void close(unsigned queue, std::optional<Pasid> pasid, Task done);

  bool is_shared(unsigned queue) const { return plan_.queues[queue].shared; }
  // MOVDIR64B to a dedicated queue's portal. The caller keeps count of the entries in use.
  void submit(unsigned queue, const DsaDescriptor& descriptor);
  // ENQCMD to a shared one's, with the PASID of the process that executes it. 1: accepted; 0: Retry.
  void enqueue(unsigned queue, Pasid pasid, DsaDescriptor descriptor, Machine::Answer answer);
  // A batch can be told that another one before it failed.
  bool continues_batches() const { return DsaGencap::BATCH_CONTINUATION::get(gencap_) != 0; }

  const std::string& name() const { return name_; }
  RequesterId requester() const { return requester_; }
  unsigned iommu() const { return iommu_; }
  Faults faults(unsigned queue) const;

 private:
  // What it cannot do of the plan; empty when it can.
  std::string lacks() const;
  void configure(Script& script);
  void configure_groups(Script& script);
  void configure_interrupt(Script& script);
  void on_interrupt();
  void read_software_error(Task done);
  // One command at a time: a script waits for the device, and lets the next one go on at its end.
  void run_locked(const Script& script, Task done);
  void command(Script& script, DsaCommand command, std::uint32_t operand);
  Addr queue_config(unsigned queue, std::uint32_t word) const {
    return wqcfg_ + queue * wqcfg_stride_ + word;
  }
  Addr portal(unsigned queue);
  std::uint32_t mode_word(const DsaDivision::Queue& queue, const Identity& identity) const;
  void refuse(const std::string& why);

  std::string name_;
  Kernel& kernel_;
  Machine& machine_;
  Addr bar0_;
  Addr bar2_;
  RequesterId requester_;
  unsigned iommu_;
  Faults faults_;
  const DsaDriverParams& params_;
  HostLog& log_;

  bool usable_ = true;
  DsaDivision plan_;
  std::vector<unsigned> openers_;         // of each work queue
  std::unique_ptr<IdxdEventLog> events_;  // nullptr: the device has no event log
  std::uint64_t gencap_ = 0;
  std::uint64_t wqcap_ = 0;
  std::uint64_t engcap_ = 0;
  Addr wqcfg_ = 0;
  Addr grpcfg_ = 0;
  std::uint32_t wqcfg_stride_ = 32;
  std::uint64_t submitted_ = 0;
  SerialWork commands_;
};

}  // namespace svasim
