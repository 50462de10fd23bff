#include "models/host/thread.h"

#include <memory>
#include <utility>

#include "models/host/process.h"

namespace svasim {

Thread::Thread(const std::string& who, const std::vector<StepParams>& steps, unsigned outstanding,
               unsigned slots, Kernel& kernel, Process& process, RngStream& rng)
    : who_(who),
      steps_(steps),
      kernel_(kernel),
      process_(process),
      operations_(who, outstanding, slots, kernel, process, rng) {
  for (const StepParams& step : steps_) total_ += is_operation(step) ? step.count : 1;
}

void Thread::run(Task done) {
  finished_ = std::move(done);
  begin_step();
}

void Thread::stop() {
  stopped_ = true;
  operations_.stop();
}

void Thread::later(Ps time, Task task) {
  kernel_.machine().after(time, [this, task = std::move(task)] {
    if (!stopped_) task();
  });
}

// --- steps ---

void Thread::begin_step() {
  if (stopped_) {
    return;
  }
  if (next_ == steps_.size()) {
    finished_();
    return;
  }
  const StepParams& step = steps_[next_];
  const Ps now = kernel_.machine().now();
  const Ps due = kernel_.began() + step.at;
  if (now < due) {
    later(due - now, [this] { begin_step(); });
    return;
  }
  result_ = StepResult();
  result_.begun = true;
  result_.began_at = now;
  if (!step.name.empty()) {
    kernel_.board().begin(full_step_name(process_.params().name, step.name), now);
  }
  carry_out(step);
}

void Thread::end_step(Errno error) {
  if (stopped_) {
    return;
  }
  const StepParams& step = steps_[next_];
  result_.ended = true;
  result_.ended_at = kernel_.machine().now();
  result_.error = error;
  const std::string& process = process_.params().name;
  kernel_.board().ended_with(process, step, error);
  ++next_;
  if (!step.name.empty()) kernel_.board().end(full_step_name(process, step.name), result_);
  begin_step();
}

void Thread::carry_out(const StepParams& step) {
  if (is_operation(step)) {
    operations_.run(step, process_.opening(step.device), result_, [this] { end_step(Errno::kNone); });
    return;
  }
  // Operations of earlier steps have all ended.
  const auto end = [this] { end_action(Errno::kNone); };
  const std::string& action = step.action;
  if (action == "sleep") {
    later(step.time, end);
  } else if (action == "wait") {
    kernel_.board().when_ended(full_step_name(process_.params().name, step.step),
                               [this, end] { later(1, end); });
  } else if (action == "expect") {
    kernel_.board().expect(process_.params().name, step);
    later(1, end);
  } else if (action == "exit") {
    ++actions_done_;
    ++next_;
    result_.ended = true;
    result_.ended_at = kernel_.machine().now();
    const std::string& process = process_.params().name;
    if (!step.name.empty()) kernel_.board().end(full_step_name(process, step.name), result_);
    process_.exit();
  } else if (action == "fork") {
    kernel_.fork(process_, step.process, [this](Errno error) { end_action(error); });
  } else if (step.to.empty()) {
    device_step(step);
  } else if (action == "verify") {
    process_.verify_buffer(process_.buffer(step.to));
    later(1, end);
  } else if (action == "touch") {
    touch(step);
  } else if (action == "munmap") {
    munmap(step, end);
  } else if (action == "mprotect") {
    mprotect(step);
  } else if (action == "mremap") {
    mremap(step);
  } else if (action == "madvise") {
    madvise(step);
  } else {
    Buffer& subject = process_.buffer(step.to);
    const auto map = [this, &subject, place = step.place] {
      const bool free = !subject.mapped;  // another thread may have been faster
      if (free) process_.map_buffer(subject, place == "same" ? subject.start : 0);
      end_action(free ? Errno::kNone : Errno::kInvalid);
    };
    if (action == "remap") {
      munmap(step, map);
    } else {
      map();
    }
  }
}

AddressSpan Thread::part_of(const StepParams& step) const {
  const Buffer& subject = process_.buffer(step.to);
  const std::uint64_t length = step.length != 0 ? step.length : subject.size - step.offset;
  return {subject.start + step.offset, subject.start + step.offset + length};
}

// --- the CPU's accesses ---

void Thread::touch(const StepParams& step) {
  const AddressSpan part = part_of(step);
  touch_page(step, part.start, part.end);
}

// MODEL: an access that needs no fault takes no time.
void Thread::touch_page(const StepParams& step, std::uint64_t at, std::uint64_t end) {
  ProcessMemory& memory = process_.space().memory;
  while (at < end && memory.is_accessible(at, step.write)) at += kPageSize;
  if (at >= end) {
    later(1, [this] { end_action(Errno::kNone); });
    return;
  }
  const bool major = memory.is_major(at);
  kernel_.stats().major_faults.add(major ? 1 : 0);
  later(kernel_.params().page_fault_time + (major ? kernel_.params().faults.major_time : 0),
        [this, &step, at, end] {
          Stale stale;
          const FaultResult result = process_.space().memory.fault(at, !step.write, step.write, &stale);
          if (!is_handled(result)) {
            end_action(result == FaultResult::kNoMemory ? Errno::kNoMemory : Errno::kFault);
            return;
          }
          ++result_.pages;
          kernel_.stats().pages_touched.add();
          kernel_.stats().pages_copied.add(result == FaultResult::kCopied ? 1 : 0);
          kernel_.shoot_down(process_.space(), stale,
                             [this, &step, at, end] { touch_page(step, at + kPageSize, end); });
        });
}

// --- changes of page tables ---

void Thread::change_tables(const StepParams& step, std::function<Stale(Addr start, Addr end)> change,
                           std::function<void(std::uint64_t pages, Task next)> after) {
  const AddressSpan part = part_of(step);
  const std::uint64_t count = (part.end - part.start) >> kPageShift;
  const HostParams& host = kernel_.params();
  later(host.munmap_time + count * host.munmap_page_time,
        [this, part, change = std::move(change), after = std::move(after)] {
          const Stale stale = change(part.start, part.end);
          result_.pages = stale.pages.size();
          kernel_.shoot_down(process_.space(), stale, [this, pages = stale.pages.size(), after] {
            if (!stopped_) after(pages, [this] { end_action(Errno::kNone); });
          });
        });
}

// What another thread's operations are writing just now holds nothing definite.
void Thread::verify_before_loss(const StepParams& step, std::uint64_t length) {
  if (process_.in_flight() == 0) process_.verify_pages(process_.buffer(step.to), step.offset, length);
}

// Pages go back to the system only when no device can reach them any more.
void Thread::munmap(const StepParams& step, const Task& then) {
  Buffer& subject = process_.buffer(step.to);
  const Ps called = kernel_.machine().now();
  const auto change = [this, &subject, &step](Addr start, Addr end) {
    const bool all = end - start == subject.size;
    verify_before_loss(step, end - start);
    const Stale stale = process_.space().memory.unmap(start, end);
    subject.mapped = !all;
    return stale;
  };
  change_tables(step, change, [this, called, then](std::uint64_t pages, const Task&) {
    kernel_.stats().unmaps.add();
    kernel_.stats().pages_unmapped.add(pages);
    kernel_.stats().unmap_latency.record(kernel_.machine().now() - called);
    then();
  });
}

void Thread::mprotect(const StepParams& step) {
  const bool read = step.rights != "none";
  const bool write = step.rights == "read_write";
  change_tables(
      step,
      [this, read, write](Addr start, Addr end) {
        return process_.space().memory.protect(start, end, read, write);
      },
      [](std::uint64_t, const Task& next) { next(); });
}

// SPEC: [LINUX mm/mremap.c]: EFAULT when that is not one area.
void Thread::mremap(const StepParams& step) {
  Buffer& subject = process_.buffer(step.to);
  const auto error = std::make_shared<Errno>(Errno::kFault);
  change_tables(
      step,
      [this, &subject, error](Addr start, Addr end) {
        ProcessMemory& memory = process_.space().memory;
        const Vma* vma = memory.find_area(start);
        if (vma == nullptr || vma->start != start || vma->end != end) return Stale{};
        *error = Errno::kNone;
        Addr target = 0;
        const Stale stale = memory.move(start, end, target);
        subject.start = target;
        subject.shadow.move_to(target);
        return stale;
      },
      [this, error](std::uint64_t, const Task&) { end_action(*error); });
}

void Thread::madvise(const StepParams& step) {
  Buffer& subject = process_.buffer(step.to);
  const bool out = step.advice == "pageout";
  const AddressSpan part = part_of(step);
  change_tables(
      step,
      [this, &subject, &step, out](Addr start, Addr end) {
        ProcessMemory& memory = process_.space().memory;
        if (out) return memory.reclaim(start, end);
        verify_before_loss(step, end - start);
        subject.shadow.forget(step.offset, end - start);
        return memory.discard(start, end);
      },
      [this, out, part](std::uint64_t, const Task& next) {
        if (out) {
          result_.pages = process_.space().memory.page_out(part.start, part.end);
          kernel_.stats().pages_out.add(result_.pages);
        }
        next();
      });
}

// --- devices ---

std::string Thread::device_of(const StepParams& step) const {
  return step.device.empty() ? process_.params().device : step.device;
}

void Thread::device_step(const StepParams& step) {
  const std::string device = device_of(step);
  const auto end = [this](Errno error) { end_action(error); };
  const auto note = [this](SvaCore::Handle bond) {
    if (bond == nullptr) return;
    result_.users = bond->users;
    result_.pasid = bond->space->pasid.has_value() ? bond->space->pasid->value() : 0;
  };
  if (step.action == "open") {
    Opening& opening = process_.opening(device);
    kernel_.open(process_, opening, [note, end, &opening](Errno error) {
      note(opening.bond);
      end(error);
    });
  } else if (step.action == "close") {
    Opening* opening = process_.find_opening(device);
    opening == nullptr ? end(Errno::kInvalid) : kernel_.close(process_, *opening, end);
  } else if (step.action == "bind") {
    kernel_.bind(process_, device, [this, device, note, end](Errno error, SvaCore::Handle handle) {
      if (handle != nullptr) process_.binds()[device].push_back(handle);
      note(handle);
      end(error);
    });
  } else if (step.action == "unbind") {
    std::vector<SvaCore::Handle>& handles = process_.binds()[device];
    if (handles.empty()) {
      return end(Errno::kInvalid);
    }
    const SvaCore::Handle handle = handles.back();
    handles.pop_back();
    result_.users = handle->users - 1;
    kernel_.unbind(handle, [end] { end(Errno::kNone); });
  } else {
    const SvaFeature feature = step.feature == "sva" ? SvaFeature::kSva : SvaFeature::kIopf;
    kernel_.set_feature(device, feature, step.action == "enable", end);
  }
}

}  // namespace svasim
