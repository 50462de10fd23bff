#include "models/host/fault_service.h"

#include <fmt/format.h>

#include <utility>

namespace svasim {

// No stack grows here, and the first thing that is wrong decides.
FaultResult handle_sva_fault(SvaSpace& space, const PageRequest& request, Stale& stale) {
  if (!request.has_pasid || !space.alive || space.kernel) {
    return FaultResult::kNoArea;
  }
  const Vma* vma = space.memory.find_area(request.page);
  if (vma == nullptr) {
    return FaultResult::kNoArea;
  }
  if (request.execute && !vma->execute) {
    return FaultResult::kNoRight;
  }
  return space.memory.fault(request.page, request.read, request.write, &stale);
}

FaultService::FaultService(Machine& machine, const FaultHandlerParams& params, RngStream rng,
                           HostStats& stats, PageFaultLog& journeys, ShootDown shoot_down)
    : machine_(machine),
      params_(params),
      service_time_(params, rng),
      stats_(stats),
      journeys_(journeys),
      shoot_down_(std::move(shoot_down)),
      workers_(params.handlers) {}

IopfQueue& FaultService::add_queue() {
  queues_.push_back(std::make_unique<IopfQueue>(
      static_cast<unsigned>(queues_.size()), [this](const IopfGroupRef& group, IopfQueue::Work work) {
        waiting_.push_back({group, std::move(work), machine_.now()});
        dispatch();
      }));
  return *queues_.back();
}

Errno FaultService::page_request(unsigned iommu, const PageRequest& request) {
  if (request.last) {
    journeys_.reached(request.requester, request.prg_index, FaultStep::kTaken, machine_.now());
  }
  const Errno error = queues_[iommu]->report(request);
  if (error != Errno::kNone) {
    stats_.bad_faults.add();
  }
  return error;
}

void FaultService::page_requests_lost(unsigned iommu) {
  stats_.partials_discarded.add(queues_[iommu]->discard_partial());
}

void FaultService::flush(unsigned iommu, Task done) { queues_[iommu]->flush(std::move(done)); }

void FaultService::remove_device(unsigned iommu, RequesterId device) {
  stats_.responses.add(queues_[iommu]->remove_device(device));
}

// --- workers ---

void FaultService::dispatch() {
  for (Worker& worker : workers_) {
    if (waiting_.empty()) {
      return;
    }
    if (worker.busy) {
      continue;
    }
    worker.busy = true;
    worker.answering = false;
    worker.group = waiting_.front().group;
    worker.queued = waiting_.front().queued;
    const IopfQueue::Work work = std::move(waiting_.front().work);
    waiting_.pop_front();
    stats_.fault_queue.record(machine_.now() - worker.queued);
    log(*worker.group, FaultStep::kHandled);
    work([this, &worker] {
      worker.busy = false;
      dispatch();
    });
  }
}

FaultService::Worker* FaultService::worker_of(const IopfGroupRef& group) {
  for (Worker& worker : workers_) {
    if (worker.busy && worker.group == group) return &worker;
  }
  return nullptr;
}

void FaultService::log(const IopfGroup& group, FaultStep step) {
  journeys_.reached(group.last().requester, group.last().prg_index, step, machine_.now());
}

// --- shared address spaces ---

IopfQueue::Handler FaultService::sva_handler(SvaSpace& space) {
  return [this, &space](const IopfGroupRef& group) {
    const Errno error = queues_[group->queue]->queue_work(group, [this, group, &space](const Task& done) {
      serve(std::make_shared<Serving>(Serving{group, &space, 0, machine_.now(), done}));
    });
    if (error == Errno::kNone) {
      stats_.page_groups.add();
    }
    return error;
  };
}

void FaultService::serve(const std::shared_ptr<Serving>& serving) {
  Ps time = service_time_.draw();
  if (serving->space->memory.is_major(serving->group->requests[serving->next].page)) {
    stats_.major_faults.add();
    time += params_.major_time;
  }
  machine_.after(time, [this, serving] { served(serving); });
}

// The first page that cannot be given decides; nothing after it is looked at.
void FaultService::served(const std::shared_ptr<Serving>& serving) {
  Stale stale;
  const FaultResult result =
      handle_sva_fault(*serving->space, serving->group->requests[serving->next], stale);
  if (!is_handled(result)) {
    stats_.bad_faults.add();
    answer(*serving, PageResponseCode::kInvalidRequest);
    return;
  }
  (result == FaultResult::kAlreadyMapped ? stats_.pages_present : stats_.pages_mapped).add();
  stats_.pages_copied.add(result == FaultResult::kCopied ? 1 : 0);
  ++serving->next;
  if (stale.empty()) {
    go_on(serving);
  } else {
    shoot_down_(*serving->space, stale, [this, serving] { go_on(serving); });
  }
}

void FaultService::go_on(const std::shared_ptr<Serving>& serving) {
  if (serving->next < serving->group->requests.size()) {
    serve(serving);
  } else {
    answer(*serving, PageResponseCode::kSuccess);
  }
}

void FaultService::answer(const Serving& serving, PageResponseCode code) {
  stats_.fault_service.record(machine_.now() - serving.taken);
  log(*serving.group, FaultStep::kDecided);
  if (params_.drop_prg_responses) {
    stats_.responses_dropped.add();
    serving.group->dropped = true;
    serving.done();
    return;
  }
  Worker* worker = worker_of(serving.group);
  worker->answering = true;
  const Ps queued = worker->queued;
  const Errno error =
      queues_[serving.group->queue]->respond(serving.group, code, [this, queued, done = serving.done] {
        stats_.fault_total.record(machine_.now() - queued);
        done();
      });
  if (error == Errno::kNone) {
    stats_.responses.add();
  } else {
    serving.done();  // it was answered when its device was removed
  }
}

std::uint64_t FaultService::in_flight() const {
  // WHY partial groups do not count: when the last request of one finds the queue full while others of it are
  // still on their way to memory, hardware answers it, software discards what it has seen, and these stay
  // until the next overflow. The device waits for nothing. SPEC: [LINUX drivers/iommu/intel/prq.c]
  std::uint64_t count = waiting_.size();
  for (const Worker& worker : workers_) count += worker.busy ? 1 : 0;
  return count;
}

void FaultService::dump_in_flight(const std::string& who, std::ostream& out) const {
  const auto line = [&](const PageRequest& request, const char* what) {
    out << fmt::format("{}: page request of {}, PASID {}, page {:#x}, group {}: {}\n", who,
                       to_string(request.requester), request.pasid.value(), request.page, request.prg_index,
                       what);
  };
  for (const Worker& worker : workers_) {
    if (worker.busy) {
      line(worker.group->last(),
           worker.answering ? "its response is being submitted" : "a handler serves it");
    }
  }
  for (const Waiting& group : waiting_) line(group.group->last(), "waits for a handler");
  for (const auto& queue : queues_) {
    queue->dump_partials(
        [&](const PageRequest& partial) { line(partial, "waits for the last of its group"); });
  }
}

}  // namespace svasim
