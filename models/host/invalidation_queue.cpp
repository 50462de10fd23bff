#include "models/host/invalidation_queue.h"

#include <optional>
#include <utility>

#include "base/check.h"
#include "models/formats/vtd_registers.h"

namespace svasim {

namespace {

constexpr std::uint32_t kInUse = 1;
constexpr std::uint32_t kDone = 2;

bool is_group_response(const InvalidationDescriptor& descriptor) {
  return invalidation_type(descriptor) == static_cast<unsigned>(InvalidationType::kPageGroupResponse);
}

// Whom a device-TLB invalidation is for.
std::optional<RequesterId> device_of(const InvalidationDescriptor& descriptor) {
  switch (static_cast<InvalidationType>(invalidation_type(descriptor))) {
    case InvalidationType::kDeviceTlb:
      return RequesterId(static_cast<std::uint16_t>(DeviceTlbDescriptor::SID::get(descriptor)));
    case InvalidationType::kPasidDeviceTlb:
      return RequesterId(static_cast<std::uint16_t>(PasidDeviceTlbDescriptor::SID::get(descriptor)));
    default:
      return {};
  }
}

}  // namespace

InvalidationQueue::InvalidationQueue(Machine& machine, PageAllocator& pages, Addr registers, unsigned order,
                                     const InvalidationParams& params, HostStats& stats)
    : machine_(machine),
      registers_(registers),
      params_(params),
      stats_(stats),
      order_(order),
      entries_(std::uint64_t{1} << (order + 7U)) {
  const std::uint64_t status_pages = (entries_ * sizeof(std::uint32_t) + kPageSize - 1) / kPageSize;
  ring_ = pages.needed(pages.allocate_contiguous(std::uint64_t{1} << order), "an invalidation queue");
  status_ = pages.needed(pages.allocate_contiguous(status_pages), "an invalidation queue");
  for (std::uint64_t page = 0; page < status_pages; ++page) {
    machine_.memory().zero_page(status_ + page * kPageSize);
  }
}

std::uint64_t InvalidationQueue::iqa() const {
  return VtdIqa::IQA::in_place(ring_) | VtdIqa::DW::make(1) | VtdIqa::QS::make(order_);
}

void InvalidationQueue::submit(std::initializer_list<InvalidationDescriptor> descriptors, Task done,
                               bool drain, bool fence) {
  submit(std::vector<InvalidationDescriptor>(descriptors), std::move(done), drain, fence);
}

void InvalidationQueue::submit(const std::vector<InvalidationDescriptor>& descriptors, Task done, bool drain,
                               bool fence) {
  Submission submission;
  if (fence) {
    submission.descriptors.push_back(make_wait_fence());
  }
  // WHY not insert(): g++ 12 warns falsely about it when optimising.
  for (const InvalidationDescriptor& descriptor : descriptors) {
    submission.descriptors.push_back(descriptor);
  }
  SVASIM_CHECK(submission.descriptors.size() + 2 < entries_,
               "a submission longer than the invalidation queue");
  submission.done = std::move(done);
  submission.drain = drain;
  submission.asked = machine_.now();
  backlog_.push_back(std::move(submission));
  machine_.after(params_.submit_time, [this] { pump(); });
}

void InvalidationQueue::pump() {
  bool placed = false;
  while (!backlog_.empty()) {
    // One entry stays empty: a full ring would look like an empty one.
    if (next_ - first_ + backlog_.front().descriptors.size() + 1 >= entries_) {
      break;
    }
    place(std::move(backlog_.front()));
    backlog_.pop_front();
    placed = true;
  }
  if (!placed) {
    return;
  }
  machine_.write_register64(registers_ + vtd_reg::kIqt, (next_ % entries_) * kInvalidationDescriptorBytes);
  if (params_.wait == "poll" && !polling_) {
    polling_ = true;
    machine_.after(params_.poll_interval, [this] { poll(); });
  }
}

void InvalidationQueue::place(Submission submission) {
  PhysicalMemory& memory = machine_.memory();
  const auto put = [&](const InvalidationDescriptor& descriptor) {
    memory.write(ring_ + (next_ % entries_) * kInvalidationDescriptorBytes, descriptor.data(),
                 kInvalidationDescriptorBytes);
    ++next_;
  };
  for (const InvalidationDescriptor& descriptor : submission.descriptors) {
    put(descriptor);
  }
  stats_.invalidation_descriptors.add(submission.descriptors.size());
  Wait wait;
  wait.status = status_ + (next_ % entries_) * sizeof(std::uint32_t);
  memory.write32(wait.status, kInUse);
  InvalidationDescriptor descriptor = make_wait_status(wait.status, kDone);
  WaitDescriptor::PD::set(descriptor, submission.drain);
  WaitDescriptor::IF::set(descriptor, params_.wait == "interrupt");
  put(descriptor);
  wait.end = next_;
  wait.asked = submission.asked;
  wait.drain = submission.drain;
  wait.descriptors = std::move(submission.descriptors);
  wait.done = std::move(submission.done);
  waits_.push_back(std::move(wait));
  stats_.invalidation_submissions.add();
}

void InvalidationQueue::restart(Addr head, RequesterId failed,
                                const std::vector<InvalidationDescriptor>& first) {
  const std::uint64_t index = head / kInvalidationDescriptorBytes;
  const std::uint64_t fetched = first_ + (index + entries_ - first_ % entries_) % entries_;
  std::deque<Submission> again;
  Submission before;
  before.descriptors = first;
  before.done = [] {};
  before.asked = machine_.now();
  again.push_back(std::move(before));
  for (Wait& wait : waits_) {
    if (wait.seen || wait.end > fetched || machine_.memory().read32(wait.status) == kDone) {
      continue;
    }
    wait.seen = true;
    Submission submission;
    for (const InvalidationDescriptor& descriptor : wait.descriptors) {
      // Responses that were fetched were sent.
      if (device_of(descriptor) != failed && !is_group_response(descriptor)) {
        submission.descriptors.push_back(descriptor);
      }
    }
    submission.done = std::move(wait.done);
    submission.drain = wait.drain;
    submission.asked = wait.asked;
    again.push_back(std::move(submission));
  }
  while (!backlog_.empty()) {
    again.push_back(std::move(backlog_.front()));
    backlog_.pop_front();
  }
  backlog_ = std::move(again);
  scan();
}

void InvalidationQueue::poll() {
  polling_ = false;
  scan();
  if (!waits_.empty() && !polling_) {
    polling_ = true;
    const Ps waited = machine_.now() - waits_.front().asked;
    machine_.after(poll_pause(params_.poll_interval, waited), [this] { poll(); });
  }
}

void InvalidationQueue::on_event() {
  // Cleared first, so that a wait that completes during the scan raises the event again.
  machine_.write_register32(registers_ + vtd_reg::kIcs, static_cast<std::uint32_t>(VtdIcs::IWC::kMask));
  // WHY a read: the clearing write has arrived when the answer is back.
  machine_.read_register(registers_ + vtd_reg::kIcs, 4, [this](std::uint64_t) { scan(); });
}

// Wait descriptors may complete out of order; the ring is freed in order.
void InvalidationQueue::scan() {
  std::vector<Task> finished;
  for (Wait& wait : waits_) {
    if (wait.seen || machine_.memory().read32(wait.status) != kDone) {
      continue;
    }
    wait.seen = true;
    stats_.invalidation_latency.record(machine_.now() - wait.asked);
    finished.push_back(std::move(wait.done));
  }
  while (!waits_.empty() && waits_.front().seen) {
    first_ = waits_.front().end;
    waits_.pop_front();
  }
  pump();
  for (const Task& done : finished) {
    done();
  }
}

void InvalidationQueue::dump(const std::string& who, std::ostream& out) const {
  for (const Wait& wait : waits_) {
    if (!wait.seen) {
      out << who << ": invalidation queue submission of " << wait.asked << " ps waits for its status write\n";
    }
  }
  for (const Submission& submission : backlog_) {
    out << who << ": invalidation queue submission of " << submission.asked
        << " ps waits for room in the queue\n";
  }
}

}  // namespace svasim
