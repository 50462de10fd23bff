// The memory side of a module: base-protocol requests out, answers back to the owner.
#pragma once

#include <tlm>

#include "tlm/sockets.h"
#include "tlm/time.h"
#include "tlm/transaction.h"

namespace svasim {

// Implemented by the owner of a MemoryPort.
class MemoryClient {
 public:
  virtual ~MemoryClient() = default;
  // The answer to `payload` arrives `delay` after now; data and response status are valid. Called
  // from another module's process: it may change only what belongs to this one request and send
  // messages with positive delay. The owner still holds its reference.
  virtual void memory_response(tlm::tlm_generic_payload& payload, Ps delay) = 0;
  // Direct access to memory that was granted through this port ends: all of it.
  virtual void memory_revoked() {}
};

// Initiator of the base protocol that any target can be bound to: it obeys the exclusion rule
// (one request between BEGIN_REQ and END_REQ) and takes every legal shortcut a target may use.
class MemoryPort : private BwReceiver {
 public:
  MemoryPort(const char* name, MemoryClient& client) : socket_(name, *this, 0), client_(client) {}

  InitiatorSocket<>& socket() { return socket_; }

  // Sends a request that leaves `delay` (at least 1 ps) after now. set_source first for a
  // deterministic place among equals: `payload.source.key` unique per sender.
  void send(tlm::tlm_generic_payload& payload, Ps delay) {
    if (requesting_ != nullptr) {
      waiting_.push_back(Waiting{&payload, now_ps() + delay});
      return;
    }
    begin(payload, delay);
  }

  // Loose timing: the whole access at once; `delay` grows by its duration.
  void access(tlm::tlm_generic_payload& payload, Ps& delay) {
    sc_core::sc_time time = to_sc(delay);
    socket_->b_transport(payload, time);
    delay = time.value();
  }

  // Untimed access; returns the bytes transferred.
  unsigned debug(tlm::tlm_generic_payload& payload) { return socket_->transport_dbg(payload); }

 private:
  struct Waiting {
    tlm::tlm_generic_payload* payload;
    Ps time;
  };

  void begin(tlm::tlm_generic_payload& payload, Ps delay);
  tlm::tlm_sync_enum nb_transport_bw(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override;
  void invalidate_direct_mem_ptr(unsigned /*port*/, Addr /*first*/, Addr /*last*/) override {
    client_.memory_revoked();
  }
  void next();

  InitiatorSocket<> socket_;
  MemoryClient& client_;
  // The request between BEGIN_REQ and END_REQ.
  tlm::tlm_generic_payload* requesting_ = nullptr;
  std::vector<Waiting> waiting_;
};

}  // namespace svasim
