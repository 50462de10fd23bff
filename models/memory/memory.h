// Main memory behind the memory bus.
#pragma once

#include <memory>
#include <systemc>
#include <vector>

#include "models/memory/last_level_cache.h"
#include "models/memory/memory_params.h"
#include "models/memory/memory_stats.h"
#include "models/memory/sparse_memory.h"
#include "tlm/context.h"
#include "tlm/inspect.h"
#include "tlm/serial_channel.h"
#include "tlm/sockets.h"
#include "tlm/transfer_time.h"
#include "tlm/wake.h"

namespace svasim {

// Base-protocol target. Accesses queue for their channel in the order (arrival, rank of the
// sender, sender's key), and that is the order in which they read and write the contents. An access that is
// not wholly inside the memory is answered TLM_ADDRESS_ERROR_RESPONSE.
//
// With a last-level cache, a hit is answered after the cache's latency and takes no turn on a channel.
//
// With a configuration space it is the memory behind a device's BAR: see `config` of its parameters.
//
// Direct access is given in loose timing, to a page that was written, and never taken back. Not with a
// last-level cache, which has to see every access.
//
// The answer is annotated: BEGIN_RESP comes with the delay after which it leaves. One wake-up, when the
// first answer is due, serves everything that has arrived by then.
class Memory : public sc_core::sc_module, public Inspectable, private FwReceiver {
 public:
  Memory(sc_core::sc_module_name name, const MemoryParams& params, SimContext& context);

  TargetSocket<>& socket() { return socket_; }
  const MemoryParams& params() const { return params_; }

  // The contents, for loading images and for checks; addresses count from the memory's base.
  SparseMemory& contents() { return contents_; }
  const MemoryStats& stats() const { return stats_; }
  const Wake& wake() const { return wake_; }

  std::uint64_t in_flight() const override;
  void dump_in_flight(std::ostream& out) const override;

 private:
  tlm::tlm_sync_enum nb_transport_fw(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override;
  void b_transport(unsigned port, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
  unsigned transport_dbg(unsigned port, tlm::tlm_generic_payload& payload) override;
  bool get_direct_mem_ptr(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) override;

  using Channels = SerialChannel<tlm::tlm_generic_payload*>;

  void run();
  enum class LookUp : std::uint8_t { kHit, kMiss, kNone };
  LookUp look_up(tlm::tlm_generic_payload& payload);
  void look(Addr offset, unsigned char* data, unsigned length) const;
  // Serves the first arrival.
  Channels::Served serve();
  void respond(const Channels::Served& served);
  void access(tlm::tlm_generic_payload& payload);
  // What the contents do not answer: the configuration space, or nobody.
  void access_outside(tlm::tlm_generic_payload& payload);
  void compare_swap(tlm::tlm_generic_payload& payload, Addr offset);
  unsigned channel_of(Addr address) const {
    return static_cast<unsigned>(address >> interleave_shift_) & (params_.channels - 1);
  }

  MemoryParams params_;
  TargetSocket<> socket_;
  Wake wake_;
  SparseMemory contents_;
  TransferTime transfer_;
  bool direct_;  // get_direct_mem_ptr is answered
  unsigned interleave_shift_;
  LastLevelCache llc_;
  Channels channels_;
  std::vector<Channels::Served> served_;  // early, for an untimed access
  std::uint64_t untagged_ = 0;
  bool memory_space_ = true;  // Command.MSE
  MemoryStats stats_;
};

}  // namespace svasim
