// A process: an address space with buffers, what it has opened, and its threads.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "models/host/kernel.h"
#include "models/host/operations.h"
#include "models/host/thread.h"

namespace svasim {

class UserDriver;

// MODEL: each thread runs alone on its own CPU and polls its completion records; finding one costs at
// most one poll interval.
class Process : public BufferSet {
 public:
  using Task = Machine::Task;

  // openings: the devices it may open, with the work queues it gets there.
  Process(const ProcessParams& params, Kernel& kernel, SvaSpace& space, std::vector<Opening> openings);
  ~Process() override;

  // Maps the buffers and brings in what is to be resident. Takes no time.
  void set_up();
  // The same for a child: what fork gave it is in its address space already. Until the task that is returned
  // is run, the parent's devices may write what the child has, too.
  Task set_up_as_child(Process& parent);
  // Carries out the steps; `done` when the last one of all threads has ended, or with `exited` at an exit
  // step.
  void run(std::function<void(bool exited)> done);
  // By process, the first step of each thread that was not carried out, unless an exit is why.
  std::vector<std::pair<std::string, const StepParams*>> left() const;

  const ProcessParams& params() const { return params_; }
  std::vector<Opening>& openings() { return openings_; }
  // Of the process's own device when `device` is empty; nullptr when no step ever opens it.
  Opening* find_opening(const std::string& device);
  Opening& opening(const std::string& device);
  // Bonds beside those of openings, a handle for each bind.
  std::map<std::string, std::vector<SvaCore::Handle>>& binds() { return binds_; }
  // The buffer at an address; nullptr: there is none mapped.
  const Buffer* buffer_at(Addr address) const;
  // What it does as a driver; nullptr when its kernel lets no process be one.
  UserDriver* driver();
  // Calls of open, close, bind and unbind under way; `task` runs, at once or later, when there is none.
  void call_begins() { ++calls_; }
  void call_ends();
  void when_idle(Task task);
  // Operations and steps that have ended, and how many there are.
  std::uint64_t done() const;
  std::uint64_t total() const;

  std::uint64_t in_flight() const;
  void dump_in_flight(std::ostream& out) const;

  // BufferSet.
  SvaSpace& space() override { return space_; }
  unsigned index_of(const std::string& buffer) const override;
  Buffer& buffer(unsigned index) override { return buffers_[index]; }
  void verify(Buffer& buffer, std::uint64_t offset, std::uint64_t length) override;
  void adopt(Buffer& buffer, std::uint64_t offset, std::uint64_t length) override;
  const ProcessParams& process_params() const override { return params_; }

  // For its threads.
  Buffer& buffer(const std::string& name) { return buffers_[index_of(name)]; }
  // False: the address space has no room.
  bool map_buffer(Buffer& buffer, Addr address);
  // What the buffer holds there is gone from its address space. Until the task that is returned is run,
  // devices may use what it was.
  Task lose(Buffer& buffer, std::uint64_t offset, std::uint64_t length);
  void verify_buffer(Buffer& buffer) { verify_pages(buffer, 0, buffer.size); }
  void verify_pages(Buffer& buffer, std::uint64_t offset, std::uint64_t length);
  void exit();
  // Ends it without a trace: its machine is gone.
  void kill();
  // Where its threads' completion records are: whole pages.
  std::vector<AddressSpan> records() const;

 private:
  void bring_in(const Buffer& buffer, std::uint64_t offset);
  void thread_ended();
  void for_mapped(const Buffer& subject, std::uint64_t offset, std::uint64_t length,
                  const std::function<void(std::uint64_t at, std::uint64_t part)>& visit) const;

  ProcessParams params_;
  Kernel& kernel_;
  SvaSpace& space_;
  RngStream rng_;
  std::vector<RngStream> more_rngs_;  // of the further threads
  std::vector<Opening> openings_;
  std::map<std::string, std::vector<SvaCore::Handle>> binds_;
  std::vector<Buffer> buffers_;
  std::vector<std::unique_ptr<Thread>> threads_;
  std::size_t running_ = 0;
  unsigned calls_ = 0;
  std::vector<Task> when_idle_;
  bool exited_ = false;
  std::function<void(bool)> finished_;
  std::unique_ptr<UserDriver> driver_;
};

}  // namespace svasim
