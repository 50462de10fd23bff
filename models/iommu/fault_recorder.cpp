#include "models/iommu/fault_recorder.h"

namespace svasim {

namespace {
constexpr std::uint32_t kSticky =
    VtdFsts::PFO::kMask | VtdFsts::IQE::kMask | VtdFsts::ICE::kMask | VtdFsts::ITE::kMask;
}  // namespace

FaultRecorder::Recorded FaultRecorder::record(const FaultRecord& fault) {
  if (has(VtdFsts::PFO::kMask)) {
    return {Outcome::kOverflow, false};
  }
  // SPEC: [VTD 7.2.1] any status bit already set means software has been told.
  const bool was_set = pending() || status_ != 0;
  Entry& entry = records_[next_];
  if (VtdFrcdHigh::F::get(entry.high) != 0) {
    status_ |= VtdFsts::PFO::kMask;
    return {Outcome::kOverflow, raise_unless(was_set)};
  }
  using H = VtdFrcdHigh;
  const auto type = static_cast<std::uint64_t>(fault.type);
  entry.low = VtdFrcdLow::FI::in_place(fault.address);
  entry.high = H::F::make(1) | H::T1::make(type >> 1U) | H::T2::make(type) | H::AT::make(fault.at) |
               H::PV::make(fault.has_pasid ? fault.pasid.value() : 0) |
               H::FR::make(static_cast<std::uint64_t>(fault.reason)) | H::PP::make(fault.has_pasid) |
               H::EXE::make(fault.has_pasid && fault.execute) |
               H::PRIV::make(fault.has_pasid && fault.privileged) | H::SID::make(fault.requester.value());
  if (!pending()) {
    first_ = next_;
  }
  ++pending_;
  next_ = next_ + 1 == records_.size() ? 0 : next_ + 1;
  return {Outcome::kRecorded, raise_unless(was_set)};
}

bool FaultRecorder::set_status(std::uint32_t bits) {
  const bool was_set = pending() || status_ != 0;
  status_ |= bits;
  return raise_unless(was_set);
}

void FaultRecorder::write_status(std::uint32_t value) {
  status_ &= ~(value & kSticky);
  maybe_clear_event();
}

std::uint32_t FaultRecorder::status() const {
  return status_ | static_cast<std::uint32_t>(VtdFsts::PPF::make(pending()) | VtdFsts::FRI::make(first_));
}

std::uint32_t FaultRecorder::read_record(std::uint32_t offset) const {
  const Entry& entry = records_[offset / 16];
  const std::uint64_t word = (offset & 8U) != 0 ? entry.high : entry.low;
  return static_cast<std::uint32_t>((offset & 4U) != 0 ? word >> 32U : word);
}

void FaultRecorder::write_record(std::uint32_t offset, std::uint32_t value) {
  Entry& entry = records_[offset / 16];
  if ((offset & 15U) != 12 || (value >> 31U) == 0 || VtdFrcdHigh::F::get(entry.high) == 0) {
    return;
  }
  entry.high &= ~VtdFrcdHigh::F::kMask;
  --pending_;
  maybe_clear_event();
}

void FaultRecorder::maybe_clear_event() {
  if (!pending() && status_ == 0) {
    event_.clear_pending();
  }
}

}  // namespace svasim
