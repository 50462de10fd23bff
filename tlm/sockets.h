// Sockets that tell their owner on which of its ports a call arrived, without convenience-socket
// threads or searches.
#pragma once

#include <string>
#include <tlm>

#include "base/types.h"

namespace svasim {

// Implemented by a module with target sockets. `port` is the number given to the socket.
class FwReceiver {
 public:
  virtual ~FwReceiver() = default;
  virtual tlm::tlm_sync_enum nb_transport_fw(unsigned port, tlm::tlm_generic_payload& payload,
                                             tlm::tlm_phase& phase, sc_core::sc_time& delay) = 0;
  virtual void b_transport(unsigned port, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) = 0;
  // Untimed access without side effects on timing or statistics; returns the bytes transferred.
  virtual unsigned transport_dbg(unsigned /*port*/, tlm::tlm_generic_payload& /*payload*/) { return 0; }
  virtual bool get_direct_mem_ptr(unsigned /*port*/, tlm::tlm_generic_payload& /*payload*/,
                                  tlm::tlm_dmi& /*dmi*/) {
    return false;
  }
};

// Implemented by a module with initiator sockets.
class BwReceiver {
 public:
  virtual ~BwReceiver() = default;
  virtual tlm::tlm_sync_enum nb_transport_bw(unsigned port, tlm::tlm_generic_payload& payload,
                                             tlm::tlm_phase& phase, sc_core::sc_time& delay) = 0;
  // Whoever passes get_direct_mem_ptr on, or asks, has to act on this.
  virtual void invalidate_direct_mem_ptr(unsigned /*port*/, Addr /*first*/, Addr /*last*/) {}
};

template <typename Types = tlm::tlm_base_protocol_types>
class TargetSocket : public tlm::tlm_target_socket<32, Types> {
 public:
  TargetSocket(const char* name, FwReceiver& owner, unsigned port)
      : tlm::tlm_target_socket<32, Types>(name), forward_(owner, port) {
    this->bind(forward_);
  }

 private:
  struct Forward : tlm::tlm_fw_transport_if<Types> {
    Forward(FwReceiver& owner, unsigned port) : owner_(owner), port_(port) {}
    tlm::tlm_sync_enum nb_transport_fw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                       sc_core::sc_time& delay) override {
      return owner_.nb_transport_fw(port_, payload, phase, delay);
    }
    void b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override {
      owner_.b_transport(port_, payload, delay);
    }
    bool get_direct_mem_ptr(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) override {
      return owner_.get_direct_mem_ptr(port_, payload, dmi);
    }
    unsigned transport_dbg(tlm::tlm_generic_payload& payload) override {
      return owner_.transport_dbg(port_, payload);
    }
    FwReceiver& owner_;
    unsigned port_;
  };
  Forward forward_;
};

template <typename Types = tlm::tlm_base_protocol_types,
          sc_core::sc_port_policy Policy = sc_core::SC_ONE_OR_MORE_BOUND>
class InitiatorSocket : public tlm::tlm_initiator_socket<32, Types, 1, Policy> {
 public:
  InitiatorSocket(const char* name, BwReceiver& owner, unsigned port)
      : tlm::tlm_initiator_socket<32, Types, 1, Policy>(name), backward_(owner, port) {
    this->bind(backward_);
  }

 private:
  struct Backward : tlm::tlm_bw_transport_if<Types> {
    Backward(BwReceiver& owner, unsigned port) : owner_(owner), port_(port) {}
    tlm::tlm_sync_enum nb_transport_bw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                       sc_core::sc_time& delay) override {
      return owner_.nb_transport_bw(port_, payload, phase, delay);
    }
    void invalidate_direct_mem_ptr(sc_dt::uint64 first, sc_dt::uint64 last) override {
      owner_.invalidate_direct_mem_ptr(port_, first, last);
    }
    BwReceiver& owner_;
    unsigned port_;
  };
  Backward backward_;
};

}  // namespace svasim
