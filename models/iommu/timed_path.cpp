// Requests in time: slots, fetches, walks, memory, answers.
#include <algorithm>

#include "base/check.h"
#include "models/iommu/iommu.h"

namespace svasim {

// --- Lists

void Iommu::append(WaitList& list, std::uint32_t index) {
  requests_[index].next_waiter = kNoRequest;
  if (list.empty()) {
    list.first = index;
  } else {
    requests_[list.last].next_waiter = index;
  }
  list.last = index;
}

std::uint32_t Iommu::pop(WaitList& list) {
  const std::uint32_t index = list.first;
  list.first = requests_[index].next_waiter;
  return index;
}

// --- In and out

// False: no slot is free.
bool Iommu::begin(const Arrival& arrival, Ps now) {
  Transaction& payload = *arrival.payload;
  const bool needs_slot = payload.pcie.kind != TlpKind::kInvalidateCompletion;
  const std::uint32_t index = needs_slot ? slots_.take(now) : kNoRequest;
  if (needs_slot && index == SlotPool::kNone) {
    return false;
  }
  tlm::tlm_phase phase = tlm::END_REQ;
  sc_core::sc_time delay = end_request_delay_;
  links_[arrival.link]->requests->nb_transport_bw(payload, phase, delay);
  // Time in the backlog.
  stats_.queue_wait.record(arrival.wait + now - payload.pcie.attribution.mark());
  payload.pcie.attribution.charge(Stage::kIommuQueue, now);
  if (!needs_slot) {
    invalidate_completed(payload);
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
    phase = tlm::BEGIN_RESP;
    delay = to_sc(params_.response_latency);
    links_[arrival.link]->requests->nb_transport_bw(payload, phase, delay);
    return true;
  }

  Request& r = requests_[index];
  prepare(r, payload, arrival.link);
  payload.pcie.slot = index;
  r.older = youngest_;
  r.younger = kNoRequest;
  (youngest_ == kNoRequest ? oldest_ : requests_[youngest_].younger) = index;
  youngest_ = index;

  // SPEC: [PCIE 2.4.1] writes do not pass writes. One that can leave at once needs no place in line.
  Device& device = devices_[r.device];
  const bool ordered = params_.ordered_writes && payload.pcie.kind == TlpKind::kMemWrite;
  const auto line_up = [&] {
    r.in_write_order = true;
    r.write_before = device.last_write;
    r.write_after = kNoRequest;
    (device.last_write == kNoRequest ? device.first_write : requests_[device.last_write].write_after) = index;
    device.last_write = index;
  };
  if (ordered && device.first_write != kNoRequest) {
    line_up();
  }
  const Action action = process(r);
  if (ordered && !r.in_write_order && action != Action::kForward && action != Action::kAnswer) {
    line_up();
  }
  act(index, action);
  return true;
}

void Iommu::act(std::uint32_t index, Action action) {
  Request& r = requests_[index];
  switch (action) {
    case Action::kForward:
      return forward(index);
    case Action::kAnswer:
      note_grants(r);
      return answer(r, params_.response_latency);
    case Action::kFetchContext:
    case Action::kFetchPasid:
      return start_fetch(index, action);
    case Action::kRelookup:
      r.keep_space();
      r.state = RequestState::kRelookup;
      r.payload->pcie.attribution.charge(Stage::kIommuLookup, now_ps() + params_.iotlb_latency);
      return schedule(now_ps() + params_.iotlb_latency, Work::kRelookup, r.number, index);
    case Action::kWalk:
      return start_walk(index);
    case Action::kPageRequest: {
      r.state = RequestState::kPageRequest;
      Transaction& payload = *r.payload;
      payload.pcie.attribution.charge(Stage::kIommuLookup, now_ps() + params_.forward_latency);
      tlm::tlm_phase phase = tlm::BEGIN_REQ;
      sc_core::sc_time delay = to_sc(params_.forward_latency);
      (*page_request_socket_)->nb_transport_fw(payload, phase, delay);
      return;
    }
  }
}

void Iommu::forward(std::uint32_t index) {
  Request& r = requests_[index];
  if (!r.in_write_order) {
    return send_data(r);
  }
  r.state = RequestState::kOrder;
  release_writes(devices_[r.device]);
}

void Iommu::release_writes(Device& device) {
  while (device.first_write != kNoRequest) {
    Request& r = requests_[device.first_write];
    if (r.state != RequestState::kOrder) {
      return;
    }
    leave_write_order(r);
    send_data(r);
  }
}

void Iommu::leave_write_order(Request& r) {
  Device& device = devices_[r.device];
  (r.write_before == kNoRequest ? device.first_write : requests_[r.write_before].write_after) = r.write_after;
  (r.write_after == kNoRequest ? device.last_write : requests_[r.write_after].write_before) = r.write_before;
  r.in_write_order = false;
}

void Iommu::send_data(Request& r) {
  Transaction& payload = *r.payload;
  r.state = RequestState::kMemory;
  payload.set_address(r.address());
  payload.source.key = r.number;
  payload.source.hops = 0;
  payload.pcie.attribution.charge(Stage::kIommuLookup, now_ps() + params_.forward_latency);
  data_.port.send(payload, params_.forward_latency);
}

void Iommu::data_response(Transaction& payload, Ps delay) {
  const std::uint32_t index = payload.pcie.slot;
  Request& r = requests_[index];
  payload.set_address(r.iova);
  const Ps now = now_ps();
  payload.pcie.attribution.charge(Stage::kMemory, now + delay);
  payload.pcie.attribution.charge(Stage::kIommuLookup, now + delay + params_.response_latency);
  if (!payload.is_response_ok()) {
    payload.pcie.status = CompletionStatus::kUnsupportedRequest;
  }
  tlm::tlm_phase phase = tlm::BEGIN_RESP;
  sc_core::sc_time time = to_sc(delay + params_.response_latency);
  const unsigned link = r.port;
  retire(index, now + delay);
  links_[link]->requests->nb_transport_bw(payload, phase, time);
}

// Answers without an access to memory, `delay` after now.
void Iommu::answer(Request& r, Ps delay) {
  Transaction& payload = *r.payload;
  const bool was_in_order = r.in_write_order;
  if (was_in_order) {
    leave_write_order(r);
  }
  Device& device = devices_[r.device];
  payload.set_response_status(payload.pcie.status == CompletionStatus::kSuccess
                                  ? tlm::TLM_OK_RESPONSE
                                  : tlm::TLM_ADDRESS_ERROR_RESPONSE);
  const Ps when = now_ps() + delay;
  payload.pcie.attribution.charge(Stage::kIommuLookup, when);
  tlm::tlm_phase phase = tlm::BEGIN_RESP;
  sc_core::sc_time time = to_sc(delay);
  const unsigned link = r.port;
  retire(payload.pcie.slot, when);
  links_[link]->requests->nb_transport_bw(payload, phase, time);
  if (was_in_order) {
    release_writes(device);
  }
}

// The request is finished at `when`. Called in call-backs too: what it changes does not depend on
// the order in which requests that finish at one time do so.
void Iommu::retire(std::uint32_t index, Ps when) {
  Request& r = requests_[index];
  (r.older == kNoRequest ? oldest_ : requests_[r.older].younger) = r.younger;
  (r.younger == kNoRequest ? youngest_ : requests_[r.younger].older) = r.older;
  r.state = RequestState::kFree;
  slots_.give_back(index, when);
  if (!backlog_.empty()) {
    wake_.arm(when);
  }
  latest_retire_ = std::max(latest_retire_, when);
  if (drain_.includes(r)) {
    latest_drained_ = std::max(latest_drained_, when);
  }
  if (!waits_.empty()) {
    for (PendingWait& wait : waits_) {
      if (wait.drain.includes(r)) {
        wait.earliest = std::max(wait.earliest, when);
      }
    }
    schedule(when, Work::kDrainCheck, 0, 0);
  }
}

// --- Structure fetches

void Iommu::start_fetch(std::uint32_t index, Action action) {
  Request& r = requests_[index];
  const bool is_context = action == Action::kFetchContext;
  const Pasid pasid = is_context ? Pasid() : Translator::pasid_of(r, r.own_context);
  Fetch* unused = nullptr;
  for (Fetch& fetch : fetches_) {
    if (!fetch.busy) {
      unused = unused == nullptr ? &fetch : unused;
    } else if (!fetch.outdated && !r.no_fill && fetch.is_context == is_context &&
               fetch.requester == r.requester && fetch.pasid == pasid) {
      stats_.merged_fetches.add();
      r.state = RequestState::kFetch;
      append(fetch.waiters, index);
      return;
    }
  }
  if (unused == nullptr) {
    r.state = RequestState::kFetchQueue;
    append(fetch_queue_, index);
    return;
  }
  launch_fetch(*unused, index, action);
}

void Iommu::launch_fetch(Fetch& fetch, std::uint32_t index, Action action) {
  Request& r = requests_[index];
  r.state = RequestState::kFetch;
  fetch.busy = true;
  fetch.outdated = r.no_fill;
  fetch.requester = r.requester;
  fetch.is_context = action == Action::kFetchContext;
  fetch.pasid = fetch.is_context ? Pasid() : Translator::pasid_of(r, r.own_context);
  fetch.started = r.payload->pcie.attribution.mark();
  fetch.number = ++fetch_number_;
  fetch.waiters = WaitList();
  append(fetch.waiters, index);
  stats_.structure_fetches.add();
  if (fetch.is_context) {
    translator_.fetch_context(r, fetch.machine);
  } else {
    translator_.fetch_pasid(r, fetch.machine);
  }
  read_structure(fetch);
}

void Iommu::read_structure(Fetch& fetch) {
  const unsigned bytes = fetch.machine.bytes();
  const unsigned piece = std::min(bytes, params_.structure_read_bytes);
  const auto owner = static_cast<std::uint32_t>(&fetch - fetches_.data());
  fetch.ok = true;
  fetch.latest = 0;
  fetch.pending = bytes / piece;
  auto* data = reinterpret_cast<unsigned char*>(fetch.data.data());
  // WHY counted first: a target may answer within the call.
  for (unsigned offset = 0; offset < bytes; offset += piece) {
    stats_.structure_reads.add();
    send_access(new_access(Access::Use::kStructure, owner, tlm::TLM_READ_COMMAND,
                           fetch.machine.address() + offset, data + offset, piece),
                1);
  }
}

void Iommu::structure_data(Fetch& fetch) {
  const StructureFetch::State state = fetch.machine.step(capabilities_, fetch.data, fetch.ok);
  if (state == StructureFetch::State::kRead) {
    return read_structure(fetch);
  }
  const Ps now = now_ps();
  stats_.fetch_latency.record(now - fetch.started);
  if (state == StructureFetch::State::kDone && !fetch.outdated) {
    translator_.learn(fetch.machine, fetch.requester, fetch.pasid);
  }
  WaitList waiters = fetch.waiters;
  const StructureFetch done = fetch.machine;
  const bool outdated = fetch.outdated;
  fetch.busy = false;
  while (!waiters.empty()) {
    const std::uint32_t index = pop(waiters);
    Request& r = requests_[index];
    r.payload->pcie.attribution.charge(Stage::kContextFetch, now);
    r.no_fill = r.no_fill || outdated;
    if (state == StructureFetch::State::kFault) {
      r.fail(done.fault(), done.place());
      r.quiet = done.quiet();
      act(index, fault(r));
    } else {
      Translator::take(r, done);
      act(index, resolve(r));
    }
  }
  // Those that found no free fetch try again, in their order.
  WaitList queue = fetch_queue_;
  fetch_queue_ = WaitList();
  while (!queue.empty()) {
    const std::uint32_t index = pop(queue);
    Request& r = requests_[index];
    r.payload->pcie.attribution.charge(Stage::kContextFetch, now);
    act(index, resolve(r));
  }
}

// --- Walks

void Iommu::start_walk(std::uint32_t index) {
  Request& r = requests_[index];
  r.keep_space();
  if (translator_.caches().translations().perfect()) {
    return look_perfectly(index);
  }
  r.missed = now_ps();
  find_walk(index);
}

// WHY the kind is in the key: a walk for a translation request reports rights, one for an access
// faults on them.
Iommu::WalkKey Iommu::walk_key(const Request& r) const {
  const bool is_request = r.kind == RequestKind::kTranslationRequest;
  return {(r.iova & ~(kPageSize - 1)) | Addr{is_request}, translator_.iotlb_key(r).bits()};
}

// Joins the walk of the page, starts one, or waits until one is free.
void Iommu::find_walk(std::uint32_t index) {
  Request& r = requests_[index];
  const WalkKey key = walk_key(r);
  if (!r.no_fill && params_.merge_walks) {
    const WalkKey* const first = walk_keys_.data();
    const WalkKey* const end = first + walk_keys_.size();
    for (const WalkKey* other = first; other != end; ++other) {
      if (other->page == key.page && other->tag == key.tag) {
        stats_.merged_walks.add();
        r.state = RequestState::kWalk;
        append(walks_[static_cast<std::size_t>(other - first)]->waiters, index);
        return;
      }
    }
  }
  if (free_walks_.empty()) {
    r.state = RequestState::kWalkQueue;
    append(walk_queue_, index);
    return;
  }
  const std::uint32_t number = free_walks_.back();
  free_walks_.pop_back();
  launch_walk(number, index);
}

void Iommu::launch_walk(std::uint32_t number, std::uint32_t index) {
  Request& r = requests_[index];
  Walk& walk = *walks_[number];
  r.state = RequestState::kWalk;
  walk_keys_[number] = r.no_fill ? WalkKey() : walk_key(r);
  walk.no_fill = r.no_fill;
  walk.prefetch = false;
  walk.space = *r.space;
  walk.requester = r.requester;
  walk.page = r.iova & ~(kPageSize - 1);
  walk.waiters = WaitList();
  append(walk.waiters, index);
  translator_.make_walk(r, walk.payload.walk.request);
  classify(r, walk.payload.walk.request);
  const Ps leave = now_ps() + params_.paging_latency;
  r.payload->pcie.attribution.charge(Stage::kIommuLookup, leave);
  stats_.walks_started.add();
  send_walk(number, leave);
}

void Iommu::send_walk(std::uint32_t number, Ps leave) {
  Walk& walk = *walks_[number];
  walk.busy = true;
  walk.born = translator_.stale_check().count();
  WalkExtension& extension = walk.payload.walk;
  extension.request.id = ++walk_number_;
  extension.attribution.start(leave);
  tlm::tlm_phase phase = tlm::BEGIN_REQ;
  sc_core::sc_time delay = to_sc(leave - now_ps());
  walk_socket_->nb_transport_fw(walk.payload, phase, delay);
}

void Iommu::walk_done(std::uint32_t number) {
  const Ps now = now_ps();
  Walk& walk = *walks_[number];
  walk_keys_[number] = WalkKey();
  if (walk.payload.walk.request.nested.cached) {
    learn_second_tables(walk);
  }
  if (walk.prefetch) {
    prefetch_done(walk);
    walk.busy = false;
    free_walks_.push_back(number);
    return start_waiting_walks();
  }
  const WalkExtension& done = walk.payload.walk;
  stats_.walks_finished.add();
  if (walk.no_fill || !translator_.learn(walk.space, walk.requester, done.request, done.result, walk.born)) {
    stats_.stale_walks.add();
  }
  WaitList waiters = walk.waiters;
  const std::uint32_t owner = waiters.first;
  const unsigned shift = done.result.page_shift;
  const bool prefetches =
      params_.iotlb.prefetch != 0 && !walk.no_fill && done.result.fault == FaultReason::kNone;
  if (prefetches) {
    ahead_ = requests_[owner];
    ahead_.space = &ahead_.own_space;
    ahead_born_ = walk.born;
    neighbours_ = NeighbourEntries(done);
  }
  while (!waiters.empty()) {
    const std::uint32_t index = pop(waiters);
    Request& r = requests_[index];
    Attribution& attribution = r.payload->pcie.attribution;
    stats_.walk_latency.record(now - r.missed);
    if (index == owner) {
      attribution.adopt(done.attribution);
    } else {
      attribution.charge(Stage::kWalkWait, now);
    }
    const Translator::Next next = translator_.take(r, done.request, done.result, walk.born);
    act(index, next == Translator::Next::kWalk ? Action::kWalk : conclude(r));
  }
  walk.busy = false;
  free_walks_.push_back(number);
  start_waiting_walks();
  if (prefetches) {
    prefetch(shift);
  }
}

void Iommu::start_waiting_walks() {
  const Ps now = now_ps();
  while (!walk_queue_.empty() && !free_walks_.empty()) {
    const std::uint32_t index = pop(walk_queue_);
    Request& r = requests_[index];
    r.payload->pcie.attribution.charge(Stage::kWalkWait, now);
    // WHY look again: the page may be known by now, walked for a request that came before.
    if (!r.no_fill && translator_.caches().translations().holds(translator_.iotlb_key(r), r.iova)) {
      act(index, look(r));
    } else {
      find_walk(index);
    }
  }
}

}  // namespace svasim
