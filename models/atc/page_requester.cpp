#include "models/atc/page_requester.h"

#include <algorithm>

namespace svasim {

namespace {
constexpr unsigned kUnlimited = 1U << 30;
}

PageRequester::PageRequester(const PageRequestParams& params, bool ignores_credits)
    : params_(params),
      enabled_(params.enable),
      credits_(ignores_credits ? kUnlimited : params.credits()),
      free_groups_(params.groups),
      groups_(params.groups) {}

void PageRequester::enable(unsigned allocation) {
  SVASIM_CHECK(active_.empty(), "page requests enabled while accesses wait for pages");
  enabled_ = true;
  status_ = Status();
  credits_ = std::min(params_.capacity, allocation);
  free_groups_ = static_cast<unsigned>(groups_.size());
  std::fill(groups_.begin(), groups_.end(), Group());
}

std::uint32_t PageRequester::ask(const AtsSpace& space, Addr address, Addr end, bool write, Ps now) {
  const Addr page = address & ~(kPageSize - 1);
  for (const std::uint32_t wish : active_) {
    const Wish& known = wishes_[wish];
    if (known.page == page && known.write == write && known.space == space) {
      return wish;
    }
  }
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(wishes_.size()));
    wishes_.emplace_back();
  }
  const std::uint32_t wish = free_.back();
  free_.pop_back();
  wishes_[wish] = Wish{space, page, write, end, kQueued, kNone, now};
  active_.push_back(wish);
  waiting_.push_back(wish);
  return wish;
}

void PageRequester::form_group() {
  while (groups_[next_index_].requests != 0) {
    next_index_ = (next_index_ + 1) % static_cast<unsigned>(groups_.size());
  }
  const auto index = static_cast<std::uint16_t>(next_index_);
  next_index_ = (next_index_ + 1) % static_cast<unsigned>(groups_.size());
  const unsigned limit = std::min(params_.pages_per_group, credits_);
  const Wish first = wishes_[waiting_.front()];
  forming_.clear();
  const auto add = [&](Addr page, bool write) {
    forming_.push_back(Message{first.space, page, write, false, index});
  };
  // SPEC: [PRI 6]: all requests of a group carry the same PASID. Here also the same privilege.
  for (auto wish = waiting_.begin(); wish != waiting_.end() && forming_.size() < limit;) {
    Wish& member = wishes_[*wish];
    if (member.space == first.space) {
      member.group = index;
      add(member.page, member.write);
      wish = waiting_.erase(wish);
    } else {
      ++wish;
    }
  }
  for (Addr page = first.page + kPageSize; page < first.end && forming_.size() < limit; page += kPageSize) {
    const bool asked = std::any_of(active_.begin(), active_.end(), [&](std::uint32_t wish) {
      return wishes_[wish].page == page && wishes_[wish].space == first.space;
    });
    if (!asked) {
      add(page, first.write);
    }
  }
  forming_.back().last = true;
  groups_[index] = Group{static_cast<unsigned>(forming_.size()), false, first.space, ++serial_};
  credits_ -= groups_[index].requests;
  if (credits_ > params_.credits()) {
    const unsigned outstanding = kUnlimited - credits_;
    excess_ += std::min(groups_[index].requests, outstanding - std::min(outstanding, params_.credits()));
  }
  --free_groups_;
}

void PageRequester::free_group(unsigned index) {
  credits_ += groups_[index].requests;
  ++free_groups_;
  groups_[index] = Group();
}

}  // namespace svasim
