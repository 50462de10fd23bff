// One descriptor in progress: which bytes come next, and what a fault leaves. No SystemC in here.
#pragma once

#include <array>
#include <cstdint>

#include "base/types.h"
#include "models/dsa/operations/operation.h"

namespace svasim {

// A buffer of a descriptor, walked in processing order: upwards, or downwards for a copy whose
// destination overlaps the end of its source. An offset counts its bytes in processing order.
//
// Pages are made sure of one by one before they are used, a few ahead, and accesses wait for that.
// WHY: so a fault stops an operation at an exact position, with nothing accessed beyond it.
class DsaOperand {
 public:
  DsaOperand() = default;
  DsaOperand(const DsaBuffer& buffer, bool downwards);

  const DsaBuffer& buffer() const { return buffer_; }
  bool write() const { return buffer_.write; }
  bool reads() const { return buffer_.access == DsaBuffer::Access::kRead; }
  bool writes() const { return buffer_.access == DsaBuffer::Access::kWrite; }
  bool emits() const { return buffer_.access == DsaBuffer::Access::kEmit; }
  std::uint64_t pages() const { return pages_; }

  // Bytes of this buffer before a position, and the first position at which so many are.
  std::uint64_t offset_of(std::uint64_t position) const;
  std::uint64_t position_of(std::uint64_t offset) const;
  bool active(std::uint64_t position) const;
  // The next position at which it becomes active or ceases to be.
  std::uint64_t edge(std::uint64_t position) const;

  // First offset of a page, page numbers in processing order.
  std::uint64_t start_of(std::uint64_t page) const {
    return page == 0 ? 0 : page >= pages_ ? buffer_.size : first_ + (page - 1) * step_;
  }
  std::uint64_t page_at(std::uint64_t offset) const {
    return offset < first_ ? 0 : 1 + (offset - first_) / step_;
  }
  Addr page_address(std::uint64_t page) const;
  // The byte at an offset.
  Addr address_at(std::uint64_t offset) const {
    return downwards_ ? buffer_.base + buffer_.size - 1 - offset : buffer_.base + offset;
  }
  // Lowest address of `length` bytes from an offset on.
  Addr chunk_address(std::uint64_t offset, std::uint64_t length) const {
    return downwards_ ? buffer_.base + buffer_.size - offset - length : buffer_.base + offset;
  }
  // Bytes from an offset to the next multiple of `granule`, a power of two.
  std::uint64_t room(std::uint64_t offset, std::uint64_t granule) const;
  // Bytes of the buffer behind the page in processing order, if that is upwards and in one piece.
  std::uint64_t bytes_from(std::uint64_t page) const {
    return downwards_ || step_ != kPageSize ? 0 : buffer_.size + buffer_.base - page_address(page);
  }

  std::uint64_t asked() const { return asked_; }
  std::uint64_t ask() { return asked_++; }
  // The pages up to this one are not needed.
  void skip_to(std::uint64_t page);
  void confirm(std::uint64_t page);
  void confirm_all() { asked_ = confirmed_ = pages_; }
  // Offsets below may be accessed.
  std::uint64_t confirmed() const { return start_of(confirmed_); }

 private:
  DsaBuffer buffer_;
  bool downwards_ = false;
  std::uint64_t step_ = kPageSize;
  std::uint64_t first_ = 0;  // bytes in the first page
  std::uint64_t pages_ = 0;
  std::uint64_t asked_ = 0;
  std::uint64_t confirmed_ = 0;
  std::uint64_t confirmed_ahead_ = 0;  // bit i: page confirmed_ + i
};

// The progress of an operation through its buffers.
class DsaProgress {
 public:
  struct Chunk {
    std::uint64_t position = 0;
    unsigned length = 0;
    // By operand: whether it is active here, and the lowest address of its bytes.
    std::array<Addr, DsaPlan::kMaxBuffers> address{};
    std::array<bool, DsaPlan::kMaxBuffers> used{};
    unsigned reads = 0;
    unsigned writes = 0;
  };

  void start(const DsaPlan& plan);

  unsigned operands() const { return plan_.count; }
  DsaOperand& operand(unsigned number) { return operand_[number]; }
  const DsaOperand& operand(unsigned number) const { return operand_[number]; }
  bool reads() const { return reads_ != 0; }
  // Those read at a time, or written if none is read.
  unsigned buffers() const { return reads_ != 0 ? reads_ : writes_; }
  bool downwards() const { return plan_.downwards; }
  int emits_to() const { return emits_to_; }  // -1: none

  // The next bytes to process, at most access_size and not across a multiple of it in any operand;
  // false at the end, or when a page is not confirmed yet.
  bool next(unsigned access_size, Chunk& chunk);
  std::uint64_t position() const { return position_; }
  bool at_end() const { return position_ >= limit_; }
  // Everything before is done, or will be; positions from here on are not to be touched.
  std::uint64_t limit() const { return limit_; }
  // Bytes done, as completion records count them.
  std::uint64_t completed() const;

  // Whether to make sure of the operand's next page, so that `ahead` beyond those in use are.
  bool wants(unsigned number, unsigned ahead) const;

  // Something failed at an offset of an operand, needed at `position`: the operation ends there. Of
  // several failures the first in processing order counts, at one position that of the first operand.
  // False when another one came before.
  bool fail(std::uint64_t position, unsigned operand, std::uint64_t offset, DsaStatus status, Addr address);
  // The operation ends by itself, if nothing failed before.
  void stop(std::uint64_t position, DsaStatus status);

  bool failed() const { return failed_; }
  DsaStatus status() const { return status_; }
  Addr fault_address() const { return fault_address_; }
  bool fault_write() const { return failed_ && operand_[key_.operand].write(); }
  DsaOperandId fault_operand() const {
    return failed_ ? operand_[key_.operand].buffer().id : DsaOperandId::kUnknown;
  }

 private:
  struct Key {
    std::uint64_t position = 0;
    unsigned operand = 0;
    std::uint64_t offset = 0;
    bool before(const Key& other) const {
      if (position != other.position) return position < other.position;
      return operand != other.operand ? operand < other.operand : offset < other.offset;
    }
  };
  std::uint64_t unit_start(std::uint64_t position) const {
    return position < plan_.begin ? position : position - (position - plan_.begin) % plan_.unit;
  }
  std::uint64_t unit_end(std::uint64_t position) const {
    return position < plan_.begin ? position + 1 : unit_start(position) + plan_.unit;
  }

  DsaPlan plan_;
  std::array<DsaOperand, DsaPlan::kMaxBuffers> operand_{};
  unsigned reads_ = 0;
  unsigned writes_ = 0;
  int emits_to_ = -1;
  std::uint64_t position_ = 0;
  std::uint64_t limit_ = 0;
  bool failed_ = false;
  bool stopped_ = false;
  Key key_;  // of the failure
  DsaStatus status_ = DsaStatus::kSuccess;
  Addr fault_address_ = 0;
};

}  // namespace svasim
