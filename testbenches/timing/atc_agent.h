// What stands behind a link in tests of an ATC or a device: a translation agent that does as the
// test tells it, and memory.
#pragma once

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <systemc>
#include <tuple>
#include <vector>

#include "models/formats/ats_messages.h"
#include "models/formats/vtd_invalidation.h"
#include "tlm/context.h"
#include "tlm/deferrable_write.h"
#include "tlm/delay_queue.h"
#include "tlm/sockets.h"
#include "tlm/transaction.h"
#include "tlm/translation_entry.h"
#include "tlm/wake.h"

namespace svasim {

// Untimed bytes, 0 where nothing was written.
class TestMemory {
 public:
  unsigned char& byte(Addr address) { return pages_[address / kPageSize][address % kPageSize]; }
  void access(tlm::tlm_generic_payload& payload) {
    // Page by page.
    for (std::size_t i = 0; i < payload.get_data_length();) {
      const Addr address = payload.get_address() + i;
      const std::size_t part =
          std::min<std::size_t>(payload.get_data_length() - i, kPageSize - address % kPageSize);
      unsigned char* data = payload.get_data_ptr() + i;
      if (payload.is_write()) {
        std::memcpy(&byte(address), data, part);
      } else {
        std::memcpy(data, &byte(address), part);
      }
      i += part;
    }
  }
  template <typename T>
  T load(Addr address) {
    T value;
    for (unsigned i = 0; i < sizeof value; ++i)
      reinterpret_cast<unsigned char*>(&value)[i] = byte(address + i);
    return value;
  }
  void fill(Addr address, std::size_t size, const std::function<unsigned char(std::size_t)>& pattern) {
    for (std::size_t i = 0; i < size; ++i) byte(address + i) = pattern(i);
  }
  std::vector<unsigned char> bytes(Addr address, std::size_t size) {
    std::vector<unsigned char> all(size);
    for (std::size_t i = 0; i < size; ++i) all[i] = byte(address + i);
    return all;
  }

 private:
  std::map<Addr, std::array<unsigned char, kPageSize>> pages_;
};

// One TLP as the agent saw it arrive.
struct SeenTlp {
  Ps time = 0;
  TlpKind kind = TlpKind::kMemRead;
  AddressType at = AddressType::kUntranslated;
  Addr address = 0;
  bool has_pasid = false;
  Pasid pasid;
  bool no_write = false;
  std::uint64_t body = 0;
  std::uint32_t itag_vector = 0;
  unsigned completion_count = 1;
  unsigned traffic_class = 0;
  bool no_snoop = false;
  unsigned translations = 0;  // asked for
};

class TestAgent : public sc_core::sc_module, private FwReceiver, private BwReceiver {
 public:
  TestAgent(const sc_core::sc_module_name& name, SimContext& context)
      : sc_core::sc_module(name),
        up("up", *this, 0),
        down("down", *this, 0),
        context_(context),
        wake_("wake") {
    SC_HAS_PROCESS(TestAgent);
    SC_METHOD(run);
    sensitive << wake_.event();
    dont_initialize();
  }

  TargetSocket<PcieProtocol> up;
  InitiatorSocket<PcieProtocol> down;

  Ps translation_latency = 300000;  // arrival of a translation request to its completion's arrival
  Ps memory_latency = 100000;       // arrival of a read to its completion's arrival
  Ps response_latency = 5000000;    // arrival of the last page request to its response's arrival
  TestMemory memory;
  std::vector<SeenTlp> seen;
  // Called for the last request of a group: the code to answer; nothing: no answer.
  std::function<int(const SeenTlp&)> on_group = [](const SeenTlp&) { return 0; };
  // Parts the response's attribution says the wait was made of; by default none.
  std::vector<std::pair<Stage, Ps>> response_parts;
  CompletionStatus translation_status = CompletionStatus::kSuccess;
  unsigned translations = 1;      // most that are answered
  bool ignores_no_write = false;  // answers the full rights whatever NW says, as an agent may
  CompletionStatus read_status = CompletionStatus::kSuccess;
  Addr read_error_from = 0;       // read_status counts for addresses from here ...
  Addr read_error_to = ~Addr{0};  // ... up to here

  // PASID 0 stands for requests without.
  void map(unsigned pasid, Addr iova, Addr physical, bool read, bool write, std::uint8_t shift = 12) {
    Translation t;
    t.address = physical;
    t.page_shift = shift;
    t.read = read;
    t.write = write;
    table_[{pasid, iova >> shift, shift}] = t;
  }
  void map(unsigned pasid, Addr iova, const Translation& t) {
    table_[{pasid, iova >> t.page_shift, t.page_shift}] = t;
  }
  void unmap(unsigned pasid, Addr iova, std::uint8_t shift = 12) {
    table_.erase({pasid, iova >> shift, shift});
  }

  // Messages that arrive at the device `delay` from now.
  void invalidate(unsigned itag, AtsRange range, bool has_pasid, unsigned pasid, bool global, Ps delay,
                  RequesterId requester) {
    Transaction& message = make_message(TlpKind::kInvalidateRequest, has_pasid, pasid, requester);
    message.pcie.itag = static_cast<std::uint8_t>(itag);
    message.pcie.body = make_invalidate_request_body(range, global);
    send(message, delay);
  }
  void respond(unsigned index, int code, bool has_pasid, unsigned pasid, Ps delay, RequesterId requester) {
    Transaction& message = make_message(TlpKind::kPrgResponse, has_pasid, pasid, requester);
    message.pcie.prg_index = static_cast<std::uint16_t>(index);
    message.pcie.response_code = static_cast<std::uint8_t>(code);
    Ps mark = now_ps() + delay;
    for (const auto& part : response_parts) mark -= part.second;
    message.pcie.attribution.start(mark);
    for (const auto& part : response_parts) {
      mark += part.second;
      message.pcie.attribution.charge(part.first, mark);
    }
    send(message, delay);
  }
  // An access of the host to the device's registers; fire and forget.
  void mmio_write(Addr address, const void* data, unsigned size, Ps delay) {
    mmio_data_.emplace_back(static_cast<const unsigned char*>(data),
                            static_cast<const unsigned char*>(data) + size);
    Transaction& access =
        context_.pool.allocate(tlm::TLM_WRITE_COMMAND, address, mmio_data_.back().data(), size, now_ps());
    send(access, delay);
  }

  // A deferrable write; its answer is put at the end of `deferrable_answers`: accepted or not.
  void mmio_write_deferrable(Addr address, const void* data, unsigned size, Ps delay) {
    mmio_data_.emplace_back(static_cast<const unsigned char*>(data),
                            static_cast<const unsigned char*>(data) + size);
    Transaction& access =
        context_.pool.allocate(tlm::TLM_WRITE_COMMAND, address, mmio_data_.back().data(), size, now_ps());
    deferrable_.emplace_back();
    access.set_extension(&deferrable_.back());
    send(access, delay);
  }
  std::vector<bool> deferrable_answers;

  std::vector<SeenTlp> seen_of(TlpKind kind) const {
    std::vector<SeenTlp> some;
    for (const SeenTlp& tlp : seen) {
      if (tlp.kind == kind) some.push_back(tlp);
    }
    return some;
  }

 private:
  Transaction& make_message(TlpKind kind, bool has_pasid, unsigned pasid, RequesterId requester) {
    Transaction& message = context_.pool.allocate(tlm::TLM_IGNORE_COMMAND, 0, nullptr, 0, now_ps());
    message.pcie.kind = kind;
    message.pcie.requester = requester;
    message.pcie.has_pasid = has_pasid;
    message.pcie.pasid = Pasid(pasid);
    return message;
  }
  void send(Transaction& message, Ps delay) {
    tlm::tlm_phase phase = tlm::BEGIN_REQ;
    sc_core::sc_time time = to_sc(delay);
    down->nb_transport_fw(message, phase, time);
  }

  tlm::tlm_sync_enum nb_transport_fw(unsigned, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override {
    if (phase == tlm::BEGIN_REQ) {
      arrivals_.push(now_ps() + delay.value(), 0, &payload);
      wake_.arm(now_ps() + delay.value());
    }
    return tlm::TLM_ACCEPTED;
  }
  tlm::tlm_sync_enum nb_transport_bw(unsigned, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time&) override {
    if (phase == tlm::END_REQ) return tlm::TLM_ACCEPTED;
    if (const auto* deferrable = payload.get_extension<DeferrableWrite>()) {
      deferrable_answers.push_back(deferrable->accepted);
      payload.clear_extension<DeferrableWrite>();
    }
    static_cast<Transaction&>(payload).release();
    return tlm::TLM_COMPLETED;
  }
  void b_transport(unsigned, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override {
    const Ps arrival = now_ps() + delay.value();
    serve(payload, arrival);
    delay += to_sc(latency_of(*payload.get_extension<PcieExtension>()));
    payload.get_extension<PcieExtension>()->attribution.charge(Stage::kMemory, now_ps() + delay.value());
  }

  Ps latency_of(const PcieExtension& pcie) const {
    return pcie.kind == TlpKind::kTranslationRequest                 ? translation_latency
           : is_posted(pcie.kind) && pcie.kind != TlpKind::kMemWrite ? 1
                                                                     : memory_latency;
  }

  void run() {
    wake_.fired();
    while (arrivals_.due() <= now_ps()) {
      tlm::tlm_generic_payload& payload = *arrivals_.pop();
      PcieExtension& pcie = *payload.get_extension<PcieExtension>();
      serve(payload, now_ps());
      const Ps latency = latency_of(pcie);
      const Ps end = now_ps() + latency;
      pcie.attribution.charge(pcie.kind == TlpKind::kTranslationRequest ? Stage::kWalkRead : Stage::kMemory,
                              end);
      for (tlm::tlm_phase phase : {tlm::tlm_phase(tlm::END_REQ), tlm::tlm_phase(tlm::BEGIN_RESP)}) {
        sc_core::sc_time delay = to_sc(phase == tlm::END_REQ ? 1 : latency);
        up->nb_transport_bw(payload, phase, delay);
      }
    }
    wake_.arm(arrivals_.due());
  }

  void serve(tlm::tlm_generic_payload& payload, Ps arrival) {
    PcieExtension& pcie = *payload.get_extension<PcieExtension>();
    SeenTlp tlp{arrival,
                pcie.kind,
                pcie.at,
                payload.get_address(),
                pcie.has_pasid,
                pcie.pasid,
                pcie.no_write,
                pcie.body,
                pcie.itag_vector,
                pcie.completion_count,
                pcie.traffic_class,
                pcie.no_snoop,
                pcie.kind == TlpKind::kTranslationRequest ? translations_asked(payload) : 0};
    seen.push_back(tlp);
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
    switch (pcie.kind) {
      case TlpKind::kMemRead:
      case TlpKind::kMemWrite:
        if (pcie.kind == TlpKind::kMemRead && read_status != CompletionStatus::kSuccess &&
            payload.get_address() >= read_error_from && payload.get_address() < read_error_to) {
          pcie.status = read_status;
          payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
        } else {
          memory.access(payload);
        }
        return;
      case TlpKind::kTranslationRequest:
        pcie.status = translation_status;
        if (translation_status == CompletionStatus::kSuccess) {
          answer(payload, pcie);
        }
        return;
      case TlpKind::kPageRequest:
        // Stop markers get no response.
        if ((pcie.body & (PageRequestBody::R::kMask | PageRequestBody::W::kMask)) != 0 &&
            PageRequestBody::L::get(pcie.body) != 0) {
          const int code = on_group(tlp);
          if (code >= 0) {
            respond(static_cast<unsigned>(PageRequestBody::PRGI::get(pcie.body)), code, pcie.has_pasid,
                    pcie.pasid.value(), response_latency, pcie.requester);
          }
        }
        return;
      default:
        return;
    }
  }

  // As many pages of one size as are mapped, one behind the other. SPEC: [ATS 3]
  void answer(tlm::tlm_generic_payload& payload, PcieExtension& pcie) const {
    const unsigned most = std::min(translations, translations_asked(payload));
    Addr page = payload.get_address();
    unsigned count = 0;
    do {
      Translation t = find(pcie.has_pasid ? pcie.pasid.value() : 0, page);
      t.write = t.write && (!pcie.no_write || ignores_no_write);
      if (count != 0 && ((!t.read && !t.write) || t.page_shift != pcie.translation.page_shift)) break;
      if (count == 0) pcie.translation = t;
      const std::uint64_t entry = encode_translation(t);
      std::memcpy(payload.get_data_ptr() + 8 * count, &entry, 8);
      ++count;
      page = ((page >> t.page_shift) + 1) << t.page_shift;
    } while (count < most && page < payload.get_address() + most * kPageSize);
    pcie.translations = static_cast<std::uint8_t>(count);
  }

  // No rights where nothing is mapped. SPEC: [ATS 3.2]
  Translation find(unsigned pasid, Addr iova) const {
    for (const std::uint8_t shift : {std::uint8_t{12}, std::uint8_t{21}, std::uint8_t{30}}) {
      const auto found = table_.find({pasid, iova >> shift, shift});
      if (found != table_.end()) return found->second;
    }
    Translation none;
    none.page_shift = 12;
    return none;
  }

  SimContext& context_;
  Wake wake_;
  DelayQueue<tlm::tlm_generic_payload*> arrivals_;
  std::map<std::tuple<unsigned, Addr, std::uint8_t>, Translation> table_;
  std::deque<std::vector<unsigned char>> mmio_data_;
  std::deque<DeferrableWrite> deferrable_;
};

}  // namespace svasim
