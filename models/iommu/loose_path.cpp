// Loose timing: a whole request, or the whole invalidation queue, within one call.
#include <algorithm>

#include "base/check.h"
#include "models/iommu/iommu.h"

namespace svasim {

void Iommu::translate_now(Transaction& payload, unsigned link, Ps& time) {
  const Ps now = now_ps();
  PcieExtension& pcie = payload.pcie;
  Attribution& attribution = pcie.attribution;
  time += params_.lookup_latency();
  attribution.charge(Stage::kIommuLookup, now + time);
  if (pcie.kind == TlpKind::kInvalidateCompletion) {
    invalidate_completed(payload);
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
    return;
  }
  SVASIM_CHECK(loose_depth_ < loose_requests_.size(), "too many nested requests");
  Request& r = loose_requests_[loose_depth_++];
  prepare(r, payload, link);
  Action action = process(r);
  for (bool done = false; !done;) {
    switch (action) {
      case Action::kFetchContext:
      case Action::kFetchPasid:
        fetch_now(r, action, time);
        attribution.charge(Stage::kContextFetch, now + time);
        action = r.fault != FaultReason::kNone ? fault(r) : resolve(r);
        break;
      case Action::kRelookup:
        r.keep_space();
        time += params_.iotlb_latency;
        attribution.charge(Stage::kIommuLookup, now + time);
        action = look(r);
        break;
      case Action::kWalk:
        r.keep_space();
        walk_now(r, time);
        action = conclude(r);
        break;
      case Action::kForward:
        time += params_.forward_latency;
        attribution.charge(Stage::kIommuLookup, now + time);
        payload.set_address(r.address());
        payload.source.key = r.number;
        data_.port.access(payload, time);
        payload.set_address(r.iova);
        payload.set_dmi_allowed(payload.is_dmi_allowed() && may_be_granted(r));
        attribution.charge(Stage::kMemory, now + time);
        if (!payload.is_response_ok()) {
          pcie.status = CompletionStatus::kUnsupportedRequest;
        }
        done = true;
        break;
      case Action::kPageRequest: {
        time += params_.forward_latency;
        attribution.charge(Stage::kIommuLookup, now + time);
        sc_core::sc_time delay = to_sc(time);
        (*page_request_socket_)->b_transport(payload, delay);
        time = delay.value();
        page_request_done(r);
        action = Action::kAnswer;
        break;
      }
      case Action::kAnswer:
        note_grants(r);
        payload.set_response_status(pcie.status == CompletionStatus::kSuccess
                                        ? tlm::TLM_OK_RESPONSE
                                        : tlm::TLM_ADDRESS_ERROR_RESPONSE);
        done = true;
        break;
    }
  }
  time += params_.response_latency;
  attribution.charge(Stage::kIommuLookup, now + time);
  r.state = RequestState::kFree;
  --loose_depth_;
}

void Iommu::fetch_now(Request& r, Action action, Ps& time) {
  StructureFetch fetch;
  stats_.structure_fetches.add();
  const Ps started = time;
  StructureFetch::State state = action == Action::kFetchContext ? translator_.fetch_context(r, fetch)
                                                                : translator_.fetch_pasid(r, fetch);
  StructureFetch::Buffer data{};
  while (state == StructureFetch::State::kRead) {
    const unsigned bytes = fetch.bytes();
    const unsigned piece = std::min(bytes, params_.structure_read_bytes);
    bool ok = true;
    const Ps start = time;
    for (unsigned offset = 0; offset < bytes; offset += piece) {
      stats_.structure_reads.add();
      Ps end = start;
      Transaction& access =
          access_now(new_access(Access::Use::kStructure, 0, tlm::TLM_READ_COMMAND, fetch.address() + offset,
                                reinterpret_cast<unsigned char*>(data.data()) + offset, piece),
                     end);
      ok = ok && access.is_response_ok();
      access.release();
      time = std::max(time, end);
    }
    state = fetch.step(capabilities_, data, ok);
  }
  stats_.fetch_latency.record(time - started);
  if (state == StructureFetch::State::kFault) {
    r.fail(fetch.fault(), fetch.place());
    r.quiet = fetch.quiet();
    return;
  }
  translator_.learn(fetch, r.requester,
                    action == Action::kFetchContext ? Pasid() : Translator::pasid_of(r, r.own_context));
  Translator::take(r, fetch);
}

void Iommu::walk_now(Request& r, Ps& time) {
  if (translator_.caches().translations().perfect()) {
    return walk_at_once(r);
  }
  const Ps now = now_ps();
  Walk& walk = *walks_[0];
  WalkExtension& extension = walk.payload.walk;
  const Ps started = time;
  const std::uint64_t born = translator_.stale_check().count();
  time += params_.paging_latency;
  Attribution& attribution = r.payload->pcie.attribution;
  attribution.charge(Stage::kIommuLookup, now + time);
  translator_.make_walk(r, extension.request);
  classify(r, extension.request);
  walk.space = *r.space;
  walk.born = born;
  walk.no_fill = false;
  extension.request.id = ++walk_number_;
  extension.attribution.start(now + time);
  stats_.walks_started.add();
  sc_core::sc_time delay = to_sc(time);
  walk_socket_->b_transport(walk.payload, delay);
  time = delay.value();
  stats_.walks_finished.add();
  stats_.walk_latency.record(time - started);
  attribution.adopt(extension.attribution);
  if (extension.request.nested.cached) {
    learn_second_tables(walk);
  }
  translator_.learn(*r.space, r.requester, extension.request, extension.result, born);
  translator_.take(r, extension.request, extension.result, born);
  if (extension.result.fault == FaultReason::kNone) {
    prefetch_now(r, extension.result.page_shift);
  }
}

// The access is done; the caller releases the payload.
Transaction& Iommu::access_now(Transaction& payload, Ps& time) {
  structures_.port.access(payload, time);
  free_accesses_.push_back(payload.pcie.slot);
  return payload;
}

void Iommu::run_queue_now(Ps& time) {
  if (queue_running_) {
    return;
  }
  queue_running_ = true;
  while (!queue_stopped()) {
    if (const auto error = queue_register_error()) {
      queue_failed(*error);
      break;
    }
    if (!buffer_has_head()) {
      const InvalidationQueueRegisters& queue = registers_.queue();
      buffer_offset_ = queue.head;
      buffer_bytes_ = queue_read_bytes();
      Transaction& access =
          access_now(new_access(Access::Use::kQueue, 0, tlm::TLM_READ_COMMAND, queue.base + queue.head,
                                queue_buffer_.data(), buffer_bytes_),
                     time);
      const bool ok = access.is_response_ok();
      access.release();
      if (!ok) {
        buffer_bytes_ = 0;
        queue_failed(InvalidationQueueError::kFetchError);
        break;
      }
    }
    time += params_.descriptor_latency;
    InvalidationOperation operation;
    Ps cost = 0;
    if (!decode_head(operation) || !execute(operation, cost)) {
      break;
    }
    time += cost;
  }
  queue_running_ = false;
}

}  // namespace svasim
