// A process that shares its address space with a device and carries out its steps.
#pragma once

#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "base/rng.h"
#include "models/host/dsa_driver.h"
#include "models/host/host_params.h"
#include "models/host/host_stats.h"
#include "models/host/machine.h"
#include "models/host/process_memory.h"
#include "models/host/shadow.h"

namespace svasim {

// MODEL: a process runs alone on its own CPU and polls its completion records; finding one costs at
// most one poll interval.
class Process {
 public:
  using Task = Machine::Task;
  // Makes devices forget the removed page-table entries of [start, end).
  using Invalidate = std::function<void(Addr start, Addr end, Task done)>;

  Process(const ProcessParams& params, const HostParams& host, Machine& machine, PageAllocator& pages,
          ProcessMemory& space, RngStream rng, HostStats& stats, HostLog& log);

  // Maps the buffers and brings in what is to be resident. Takes no time.
  void set_up();
  // Carries out the steps with this work queue; `done` when the last one has ended and the bytes of
  // all buffers are verified.
  void run(DsaDriver& device, unsigned queue, Invalidate invalidate, Task done);

  const ProcessParams& params() const { return params_; }
  ProcessMemory& space() { return space_; }
  // Operations and steps that have ended, and how many there are.
  std::uint64_t done() const { return done_; }
  std::uint64_t total() const { return total_; }

  std::uint64_t in_flight() const { return outstanding_; }
  void dump_in_flight(std::ostream& out) const;

 private:
  struct Buffer {
    BufferParams params;
    Addr start = 0;  // 0: not mapped
    std::uint64_t size = 0;
    unsigned generation = 0;  // mappings made so far
    Shadow shadow;
  };
  // A part of a buffer.
  struct Span {
    unsigned buffer = 0;
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    bool overlaps(const Span& other) const {
      return length != 0 && other.length != 0 && buffer == other.buffer &&
             offset < other.offset + other.length && other.offset < offset + length;
    }
  };
  struct Operation {
    bool active = false;
    DsaOpcode opcode = DsaOpcode::kNoop;
    Span from;
    Span to;
    std::uint64_t pattern = 0;
    Ps submitted = 0;
  };

  Buffer& buffer(const std::string& name);
  unsigned buffer_index(const std::string& name) const;
  void map_buffer(Buffer& buffer, Addr address);

  void begin_step();
  void end_step();
  void munmap(Buffer& buffer, Task done);
  void verify(Buffer& buffer, std::uint64_t offset, std::uint64_t length);
  void verify_buffer(Buffer& buffer);

  // Operations of the current step.
  void prepare();
  bool depends_on_outstanding() const;
  void pump();
  bool touch_first();
  FaultResult touch(const Span& span, bool write);
  std::uint64_t missing_pages(const Span& span) const;
  void submit(std::uint32_t slot);
  void send(std::uint32_t slot);
  void poll();
  void poll_again();
  void complete(std::uint32_t slot);
  void write_shadow(const Operation& operation, std::uint64_t first, std::uint64_t length);
  void go_on(std::uint32_t slot, const DsaCompletionRecord& record);
  void end_operation(std::uint32_t slot);
  void fail(std::uint32_t slot, const std::string& why);

  ProcessParams params_;
  HostParams host_;
  Machine& machine_;
  PageAllocator& pages_;
  ProcessMemory& space_;
  RngStream rng_;
  HostStats& stats_;
  HostLog& log_;
  DsaDriver* device_ = nullptr;
  unsigned queue_ = 0;
  Invalidate invalidate_;
  Task finished_;

  std::vector<Buffer> buffers_;
  Addr records_ = 0;
  std::vector<Addr> record_pages_;  // physical; they stay as long as the process
  std::size_t step_ = 0;
  std::uint64_t started_ = 0;  // operations of the step submitted
  std::uint64_t ended_ = 0;
  bool prepared_ = false;
  bool touching_ = false;  // the pages of next_, for a device that would not see them missing
  bool touched_ = false;
  Operation next_;  // the operation to submit next
  std::vector<Operation> slots_;
  unsigned outstanding_ = 0;
  Ps next_submit_ = 0;
  bool submit_armed_ = false;
  bool polling_ = false;
  Ps last_news_ = 0;  // something was submitted or found complete
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;
  std::vector<unsigned char> scratch_;
  std::vector<unsigned char> polled_;
};

}  // namespace svasim
