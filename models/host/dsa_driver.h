// Driver of one DSA device. SPEC: [DSA 9], [LINUX drivers/dma/idxd]
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "models/formats/dsa_descriptor.h"
#include "models/formats/dsa_registers.h"
#include "models/host/host_params.h"
#include "models/host/iommu_driver.h"
#include "models/host/machine.h"
#include "models/host/script.h"

namespace svasim {

// One dedicated work queue per process, all in one group with all engines.
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

  DsaDriver(std::string name, Machine& machine, Addr bar0, Addr bar2, RequesterId requester, unsigned iommu,
            Faults faults, const DsaDriverParams& params, HostLog& log)
      : name_(std::move(name)),
        machine_(machine),
        bar0_(bar0),
        bar2_(bar2),
        requester_(requester),
        iommu_(iommu),
        faults_(faults),
        params_(params),
        log_(log) {}

  // Configures and enables the device with this many work queues.
  void start(unsigned queues, Task done);
  // False when the device refused a command or cannot do what is asked; the log says why.
  bool usable() const { return usable_; }

  // Whose addresses a work queue uses.
  struct Identity {
    std::optional<Pasid> pasid;  // none: requests without PASID
    bool privileged = false;
    bool block_on_fault = false;
  };
  // Gives a work queue to somebody and enables it.
  void open(unsigned queue, const Identity& identity, Task done);
  // Disables it; everything submitted to it has ended when `done` runs.
  void close(unsigned queue, Task done);

  // MOVDIR64B to the work queue's portal. The caller keeps count of the entries in use.
  void submit(unsigned queue, const DsaDescriptor& descriptor);

  const std::string& name() const { return name_; }
  RequesterId requester() const { return requester_; }
  unsigned iommu() const { return iommu_; }
  Faults faults() const { return faults_; }

 private:
  void configure(unsigned queues, Script& script);
  // One command at a time: a script waits for the device, and lets the next one go on at its end.
  void run_locked(Script script, Task done);
  void unlock();
  void command(Script& script, DsaCommand command, std::uint32_t operand);
  Addr queue_config(unsigned queue, std::uint32_t word) const {
    return wqcfg_ + queue * wqcfg_stride_ + word;
  }
  std::uint32_t mode_word(const Identity& identity) const;
  void refuse(const std::string& why);

  std::string name_;
  Machine& machine_;
  Addr bar0_;
  Addr bar2_;
  RequesterId requester_;
  unsigned iommu_;
  Faults faults_;
  DsaDriverParams params_;
  HostLog& log_;

  bool usable_ = true;
  std::uint64_t gencap_ = 0;
  std::uint64_t wqcap_ = 0;
  std::uint64_t engcap_ = 0;
  Addr wqcfg_ = 0;
  Addr grpcfg_ = 0;
  std::uint32_t wqcfg_stride_ = 32;
  std::uint64_t submitted_ = 0;
  bool locked_ = false;
  std::deque<Task> waiting_;  // for the lock
};

}  // namespace svasim
