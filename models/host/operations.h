// Device operations of one thread: decided, submitted, found complete, compared.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "base/rng.h"
#include "models/host/dsa_driver.h"
#include "models/host/kernel.h"
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
  Shadow shadow;
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

  // Carries out the operations of this step with this work queue. `result` counts.
  void run(const StepParams& step, const Opening& opening, StepResult& result, Task done);
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
    bool record_may_come = false;  // it is submitted, and alone
  };
  // Operations submitted together.
  struct Batch {
    std::vector<std::uint32_t> slots;  // empty: not in use
    std::vector<DsaDescriptor> descriptors;
    Addr list = 0;
    bool submitted = false;
  };

  void prepare();
  bool depends_on_outstanding() const;
  void pump();
  void start_operations();
  bool touch_first();
  bool touch(const Span& span, bool write, Stale& stale);
  std::uint64_t missing_pages(const Span& span, bool write) const;
  void submit(std::uint32_t slot);
  // Of an operation that may go: alone, or with those gathered for a batch.
  void gather(std::uint32_t slot);
  void send_gathered();
  void send(std::uint32_t slot);
  void prepare_record(std::uint32_t slot, const SubmissionMemory::Ready& ready);
  DsaDescriptor describe(std::uint32_t slot, Addr record) const;
  void hand_over(const DsaDescriptor& descriptor);
  void send_batch(std::vector<std::uint32_t> slots);
  void submit_list(std::uint32_t number, std::uint64_t flags);
  void poll();
  void poll_again();
  void look_at(std::uint32_t slot);
  void complete(std::uint32_t slot, const DsaCompletionRecord& record);
  void complete_batch(std::uint32_t number, const DsaCompletionRecord& record);
  void go_on_with_list(std::uint32_t number, const DsaCompletionRecord& record);
  void write_shadow(const Operation& operation, std::uint64_t first, std::uint64_t length);
  void go_on(std::uint32_t slot, const DsaCompletionRecord& record);
  void end_operation(std::uint32_t slot);
  void fail(std::uint32_t slot, const std::string& why);
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
  Task finished_;

  SubmissionMemory exchange_;
  Submitter submitter_;
  std::vector<std::uint32_t> gathered_;
  std::vector<Batch> batches_;
  std::uint64_t started_ = 0;  // operations of the step submitted
  std::uint64_t ended_ = 0;
  std::uint64_t all_ended_ = 0;
  bool prepared_ = false;
  bool touching_ = false;  // the pages of next_, for a device that would not see them missing
  bool touched_ = false;
  Operation next_;  // the operation to submit next
  std::vector<Operation> slots_;
  unsigned outstanding_ = 0;
  Ps next_submit_ = 0;
  bool submit_armed_ = false;
  bool polling_ = false;
  bool stopped_ = false;
  Ps last_news_ = 0;  // something was submitted or found complete
  std::vector<unsigned char> scratch_;
};

}  // namespace svasim
