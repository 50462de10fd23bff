// An IOMMU (without page requests) with its walker and memory, driven by a scripted device and by software
// that writes registers and the invalidation queue.
#pragma once

#include <deque>
#include <memory>
#include <systemc>
#include <vector>

#include "models/formats/vtd_invalidation.h"
#include "models/formats/vtd_registers.h"
#include "models/iommu/iommu.h"
#include "models/memory/memory.h"
#include "models/memory/memory_bus.h"
#include "models/stale_uses/iommu_view.h"
#include "models/walker/walker.h"
#include "support/direct_accesses.h"
#include "tlm/time.h"
#include "tlm/transaction.h"

namespace svasim::test {

// Sends requests and keeps their outcomes by number.
class RequestSource : public sc_core::sc_module, private BwReceiver, private FwReceiver {
 public:
  struct Outcome {
    bool answered = false;
    CompletionStatus status = CompletionStatus::kSuccess;
    FaultReason fault = FaultReason::kNone;
    Translation translation;
    std::uint64_t data = 0;
  };

  RequestSource(sc_core::sc_module_name name, TransactionPool& pool)
      : sc_core::sc_module(name),
        requests_("requests", *this, 0),
        messages_("messages", *this, 1),
        pool_(pool) {}

  InitiatorSocket<PcieProtocol>& requests() { return requests_; }
  TargetSocket<PcieProtocol>& messages() { return messages_; }

  // Sends now an 8-byte request as `pcie` describes it, which leaves `delay` later; with `loose` it
  // is answered on return. Returns its number.
  std::size_t send(const PcieExtension& pcie, Addr address, bool write, std::uint64_t data, Ps delay,
                   bool loose) {
    const std::size_t number = outcomes_.size();
    outcomes_.emplace_back();
    outcomes_.back().data = data;
    Transaction& request = pool_.allocate(write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND, address,
                                          reinterpret_cast<unsigned char*>(&outcomes_.back().data),
                                          sizeof(std::uint64_t), now_ps());
    request.pcie.kind = pcie.kind;
    request.pcie.at = pcie.at;
    request.pcie.requester = pcie.requester;
    request.pcie.has_pasid = pcie.has_pasid;
    request.pcie.pasid = pcie.pasid;
    request.pcie.privileged = pcie.privileged;
    request.pcie.execute = pcie.execute;
    request.pcie.no_write = pcie.no_write;
    request.pcie.id = number;
    request.pcie.iova = address;
    ++outstanding_;
    if (loose) {
      request.acquire();
      if (direct_memory && direct_.make(request)) {
        finish(request);
      } else {
        sc_core::sc_time time = sc_core::SC_ZERO_TIME;
        requests_->b_transport(request, time);
        finish(request);
        if (direct_memory) direct_.ask(requests_, request);
      }
      request.release();
    } else {
      tlm::tlm_phase phase = tlm::BEGIN_REQ;
      sc_core::sc_time time = to_sc(delay);
      requests_->nb_transport_fw(request, phase, time);
    }
    return number;
  }

  bool direct_memory = false;  // loose: pages are asked for and used without a call
  std::uint64_t direct_accesses() const { return direct_.made(); }

  std::size_t outstanding() const { return outstanding_; }
  const Outcome& outcome(std::size_t number) const { return outcomes_.at(number); }

 private:
  void finish(Transaction& request) {
    Outcome& outcome = outcomes_.at(request.pcie.id);
    outcome.answered = true;
    outcome.status = request.pcie.status;
    outcome.fault = request.pcie.fault;
    outcome.translation = request.pcie.translation;
    --outstanding_;
    request.release();
  }
  tlm::tlm_sync_enum nb_transport_bw(unsigned, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time&) override {
    if (phase == tlm::BEGIN_RESP) finish(static_cast<Transaction&>(payload));
    return tlm::TLM_COMPLETED;
  }
  tlm::tlm_sync_enum nb_transport_fw(unsigned, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override {
    phase = tlm::BEGIN_RESP;
    messages_->nb_transport_bw(payload, phase, delay);
    return tlm::TLM_ACCEPTED;
  }
  void b_transport(unsigned, tlm::tlm_generic_payload&, sc_core::sc_time&) override {}
  void invalidate_direct_mem_ptr(unsigned, Addr first, Addr last) override { direct_.revoke(first, last); }

  DirectAccesses direct_;
  InitiatorSocket<PcieProtocol> requests_;
  TargetSocket<PcieProtocol> messages_;
  TransactionPool& pool_;
  std::deque<Outcome> outcomes_;  // stays in place: payloads point into it
  std::size_t outstanding_ = 0;
};

class RemappedSystem {
 public:
  static constexpr Addr kQueue = 0x800000;   // one page: 128 descriptors
  static constexpr Addr kStatus = 0x801000;  // of wait descriptors

  RemappedSystem(const IommuParams& iommu_parameters, const WalkerParams& walker_parameters, Timing timing)
      : context_{1, timing, pool_, stats_} {
    memory_ = std::make_unique<Memory>("memory", memory_params().defaults(), context_);
    bus_ = std::make_unique<MemoryBus>("bus", memory_bus_params().defaults(), context_, 3, 1);
    walker_ = std::make_unique<PageTableWalker>("walker", walker_parameters, context_);
    iommu_ = std::make_unique<Iommu>("iommu", iommu_parameters, context_);
    detector_ = std::make_unique<StaleUseDetector>("stale_uses", context_, 20);
    context_.monitor = detector_.get();
    tables_ = std::make_unique<IommuView>(*iommu_);
    detector_->watch("iommu", *iommu_, *tables_);
    bus_->map(0, "memory", 0, memory_->contents().size());
    bus_->target(0).bind(memory_->socket());
    iommu_->data_socket().bind(bus_->initiator(0));
    iommu_->structure_socket().bind(bus_->initiator(1));
    walker_->memory_socket().bind(bus_->initiator(2));
    iommu_->walk_socket().bind(walker_->requester(0));
    device_.requests().bind(iommu_->requests(0));
    iommu_->messages(0).bind(device_.messages());
    software_.socket().bind(iommu_->register_socket());
    sc_core::sc_start(sc_core::SC_ZERO_TIME);
  }

  SparseMemory& memory() { return memory_->contents(); }
  Iommu& iommu() { return *iommu_; }
  const StaleUseDetector& detector() const { return *detector_; }
  // No page is granted while uses are watched.
  void use_direct_memory() {
    context_.monitor = nullptr;
    device_.direct_memory = true;
  }
  RequestSource& device() { return device_; }
  bool loose() const { return context_.loose(); }
  TransactionPool& pool() { return pool_; }
  void run(Ps time) { sc_core::sc_start(to_sc(time)); }

  std::uint64_t read_register(std::uint32_t offset, unsigned bytes = 8) {
    std::uint64_t value = 0;
    access_register(tlm::TLM_READ_COMMAND, offset, value, bytes);
    return value;
  }
  void write_register(std::uint32_t offset, std::uint64_t value, unsigned bytes = 8) {
    access_register(tlm::TLM_WRITE_COMMAND, offset, value, bytes);
  }

  // Invalidation queue, root pointer, translation.
  void enable(std::uint64_t rtaddr) {
    write_register(vtd_reg::kIqt, 0);
    write_register(vtd_reg::kIqa, kQueue | VtdIqa::DW::kMask);
    command(VtdGcmd::QIE::kMask, VtdGsts::QIES::kMask);
    write_register(vtd_reg::kRtaddr, rtaddr);
    command(VtdGcmd::SRTP::kMask, VtdGsts::RTPS::kMask);
    command(VtdGcmd::TE::kMask, VtdGsts::TES::kMask);
  }

  // Queues the descriptors and a wait behind them; invalidations_done() tells when it is complete.
  void invalidate(const std::vector<InvalidationDescriptor>& descriptors) {
    const std::uint32_t none = 0;
    memory().write(kStatus, &none, sizeof(none));
    for (const InvalidationDescriptor& descriptor : descriptors) queue(descriptor);
    queue(make_wait_status(kStatus, 1));
    write_register(vtd_reg::kIqt, tail_);
  }
  bool invalidations_done() { return (memory().read64(kStatus) & 0xFFFFFFFF) == 1; }

 private:
  class Software : public sc_core::sc_module, private BwReceiver {
   public:
    explicit Software(sc_core::sc_module_name name) : sc_core::sc_module(name), socket_("socket", *this, 0) {}
    InitiatorSocket<>& socket() { return socket_; }

   private:
    tlm::tlm_sync_enum nb_transport_bw(unsigned, tlm::tlm_generic_payload&, tlm::tlm_phase&,
                                       sc_core::sc_time&) override {
      return tlm::TLM_COMPLETED;
    }
    InitiatorSocket<> socket_;
  };

  // WHY b_transport in both ways of simulating: it acts at once, and the order of software's steps
  // is all that matters here.
  void access_register(tlm::tlm_command command, std::uint32_t offset, std::uint64_t& value, unsigned bytes) {
    Transaction& access = pool_.allocate(command, iommu_->params().register_base + offset,
                                         reinterpret_cast<unsigned char*>(&value), bytes, now_ps());
    sc_core::sc_time time = sc_core::SC_ZERO_TIME;
    software_.socket()->b_transport(access, time);
    SVASIM_CHECK(access.is_response_ok(), "a register access");
    access.release();
  }
  void command(std::uint64_t bit, std::uint64_t status) {
    write_register(vtd_reg::kGcmd, (read_register(vtd_reg::kGsts, 4) & VtdGcmd::kKeptStatus) | bit, 4);
    for (int i = 0; i < 100 && (read_register(vtd_reg::kGsts, 4) & status) == 0; ++i) run(1'000'000);
    SVASIM_CHECK((read_register(vtd_reg::kGsts, 4) & status) != 0, "the command was carried out");
  }
  void queue(const InvalidationDescriptor& descriptor) {
    memory().write(kQueue + tail_, descriptor.data(), sizeof(descriptor));
    tail_ = (tail_ + kInvalidationDescriptorBytes) % kPageSize;
  }

  TransactionPool pool_;
  StatRegistry stats_;
  SimContext context_;
  std::unique_ptr<Memory> memory_;
  std::unique_ptr<MemoryBus> bus_;
  std::unique_ptr<PageTableWalker> walker_;
  std::unique_ptr<Iommu> iommu_;
  std::unique_ptr<IommuView> tables_;
  std::unique_ptr<StaleUseDetector> detector_;
  RequestSource device_{"device", pool_};
  Software software_{"software"};
  std::uint64_t tail_ = 0;
};

}  // namespace svasim::test
