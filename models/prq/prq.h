// The page request queue of an IOMMU.
#pragma once

#include <list>
#include <systemc>
#include <vector>

#include "base/problem_log.h"
#include "models/formats/vtd_page_request.h"
#include "models/prq/event_registers.h"
#include "models/prq/prq_if.h"
#include "models/prq/prq_params.h"
#include "models/prq/prq_stats.h"
#include "tlm/context.h"
#include "tlm/delay_queue.h"
#include "tlm/inspect.h"
#include "tlm/memory_port.h"
#include "tlm/sockets.h"
#include "tlm/wake.h"

namespace svasim {

// Takes page requests that passed the IOMMU's checks, one turn after the other, writes their
// descriptors to the queue in memory and tells software by interrupt. See prq_if.h for what it owes
// the IOMMU. SPEC: [VTD 7.4 - 7.6]
//
// Work due at an instant is done before software's register accesses of that instant, whichever
// process runs first.
class PageRequestQueue : public sc_core::sc_module,
                         public PrqRegisters,
                         public Inspectable,
                         private FwReceiver,
                         private MemoryClient {
 public:
  PageRequestQueue(const sc_core::sc_module_name& name, const PrqParams& params, SimContext& context);

  TargetSocket<PcieProtocol>& requests() { return requests_; }
  // Descriptors and interrupt messages leave here.
  InitiatorSocket<>& memory() { return memory_.socket(); }

  std::uint32_t read32(unsigned offset) const override;
  std::uint64_t read64(unsigned offset) const override;
  void write32(unsigned offset, std::uint32_t value) override;
  void write64(unsigned offset, std::uint64_t value) override;

  const PrqStats& stats() const { return stats_; }
  std::uint64_t in_flight() const override;
  void dump_in_flight(std::ostream& out) const override;

 private:
  // A descriptor on its way to memory. Slots are used in queue order, as a ring.
  struct Slot {
    PageRequestDescriptor descriptor{};
    Transaction* write = nullptr;
    tlm::tlm_generic_payload* request = nullptr;
    Ps arrived = 0;
    bool done = false;
    bool failed = false;
  };
  // An interrupt message on its way.
  struct Message {
    unsigned char data[4] = {};
    Transaction* write = nullptr;
  };

  tlm::tlm_sync_enum nb_transport_fw(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override;
  void b_transport(unsigned port, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
  void memory_response(tlm::tlm_generic_payload& payload, Ps delay) override;

  void run();
  // Does everything due by now.
  void catch_up();
  void take(tlm::tlm_generic_payload& request, Ps arrived);
  void retire();
  void answer(tlm::tlm_generic_payload& request, bool queued, Ps delay);
  // Whether a descriptor may be written; sets PRO when the queue is full.
  bool admit(const PcieExtension& pcie);
  void write_failed(Addr descriptor);
  void made_visible();
  void log_journey(const PcieExtension& pcie, Ps visible);
  void set_status(std::uint32_t bit);
  void raise();
  void send_event(Ps time);

  std::uint64_t bytes() const;
  std::uint64_t room() const;
  std::uint64_t wrap(std::uint64_t offset) const { return offset & (bytes() - 1); }

  const PrqParams params_;
  SimContext& context_;
  TargetSocket<PcieProtocol> requests_;
  MemoryPort memory_;
  Wake wake_;

  // Registers.
  std::uint64_t base_ = 0;  // PQA as written
  std::uint64_t head_ = 0;
  std::uint64_t tail_ = 0;
  std::uint32_t status_ = 0;  // PRS
  EventRegisters event_;

  std::uint64_t allocated_ = 0;  // where the next descriptor goes: tail_ and those on their way
  bool failed_ = false;          // descriptors on their way are given up after a failed write

  DelayQueue<tlm::tlm_generic_payload*> arrivals_;
  DelayQueue<std::uint32_t> completions_;  // slots whose write was answered
  DelayQueue<MsiMessage> messages_;
  Ps next_turn_ = 0;
  std::uint64_t arrived_ = 0;
  std::vector<Slot> slots_;
  std::uint32_t first_slot_ = 0;
  std::uint32_t used_slots_ = 0;
  std::list<Message> sent_messages_;
  PrqStats stats_;
  ProblemLog log_;
};

}  // namespace svasim
