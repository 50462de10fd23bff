// The memory accesses of a walk: entries read, and their accessed and dirty bits set.
#pragma once

#include <cstdint>
#include <tlm>

#include "base/types.h"
#include "tlm/compare_swap.h"
#include "tlm/pcie_protocol.h"

namespace svasim {

// A payload that one slot of a walker reuses for all its accesses, one at a time.
//
// WHY its own memory manager: the base protocol lets any target hold a reference; it is held here for
// good and the payload is never freed.
class EntryAccess : public tlm::tlm_generic_payload, private tlm::tlm_mm_interface {
 public:
  explicit EntryAccess(std::uint32_t slot_number) : slot(slot_number) {
    set_mm(this);
    acquire();
    set_extension(&source);
    source.origin = AccessOrigin::kWalk;
    set_data_ptr(reinterpret_cast<unsigned char*>(&word_));
    set_data_length(sizeof(word_));
    set_streaming_width(sizeof(word_));
    set_byte_enable_ptr(nullptr);
  }
  ~EntryAccess() override {
    clear_extension(&source);
    clear_extension(&swap_);
  }
  EntryAccess(const EntryAccess&) = delete;
  EntryAccess& operator=(const EntryAccess&) = delete;

  void prepare_read(Addr address) {
    if (is_write()) {
      clear_extension(&swap_);
    }
    prepare(tlm::TLM_READ_COMMAND, address);
  }
  void prepare_update(Addr address, std::uint64_t expected, std::uint64_t desired) {
    prepare(tlm::TLM_WRITE_COMMAND, address);
    word_ = desired;
    swap_.expected = expected;
    swap_.seen = expected;
    set_extension(&swap_);
  }
  // After the answer: the entry as memory held it; meaningless unless is_response_ok().
  std::uint64_t value() const { return is_write() ? swap_.seen : word_; }

  SourceTag source;
  const std::uint32_t slot;

 private:
  void free(tlm::tlm_generic_payload* /*payload*/) override {}

  void prepare(tlm::tlm_command command, Addr address) {
    set_command(command);
    set_address(address);
    set_dmi_allowed(false);
    set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
    source.hops = 0;
  }

  CompareSwap swap_;
  std::uint64_t word_ = 0;
};

}  // namespace svasim
