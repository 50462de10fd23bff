// Replays a capture of a real Linux on the simulated hardware.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <systemc>
#include <vector>

#include "base/trace_dataset.h"
#include "models/traffic/linux_replay_params.h"
#include "models/traffic/linux_replay_stats.h"
#include "models/traffic/replay_session.h"
#include "tlm/context.h"
#include "tlm/delay_queue.h"
#include "tlm/inspect.h"
#include "tlm/memory_port.h"
#include "tlm/sockets.h"
#include "tlm/transaction.h"
#include "tlm/wake.h"

namespace svasim {

// A checked capture, ready to be replayed. Throws InputError.
struct LinuxReplayInput {
  explicit LinuxReplayInput(const std::string& path) : dataset(path), session(dataset) {}
  TraceDataset dataset;
  ReplaySession session;
};

// Two sides. The devices send the recorded accesses, each with its requester ID, through one link.
// The host loads the captured boot tables, sets the IOMMU up through its registers, stores table
// edits to memory, puts captured descriptors into the invalidation queue, waits for their status
// writes, and reads fault records. Events happen in the order of the capture: accesses overlap each
// other within `window`, everything else waits for what stands before it.
//
// MODEL: one CPU does all the driver's work. MODEL: captures do not hold the data of an access: zeros
// are written. MODEL: the devices have no ATC, so they answer device-TLB invalidations at once.
class LinuxReplay : public sc_core::sc_module,
                    public Inspectable,
                    private FwReceiver,
                    private BwReceiver,
                    private MemoryClient {
 public:
  // `input` must outlive the module.
  LinuxReplay(sc_core::sc_module_name name, const LinuxReplayParams& params, LinuxReplayInput& input,
              SimContext& context);

  InitiatorSocket<PcieProtocol>& req() { return req_; }
  TargetSocket<PcieProtocol>& msg() { return msg_; }
  InitiatorSocket<>& memory() { return port_.socket(); }

  const ReplayReport& report() const { return input_.session.report(); }
  const AccessStats& stats() const { return stats_.accesses; }
  const Wake& wake() const { return wake_; }

  // Records of the capture dealt with so far.
  std::uint64_t records() const { return input_.session.line(); }
  bool done() const { return done_; }
  Ps finished_at() const { return finished_at_; }
  // Accesses of host or devices that memory refused, and descriptors the queue stopped at.
  std::uint64_t memory_errors() const { return stats_.memory_errors.value; }
  std::uint64_t queue_errors() const { return stats_.queue_errors.value; }

  std::uint64_t in_flight() const override;
  void dump_in_flight(std::ostream& out) const override;

 private:
  // Order of work within an instant.
  enum class Work : std::uint8_t { kMessage, kAccessDone, kHostDone, kPause, kStart };
  struct Event {
    Work work = Work::kStart;
    tlm::tlm_generic_payload* payload = nullptr;
    std::uint32_t index = 0;
  };
  // A captured access on its way, in requests that do not cross 4 KiB, one after the other.
  struct Slot {
    ReplayAccess access;
    std::vector<unsigned char> data;
    Addr at = 0;  // of the request in flight
    std::uint64_t length = 0;
    ReplaySession::Verdict verdict = ReplaySession::Verdict::kEqual;
    ReplayAccess::Answer answer;  // the one the verdict is about
    Addr answer_at = 0;
    bool busy = false;
  };
  // A request that faulted and whose fault record is still to be read.
  struct Fault {
    ReplayAccess access;
    Addr at = 0;
    FaultReason reason = FaultReason::kNone;
  };
  struct Message {
    tlm::tlm_generic_payload* payload = nullptr;  // nullptr: answered already (loose timing)
    PcieExtension pcie;
    bool busy = false;
  };
  // What the host does when its current memory or register access is done.
  enum class Host : std::uint8_t {
    kIdle,
    kScript,
    kStores,
    kRing,
    kStatusClear,
    kDescriptor,
    kTail,
    kPoll,
    kPollPause,
    kQueueStatus,
    kQueueHead,
    kQueueError,
    kFaultStatus,
    kFaultLow,
    kFaultHigh,
    kFaultClear,
    kOverflowClear,
  };
  // A step of the set-up: a register write, or reads until (value & mask) == value.
  struct RegisterStep {
    bool poll = false;
    std::uint32_t offset = 0;
    unsigned bytes = 4;
    std::uint64_t value = 0;
    std::uint64_t mask = 0;
  };

  tlm::tlm_sync_enum nb_transport_fw(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override;
  tlm::tlm_sync_enum nb_transport_bw(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override;
  void b_transport(unsigned port, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
  void memory_response(tlm::tlm_generic_payload& payload, Ps delay) override;

  void start_of_simulation() override {
    check_memory();
    schedule(1, Work::kStart);
  }
  // Throws InputError.
  void check_memory() const;
  void run();
  void advance();
  void schedule(Ps delay, Work work, std::uint32_t index = 0, tlm::tlm_generic_payload* payload = nullptr);

  // Devices: linux_replay.cpp.
  void start_access();
  void send_request(std::uint32_t slot);
  void request_done(std::uint32_t slot, Transaction& transaction);
  void take_message(tlm::tlm_generic_payload* payload, const PcieExtension& pcie, Ps delay);
  void answer_message(Message& message);
  void send_up(Transaction& transaction, Ps delay, std::uint32_t slot = 0);

  // Host: linux_replay_host.cpp.
  void boot();
  void load_tables(const TableWrites& writes);
  void compare_snapshot();
  void run_script();
  void store_next();
  void push_descriptor();
  void queue_descriptor();
  void poll_status();
  void drain_ring();
  void ring_empty();
  void end_replay();
  void service_faults();
  void read_fault(std::uint32_t word, Host state);
  void match_fault_record();
  void faults_done();
  void host_done(Transaction& transaction);
  void continue_host();
  void host_access(Host state, tlm::tlm_command command, Addr address, unsigned char* data,
                   std::size_t bytes);
  void read_register(Host state, std::uint32_t offset, unsigned bytes);
  void write_register(Host state, std::uint32_t offset, unsigned bytes, std::uint64_t value);
  void debug_access(tlm::tlm_command command, Addr address, void* data, std::size_t bytes) const;
  std::uint64_t ring_entry_bytes() const;

  LinuxReplayParams params_;
  LinuxReplayInput& input_;
  ReplaySession& session_;
  SimContext& context_;
  InitiatorSocket<PcieProtocol> req_;
  TargetSocket<PcieProtocol> msg_;
  mutable MemoryPort port_;
  Wake wake_;
  DelayQueue<Event> events_;

  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::vector<Message> messages_;
  std::vector<Fault> faults_;
  // A request's id: its number, then its slot.
  static constexpr unsigned kSlotBits = 16;
  std::uint64_t next_id_ = 0;
  bool alone_ = false;  // an access that no other may overlap is in flight
  bool done_ = false;
  Ps finished_at_ = 0;

  Host host_ = Host::kIdle;
  std::uint64_t value_ = 0;  // read from or written to a register, status or descriptor word
  std::uint64_t host_key_ = 0;
  std::vector<RegisterStep> script_;
  std::size_t script_at_ = 0;
  std::size_t span_ = 0;
  std::vector<std::uint64_t> store_data_;
  InvalidationDescriptor descriptor_{};
  std::uint64_t iqa_ = 0;
  std::uint64_t tail_ = 0;        // byte offset in the ring
  std::uint64_t since_wait_ = 0;  // descriptors behind the last wait that finished
  std::uint64_t polls_ = 0;
  struct Pushed {
    InvalidationDescriptor descriptor{};
    std::uint64_t line = 0;
  };
  std::vector<Pushed> pushed_;      // by place in the ring
  std::uint64_t queue_status_ = 0;  // FSTS of a queue that stopped
  std::uint64_t queue_head_ = 0;
  bool ringing_ = false;  // waiting for the ring to become empty
  bool ending_ = false;   // the capture is at its end, the ring not yet empty
  std::uint64_t cap_ = 0;
  bool running_ = false;  // the IOMMU was set up before
  std::uint32_t fault_index_ = 0;
  std::uint32_t fault_status_ = 0;
  std::uint64_t fault_low_ = 0;

  LinuxReplayStats stats_;
  Ps queued_at_ = 0;
};

}  // namespace svasim
