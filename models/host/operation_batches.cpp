// Device operations that are submitted together.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "models/host/operations.h"

namespace svasim {

namespace {

DsaDescriptor batch_of(std::size_t count, Addr list, Addr record, std::uint64_t flags) {
  DsaDescriptor batch;
  batch.completion_address = record;
  batch.source = list;
  batch.transfer_size = static_cast<std::uint32_t>(count);
  batch.set_operation(DsaOpcode::kBatch, flags | DsaFlags::COMPLETION_ADDRESS_VALID::kMask |
                                             DsaFlags::REQUEST_COMPLETION_RECORD::kMask);
  return batch;
}

}  // namespace

// --- an operation that is a batch ---

// Writes the list of an operation and makes `descriptor` that of its batch. Members that succeed write no
// record of their own.
void Operations::make_batch(std::uint32_t slot, DsaDescriptor& descriptor) {
  const Operation& operation = slots_[slot];
  DsaDescriptor member = descriptor;
  member.completion_address = 0;
  member.set_operation(operation.opcode, descriptor.flags() & DsaFlags::BLOCK_ON_FAULT::kMask);
  member.transfer_size = operation.opcode == DsaOpcode::kNoop ? 0 : static_cast<std::uint32_t>(step_->size);
  const std::uint32_t step = step_->batch_in_place ? 0 : member.transfer_size;
  members_.clear();
  for (unsigned i = 0; i < step_->batch; ++i) {
    members_.push_back(member);
    member.destination += step;
    if (operation.opcode == DsaOpcode::kMemmove) member.source += step;
  }
  const Addr list = exchange_.write_slot_list(slot, members_);
  descriptor = batch_of(step_->batch, device_address(list), descriptor.completion_address, 0);
}

// --- operations gathered ---

void Operations::send_batch(std::vector<std::uint32_t> slots) {
  std::uint32_t number = 0;
  while (!batches_[number].slots.empty()) ++number;
  Batch& batch = batches_[number];
  batch.descriptors.assign(slots.size(), {});
  batch.slots = std::move(slots);
  const Task all = after_all(batch.slots.size(), [this, number] {
    exchange_.prepare_list(number, batches_[number].descriptors, step_->list, [this, number](Addr list) {
      batches_[number].list = list;
      if (!stopped_) submit_list(number, 0);
    });
  });
  for (std::size_t i = 0; i < batch.slots.size(); ++i) {
    const std::uint32_t slot = batch.slots[i];
    prepare_record(slot, [this, number, slot, i, all](Addr record) {
      batches_[number].descriptors[i] = describe(slot, record);
      all();
    });
  }
}

void Operations::submit_list(std::uint32_t number, std::uint64_t flags) {
  Batch& batch = batches_[number];
  if (!opening_->ready) {
    for (const std::uint32_t slot : std::exchange(batch.slots, {})) fail(slot, "finds its work queue closed");
    return;
  }
  batch.submitted = true;
  const Addr record = exchange_.prepare_batch_record(number);
  hand_over(batch_of(batch.slots.size(), batch.list, record, flags), [this, number] {
    batches_[number].submitted = false;
    for (const std::uint32_t slot : std::exchange(batches_[number].slots, {})) {
      fail(slot, "finds its work queue closed");
    }
  });
}

// SPEC: [DSA 8.3]: what each member did stands in its own record.
void Operations::complete_batch(std::uint32_t number, const DsaCompletionRecord& record) {
  Batch& batch = batches_[number];
  batch.submitted = false;
  const bool list_fault = record.code() == DsaStatus::kBatchPageFault;
  const bool refused =
      !list_fault && record.code() != DsaStatus::kSuccess && record.code() != DsaStatus::kBatchFail;
  const std::size_t done =
      list_fault ? std::min<std::size_t>(record.bytes_completed, batch.slots.size()) : batch.slots.size();
  const std::vector<std::uint32_t> ended(batch.slots.begin(), batch.slots.begin() + static_cast<long>(done));
  batch.slots.erase(batch.slots.begin(), batch.slots.begin() + static_cast<long>(done));
  batch.list += done * sizeof(DsaDescriptor);
  for (const std::uint32_t slot : ended) {
    if (refused) {
      fail(slot, fmt::format("is in a batch that ended with {} ({:#x})", dsa_status_name(record.code()),
                             record.status));
    } else if (exchange_.record(slot, slots_[slot].record)) {
      complete(slot);
    } else {
      fail(slot, "has no completion record, though its batch has");
    }
  }
  if (!batch.slots.empty()) go_on_with_list(number, record);
}

// SPEC: [DSA 8.3]: after a fault on its list a batch is submitted again from there, with what it says of its
// first part.
void Operations::go_on_with_list(std::uint32_t number, const DsaCompletionRecord& record) {
  const bool major = memory().is_major(record.fault_address);
  stats_.major_faults.add(major ? 1 : 0);
  const std::uint64_t flags =
      record.result != 0 && opening_->driver->continues_batches() ? DsaFlags::BATCH_ERROR::kMask : 0;
  const Ps time = host_.page_fault_time + (major ? host_.faults.major_time : 0);
  machine_.after(time, [this, number, flags, address = record.fault_address] {
    if (stopped_) {
      return;
    }
    Batch& rest = batches_[number];
    const FaultResult result = memory().fault(address, true, false);
    last_news_ = machine_.now();
    if (!is_handled(result)) {
      for (const std::uint32_t slot : std::exchange(rest.slots, {})) {
        fail(slot, fmt::format("has its descriptor at {:#x}, where nothing may be read", address));
      }
      return;
    }
    if (result == FaultResult::kAlreadyMapped) memory().access(address);
    stats_.pages_touched.add(result == FaultResult::kAlreadyMapped ? 0 : 1);
    stats_.operations_resubmitted.add(rest.slots.size());
    if (rest.slots.size() > 1) {
      submit_list(number, flags);
    } else {
      send(std::exchange(rest.slots, {}).front());
    }
  });
}

}  // namespace svasim
