// One descriptor in progress: which bytes come next, and what a fault leaves. No SystemC in here.
#pragma once

#include <array>
#include <cstdint>

#include "base/types.h"
#include "models/formats/dsa_descriptor.h"

namespace svasim {

// A buffer of a descriptor, walked in processing order: upwards, or downwards for a copy whose
// destination overlaps the end of its source. A position counts bytes in processing order.
//
// Pages are made sure of one by one before they are used, a few ahead, and accesses wait for that.
// WHY: so a fault stops an operation at an exact position, with nothing accessed beyond it.
class DsaOperand {
 public:
  DsaOperand() = default;
  DsaOperand(Addr base, std::uint64_t size, bool downwards, bool write);

  bool write() const { return write_; }
  std::uint64_t pages() const { return pages_; }

  // First position of a page, page numbers in processing order.
  std::uint64_t start_of(std::uint64_t page) const {
    return page == 0 ? 0 : page >= pages_ ? size_ : first_ + (page - 1) * kPageSize;
  }
  std::uint64_t page_at(std::uint64_t position) const {
    return position < first_ ? 0 : 1 + (position - first_) / kPageSize;
  }
  Addr page_address(std::uint64_t page) const;
  // The byte at a position.
  Addr address_at(std::uint64_t position) const {
    return downwards_ ? base_ + size_ - 1 - position : base_ + position;
  }
  // Lowest address of `length` bytes from a position on.
  Addr chunk_address(std::uint64_t position, std::uint64_t length) const {
    return downwards_ ? base_ + size_ - position - length : base_ + position;
  }
  // Bytes from a position to the next multiple of `granule`, a power of two.
  std::uint64_t room(std::uint64_t position, std::uint64_t granule) const;
  // Bytes of the buffer behind the page in processing order, if that is upwards.
  std::uint64_t bytes_from(std::uint64_t page) const {
    return downwards_ ? 0 : size_ + base_ - page_address(page);
  }

  // The next page to make sure of so that `ahead` pages beyond the one at `position` are.
  bool wants(std::uint64_t position, unsigned ahead, std::uint64_t limit) const {
    return asked_ < pages_ && asked_ <= page_at(position) + ahead && start_of(asked_) < limit;
  }
  std::uint64_t ask() { return asked_++; }
  void confirm(std::uint64_t page);
  void confirm_all() { asked_ = confirmed_ = pages_; }
  // Positions below may be accessed.
  std::uint64_t confirmed() const { return start_of(confirmed_); }

 private:
  Addr base_ = 0;
  std::uint64_t size_ = 0;
  bool downwards_ = false;
  bool write_ = false;
  std::uint64_t first_ = 0;  // bytes in the first page
  std::uint64_t pages_ = 0;
  std::uint64_t asked_ = 0;
  std::uint64_t confirmed_ = 0;
  std::uint64_t confirmed_ahead_ = 0;  // bit i: page confirmed_ + i
};

// The progress of a memory move or fill through its operands.
class DsaProgress {
 public:
  struct Chunk {
    std::uint64_t position = 0;
    unsigned length = 0;
    Addr source = 0;
    Addr destination = 0;
  };

  // A no-op has neither operand.
  void start(const DsaDescriptor& descriptor);

  unsigned operands() const { return operands_; }
  DsaOperand& operand(unsigned number) { return operand_[number]; }
  bool copies() const { return operands_ == 2; }
  bool downwards() const { return downwards_; }

  // The next bytes to process, at most access_size and not across a multiple of it in either
  // operand; false at the end, or when a page is not confirmed yet.
  bool next(unsigned access_size, Chunk& chunk);
  std::uint64_t position() const { return position_; }
  bool at_end() const { return position_ >= limit_; }
  // Everything before is done, or will be; positions from here on are not to be touched.
  std::uint64_t limit() const { return limit_; }

  // Something failed at a position: the operation ends there. Of several failures the lowest counts,
  // at the same position that of the source.
  void fail(std::uint64_t position, DsaStatus status, Addr address, bool write);

  bool failed() const { return status_ != DsaStatus::kSuccess; }
  DsaStatus status() const { return status_; }
  Addr fault_address() const { return fault_address_; }
  bool fault_write() const { return fault_write_; }

 private:
  std::array<DsaOperand, 2> operand_{};
  unsigned operands_ = 0;
  bool downwards_ = false;
  std::uint64_t position_ = 0;
  std::uint64_t limit_ = 0;
  DsaStatus status_ = DsaStatus::kSuccess;
  Addr fault_address_ = 0;
  bool fault_write_ = false;
};

}  // namespace svasim
