// A scripted initiator of memory accesses for tests.
#pragma once

#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <systemc>
#include <vector>

#include "tlm/memory_port.h"

namespace svasim::test {

// Sends accesses at given times and remembers when each was answered.
class MemoryInitiator : public sc_core::sc_module, private MemoryClient {
 public:
  MemoryInitiator(sc_core::sc_module_name name, TransactionPool& pool)
      : sc_core::sc_module(name), port_("port", *this), pool_(pool) {}

  InitiatorSocket<>& socket() { return port_.socket(); }

  // Sends now an access that leaves `delay` later. Returns its number.
  std::size_t read(Addr address, std::size_t length, Ps delay = 1) {
    return send(tlm::TLM_READ_COMMAND, address, std::vector<unsigned char>(length), delay);
  }
  std::size_t write(Addr address, std::vector<unsigned char> data, Ps delay = 1) {
    return send(tlm::TLM_WRITE_COMMAND, address, std::move(data), delay);
  }
  std::size_t write64(Addr address, std::uint64_t word, Ps delay = 1) {
    std::vector<unsigned char> data(8);
    std::memcpy(data.data(), &word, 8);
    return write(address, std::move(data), delay);
  }

  // Loose timing: writes at once.
  void write_now(Addr address, std::vector<unsigned char> data) {
    Transaction& access = pool_.allocate(tlm::TLM_WRITE_COMMAND, address, data.data(), data.size(), now_ps());
    Ps time = 1;
    port_.access(access, time);
    access.release();
  }

  bool answered(std::size_t number) const { return answers_.count(number) != 0; }
  Ps answered_at(std::size_t number) const { return answers_.at(number).time; }
  tlm::tlm_response_status status(std::size_t number) const { return answers_.at(number).status; }
  std::uint64_t word(std::size_t number) const {
    std::uint64_t value = 0;
    std::memcpy(&value, data_.at(number).data(), 8);
    return value;
  }

 private:
  struct Answer {
    Ps time;
    tlm::tlm_response_status status;
  };

  std::size_t send(tlm::tlm_command command, Addr address, std::vector<unsigned char> data, Ps delay) {
    data_.push_back(std::move(data));
    Transaction& access =
        pool_.allocate(command, address, data_.back().data(), data_.back().size(), now_ps());
    access.source.key = data_.size() - 1;
    const std::size_t number = data_.size() - 1;
    port_.send(access, delay);
    return number;
  }
  void memory_response(tlm::tlm_generic_payload& payload, Ps delay) override {
    auto& access = static_cast<Transaction&>(payload);
    answers_[access.source.key] = {now_ps() + delay, payload.get_response_status()};
    access.release();
  }

  MemoryPort port_;
  TransactionPool& pool_;
  std::deque<std::vector<unsigned char>> data_;
  std::map<std::size_t, Answer> answers_;
};

}  // namespace svasim::test
