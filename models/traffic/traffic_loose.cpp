// Loose timing: a generator's accesses one after the other, ahead of the kernel.
#include <algorithm>

#include "models/traffic/traffic.h"

namespace svasim {

namespace {

// Simulated time a device runs ahead before the kernel gets its turn.
constexpr Ps kLooseQuantum = 10'000'000;

}  // namespace

void TrafficGenerator::run_loose(Ps now) {
  const Ps limit = now + kLooseQuantum;
  bool ahead = false;
  while (completed_ < params_.count && !ahead) {
    ahead = true;
    for (std::uint32_t i = 0; i < next_.size() && issued_ < params_.count; ++i) {
      if (next_[i] >= limit) {
        continue;
      }
      ahead = false;
      const Ps leave = std::max(next_[i], now) + params_.gap;
      const Access access = next_access();
      DirectPages::Page* page = (access.write ? writable_ : readable_).find(access.iova);
      next_[i] = page != nullptr ? access_directly(access, *page, leave) : access_by_call(i, access, leave);
    }
  }
  settle();
  if (completed_ < params_.count) {
    wake_.arm(limit);
    return;
  }
  for (Slot& slot : slots_) {
    if (slot.payload != nullptr) {
      slot.payload->release();
      slot.payload = nullptr;
    }
  }
}

Ps TrafficGenerator::access_directly(Access access, DirectPages::Page& page, Ps leave) {
  unsigned char* data = page.use(access.iova);
  if (access.write) {
    fill(data, access.iova);
  } else if (verify_ && !matches(data, access.iova)) {
    stats_.wrong_data.add();
  }
  const Ps done = leave + page.path->latency;
  count_done(done);
  return done;
}

Ps TrafficGenerator::access_by_call(std::uint32_t index, Access access, Ps leave) {
  settle();
  const Ps now = now_ps();
  Transaction& transaction = make(index, access, leave);
  slots_[index].payload = &transaction;
  sc_core::sc_time delay = to_sc(leave - now);
  req_->b_transport(transaction, delay);
  const Ps done = now + delay.value();
  complete(transaction, done);
  if (transaction.is_dmi_allowed() && params_.direct_memory &&
      transaction.pcie.status == CompletionStatus::kSuccess) {
    (access.write ? writable_ : readable_).ask(req_, transaction);
  }
  return done;
}

void TrafficGenerator::settle() {
  const auto complete_all = [this](bool write) {
    return [this, write](const DirectPages::Path& path, std::uint64_t uses) {
      stats_.complete(write, params_.size, path.attribution, uses);
      direct_accesses_ += uses;
    };
  };
  readable_.settle(complete_all(false));
  writable_.settle(complete_all(true));
}

void TrafficGenerator::invalidate_direct_mem_ptr(unsigned /*port*/, Addr first, Addr last) {
  readable_.revoke(first, last);
  writable_.revoke(first, last);
}

}  // namespace svasim
