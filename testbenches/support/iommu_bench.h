// An IOMMU with memory, walker and page request queue, scripted devices on its links and a driver
// that works through registers and the invalidation queue: for tests of the IOMMU.
#pragma once

#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <systemc>
#include <vector>

#include "models/formats/ats_messages.h"
#include "models/formats/vtd_invalidation.h"
#include "models/formats/vtd_registers.h"
#include "models/iommu/iommu.h"
#include "models/memory/memory.h"
#include "models/memory/memory_bus.h"
#include "models/prq/prq.h"
#include "models/reference/page_table_builder.h"
#include "models/reference/remapping_tables.h"
#include "models/walker/walker.h"
#include "support/sparse_view.h"
#include "tlm/at_checker.h"

namespace svasim::test {

// What a device asks for.
struct DeviceRequest {
  TlpKind kind = TlpKind::kMemRead;
  Addr address = 0;
  unsigned length = 64;
  RequesterId requester = RequesterId::from_bdf(2, 3, 1);
  AddressType at = AddressType::kUntranslated;
  bool has_pasid = false;
  Pasid pasid;
  bool privileged = false;
  bool execute = false;
  bool no_write = false;
  bool no_snoop = false;
  std::uint64_t body = 0;
  std::uint32_t itag_vector = 0;
  std::uint8_t completion_count = 1;
};

// What it heard.
struct DeviceAnswer {
  bool done = false;
  Ps at = 0;
  Ps credit_at = 0;  // END_REQ
  CompletionStatus status = CompletionStatus::kSuccess;
  FaultReason fault = FaultReason::kNone;
  Translation translation;
  Attribution attribution;
  bool response_ok = false;
  Addr address = 0;  // the payload's, as it came back
};

struct DeviceMessage {
  Ps at = 0;
  TlpKind kind = TlpKind::kInvalidateRequest;
  RequesterId requester;
  bool has_pasid = false;
  Pasid pasid;
  std::uint64_t body = 0;
  std::uint8_t itag = 0;
  std::uint16_t prg_index = 0;
  std::uint8_t response_code = 0;
};

// Sends requests when told and answers invalidate requests after `invalidate_delay`, or not at all
// when that is kNever.
class IommuDevice : public sc_core::sc_module, private FwReceiver, private BwReceiver {
 public:
  IommuDevice(sc_core::sc_module_name name, TransactionPool& pool, bool loose)
      : sc_core::sc_module(name),
        requests("requests", *this, 0),
        messages("messages", *this, 1),
        pool_(pool),
        loose_(loose) {}

  InitiatorSocket<PcieProtocol> requests;
  TargetSocket<PcieProtocol> messages;
  Ps invalidate_delay = 100'000;

  // Sends now a request that arrives `delay` later; returns its number.
  std::size_t send(const DeviceRequest& request, Ps delay = 1000, std::vector<unsigned char> data = {}) {
    data.resize(request.length);
    data_.push_back(std::move(data));
    answers_.emplace_back();
    const bool write = request.kind == TlpKind::kMemWrite;
    const bool message =
        request.kind == TlpKind::kPageRequest || request.kind == TlpKind::kInvalidateCompletion;
    Transaction& t = pool_.allocate(write     ? tlm::TLM_WRITE_COMMAND
                                    : message ? tlm::TLM_IGNORE_COMMAND
                                              : tlm::TLM_READ_COMMAND,
                                    request.address, message ? nullptr : data_.back().data(),
                                    message ? 0 : request.length, now_ps());
    t.pcie.kind = request.kind;
    t.pcie.at = request.at;
    t.pcie.requester = request.requester;
    t.pcie.has_pasid = request.has_pasid;
    t.pcie.pasid = request.pasid;
    t.pcie.privileged = request.privileged;
    t.pcie.execute = request.execute;
    t.pcie.no_write = request.no_write;
    t.pcie.no_snoop = request.no_snoop;
    t.pcie.body = request.body;
    t.pcie.itag_vector = request.itag_vector;
    t.pcie.completion_count = request.completion_count;
    t.pcie.id = data_.size() - 1;
    t.pcie.attribution.charge(Stage::kLink, now_ps() + delay);
    sc_core::sc_time time = to_sc(delay);
    if (loose_ && !message) {
      requests->b_transport(t, time);
      note(t, now_ps() + time.value());
      return answers_.size() - 1;
    }
    tlm::tlm_phase phase = tlm::BEGIN_REQ;
    requests->nb_transport_fw(t, phase, time);
    return answers_.size() - 1;
  }

  const DeviceAnswer& answer(std::size_t number) const { return answers_.at(number); }
  const std::vector<unsigned char>& data(std::size_t number) const { return data_.at(number); }
  std::uint64_t word(std::size_t number) const {
    std::uint64_t value = 0;
    std::memcpy(&value, data_.at(number).data(), 8);
    return value;
  }
  const std::vector<DeviceMessage>& received() const { return received_; }
  const DeviceMessage& message(std::size_t number) const { return received_.at(number); }
  // Completes one invalidate request now.
  void complete(const DeviceMessage& request, std::uint8_t count = 1) {
    DeviceRequest completion;
    completion.kind = TlpKind::kInvalidateCompletion;
    completion.requester = request.requester;
    completion.itag_vector = 1U << request.itag;
    completion.completion_count = count;
    send(completion, 1000);
  }

 private:
  void note(Transaction& t, Ps at) {
    DeviceAnswer& answer = answers_[t.pcie.id];
    answer.done = true;
    answer.at = at;
    answer.status = t.pcie.status;
    answer.fault = t.pcie.fault;
    answer.translation = t.pcie.translation;
    answer.attribution = t.pcie.attribution;
    answer.response_ok = t.is_response_ok();
    answer.address = t.get_address();
    t.release();
  }
  tlm::tlm_sync_enum nb_transport_bw(unsigned, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override {
    auto& t = static_cast<Transaction&>(payload);
    if (phase == tlm::END_REQ) {
      answers_[t.pcie.id].credit_at = now_ps() + delay.value();
      return tlm::TLM_ACCEPTED;
    }
    note(t, now_ps() + delay.value());
    return tlm::TLM_COMPLETED;
  }
  void receive(Transaction& t, Ps at) {
    const PcieExtension& pcie = t.pcie;
    received_.push_back({at, pcie.kind, pcie.requester, pcie.has_pasid, pcie.pasid, pcie.body, pcie.itag,
                         pcie.prg_index, pcie.response_code});
  }
  tlm::tlm_sync_enum nb_transport_fw(unsigned, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override {
    auto& t = static_cast<Transaction&>(payload);
    const Ps at = now_ps() + delay.value();
    receive(t, at);
    if (t.pcie.kind == TlpKind::kInvalidateRequest && invalidate_delay != kNever) {
      DeviceRequest completion;
      completion.kind = TlpKind::kInvalidateCompletion;
      completion.requester = t.pcie.requester;
      completion.itag_vector = 1U << t.pcie.itag;
      send(completion, delay.value() + invalidate_delay);
    }
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
    tlm::tlm_phase answer = tlm::BEGIN_RESP;
    sc_core::sc_time later = delay + to_sc(1);
    (void)phase;
    messages->nb_transport_bw(payload, answer, later);
    return tlm::TLM_ACCEPTED;
  }
  void b_transport(unsigned, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override {
    auto& t = static_cast<Transaction&>(payload);
    receive(t, now_ps() + delay.value());
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
    if (t.pcie.kind == TlpKind::kInvalidateRequest && invalidate_delay != kNever) {
      complete(received_.back());
    }
  }

  TransactionPool& pool_;
  bool loose_;
  std::deque<std::vector<unsigned char>> data_;
  std::deque<DeviceAnswer> answers_;
  std::vector<DeviceMessage> received_;
};

// Counts MSI writes.
class MsiTarget : public sc_core::sc_module, private FwReceiver {
 public:
  struct Message {
    Ps at;
    Addr address;
    std::uint32_t data;
  };
  explicit MsiTarget(sc_core::sc_module_name name) : sc_core::sc_module(name), socket("socket", *this, 0) {}
  TargetSocket<> socket;
  std::vector<Message> received;

 private:
  void note(tlm::tlm_generic_payload& payload, Ps at) {
    std::uint32_t data = 0;
    std::memcpy(&data, payload.get_data_ptr(), std::min<std::size_t>(4, payload.get_data_length()));
    received.push_back({at, payload.get_address(), data});
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
  }
  tlm::tlm_sync_enum nb_transport_fw(unsigned, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override {
    if (phase == tlm::END_RESP) {
      return tlm::TLM_COMPLETED;
    }
    note(payload, now_ps() + delay.value());
    phase = tlm::BEGIN_RESP;
    delay += to_sc(1000);
    return tlm::TLM_UPDATED;
  }
  void b_transport(unsigned, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override {
    note(payload, now_ps() + delay.value());
  }
};

// Accesses registers in no time, or timed.
class RegisterDriver : public sc_core::sc_module, private BwReceiver {
 public:
  explicit RegisterDriver(sc_core::sc_module_name name)
      : sc_core::sc_module(name), socket("socket", *this, 0) {}
  InitiatorSocket<> socket;
  Ps answered_at = 0;

  // The payload is released when it is answered.
  void send(Transaction& payload, Ps delay) {
    tlm::tlm_phase phase = tlm::BEGIN_REQ;
    sc_core::sc_time time = to_sc(delay);
    socket->nb_transport_fw(payload, phase, time);
  }

 private:
  tlm::tlm_sync_enum nb_transport_bw(unsigned, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override {
    if (phase == tlm::BEGIN_RESP) {
      answered_at = now_ps() + delay.value();
      payload.release();
    }
    return tlm::TLM_COMPLETED;
  }
};

struct IommuBenchOptions {
  std::string prefix;  // of module names, for several systems in one simulation
  bool llc = false;    // a last-level cache in front of memory
  bool start = true;   // false: another one is still to be built
  bool loose = false;
  bool scalable = true;
  unsigned links = 1;
  unsigned walker_slots = 8;
  Ps walker_step = walker_params().defaults().step_latency;
  Ps bus_latency = 1000;
  IommuParams iommu = iommu_params().defaults();
  std::function<void(WalkerParams&)> walker;
  // Binds something else than scripted devices to the links.
  std::function<void(struct IommuBench&)> attach;
};

struct IommuBench {
  static constexpr Ps kNs = 1000;
  static constexpr RequesterId kDevice = RequesterId::from_bdf(2, 3, 1);
  static constexpr Pasid kRidPasid{0};
  static constexpr Pasid kPasid{0x41};   // first stage
  static constexpr Pasid kPasid2{0x42};  // first stage, same domain, other tables
  static constexpr Pasid kSecond{0x43};  // second stage
  static constexpr Pasid kPass{0x45};    // pass-through
  static constexpr DomainId kFirstDomain{1};
  static constexpr DomainId kSecondDomain{2};
  static constexpr DomainId kPassDomain{3};
  static constexpr Addr kQueue = 0x200000;
  static constexpr Addr kPageQueue = 0x210000;
  static constexpr Addr kStatus = 0x220000;
  static constexpr Addr kData = 0x10000000;
  static constexpr Addr kMsi = 0xFEE01000;

  // Memory answers `bytes` after this time, the bus included, as long as nothing else is on its channel.
  static constexpr Ps memory_time(unsigned bytes) { return (bytes * kNs + 63) / 64 + 50 * kNs + 2 * kNs; }

  explicit IommuBench(const IommuBenchOptions& options = {}) : loose(options.loose), params(options.iommu) {
    context.timing = loose ? Timing::kLoose : Timing::kApproximate;
    MemoryParams memory_parameters = memory_params().defaults();
    memory_parameters.size = std::uint64_t{1} << 30;
    memory_parameters.bandwidth = 64'000'000'000ULL;
    memory_parameters.latency = 50 * kNs;
    memory_parameters.channels = 64;
    memory_parameters.interleave = 4096;
    memory_parameters.llc.enable = memory_parameters.llc.device_reads = options.llc;
    const auto name = [&](const std::string& what) { return options.prefix + what; };
    memory = std::make_unique<Memory>(name("memory").c_str(), memory_parameters, context);
    MemoryBusParams bus_parameters = memory_bus_params().defaults();
    bus_parameters.latency = options.bus_latency;
    bus = std::make_unique<MemoryBus>(name("bus").c_str(), bus_parameters, context, 5, 3);
    WalkerParams walker_parameters = walker_params().defaults();
    walker_parameters.slots = options.walker_slots;
    walker_parameters.step_latency = options.walker_step;
    if (options.walker) options.walker(walker_parameters);
    walker = std::make_unique<PageTableWalker>(name("walker").c_str(), walker_parameters, context);
    iommu = std::make_unique<Iommu>(name("iommu").c_str(), params, context, options.links);
    prq = std::make_unique<PageRequestQueue>(name("prq").c_str(), prq_params().defaults(), context);
    msi = std::make_unique<MsiTarget>(name("msi").c_str());

    iommu->data_socket().bind(bus->initiator(0));
    iommu->structure_socket().bind(bus->initiator(1));
    walker->memory_socket().bind(bus->initiator(2));
    prq->memory().bind(bus->initiator(3));
    host = std::make_unique<RegisterDriver>(name("host").c_str());
    host->socket.bind(bus->initiator(4));
    bus->map(0, "memory", 0, memory_parameters.size);
    bus->map(1, "interrupts", kInterruptRangeFirst, 0x100000);
    bus->map(2, "iommu", params.register_base, IommuParams::kRegisterBytes);
    bus->target(0).bind(memory->socket());
    bus->target(1).bind(msi->socket);
    bus->target(2).bind(iommu->register_socket());
    iommu->walk_socket().bind(walker->requester(0));
    iommu->page_request_socket().bind(prq->requests());
    iommu->set_page_request_registers(*prq);
    if (options.attach) {
      options.attach(*this);
    }
    for (unsigned i = 0; i < options.links && !options.attach; ++i) {
      const std::string number = std::to_string(i);
      devices.push_back(std::make_unique<IommuDevice>(name("device" + number).c_str(), pool, loose));
      checkers.push_back(std::make_unique<AtChecker<PcieProtocol>>(name("checker" + number).c_str()));
      devices[i]->requests.bind(checkers[i]->target);
      checkers[i]->initiator.bind(iommu->requests(i));
      iommu->messages(i).bind(devices[i]->messages);
    }

    view = std::make_unique<SparseView>(memory->contents());
    tables = std::make_unique<RemappingTables>(*view, nullptr, pages, options.scalable);
    first = std::make_unique<PageTableBuilder>(*view, nullptr, pages, TableStage::kFirst, 4);
    first2 = std::make_unique<PageTableBuilder>(*view, nullptr, pages, TableStage::kFirst, 4);
    second = std::make_unique<PageTableBuilder>(*view, nullptr, pages, TableStage::kSecond, 4);
    second3 = std::make_unique<PageTableBuilder>(*view, nullptr, pages, TableStage::kSecond, 3);
    if (options.scalable) {
      ScalableContext entry;
      entry.device_tlb = entry.pasid = entry.page_requests = true;
      entry.rid_pasid = kRidPasid;
      entry.pdts = 1;
      tables->set_context(kDevice, entry);
      tables->set_pasid_entry(kDevice, kRidPasid, second_stage_pasid_entry(second->root(), 4, kSecondDomain));
      tables->set_pasid_entry(kDevice, kPasid, first_stage_pasid_entry(first->root(), 4, kFirstDomain));
      tables->set_pasid_entry(kDevice, kPasid2, first_stage_pasid_entry(first2->root(), 4, kFirstDomain));
      tables->set_pasid_entry(kDevice, kSecond, second_stage_pasid_entry(second->root(), 4, kSecondDomain));
      tables->set_pasid_entry(kDevice, kPass, pass_through_pasid_entry(kPassDomain));
    } else {
      tables->set_legacy_context(kDevice, TranslationType::kWithAts, second->root(), 4, kSecondDomain);
    }
    if (options.start) {
      sc_core::sc_start(sc_core::SC_ZERO_TIME);
    }
  }

  // --- time
  void run_for(Ps time) { sc_core::sc_start(to_sc(time)); }
  IommuDevice& device(unsigned link = 0) { return *devices[link]; }

  // --- driver
  std::uint32_t read32(std::uint32_t offset) {
    return static_cast<std::uint32_t>(register_access(offset, 0, 4, false));
  }
  std::uint64_t read64(std::uint32_t offset) { return register_access(offset, 0, 8, false); }
  void write32(std::uint32_t offset, std::uint32_t value) { register_access(offset, value, 4, true); }
  void write64(std::uint32_t offset, std::uint64_t value) { register_access(offset, value, 8, true); }

  void command(std::uint32_t mask, bool on) {
    const std::uint32_t kept = read32(vtd_reg::kGsts) & VtdGcmd::kKeptStatus;
    write32(vtd_reg::kGcmd, on ? kept | mask : kept & ~mask);
  }
  // Root pointer, queue, page queue and translation, as a driver brings them up.
  void enable(bool wide = true) {
    write64(vtd_reg::kRtaddr, rtaddr != 0 ? rtaddr : tables->rtaddr());
    command(VtdGcmd::SRTP::kMask, true);
    run_for(params.set_root_latency + kNs);
    queue_wide = wide;
    write64(vtd_reg::kIqa, kQueue | (wide ? VtdIqa::DW::kMask : 0));
    write64(vtd_reg::kIqt, 0);
    command(VtdGcmd::QIE::kMask, true);
    write64(vtd_reg::kPqa, kPageQueue);
    command(VtdGcmd::TE::kMask, true);
  }
  // Writes the descriptor without telling the hardware.
  void put(const InvalidationDescriptor& descriptor) {
    const std::uint64_t bytes = queue_wide ? 32 : 16;
    memory->contents().write(kQueue + queue_tail, descriptor.data(), bytes);
    queue_tail = (queue_tail + bytes) % 4096;
  }
  void submit() { write64(vtd_reg::kIqt, queue_tail); }
  void submit(std::initializer_list<InvalidationDescriptor> descriptors) {
    for (const InvalidationDescriptor& descriptor : descriptors) {
      put(descriptor);
    }
    submit();
  }
  // A wait descriptor behind the given ones; true when it completed within 100 us.
  bool invalidate(std::initializer_list<InvalidationDescriptor> descriptors) {
    ++cookie;
    for (const InvalidationDescriptor& descriptor : descriptors) {
      put(descriptor);
    }
    put(make_wait_status(kStatus, cookie));
    submit();
    for (unsigned i = 0; i < 1000 && status() != cookie; ++i) {
      run_for(100 * kNs);
    }
    return status() == cookie;
  }
  std::uint32_t status() const { return static_cast<std::uint32_t>(memory->contents().read64(kStatus)); }
  std::uint64_t fault_low(unsigned i = 0) { return read64(Capabilities::kFaultRecordOffset + i * 16); }
  std::uint64_t fault_high(unsigned i = 0) { return read64(Capabilities::kFaultRecordOffset + i * 16 + 8); }
  FaultReason fault_reason(unsigned i = 0) {
    return VtdFrcdHigh::F::get(fault_high(i)) != 0
               ? static_cast<FaultReason>(VtdFrcdHigh::FR::get(fault_high(i)))
               : FaultReason::kNone;
  }

  // --- requests
  DeviceRequest read(Pasid pasid, Addr address, unsigned length = 64) const {
    DeviceRequest request;
    request.address = address;
    request.length = length;
    request.has_pasid = true;
    request.pasid = pasid;
    return request;
  }
  DeviceRequest plain_read(Addr address, unsigned length = 64) const {
    DeviceRequest request;
    request.address = address;
    request.length = length;
    return request;
  }
  static DeviceRequest as_write(DeviceRequest request) {
    request.kind = TlpKind::kMemWrite;
    return request;
  }
  static DeviceRequest as_translation(DeviceRequest request, bool no_write = false) {
    request.kind = TlpKind::kTranslationRequest;
    request.at = AddressType::kTranslationRequest;
    request.no_write = no_write;
    request.length = 8;
    return request;
  }
  static DeviceRequest as_translated(DeviceRequest request) {
    request.at = AddressType::kTranslated;
    return request;
  }
  DeviceRequest page_request(Pasid pasid, Addr page, bool write, bool last, unsigned group) const {
    DeviceRequest request;
    request.kind = TlpKind::kPageRequest;
    request.has_pasid = true;
    request.pasid = pasid;
    request.body = make_page_request_body(page, true, write, last, group);
    request.length = 0;
    return request;
  }
  // Sends, runs until the answer is there (at most 100 us), returns it.
  const DeviceAnswer& ask(const DeviceRequest& request, unsigned link = 0) {
    const std::size_t number = device(link).send(request);
    for (unsigned i = 0; i < 1000 && !device(link).answer(number).done; ++i) {
      run_for(100 * kNs);
    }
    asked = number;
    return device(link).answer(number);
  }

  std::uint64_t register_access(std::uint32_t offset, std::uint64_t value, unsigned bytes, bool write) {
    tlm::tlm_generic_payload payload;
    payload.set_command(write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND);
    payload.set_address(params.register_base + offset);
    payload.set_data_ptr(reinterpret_cast<unsigned char*>(&value));
    payload.set_data_length(bytes);
    payload.set_streaming_width(bytes);
    sc_core::sc_time delay;
    host->socket->b_transport(payload, delay);
    SVASIM_CHECK(payload.is_response_ok(), "register access failed");
    return value;
  }

  bool loose;
  IommuParams params;
  TransactionPool pool;
  StatRegistry stats;
  SimContext context{1, Timing::kApproximate, pool, stats};
  std::unique_ptr<Memory> memory;
  std::unique_ptr<MemoryBus> bus;
  std::unique_ptr<PageTableWalker> walker;
  std::unique_ptr<Iommu> iommu;
  std::unique_ptr<PageRequestQueue> prq;
  std::unique_ptr<MsiTarget> msi;
  std::unique_ptr<RegisterDriver> host;
  std::vector<std::unique_ptr<IommuDevice>> devices;
  std::vector<std::unique_ptr<AtChecker<PcieProtocol>>> checkers;
  std::unique_ptr<SparseView> view;
  TablePages pages{0x1000000, 0x3000000};
  std::unique_ptr<RemappingTables> tables;
  std::unique_ptr<PageTableBuilder> first;
  std::unique_ptr<PageTableBuilder> first2;
  std::unique_ptr<PageTableBuilder> second;
  std::unique_ptr<PageTableBuilder> second3;
  std::uint64_t rtaddr = 0;  // 0: that of the tables
  std::uint64_t queue_tail = 0;
  bool queue_wide = true;
  std::uint32_t cookie = 0;
  std::size_t asked = 0;
};

}  // namespace svasim::test
