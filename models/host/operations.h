// Device operations of one thread: decided, submitted, found complete, compared.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "base/rng.h"
#include "models/host/dma_view.h"
#include "models/host/dsa_driver.h"
#include "models/host/kernel.h"
#include "models/host/serial_work.h"
#include "models/host/shadow.h"
#include "models/host/submission_memory.h"
#include "models/host/submitter.h"

namespace svasim {

// A buffer of a process.
struct Buffer {
  BufferParams params;
  bool mapped = false;
  Addr start = 0;  // where it is, or was last
  std::uint64_t size = 0;
  unsigned generation = 0;  // mappings made so far
  // What it has to hold, from `base` on. All memory of devices has one, by physical address.
  std::shared_ptr<Shadow> shadow;
  std::uint64_t base = 0;
  bool is_device() const { return params.kind == "device"; }
};

// What operations need of their process.
class BufferSet {
 public:
  virtual ~BufferSet() = default;
  virtual SvaSpace& space() = 0;
  virtual unsigned index_of(const std::string& buffer) const = 0;
  virtual Buffer& buffer(unsigned index) = 0;
  // Compares with what has to be there.
  virtual void verify(Buffer& buffer, std::uint64_t offset, std::uint64_t length) = 0;
  // Takes what is there for what has to be there: nobody knows better, and nobody is writing it.
  virtual void adopt(Buffer& buffer, std::uint64_t offset, std::uint64_t length) = 0;
  virtual const ProcessParams& process_params() const = 0;
};

// Operations are decided by the random stream alone, never by timing.
class Operations {
 public:
  using Task = Machine::Task;

  Operations(const std::string& who, unsigned outstanding, unsigned slots, Kernel& kernel, BufferSet& buffers,
             RngStream& rng);

  // Maps the completion records. Takes no time.
  void set_up();
  // Where these are: whole pages.
  AddressSpan records() const { return exchange_.records(); }

  // Carries out the operations of this step with this work queue. `result` counts. EFAULT: the work queue is
  // not open, or was closed meanwhile; those submitted before have ended.
  void run(const StepParams& step, const Opening& opening, StepResult& result, Kernel::Result done);
  // The process exits: nothing is submitted or looked at any more.
  void stop();

  // Operations that have ended, of all steps.
  std::uint64_t ended() const { return all_ended_; }
  std::uint64_t in_flight() const { return stopped_ ? 0 : outstanding_; }
  void dump_in_flight(std::ostream& out) const;

 private:
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
    bool sent = false;  // and its record may come; not while what it uses is being unmapped
    DsaCompletionRecord record;
    Flight flight;
  };
  // Operations submitted together.
  struct Batch {
    std::vector<std::uint32_t> slots;  // empty: not in use
    std::vector<DsaDescriptor> descriptors;
    Addr list = 0;
    bool submitted = false;
  };

  void prepare();
  void make_batch(std::uint32_t slot, DsaDescriptor& descriptor);
  void give_up();
  void end_step();
  void enter(Operation& operation);
  void leave(const Operation& operation);
  bool depends_on_outstanding() const;
  void pump();
  void start_operations();
  bool touch_first();
  bool touch(const Span& span, bool write, Stale& stale);
  std::uint64_t missing_pages(const Span& span, bool write) const;
  void submit(std::uint32_t slot);
  // Maps what the operation uses for a device that does not share the address space, then sends it.
  void map(std::uint32_t slot);
  void unmap(std::uint32_t slot);
  Addr address(const Span& span) const { return buffers_.buffer(span.buffer).start + span.offset; }
  // Of an operation that may go: alone, or with those gathered to go together.
  void gather(std::uint32_t slot);
  void send_gathered();
  void send(std::uint32_t slot);
  void prepare_record(std::uint32_t slot, const SubmissionMemory::Ready& ready);
  DsaDescriptor describe(std::uint32_t slot, Addr record) const;
  void hand_over(const DsaDescriptor& descriptor, Task closed);
  // What the device calls an address of the process.
  Addr device_address(Addr user) const;
  void poll();
  void poll_again();
  void look_at(std::uint32_t slot);
  // Its record is there.
  void complete(std::uint32_t slot);
  // operation_batches.cpp
  void send_batch(std::vector<std::uint32_t> slots);
  void submit_list(std::uint32_t number, std::uint64_t flags);
  void complete_batch(std::uint32_t number, const DsaCompletionRecord& record);
  void go_on_with_list(std::uint32_t number, const DsaCompletionRecord& record);
  void finish(std::uint32_t slot);
  void settle(const Operation& operation, std::uint64_t first, std::uint64_t length);
  void go_on(std::uint32_t slot, const DsaCompletionRecord& record);
  void end_operation(std::uint32_t slot);
  // may_go_on: the device may still be at it, so nobody knows what it leaves.
  void fail(std::uint32_t slot, const std::string& why, bool may_go_on = false);
  ProcessMemory& memory() { return buffers_.space().memory; }
  const ProcessMemory& memory() const { return buffers_.space().memory; }

  std::string who_;
  unsigned limit_;
  Kernel& kernel_;
  Machine& machine_;
  BufferSet& buffers_;
  RngStream& rng_;
  HostStats& stats_;
  const HostParams& host_;

  const StepParams* step_ = nullptr;
  const Opening* opening_ = nullptr;
  StepResult* result_ = nullptr;
  Kernel::Result finished_;
  Errno error_ = Errno::kNone;

  SubmissionMemory exchange_;
  Submitter submitter_;
  std::vector<std::uint32_t> gathered_;
  std::vector<Batch> batches_;
  std::vector<DsaDescriptor> members_;
  std::uint64_t started_ = 0;  // operations of the step submitted
  std::uint64_t ended_ = 0;
  std::uint64_t all_ended_ = 0;
  bool prepared_ = false;
  bool touching_ = false;  // the pages of next_, for a device that would not see them missing
  bool touched_ = false;
  Operation next_;  // the operation to submit next
  std::vector<Operation> slots_;
  std::vector<DmaView::Job> jobs_;  // by slot
  SerialWork mapping_;
  unsigned outstanding_ = 0;
  Ps next_submit_ = 0;
  bool submit_armed_ = false;
  bool polling_ = false;
  bool stopped_ = false;
  Ps last_news_ = 0;  // something was submitted or found complete
  std::vector<unsigned char> scratch_;
};

}  // namespace svasim
