// The engines of a DSA: which descriptor they take up, and when it is over. Its bytes are in
// dsa_streams.cpp, what comes back in dsa_answers.cpp, its end in dsa_completion.cpp.
#include <algorithm>
#include <optional>

#include "models/dsa/dsa.h"

namespace svasim {

// MODEL: members of a batch are taken up by the engine that fetched them, before what waits in queues.
void Dsa::dispatch(unsigned number) {
  Engine& engine = engines_[number];
  const Ps now = now_ps();
  const auto room = [&engine] {
    return DsaDispatch::Room{!engine.free.empty(), !engine.free_batches.empty()};
  };
  const auto first_ready = [&] {
    return next_batch(engine) != kNone ? now : dispatch_.next_ready(engine.group, room());
  };
  Ps ready = first_ready();
  if (ready <= now && engine.next_start <= now) {
    DsaSubmission submission;
    const std::uint32_t batch_of_member = next_batch(engine);
    if (batch_of_member != kNone) take_member(batch_of_member, submission);
    if (batch_of_member != kNone || dispatch_.take(engine.group, now, room(), submission)) {
      const bool batch = submission.descriptor.opcode() == DsaOpcode::kBatch && !submission.in_batch;
      std::vector<std::uint32_t>& free = batch ? engine.free_batches : engine.free;
      const std::uint32_t task = free.back();
      free.pop_back();
      engine.active.push_back(task);
      const Ps begin = std::max(now, engine.next_request);
      engine.next_request = engine.next_start = begin + params_.dispatch_interval;
      if (batch_of_member == kNone) left_queue(submission.queue, dispatch_.waiting(submission.queue) + 1);
      start(task, submission, begin);
    }
    ready = first_ready();
  }
  if (ready != kNever) {
    wake_.arm(std::max({ready, engine.next_start, now + 1}));
  }
}

// A batch of the engine with a descriptor that can be taken up; kNone when there is none. SPEC: [DSA 8.3]
std::uint32_t Dsa::next_batch(Engine& engine) {
  if (engine.free.empty() || engine.free_batches.size() == params_.batches_in_progress) {
    return kNone;
  }
  for (const std::uint32_t index : engine.active) {
    Task& batch = tasks_[index];
    DsaRun& run = batch.run;
    if (run.next_member == run.members.size()) {
      continue;
    }
    if (!run.members[run.next_member].flag<DsaFlags::FENCE>()) {
      return index;
    }
    if (batch.members_in_progress != 0) {
      continue;
    }
    if (!batch.members_failed) {
      return index;
    }
    // This one and all behind it are abandoned.
    batch.progress.stop(run.next_member * sizeof(DsaDescriptor), DsaStatus::kSuccess);
    run.next_member = run.members.size();
    mark(index);
  }
  return kNone;
}

void Dsa::take_member(std::uint32_t index, DsaSubmission& submission) {
  Task& batch = tasks_[index];
  submission = batch.submission;
  submission.in_batch = true;
  submission.batch = index;
  submission.member = static_cast<std::uint32_t>(batch.run.next_member);
  submission.descriptor = batch.run.members[batch.run.next_member++];
  submission.arrived = now_ps();
  ++batch.members_in_progress;
  mark(index);  // there is room for more
}

// SPEC: [DSA 8.3]: a drain goes on when what was submitted to its queue before has ended; of a shared queue,
// what was submitted with its PASID.
bool Dsa::waits_for_earlier(const Task& task) const {
  if (task.submission.descriptor.opcode() != DsaOpcode::kDrain) {
    return false;
  }
  return std::any_of(tasks_.begin(), tasks_.end(), [&](const Task& other) {
    return other.state != TaskState::kFree && other.submission.queue == task.submission.queue &&
           other.submission.number < task.submission.number &&
           other.submission.pasid == task.submission.pasid;
  });
}

void Dsa::start(std::uint32_t index, const DsaSubmission& submission, Ps begin) {
  Task& task = tasks_[index];
  DsaRun run = std::move(task.run);  // WHY kept: its room
  task = Task();
  task.run = std::move(run);
  task.run.reset();
  task.state = TaskState::kDecoding;
  task.submission = submission;
  const DsaDescriptor& descriptor = submission.descriptor;
  const DsaQueueConfig& queue = queues_[submission.queue];
  const Ps now = now_ps();
  if (!submission.in_batch) {
    stats_.queue_wait.record(now - submission.arrived);
  }

  task.translate = params_.ats && !queue.ats_disable;
  DsaCheckContext context;
  context.version = params_.version;
  context.translates = task.translate;
  context.in_batch = submission.in_batch;
  context.user_interrupts = registers_.user_interrupts();
  context.overlapping_copy = params_.overlapping_copy;
  const std::optional<unsigned> vector = registers_.vector_of(descriptor.interrupt_handle);
  context.interrupt_handle = vector.has_value();
  if (vector) context.permission = registers_.interrupt_permission(*vector);
  context.has_pasid = submission.has_pasid;
  context.privileged = submission.privileged;
  context.pasid = submission.pasid;
  context.privilege_allowed = params_.privileged;
  task.check = check_descriptor(descriptor, queue, context);
  task.page_requests = task.translate && params_.page_requests && !queue.prs_disable;
  if (task.check.status == DsaStatus::kSuccess) {
    task.operation = dsa_operation(descriptor.opcode());
    task.block_on_fault = task.page_requests &&
                          (task.operation->always_requests || descriptor.flag<DsaFlags::BLOCK_ON_FAULT>());
    DsaPlan plan;
    task.operation->plan(descriptor, plan);
    task.progress.start(plan);
    if (task.operation->begin != nullptr) task.operation->begin(descriptor, task.run);
    if (descriptor.opcode() == DsaOpcode::kDrain) ++drains_;
    task.members_failed =
        descriptor.opcode() == DsaOpcode::kBatch && descriptor.flag<DsaFlags::BATCH_ERROR>();
    if (!task.translate) {
      for (unsigned i = 0; i < task.progress.operands(); ++i) {
        task.progress.operand(i).confirm_all();
      }
    }
  }
  push(begin + params_.descriptor_latency, Event::kTask, index, index);
}

void Dsa::advance(unsigned number) {
  Engine& engine = engines_[number];
  engine.dirty = false;
  const GroupState& group = groups_[engine.group];
  for (const std::uint32_t index : engine.active) {
    if (can_go_on(turns_[index], group) && tasks_[index].state == TaskState::kRunning) {
      run_task(index);
    }
  }
}

void Dsa::run_task(std::uint32_t index) {
  Task& task = tasks_[index];
  Turn& turn = turns_[index];
  if (turn.starves()) --starving_;
  turn = Turn();
  if (waits_for_earlier(task)) {
    return;
  }
  ask_pages(index);
  finish_chunks(index);
  start_chunks(index);
  if (task.progress.emits_to() >= 0) {
    emit(index);
    turn.open = task.open != kNone;
  }
  if (over(task)) {
    task.state = TaskState::kFinishing;
    push(now_ps() + params_.completion_latency, Event::kTask, index, index);
  }
}

// Nothing of the operation is left to do.
bool Dsa::over(const Task& task) const {
  return task.progress.at_end() && task.first == kNone && task.open == kNone && task.unposted == 0 &&
         task.pages_in_flight == 0 && task.run.next_emit == task.run.emits.size() &&
         task.run.next_member == task.run.members.size() && task.members_in_progress == 0;
}

}  // namespace svasim
