// The engines of a DSA: from descriptor to completion record.
#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "models/dsa/dsa.h"

namespace svasim {

namespace {

constexpr Addr page_of(Addr address) { return address & ~(kPageSize - 1); }

// The completer gave the right that was asked for.
bool granted(const Transaction& request) {
  const Translation& translation = request.pcie.translation;
  return translation.untranslated_only || (request.pcie.no_write ? translation.read : translation.write);
}

}  // namespace

void Dsa::freed_units() {
  if (!starved_) {
    return;
  }
  starved_ = false;
  for (Engine& engine : engines_) {
    engine.dirty = true;
  }
}

Ps Dsa::next_slot(Engine& engine) {
  const Ps when = std::max(now_ps() + 1, engine.next_request);
  engine.next_request = when + params_.request_interval;
  return when;
}

std::uint32_t Dsa::new_flight(Use use, std::uint32_t task, tlm::tlm_command command, Addr address,
                              unsigned char* data, unsigned length, Ps when) {
  if (free_flights_.empty()) {
    SVASIM_CHECK(flights_.size() < 0x10000, "more requests in flight than numbers for them");
    free_flights_.push_back(static_cast<std::uint32_t>(flights_.size()));
    flights_.emplace_back();
  }
  const std::uint32_t index = free_flights_.back();
  free_flights_.pop_back();
  Flight& flight = flights_[index];
  flight = Flight();
  flight.use = use;
  flight.task = task;
  flight.transaction = &context_.pool.allocate(command, address, data, length, now_ps());
  PcieExtension& pcie = flight.transaction->pcie;
  pcie.requester = params_.bdf;
  pcie.id = (next_number_++ << 16U) | index;
  // WHY relaxed: the device waits itself for what must come first, so its ATC need not keep order.
  pcie.relaxed = true;
  if (task != kNone) {
    const DsaQueueConfig& queue = queues_[tasks_[task].submission.queue];
    pcie.has_pasid = queue.pasid_enable;
    pcie.privileged = queue.pasid_enable && queue.privileged;
    pcie.pasid = queue.pasid_enable ? queue.pasid : Pasid();
    pcie.no_page_request = !tasks_[task].block_on_fault;
    pcie.engine = static_cast<std::uint8_t>(engine_of(task));
  }
  pcie.attribution.charge(Stage::kDevice, when);
  return index;
}

void Dsa::send(std::uint32_t index, Ps when) {
  Transaction& transaction = *flights_[index].transaction;
  sc_core::sc_time delay = to_sc(when - now_ps());
  if (context_.loose()) {
    up_out_->b_transport(transaction, delay);
    if (transaction.pcie.outcome != AccessOutcome::kWait) {
      const Ps due = now_ps() + std::max<Ps>(delay.value(), 1);
      if (transaction.is_write()) {
        push(due, Event::kPosted, transaction.pcie.id, index);
      }
      push(due, Event::kAnswered, transaction.pcie.id, index);
      return;
    }
    transaction.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  }
  tlm::tlm_phase phase = tlm::BEGIN_REQ;
  up_out_->nb_transport_fw(transaction, phase, delay);
}

std::uint32_t Dsa::new_chunk(std::uint32_t task, const DsaProgress::Chunk& range) {
  if (free_chunks_.empty()) {
    free_chunks_.push_back(static_cast<std::uint32_t>(chunks_.size()));
    chunks_.emplace_back();
    chunks_.back().data.resize(params_.access_size);
  }
  const std::uint32_t index = free_chunks_.back();
  free_chunks_.pop_back();
  Chunk& chunk = chunks_[index];
  chunk.range = range;
  chunk.task = task;
  chunk.filled = false;
  chunk.next = kNone;
  return index;
}

void Dsa::drop_chunk(std::uint32_t chunk) { free_chunks_.push_back(chunk); }

void Dsa::dispatch(unsigned number) {
  Engine& engine = engines_[number];
  const Ps now = now_ps();
  if (!engine.free.empty() && engine.next_start <= now) {
    DsaSubmission submission;
    if (dispatch_.take(engine.group, now, submission)) {
      const std::uint32_t task = engine.free.back();
      engine.free.pop_back();
      engine.active.push_back(task);
      engine.next_start = now + params_.dispatch_interval;
      start(task, submission);
    }
  }
  if (!engine.free.empty()) {
    const Ps ready = dispatch_.next_ready(engine.group);
    if (ready != kNever) {
      wake_.arm(std::max({ready, engine.next_start, now + 1}));
    }
  }
}

void Dsa::start(std::uint32_t index, const DsaSubmission& submission) {
  Task& task = tasks_[index];
  task = Task();
  task.state = TaskState::kDecoding;
  task.submission = submission;
  const DsaDescriptor& descriptor = submission.descriptor;
  const DsaQueueConfig& queue = queues_[submission.queue];
  ++in_progress_[submission.queue];
  const Ps now = now_ps();
  stats_.queue_wait.record(now - submission.arrived);

  DsaCheckContext context;
  context.user_interrupts = registers_.user_interrupts();
  context.overlapping_copy = params_.overlapping_copy;
  context.interrupts = params_.interrupts;
  if (descriptor.interrupt_handle < params_.interrupts) {
    context.permission = registers_.interrupt_permission(descriptor.interrupt_handle);
  }
  task.check = check_descriptor(descriptor, queue, context);
  task.translate = params_.ats && !queue.ats_disable;
  task.page_requests = task.translate && params_.page_requests && !queue.prs_disable;
  task.block_on_fault = task.page_requests && descriptor.flag<DsaFlags::BLOCK_ON_FAULT>();
  if (task.check.status == DsaStatus::kSuccess) {
    task.progress.start(descriptor);
    if (!task.translate) {
      for (unsigned i = 0; i < task.progress.operands(); ++i) {
        task.progress.operand(i).confirm_all();
      }
    }
  }
  push(now + params_.descriptor_latency, Event::kTask, index, index);
}

void Dsa::advance(unsigned number) {
  Engine& engine = engines_[number];
  engine.dirty = false;
  for (const std::uint32_t index : engine.active) {
    Task& task = tasks_[index];
    if (task.state == TaskState::kRunning) {
      ask_pages(index);
      if (task.progress.copies()) {
        write_chunks(index);
        read_chunks(index);
      } else {
        fill_chunks(index);
      }
      if (task.progress.at_end() && task.first == kNone && task.unposted == 0 && task.pages_in_flight == 0) {
        task.state = TaskState::kFinishing;
        push(now_ps() + params_.completion_latency, Event::kTask, index, index);
      }
    }
  }
}

// SPEC: [DSA 3.5]: translations are asked for when the descriptor enters, that of the completion
// record included.
void Dsa::ask_pages(std::uint32_t index) {
  Task& task = tasks_[index];
  if (!task.translate) {
    return;
  }
  Engine& engine = engines_[engine_of(index)];
  const auto ask = [&](Use use, Addr page, bool write, bool page_request, std::uint64_t ahead) -> Flight& {
    const Ps when = next_slot(engine);
    const std::uint32_t flight_index = new_flight(use, index, tlm::TLM_READ_COMMAND, page, nullptr, 8, when);
    Flight& flight = flights_[flight_index];
    flight.transaction->set_data_ptr(reinterpret_cast<unsigned char*>(&flight.entry));
    PcieExtension& pcie = flight.transaction->pcie;
    pcie.kind = TlpKind::kTranslationRequest;
    pcie.at = AddressType::kTranslationRequest;
    pcie.no_write = !write;
    pcie.no_page_request = !page_request;
    pcie.ahead = static_cast<std::uint32_t>(std::min<std::uint64_t>(ahead, 0xFFFFFFFF));
    stats_.translation_requests.add();
    send(flight_index, when);
    return flight;
  };
  for (unsigned i = 0; i < task.progress.operands(); ++i) {
    DsaOperand& operand = task.progress.operand(i);
    while (operand.wants(task.progress.position(), params_.pages_ahead, task.progress.limit())) {
      const std::uint64_t page = operand.ask();
      Flight& flight = ask(Use::kPage, operand.page_address(page), operand.write(), task.block_on_fault,
                           operand.bytes_from(page));
      flight.operand = i;
      flight.page = page;
      ++task.pages_in_flight;
    }
  }
  const DsaDescriptor& descriptor = task.submission.descriptor;
  if (!task.record_asked && descriptor.flag<DsaFlags::REQUEST_COMPLETION_RECORD>()) {
    task.record_asked = true;
    task.record_page_in_flight = true;
    ask(Use::kRecordPage, page_of(descriptor.completion_address), true, task.page_requests, 0);
  }
}

// The engine could go on with this task but for the translation of the next page.
void Dsa::note_wait(Task& task) {
  if (task.blocked_since == kNever) {
    task.blocked_since = now_ps();
    task.wait.start(now_ps());
    stats_.page_waits.add();
  }
}

void Dsa::read_chunks(std::uint32_t index) {
  Task& task = tasks_[index];
  Engine& engine = engines_[engine_of(index)];
  GroupState& group = groups_[engine.group];
  const unsigned largest = units_of(params_.access_size);
  while (!task.progress.at_end()) {
    if (read_units_ < largest || group.read_units < largest) {
      starved_ = true;
      return;
    }
    DsaProgress::Chunk range;
    if (!task.progress.next(params_.access_size, range)) {
      note_wait(task);
      return;
    }
    ask_pages(index);
    const unsigned units = units_of(range.length);
    read_units_ -= units;
    group.read_units -= units;
    const std::uint32_t chunk = new_chunk(index, range);
    (task.last == kNone ? task.first : chunks_[task.last].next) = chunk;
    task.last = chunk;
    const Ps when = next_slot(engine);
    const std::uint32_t flight = new_flight(Use::kRead, index, tlm::TLM_READ_COMMAND, range.source,
                                            chunks_[chunk].data.data(), range.length, when);
    flights_[flight].chunk = chunk;
    take_wait(task, flight, when);
    send(flight, when);
  }
}

// The access takes over what its task waited for the page.
void Dsa::take_wait(Task& task, std::uint32_t flight, Ps when) {
  if (task.blocked_since == kNever) {
    return;
  }
  task.blocked_since = kNever;
  Attribution& attribution = flights_[flight].transaction->pcie.attribution;
  attribution = task.wait;
  attribution.charge(Stage::kDevice, when);
}

void Dsa::fill_chunks(std::uint32_t index) {
  Task& task = tasks_[index];
  Engine& engine = engines_[engine_of(index)];
  const std::uint64_t pattern = task.submission.descriptor.source;
  while (!task.progress.at_end()) {
    if (write_units_ < units_of(params_.access_size)) {
      starved_ = true;
      return;
    }
    DsaProgress::Chunk range;
    if (!task.progress.next(params_.access_size, range)) {
      note_wait(task);
      return;
    }
    ask_pages(index);
    write_units_ -= units_of(range.length);
    const std::uint32_t chunk = new_chunk(index, range);
    unsigned char* data = chunks_[chunk].data.data();
    for (unsigned i = 0; i < range.length; ++i) {
      data[i] = static_cast<unsigned char>(pattern >> (8 * ((range.position + i) % 8)));
    }
    const Ps when = next_slot(engine);
    const std::uint32_t flight =
        new_flight(Use::kWrite, index, tlm::TLM_WRITE_COMMAND, range.destination, data, range.length, when);
    flights_[flight].chunk = chunk;
    take_wait(task, flight, when);
    ++task.unposted;
    send(flight, when);
  }
}

// Writes leave in order, so that what a fault leaves is exactly the bytes before it.
void Dsa::write_chunks(std::uint32_t index) {
  Task& task = tasks_[index];
  Engine& engine = engines_[engine_of(index)];
  while (task.first != kNone && chunks_[task.first].filled) {
    const std::uint32_t chunk = task.first;
    const DsaProgress::Chunk& range = chunks_[chunk].range;
    const unsigned units = units_of(range.length);
    const bool wanted = range.position < task.progress.limit();
    if (wanted && write_units_ < units) {
      starved_ = true;
      return;
    }
    task.first = chunks_[chunk].next;
    if (task.first == kNone) {
      task.last = kNone;
    }
    read_units_ += units;
    groups_[engine.group].read_units += units;
    freed_units();
    if (!wanted) {
      drop_chunk(chunk);
      continue;
    }
    write_units_ -= units;
    const Ps when = next_slot(engine);
    const std::uint32_t flight = new_flight(Use::kWrite, index, tlm::TLM_WRITE_COMMAND, range.destination,
                                            chunks_[chunk].data.data(), range.length, when);
    flights_[flight].chunk = chunk;
    ++task.unposted;
    send(flight, when);
  }
}

DsaStatus Dsa::failure_of(const Transaction& transaction) {
  switch (transaction.pcie.outcome) {
    case AccessOutcome::kPageFault:
      return DsaStatus::kPageFault;
    case AccessOutcome::kInvalidResponse:
      return DsaStatus::kPageFaultInvalidResponse;
    case AccessOutcome::kResponseFailure:
    case AccessOutcome::kTranslationError:
      return DsaStatus::kTranslationError;
    default:
      break;
  }
  const bool request = transaction.pcie.kind == TlpKind::kTranslationRequest;
  if (transaction.pcie.status != CompletionStatus::kSuccess) {
    return request ? DsaStatus::kTranslationError : DsaStatus::kHardwareError;
  }
  return request && !granted(transaction) ? DsaStatus::kPageFault : DsaStatus::kSuccess;
}

void Dsa::fail(Task& task, std::uint64_t position, const Transaction& transaction, Addr address, bool write) {
  task.progress.fail(position, failure_of(transaction), address, write);
}

void Dsa::posted(std::uint32_t index) {
  Flight& flight = flights_[index];
  const bool ok = flight.transaction->pcie.outcome == AccessOutcome::kDone;
  switch (flight.use) {
    case Use::kWrite: {
      Task& task = tasks_[flight.task];
      const DsaProgress::Chunk& range = chunks_[flight.chunk].range;
      --task.unposted;
      if (ok) {
        stats_.writes.add();
        stats_.bytes_written.add(range.length);
      } else {
        fail(task, range.position, *flight.transaction, range.destination, true);
      }
      engines_[engine_of(flight.task)].dirty = true;
      return;
    }
    case Use::kRecord:
      if (ok) {
        end_interrupt(flight.task);
      }
      return;
    default:
      return;
  }
}

void Dsa::answered(std::uint32_t index) {
  Flight& flight = flights_[index];
  Transaction& transaction = *flight.transaction;
  const bool done = transaction.pcie.outcome == AccessOutcome::kDone;
  const bool success = done && transaction.pcie.status == CompletionStatus::kSuccess;
  if (transaction.is_write() && done && !success) {
    stats_.posted_errors.add();
  }
  switch (flight.use) {
    case Use::kPage:
    case Use::kRecordPage:
      page_answered(flight);
      break;
    case Use::kRead: {
      Task& task = tasks_[flight.task];
      Chunk& chunk = chunks_[flight.chunk];
      chunk.filled = true;
      stats_.record_access(transaction.pcie.attribution);
      if (success) {
        stats_.reads.add();
        stats_.bytes_read.add(chunk.range.length);
      } else {
        fail(task, chunk.range.position, transaction, chunk.range.source, false);
      }
      engines_[engine_of(flight.task)].dirty = true;
      break;
    }
    case Use::kWrite:
      stats_.record_access(transaction.pcie.attribution);
      write_units_ += units_of(chunks_[flight.chunk].range.length);
      drop_chunk(flight.chunk);
      freed_units();
      break;
    case Use::kRecord: {
      stats_.record_access(transaction.pcie.attribution);
      Task& task = tasks_[flight.task];
      if (!done) {
        report_error(DsaStatus::kCompletionRecordFault, &task, task.submission.descriptor.completion_address,
                     true, 0);
      } else {
        stats_.records.add();
      }
      --task.endings;
      end(flight.task);
      break;
    }
    case Use::kInterrupt:
      if (flight.task != kNone) {
        --tasks_[flight.task].endings;
        end(flight.task);
      }
      break;
  }
  transaction.release();
  flight.transaction = nullptr;
  free_flights_.push_back(index);
}

void Dsa::page_answered(Flight& flight) {
  Task& task = tasks_[flight.task];
  const Transaction& transaction = *flight.transaction;
  const DsaStatus failure = failure_of(transaction);
  engines_[engine_of(flight.task)].dirty = true;
  if (flight.use == Use::kRecordPage) {
    task.record_page_in_flight = false;
    task.record_failed = failure != DsaStatus::kSuccess;
    if (task.state == TaskState::kRecordPage) {
      end_record(flight.task);
    }
    return;
  }
  --task.pages_in_flight;
  DsaOperand& operand = task.progress.operand(flight.operand);
  const std::uint64_t position = operand.start_of(flight.page);
  if (task.blocked_since != kNever && position <= task.progress.position()) {
    task.wait.adopt_since_mark(transaction.pcie.attribution, now_ps(), Stage::kDevice);
  }
  if (failure == DsaStatus::kSuccess) {
    operand.confirm(flight.page);
  } else {
    fail(task, position, transaction, operand.address_at(position), operand.write());
  }
}

// Processing is over: what goes into the completion record.
void Dsa::finish(std::uint32_t index) {
  Task& task = tasks_[index];
  DsaProgress& progress = task.progress;
  const bool invalid = task.check.status != DsaStatus::kSuccess;
  const DsaStatus status = invalid ? task.check.status : progress.status();
  task.record = DsaCompletionRecord();
  if (invalid) {
    task.record.set_status(status);
    std::memcpy(task.record.specific.data(), &task.check.invalid_flags, 3);
  } else {
    task.record.set_status(status, progress.fault_write());
    task.record.bytes_completed = static_cast<std::uint32_t>(progress.limit());
    task.record.fault_address = progress.fault_address();
    // SPEC: [DSA 8.3.3]: Result 1 tells that the bytes completed are at the end of the buffers.
    task.record.result = progress.failed() && progress.downwards() ? 1 : 0;
    stats_.bytes.add(progress.limit());
  }
  stats_.by_status[static_cast<std::size_t>(status)].add();
  if (task.record_page_in_flight) {
    task.state = TaskState::kRecordPage;
    return;
  }
  end_record(index);
}

// SPEC: [DSA 5, 8.2]
void Dsa::end_record(std::uint32_t index) {
  Task& task = tasks_[index];
  const DsaDescriptor& descriptor = task.submission.descriptor;
  const DsaStatus status = task.record.code();
  task.state = TaskState::kEnding;
  task.endings = 1;
  const bool has_address = descriptor.flag<DsaFlags::COMPLETION_ADDRESS_VALID>() &&
                           status != DsaStatus::kCompletionRecordAlignment && status != DsaStatus::kPrivilege;
  const bool wanted = dsa_writes_record(status, descriptor.flag<DsaFlags::REQUEST_COMPLETION_RECORD>());
  if (wanted && task.record_failed) {
    // SPEC: [DSA 3.13.2]: without event log the descriptor is not completed.
    report_error(DsaStatus::kCompletionRecordFault, &task, descriptor.completion_address, true, 0);
  } else if (wanted && has_address) {
    if (status == DsaStatus::kInterruptHandle) {
      report_error(status, &task, 0, false, descriptor.interrupt_handle);
    }
    const Ps when = next_slot(engines_[engine_of(index)]);
    const std::uint32_t flight =
        new_flight(Use::kRecord, index, tlm::TLM_WRITE_COMMAND, descriptor.completion_address,
                   reinterpret_cast<unsigned char*>(&task.record), sizeof task.record, when);
    flights_[flight].transaction->pcie.no_page_request = !task.page_requests;
    send(flight, when);
    return;
  } else if (wanted) {
    report_error(status, &task, task.record.fault_address, (task.record.status >> 7U) != 0,
                 task.check.invalid_flags);
  }
  end_interrupt(index);
  --task.endings;
  end(index);
}

void Dsa::end_interrupt(std::uint32_t index) {
  const DsaDescriptor& descriptor = tasks_[index].submission.descriptor;
  const DsaStatus status = tasks_[index].record.code();
  const unsigned handle = descriptor.interrupt_handle;
  if (!descriptor.flag<DsaFlags::REQUEST_COMPLETION_INTERRUPT>() || status == DsaStatus::kInterruptHandle ||
      status == DsaStatus::kInvalidFlags || handle >= params_.interrupts ||
      DsaMsixperm::IGNORE_INTERRUPT::get(registers_.interrupt_permission(handle)) != 0) {
    return;
  }
  send_interrupt(handle, index);
}

void Dsa::end(std::uint32_t index) {
  Task& task = tasks_[index];
  if (task.endings != 0) {
    return;
  }
  stats_.completed.add();
  stats_.latency.record(now_ps() - task.submission.arrived);
  --in_progress_[task.submission.queue];
  task.state = TaskState::kFree;
  Engine& engine = engines_[engine_of(index)];
  engine.active.erase(std::find(engine.active.begin(), engine.active.end(), index));
  engine.free.push_back(index);
  if (commands_.progress()) {
    command_finished();
  }
}

}  // namespace svasim
