#include "models/host/fault_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace svasim {

FaultService::FaultService(Machine& machine, const FaultHandlerParams& params, RngStream rng,
                           HostStats& stats, PageFaultLog& journeys, Find find, Respond respond)
    : machine_(machine),
      params_(params),
      rng_(rng),
      stats_(stats),
      journeys_(journeys),
      find_(std::move(find)),
      respond_(std::move(respond)),
      handlers_(params.handlers) {}

void FaultService::page_request(unsigned iommu, const PageRequest& request) {
  if (!request.last) {
    partials_.push_back(Partial{iommu, request});
    return;
  }
  Group group;
  group.iommu = iommu;
  group.queued = machine_.now();
  const auto mine = [&](const Partial& partial) {
    return partial.iommu == iommu && partial.request.requester == request.requester &&
           partial.request.prg_index == request.prg_index;
  };
  for (const Partial& partial : partials_) {
    if (mine(partial)) {
      group.requests.push_back(partial.request);
    }
  }
  partials_.erase(std::remove_if(partials_.begin(), partials_.end(), mine), partials_.end());
  group.requests.push_back(request);
  stats_.page_groups.add();
  waiting_.push_back(std::move(group));
  dispatch();
}

void FaultService::page_requests_lost(unsigned iommu) {
  const auto lost = std::remove_if(partials_.begin(), partials_.end(),
                                   [iommu](const Partial& partial) { return partial.iommu == iommu; });
  stats_.partials_discarded.add(static_cast<std::uint64_t>(partials_.end() - lost));
  partials_.erase(lost, partials_.end());
}

void FaultService::dispatch() {
  for (std::uint32_t i = 0; i < handlers_.size() && !waiting_.empty(); ++i) {
    Handler& handler = handlers_[i];
    if (handler.busy) {
      continue;
    }
    handler.busy = true;
    handler.answering = false;
    handler.group = std::move(waiting_.front());
    waiting_.pop_front();
    handler.next = 0;
    handler.taken = machine_.now();
    handler.code = PageResponseCode::kSuccess;
    stats_.fault_queue.record(handler.taken - handler.group.queued);
    log(handler, Stage::kHandlerQueue);
    serve(i);
  }
}

void FaultService::log(const Handler& handler, Stage stage) {
  const PageRequest& last = handler.group.requests.back();
  journeys_.charge(last.requester, last.prg_index, stage, machine_.now());
}

Ps FaultService::service_time() {
  if (params_.distribution == "fixed") {
    return params_.service_time;
  }
  return params_.service_time - params_.service_spread + rng_.below(2 * params_.service_spread + 1);
}

void FaultService::serve(std::uint32_t index) {
  machine_.after(service_time(), [this, index] { served(index); });
}

// SPEC: [LINUX iommu_sva_handle_mm, iommu_sva_iopf_handler]: the first page that cannot be given
// decides; nothing after it is looked at.
void FaultService::served(std::uint32_t index) {
  Handler& handler = handlers_[index];
  const PageRequest& request = handler.group.requests[handler.next];
  ProcessMemory* space = find_(request.requester, request.pasid);
  const FaultResult result =
      space == nullptr ? FaultResult::kNoArea : space->fault(request.page, request.read, request.write);
  if (!is_handled(result)) {
    stats_.bad_faults.add();
    handler.code = PageResponseCode::kInvalidRequest;
    answer(index);
    return;
  }
  (result == FaultResult::kMapped ? stats_.pages_mapped : stats_.pages_present).add();
  if (++handler.next < handler.group.requests.size()) {
    serve(index);
  } else {
    answer(index);
  }
}

void FaultService::answer(std::uint32_t index) {
  Handler& handler = handlers_[index];
  stats_.fault_service.record(machine_.now() - handler.taken);
  log(handler, Stage::kHandler);
  handler.answering = true;
  const auto done = [this, index] {
    Handler& mine = handlers_[index];
    stats_.fault_total.record(machine_.now() - mine.group.queued);
    mine.busy = false;
    dispatch();
  };
  if (params_.drop_prg_responses) {
    stats_.responses_dropped.add();
    handler.busy = false;
    dispatch();
    return;
  }
  stats_.responses.add();
  respond_(handler.group.iommu, handler.group.requests.back(), handler.code, done);
}

std::uint64_t FaultService::in_flight() const {
  std::uint64_t count = waiting_.size() + partials_.size();
  for (const Handler& handler : handlers_) {
    count += handler.busy ? 1 : 0;
  }
  return count;
}

void FaultService::dump_in_flight(const std::string& who, std::ostream& out) const {
  const auto line = [&](const PageRequest& request, const char* what) {
    out << fmt::format("{}: page request of {}, PASID {}, page {:#x}, group {}: {}\n", who,
                       to_string(request.requester), request.pasid.value(), request.page, request.prg_index,
                       what);
  };
  for (const Handler& handler : handlers_) {
    if (handler.busy) {
      line(handler.group.requests.back(),
           handler.answering ? "its response is being submitted" : "a handler serves it");
    }
  }
  for (const Group& group : waiting_) {
    line(group.requests.back(), "waits for a handler");
  }
  for (const Partial& partial : partials_) {
    line(partial.request, "waits for the last of its group");
  }
}

}  // namespace svasim
