#include "models/dsa/dsa_task.h"

#include <algorithm>

namespace svasim {

namespace {

constexpr Addr page_of(Addr address) { return address & ~(kPageSize - 1); }

}  // namespace

DsaOperand::DsaOperand(Addr base, std::uint64_t size, bool downwards, bool write)
    : base_(base), size_(size), downwards_(downwards), write_(write) {
  first_ = std::min(room(0, kPageSize), size);
  pages_ = size == 0 ? 0 : 1 + (size - first_ + kPageSize - 1) / kPageSize;
}

Addr DsaOperand::page_address(std::uint64_t page) const {
  return downwards_ ? page_of(base_ + size_ - 1) - page * kPageSize : page_of(base_) + page * kPageSize;
}

std::uint64_t DsaOperand::room(std::uint64_t position, std::uint64_t granule) const {
  const Addr within = address_at(position) & (granule - 1);
  return downwards_ ? within + 1 : granule - within;
}

void DsaOperand::confirm(std::uint64_t page) {
  confirmed_ahead_ |= std::uint64_t{1} << (page - confirmed_);
  while ((confirmed_ahead_ & 1U) != 0) {
    ++confirmed_;
    confirmed_ahead_ >>= 1U;
  }
}

void DsaProgress::start(const DsaDescriptor& descriptor) {
  *this = DsaProgress();
  const std::uint64_t size = descriptor.transfer_size;
  switch (descriptor.opcode()) {
    case DsaOpcode::kMemmove:
      // SPEC: [DSA 8.3.3]: downwards only if the destination starts within the source.
      downwards_ =
          descriptor.destination > descriptor.source && descriptor.destination - descriptor.source < size;
      operand_[0] = DsaOperand(descriptor.source, size, downwards_, false);
      operand_[1] = DsaOperand(descriptor.destination, size, downwards_, true);
      operands_ = 2;
      break;
    case DsaOpcode::kFill:
      operand_[0] = DsaOperand(descriptor.destination, size, false, true);
      operands_ = 1;
      break;
    default:
      return;
  }
  limit_ = size;
}

bool DsaProgress::next(unsigned access_size, Chunk& chunk) {
  if (at_end()) {
    return false;
  }
  std::uint64_t length = std::min<std::uint64_t>(access_size, limit_ - position_);
  for (unsigned i = 0; i < operands_; ++i) {
    if (operand_[i].confirmed() <= position_) {
      return false;
    }
    length = std::min(length, operand_[i].room(position_, access_size));
  }
  chunk.position = position_;
  chunk.length = static_cast<unsigned>(length);
  chunk.source = copies() ? operand_[0].chunk_address(position_, length) : 0;
  chunk.destination = operand_[operands_ - 1].chunk_address(position_, length);
  position_ += length;
  return true;
}

void DsaProgress::fail(std::uint64_t position, DsaStatus status, Addr address, bool write) {
  if (position > limit_ || (position == limit_ && (write || !fault_write_))) {
    return;
  }
  limit_ = position;
  status_ = status;
  fault_address_ = address;
  fault_write_ = write;
}

}  // namespace svasim
