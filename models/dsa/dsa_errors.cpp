// What a DSA reports beside completion records: SWERROR, the event log, interrupts.
#include "models/dsa/dsa.h"

namespace svasim {

// SPEC: [DSA 9.2, Table 5-9]
DsaEvent Dsa::event_of(DsaStatus status, const DsaSubmission* submission, Addr address, bool write,
                       std::uint32_t info) {
  using E = DsaSwerror;
  const bool has_info =
      info != 0 || status == DsaStatus::kInvalidFlags || status == DsaStatus::kInterruptHandle;
  DsaEvent event;
  event.what = E::ERROR::make(static_cast<std::uint64_t>(status)) | E::WRITE::make(write) |
               E::ERROR_INFO_VALID::make(has_info);
  event.info = DsaEvent::ERROR_INFO::make(info);
  event.address = address;
  if (submission != nullptr) {
    event.what |= E::DESCRIPTOR_VALID::make(1) | E::WQ_VALID::make(1) | E::WQ_INDEX::make(submission->queue) |
                  E::OPERATION::make(static_cast<std::uint64_t>(submission->descriptor.opcode())) |
                  E::PASID::make(submission->pasid.value()) | E::PRIV::make(submission->privileged) |
                  E::BATCH_MEMBER::make(submission->in_batch);
    event.info |= DsaEvent::BATCH_INDEX::make(submission->member);
  }
  return event;
}

// To the log if there is one, which the task then waits for.
void Dsa::report(const DsaEvent& event, std::uint32_t task) {
  if (!registers_.event_log().enabled || dsa_only_swerror(event.status())) {
    software_error(event);
    return;
  }
  events_waiting_.push_back({event, task});
  if (task != kNone) ++tasks_[task].endings;
  write_events();
}

// SPEC: [DSA 9.2]: word 0 has fields of the event log that SWERROR does not have.
void Dsa::software_error(const DsaEvent& event) {
  stats_.software_errors.add();
  const bool first = registers_.report_error(event.what & ~DsaEvent::BATCH::kMask, event.info, event.address);
  if (first && DsaGenctrl::SOFTWARE_ERROR_INTERRUPT::get(registers_.general_control()) != 0) {
    misc_interrupt(DsaIntcause::SOFTWARE_ERROR::kMask);
  }
}

// What a task reports with its completion record, which is written nowhere else but with 0x19.
void Dsa::report_record(std::uint32_t index, DsaStatus status, Addr address) {
  Task& task = tasks_[index];
  const DsaDescriptor& descriptor = task.submission.descriptor;
  const bool fault = status == DsaStatus::kCompletionRecordFault;
  const bool logged = registers_.event_log().enabled;
  DsaEvent event =
      event_of(status, &task.submission, address, fault, logged || !fault ? descriptor.interrupt_handle : 0);
  if (logged) {
    event.what |= DsaSwerror::ERROR_INFO_VALID::kMask;
    event.info |=
        DsaEvent::INTERRUPT_REQUESTED::make(descriptor.flag<DsaFlags::REQUEST_COMPLETION_INTERRUPT>()) |
        DsaEvent::RECORD_REQUESTED::make(fault || descriptor.flag<DsaFlags::REQUEST_COMPLETION_RECORD>());
    if (fault)
      event.info |= DsaEvent::OPERAND::make(static_cast<std::uint64_t>(DsaOperandId::kCompletionRecord));
    event.record = task.record;
    const bool batch = descriptor.opcode() == DsaOpcode::kBatch && !task.submission.in_batch;
    if (task.submission.in_batch || batch) {
      const std::uint32_t of = batch ? index : task.submission.batch;
      event.what |= DsaEvent::BATCH::make(batch_id(of));
      if (fault && !batch) {
        event.info |= DsaEvent::FIRST_ERROR_IN_BATCH::make(!tasks_[of].member_record_logged);
        tasks_[of].member_record_logged = true;
      }
    }
  }
  // SPEC: [DSA 3.13.2]: without event log the descriptor is not completed.
  task.record_lost = fault && !logged;
  report(event, index);
}

// One at a time, in order. SPEC: [DSA 5]
void Dsa::write_events() {
  while (!events_waiting_.empty() && !event_in_flight_) {
    if (registers_.event_log_full()) {
      if (!params_.event_log_overflow) return;
      lose_event();
      continue;
    }
    const DsaEventLogConfig log = registers_.event_log();
    event_in_flight_ = true;
    const Ps when = now_ps() + 1;
    const std::uint32_t flight =
        new_flight(Use::kEvent, kNone, tlm::TLM_WRITE_COMMAND, registers_.event_log_place(),
                   reinterpret_cast<unsigned char*>(&events_waiting_.front().event), sizeof(DsaEvent), when);
    PcieExtension& pcie = flights_[flight].transaction->pcie;
    pcie.no_page_request = true;
    pcie.has_pasid = log.pasid_enable;
    pcie.privileged = log.privileged;
    pcie.pasid = log.pasid_enable ? log.pasid : Pasid();
    send(flight, when);
  }
}

void Dsa::lose_event() {
  stats_.events_lost.add();
  software_error(event_of(DsaStatus::kEventLogLost, nullptr, registers_.event_log_place(), true, 0));
  end_event();
}

void Dsa::end_event() {
  const std::uint32_t task = events_waiting_.front().task;
  events_waiting_.pop_front();
  if (task != kNone) {
    --tasks_[task].endings;
    end(task);
  }
}

// Software finds the entry from now on.
void Dsa::event_posted() {
  stats_.events.add();
  if (registers_.advance_event_log()) {
    misc_interrupt(DsaIntcause::EVENT_LOG::kMask);
  }
}

void Dsa::event_answered(bool done) {
  event_in_flight_ = false;
  if (done) {
    end_event();
  } else {
    lose_event();
  }
  write_events();
}

// Descriptors have left the queue.
void Dsa::left_queue(unsigned queue, unsigned before) {
  const std::optional<unsigned> handle =
      registers_.occupancy_interrupt(queue, before, dispatch_.waiting(queue));
  const std::optional<unsigned> vector = handle ? registers_.vector_of(*handle) : std::nullopt;
  if (!vector) {
    return;
  }
  if (*vector == 0) {
    misc_interrupt(DsaIntcause::OCCUPANCY::kMask);
  } else {
    send_interrupt(*vector, kNone);
  }
}

void Dsa::misc_interrupt(std::uint64_t cause) {
  registers_.cause(cause);
  send_interrupt(0, kNone);
}

void Dsa::send_interrupt(unsigned number, std::uint32_t task) {
  const DsaRegisters::Vector vector = registers_.vector(number);
  if (vector.masked) {
    registers_.set_pending(number, true);
    return;
  }
  registers_.set_pending(number, false);
  const Ps when = now_ps() + 1;
  const std::uint32_t index = new_flight(Use::kInterrupt, task, tlm::TLM_WRITE_COMMAND, vector.address,
                                         nullptr, sizeof vector.data, when);
  Flight& flight = flights_[index];
  flight.data = vector.data;
  flight.transaction->set_data_ptr(reinterpret_cast<unsigned char*>(&flight.data));
  flight.transaction->pcie.has_pasid = false;
  flight.transaction->pcie.privileged = false;
  flight.transaction->pcie.pasid = Pasid();
  if (task != kNone) {
    ++tasks_[task].endings;
  }
  stats_.interrupts.add();
  send(index, when);
}

void Dsa::send_unmasked() {
  for (unsigned number = 0; number < params_.interrupts; ++number) {
    if (registers_.pending(number) && !registers_.vector(number).masked) {
      send_interrupt(number, kNone);
    }
  }
}

}  // namespace svasim
