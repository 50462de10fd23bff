// The device of a script: sends what it is told and keeps everything that comes back.
#pragma once

#include <deque>
#include <systemc>
#include <vector>

#include "base/types.h"
#include "tlm/sockets.h"
#include "tlm/time.h"
#include "tlm/transaction.h"

namespace svasim {

struct ScriptRequest {
  TlpKind kind = TlpKind::kMemRead;
  Addr address = 0;
  RequesterId requester;
  AddressType at = AddressType::kUntranslated;
  bool has_pasid = false;
  Pasid pasid;
  bool privileged = false;
  bool execute = false;
  bool no_write = false;
  std::uint64_t body = 0;
  std::uint32_t itag_vector = 0;
  std::uint8_t completion_count = 1;
  std::vector<unsigned char> data;
};

struct ScriptAnswer {
  bool done = false;
  Ps at = 0;
  CompletionStatus status = CompletionStatus::kSuccess;
  bool data_ok = false;
  unsigned translations = 1;  // of a translation completion
  std::vector<unsigned char> data;
};

// A message from the root complex.
struct ScriptMessage {
  Ps at = 0;
  TlpKind kind = TlpKind::kInvalidateRequest;
  RequesterId requester;
  bool has_pasid = false;
  Pasid pasid;
  std::uint64_t body = 0;
  std::uint8_t itag = 0;
  std::uint16_t prg_index = 0;
  std::uint8_t response_code = 0;
};

class ScriptDevice : public sc_core::sc_module, private FwReceiver, private BwReceiver {
 public:
  // One way on the link.
  static constexpr Ps kFlight = 1000;

  ScriptDevice(const sc_core::sc_module_name& name, TransactionPool& pool);

  InitiatorSocket<PcieProtocol> requests;
  TargetSocket<PcieProtocol> messages;

  // From an invalidate request to its completion leaving; kNever: none.
  void set_answer_delay(Ps delay) { answer_delay_ = delay; }

  // Sends now; returns the number of the answer. `extra` delays the request further.
  std::size_t send(const ScriptRequest& request, Ps extra = 0);
  const ScriptAnswer& answer(std::size_t number) const { return answers_.at(number); }

  // Messages in the order of arrival; those of the future are on their way.
  std::deque<ScriptMessage>& received() { return received_; }

 private:
  tlm::tlm_sync_enum nb_transport_bw(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override;
  tlm::tlm_sync_enum nb_transport_fw(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override;
  void b_transport(unsigned port, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;

  TransactionPool& pool_;
  Ps answer_delay_ = 0;
  std::deque<ScriptAnswer> answers_;  // stays in place: data is read into it
  std::deque<ScriptMessage> received_;
};

// Where interrupt messages go.
class ScriptInterrupts : public sc_core::sc_module, private FwReceiver {
 public:
  struct Message {
    Ps at;
    Addr address;
    std::uint32_t data;
  };
  explicit ScriptInterrupts(const sc_core::sc_module_name& name)
      : sc_core::sc_module(name), socket("socket", *this, 0) {}

  TargetSocket<> socket;
  std::deque<Message>& received() { return received_; }

 private:
  void note(tlm::tlm_generic_payload& payload, Ps at);
  tlm::tlm_sync_enum nb_transport_fw(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override;
  void b_transport(unsigned port, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;

  std::deque<Message> received_;
};

// Memory that answers reads and refuses to be written, as a flash does; software fills it beforehand.
class ScriptRom : public sc_core::sc_module, private FwReceiver {
 public:
  ScriptRom(const sc_core::sc_module_name& name, Addr base, std::size_t bytes)
      : sc_core::sc_module(name), socket("socket", *this, 0), base_(base), contents_(bytes) {}

  TargetSocket<> socket;
  unsigned char* at(Addr address) { return contents_.data() + (address - base_); }

 private:
  void answer(tlm::tlm_generic_payload& payload);
  tlm::tlm_sync_enum nb_transport_fw(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override;
  void b_transport(unsigned port, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;

  Addr base_;
  std::vector<unsigned char> contents_;
};

// Software: accesses registers.
class ScriptHost : public sc_core::sc_module, private BwReceiver {
 public:
  explicit ScriptHost(const sc_core::sc_module_name& name)
      : sc_core::sc_module(name), socket("socket", *this, 0) {}

  InitiatorSocket<> socket;
  // The time it takes; false when the access was refused.
  bool access(Addr address, unsigned char* bytes, unsigned length, bool write, Ps& time);

 private:
  tlm::tlm_sync_enum nb_transport_bw(unsigned /*port*/, tlm::tlm_generic_payload& /*payload*/,
                                     tlm::tlm_phase& /*phase*/, sc_core::sc_time& /*delay*/) override {
    return tlm::TLM_COMPLETED;
  }
};

}  // namespace svasim
