// Steps of the CPU's accesses and of system calls that change the address space.
#include <memory>
#include <utility>

#include "models/host/process.h"
#include "models/host/steps/step_kind.h"
#include "models/host/thread.h"

namespace svasim {

namespace {

// --- accesses ---

// MODEL: an access that needs no fault takes no time.
void touch_page(Thread& thread, const StepParams& step, std::uint64_t at, std::uint64_t end) {
  ProcessMemory& memory = thread.process().space().memory;
  Kernel& kernel = thread.kernel();
  while (at < end && memory.is_accessible(at, step.write)) {
    memory.access(at);
    at += kPageSize;
  }
  if (at >= end) {
    thread.later(1, [&thread] { thread.end(); });
    return;
  }
  const bool major = memory.is_major(at);
  kernel.stats().major_faults.add(major ? 1 : 0);
  thread.later(kernel.params().page_fault_time + (major ? kernel.params().faults.major_time : 0),
               [&thread, &kernel, &memory, &step, at, end] {
                 Stale stale;
                 const FaultResult result = memory.fault(at, !step.write, step.write, &stale);
                 if (!is_handled(result)) {
                   thread.end(result == FaultResult::kNoMemory ? Errno::kNoMemory : Errno::kFault);
                   return;
                 }
                 ++thread.result().pages;
                 kernel.stats().pages_touched.add();
                 kernel.stats().pages_copied.add(result == FaultResult::kCopied ? 1 : 0);
                 kernel.shoot_down(thread.process().space(), stale, [&thread, &step, at, end] {
                   touch_page(thread, step, at + kPageSize, end);
                 });
               });
}

void touch(Thread& thread, const StepParams& step) {
  const AddressSpan part = thread.part_of(step);
  touch_page(thread, step, part.start, part.end);
}

void verify(Thread& thread, const StepParams& step) {
  thread.process().verify_buffer(thread.process().buffer(step.to));
  thread.later(1, [&thread] { thread.end(); });
}

// --- changes of page tables ---

// After the step's call has taken its time, `change` changes page tables; then devices are told.
void change_tables(Thread& thread, const StepParams& step, std::function<Stale(Addr start, Addr end)> change,
                   std::function<void(const Stale& stale)> after) {
  const AddressSpan part = thread.part_of(step);
  const std::uint64_t count = (part.end - part.start) >> kPageShift;
  const HostParams& host = thread.kernel().params();
  thread.later(host.munmap_time + count * host.munmap_page_time,
               [&thread, part, change = std::move(change), after = std::move(after)] {
                 const Stale stale = change(part.start, part.end);
                 thread.result().pages = stale.pages.size();
                 thread.kernel().shoot_down(thread.process().space(), stale, [&thread, stale, after] {
                   if (!thread.stopped()) after(stale);
                 });
               });
}

// Verifies what is about to be lost; `told` is to be run when devices know. False: another thread has moved
// the buffer away since the call.
bool lose(Thread& thread, const StepParams& step, Addr start, std::uint64_t length, Thread::Task& told) {
  Process& process = thread.process();
  Buffer& subject = process.buffer(step.to);
  if (subject.start + step.offset != start) {
    return false;
  }
  process.verify_pages(subject, step.offset, length);
  told = process.lose(subject, step.offset, length);
  return true;
}

// Pages go back to the system only when no device can reach them any more.
void unmap(Thread& thread, const StepParams& step, const Thread::Task& then) {
  Buffer& subject = thread.process().buffer(step.to);
  const Ps called = thread.kernel().machine().now();
  const auto told = std::make_shared<Thread::Task>([] {});
  const auto change = [&thread, &subject, &step, told](Addr start, Addr end) {
    if (lose(thread, step, start, end - start, *told) && end - start == subject.size) subject.mapped = false;
    return thread.process().space().memory.unmap(start, end);
  };
  change_tables(thread, step, change, [&thread, called, told, then](const Stale& stale) {
    (*told)();
    Kernel& kernel = thread.kernel();
    kernel.stats().unmaps.add();
    kernel.stats().pages_unmapped.add(stale.pages.size());
    kernel.stats().unmap_latency.record(kernel.machine().now() - called);
    then();
  });
}

void map(Thread& thread, const StepParams& step) {
  Buffer& subject = thread.process().buffer(step.to);
  if (subject.mapped) {
    return thread.end(Errno::kInvalid);  // another thread may have been faster
  }
  const Addr place = step.place == "same" ? subject.start : 0;
  thread.end(thread.process().map_buffer(subject, place) ? Errno::kNone : Errno::kNoMemory);
}

void munmap(Thread& thread, const StepParams& step) {
  unmap(thread, step, [&thread] { thread.end(); });
}

void remap(Thread& thread, const StepParams& step) {
  unmap(thread, step, [&thread, &step] { map(thread, step); });
}

void mprotect(Thread& thread, const StepParams& step) {
  const bool read = step.rights != "none";
  const bool write = step.rights == "read_write";
  change_tables(
      thread, step,
      [&thread, read, write](Addr start, Addr end) {
        return thread.process().space().memory.protect(start, end, read, write);
      },
      [&thread](const Stale&) { thread.end(); });
}

// SPEC: [LINUX mm/mremap.c]: EFAULT when that is not one area.
void mremap(Thread& thread, const StepParams& step) {
  Buffer& subject = thread.process().buffer(step.to);
  const auto error = std::make_shared<Errno>(Errno::kFault);
  change_tables(
      thread, step,
      [&thread, &subject, error](Addr start, Addr end) {
        ProcessMemory& memory = thread.process().space().memory;
        Stale stale;
        const Vma* vma = memory.find_area(start);
        if (vma == nullptr || vma->start != start || vma->end != end) return stale;
        const std::optional<Addr> target = memory.move(start, end, stale);
        *error = target.has_value() ? Errno::kNone : Errno::kNoMemory;
        subject.start = target.value_or(start);
        return stale;
      },
      [&thread, error](const Stale&) { thread.end(*error); });
}

void madvise(Thread& thread, const StepParams& step) {
  const bool out = step.advice == "pageout";
  const auto told = std::make_shared<Thread::Task>([] {});
  change_tables(
      thread, step,
      [&thread, &step, out, told](Addr start, Addr end) {
        ProcessMemory& memory = thread.process().space().memory;
        if (out) return memory.reclaim(start, end);
        lose(thread, step, start, end - start, *told);
        return memory.discard(start, end);
      },
      [&thread, out, told](const Stale& stale) {
        (*told)();
        if (out) {
          thread.result().pages = thread.process().space().memory.page_out(stale);
          thread.kernel().stats().pages_out.add(thread.result().pages);
        }
        thread.end();
      });
}

// --- what is known before the run ---

void follow(KnownState& known, const StepParams& step, const std::string& /*device*/,
            const StepKind::Bad& bad) {
  const bool maps = step.action == "mmap";
  if (step.error == "none") need_mapped(known, step.to, !maps, "to", bad);
  if (step.action == "munmap" && step.offset == 0 && step.length == 0) known.mapped[step.to] = false;
  if (maps) known.mapped[step.to] = true;
}

}  // namespace

std::vector<StepKind> memory_steps() {
  using S = StepKind::Subject;
  return {
      {"touch",
       "The CPU loads from or stores to each page.",
       {"to", "offset", "length", "write", "error"},
       S::kBuffer,
       touch,
       follow},
      {"verify", "Compares a buffer with what it has to hold.", {"to"}, S::kBuffer, verify, follow},
      {"mmap", "Maps a buffer.", {"to", "place", "error"}, S::kBuffer, map, follow},
      {"munmap",
       "Unmaps a buffer or a part of it.",
       {"to", "offset", "length", "error"},
       S::kBuffer,
       munmap,
       follow},
      {"remap", "munmap, then mmap.", {"to", "place", "error"}, S::kBuffer, remap, follow},
      {"mprotect",
       "Changes what a buffer or a part of it allows.",
       {"to", "offset", "length", "rights", "error"},
       S::kBuffer,
       mprotect,
       follow},
      {"mremap", "Moves a buffer to another address.", {"to", "error"}, S::kBuffer, mremap, follow},
      {"madvise",
       "Drops pages or has them written out.",
       {"to", "offset", "length", "advice", "error"},
       S::kBuffer,
       madvise,
       follow},
  };
}

}  // namespace svasim
