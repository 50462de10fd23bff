// Requests of a DSA and what comes back.
#include <algorithm>

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
  if (starving_ == 0) {
    return;
  }
  for (Engine& engine : engines_) {
    engine.dirty = true;
  }
}

void Dsa::mark(std::uint32_t task) {
  turns_[task].changed = true;
  engines_[engine_of(task)].dirty = true;
}

void Dsa::starve(std::uint32_t task, unsigned reads, unsigned writes) {
  Turn& turn = turns_[task];
  if (!turn.starves()) ++starving_;
  turn.reads = std::min(turn.reads, reads);
  turn.writes = std::min(turn.writes, writes);
}

bool Dsa::can_go_on(const Turn& turn, const GroupState& group) const {
  return turn.changed || (turn.reads <= read_units_ && turn.reads <= group.read_units) ||
         turn.writes <= write_units_ || (turn.open && starving_ != 0);
}

Ps Dsa::next_slot(Engine& engine, unsigned length) {
  const Ps when = std::max(now_ps() + 1, engine.next_request);
  engine.next_request = when + units_of(length) * params_.request_interval;
  return when;
}

std::uint8_t Dsa::field_of(const Task& task, unsigned operand) {
  const bool batch = task.operation != nullptr && task.operation->opcode == DsaOpcode::kBatch;
  if (operand == kRecordOperand) {
    return batch ? kBatchRecordField : static_cast<std::uint8_t>(DsaOperandId::kCompletionRecord) - 1;
  }
  if (batch) return kListField;
  const DsaOperandId id = task.progress.operand(operand).buffer().id;
  return static_cast<std::uint8_t>(std::max(1U, static_cast<unsigned>(id)) - 1);
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
    const DsaSubmission& submission = tasks_[task].submission;
    pcie.has_pasid = submission.has_pasid;
    pcie.privileged = submission.has_pasid && submission.privileged;
    pcie.pasid = submission.has_pasid ? submission.pasid : Pasid();
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

Dsa::Flight& Dsa::ask_page(std::uint32_t index, Use use, unsigned operand, Addr page, bool write,
                           bool page_request, std::uint64_t ahead) {
  const Ps when = next_slot(engines_[engine_of(index)]);
  const std::uint32_t flight_index = new_flight(use, index, tlm::TLM_READ_COMMAND, page, nullptr, 8, when);
  Flight& flight = flights_[flight_index];
  flight.transaction->set_data_ptr(reinterpret_cast<unsigned char*>(&flight.entry));
  PcieExtension& pcie = flight.transaction->pcie;
  pcie.kind = TlpKind::kTranslationRequest;
  pcie.at = AddressType::kTranslationRequest;
  pcie.no_write = !write;
  pcie.no_page_request = !page_request;
  pcie.field = field_of(tasks_[index], operand);
  pcie.holder = holder(index, operand, page);
  pcie.ahead = static_cast<std::uint32_t>(std::min<std::uint64_t>(ahead, 0xFFFFFFFF));
  stats_.translation_requests.add();
  if (use == Use::kPage) ++tasks_[index].pages_in_flight;
  send(flight_index, when);
  return flight;
}

// SPEC: [DSA 3.5]: translations are asked for when the descriptor enters, that of the completion
// record included.
void Dsa::ask_pages(std::uint32_t index) {
  Task& task = tasks_[index];
  if (!task.translate) {
    return;
  }
  for (unsigned i = 0; i < task.progress.operands(); ++i) {
    DsaOperand& operand = task.progress.operand(i);
    while (task.progress.wants(i, params_.pages_ahead)) {
      const std::uint64_t page = operand.ask();
      Flight& flight = ask_page(index, Use::kPage, i, operand.page_address(page), operand.write(),
                                task.block_on_fault, operand.bytes_from(page));
      flight.operand = i;
      flight.page = page;
      flight.position = operand.position_of(operand.start_of(page));
    }
  }
  const DsaDescriptor& descriptor = task.submission.descriptor;
  if (!task.record_asked && has_record_address(task) &&
      descriptor.flag<DsaFlags::REQUEST_COMPLETION_RECORD>()) {
    task.record_asked = true;
    task.record_page_in_flight = true;
    ask_page(index, Use::kRecordPage, kRecordOperand, page_of(descriptor.completion_address), true,
             task.page_requests, 0);
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

// An access of a chunk failed after its page had been made sure of.
void Dsa::chunk_failed(const Flight& flight) {
  Task& task = tasks_[flight.task];
  const Chunk& chunk = chunks_[flight.chunk];
  const DsaOperand& operand = task.progress.operand(flight.operand);
  if (task.progress.fail(flight.position, flight.operand, operand.offset_of(flight.position),
                         failure_of(*flight.transaction), chunk.range.address[flight.operand]) &&
      flight.use == Use::kWrite) {
    (operand.emits() ? task.run.written : task.run.crc) = chunk.before;
  }
}

void Dsa::posted(std::uint32_t index) {
  Flight& flight = flights_[index];
  const bool ok = flight.transaction->pcie.outcome == AccessOutcome::kDone;
  switch (flight.use) {
    case Use::kWrite: {
      Task& task = tasks_[flight.task];
      --task.unposted;
      if (ok) {
        stats_.writes.add();
        stats_.bytes_written.add(chunks_[flight.chunk].range.length);
      } else {
        chunk_failed(flight);
      }
      mark(flight.task);
      return;
    }
    case Use::kRecord:
      if (ok) {
        end_interrupt(flight.task);
      }
      return;
    case Use::kEvent:
      if (ok) {
        event_posted();
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
      Chunk& chunk = chunks_[flight.chunk];
      --chunk.missing;
      stats_.record_access(transaction.pcie.attribution);
      if (success) {
        stats_.reads.add();
        stats_.bytes_read.add(chunk.range.length);
      } else {
        chunk_failed(flight);
      }
      mark(flight.task);
      break;
    }
    case Use::kWrite:
      stats_.record_access(transaction.pcie.attribution);
      write_units_ += units_of(chunks_[flight.chunk].range.length);
      if (--chunks_[flight.chunk].writes == 0) drop_chunk(flight.chunk);
      freed_units();
      break;
    case Use::kRecord: {
      stats_.record_access(transaction.pcie.attribution);
      Task& task = tasks_[flight.task];
      if (!done) {
        report_record(flight.task, DsaStatus::kCompletionRecordFault,
                      task.submission.descriptor.completion_address);
      } else {
        stats_.records.add();
      }
      --task.endings;
      end(flight.task);
      break;
    }
    case Use::kEvent:
      event_answered(done);
      break;
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
  if (transaction.pcie.field < kListField) {
    stats_.devtlb_lookups.add();
    stats_.devtlb_hits.add(transaction.pcie.known ? 1 : 0);
  }
  const DsaStatus failure = failure_of(transaction);
  mark(flight.task);
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
  if (task.blocked_since != kNever && flight.position <= task.progress.position()) {
    task.wait.adopt_since_mark(transaction.pcie.attribution, now_ps(), Stage::kDevice);
  }
  if (failure == DsaStatus::kSuccess) {
    operand.confirm(flight.page);
  } else {
    const std::uint64_t offset = std::max(operand.start_of(flight.page), flight.offset);
    task.progress.fail(flight.position, flight.operand, offset, failure, operand.address_at(offset));
  }
}

}  // namespace svasim
