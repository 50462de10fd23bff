// A kernel's processes and their system calls: the same in the host and in a virtual machine.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "models/formats/page_table_format.h"
#include "models/host/fault_service.h"
#include "models/host/kernel.h"
#include "models/host/platform.h"
#include "models/host/process.h"
#include "models/host/serial_work.h"

namespace svasim {

class ProcessKernel : public Kernel {
 public:
  // What it runs on.
  struct Ground {
    std::string name;
    std::uint64_t seed = 1;
    Machine& machine;
    HostStats& stats;
    HostLog& log;
    PageFaultLog& journeys;
    StepBoard& board;
  };
  struct Memory {
    Addr base = 0;
    std::uint64_t size = 0;
    std::string owner;  // whose memory_size it is, for messages
  };
  // Gives a process a work queue of a device.
  using MakeOpening = std::function<Opening(const std::string& device, const ProcessParams& process)>;

  // `hardware` is not used before the first process runs.
  ProcessKernel(const Ground& ground, const HostParams& params, const Platform& platform,
                const Memory& memory, SvaHardware& hardware);

  // Makes the processes of this list.
  void make_programs(const std::vector<ProcessParams>& processes, const MakeOpening& make_opening);
  // Begins those without a parent; `ended` when all have ended and, with host.teardown, nothing of them is
  // left.
  void run_programs(Task ended);

  // Some thread of its processes was told to do nothing until then.
  Ps asleep_until() const { return asleep_until_; }

  const PageAllocator& page_allocator() const { return pages_; }
  FaultService& faults() { return faults_; }
  SvaCore& sva() { return sva_; }

  // Kernel.
  Machine& machine() override { return machine_; }
  PageAllocator& pages() override { return pages_; }
  const HostParams& params() const override { return params_; }
  HostStats& stats() override { return stats_; }
  HostLog& log() override { return log_; }
  StepBoard& board() override { return board_; }
  RngStream rng(const std::string& who) override { return {seed_, name_ + "." + who}; }
  const std::shared_ptr<Shadow>& device_shadow() override { return device_shadow_; }
  Ps began() const override { return began_; }
  void note_sleep(Ps until) override { asleep_until_ = std::max(asleep_until_, until); }
  void open(Process& process, Opening& opening, Result result) override;
  void close(Process& process, Opening& opening, Result result) override;
  void bind(Process& process, const std::string& device, Bound result) override;
  void unbind(Process& process, SvaCore::Handle handle, Task done) override;
  void set_feature(const std::string& device, SvaFeature feature, bool on, Result result) override;
  SvaSpace* find_space(Pasid pasid) override;
  void shoot_down(SvaSpace& space, const Stale& stale, Task done) override;
  void fork(Process& parent, const std::string& child, Result result) override;

 protected:
  // A process and its address space.
  struct Program {
    SvaSpace* space = nullptr;
    std::unique_ptr<Process> process;
    bool child = false;
    bool begun = false;
  };

  // That the device can be given the process's address space; the log says why not.
  virtual bool can_share(Process& /*process*/, const Opening& /*opening*/) { return true; }
  // Of a process that maps its memory for the device instead. No guest has such.
  virtual void open_mapping(Process& /*process*/, Opening& /*opening*/, Result result) {
    result(Errno::kNotSupported);
  }
  virtual void close_mapping(Opening& /*opening*/, Task done) { done(); }
  // The device's side of opening and closing a work queue.
  virtual void open_queue(Opening& opening, Task done) = 0;
  virtual void close_queue(Opening& opening, Task done) = 0;

  // Address spaces of processes that run.
  std::vector<SvaSpace*> spaces() const;
  unsigned device_number(const std::string& name) const;
  std::uint64_t programs_done() const;
  std::uint64_t programs_total() const;
  std::uint64_t programs_in_flight() const;
  void dump_programs(std::ostream& out) const;
  // The memory that processes of the kernel share, once all have ended.
  void release_kernel_space();
  // Ends all of them at once.
  void kill_programs();
  // Tells the board of the steps that were never carried out.
  void note_left_steps();

  std::string name_;
  std::uint64_t seed_;
  Machine& machine_;
  HostParams params_;
  Platform platform_;
  HostStats& stats_;
  HostLog& log_;
  PageFaultLog& journeys_;
  StepBoard& board_;

  PageAllocator pages_;
  PageTableFormat format_;
  FaultService faults_;
  SvaCore sva_;
  std::vector<Program> programs_;

 private:
  SvaSpace& space_for(const ProcessParams& process);
  void run_program(std::size_t index);
  void end_program(std::size_t index, bool exited);
  // Closes what is open, then undoes the other bonds, one after the other; then the address space is dropped.
  void close_all(std::size_t index, Task done);
  void forgo(Program& child);
  void program_ended();
  // A call that is under way until it has called what is returned.
  Result calls(Process& process, Result result) const;
  void undo_open(Opening& opening, const Result& end, Errno error);

  std::vector<std::unique_ptr<SvaSpace>> spaces_;
  SvaSpace* kernel_space_ = nullptr;         // none while no process is in the kernel
  std::map<unsigned, SerialWork> features_;  // by device: changes of its features
  std::shared_ptr<Shadow> device_shadow_ = std::make_shared<Shadow>();
  Task ended_;
  std::size_t running_ = 0;
  Ps began_ = 0;
  Ps asleep_until_ = 0;
};

}  // namespace svasim
