// The invalidation queue engine. SPEC: [VTD 6.5.2]
#include <algorithm>
#include <cstring>

#include "models/formats/ats_messages.h"
#include "models/iommu/iommu.h"

namespace svasim {

// --- Fetching

// Nothing to do, or not allowed to.
bool Iommu::queue_stopped() const {
  const InvalidationQueueRegisters& queue = registers_.queue();
  if (!registers_.queue_enabled() || queue.head == queue.tail ||
      registers_.faults().has(VtdFsts::IQE::kMask | VtdFsts::ITE::kMask)) {
    return true;
  }
  // SPEC: [VTD 6.5.2.8] FN = 1 holds later descriptors back.
  return std::any_of(waits_.begin(), waits_.end(),
                     [](const PendingWait& wait) { return wait.operation.fence; });
}

// SPEC: [VTD 6.5.2.10] errors of the registers, met when a descriptor is to be fetched.
std::optional<InvalidationQueueError> Iommu::queue_register_error() const {
  const InvalidationQueueRegisters& queue = registers_.queue();
  const TranslationMode mode = translator_.root().mode;
  if (mode == TranslationMode::kReserved) {
    return InvalidationQueueError::kInvalidMode;
  }
  if (mode != TranslationMode::kLegacy && !queue.wide) {
    return InvalidationQueueError::kInvalidWidth;
  }
  if (queue.tail % queue.descriptor_bytes() != 0) {
    return InvalidationQueueError::kTailMisaligned;
  }
  if (queue.tail >= queue.size) {
    return InvalidationQueueError::kInvalidTail;
  }
  return {};
}

// Up to the end of the line, of the queue, or of what software has written.
unsigned Iommu::queue_read_bytes() const {
  const InvalidationQueueRegisters& queue = registers_.queue();
  const std::uint64_t written = (queue.tail > queue.head ? queue.tail : queue.size) - queue.head;
  const std::uint64_t line = queue_buffer_.size() - queue.head % queue_buffer_.size();
  return static_cast<unsigned>(std::min(written, line));
}

bool Iommu::buffer_has_head() const {
  const InvalidationQueueRegisters& queue = registers_.queue();
  return queue.head >= buffer_offset_ &&
         queue.head + queue.descriptor_bytes() <= buffer_offset_ + buffer_bytes_;
}

void Iommu::kick_queue() {
  if (context_.loose()) {
    Ps time = 0;
    run_queue_now(time);
  } else if (!queue_busy_) {
    queue_step();
  }
}

void Iommu::queue_step() {
  if (queue_stopped()) {
    return;
  }
  if (const auto error = queue_register_error()) {
    return queue_failed(*error);
  }
  queue_busy_ = true;
  if (buffer_has_head()) {
    schedule(now_ps() + params_.descriptor_latency, Work::kQueueExecute, 0, queue_epoch_);
    return;
  }
  const InvalidationQueueRegisters& queue = registers_.queue();
  buffer_offset_ = queue.head;
  buffer_bytes_ = queue_read_bytes();
  send_access(new_access(Access::Use::kQueue, queue_epoch_, tlm::TLM_READ_COMMAND, queue.base + queue.head,
                         queue_buffer_.data(), buffer_bytes_),
              1);
}

void Iommu::queue_data(std::uint32_t ok) {
  queue_busy_ = false;
  if (ok == 0) {
    return queue_failed(InvalidationQueueError::kFetchError);
  }
  queue_step();
}

void Iommu::queue_execute() {
  InvalidationOperation operation;
  Ps cost = 0;
  // WHY busy meanwhile: a fence that is done at once must not start the next descriptor by itself.
  if (!decode_head(operation) || !execute(operation, cost)) {
    queue_busy_ = false;
    return;
  }
  schedule(now_ps() + std::max<Ps>(cost, 1), Work::kQueueStep, 0, queue_epoch_);
}

void Iommu::queue_failed(InvalidationQueueError error, const InvalidationDescriptor* descriptor) {
  log_.queue_error(error, registers_.queue(), descriptor);
  // SPEC: [VTD 6.5.2.10] the head stays; nothing is fetched until software clears IQE.
  buffer_bytes_ = 0;
  stats_.queue_errors.add();
  if (const auto message = registers_.queue_error(error)) {
    send_interrupt(*message);
  }
}

bool Iommu::decode_head(InvalidationOperation& operation) {
  const InvalidationQueueRegisters& queue = registers_.queue();
  InvalidationDescriptor descriptor{};
  std::memcpy(descriptor.data(), queue_buffer_.data() + (queue.head - buffer_offset_),
              queue.descriptor_bytes());
  if (const auto error = decode_invalidation(descriptor, translator_.root().mode, queue.wide,
                                             capabilities_.params().max_address_mask, operation)) {
    queue_failed(*error, &descriptor);
    return false;
  }
  return true;
}

void Iommu::advance_head() {
  InvalidationQueueRegisters& queue = registers_.queue();
  queue.head += queue.descriptor_bytes();
  if (queue.head >= queue.size) {
    queue.head = 0;
  }
}

// --- Executing

bool Iommu::execute(const InvalidationOperation& operation, Ps& cost) {
  using Kind = InvalidationOperation::Kind;
  if (operation.kind == Kind::kDeviceTlb && !invalidate_device(operation)) {
    return false;
  }
  advance_head();
  stats_.descriptors.add();
  if (context_.monitor != nullptr) {
    history_.executed(operation, translator_.stale_check().count(), now_ps());
  }
  switch (operation.kind) {
    case Kind::kDeviceTlb:
      cost = params_.message_latency;
      break;
    case Kind::kWait:
      wait_for_drain(operation, {});
      break;
    case Kind::kGroupResponse:
      stats_.group_responses.add();
      send_group_response(operation.requester, operation.has_pasid, operation.pasid, operation.prg_index,
                          operation.response_code);
      cost = params_.message_latency;
      break;
    default:
      invalidate_caches(operation);
      cost = params_.flush_latency;
      break;
  }
  return true;
}

void Iommu::invalidate_caches(const InvalidationOperation& operation) {
  using Kind = InvalidationOperation::Kind;
  TranslationCaches& caches = translator_.caches();
  stats_.cache_invalidations.add();
  switch (operation.kind) {
    case Kind::kContextGlobal:
      caches.invalidate_contexts();
      return outdate_contexts();
    case Kind::kContextDomain:
      caches.invalidate_contexts(operation.did);
      return outdate_contexts();
    case Kind::kContextDevice:
      caches.invalidate_contexts(operation.requester, operation.requester_mask);
      return outdate_contexts();
    case Kind::kPasidGlobal:
      caches.invalidate_pasids();
      return outdate_contexts();
    case Kind::kPasidDomain:
      caches.invalidate_pasids(operation.did);
      return outdate_contexts();
    case Kind::kPasidSelective:
      caches.invalidate_pasids(operation.did, operation.pasid);
      return outdate_contexts();
    case Kind::kTranslations: {
      // SPEC: [VTD 6.5.4, 11.4.2] DR and DW choose before major version 2; from then on it is always both.
      const bool always = capabilities_.params().version >= 2;
      if (always || operation.drain_reads) drain_.reads_before = next_number_;
      if (always || operation.drain_writes) drain_.writes_before = next_number_;
      if (always || operation.drain_reads || operation.drain_writes) latest_drained_ = latest_retire_;
      invalidate_translations(operation.scope);
      // WHY not at the wait: a page request's implicit invalidation between the two drains nothing.
      if (always || (operation.drain_reads && operation.drain_writes)) {
        drained_scopes_ = translator_.stale_check().count();
      }
      return;
    }
    default:
      return;  // interrupt entries are not cached
  }
}

// SPEC: [VTD 6.5.4, 7.10] what may have used an invalidated translation has to finish: the requests that were
// in the IOMMU when it was invalidated. With PD the page requests of now have to be in the queue.
// MODEL: requests of all devices and address spaces.
void Iommu::wait_for_drain(const InvalidationOperation& operation,
                           std::optional<RegisterInvalidation::Command> command) {
  PendingWait wait;
  wait.operation = operation;
  wait.command = command;
  wait.drain = drain_;
  wait.drain.page_requests_before = operation.page_drain ? next_number_ : 0;
  wait.devices_before = command ? 0 : device_invalidation_number_ + 1;
  wait.scopes = drained_scopes_;
  wait.history = history_.count();
  wait.executed = now_ps();
  wait.earliest = std::max(wait.executed, operation.page_drain ? latest_retire_ : latest_drained_);
  waits_.push_back(wait);
  check_waits();
}

// --- By registers

void Iommu::invalidate_by_register(RegisterInvalidation::Command command, Ps& time) {
  // SPEC: [VTD 6.5.1] legacy mode and major versions up to 5 only. WHY not with the queue enabled: the two
  // ways must not be mixed, and the specification does not say what hardware then does.
  const bool allowed = translator_.root().mode == TranslationMode::kLegacy &&
                       capabilities_.params().version <= 5 && !registers_.queue_enabled();
  const auto operation =
      registers_.invalidation().start(command, allowed, capabilities_.params().max_address_mask);
  if (!operation) {
    return registers_.invalidation().done(command);
  }
  if (context_.monitor != nullptr) {
    history_.commanded(*operation, translator_.stale_check().count(), now_ps());
  }
  invalidate_caches(*operation);
  if (context_.loose()) {
    time += params_.flush_latency;
    return wait_for_drain(InvalidationOperation(), command);
  }
  schedule(now_ps() + params_.flush_latency, Work::kRegisterInvalidation, 0,
           static_cast<std::uint32_t>(command));
}

void Iommu::invalidate_translations(const InvalidationScope& scope) {
  translator_.caches().invalidate(scope);
  translator_.stale_check().executed(scope);
  // A walk under way may have read the old entry. Who waits for it came before the invalidation and
  // is drained; who comes later must not join it. WHY 1 GiB: the page it finds may be that large.
  constexpr unsigned kLargestPage = 30;
  for (std::size_t i = 0; i < walks_.size(); ++i) {
    const Walk& walk = *walks_[i];
    if (walk.busy && scope.covers(walk.space.tag, walk.page >> kLargestPage << kLargestPage, kLargestPage)) {
      walk_keys_[i] = WalkKey();
    }
  }
}

// Contexts known to requests under way may be outdated: the caches must not learn from them.
void Iommu::outdate_contexts() {
  InvalidationScope nothing;
  nothing.kind = InvalidationScope::Kind::kNothing;
  translator_.stale_check().executed(nothing);
  for (Fetch& fetch : fetches_) {
    fetch.outdated = true;
  }
  for (std::size_t i = 0; i < walks_.size(); ++i) {
    walks_[i]->no_fill = true;
    walk_keys_[i] = WalkKey();
  }
  for (std::uint32_t index = oldest_; index != kNoRequest; index = requests_[index].younger) {
    requests_[index].no_fill = true;
  }
}

// --- Devices

// False: no ITag is free, or the function has as many invalidations pending as it can take.
bool Iommu::invalidate_device(const InvalidationOperation& operation) {
  unsigned pending = 0;
  DeviceInvalidation* unused = nullptr;
  for (DeviceInvalidation& invalidation : device_invalidations_) {
    if (!invalidation.busy) {
      unused = unused == nullptr ? &invalidation : unused;
    } else if (invalidation.limited_by == operation.limited_by) {
      ++pending;
    }
  }
  if (unused == nullptr || pending >= operation.max_pending) {
    return false;
  }
  unused->busy = true;
  unused->requester = operation.requester;
  unused->limited_by = operation.limited_by;
  unused->remaining = 0;
  unused->number = ++device_invalidation_number_;
  unused->sent = now_ps();
  Transaction& message =
      new_message(TlpKind::kInvalidateRequest, operation.requester, operation.has_pasid, operation.pasid);
  message.pcie.body = operation.body;
  message.pcie.itag = static_cast<std::uint8_t>(unused - device_invalidations_.data());
  if (AtsGrants* grants = grants_of(operation.requester)) {
    grants->invalidate(message.pcie.itag, operation.body, {operation.has_pasid, operation.pasid});
  }
  stats_.device_invalidations.add();
  arm_timeout();
  send_message(message);
  return true;
}

// nullptr: nothing is known of what the device may use.
AtsGrants* Iommu::grants_of(RequesterId requester) {
  const std::uint16_t index = device_index_[requester.value()];
  return index == 0 || !params_.check_translated ? nullptr : &devices_[index].grants;
}

void Iommu::invalidate_completed(Transaction& payload) {
  const PcieExtension& pcie = payload.pcie;
  stats_.invalidate_completions.add();
  if (!registers_.translation_enabled()) {
    payload.pcie.status = CompletionStatus::kUnsupportedRequest;
    stats_.rejected.add();
    return;
  }
  for (std::uint32_t left = pcie.itag_vector; left != 0; left &= left - 1) {
    DeviceInvalidation& invalidation = device_invalidations_[static_cast<unsigned>(__builtin_ctz(left))];
    if (!invalidation.busy || invalidation.requester != pcie.requester) {
      // SPEC: [VTD 6.5.2.11] unexpected completion: ICE; processing goes on.
      stats_.queue_errors.add();
      log_.unexpected_completion(pcie.requester, static_cast<std::uint32_t>(__builtin_ctz(left)));
      if (const auto message = registers_.completion_error(pcie.requester)) {
        send_interrupt(*message);
      }
      continue;
    }
    if (invalidation.remaining == 0) {
      invalidation.remaining = completion_count(pcie.completion_count & 7U);
    }
    if (--invalidation.remaining != 0) {
      continue;
    }
    invalidation.busy = false;
    if (AtsGrants* grants = grants_of(invalidation.requester)) {
      grants->completed(left & -left);
    }
    stats_.device_latency.record(now_ps() - invalidation.sent);
    // SPEC: [ATS 4.2] the completion pushed the device's writes here; they have to reach memory.
    for (PendingWait& wait : waits_) {
      if (invalidation.number < wait.devices_before) {
        wait.drain.writes_before = next_number_;
        if (wait.operation.page_drain) wait.drain.page_requests_before = next_number_;
        wait.earliest = std::max(wait.earliest, latest_retire_);
      }
    }
  }
  arm_timeout();
  check_waits();
  kick_queue();
}

std::uint64_t Iommu::oldest_device_invalidation() const {
  std::uint64_t oldest = ~std::uint64_t{0};
  for (const DeviceInvalidation& invalidation : device_invalidations_) {
    if (invalidation.busy) {
      oldest = std::min(oldest, invalidation.number);
    }
  }
  return oldest;
}

void Iommu::arm_timeout() {
  timeout_due_ = kNever;
  for (const DeviceInvalidation& invalidation : device_invalidations_) {
    if (invalidation.busy) {
      timeout_due_ = std::min(timeout_due_, invalidation.sent + params_.invalidate_timeout);
    }
  }
  timeout_event_.cancel();
  if (timeout_due_ != kNever) {
    timeout_event_.notify(to_sc(timeout_due_ - now_ps()));
  }
}

void Iommu::check_timeouts(Ps now) {
  bool expired = false;
  for (DeviceInvalidation& invalidation : device_invalidations_) {
    if (!invalidation.busy || invalidation.sent + params_.invalidate_timeout > now) {
      continue;
    }
    invalidation.busy = false;
    if (AtsGrants* grants = grants_of(invalidation.requester)) {
      const auto itag = static_cast<unsigned>(&invalidation - device_invalidations_.data());
      grants->completed(std::uint32_t{1} << itag);
    }
    if (!expired) {
      expired = true;
      // SPEC: [VTD 6.5.2.10] ITE: fetching stops and pending waits are aborted.
      waits_.erase(std::remove_if(waits_.begin(), waits_.end(),
                                  [](const PendingWait& w) { return !w.writing && !w.command; }),
                   waits_.end());
      buffer_bytes_ = 0;
      stats_.queue_errors.add();
      log_.timeout(invalidation.requester,
                   static_cast<std::uint32_t>(&invalidation - device_invalidations_.data()));
      if (const auto message = registers_.timeout_error(invalidation.requester)) {
        send_interrupt(*message);
      }
    }
  }
  if (expired) {
    arm_timeout();
  }
}

// --- Waits

bool Iommu::drained(const Drain& drain) const {
  const std::uint64_t last = std::max({drain.reads_before, drain.writes_before, drain.page_requests_before});
  for (std::uint32_t i = oldest_; i != kNoRequest && requests_[i].number < last; i = requests_[i].younger) {
    if (drain.includes(requests_[i])) return false;
  }
  return true;
}

// Completes the wait descriptors that may complete, in order.
void Iommu::check_waits() {
  while (!waits_.empty()) {
    PendingWait& wait = waits_.front();
    if (wait.writing || oldest_device_invalidation() < wait.devices_before || !drained(wait.drain)) {
      return;
    }
    const Ps now = now_ps();
    if (wait.earliest > now) {
      return schedule(wait.earliest, Work::kDrainCheck, 0, 0);
    }
    if (!wait.operation.status_write) {
      finish_wait();
      continue;
    }
    wait.writing = true;
    Transaction& access =
        new_access(Access::Use::kStatus, 0, tlm::TLM_WRITE_COMMAND, wait.operation.status_address, nullptr,
                   sizeof(wait.operation.status_data));
    accesses_[access.pcie.slot].data = wait.operation.status_data;
    if (!context_.loose()) {
      return send_access(access, 1);
    }
    Ps time = 0;
    access_now(access, time).release();
    finish_wait();
  }
}

void Iommu::finish_wait() {
  const PendingWait wait = waits_.front();
  waits_.erase(waits_.begin());
  translator_.stale_check().completed(wait.scopes);
  history_.completed(wait.history, now_ps());
  if (wait.command) {
    return registers_.invalidation().done(*wait.command);
  }
  stats_.waits.add();
  stats_.drain_latency.record(now_ps() - wait.executed);
  if (wait.operation.interrupt) {
    if (const auto message = registers_.invalidation_completed()) {
      send_interrupt(*message);
    }
  }
  if (wait.operation.fence) {
    kick_queue();
  }
}

}  // namespace svasim
