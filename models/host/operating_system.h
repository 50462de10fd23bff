// The operating system: drivers, shared address spaces, processes, from boot to the end of the workload.
#pragma once

#include <algorithm>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "models/formats/page_table_format.h"
#include "models/host/dsa_driver.h"
#include "models/host/fault_service.h"
#include "models/host/host_params.h"
#include "models/host/host_stats.h"
#include "models/host/iommu_driver.h"
#include "models/host/kernel.h"
#include "models/host/machine.h"
#include "models/host/platform.h"
#include "models/host/process.h"
#include "models/host/step_board.h"
#include "models/host/sva.h"
#include "tlm/page_fault_log.h"

namespace svasim {

class OperatingSystem : public Kernel, private SvaHardware {
 public:
  // What it runs on.
  struct Ground {
    std::string name;
    std::uint64_t seed = 1;
    Machine& machine;
    HostStats& stats;
    HostLog& log;
    PageFaultLog& journeys;
    StepBoard::Statistic statistic;
  };
  // `done` when the workload has ended and everything is torn down, or could not be begun.
  OperatingSystem(const Ground& ground, const HostParams& params, const Platform& platform,
                  Machine::Task done);

  void boot();

  std::uint64_t work_done() const;
  std::uint64_t work_total() const;
  // Somebody was told to do nothing until then.
  Ps asleep_until() const { return asleep_until_; }
  // What has to hold when the work is done.
  std::vector<HostCheck> checks() const;
  std::uint64_t in_flight() const;
  void dump_in_flight(std::ostream& out) const;

 private:
  using Task = Machine::Task;
  // A process and its address space.
  struct Program {
    std::unique_ptr<SvaSpace> space;
    std::unique_ptr<Process> process;
    bool child = false;
    bool begun = false;
  };

  void make_drivers();
  void make_programs();
  void start_devices(std::size_t device);
  SvaDeviceInfo describe(std::size_t device) const;
  DsaDriver::KernelMemory kernel_memory(const DsaDriver& device);
  void start_processes();
  void run_program(std::size_t index);
  void end_program(std::size_t index, bool exited);
  // Closes what is open, then undoes the other bonds, one after the other; then the address space is dropped.
  void close_all(std::size_t index, Task done);
  void forgo(Program& child);
  void program_ended();
  void finish();
  unsigned device_number(const std::string& name) const;
  IommuDriver& iommu_of(unsigned device) { return *iommus_[devices_[device]->iommu()]; }
  RequesterId requester_of(unsigned device) const { return devices_[device]->requester(); }

  // Kernel.
  Machine& machine() override { return machine_; }
  PageAllocator& pages() override { return pages_; }
  const HostParams& params() const override { return params_; }
  HostStats& stats() override { return stats_; }
  HostLog& log() override { return log_; }
  StepBoard& board() override { return board_; }
  RngStream rng(const std::string& who) override { return {seed_, name_ + "." + who}; }
  Ps began() const override { return began_; }
  void note_sleep(Ps until) override { asleep_until_ = std::max(asleep_until_, until); }
  void open(Process& process, Opening& opening, Result result) override;
  void close(Process& process, Opening& opening, Result result) override;
  void bind(Process& process, const std::string& device, Bound result) override;
  void unbind(SvaCore::Handle handle, Task done) override;
  void set_feature(const std::string& device, SvaFeature feature, bool on, Result result) override;
  SvaSpace* find_space(Pasid pasid) override;
  void shoot_down(SvaSpace& space, const Stale& stale, Task done) override;
  void fork(Process& parent, const std::string& child, Result result) override;

  // SvaHardware.
  void attach(unsigned device, Pasid pasid, SvaSpace& space, Task done) override;
  void detach(unsigned device, Pasid pasid, Task done) override;
  void silence(unsigned device, Pasid pasid, Task done) override;
  void end_silence(unsigned device, Pasid pasid, Task done) override;
  void invalidate(unsigned iommu, Pasid pasid, AddressSpan span, const std::vector<unsigned>& devices,
                  Task done) override;
  void enable_page_requests(unsigned device, Task done) override;
  void disable_page_requests(unsigned device, Task done) override;

  std::string name_;
  std::uint64_t seed_;
  Machine& machine_;
  HostParams params_;
  Platform platform_;
  HostStats& stats_;
  HostLog& log_;
  Task done_;

  PageAllocator pages_;
  PageTableFormat format_;
  FaultService faults_;
  SvaCore sva_;
  StepBoard board_;
  std::vector<std::unique_ptr<IommuDriver>> iommus_;
  std::vector<std::unique_ptr<DsaDriver>> devices_;
  std::vector<std::vector<bool>> queues_;  // by device: its work queues; true: a shared one
  std::vector<bool> attached_;             // by device: its context entry is there
  std::vector<Program> programs_;
  std::size_t running_ = 0;
  Ps began_ = 0;
  Ps asleep_until_ = 0;
  bool finished_ = false;
};

}  // namespace svasim
