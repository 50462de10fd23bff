// The four registers of one interrupt source (fault, invalidation completion or page request event)
// and their hand-shake. SPEC: [VTD 11.4.10 - 11.4.13, 7.3]
#pragma once

#include <cstdint>

#include "base/bits.h"
#include "base/types.h"

namespace svasim {

// An interrupt message: a 32-bit write of `data` to `address`. Never remapped. SPEC: [VTD 7.3]
struct MsiMessage {
  Addr address = 0;
  std::uint32_t data = 0;
};

// x_CTL with IM and IP, x_DATA, x_ADDR and x_UADDR. IM is 1 after reset.
class EventRegisters {
 public:
  using IM = Bit<31>;
  using IP = Bit<30>;

  // The interrupt condition arose. True: send message() now; otherwise it is held as IP until the
  // mask is lifted or the condition goes away.
  bool raise() {
    if (masked()) {
      pending_ = true;
      return false;
    }
    return true;
  }
  // Software cleared every status bit behind the condition: a held interrupt is forgotten.
  void clear_pending() { pending_ = false; }

  std::uint32_t control() const { return static_cast<std::uint32_t>(IM::make(masked_) | IP::make(pending_)); }
  // True: lifting the mask released a held interrupt; send message() now.
  bool write_control(std::uint32_t value) {
    masked_ = IM::get(value) != 0;
    if (masked_ || !pending_) {
      return false;
    }
    pending_ = false;
    return true;
  }

  std::uint32_t data() const { return data_; }
  std::uint32_t address() const { return address_; }
  std::uint32_t upper_address() const { return upper_address_; }
  void write_data(std::uint32_t value) { data_ = value & 0xFFFFU; }
  void write_address(std::uint32_t value) { address_ = value & ~3U; }
  void write_upper_address(std::uint32_t value) { upper_address_ = value; }

  bool masked() const { return masked_; }
  bool pending() const { return pending_; }
  MsiMessage message() const { return MsiMessage{(Addr{upper_address_} << 32) | address_, data_}; }

 private:
  bool masked_ = true;
  bool pending_ = false;
  std::uint32_t data_ = 0;
  std::uint32_t address_ = 0;
  std::uint32_t upper_address_ = 0;
};

}  // namespace svasim
