// Pooled payloads.
#pragma once

#include <cstdint>
#include <memory>
#include <tlm>
#include <vector>

#include "tlm/pcie_protocol.h"

namespace svasim {

class TransactionPool;

// A generic payload with our extensions built in. Allocate from a TransactionPool only.
class Transaction : public tlm::tlm_generic_payload {
 public:
  PcieExtension pcie;
  SourceTag source;

  // The payload of a PcieProtocol socket: those always come from a pool.
  static Transaction& of(tlm::tlm_generic_payload& payload) { return static_cast<Transaction&>(payload); }

  // Of a payload that came from a pool; nullptr for a foreign one.
  static Transaction* from(tlm::tlm_generic_payload& payload) {
    return payload.get_extension<PcieExtension>() == nullptr ? nullptr : static_cast<Transaction*>(&payload);
  }

 private:
  friend class TransactionPool;
  explicit Transaction(tlm::tlm_mm_interface* pool) : tlm::tlm_generic_payload(pool) {
    set_extension(&pcie);
    set_extension(&source);
  }
  ~Transaction() override {
    clear_extension(&pcie);
    clear_extension(&source);
  }
};

// Free list of Transactions. allocate() sets every attribute, which tlm_generic_payload::reset()
// does not; in debug builds a freed payload is poisoned. live() counts payloads not yet freed, so
// that a run can prove at its end that none leaked.
class TransactionPool : public tlm::tlm_mm_interface {
 public:
  TransactionPool() = default;
  TransactionPool(const TransactionPool&) = delete;
  TransactionPool& operator=(const TransactionPool&) = delete;
  ~TransactionPool() override;

  // A payload with one reference, held by the caller. `data` stays the caller's until the response.
  Transaction& allocate(tlm::tlm_command command, Addr address, unsigned char* data, std::size_t length,
                        Ps now);

  void free(tlm::tlm_generic_payload* payload) override;

  std::uint64_t allocated() const { return allocated_; }
  std::uint64_t freed() const { return freed_; }
  std::uint64_t live() const { return allocated_ - freed_; }

 private:
  std::vector<Transaction*> all_;
  std::vector<Transaction*> free_;
  std::uint64_t allocated_ = 0;
  std::uint64_t freed_ = 0;
};

}  // namespace svasim
