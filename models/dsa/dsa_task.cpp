#include "models/dsa/dsa_task.h"

#include <algorithm>

namespace svasim {

namespace {

constexpr Addr page_of(Addr address) { return address & ~(kPageSize - 1); }

}  // namespace

DsaOperand::DsaOperand(const DsaBuffer& buffer, bool downwards) : buffer_(buffer), downwards_(downwards) {
  const std::uint64_t size = buffer.size;
  if (buffer.stride != 0) step_ = buffer.stride;
  first_ = std::min(buffer.stride != 0 ? step_ : room(0, kPageSize), size);
  pages_ = size == 0 ? 0 : 1 + (size - first_ + step_ - 1) / step_;
}

std::uint64_t DsaOperand::offset_of(std::uint64_t position) const {
  const std::uint64_t within = std::clamp(position, buffer_.first, buffer_.last) - buffer_.first;
  if (buffer_.period == 0) return within;
  const std::uint64_t part =
      std::clamp(within % buffer_.period, buffer_.skip, buffer_.skip + buffer_.length) - buffer_.skip;
  return within / buffer_.period * buffer_.length + part;
}

std::uint64_t DsaOperand::position_of(std::uint64_t offset) const {
  if (buffer_.period == 0) return buffer_.first + offset;
  return buffer_.first + offset / buffer_.length * buffer_.period + buffer_.skip + offset % buffer_.length;
}

bool DsaOperand::active(std::uint64_t position) const {
  if (emits() || position < buffer_.first || position >= buffer_.last) return false;
  if (buffer_.period == 0) return true;
  const std::uint64_t within = (position - buffer_.first) % buffer_.period;
  return within >= buffer_.skip && within < buffer_.skip + buffer_.length;
}

std::uint64_t DsaOperand::edge(std::uint64_t position) const {
  if (position < buffer_.first) return buffer_.first;
  if (buffer_.period == 0 || position >= buffer_.last) {
    return position < buffer_.last ? buffer_.last : ~std::uint64_t{0};
  }
  const std::uint64_t within = (position - buffer_.first) % buffer_.period;
  const std::uint64_t start = position - within;
  if (within < buffer_.skip) return start + buffer_.skip;
  return within < buffer_.skip + buffer_.length ? start + buffer_.skip + buffer_.length
                                                : start + buffer_.period;
}

Addr DsaOperand::page_address(std::uint64_t page) const {
  return downwards_ ? page_of(buffer_.base + buffer_.size - 1) - page * kPageSize
                    : page_of(buffer_.base) + page * step_;
}

std::uint64_t DsaOperand::room(std::uint64_t offset, std::uint64_t granule) const {
  const Addr within = address_at(offset) & (granule - 1);
  return downwards_ ? within + 1 : granule - within;
}

void DsaOperand::skip_to(std::uint64_t page) {
  if (page > asked_ && asked_ == confirmed_) asked_ = confirmed_ = page;
}

void DsaOperand::confirm(std::uint64_t page) {
  confirmed_ahead_ |= std::uint64_t{1} << (page - confirmed_);
  while ((confirmed_ahead_ & 1U) != 0) {
    ++confirmed_;
    confirmed_ahead_ >>= 1U;
  }
}

void DsaProgress::start(const DsaPlan& plan) {
  *this = DsaProgress();
  plan_ = plan;
  limit_ = plan.size;
  for (unsigned i = 0; i < plan.count; ++i) {
    operand_[i] = DsaOperand(plan.buffers[i], plan.downwards);
    if (operand_[i].reads()) ++reads_;
    if (operand_[i].writes()) ++writes_;
    if (operand_[i].emits()) emits_to_ = static_cast<int>(i);
  }
}

bool DsaProgress::wants(unsigned number, unsigned ahead) const {
  const DsaOperand& operand = operand_[number];
  if (operand.asked() >= operand.pages() || operand.emits()) return false;
  const std::uint64_t in_use = operand.offset_of(unit_end(position_) - 1);
  if (operand.asked() > operand.page_at(in_use) + ahead) return false;
  const std::uint64_t start = operand.start_of(operand.asked());
  const std::uint64_t position = operand.position_of(start);
  return failed_ ? Key{position, number, start}.before(key_) : position < limit_;
}

bool DsaProgress::next(unsigned access_size, Chunk& chunk) {
  if (at_end()) {
    return false;
  }
  std::uint64_t end = limit_;
  if (plan_.cut_at_units) end = std::min(end, unit_end(position_));
  std::uint64_t length = end - position_;
  chunk = Chunk();
  bool data = false;
  for (unsigned i = 0; i < plan_.count; ++i) {
    const DsaOperand& operand = operand_[i];
    if (operand.emits()) {
      continue;
    }
    // The page in use, and with units all they go to.
    const std::uint64_t offset = operand.offset_of(position_);
    const std::uint64_t needed =
        std::max(operand.offset_of(unit_end(position_)), offset + (operand.active(position_) ? 1U : 0U));
    if (operand.confirmed() < needed) {
      return false;
    }
    length = std::min(length, operand.edge(position_) - position_);
    if (!operand.active(position_)) {
      continue;
    }
    chunk.used[i] = true;
    if (operand.buffer().access == DsaBuffer::Access::kTouch) {
      length = std::min(length, operand.start_of(operand.page_at(offset) + 1) - offset);
      continue;
    }
    data = true;
    length = std::min(length, operand.room(offset, access_size));
    if (operand.reads()) ++chunk.reads;
    if (operand.writes()) ++chunk.writes;
  }
  if (data) length = std::min<std::uint64_t>(length, access_size);
  chunk.position = position_;
  chunk.length = static_cast<unsigned>(length);
  for (unsigned i = 0; i < plan_.count; ++i) {
    if (chunk.used[i]) chunk.address[i] = operand_[i].chunk_address(operand_[i].offset_of(position_), length);
  }
  position_ += length;
  return true;
}

std::uint64_t DsaProgress::completed() const {
  return plan_.counted >= plan_.count ? 0 : operand_[plan_.counted].offset_of(limit_);
}

bool DsaProgress::fail(std::uint64_t position, unsigned operand, std::uint64_t offset, DsaStatus status,
                       Addr address) {
  const Key key{position, operand, offset};
  const std::uint64_t limit = unit_start(position);
  if (failed_ ? !key.before(key_) : stopped_ && limit >= limit_) {
    return false;
  }
  failed_ = true;
  stopped_ = false;
  limit_ = limit;
  key_ = key;
  status_ = status;
  fault_address_ = address;
  return true;
}

void DsaProgress::stop(std::uint64_t position, DsaStatus status) {
  if (position >= limit_) {
    return;
  }
  stopped_ = true;
  failed_ = false;
  limit_ = position;
  status_ = status;
  fault_address_ = 0;
}

}  // namespace svasim
