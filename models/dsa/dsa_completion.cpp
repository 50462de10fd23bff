// The end of a descriptor in a DSA: completion record, errors, interrupt.
#include <algorithm>
#include <cstring>

#include "models/dsa/dsa.h"

namespace svasim {

// Processing is over.
void Dsa::finish(std::uint32_t index) {
  Task& task = tasks_[index];
  make_record(task);
  stats_.by_status[static_cast<std::size_t>(task.record.code())].add();
  if (task.record_page_in_flight) {
    task.state = TaskState::kRecordPage;
    return;
  }
  end_record(index);
}

// SPEC: [DSA 8.2]
void Dsa::make_record(Task& task) {
  const DsaProgress& progress = task.progress;
  DsaCompletionRecord& record = task.record;
  record = DsaCompletionRecord();
  if (task.check.status != DsaStatus::kSuccess) {
    record.set_status(task.check.status);
    std::memcpy(record.specific.data(), &task.check.invalid_flags, 3);
    return;
  }
  const DsaDescriptor& descriptor = task.submission.descriptor;
  DsaStatus status = progress.status();
  const bool page_fault = status == DsaStatus::kPageFault || status == DsaStatus::kPageFaultInvalidResponse;
  if (page_fault && task.operation->fault_status != DsaStatus::kSuccess) {
    status = task.operation->fault_status;
  }
  record.set_status(status, progress.fault_write());
  record.bytes_completed = static_cast<std::uint32_t>(progress.completed());
  record.fault_address = progress.fault_address();
  if (params_.version >= 2) {
    record.fault_info = static_cast<std::uint8_t>(
        DsaCompletionRecord::OPERAND::make(static_cast<std::uint64_t>(progress.fault_operand())));
  }
  if (descriptor.opcode() == DsaOpcode::kBatch) {
    record.bytes_completed = task.members_done;
    if (task.members_failed && status == DsaStatus::kSuccess) record.set_status(DsaStatus::kBatchFail);
    record.result = task.members_failed && params_.version >= 2 ? 1 : 0;
    return;
  }
  // SPEC: [DSA 8.3.3]: Result 1 tells that the bytes completed are at the end of the buffers.
  record.result = progress.failed() && progress.downwards() ? 1 : 0;
  if (task.operation->complete != nullptr) {
    task.operation->complete(descriptor, task.run, record);
  }
  stats_.bytes.add(record.bytes_completed);
}

// SPEC: [DSA 5]: what is wrong with the address, or with who gave it, cannot be reported there.
bool Dsa::has_record_address(const Task& task) {
  return task.submission.descriptor.flag<DsaFlags::COMPLETION_ADDRESS_VALID>() &&
         task.check.status != DsaStatus::kCompletionRecordAlignment &&
         task.check.status != DsaStatus::kPrivilege;
}

// SPEC: [DSA 5, 10]: the code with which the completion goes to the event log rather than to memory: of a
// batch with members whose records went there, and of drains where missing pages are not asked for.
DsaStatus Dsa::completion_event(const Task& task) const {
  if (task.member_record_logged) {
    return DsaStatus::kBatchEventLog;
  }
  const bool drain = task.submission.descriptor.opcode() == DsaOpcode::kDrain;
  return drain && task.record.code() == DsaStatus::kSuccess && !task.page_requests &&
                 registers_.event_log().enabled
             ? DsaStatus::kDrainEventLog
             : DsaStatus::kNone;
}

// SPEC: [DSA 5, 8.2]
void Dsa::end_record(std::uint32_t index) {
  Task& task = tasks_[index];
  const DsaDescriptor& descriptor = task.submission.descriptor;
  const DsaStatus status = task.record.code();
  task.state = TaskState::kEnding;
  task.endings = 1;
  const bool wanted = dsa_writes_record(status, descriptor.flag<DsaFlags::REQUEST_COMPLETION_RECORD>());
  if (const DsaStatus event = completion_event(task); event != DsaStatus::kNone) {
    report_record(index, event, descriptor.completion_address);
  } else if (wanted && task.record_failed) {
    report_record(index, DsaStatus::kCompletionRecordFault, descriptor.completion_address);
  } else if (wanted && has_record_address(task)) {
    if (status == DsaStatus::kInterruptHandle) {
      report_record(index, status, 0);
    }
    Engine& engine = engines_[engine_of(index)];
    const Ps when = next_slot(engine);
    engine.next_request += params_.completion_latency;
    const std::uint32_t flight =
        new_flight(Use::kRecord, index, tlm::TLM_WRITE_COMMAND, descriptor.completion_address,
                   reinterpret_cast<unsigned char*>(&task.record), sizeof task.record, when);
    place(flight, kRecordOperand);
    flights_[flight].transaction->pcie.no_page_request = !task.page_requests;
    send(flight, when);
    return;
  } else {
    if (wanted) report_without_record(index);
    end_interrupt(index);
  }
  --task.endings;
  end(index);
}

void Dsa::report_without_record(std::uint32_t index) {
  const Task& task = tasks_[index];
  const DsaStatus status = task.record.code();
  const bool write = DsaCompletionRecord::WRITE::get(task.record.status) != 0;
  const std::uint64_t operand = DsaCompletionRecord::OPERAND::get(task.record.fault_info);
  const auto info = static_cast<std::uint32_t>(status == DsaStatus::kInvalidFlags ? task.check.invalid_flags
                                               : status == DsaStatus::kInterruptHandle
                                                   ? task.submission.descriptor.interrupt_handle
                                                   : DsaSwerrorInfo::OPERAND::make(operand));
  report(event_of(status, &task.submission, task.record.fault_address, write, info), index);
}

void Dsa::end_interrupt(std::uint32_t index) {
  const DsaDescriptor& descriptor = tasks_[index].submission.descriptor;
  const DsaStatus status = tasks_[index].record.code();
  const std::optional<unsigned> vector = registers_.vector_of(descriptor.interrupt_handle);
  if (!descriptor.flag<DsaFlags::REQUEST_COMPLETION_INTERRUPT>() || status == DsaStatus::kInterruptHandle ||
      status == DsaStatus::kInvalidFlags || !vector ||
      DsaMsixperm::IGNORE_INTERRUPT::get(registers_.interrupt_permission(*vector)) != 0) {
    return;
  }
  send_interrupt(*vector, index);
}

void Dsa::end(std::uint32_t index) {
  Task& task = tasks_[index];
  if (task.endings != 0) {
    return;
  }
  if (task.submission.in_batch) {
    stats_.batch_members.add();
    member_ended(task);
  } else {
    stats_.completed.add();
    stats_.latency.record(now_ps() - task.submission.arrived);
  }
  task.state = TaskState::kFree;
  Engine& engine = engines_[engine_of(index)];
  engine.active.erase(std::find(engine.active.begin(), engine.active.end(), index));
  (index % slots() < params_.descriptors_in_progress ? engine.free : engine.free_batches).push_back(index);
  if (task.operation != nullptr && task.operation->opcode == DsaOpcode::kDrain) {
    --drains_;
  }
  if (drains_ != 0) {
    for (const Engine& other : engines_) {
      for (const std::uint32_t waiting : other.active) mark(waiting);
    }
  }
  if (commands_.progress()) {
    command_finished();
  }
}

// SPEC: [DSA 8.3]: every status but Success counts as a failure, Success with false predicate too.
void Dsa::member_ended(const Task& member) {
  Task& batch = tasks_[member.submission.batch];
  --batch.members_in_progress;
  ++batch.members_done;
  if (member.record.code() != DsaStatus::kSuccess || member.record_lost) {
    batch.members_failed = true;
  }
  mark(member.submission.batch);
}

}  // namespace svasim
