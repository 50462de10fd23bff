// The memory accesses of a walk: entries read, and their accessed and dirty bits set.
#pragma once

#include <cstdint>
#include <tlm>

#include "base/types.h"
#include "models/walker/line_buffer.h"
#include "tlm/compare_swap.h"
#include "tlm/pcie_protocol.h"

namespace svasim {

// A payload that one slot of a walker reuses for all its accesses, one at a time.
//
// WHY its own memory manager: the base protocol lets any target hold a reference; it is held here for
// good and the payload is never freed.
class EntryAccess : public tlm::tlm_generic_payload, private tlm::tlm_mm_interface {
 public:
  // With `lines` a read is of the line that the entry lies in.
  explicit EntryAccess(std::uint32_t slot_number, bool lines = false) : slot(slot_number), lines_(lines) {
    set_mm(this);
    acquire();
    set_extension(&source);
    source.origin = AccessOrigin::kWalk;
    use(&word_, sizeof(word_));
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
      value_ = &word_;
    }
    if (lines_) {
      entry_ = address;
      value_ = &line_[LineBuffer::place_of(address)];
      use(line_.data(), sizeof(line_));
      address = LineBuffer::line_of(address);
    }
    prepare(tlm::TLM_READ_COMMAND, address);
  }
  void prepare_update(Addr address, std::uint64_t expected, std::uint64_t desired) {
    if (lines_) {
      use(&word_, sizeof(word_));
    }
    prepare(tlm::TLM_WRITE_COMMAND, address);
    word_ = desired;
    swap_.expected = expected;
    swap_.seen = expected;
    value_ = &swap_.seen;
    set_extension(&swap_);
  }
  // After the answer: the entry as memory held it; meaningless unless is_response_ok().
  std::uint64_t value() const { return *value_; }
  // The line read last; only with `lines`.
  const LineBuffer::Line& line() const { return line_; }
  bool holds(Addr entry) const { return LineBuffer::line_of(entry) == LineBuffer::line_of(entry_); }

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

  void use(std::uint64_t* data, unsigned bytes) {
    set_data_ptr(reinterpret_cast<unsigned char*>(data));
    set_data_length(bytes);
    set_streaming_width(bytes);
  }

  CompareSwap swap_;
  std::uint64_t word_ = 0;
  const std::uint64_t* value_ = &word_;
  const bool lines_;
  Addr entry_ = ~Addr{0};  // read last; only with lines_
  LineBuffer::Line line_{};
};

}  // namespace svasim
