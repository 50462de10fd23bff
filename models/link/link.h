// A PCIe link between a device and the root complex.
#pragma once

#include <deque>
#include <systemc>

#include "models/link/credits.h"
#include "models/link/link_params.h"
#include "models/link/link_stats.h"
#include "tlm/context.h"
#include "tlm/inspect.h"
#include "tlm/serial_channel.h"
#include "tlm/sockets.h"
#include "tlm/transaction.h"
#include "tlm/transfer_time.h"
#include "tlm/wake.h"

namespace svasim {

// Five sockets:
//
//   device side                              root side
//   up_in   <- requests of the device        up_out   -> to the IOMMU
//   down_out -> messages and MMIO accesses   down_in  <- messages of the IOMMU
//               to the device                mmio_in  <- accesses of the memory bus to the device
//
// Upwards a request leaves as soon as the wire is free and its class has a credit; the sender's own
// calls are in order, so this is decided at the call and costs no wake-up. A posted request may pass
// waiting non-posted ones, never the reverse. SPEC: [PCIE 2.4.1]
// Downwards completions, messages and MMIO accesses share the wire in the order of the times at
// which they are ready. Completions are not held back by credits: a device has room for what it
// asked for.
class PcieLink : public sc_core::sc_module, public Inspectable, private FwReceiver, private BwReceiver {
 public:
  PcieLink(sc_core::sc_module_name name, const LinkParams& params, SimContext& context);

  TargetSocket<PcieProtocol>& up_in() { return up_in_; }
  InitiatorSocket<PcieProtocol>& up_out() { return up_out_; }
  TargetSocket<PcieProtocol>& down_in() { return down_in_; }
  InitiatorSocket<PcieProtocol>& down_out() { return down_out_; }
  TargetSocket<>& mmio_in() { return mmio_in_; }
  const LinkStats& stats() const { return stats_; }
  std::uint64_t wakeups() const { return wake_.wakeups() + drain_wake_.wakeups(); }

  std::uint64_t in_flight() const override;
  void dump_in_flight(std::ostream& out) const override;

 private:
  enum Port : unsigned { kUpIn, kDownIn, kMmioIn, kUpOut, kDownOut };
  // Order of equal-time work downwards.
  enum DownClass : std::uint64_t { kCompletion = 0, kMessage = 1, kMmio = 2 };
  struct Down {
    tlm::tlm_generic_payload* payload = nullptr;
    DownClass kind = kCompletion;
  };
  struct Waiting {
    tlm::tlm_generic_payload* payload;
    Ps ready;
  };

  tlm::tlm_sync_enum nb_transport_fw(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override;
  tlm::tlm_sync_enum nb_transport_bw(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override;
  void b_transport(unsigned port, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
  unsigned transport_dbg(unsigned port, tlm::tlm_generic_payload& payload) override;
  bool get_direct_mem_ptr(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) override;
  void invalidate_direct_mem_ptr(unsigned port, Addr first, Addr last) override;

  void send_up(tlm::tlm_generic_payload& payload, Ps ready);
  void depart_up(tlm::tlm_generic_payload& payload, Ps ready);
  void send_down(tlm::tlm_generic_payload& payload, DownClass kind, Ps ready);
  void deliver_down(const Down& down, Ps when);
  void run();
  void drain();
  void end_request(PcieExtension& pcie, Ps when);
  Transaction& begin_mmio(tlm::tlm_generic_payload& payload);
  static void end_mmio(Transaction& access, tlm::tlm_generic_payload& payload);
  void answer_mmio(Transaction& access, Ps ready);

  // Bytes on the wire of a request, or of the completion with its data.
  std::uint64_t wire_bytes(std::uint64_t data, bool has_pasid) const {
    const std::uint64_t packets =
        data <= params_.max_payload ? 1 : (data + params_.max_payload - 1) / params_.max_payload;
    return data + packets * (params_.overhead + (has_pasid ? params_.pasid_prefix : 0));
  }
  std::uint64_t request_bytes(tlm::tlm_generic_payload& payload) const;
  std::uint64_t completion_bytes(tlm::tlm_generic_payload& payload) const;
  Credits& credits_of(const PcieExtension& pcie) { return is_posted(pcie.kind) ? posted_ : non_posted_; }

  LinkParams params_;
  TargetSocket<PcieProtocol> up_in_;
  InitiatorSocket<PcieProtocol> up_out_;
  TargetSocket<PcieProtocol> down_in_;
  InitiatorSocket<PcieProtocol> down_out_;
  TargetSocket<> mmio_in_;
  Wake wake_;
  Wake drain_wake_;
  TransferTime up_time_;
  TransferTime down_time_;
  Ps up_busy_until_ = 0;
  Credits posted_;
  Credits non_posted_;
  std::deque<Waiting> waiting_posted_;
  std::deque<Waiting> waiting_non_posted_;
  SerialChannel<Down> down_;
  TransactionPool& pool_;
  // Accesses of the memory bus on their way to the device: what the bus sent, by slot.
  std::vector<tlm::tlm_generic_payload*> mmio_;
  std::vector<std::uint32_t> mmio_free_;
  bool draining_ = false;
  LinkStats stats_;
};

}  // namespace svasim
