// A device like Intel's Data Streaming Accelerator.
#pragma once

#include <deque>
#include <optional>
#include <systemc>
#include <vector>

#include "models/dsa/dsa_checks.h"
#include "models/dsa/dsa_commands.h"
#include "models/dsa/dsa_dispatch.h"
#include "models/dsa/dsa_params.h"
#include "models/dsa/dsa_registers_file.h"
#include "models/dsa/dsa_stats.h"
#include "models/dsa/dsa_task.h"
#include "models/formats/dsa_event.h"
#include "tlm/context.h"
#include "tlm/delay_queue.h"
#include "tlm/inspect.h"
#include "tlm/sockets.h"
#include "tlm/transaction.h"
#include "tlm/wake.h"

namespace svasim {

// Software reaches it through down_in (registers in BAR0, portals in BAR2); it reaches memory
// through up_out, by virtual address with PASID, usually through an Atc.
//
// An engine takes descriptors from the queues of its group and works on several at a time, oldest
// first. Before it uses a page it makes sure of it by a translation request (with ATS), a few pages
// ahead. Data moves in chunks: read into read buffers, given to the operation in order, written in
// order, posted. The completion record follows when every data write is posted, the interrupt when
// the record is. A batch is a descriptor whose data are descriptors, which its engine takes up in turn.
class Dsa : public sc_core::sc_module,
            public Inspectable,
            private FwReceiver,
            private BwReceiver,
            private DsaCommandTarget {
 public:
  Dsa(sc_core::sc_module_name name, const DsaParams& params, SimContext& context);

  InitiatorSocket<PcieProtocol>& up_out() { return up_out_; }
  TargetSocket<PcieProtocol>& down_in() { return down_in_; }

  // Before the first event: nobody translates for it, so ATS and page requests stay off.
  void disable_ats();

  const DsaStats& stats() const { return stats_; }
  const DsaRegisters& registers() const { return registers_; }
  const Wake& wake() const { return wake_; }

  std::uint64_t in_flight() const override;
  void dump_in_flight(std::ostream& out) const override;

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  static constexpr unsigned kNoUnits = ~0U;  // waits for none
  enum Port : unsigned { kUpOut, kDownIn };

  // Order of work at one instant.
  enum class Event : std::uint8_t { kPosted, kAnswered, kCommand, kTask };
  struct Item {
    Event kind = Event::kTask;
    std::uint32_t index = 0;
  };

  enum class Use : std::uint8_t { kPage, kRecordPage, kRead, kWrite, kRecord, kEvent, kInterrupt };
  struct Flight {
    Transaction* transaction = nullptr;
    Use use = Use::kPage;
    std::uint32_t task = kNone;
    std::uint32_t chunk = kNone;
    unsigned operand = 0;
    std::uint64_t page = 0;
    std::uint64_t position = 0;  // at which it is needed
    std::uint64_t offset = 0;    // of a page: not before this byte of the operand
    std::uint32_t data = 0;      // of an interrupt
    std::uint64_t entry = 0;     // room for the data of a translation completion
    bool announced = false;      // that it is posted
  };

  // WHY one: an operation needs the bytes of both its sources at the same time.
  struct Chunk {
    DsaProgress::Chunk range;
    std::uint32_t task = kNone;
    unsigned missing = 0;      // reads not answered yet
    unsigned writes = 0;       // not in memory yet
    std::uint64_t before = 0;  // what the operation had made before it: see DsaRun
    std::uint32_t next = kNone;
    std::vector<unsigned char> data;  // two halves, one per source
  };

  enum class TaskState : std::uint8_t { kFree, kDecoding, kRunning, kFinishing, kRecordPage, kEnding };
  struct Task {
    TaskState state = TaskState::kFree;
    DsaSubmission submission;
    const DsaOperation* operation = nullptr;  // of a valid descriptor
    DsaProgress progress;
    DsaRun run;
    DsaCheck check;
    bool translate = false;       // make sure of pages by translation requests
    bool block_on_fault = false;  // for operands
    bool page_requests = false;   // for the completion record
    unsigned pages_in_flight = 0;
    unsigned unposted = 0;
    unsigned endings = 0;  // record and interrupt not done yet
    bool record_asked = false;
    bool record_page_in_flight = false;
    bool record_failed = false;
    bool record_lost = false;
    std::uint32_t first = kNone;  // chunks read or being read, in order
    std::uint32_t last = kNone;
    std::uint32_t open = kNone;             // chunk of emitted bytes that may still grow
    std::uint32_t members_in_progress = 0;  // of a batch ...
    std::uint32_t members_done = 0;
    bool members_failed = false;
    bool member_record_logged = false;  // a member's record went to the event log
    Ps blocked_since = kNever;          // waits for the translation of its next page
    Attribution wait;
    DsaCompletionRecord record;
  };

  // What lets a task go on. WHY not in Task: with many descriptors most wait for buffers, and they are looked
  // at each time one gets free.
  struct Turn {
    bool changed = false;
    bool open = false;           // it gives up its open chunk when somebody lacks buffers
    unsigned reads = kNoUnits;   // units it waits for ...
    unsigned writes = kNoUnits;  // ... or for these
    bool starves() const { return reads != kNoUnits || writes != kNoUnits; }
  };

  struct Engine {
    unsigned group = 0;
    bool used = false;
    bool dirty = false;                 // one of its tasks may go on
    Ps next_start = 0;                  // it takes no descriptor before
    Ps next_request = 0;                // it is busy until then
    std::vector<std::uint32_t> active;  // tasks, oldest first
    std::vector<std::uint32_t> free;
    std::vector<std::uint32_t> free_batches;
  };

  struct GroupState {
    unsigned read_units = 0;  // read buffers it may still take
  };

  tlm::tlm_sync_enum nb_transport_fw(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override;
  void b_transport(unsigned port, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
  unsigned transport_dbg(unsigned port, tlm::tlm_generic_payload& payload) override;
  tlm::tlm_sync_enum nb_transport_bw(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override;

  // Registers, portals, commands: dsa.cpp.
  void run();
  void push(Ps due, Event kind, std::uint64_t number, std::uint32_t index);
  Ps access(tlm::tlm_generic_payload& payload, Ps when);
  // False when the descriptor is not taken.
  bool submit(std::uint64_t offset, const unsigned char* data, unsigned length, bool deferrable, Ps when);
  void command_finished();

  std::uint64_t next_submission() const override { return next_submission_; }
  bool idle(const DsaScope& scope) const override;
  void discard(const DsaScope& scope) override;
  void device_enabled() override;
  void queue_enabled(unsigned queue) override;

  // Errors and interrupts: dsa_errors.cpp.
  static DsaEvent event_of(DsaStatus status, const DsaSubmission* submission, Addr address, bool write,
                           std::uint32_t info);
  void report(const DsaEvent& event, std::uint32_t task);
  void report_record(std::uint32_t index, DsaStatus status, Addr address);
  void software_error(const DsaEvent& event);
  void write_events();
  void event_posted();
  void event_answered(bool done);
  void lose_event();
  void end_event();
  void left_queue(unsigned queue, unsigned before);
  void misc_interrupt(std::uint64_t cause);
  void send_interrupt(unsigned vector, std::uint32_t task);
  void send_unmasked();

  // Engines: dsa_engine.cpp, dsa_streams.cpp, dsa_answers.cpp.
  void dispatch(unsigned number);
  void start(std::uint32_t index, const DsaSubmission& submission, Ps begin);
  void advance(unsigned number);
  std::uint32_t next_batch(Engine& engine);
  void take_member(std::uint32_t index, DsaSubmission& submission);
  void run_task(std::uint32_t index);
  bool over(const Task& task) const;
  Flight& ask_page(std::uint32_t index, Use use, unsigned operand, Addr page, bool write, bool page_request,
                   std::uint64_t ahead);
  void place(std::uint32_t flight, unsigned operand);
  void ask_pages(std::uint32_t index);
  void start_chunks(std::uint32_t index);
  void finish_chunks(std::uint32_t index);
  bool write_chunk(std::uint32_t index, std::uint32_t number);
  void emit(std::uint32_t index);
  bool emit_page_ready(std::uint32_t index, const DsaEmit& piece);
  void append(std::uint32_t index, Addr address, const unsigned char* data, unsigned length,
              const DsaEmit& piece);
  void close(std::uint32_t index);
  bool waits_for_earlier(const Task& task) const;
  void note_wait(Task& task);
  void take_wait(Task& task, std::uint32_t flight, Ps when);
  // Completion: dsa_completion.cpp.
  void finish(std::uint32_t index);
  void make_record(Task& task);
  static bool has_record_address(const Task& task);
  DsaStatus completion_event(const Task& task) const;
  void end_record(std::uint32_t index);
  void report_without_record(std::uint32_t index);
  void end_interrupt(std::uint32_t index);
  void end(std::uint32_t index);
  void member_ended(const Task& member);
  void posted(std::uint32_t index);
  void answered(std::uint32_t index);
  void page_answered(Flight& flight);
  void chunk_failed(const Flight& flight);
  static DsaStatus failure_of(const Transaction& transaction);

  std::uint32_t new_flight(Use use, std::uint32_t task, tlm::tlm_command command, Addr address,
                           unsigned char* data, unsigned length, Ps when);
  void send(std::uint32_t index, Ps when);
  std::uint32_t new_chunk(std::uint32_t task, const DsaProgress::Chunk& range);
  void drop_chunk(std::uint32_t chunk);
  Ps next_slot(Engine& engine, unsigned length = kLine);
  // Room in read and write buffers is counted in lines.
  static constexpr unsigned kLine = 64;
  static constexpr unsigned units_of(unsigned length) { return (length + kLine - 1) / kLine; }
  unsigned units_per_buffer() const { return static_cast<unsigned>(params_.buffer_size / kLine); }
  // Where the ATC keeps the translation of this page for the descriptor.
  std::uint32_t holder(std::uint32_t task, unsigned operand, Addr address) const {
    return 1 + (task * kHeldOperands + operand) * held_pages_ +
           (static_cast<std::uint32_t>(address >> kPageShift) & (held_pages_ - 1));
  }
  // The completion record is the last one.
  static constexpr unsigned kHeldOperands = DsaPlan::kMaxBuffers + 1;
  static constexpr unsigned kRecordOperand = DsaPlan::kMaxBuffers;
  // Which entry of the DevTLB serves it. MODEL: a batch has entries of its own for its list and its record.
  // CAL DA: these neither hit nor evict those of descriptors.
  static constexpr std::uint8_t kListField = 5;
  static constexpr std::uint8_t kBatchRecordField = 6;
  static std::uint8_t field_of(const Task& task, unsigned operand);
  unsigned slots() const { return params_.descriptors_in_progress + params_.batches_in_progress; }
  unsigned engine_of(std::uint32_t task) const { return task / slots(); }
  // MODEL: the number of its slot among those for batches.
  std::uint64_t batch_id(std::uint32_t task) const {
    return (engine_of(task) * params_.batches_in_progress + task % slots() -
            params_.descriptors_in_progress) %
           256;
  }
  void mark(std::uint32_t task);
  void starve(std::uint32_t task, unsigned reads, unsigned writes);
  bool can_go_on(const Turn& turn, const GroupState& group) const;
  void freed_units();

  DsaParams params_;
  SimContext& context_;
  InitiatorSocket<PcieProtocol> up_out_;
  TargetSocket<PcieProtocol> down_in_;
  Wake wake_;

  DsaRegisters registers_;
  DsaCommands commands_;
  DsaDispatch dispatch_;
  std::vector<DsaQueueConfig> queues_;
  std::vector<Engine> engines_;
  std::vector<GroupState> groups_;
  std::vector<Task> tasks_;
  std::uint32_t held_pages_ = 1;  // of an operand; a power of two
  std::vector<Turn> turns_;       // of the tasks
  unsigned read_units_;
  unsigned write_units_;
  unsigned starving_ = 0;  // tasks that could not go on for lack of units
  unsigned first_engine_ = 0;

  DelayQueue<Item> events_;
  DelayQueue<tlm::tlm_generic_payload*> arrivals_;
  // WHY deques: transactions point into these.
  std::deque<Flight> flights_;
  std::vector<std::uint32_t> free_flights_;
  std::deque<Chunk> chunks_;
  std::vector<std::uint32_t> free_chunks_;
  struct WaitingEvent {
    DsaEvent event;
    std::uint32_t task = kNone;  // it ends when the event is in memory
  };
  std::deque<WaitingEvent> events_waiting_;  // for the log; the first may be under way
  bool event_in_flight_ = false;
  std::uint64_t next_number_ = 0;
  std::uint64_t next_submission_ = 0;
  unsigned drains_ = 0;  // in progress
  DsaStats stats_;
};

}  // namespace svasim
