#include "models/host/operations.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace svasim {

Operations::Operations(const std::string& who, unsigned outstanding, unsigned slots, Kernel& kernel,
                       BufferSet& buffers, RngStream& rng)
    : who_(who),
      limit_(outstanding),
      kernel_(kernel),
      machine_(kernel.machine()),
      buffers_(buffers),
      rng_(rng),
      stats_(kernel.stats()),
      host_(kernel.params()),
      exchange_(who, slots, kernel, buffers.space()),
      submitter_(kernel, [this] { pump(); }),
      slots_(slots) {}

void Operations::set_up() { exchange_.set_up(); }

void Operations::run(const StepParams& step, const Opening& opening, StepResult& result, Task done) {
  step_ = &step;
  opening_ = &opening;
  result_ = &result;
  finished_ = std::move(done);
  started_ = 0;
  ended_ = 0;
  prepared_ = false;
  if (step.batch > 1) {
    batches_.resize(std::max(batches_.size(), slots_.size() / 2));
    exchange_.set_up_batches(static_cast<std::uint32_t>(batches_.size()));
  }
  pump();
}

void Operations::stop() {
  stopped_ = true;
  submitter_.stop();
}

// Decides the next operation from the step and the random stream only, so that the sequence is the
// same however long operations take.
void Operations::prepare() {
  const StepParams& step = *step_;
  next_ = Operation();
  prepared_ = true;
  touched_ = false;
  if (step.action == "noop") {
    return;
  }
  const auto pick = [&](const std::string& name, std::uint64_t first, std::uint64_t length) {
    Span span;
    span.buffer = buffers_.index_of(name);
    span.length = step.size;
    const std::uint64_t size = length != 0 ? length : buffers_.buffer(span.buffer).size - first;
    if (step.order == "random") {
      span.offset = first + rng_.below((size - step.size) / 64 + 1) * 64;
    } else {
      span.offset = first + (started_ % (size / step.size)) * step.size;
    }
    return span;
  };
  next_.opcode = step.action == "fill" ? DsaOpcode::kFill : DsaOpcode::kMemmove;
  next_.pattern = step.pattern;
  if (next_.opcode == DsaOpcode::kMemmove) {
    next_.from = pick(step.from, 0, 0);
  }
  next_.to = pick(step.to, step.offset, step.length);
}

// Outstanding operations may end in any order, so none may read or write what another one writes.
bool Operations::depends_on_outstanding() const {
  for (const Operation& other : slots_) {
    if (other.active &&
        (next_.to.overlaps(other.to) || next_.to.overlaps(other.from) || next_.from.overlaps(other.to))) {
      return true;
    }
  }
  return false;
}

void Operations::pump() {
  start_operations();
  // A batch waits until it is whole, unless nobody else would bring that about.
  const bool last = started_ == step_->count || (prepared_ && depends_on_outstanding());
  if (last || outstanding_ == gathered_.size()) send_gathered();
}

void Operations::start_operations() {
  const StepParams& step = *step_;
  const unsigned limit = step.outstanding != 0 ? step.outstanding : limit_;
  while (started_ < step.count && outstanding_ < limit && !touching_ && !submitter_.busy()) {
    if (!prepared_) {
      prepare();
    }
    if (depends_on_outstanding()) {
      return;
    }
    const Ps now = machine_.now();
    if (now < next_submit_) {
      if (!submit_armed_) {
        submit_armed_ = true;
        machine_.after(next_submit_ - now, [this] {
          submit_armed_ = false;
          if (!stopped_) pump();
        });
      }
      return;
    }
    if (!touch_first()) {
      return;
    }
    std::uint32_t slot = 0;
    while (slots_[slot].active) {
      ++slot;
    }
    submit(slot);
  }
}

std::uint64_t Operations::missing_pages(const Span& span, bool write) const {
  if (span.length == 0) {
    return 0;
  }
  const Addr start = buffers_.buffer(span.buffer).start + span.offset;
  std::uint64_t missing = 0;
  for (Addr at = start & ~(kPageSize - 1); at < start + span.length; at += kPageSize) {
    missing += memory().is_accessible(at, write) ? 0 : 1;
  }
  return missing;
}

// A load or store to each page. The first that is refused ends it.
bool Operations::touch(const Span& span, bool write, Stale& stale) {
  if (span.length == 0) {
    return true;
  }
  const Addr start = buffers_.buffer(span.buffer).start + span.offset;
  for (Addr at = start & ~(kPageSize - 1); at < start + span.length; at += kPageSize) {
    const FaultResult result = memory().fault(at, !write, write, &stale);
    if (!is_handled(result)) {
      return false;
    }
    stats_.pages_touched.add(result == FaultResult::kAlreadyMapped ? 0 : 1);
  }
  return true;
}

// SPEC: [DSA 9.1.3] Without ATS the device does not notice that a write faults, and a read that does is a
// hardware error. So a process brings in the pages of an operation before it submits it. False: not yet.
bool Operations::touch_first() {
  if (opening_->driver->faults() != DsaDriver::Faults::kUnseen || touched_) {
    return true;
  }
  touched_ = true;
  const std::uint64_t missing = missing_pages(next_.from, false) + missing_pages(next_.to, true);
  if (missing == 0) {
    return true;
  }
  touching_ = true;
  machine_.after(missing * host_.page_fault_time, [this] {
    touching_ = false;
    if (!stopped_) pump();
  });
  return false;
}

void Operations::submit(std::uint32_t slot) {
  Operation& operation = slots_[slot];
  operation = next_;
  operation.active = true;
  operation.submitted = machine_.now();
  prepared_ = false;
  ++started_;
  ++outstanding_;
  last_news_ = machine_.now();
  if (!polling_) {
    polling_ = true;
    machine_.after(host_.dsa.poll_interval, [this] { poll(); });
  }
  if (opening_->driver->faults() != DsaDriver::Faults::kUnseen) {
    gather(slot);
    return;
  }
  Stale stale;
  const bool touched = touch(operation.from, false, stale) && touch(operation.to, true, stale);
  const auto go = [this, slot, touched] {
    if (touched) {
      send(slot);
    } else {
      fail(slot, "a page may not be touched, or there is no memory for it");
    }
  };
  if (stale.empty()) {
    go();
  } else {
    kernel_.shoot_down(buffers_.space(), stale, go);
  }
}

void Operations::gather(std::uint32_t slot) {
  gathered_.push_back(slot);
  if (gathered_.size() >= step_->batch) send_gathered();
}

void Operations::send_gathered() {
  const std::vector<std::uint32_t> slots = std::exchange(gathered_, {});
  if (slots.size() > 1) {
    send_batch(slots);
  } else if (slots.size() == 1) {
    send(slots.front());
  }
}

void Operations::prepare_record(std::uint32_t slot, const SubmissionMemory::Ready& ready) {
  const std::string& where = step_->records;
  exchange_.prepare_record(slot, where != "resident",
                           [this, slot, ready, unmap = where == "unmapped", time = step_->time](Addr record) {
                             if (stopped_) return;
                             ready(record);
                             if (!unmap) return;
                             machine_.after(time, [this, slot] {
                               if (!stopped_) exchange_.unmap_record(slot);
                             });
                           });
}

DsaDescriptor Operations::describe(std::uint32_t slot, Addr record) const {
  const Operation& operation = slots_[slot];
  DsaDescriptor descriptor;
  descriptor.completion_address = record;
  descriptor.transfer_size = static_cast<std::uint32_t>(operation.to.length);
  std::uint64_t flags =
      DsaFlags::COMPLETION_ADDRESS_VALID::kMask | DsaFlags::REQUEST_COMPLETION_RECORD::kMask;
  if (operation.opcode != DsaOpcode::kNoop) {
    flags |= opening_->driver->faults() == DsaDriver::Faults::kBlock ? DsaFlags::BLOCK_ON_FAULT::kMask : 0;
    descriptor.destination = buffers_.buffer(operation.to.buffer).start + operation.to.offset;
    descriptor.source = operation.opcode == DsaOpcode::kFill
                            ? operation.pattern
                            : buffers_.buffer(operation.from.buffer).start + operation.from.offset;
  }
  descriptor.set_operation(operation.opcode, flags);
  return descriptor;
}

void Operations::hand_over(const DsaDescriptor& descriptor) {
  next_submit_ = std::max(machine_.now(), next_submit_) + host_.dsa.submit_interval;
  submitter_.submit(*opening_, descriptor);
}

void Operations::send(std::uint32_t slot) {
  if (stopped_) {
    return;
  }
  prepare_record(slot, [this, slot](Addr record) {
    slots_[slot].record_may_come = true;
    hand_over(describe(slot, record));
  });
}

// --- completion ---

void Operations::poll() {
  if (stopped_) {
    return;
  }
  exchange_.look();
  DsaCompletionRecord record;
  for (std::uint32_t number = 0; number < batches_.size(); ++number) {
    if (batches_[number].submitted && exchange_.batch_record(number, record)) {
      last_news_ = machine_.now();
      complete_batch(number, record);
    }
  }
  for (std::uint32_t slot = 0; slot < slots_.size(); ++slot) {
    if (slots_[slot].active && slots_[slot].record_may_come) look_at(slot);
  }
  poll_again();
  if (ended_ == step_->count && outstanding_ == 0) {
    const Task done = std::move(finished_);
    done();
  } else {
    pump();
  }
}

void Operations::look_at(std::uint32_t slot) {
  DsaCompletionRecord record;
  if (exchange_.record(slot, record)) {
    last_news_ = machine_.now();
    slots_[slot].record_may_come = false;
    complete(slot, record);
  } else if (exchange_.is_apart(slot) && machine_.now() - slots_[slot].submitted > host_.dsa.record_timeout) {
    fail(slot, "has no completion record after dsa.record_timeout");
  }
}

void Operations::poll_again() {
  polling_ = outstanding_ != 0;
  if (polling_) {
    machine_.after(poll_pause(host_.dsa.poll_interval, machine_.now() - last_news_), [this] { poll(); });
  }
}

void Operations::complete(std::uint32_t slot, const DsaCompletionRecord& record) {
  const Operation& operation = slots_[slot];
  if (record.code() == DsaStatus::kSuccess) {
    stats_.operations.add();
    ++result_->completed;
    result_->bytes += operation.to.length;
    stats_.bytes.add(operation.to.length);
    write_shadow(operation, 0, operation.to.length);
    end_operation(slot);
    return;
  }
  // What the device has to have written: the part a failed operation reports.
  // SPEC: [DSA 8.3.3]: Result 1 tells that an overlapping move went backwards.
  const std::uint64_t done = std::min<std::uint64_t>(operation.to.length, record.bytes_completed);
  write_shadow(operation, record.result == 1 ? operation.to.length - done : 0, done);
  if (record.code() == DsaStatus::kPageFault && opening_->driver->faults() == DsaDriver::Faults::kReported) {
    stats_.bytes.add(done);
    result_->bytes += done;
    go_on(slot, record);
    return;
  }
  fail(slot, fmt::format("ended with {} ({:#x}) after {} bytes, fault address {:#x}",
                         dsa_status_name(record.code()), record.status, record.bytes_completed,
                         record.fault_address));
}

void Operations::end_operation(std::uint32_t slot) {
  Operation& operation = slots_[slot];
  operation.active = false;
  --outstanding_;
  ++ended_;
  ++all_ended_;
  stats_.operation_latency.record(machine_.now() - operation.submitted);
}

void Operations::fail(std::uint32_t slot, const std::string& why) {
  stats_.operations_failed.add();
  ++result_->failed;
  kernel_.log().push_back(fmt::format("{}: {} {}", who_, dsa_opcode_name(slots_[slot].opcode), why));
  end_operation(slot);
}

// SPEC: [DSA 3.13.2] After a partial completion software touches the page and submits what is left.
void Operations::go_on(std::uint32_t slot, const DsaCompletionRecord& record) {
  Operation& operation = slots_[slot];
  const std::uint64_t done = std::min<std::uint64_t>(operation.to.length, record.bytes_completed);
  operation.to.length -= done;
  if (operation.opcode == DsaOpcode::kMemmove) operation.from.length -= done;
  if (record.result != 1) {
    operation.to.offset += done;
    operation.from.offset += done;
    const unsigned turn = done % 8 * 8;
    if (turn != 0) operation.pattern = operation.pattern >> turn | operation.pattern << (64 - turn);
  }
  const Addr address = record.fault_address;
  const bool write = record.status >> 7U != 0;
  Ps time = host_.page_fault_time;
  if (memory().is_major(address)) {
    stats_.major_faults.add();
    time += host_.faults.major_time;
  }
  machine_.after(time, [this, slot, address, write] {
    if (stopped_) {
      return;
    }
    Stale stale;
    const FaultResult result = memory().fault(address, !write, write, &stale);
    if (!is_handled(result)) {
      fail(slot, fmt::format("met a page at {:#x} that may not be touched", address));
      return;
    }
    stats_.pages_touched.add(result == FaultResult::kAlreadyMapped ? 0 : 1);
    stats_.operations_resubmitted.add();
    last_news_ = machine_.now();
    if (stale.empty()) {
      send(slot);
    } else {
      kernel_.shoot_down(buffers_.space(), stale, [this, slot] { send(slot); });
    }
  });
}

// The device has written this part of the destination.
void Operations::write_shadow(const Operation& operation, std::uint64_t first, std::uint64_t length) {
  // What another thread has unmapped meanwhile holds nothing.
  if (length == 0 || !buffers_.buffer(operation.to.buffer).mapped) {
    return;
  }
  scratch_.resize(length);
  if (operation.opcode == DsaOpcode::kFill) {
    for (std::size_t i = 0; i < scratch_.size(); ++i) {
      scratch_[i] = static_cast<unsigned char>(operation.pattern >> (i % 8 * 8));
    }
  } else {
    buffers_.buffer(operation.from.buffer)
        .shadow.read(operation.from.offset + first, scratch_.data(), scratch_.size());
  }
  Buffer& to = buffers_.buffer(operation.to.buffer);
  to.shadow.write(operation.to.offset + first, scratch_.data(), scratch_.size());
  if (buffers_.process_params().verify_each) {
    buffers_.verify(to, operation.to.offset + first, length);
  }
}

void Operations::dump_in_flight(std::ostream& out) const {
  if (stopped_) {
    return;
  }
  for (std::uint32_t slot = 0; slot < slots_.size(); ++slot) {
    const Operation& operation = slots_[slot];
    if (!operation.active) {
      continue;
    }
    out << fmt::format("{}: {} of {} bytes", who_, dsa_opcode_name(operation.opcode), operation.to.length);
    if (operation.opcode == DsaOpcode::kMemmove) {
      out << fmt::format(" from {:#x}", buffers_.buffer(operation.from.buffer).start + operation.from.offset);
    }
    if (operation.opcode != DsaOpcode::kNoop) {
      out << fmt::format(" to {:#x}", buffers_.buffer(operation.to.buffer).start + operation.to.offset);
    }
    out << fmt::format(" on {}, submitted at {} ps: no completion record\n", opening_->driver->name(),
                       operation.submitted);
  }
}

}  // namespace svasim
