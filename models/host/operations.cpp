#include "models/host/operations.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/pattern.h"
#include "models/host/address_view.h"

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
      slots_(slots),
      jobs_(slots) {}

void Operations::set_up() { exchange_.set_up(); }

void Operations::run(const StepParams& step, const Opening& opening, StepResult& result,
                     Kernel::Result done) {
  step_ = &step;
  opening_ = &opening;
  result_ = &result;
  finished_ = std::move(done);
  started_ = 0;
  ended_ = 0;
  prepared_ = false;
  error_ = Errno::kNone;
  if (step.batch > 1) exchange_.set_up_slot_lists(step.batch * sizeof(DsaDescriptor));
  if (step.together > 1) {
    batches_.resize(slots_.size());  // after a fault on its list a batch may have a single one left
    exchange_.set_up_batches(static_cast<std::uint32_t>(batches_.size()));
  }
  pump();
}

// The portal is no longer mapped. Operations submitted before end like others: closing waits for them.
void Operations::give_up() {
  const std::uint64_t rest = step_->count - started_;
  error_ = Errno::kFault;
  started_ += rest;
  ended_ += rest;
  all_ended_ += rest;
  if (!polling_) {
    machine_.after(1, [this] {
      if (!stopped_) end_step();
    });
  }
}

void Operations::end_step() {
  const Kernel::Result done = std::move(finished_);
  done(error_);
}

// --- what is under way ---

void Operations::enter(Operation& operation) {
  for (const Span* span : {&operation.from, &operation.to}) {
    if (span->length == 0) continue;
    const Buffer& buffer = buffers_.buffer(span->buffer);
    buffer.shadow->enter(operation.flight, buffer.base + span->offset, span->length, span == &operation.to);
  }
}

void Operations::leave(const Operation& operation) {
  for (const Span* span : {&operation.from, &operation.to}) {
    if (span->length != 0) buffers_.buffer(span->buffer).shadow->leave(operation.flight);
  }
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
    span.length = bytes_of_operation(step);
    const std::uint64_t size = length != 0 ? length : buffers_.buffer(span.buffer).size - first;
    if (step.order == "random") {
      span.offset = first + rng_.below((size - span.length) / 64 + 1) * 64;
    } else {
      const std::uint64_t stride = step.stride != 0 ? step.stride : span.length;
      span.offset = first + started_ % ((size - span.length) / stride + 1) * stride;
    }
    return span;
  };
  next_.opcode = step.action == "fill" ? DsaOpcode::kFill : DsaOpcode::kMemmove;
  next_.pattern = step.pattern;
  if (next_.opcode == DsaOpcode::kMemmove) {
    next_.from = pick(step.from, step.from_offset, step.from_length);
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
  while (started_ < step.count && outstanding_ < limit && !touching_ && !mapping_.busy() &&
         !submitter_.busy()) {
    if (!opening_->ready) {
      give_up();
      return;
    }
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
  if (opening_->faults() != DsaDriver::Faults::kUnseen || touched_) {
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
  enter(operation);
  prepared_ = false;
  ++started_;
  ++outstanding_;
  last_news_ = machine_.now();
  if (!polling_) {
    polling_ = true;
    machine_.after(host_.dsa.poll_interval, [this] { poll(); });
  }
  if (opening_->dma != nullptr) return map(slot);
  if (opening_->faults() != DsaDriver::Faults::kUnseen) {
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

void Operations::map(std::uint32_t slot) {
  const Operation& operation = slots_[slot];
  DmaView::Job& job = jobs_[slot];
  job = DmaView::Job();
  if (operation.from.length != 0) job.from = {address(operation.from), operation.from.length, false};
  if (operation.to.length != 0) job.to = {address(operation.to), operation.to.length, true};
  if (opening_->dma->is_ready(job)) return send(slot);
  mapping_.add([this, slot, view = opening_->dma](const Task& done) {
    if (stopped_) return done();
    view->begin(jobs_[slot], [this, slot, done](Errno error) {
      done();
      if (stopped_) return;
      if (error == Errno::kNone) {
        send(slot);
      } else {
        fail(slot, std::string("cannot be mapped: ") + errno_name(error));
      }
      pump();
    });
  });
}

void Operations::unmap(std::uint32_t slot) {
  mapping_.add([this, slot, view = opening_->dma](const Task& done) {
    if (stopped_) return done();
    view->end(jobs_[slot], [this, slot, done] {
      done();
      if (stopped_) return;
      finish(slot);
      pump();
    });
  });
}

void Operations::gather(std::uint32_t slot) {
  gathered_.push_back(slot);
  if (gathered_.size() >= step_->together) send_gathered();
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

void Operations::send(std::uint32_t slot) {
  if (stopped_) {
    return;
  }
  if (!opening_->ready) {
    fail(slot, "finds its work queue closed");
    return;
  }
  prepare_record(slot, [this, slot](Addr record) {
    slots_[slot].sent = true;
    DsaDescriptor descriptor = describe(slot, record);
    if (step_->batch > 1) make_batch(slot, descriptor);
    hand_over(descriptor, [this, slot] { fail(slot, "finds its work queue closed"); });
  });
}

DsaDescriptor Operations::describe(std::uint32_t slot, Addr record) const {
  const Operation& operation = slots_[slot];
  DsaDescriptor descriptor;
  const DmaView* view = opening_->dma;
  descriptor.completion_address =
      view == nullptr ? device_address(record) : view->kept(record, sizeof(DsaCompletionRecord)).value_or(0);
  descriptor.transfer_size = static_cast<std::uint32_t>(operation.to.length);
  std::uint64_t flags =
      DsaFlags::COMPLETION_ADDRESS_VALID::kMask | DsaFlags::REQUEST_COMPLETION_RECORD::kMask;
  if (operation.opcode != DsaOpcode::kNoop) {
    flags |= opening_->faults() == DsaDriver::Faults::kBlock ? DsaFlags::BLOCK_ON_FAULT::kMask : 0;
    descriptor.destination =
        view == nullptr ? device_address(address(operation.to)) : jobs_[slot].destination;
    descriptor.source = operation.opcode == DsaOpcode::kFill ? operation.pattern
                        : view == nullptr                    ? device_address(address(operation.from))
                                                             : jobs_[slot].source;
  }
  descriptor.set_operation(operation.opcode, flags);
  return descriptor;
}

void Operations::hand_over(const DsaDescriptor& descriptor, Task closed) {
  stats_.first_submission = std::min(stats_.first_submission, machine_.now());
  next_submit_ = std::max(machine_.now(), next_submit_) + host_.dsa.submit_interval;
  submitter_.submit(*opening_, descriptor, std::move(closed));
}

Addr Operations::device_address(Addr user) const {
  return opening_->view == nullptr ? user : opening_->view->device_address(user);
}

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
    if (slots_[slot].active && slots_[slot].sent) look_at(slot);
  }
  poll_again();
  if (ended_ == step_->count && outstanding_ == 0) {
    end_step();
  } else {
    pump();
  }
}

void Operations::look_at(std::uint32_t slot) {
  Operation& operation = slots_[slot];
  const Ps waited = machine_.now() - operation.submitted;
  if (exchange_.record(slot, operation.record)) {
    last_news_ = machine_.now();
    operation.sent = false;
    complete(slot);
  } else if (exchange_.is_apart(slot) && waited > host_.dsa.record_timeout) {
    fail(slot, "has no completion record after dsa.record_timeout", true);
  } else if (step_->give_up != 0 && waited >= step_->give_up) {
    fail(slot, "has no completion record yet and is given up", true);
  }
}

void Operations::poll_again() {
  polling_ = outstanding_ != 0;
  if (polling_) {
    machine_.after(poll_pause(host_.dsa.poll_interval, machine_.now() - last_news_), [this] { poll(); });
  }
}

void Operations::complete(std::uint32_t slot) { jobs_[slot].mapped() ? unmap(slot) : finish(slot); }

void Operations::finish(std::uint32_t slot) {
  Operation& operation = slots_[slot];
  const DsaCompletionRecord record = operation.record;
  leave(operation);
  if (record.code() == DsaStatus::kSuccess) {
    stats_.operations.add();
    stats_.descriptors.add(step_->batch);
    ++result_->completed;
    const std::uint64_t bytes = operation.to.length * (step_->batch_in_place ? step_->batch : 1);
    result_->bytes += bytes;
    stats_.bytes.add(bytes);
    settle(operation, 0, operation.to.length);
    end_operation(slot);
    return;
  }
  // What the device has to have written: the part a failed operation reports.
  // SPEC: [DSA 8.3.3]: Result 1 tells that an overlapping move went backwards.
  const std::uint64_t reported = step_->batch > 1 ? 0 : record.bytes_completed;
  const std::uint64_t done = std::min<std::uint64_t>(operation.to.length, reported);
  settle(operation, record.result == 1 ? operation.to.length - done : 0, done);
  if (record.code() == DsaStatus::kPageFault && step_->batch == 1 &&
      opening_->faults() == DsaDriver::Faults::kReported) {
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
  stats_.operations_time.add(machine_.now() - stats_.first_submission - stats_.operations_time.value);
}

void Operations::fail(std::uint32_t slot, const std::string& why, bool may_go_on) {
  stats_.operations_failed.add();
  ++result_->failed;
  kernel_.log().push_back(fmt::format("{}: {} {}", who_, dsa_opcode_name(slots_[slot].opcode), why));
  // Pages behind the one that failed may have been written.
  const Operation& operation = slots_[slot];
  leave(operation);
  if (operation.to.length != 0) {
    Buffer& to = buffers_.buffer(operation.to.buffer);
    if (may_go_on) {
      to.shadow->blur(to.base + operation.to.offset, operation.to.length);
    } else {
      buffers_.adopt(to, operation.to.offset, operation.to.length);
    }
  }
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
  enter(operation);
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
    if (result == FaultResult::kAlreadyMapped) memory().access(address);
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

// The device has written this part of the destination; nothing of the operation is under way any more.
void Operations::settle(const Operation& operation, std::uint64_t first, std::uint64_t length) {
  if (length == 0) {
    return;
  }
  Buffer& to = buffers_.buffer(operation.to.buffer);
  const std::uint64_t offset = operation.to.offset + first;
  if (operation.flight.disturbed) {
    buffers_.adopt(to, offset, length);
    return;
  }
  if (operation.opcode == DsaOpcode::kFill) {
    scratch_.resize(length);
    fill_pattern(scratch_.data(), length, operation.pattern, operation.pattern, first);
    to.shadow->write(to.base + offset, scratch_.data(), scratch_.size());
  } else {
    const Buffer& from = buffers_.buffer(operation.from.buffer);
    to.shadow->copy(*from.shadow, from.base + operation.from.offset + first, to.base + offset, length);
  }
  if (buffers_.process_params().verify_each) {
    buffers_.verify(to, offset, length);
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
