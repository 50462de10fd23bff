// A device that makes accesses by itself.
#pragma once

#include <systemc>
#include <vector>

#include "base/rng.h"
#include "models/traffic/traffic_params.h"
#include "models/traffic/traffic_stats.h"
#include "tlm/context.h"
#include "tlm/delay_queue.h"
#include "tlm/direct_grant.h"
#include "tlm/inspect.h"
#include "tlm/sockets.h"
#include "tlm/transaction.h"
#include "tlm/wake.h"

namespace svasim {

// What verify: address expects at an IOVA, and what the generator writes there.
inline std::uint64_t word_at(Addr iova) { return iova * 0x9E3779B97F4A7C15ULL; }

// Keeps `outstanding` accesses in flight until `count` are done. Every slot issues its next access
// `gap` after its previous one completed.
class TrafficGenerator : public sc_core::sc_module,
                         public Inspectable,
                         private FwReceiver,
                         private BwReceiver {
 public:
  TrafficGenerator(sc_core::sc_module_name name, const TrafficParams& params, SimContext& context);

  InitiatorSocket<PcieProtocol>& req() { return req_; }
  TargetSocket<PcieProtocol>& msg() { return msg_; }
  const AccessStats& stats() const { return stats_; }
  const Wake& wake() const { return wake_; }

  // Makes `count` accesses (again), from now on; only when none are under way.
  void restart();

  // All accesses are done. The event fires when that becomes true.
  bool done() const { return completed_ == params_.count; }
  const sc_core::sc_event& done_event() const { return done_event_; }
  // When the last access completed: in loose timing later than the simulated time of done_event.
  Ps finished_at() const { return finished_at_; }

  // Of all accesses, those made without a call.
  std::uint64_t direct_accesses() const { return direct_accesses_; }

  std::uint64_t in_flight() const override { return issued_ - completed_; }
  void dump_in_flight(std::ostream& out) const override;

 private:
  struct Slot {
    std::vector<unsigned char> data;
    Addr iova = 0;
    bool busy = false;
    Transaction* payload = nullptr;  // loose timing: it is used for all accesses of the slot
  };

  tlm::tlm_sync_enum nb_transport_bw(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override;
  tlm::tlm_sync_enum nb_transport_fw(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override;
  void b_transport(unsigned port, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
  void invalidate_direct_mem_ptr(unsigned port, Addr first, Addr last) override;

  void start_of_simulation() override;
  void run();
  // What an access does and where.
  struct Access {
    Addr iova;
    bool write;
  };
  Access next_access();
  Transaction& make(std::uint32_t index, Access access, Ps leave);
  void issue(std::uint32_t slot, Ps delay);
  void complete(Transaction& transaction, Ps when);
  void count_done(Ps when);
  void fill(unsigned char* data, Addr iova) const;
  bool matches(const unsigned char* data, Addr iova) const;

  // Loose timing.
  void run_loose(Ps now);
  // Both return when the access that leaves at `leave` completes.
  Ps access_directly(Access access, DirectPages::Page& page, Ps leave);
  Ps access_by_call(std::uint32_t index, Access access, Ps leave);
  void settle();

  TrafficParams params_;
  SimContext& context_;
  InitiatorSocket<PcieProtocol> req_;
  TargetSocket<PcieProtocol> msg_;
  Wake wake_;
  sc_core::sc_event done_event_;
  RngStream rng_;
  bool verify_;
  bool random_;
  bool started_ = false;
  std::uint64_t positions_;
  std::uint64_t position_ = 0;
  std::vector<Slot> slots_;
  std::vector<Ps> next_;  // loose timing: when each slot may issue again
  DirectPages readable_;
  DirectPages writable_;
  std::uint64_t direct_accesses_ = 0;
  DelayQueue<tlm::tlm_generic_payload*> messages_;
  std::uint64_t issued_ = 0;
  std::uint64_t completed_ = 0;
  Ps finished_at_ = 0;
  AccessStats stats_;
};

}  // namespace svasim
