#include "models/host/process_kernel.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "models/formats/x86_first_stage.h"
#include "models/host/user_driver.h"

namespace svasim {

ProcessKernel::ProcessKernel(const Ground& ground, const HostParams& params, const Platform& platform,
                             const Memory& memory, SvaHardware& hardware)
    : name_(ground.name),
      seed_(ground.seed),
      machine_(ground.machine),
      params_(params),
      platform_(platform),
      stats_(ground.stats),
      log_(ground.log),
      journeys_(ground.journeys),
      board_(ground.board),
      pages_(memory.base, memory.size, memory.owner),
      // The reserved address bits are the IOMMU's business; the allocator hands out low addresses.
      format_(make_x86_first_stage(params.sva.paging_levels, PageFormatOptions{})),
      faults_(ground.machine, params.faults, RngStream(ground.seed, ground.name + ".faults"), ground.stats,
              ground.journeys,
              [this](SvaSpace& space, const Stale& stale, Task then) {
                shoot_down(space, stale, std::move(then));
              }),
      sva_(hardware, PasidAllocator(params.sva.lowest_pasid, params.sva.highest_pasid), !params.sva.strict) {}

// --- processes ---

void ProcessKernel::make_programs(const std::vector<ProcessParams>& processes,
                                  const MakeOpening& make_opening) {
  for (const ProcessParams& process : processes) {
    std::vector<Opening> openings;
    for (const std::string& device : devices_opened(process)) {
      openings.push_back(make_opening(device, process));
      openings.back().recovers = process.addressing == "sva";
    }
    Program program;
    program.child = !process.parent.empty();
    program.space = &space_for(process);
    program.process = std::make_unique<Process>(process, *this, *program.space, std::move(openings));
    programs_.push_back(std::move(program));
    for_each_step(process, [&](const StepParams& step) {
      if (step.action != "expect" || step.statistic.empty()) return;
      board_.note_expected(step.statistic);
      if (!step.since.empty()) {
        board_.watch(full_step_name(process.name, step.since), step.statistic, step.field);
      }
    });
  }
}

// All of the kernel share its address space.
SvaSpace& ProcessKernel::space_for(const ProcessParams& process) {
  if (process.in_kernel() && kernel_space_ != nullptr) {
    ++kernel_space_->holders;
    return *kernel_space_;
  }
  const auto owner = process.in_kernel() ? PageTable::Owner::kKernel : PageTable::Owner::kUser;
  spaces_.push_back(std::make_unique<SvaSpace>(process.in_kernel() ? "kernel" : process.name, format_,
                                               machine_.memory(), pages_, owner));
  SvaSpace& space = *spaces_.back();
  space.dma_compatible = !process.tagged_pointers;
  if (process.in_kernel()) kernel_space_ = &space;
  return space;
}

void ProcessKernel::release_kernel_space() {
  if (kernel_space_ != nullptr) kernel_space_->memory.release();
}

unsigned ProcessKernel::device_number(const std::string& name) const {
  for (unsigned i = 0; i < platform_.devices.size(); ++i) {
    if (platform_.devices[i].name == name) return i;
  }
  SVASIM_CHECK(false, "there is no device " + name);
}

void ProcessKernel::run_programs(Task ended) {
  began_ = machine_.now();
  ended_ = std::move(ended);
  running_ = static_cast<std::size_t>(std::count_if(programs_.begin(), programs_.end(),
                                                    [](const Program& program) { return !program.child; }));
  if (running_ == 0) {
    ended_();
    return;
  }
  for (std::size_t i = 0; i < programs_.size(); ++i) {
    if (programs_[i].child) continue;
    programs_[i].process->set_up();
    run_program(i);
  }
}

void ProcessKernel::run_program(std::size_t index) {
  Program& program = programs_[index];
  program.begun = true;
  Process& process = *program.process;
  const auto run = [this, index, &process] {
    process.run([this, index](bool exited) { end_program(index, exited); });
  };
  if (process.params().device.empty()) {
    run();
    return;
  }
  open(process, process.opening(""), [this, index, &process, run](Errno error) {
    if (error == Errno::kNone) {
      run();
      return;
    }
    log_.push_back(fmt::format("{} cannot open {}: {}", process.params().name, process.params().device,
                               errno_name(error)));
    end_program(index, false);
  });
}

void ProcessKernel::end_program(std::size_t index, bool exited) {
  const std::string& ended = programs_[index].process->params().name;
  board_.process_ended(ended);
  for (Program& child : programs_) {
    if (!child.begun && child.process->params().parent == ended) forgo(child);
  }
  SvaSpace& space = *programs_[index].space;
  stats_.exits.add(exited ? 1 : 0);
  if (!exited && !params_.teardown) {
    program_ended();
    return;
  }
  // Calls of its threads end first.
  programs_[index].process->when_idle([this, index, exited, &space] {
    if (!exited || programs_[index].process->params().addressing != "sva") {
      // WHY the device stops first: mappings under way look at the memory.
      close_all(index, [this, &space] {
        // The kernel's memory stays until all have ended.
        if (!space.kernel) space.memory.release();
        program_ended();
      });
      return;
    }
    // SPEC: [LINUX kernel/exit.c]: the address space goes before what is open.
    sva_.release(space, [this, index, &space] {
      space.memory.release();
      close_all(index, [this] { program_ended(); });
    });
  });
}

std::vector<SvaSpace*> ProcessKernel::spaces() const {
  std::vector<SvaSpace*> all;
  for (const Program& program : programs_) {
    if (program.begun && program.space->alive) all.push_back(program.space);
  }
  return all;
}

void ProcessKernel::close_all(std::size_t index, Task done) {
  Process& process = *programs_[index].process;
  const auto again = [this, index, done] { close_all(index, done); };
  if (UserDriver* const driver = process.driver(); driver != nullptr && !driver->ended()) {
    driver->end(again);
    return;
  }
  for (Opening& opening : process.openings()) {
    if (opening.open) {
      close(process, opening, [again](Errno) { again(); });
      return;
    }
  }
  for (auto& [device, handles] : process.binds()) {
    if (!handles.empty()) {
      const SvaCore::Handle handle = handles.back();
      handles.pop_back();
      unbind(process, handle, again);
      return;
    }
  }
  sva_.drop(*programs_[index].space);
  done();
}

// Nobody will fork it any more.
void ProcessKernel::forgo(Program& child) {
  child.begun = true;
  child.process->kill();
  const std::string& name = child.process->params().name;
  board_.process_ended(name);
  for (Program& grandchild : programs_) {
    if (!grandchild.begun && grandchild.process->params().parent == name) forgo(grandchild);
  }
}

void ProcessKernel::program_ended() {
  if (--running_ == 0) {
    ended_();
  }
}

// --- system calls ---

Kernel::Result ProcessKernel::calls(Process& process, Result result) const {
  process.call_begins();
  return [&process, result = std::move(result)](Errno error) {
    result(error);
    process.call_ends();
  };
}

void ProcessKernel::open(Process& process, Opening& opening, Result result) {
  if (opening.open) {
    result(Errno::kBusy);
    return;
  }
  const bool maps = process.params().maps();
  if (!maps && !can_share(process, opening)) {
    result(Errno::kNotSupported);
    return;
  }
  if (!opening.driver->claim(opening.queue)) {
    result(Errno::kBusy);
    return;
  }
  opening.open = true;
  const Result end = calls(process, std::move(result));
  if (maps) {
    open_mapping(process, opening, [&opening, end](Errno error) {
      opening.open = opening.ready = error == Errno::kNone;
      if (!opening.open) opening.driver->give_back(opening.queue);
      end(error);
    });
    return;
  }
  sva_.when_not_ending(opening.device, process.space(), [this, &process, &opening, end] {
    const auto on_exit = [this](unsigned, const std::any&) { stats_.exit_callbacks.add(); };
    const auto attached = [this, &opening, end] {
      open_queue(opening, [this, &opening, end] {
        opening.ready = opening.driver->usable();
        opening.ready ? end(Errno::kNone) : undo_open(opening, end, Errno::kInvalid);
      });
    };
    // A bond there already runs `attached` at once.
    opening.bond = sva_.find(opening.device, process.space());
    const auto bound = sva_.bind(opening.device, process.space(), &opening, on_exit, attached);
    if (bound.error == Errno::kNone) {
      opening.bond = bound.handle;
      return;
    }
    opening.open = false;
    opening.bond = nullptr;
    opening.driver->give_back(opening.queue);
    end(bound.error);
  });
}

void ProcessKernel::close(Process& process, Opening& opening, Result result) {
  if (!opening.ready || opening.view != nullptr) {
    return result(Errno::kInvalid);
  }
  opening.ready = false;
  const Result end = calls(process, std::move(result));
  // The device stops first, so that no access and no page request of the PASID can follow. It ends what was
  // submitted to it.
  close_queue(opening, [this, &opening, end] { undo_open(opening, end, Errno::kNone); });
}

void ProcessKernel::undo_open(Opening& opening, const Result& end, Errno error) {
  const auto undone = [&opening, end, error] {
    opening.open = false;
    opening.bond = nullptr;
    opening.driver->give_back(opening.queue);
    end(error);
  };
  opening.dma != nullptr ? close_mapping(opening, undone) : sva_.unbind(opening.bond, undone);
}

void ProcessKernel::bind(Process& process, const std::string& device, Bound result) {
  const unsigned number = device_number(device);
  const Result ended = calls(process, [](Errno) {});
  sva_.when_not_ending(number, process.space(), [this, &process, device, number, ended, result] {
    const auto on_exit = [this](unsigned, const std::any&) { stats_.exit_callbacks.add(); };
    const auto bound =
        sva_.bind(number, process.space(), {}, on_exit, [this, &process, device, number, ended, result] {
          const SvaCore::Handle handle = sva_.find(number, process.space());
          process.binds()[device].push_back(handle);
          result(Errno::kNone, handle);
          ended(Errno::kNone);
        });
    if (bound.error != Errno::kNone) {
      result(bound.error, nullptr);
      ended(bound.error);
    }
  });
}

void ProcessKernel::unbind(Process& process, SvaCore::Handle handle, Task done) {
  sva_.unbind(handle,
              [end = calls(process, [done = std::move(done)](Errno) { done(); })] { end(Errno::kNone); });
}

// SPEC: [LINUX drivers/iommu/iommu.c]: one after the other.
void ProcessKernel::set_feature(const std::string& device, SvaFeature feature, bool on, Result result) {
  const unsigned number = device_number(device);
  features_[number].add([this, number, feature, on, result = std::move(result)](const Task& next) {
    const auto done = [next, result](Errno error) {
      next();
      result(error);
    };
    const auto followed = [done] { done(Errno::kNone); };
    const Errno error = on ? sva_.enable(number, feature, followed) : sva_.disable(number, feature, followed);
    if (error != Errno::kNone) {
      done(error);
    }
  });
}

SvaSpace* ProcessKernel::find_space(Pasid pasid) {
  for (const Program& program : programs_) {
    if (program.space->alive && program.space->pasid == pasid) return program.space;
  }
  return nullptr;
}

void ProcessKernel::shoot_down(SvaSpace& space, const Stale& stale, Task done) {
  if (stale.empty()) {
    done();
    return;
  }
  if (space.kernel) {
    for (const Addr page : stale.pages) pages_.free(page);
    return done();
  }
  const Task one = after_all(stale.spans.size(), [this, pages = stale.pages, done = std::move(done)] {
    for (const Addr page : pages) pages_.free(page);
    done();
  });
  for (const AddressSpan& span : stale.spans) sva_.invalidate(space, span, one);
}

void ProcessKernel::fork(Process& parent, const std::string& name, Result result) {
  machine_.after(params_.fork_time, [this, &parent, name, result] {
    std::size_t index = 0;
    while (programs_[index].process->params().name != name) ++index;
    Program& child = programs_[index];
    if (!parent.space().alive || child.begun) {
      result(Errno::kInvalid);
      return;
    }
    Stale stale;
    if (!parent.space().memory.fork_into(child.space->memory, stale)) {
      child.space->memory.release();
      forgo(child);
      shoot_down(parent.space(), stale, [result] { result(Errno::kNoMemory); });
      return;
    }
    ++running_;
    stats_.forks.add();
    const Task told = child.process->set_up_as_child(parent);
    shoot_down(parent.space(), stale, [this, index, told, result] {
      told();
      run_program(index);
      result(Errno::kNone);
    });
  });
}

// --- what it can say about itself ---

std::uint64_t ProcessKernel::programs_done() const {
  std::uint64_t sum = 0;
  for (const Program& program : programs_) sum += program.process->done();
  return sum;
}

std::uint64_t ProcessKernel::programs_total() const {
  std::uint64_t sum = 0;
  for (const Program& program : programs_) sum += program.process->total();
  return sum;
}

std::uint64_t ProcessKernel::programs_in_flight() const {
  std::uint64_t sum = 0;
  for (const Program& program : programs_) sum += program.process->in_flight();
  return sum;
}

void ProcessKernel::dump_programs(std::ostream& out) const {
  for (const Program& program : programs_) program.process->dump_in_flight(out);
}

void ProcessKernel::kill_programs() {
  for (Program& program : programs_) {
    program.begun = true;
    program.process->kill();
  }
  for (const Program& program : programs_) board_.process_ended(program.process->params().name);
}

void ProcessKernel::note_left_steps() {
  for (const Program& program : programs_) {
    for (const auto& [thread, step] : program.process->left()) board_.not_done(thread, *step);
  }
}

}  // namespace svasim
