#include "sim/script/script_device.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace svasim {

ScriptDevice::ScriptDevice(const sc_core::sc_module_name& name, TransactionPool& pool)
    : sc_core::sc_module(name), requests("requests", *this, 0), messages("messages", *this, 1), pool_(pool) {}

std::size_t ScriptDevice::send(const ScriptRequest& request, Ps extra) {
  answers_.emplace_back();
  ScriptAnswer& answer = answers_.back();
  answer.data = request.data;
  const bool is_message =
      request.kind == TlpKind::kPageRequest || request.kind == TlpKind::kInvalidateCompletion;
  const tlm::tlm_command command = is_message                           ? tlm::TLM_IGNORE_COMMAND
                                   : request.kind == TlpKind::kMemWrite ? tlm::TLM_WRITE_COMMAND
                                                                        : tlm::TLM_READ_COMMAND;
  Transaction& t = pool_.allocate(command, request.address, is_message ? nullptr : answer.data.data(),
                                  is_message ? 0 : answer.data.size(), now_ps());
  t.pcie.kind = request.kind;
  t.pcie.at = request.at;
  t.pcie.requester = request.requester;
  t.pcie.has_pasid = request.has_pasid;
  t.pcie.pasid = request.pasid;
  t.pcie.privileged = request.privileged;
  t.pcie.execute = request.execute;
  t.pcie.no_write = request.no_write;
  t.pcie.body = request.body;
  t.pcie.itag_vector = request.itag_vector;
  t.pcie.completion_count = request.completion_count;
  t.pcie.id = answers_.size() - 1;
  t.pcie.iova = request.address;
  const Ps delay = kFlight + extra;
  t.pcie.attribution.charge(Stage::kLink, now_ps() + delay);
  tlm::tlm_phase phase = tlm::BEGIN_REQ;
  sc_core::sc_time time = to_sc(delay);
  requests->nb_transport_fw(t, phase, time);
  return answers_.size() - 1;
}

tlm::tlm_sync_enum ScriptDevice::nb_transport_bw(unsigned /*port*/, tlm::tlm_generic_payload& payload,
                                                 tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  if (phase == tlm::END_REQ) return tlm::TLM_ACCEPTED;
  Transaction& t = Transaction::of(payload);
  ScriptAnswer& answer = answers_.at(t.pcie.id);
  answer.done = true;
  answer.at = now_ps() + delay.value();
  answer.status = t.pcie.status;
  answer.data_ok = t.is_response_ok();
  answer.translations = t.pcie.translations;
  t.release();
  return tlm::TLM_COMPLETED;
}

tlm::tlm_sync_enum ScriptDevice::nb_transport_fw(unsigned /*port*/, tlm::tlm_generic_payload& payload,
                                                 tlm::tlm_phase& /*phase*/, sc_core::sc_time& delay) {
  const PcieExtension& pcie = Transaction::of(payload).pcie;
  received_.push_back({now_ps() + delay.value(), pcie.kind, pcie.requester, pcie.has_pasid, pcie.pasid,
                       pcie.body, pcie.itag, pcie.prg_index, pcie.response_code});
  if (pcie.kind == TlpKind::kInvalidateRequest && answer_delay_ != kNever) {
    ScriptRequest completion;
    completion.kind = TlpKind::kInvalidateCompletion;
    completion.requester = pcie.requester;
    completion.itag_vector = 1U << pcie.itag;
    send(completion, delay.value() + answer_delay_);
  }
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
  tlm::tlm_phase done = tlm::BEGIN_RESP;
  sc_core::sc_time later = delay + to_sc(1);
  messages->nb_transport_bw(payload, done, later);
  return tlm::TLM_ACCEPTED;
}

void ScriptDevice::b_transport(unsigned /*port*/, tlm::tlm_generic_payload& /*payload*/,
                               sc_core::sc_time& /*delay*/) {
  SVASIM_CHECK(false, "scripts run with approximate timing");
}

void ScriptInterrupts::note(tlm::tlm_generic_payload& payload, Ps at) {
  std::uint32_t data = 0;
  if (payload.is_write()) {
    std::memcpy(&data, payload.get_data_ptr(), std::min<std::size_t>(4, payload.get_data_length()));
    received_.push_back({at, payload.get_address(), data});
  }
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
}

tlm::tlm_sync_enum ScriptInterrupts::nb_transport_fw(unsigned /*port*/, tlm::tlm_generic_payload& payload,
                                                     tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  if (phase == tlm::END_RESP) return tlm::TLM_COMPLETED;
  note(payload, now_ps() + delay.value());
  phase = tlm::BEGIN_RESP;
  delay += to_sc(1000);
  return tlm::TLM_UPDATED;
}

void ScriptInterrupts::b_transport(unsigned /*port*/, tlm::tlm_generic_payload& payload,
                                   sc_core::sc_time& delay) {
  note(payload, now_ps() + delay.value());
}

// WHY its own range check: the bus decodes by the first byte.
void ScriptRom::answer(tlm::tlm_generic_payload& payload) {
  const std::uint64_t offset = payload.get_address() - base_;
  const unsigned length = payload.get_data_length();
  if (!payload.is_read()) {
    payload.set_response_status(tlm::TLM_COMMAND_ERROR_RESPONSE);
  } else if (length > contents_.size() || offset > contents_.size() - length) {
    payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
  } else {
    std::memcpy(payload.get_data_ptr(), contents_.data() + offset, length);
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
  }
}

tlm::tlm_sync_enum ScriptRom::nb_transport_fw(unsigned /*port*/, tlm::tlm_generic_payload& payload,
                                              tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  if (phase == tlm::END_RESP) return tlm::TLM_COMPLETED;
  answer(payload);
  phase = tlm::BEGIN_RESP;
  delay += to_sc(1000);
  return tlm::TLM_UPDATED;
}

void ScriptRom::b_transport(unsigned /*port*/, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  answer(payload);
  delay += to_sc(1000);
}

bool ScriptHost::access(Addr address, unsigned char* bytes, unsigned length, bool write, Ps& time) {
  tlm::tlm_generic_payload payload;
  payload.set_command(write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND);
  payload.set_address(address);
  payload.set_data_ptr(bytes);
  payload.set_data_length(length);
  payload.set_streaming_width(length);
  sc_core::sc_time delay;
  socket->b_transport(payload, delay);
  time = delay.value();
  return payload.is_response_ok();
}

}  // namespace svasim
