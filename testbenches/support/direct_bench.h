// An IOMMU in loose timing with one scripted device behind a link, which keeps the pages it is granted.
#pragma once

#include "models/link/link.h"
#include "support/direct_accesses.h"
#include "support/iommu_bench.h"
#include "support/memory_initiator.h"

namespace svasim::test {

class DirectDevice : public sc_core::sc_module, private FwReceiver, private BwReceiver {
 public:
  struct Answer {
    bool direct = false;
    CompletionStatus status = CompletionStatus::kSuccess;
    Ps latency = 0;
    std::array<Ps, kStages> parts{};
    std::uint64_t word = 0;
  };

  DirectDevice(sc_core::sc_module_name name, TransactionPool& pool)
      : sc_core::sc_module(name),
        requests("requests", *this, 0),
        messages("messages", *this, 1),
        pool_(pool) {}

  InitiatorSocket<PcieProtocol> requests;
  TargetSocket<PcieProtocol> messages;
  DirectAccesses direct;

  // Without `may_ask` it only uses what it has.
  Answer access(const DeviceRequest& request, std::uint64_t word = 0, bool may_ask = true) {
    Transaction& t = make(request, word);
    Answer answer;
    sc_core::sc_time time;
    answer.direct = direct.make(t);
    if (!answer.direct) requests->b_transport(t, time);
    answer.latency = answer.direct ? direct.latency() : time.value();
    answer.parts = t.pcie.attribution.parts();
    answer.status = t.pcie.status;
    if (request.length >= sizeof(answer.word)) std::memcpy(&answer.word, data_.data(), sizeof(answer.word));
    if (!answer.direct && may_ask) direct.ask(requests, t);
    t.release();
    return answer;
  }
  // Until the page is granted; false when it is not after three accesses.
  bool obtain(const DeviceRequest& request) {
    for (int i = 0; i < 3; ++i) {
      if (access(request).direct) return true;
    }
    return access(request).direct;
  }
  // Whether a page is granted without the hint, right after calls for `before`.
  bool granted_after(const DeviceRequest& before, const DeviceRequest& request) {
    direct.revoke(0, ~Addr{0});
    for (int i = 0; i < 2; ++i) access(before, 0, false);
    Transaction& t = make(request, 0);
    UseLedger ledger;
    tlm::tlm_dmi dmi;
    t.set_extension(&ledger);
    const bool granted = requests->get_direct_mem_ptr(t, dmi);
    t.clear_extension(&ledger);
    t.release();
    return granted;
  }

 private:
  Transaction& make(const DeviceRequest& request, std::uint64_t word) {
    const bool write = request.kind == TlpKind::kMemWrite;
    data_.assign(std::max(request.length, 8U), 0);
    std::memcpy(data_.data(), &word, sizeof(word));
    Transaction& t = pool_.allocate(request.kind == TlpKind::kPageRequest ? tlm::TLM_IGNORE_COMMAND
                                    : write                               ? tlm::TLM_WRITE_COMMAND
                                                                          : tlm::TLM_READ_COMMAND,
                                    request.address, data_.data(), request.length, now_ps());
    t.pcie.kind = request.kind;
    t.pcie.at = request.at;
    t.pcie.requester = request.requester;
    t.pcie.has_pasid = request.has_pasid;
    t.pcie.pasid = request.pasid;
    t.pcie.body = request.body;
    return t;
  }
  tlm::tlm_sync_enum nb_transport_bw(unsigned, tlm::tlm_generic_payload&, tlm::tlm_phase&,
                                     sc_core::sc_time&) override {
    return tlm::TLM_COMPLETED;
  }
  tlm::tlm_sync_enum nb_transport_fw(unsigned, tlm::tlm_generic_payload&, tlm::tlm_phase&,
                                     sc_core::sc_time&) override {
    return tlm::TLM_ACCEPTED;
  }
  void b_transport(unsigned, tlm::tlm_generic_payload& payload, sc_core::sc_time&) override {
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
  }
  void invalidate_direct_mem_ptr(unsigned, Addr first, Addr last) override { direct.revoke(first, last); }

  TransactionPool& pool_;
  std::vector<unsigned char> data_;
};

struct DirectBench {
  explicit DirectBench(IommuBenchOptions options = {}, bool loose = true, bool checked = false) {
    options.loose = loose;
    options.attach = [this, checked](IommuBench& system) {
      link = std::make_unique<PcieLink>("link", link_params().defaults(), system.context);
      device = std::make_unique<DirectDevice>("device", system.pool);
      unused = std::make_unique<MemoryInitiator>("unused", system.pool);
      if (checked) {
        checker = std::make_unique<AtChecker<PcieProtocol>>("checker");
        device->requests.bind(checker->target);
        checker->initiator.bind(link->up_in());
      } else {
        device->requests.bind(link->up_in());
      }
      link->up_out().bind(system.iommu->requests(0));
      system.iommu->messages(0).bind(link->down_in());
      link->down_out().bind(device->messages);
      unused->socket().bind(link->mmio_in());
    };
    bench = std::make_unique<IommuBench>(options);
  }
  IommuBench* operator->() { return bench.get(); }

  std::unique_ptr<PcieLink> link;
  std::unique_ptr<DirectDevice> device;
  std::unique_ptr<MemoryInitiator> unused;
  std::unique_ptr<AtChecker<PcieProtocol>> checker;
  std::unique_ptr<IommuBench> bench;
};

}  // namespace svasim::test
