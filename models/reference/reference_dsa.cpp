#include "models/reference/reference_dsa.h"

#include <algorithm>
#include <cstring>

#include "models/reference/reference_dsa_fields.h"

namespace svasim {

using namespace reference_dsa;

ReferenceDsaMemory::Answer ReferenceDsaMemory::use(Addr address, bool write, bool request) {
  if (address < low || address >= high) return request ? Answer::kInvalid : Answer::kFault;
  const auto found = missing.find(address & ~(kPageSize - 1));
  if (found == missing.end() || (write ? found->second.write : found->second.read)) return Answer::kGranted;
  if (!request) return Answer::kFault;
  const Answer response = found->second.response;
  if (response == Answer::kGranted) missing.erase(found);
  return response;
}

std::uint8_t ReferenceDsaMemory::read(Addr address) const {
  std::uint64_t word = 0;
  memory_.read64(address & ~Addr{7}, word);
  return static_cast<std::uint8_t>(word >> (8 * (address % 8)));
}

void ReferenceDsaMemory::write(Addr address, std::uint8_t byte) {
  std::uint64_t word = 0;
  memory_.read64(address & ~Addr{7}, word);
  const unsigned shift = 8 * (address % 8);
  memory_.write64(address & ~Addr{7},
                  (word & ~(std::uint64_t{0xFF} << shift)) | (std::uint64_t{byte} << shift));
}

std::vector<std::uint8_t> ReferenceDsaMemory::bytes(Addr address, std::uint64_t count) const {
  std::vector<std::uint8_t> all(count);
  for (std::uint64_t i = 0; i < count; ++i) all[i] = read(address + i);
  return all;
}

void ReferenceDsaMemory::store(Addr address, const std::vector<std::uint8_t>& data) {
  for (std::size_t i = 0; i < data.size(); ++i) write(address + i, data[i]);
}

bool ReferenceDsa::requests(const DsaDescriptor& d) const {
  const unsigned op = opcode_of(d);
  return config_.ats && config_.page_requests && (op == 0x01 || op == 0x02 || bit(d, 1));
}

ReferenceDsa::Fault ReferenceDsa::fault_at(const Buffer& b, unsigned number, std::uint64_t offset,
                                           bool request) {
  Fault fault;
  const Addr address = b.downwards ? b.base + b.size - 1 - offset : b.base + offset;
  switch (memory_.use(address, b.write, request)) {
    case ReferenceDsaMemory::Answer::kGranted:
      return fault;
    case ReferenceDsaMemory::Answer::kFault:
      fault.status = DsaStatus::kPageFault;
      break;
    case ReferenceDsaMemory::Answer::kInvalid:
      fault.status = DsaStatus::kPageFaultInvalidResponse;
      break;
    case ReferenceDsaMemory::Answer::kFailure:
      fault.status = DsaStatus::kTranslationError;
      break;
  }
  fault.any = true;
  fault.position = b.start + offset / b.part * b.whole + b.skip + offset % b.part;
  fault.buffer = number;
  fault.offset = offset;
  fault.address = address;
  fault.write = b.write;
  fault.id = b.id;
  return fault;
}

// Buffer by buffer to its first fault; of these the first in processing order.
ReferenceDsa::Fault ReferenceDsa::first_fault(const std::vector<Buffer>& buffers, bool request) {
  Fault first;
  for (unsigned number = 0; number < buffers.size(); ++number) {
    const Buffer& b = buffers[number];
    for (std::uint64_t offset = 0; offset < b.size;) {
      const Fault fault = fault_at(b, number, offset, request);
      if (fault.any) {
        if (!first.any || fault.position < first.position) first = fault;
        break;
      }
      const Addr within = (b.downwards ? b.base + b.size - 1 - offset : b.base + offset) % kPageSize;
      offset += b.stride != 0 ? b.stride : b.downwards ? within + 1 : kPageSize - within;
    }
  }
  return first;
}

void ReferenceDsa::put_fault(const Fault& fault, DsaCompletionRecord& record, unsigned version) {
  if (!fault.any) return;
  record.set_status(fault.status, fault.write);
  record.fault_address = fault.address;
  if (version >= 2) record.fault_info = static_cast<std::uint8_t>(fault.id << 1U);
}

void ReferenceDsa::run(const DsaDescriptor& d, DsaCompletionRecord& record) {
  switch (opcode_of(d)) {
    case 0x01:
      return run_batch(d, record);
    case 0x02:
      return drain(d, record);
    case 0x03:
      return move(d, record);
    case 0x04:
      return fill(d, record);
    case 0x05:
    case 0x06:
      return compare(d, record);
    case 0x07:
      return create_delta(d, record);
    case 0x08:
      return apply_delta(d, record);
    case 0x09:
      return dualcast(d, record);
    case 0x0A:
    case 0x20:
      return touch(d, record);
    case 0x10:
    case 0x11:
      return crc(d, record);
    case 0x12:
    case 0x13:
    case 0x14:
    case 0x15:
    case 0x17:
      return dif(d, record);
    default:
      return;
  }
}

// In order, one after the other: any order the device may choose gives the same where members do not
// depend on each other.
void ReferenceDsa::run_batch(const DsaDescriptor& d, DsaCompletionRecord& record) {
  const std::uint64_t count = number_at(d, 32, 4);
  const Addr list = number_at(d, 16, 8);
  bool failed = bit(d, 16);
  std::uint32_t done = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const Buffer one{list + i * 64, 64, false, 1};
    Fault fault = first_fault({one}, requests(d));
    if (fault.any) {
      if (fault.status != DsaStatus::kTranslationError) fault.status = DsaStatus::kBatchPageFault;
      put_fault(fault, record, config_.version);
      break;
    }
    DsaDescriptor member;
    const std::vector<std::uint8_t> image = memory_.bytes(list + i * 64, 64);
    std::memcpy(static_cast<void*>(&member), image.data(), sizeof member);
    if (bit(member, 0) && failed) break;
    const ReferenceDsaOutcome outcome = execute(member, static_cast<int>(i));
    const bool lost = outcome.reported == DsaStatus::kCompletionRecordFault;
    failed = failed || outcome.record.code() != DsaStatus::kSuccess || (lost && !config_.event_log);
    ++done;
  }
  record.bytes_completed = done;
  if (failed && record.code() == DsaStatus::kSuccess) record.set_status(DsaStatus::kBatchFail);
  record.result = failed && config_.version >= 2 ? 1 : 0;
}

// SPEC: [DSA 5, Table 5-9]
void ReferenceDsa::log(ReferenceDsaOutcome& outcome, const ReferenceDsaEvent& event) {
  outcome.reported = event.status;
  if (!config_.event_log) return;
  if (event.status == DsaStatus::kCompletionRecordFault && event.member >= 0) member_record_logged_ = true;
  events_.push_back(event);
}

ReferenceDsaOutcome ReferenceDsa::execute(const DsaDescriptor& d) {
  events_.clear();
  member_record_logged_ = false;
  privileged_ = config_.shared ? (number_at(d, 0, 4) >> 31U) != 0 : config_.privileged;
  ReferenceDsaOutcome outcome = execute(d, -1);
  outcome.events = events_;
  return outcome;
}

// SPEC: [DSA 5, 8.2]
ReferenceDsaOutcome ReferenceDsa::execute(const DsaDescriptor& d, int member) {
  ReferenceDsaOutcome outcome;
  std::uint32_t wrong = 0;
  const DsaStatus checked = check(d, member >= 0, wrong);
  outcome.record.set_status(checked);
  if (checked == DsaStatus::kSuccess) {
    run(d, outcome.record);
  } else {
    std::memcpy(outcome.record.specific.data(), &wrong, 3);
  }
  const auto code = static_cast<unsigned>(outcome.record.code());
  const Addr address = number_at(d, 8, 8);
  const bool requests = config_.ats && config_.page_requests;
  // What goes to the log whether a record was asked for or not.
  if (member < 0 && member_record_logged_) {
    log(outcome, {DsaStatus::kBatchEventLog, member, address, 0, outcome.record});
    return outcome;
  }
  if (config_.event_log && opcode_of(d) == 0x02 && code == 0x01 && !requests) {
    log(outcome, {DsaStatus::kDrainEventLog, member, address, 0, outcome.record});
    return outcome;
  }
  const bool quiet = code == 0x01 || code == 0x02 || code == 0x05;
  if (!bit(d, 3) && quiet) return outcome;
  if (!bit(d, 2) || code == 0x1B || code == 0x1D) {
    log(outcome, {outcome.record.code(), member, outcome.record.fault_address, wrong, {}});
    return outcome;
  }
  if (memory_.use(address, true, requests) != ReferenceDsaMemory::Answer::kGranted) {
    log(outcome, {DsaStatus::kCompletionRecordFault, member, address, 0, outcome.record});
    return outcome;
  }
  if (code == 0x19) log(outcome, {DsaStatus::kInterruptHandle, member, 0, 0, outcome.record});
  std::vector<std::uint8_t> image(sizeof outcome.record);
  std::memcpy(image.data(), &outcome.record, image.size());
  memory_.store(address, image);
  outcome.written = true;
  return outcome;
}

}  // namespace svasim
