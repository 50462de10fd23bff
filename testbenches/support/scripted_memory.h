// A memory for tests that answers every access after a fixed time and can be interfered with.
#pragma once

#include <cstring>
#include <functional>
#include <map>
#include <set>
#include <systemc>

#include "base/types.h"
#include "tlm/compare_swap.h"
#include "tlm/sockets.h"
#include "tlm/time.h"

namespace svasim::test {

// 8-byte words, read singly or as lines of 8; what was never written is 0. It answers in the call, with the
// duration annotated: the shortest form the base protocol allows.
class ScriptedMemory : public sc_core::sc_module, private FwReceiver {
 public:
  explicit ScriptedMemory(sc_core::sc_module_name name)
      : sc_core::sc_module(name), socket_("socket", *this, 0) {}

  TargetSocket<>& socket() { return socket_; }

  Ps latency = 50'000;
  std::set<Addr> broken_reads;    // pages
  std::set<Addr> broken_updates;  // pages
  // Called before each access, with the address and whether it writes.
  std::function<void(Addr, bool)> before;
  std::uint64_t reads = 0;
  std::uint64_t updates = 0;

  std::uint64_t read64(Addr address) const {
    const auto word = words_.find(address);
    return word == words_.end() ? 0 : word->second;
  }
  void write64(Addr address, std::uint64_t value) { words_[address] = value; }

 private:
  tlm::tlm_sync_enum nb_transport_fw(unsigned /*port*/, tlm::tlm_generic_payload& payload,
                                     tlm::tlm_phase& /*phase*/, sc_core::sc_time& delay) override {
    b_transport(0, payload, delay);
    return tlm::TLM_COMPLETED;
  }
  void b_transport(unsigned /*port*/, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override {
    delay += to_sc(latency);
    const Addr address = payload.get_address();
    if (before) before(address, payload.is_write());
    payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    const Addr page = address & ~(kPageSize - 1);
    if ((payload.is_write() ? broken_updates : broken_reads).count(page) != 0) return;
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
    if (payload.is_read()) {
      ++reads;
      for (unsigned offset = 0; offset < payload.get_data_length(); offset += 8) {
        const std::uint64_t word = read64(address + offset);
        std::memcpy(payload.get_data_ptr() + offset, &word, sizeof(word));
      }
      return;
    }
    ++updates;
    auto* swap = payload.get_extension<CompareSwap>();
    swap->seen = read64(address);
    if (swap->swapped()) std::memcpy(&words_[address], payload.get_data_ptr(), sizeof(std::uint64_t));
  }

  TargetSocket<> socket_;
  std::map<Addr, std::uint64_t> words_;
};

}  // namespace svasim::test
