// The IOMMU front end: Intel VT-d, legacy and scalable mode.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <systemc>
#include <vector>

#include "models/iommu/fault_log.h"
#include "models/iommu/invalidation_history.h"
#include "models/iommu/invalidation_operation.h"
#include "models/iommu/iommu_params.h"
#include "models/iommu/iommu_stats.h"
#include "models/iommu/neighbour_entries.h"
#include "models/iommu/registers.h"
#include "models/iommu/request.h"
#include "models/iommu/requested_pages.h"
#include "models/iommu/slot_pool.h"
#include "models/iommu/translator.h"
#include "models/prq/prq_if.h"
#include "models/walker/walker_if.h"
#include "tlm/ats_grants.h"
#include "tlm/context.h"
#include "tlm/delay_queue.h"
#include "tlm/direct_grant.h"
#include "tlm/inspect.h"
#include "tlm/memory_port.h"
#include "tlm/sockets.h"
#include "tlm/wake.h"

namespace svasim {

// Per PCIe link a target socket for what comes from the devices and an initiator socket for
// messages to them; two memory sockets, so that nothing the IOMMU needs to finish a request queues
// behind requests (data; structures, queues, status writes, interrupts); one socket for page
// walks, one for page requests, one for registers. See README.md for what happens when.
//
// An IOTLB hit costs one wake-up, at the end of its look-up; the memory's answer is passed on in its
// call-back.
class Iommu : public sc_core::sc_module,
              public Inspectable,
              public TranslationUser,
              private FwReceiver,
              private BwReceiver,
              private GrantListener,
              private UseListener {
 public:
  // The page request socket exists when the capability page_requests is on.
  Iommu(sc_core::sc_module_name name, const IommuParams& params, SimContext& context, unsigned links = 1);

  // By number of the link; every one has to be bound.
  TargetSocket<PcieProtocol>& requests(unsigned link) { return links_.at(link)->requests; }
  InitiatorSocket<PcieProtocol>& messages(unsigned link) { return links_.at(link)->messages; }
  // Messages to this requester leave through `link`. A requester is also learnt from its first request.
  void add_device(unsigned link, RequesterId requester);
  InitiatorSocket<PcieProtocol>& page_request_socket() { return *page_request_socket_; }
  // Where the registers 0xC0 .. 0xEF are kept; without, they read 0.
  void set_page_request_registers(PrqRegisters& registers) {
    registers_.set_page_request_registers(&registers);
  }

  InitiatorSocket<>& data_socket() { return data_.port.socket(); }
  InitiatorSocket<>& structure_socket() { return structures_.port.socket(); }
  InitiatorSocket<WalkProtocol>& walk_socket() { return walk_socket_; }
  TargetSocket<>& register_socket() { return register_socket_; }

  // For the policy "oracle"; `future` must outlive the IOMMU.
  void set_future(const AccessFuture& future) { translator_.caches().translations().set_future(future); }

  const IommuParams& params() const { return params_; }
  const IommuStats& stats() const { return stats_; }
  const TranslationCaches& caches() const { return translator_.caches(); }
  const Registers& registers() const { return registers_; }
  const Wake& wake() const { return wake_; }

  // The root pointer in force.
  const RootPointer& root() const { return translator_.root(); }
  // A word of memory as it is now, without time and without effect; false: there is none.
  bool peek(Addr address, std::uint64_t& word);
  CoveringInvalidation covering(const TranslationUse& use) const override { return history_.covering(use); }

  std::uint64_t in_flight() const override;
  void dump_in_flight(std::ostream& out) const override;

 private:
  // What a request needs next.
  enum class Action : std::uint8_t {
    kFetchContext,
    kFetchPasid,
    kRelookup,
    kWalk,
    kForward,
    kAnswer,
    kPageRequest
  };

  // Work due at a time; within an instant in this order, then look-ups.
  enum class Work : std::uint8_t {
    kWalkDone,
    kStructureData,
    kPageRequestDone,
    kQueueData,
    kStatusWritten,
    kRegister,
    kRegisterInvalidation,
    kSetRoot,
    kQueueExecute,
    kQueueStep,
    kDrainCheck,
    kRelookup,
    kNestedTable,
  };
  struct Due {
    Work work = Work::kDrainCheck;
    std::uint32_t index = 0;
    tlm::tlm_generic_payload* payload = nullptr;
  };
  struct Arrival {
    Transaction* payload = nullptr;
    unsigned link = 0;
    Ps wait = 0;  // for its turn to be looked up
  };

  enum Port : unsigned { kRegisterPort = 0x10000, kWalkPort, kPageRequestPort, kMessagePort = 0x20000 };
  struct Link {
    Link(Iommu& owner, unsigned number);
    TargetSocket<PcieProtocol> requests;
    InitiatorSocket<PcieProtocol> messages;
    std::uint64_t arrivals = 0;
  };
  struct Device {
    RequesterId requester;
    unsigned link = 0;
    // Posted writes that have not left, in order of arrival.
    std::uint32_t first_write = kNoRequest;
    std::uint32_t last_write = kNoRequest;
    AtsGrants grants;  // kept with check_translated
  };
  struct WaitList {
    std::uint32_t first = kNoRequest;
    std::uint32_t last = kNoRequest;
    bool empty() const { return first == kNoRequest; }
  };
  struct Walk {
    WalkTransaction payload;
    AddressSpace space;
    RequesterId requester;
    std::uint64_t born = 0;
    Addr page = 0;
    bool busy = false;
    bool prefetch = false;
    bool no_fill = false;  // the context it was started for is outdated
    WaitList waiters;      // the first one is who it was started for
  };
  // What a request must match to join a walk, side by side to be searched quickly.
  struct WalkKey {
    static constexpr Addr kNoPage = ~Addr{0};
    Addr page = kNoPage;  // kNoPage: nobody may join, as it is unused or an invalidation overtook it
    std::uint64_t tag = 0;
  };
  struct Fetch {
    StructureFetch machine;
    StructureFetch::Buffer data{};
    RequesterId requester;
    Pasid pasid;
    bool is_context = false;
    bool busy = false;
    bool outdated = false;
    bool ok = true;
    unsigned pending = 0;  // reads outstanding
    Ps latest = 0;
    Ps started = 0;
    std::uint64_t number = 0;
    WaitList waiters;
  };
  // A memory access of the IOMMU itself.
  struct Access {
    enum class Use : std::uint8_t { kStructure, kQueue, kStatus, kInterrupt };
    Use use = Use::kInterrupt;
    std::uint32_t owner = 0;
    std::uint32_t data = 0;
  };
  struct DeviceInvalidation {
    bool busy = false;
    RequesterId requester;
    RequesterId limited_by;
    unsigned remaining = 0;  // completions still to come; 0: none has come yet
    std::uint64_t number = 0;
    Ps sent = 0;
  };
  // Requests with lower numbers have to finish.
  struct Drain {
    std::uint64_t reads_before = 0;  // and translation requests
    std::uint64_t writes_before = 0;
    std::uint64_t page_requests_before = 0;

    bool includes(const Request& request) const {
      if (request.kind == RequestKind::kPageRequest) return request.number < page_requests_before;
      const bool write = request.is_write() && request.kind != RequestKind::kTranslationRequest;
      return request.number < (write ? writes_before : reads_before);
    }
  };
  // A wait descriptor, or a command of a register, until what may use old translations has finished.
  struct PendingWait {
    InvalidationOperation operation;
    std::optional<RegisterInvalidation::Command> command;
    Drain drain;
    std::uint64_t devices_before = 0;  // device invalidations with lower numbers, too
    std::uint64_t scopes = 0;          // for StaleCheck
    std::uint64_t history = 0;         // for InvalidationHistory
    Ps earliest = 0;
    Ps executed = 0;
    bool writing = false;
  };
  // Memory sockets with their call-backs.
  struct DataPort : MemoryClient {
    DataPort(const char* name, Iommu& iommu) : owner(iommu), port(name, *this) {}
    void memory_response(tlm::tlm_generic_payload& payload, Ps delay) override {
      owner.data_response(static_cast<Transaction&>(payload), delay);
    }
    void memory_revoked() override { owner.revoke(0, ~Addr{0}); }
    Iommu& owner;
    MemoryPort port;
  };
  struct StructurePort : MemoryClient {
    StructurePort(const char* name, Iommu& iommu) : owner(iommu), port(name, *this) {}
    void memory_response(tlm::tlm_generic_payload& payload, Ps delay) override {
      owner.structure_response(static_cast<Transaction&>(payload), delay);
    }
    Iommu& owner;
    MemoryPort port;
  };

  // --- iommu.cpp: sockets, wake-up, registers
  tlm::tlm_sync_enum nb_transport_fw(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override;
  tlm::tlm_sync_enum nb_transport_bw(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override;
  void b_transport(unsigned port, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
  unsigned transport_dbg(unsigned port, tlm::tlm_generic_payload& payload) override;
  void run();
  void handle(const Due& due);
  // When the look-up of the first arrival ends. WHY it may be decided then: whatever arrived before
  // it is in the queue by now.
  Ps first_lookup_end() const {
    return arrivals_.empty() ? kNever : std::max(arrivals_.due(), next_lookup_) + lookup_latency_;
  }
  void schedule(Ps when, Work work, std::uint64_t key, std::uint32_t index,
                tlm::tlm_generic_payload* payload = nullptr);
  bool debug_access(tlm::tlm_command command, Addr address, std::uint64_t& word);
  // Carries out a register access; `time` (loose timing) grows by what its effects take.
  void access_registers(tlm::tlm_generic_payload& payload, Ps& time);
  void apply(const Registers::Effects& effects, Ps& time);
  void set_root();
  void flush_all();
  std::uint16_t device_of(RequesterId requester, unsigned link);

  // --- memory accesses of the IOMMU itself
  Transaction& new_access(Access::Use use, std::uint32_t owner, tlm::tlm_command command, Addr address,
                          unsigned char* data, unsigned bytes);
  void send_access(Transaction& payload, Ps delay);
  void structure_response(Transaction& payload, Ps delay);
  void send_interrupt(const MsiMessage& message);
  void send_message(Transaction& message);
  Transaction& new_message(TlpKind kind, RequesterId requester, bool has_pasid, Pasid pasid);
  void send_group_response(RequesterId requester, bool has_pasid, Pasid pasid, std::uint16_t prg_index,
                           std::uint8_t code);

  // --- request_path.cpp: decisions common to both timing modes
  void prepare(Request& request, Transaction& payload, unsigned link);
  Action process(Request& request);
  Action resolve(Request& request);
  Action look(Request& request);
  Action conclude(Request& request);
  Action conclude_translation(Request& request);
  Action pass(Request& request);
  Action reject(Request& request);
  Action fault(Request& request);
  Translation answer_of(const Request& request) const;
  void add_entry(Request& request, const Translation& translation);
  void note_grants(const Request& request);
  Action answer_interrupt_range(Request& request);
  void implicit_invalidation(const Request& request);
  // The page request is in the queue, or did not get there.
  void page_request_done(Request& request);
  void set_translation(Request& request);
  // The hardware's own response, when the request is the last of its group.
  void respond_to_group(const Request& request, std::uint8_t code);

  // --- timed_path.cpp
  bool begin(const Arrival& arrival, Ps now);
  void act(std::uint32_t index, Action action);
  void forward(std::uint32_t index);
  void send_data(Request& request);
  void release_writes(Device& device);
  void leave_write_order(Request& request);
  void data_response(Transaction& payload, Ps delay);
  void answer(Request& request, Ps delay);
  void retire(std::uint32_t index, Ps when);
  void start_fetch(std::uint32_t index, Action action);
  void launch_fetch(Fetch& fetch, std::uint32_t index, Action action);
  void read_structure(Fetch& fetch);
  void structure_data(Fetch& fetch);
  void start_walk(std::uint32_t index);
  void find_walk(std::uint32_t index);
  void launch_walk(std::uint32_t number, std::uint32_t index);
  void walk_done(std::uint32_t number);
  void send_walk(std::uint32_t number, Ps leave);
  void start_waiting_walks();

  void classify(const Request& request, WalkRequest& walk) {
    if (request.kind == RequestKind::kTranslationRequest && requested_pages_.take(request)) {
      walk.walk_class = WalkClass::kPageRequest;
    }
  }

  // --- nested_tables.cpp: common to both timing modes
  // A nested walk asks for second-stage tables, and tells those it found.
  void answer_table_query(Walk& walk);
  void learn_second_tables(const Walk& walk);

  // --- prefetch_path.cpp
  void prefetch(unsigned shift);
  // Whether the line of the walk before told about the page of `request`, which asks for it.
  bool know_neighbour(const Request& request, std::uint64_t born);
  void prefetch_done(Walk& walk);
  void prefetch_learned(const AddressSpace& space, RequesterId requester, const WalkRequest& walk,
                        const WalkResult& result, std::uint64_t born);
  void prefetch_now(const Request& request, unsigned shift);

  // --- perfect_path.cpp
  void look_perfectly(std::uint32_t index);
  void perfect_looks();
  void walk_at_once(Request& request);
  WalkKey walk_key(const Request& request) const;
  void append(WaitList& list, std::uint32_t index);
  std::uint32_t pop(WaitList& list);

  // --- direct_path.cpp
  bool get_direct_mem_ptr(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) override;
  // The DMI hint: the same access again would do the same.
  static bool may_be_granted(const Request& request) {
    return request.kind == RequestKind::kUntranslated &&
           (request.hit || request.space == nullptr || request.space->kind == SpaceKind::kPassThrough);
  }
  void revoke(Addr first, Addr last) override;
  void used(std::uint64_t key, std::uint64_t times) override;

  // --- use_watch.cpp, while there is a monitor
  void report_use(const Request& request, const Translation& translation) const;
  // Descriptors that software has added to the queue.
  void note_queued();

  // --- loose_path.cpp
  void translate_now(Transaction& payload, unsigned link, Ps& time);
  void fetch_now(Request& request, Action action, Ps& time);
  void walk_now(Request& request, Ps& time);
  Transaction& access_now(Transaction& payload, Ps& time);
  void run_queue_now(Ps& time);

  // --- invalidation_path.cpp
  bool queue_stopped() const;
  std::optional<InvalidationQueueError> queue_register_error() const;
  void kick_queue();
  void queue_step();
  void queue_data(std::uint32_t access_ok);
  void queue_execute();
  // `descriptor`: the one in error, nullptr when none was read.
  void queue_failed(InvalidationQueueError error, const InvalidationDescriptor* descriptor = nullptr);
  // Takes the descriptor at the head from the buffer; false: it is in error and the queue stopped.
  bool decode_head(InvalidationOperation& operation);
  unsigned queue_read_bytes() const;
  bool buffer_has_head() const;
  void advance_head();
  // False when it cannot be executed yet; `cost`: for how long it keeps the engine busy.
  bool execute(const InvalidationOperation& operation, Ps& cost);
  bool invalidate_device(const InvalidationOperation& operation);
  void invalidate_caches(const InvalidationOperation& operation);
  // Completes a wait descriptor or a register's command when nothing can use old translations any more.
  void wait_for_drain(const InvalidationOperation& operation,
                      std::optional<RegisterInvalidation::Command> command);
  bool drained(const Drain& drain) const;
  void invalidate_by_register(RegisterInvalidation::Command command, Ps& time);
  void invalidate_translations(const InvalidationScope& scope);
  void outdate_contexts();
  AtsGrants* grants_of(RequesterId requester);
  void invalidate_completed(Transaction& payload);
  void check_waits();
  void finish_wait();
  std::uint64_t oldest_device_invalidation() const;
  void check_timeouts(Ps now);
  void arm_timeout();

  IommuParams params_;
  SimContext& context_;
  Capabilities capabilities_;
  IommuStats stats_;
  FaultLog log_;
  Registers registers_;
  Translator translator_;

  std::vector<std::unique_ptr<Link>> links_;
  TargetSocket<> register_socket_;
  InitiatorSocket<WalkProtocol> walk_socket_;
  std::unique_ptr<InitiatorSocket<PcieProtocol>> page_request_socket_;
  DataPort data_;
  StructurePort structures_;
  tlm::tlm_generic_payload debug_payload_;
  Wake wake_;
  const sc_core::sc_time end_request_delay_;
  const Ps lookup_latency_;

  DelayQueue<Arrival> arrivals_;
  Ps next_lookup_ = 0;       // earliest start of the next look-up
  Ps interval_end_ = 0;      // of the interval of the look-up that started last
  unsigned ports_used_ = 0;  // in it
  DelayQueue<Due> due_;
  bool running_ = false;
  std::deque<Arrival> backlog_;  // looked up, waiting for a slot

  std::vector<Request> requests_;
  SlotPool slots_;
  std::uint64_t next_number_ = 0;
  std::uint32_t oldest_ = kNoRequest;
  std::uint32_t youngest_ = kNoRequest;
  Ps latest_retire_ = 0;   // of all requests that have finished, or are known to at a time to come
  Ps latest_drained_ = 0;  // of those that drain_ includes
  std::vector<Request> loose_requests_;
  unsigned loose_depth_ = 0;
  bool granted_ = false;  // devices may have direct access to memory

  std::vector<std::uint16_t> device_index_;  // by requester ID; 0: unknown
  std::vector<Device> devices_;              // [0] unused
  std::vector<Translation> answered_;

  std::vector<std::unique_ptr<Walk>> walks_;
  std::vector<WalkKey> walk_keys_;
  std::vector<std::uint32_t> perfect_;  // look at the tables when this instant's messages are through
  sc_core::sc_event perfect_event_;
  Request ahead_;  // a copy of the one whose next pages are fetched
  NeighbourEntries neighbours_;
  std::uint64_t ahead_born_ = 0;  // of its walk
  RequestedPages requested_pages_;
  std::vector<std::uint32_t> free_walks_;
  WaitList walk_queue_;
  std::uint64_t walk_number_ = 0;
  std::vector<Fetch> fetches_;
  WaitList fetch_queue_;
  std::uint64_t fetch_number_ = 0;
  std::deque<Access> accesses_;  // stays in place: data is read into it
  std::vector<std::uint32_t> free_accesses_;
  std::uint64_t access_number_ = 0;
  std::uint64_t message_number_ = 0;
  std::uint64_t messages_in_flight_ = 0;

  // Invalidation queue engine.
  alignas(8) std::array<unsigned char, 64> queue_buffer_{};
  std::uint64_t buffer_offset_ = 0;
  unsigned buffer_bytes_ = 0;
  bool queue_busy_ = false;
  bool queue_running_ = false;        // loose timing: inside run_queue_now
  std::uint32_t queue_epoch_ = 0;     // work of an earlier epoch is void
  Drain drain_;                       // asked for by the invalidations so far
  std::uint64_t drained_scopes_ = 0;  // for StaleCheck: those a wait completes
  InvalidationHistory history_;
  std::uint64_t noted_ = 0;  // offset in the queue up to which history_ knows it
  std::vector<PendingWait> waits_;
  std::array<DeviceInvalidation, 32> device_invalidations_{};
  Ps timeout_due_ = kNever;
  std::uint64_t device_invalidation_number_ = 0;
  sc_core::sc_event timeout_event_;
};

}  // namespace svasim
