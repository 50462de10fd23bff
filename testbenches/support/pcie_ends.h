// The two ends of a PCIe link for tests: a device that sends what it is told, and a root that
// answers after a fixed time.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <systemc>
#include <vector>

#include "tlm/sockets.h"
#include "tlm/time.h"
#include "tlm/transaction.h"

namespace svasim::test {

class ScriptedDevice : public sc_core::sc_module, private BwReceiver, private FwReceiver {
 public:
  ScriptedDevice(sc_core::sc_module_name name, TransactionPool& pool)
      : sc_core::sc_module(name), req_("req", *this, 0), msg_("msg", *this, 1), pool_(pool) {}

  InitiatorSocket<PcieProtocol>& req() { return req_; }
  TargetSocket<PcieProtocol>& msg() { return msg_; }

  // Sends now a request that leaves `delay` later; returns its number.
  std::size_t send(TlpKind kind, Addr address, std::size_t length, Ps delay, bool has_pasid = false) {
    data_.emplace_back(length);
    Transaction& request =
        pool_.allocate(kind == TlpKind::kMemWrite ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND, address,
                       data_.back().data(), length, now_ps() + delay);
    request.pcie.kind = kind;
    request.pcie.has_pasid = has_pasid;
    request.pcie.id = data_.size() - 1;
    tlm::tlm_phase phase = tlm::BEGIN_REQ;
    sc_core::sc_time time = to_sc(delay);
    req_->nb_transport_fw(request, phase, time);
    return data_.size() - 1;
  }

  bool answered(std::size_t number) const { return answered_at_.count(number) != 0; }
  // END_REQ came for this time; kNever: none came.
  Ps taken_at(std::size_t number) const {
    const auto found = taken_at_.find(number);
    return found == taken_at_.end() ? kNever : found->second;
  }
  Ps answered_at(std::size_t number) const { return answered_at_.at(number); }
  const Attribution& attribution(std::size_t number) const { return attribution_.at(number); }
  // When each message or access from above arrived, in order.
  const std::vector<Ps>& received_at() const { return received_at_; }

 private:
  tlm::tlm_sync_enum nb_transport_bw(unsigned, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override {
    auto& request = static_cast<Transaction&>(payload);
    if (phase == tlm::END_REQ) taken_at_[request.pcie.id] = now_ps() + delay.value();
    if (phase == tlm::BEGIN_RESP) {
      answered_at_[request.pcie.id] = now_ps() + delay.value();
      attribution_[request.pcie.id] = request.pcie.attribution;
      request.release();
    }
    return tlm::TLM_COMPLETED;
  }
  tlm::tlm_sync_enum nb_transport_fw(unsigned, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override {
    received_at_.push_back(now_ps() + delay.value());
    if (payload.is_read()) {
      std::fill_n(payload.get_data_ptr(), payload.get_data_length(), static_cast<unsigned char>(0x5A));
    }
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
    phase = tlm::BEGIN_RESP;
    msg_->nb_transport_bw(payload, phase, delay);
    return tlm::TLM_ACCEPTED;
  }
  void b_transport(unsigned, tlm::tlm_generic_payload& payload, sc_core::sc_time&) override {
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
  }

  InitiatorSocket<PcieProtocol> req_;
  TargetSocket<PcieProtocol> msg_;
  TransactionPool& pool_;
  std::deque<std::vector<unsigned char>> data_;
  std::map<std::size_t, Ps> taken_at_;
  std::map<std::size_t, Ps> answered_at_;
  std::map<std::size_t, Attribution> attribution_;
  std::vector<Ps> received_at_;
};

// Takes a request out of its buffer `hold` after it arrived and answers `service` after that.
class ScriptedRoot : public sc_core::sc_module, private FwReceiver, private BwReceiver {
 public:
  ScriptedRoot(sc_core::sc_module_name name, Ps hold, Ps service)
      : sc_core::sc_module(name),
        req_("req", *this, 0),
        msg_("msg", *this, 1),
        hold_(hold),
        service_(service) {}

  TargetSocket<PcieProtocol>& req() { return req_; }
  InitiatorSocket<PcieProtocol>& msg() { return msg_; }
  // Arrival times by request id, and the ids in order of arrival.
  const std::map<std::uint64_t, Ps>& arrived_at() const { return arrived_at_; }
  const std::vector<std::uint64_t>& order() const { return order_; }

 private:
  tlm::tlm_sync_enum nb_transport_fw(unsigned, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override {
    const PcieExtension& pcie = *payload.get_extension<PcieExtension>();
    arrived_at_[pcie.id] = now_ps() + delay.value();
    order_.push_back(pcie.id);
    payload.get_extension<PcieExtension>()->attribution.charge(Stage::kMemory,
                                                               now_ps() + delay.value() + hold_ + service_);
    phase = tlm::END_REQ;
    sc_core::sc_time held = delay + to_sc(hold_);
    req_->nb_transport_bw(payload, phase, held);
    phase = tlm::BEGIN_RESP;
    sc_core::sc_time served = delay + to_sc(hold_ + service_);
    req_->nb_transport_bw(payload, phase, served);
    return tlm::TLM_ACCEPTED;
  }
  tlm::tlm_sync_enum nb_transport_bw(unsigned, tlm::tlm_generic_payload&, tlm::tlm_phase&,
                                     sc_core::sc_time&) override {
    return tlm::TLM_COMPLETED;
  }
  void b_transport(unsigned, tlm::tlm_generic_payload&, sc_core::sc_time& delay) override {
    delay += to_sc(hold_ + service_);
  }

  TargetSocket<PcieProtocol> req_;
  InitiatorSocket<PcieProtocol> msg_;
  Ps hold_;
  Ps service_;
  std::map<std::uint64_t, Ps> arrived_at_;
  std::vector<std::uint64_t> order_;
};

}  // namespace svasim::test
