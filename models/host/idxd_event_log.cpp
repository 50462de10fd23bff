#include "models/host/idxd_event_log.h"

#include <fmt/format.h>

#include <utility>

namespace svasim {

void IdxdEventLog::configure(Script& script) {
  size_ = kernel_.params().dsa.event_log_entries;
  const std::uint64_t pages = (size_ * sizeof(DsaEvent) + kPageSize - 1) >> kPageShift;
  log_ = kernel_.pages().needed(kernel_.pages().allocate_contiguous(pages), "the event log of " + name_);
  for (std::uint64_t i = 0; i < pages; ++i) kernel_.machine().memory().zero_page(log_ + i * kPageSize);
  ignored_.assign(size_, false);
  const auto control = DsaGencfg::EVENT_LOG::kMask;
  script
      .read(bar0_ + dsa_reg::kGencfg, 4,
            [this, control](std::uint64_t value) {
              kernel_.machine().write_register32(bar0_ + dsa_reg::kGencfg,
                                                 static_cast<std::uint32_t>(value | control));
            })
      .write64(bar0_ + dsa_reg::kEvlcfg, log_)
      .write64(bar0_ + dsa_reg::kEvlcfg + 8, DsaEvlcfg::SIZE::make(size_));
}

DsaEvent IdxdEventLog::entry(std::uint64_t number) const {
  DsaEvent event;
  kernel_.machine().memory().read(log_ + number * sizeof event, &event, sizeof event);
  return event;
}

// --- the thread ---

void IdxdEventLog::on_interrupt() {
  if (reading_) {
    again_ = true;
    return;
  }
  reading_ = true;
  read();
}

// SPEC: [LINUX process_evl_entries]: what is pending is cleared before the tail is read, so that an entry
// behind it interrupts again.
void IdxdEventLog::read() {
  again_ = false;
  Machine& machine = kernel_.machine();
  machine.write_register32(bar0_ + dsa_reg::kEvlstatus + 4,
                           static_cast<std::uint32_t>(DsaEvlstatus::INTERRUPT_PENDING::kMask >> 32U));
  machine.read_register(bar0_ + dsa_reg::kEvlstatus, 8, [this](std::uint64_t value) {
    tail_ = DsaEvlstatus::TAIL::get(value);
    read_entry();
  });
}

void IdxdEventLog::read_entry() {
  Machine& machine = kernel_.machine();
  if (head_ == tail_) {
    machine.write_register32(bar0_ + dsa_reg::kEvlstatus, static_cast<std::uint32_t>(head_));
    reading_ = false;
    if (again_) on_interrupt();
    return;
  }
  machine.after(kernel_.params().dsa.event_read_time, [this] {
    stats().events.add();
    if (ignored_[head_]) {
      ignored_[head_] = false;
      stats().events_ignored.add();
    } else {
      take(entry(head_));
    }
    head_ = (head_ + 1) % size_;
    read_entry();
  });
}

void IdxdEventLog::take(const DsaEvent& event) {
  switch (event.status()) {
    case DsaStatus::kCompletionRecordFault:
    case DsaStatus::kDrainEventLog:
    case DsaStatus::kBatchEventLog:
      jobs_.push_back(event);
      if (jobs_.size() == 1) work();
      return;
    default:
      stats().events_logged.add();
      kernel_.log().push_back(fmt::format(
          "{}: event {:#x} ({}) of PASID {}, {}, address {:#x}", name_, static_cast<unsigned>(event.status()),
          dsa_status_name(event.status()), event.pasid().value(),
          dsa_opcode_name(static_cast<DsaOpcode>(DsaSwerror::OPERATION::get(event.what))), event.address));
  }
}

// --- the worker ---

void IdxdEventLog::work() {
  if (jobs_.empty()) {
    while (!waiting_.empty()) {
      const Task next = std::move(waiting_.front());
      waiting_.pop_front();
      next();
    }
    return;
  }
  carry_out(jobs_.front(), [this] {
    jobs_.pop_front();
    work();
  });
}

// SPEC: [LINUX idxd_evl_fault_work]
void IdxdEventLog::carry_out(const DsaEvent& event, Task done) {
  const std::uint64_t batch = DsaEvent::BATCH::get(event.what);
  const bool member = DsaSwerror::BATCH_MEMBER::get(event.what) != 0;
  const bool wanted = DsaEvent::RECORD_REQUESTED::get(event.info) != 0;
  switch (event.status()) {
    case DsaStatus::kCompletionRecordFault:
      if (member && DsaEvent::FIRST_ERROR_IN_BATCH::get(event.info) != 0) batch_fail_[batch] = false;
      stats().cr_faults.add();
      copy_record(event, event.record, [this, batch, member, done = std::move(done)](bool whole) {
        if (!whole) {
          stats().cr_fault_failures.add();
          if (member) batch_fail_[batch] = true;
        }
        done();
      });
      return;
    case DsaStatus::kDrainEventLog:
      stats().drain_events.add();
      if (!wanted) break;
      copy_record(event, event.record, [done = std::move(done)](bool) { done(); });
      return;
    default: {
      const bool failed = std::exchange(batch_fail_[batch], false);
      if (!wanted && !failed) break;
      DsaCompletionRecord record = event.record;
      if (failed) {
        // SPEC: [DSA 5]: a member without its record counts as failed.
        if (record.code() == DsaStatus::kSuccess) record.set_status(DsaStatus::kBatchFail);
        record.result = 1;
        stats().batches_failed.add();
      }
      stats().cr_faults.add();
      copy_record(event, record, [this, done = std::move(done)](bool whole) {
        stats().cr_fault_failures.add(whole ? 0 : 1);
        done();
      });
      return;
    }
  }
  kernel_.machine().after(1, std::move(done));
}

void IdxdEventLog::copy_record(const DsaEvent& event, const DsaCompletionRecord& record,
                               std::function<void(bool whole)> done) {
  copy_.copy(find(event.pasid()), event.address, record, [this, done = std::move(done)](std::size_t copied) {
    const bool whole = copied == sizeof(DsaCompletionRecord);
    stats().records_copied.add(whole ? 1 : 0);
    stats().records_partial.add(!whole && copied != 0 ? 1 : 0);
    done(whole);
  });
}

SvaSpace* IdxdEventLog::find(Pasid pasid) const {
  if (kernel_.params().dsa.find_space == "iommu") return kernel_.find_space(pasid);
  const auto found = openers_.find(pasid.value());
  return found == openers_.end() ? nullptr : found->second;
}

// SPEC: [LINUX idxd_cdev_evl_drain_pasid]
void IdxdEventLog::remove(Pasid pasid, Task done) {
  Machine& machine = kernel_.machine();
  machine.read_register(
      bar0_ + dsa_reg::kEvlstatus, 8, [this, pasid, done = std::move(done)](std::uint64_t value) {
        for (std::uint64_t at = head_; at != DsaEvlstatus::TAIL::get(value); at = (at + 1) % size_) {
          if (entry(at).pasid() == pasid) ignored_[at] = true;
        }
        waiting_.push_back([this, pasid, done] {
          openers_.erase(pasid.value());
          done();
        });
        if (jobs_.empty()) work();
      });
}

}  // namespace svasim
