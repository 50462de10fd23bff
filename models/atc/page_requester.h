// The page request side of a device: groups, indices, credits. No SystemC in here.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "models/atc/atc_cache.h"
#include "models/atc/atc_params.h"

namespace svasim {

// Collects pages that accesses wait for, sends them in page request groups as far as credits and
// indices go, and says who may go on when a response comes. SPEC: [PRI 6, 7]
class PageRequester {
 public:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  // Of the status register. SPEC: [ATS 5]
  struct Status {
    bool response_failure = false;  // RF
    bool unexpected_index = false;  // UPRGI
  };

  struct Message {
    AtsSpace space;
    Addr page = 0;
    bool write = false;
    bool last = false;
    std::uint16_t index = 0;
  };

  enum class Answer : std::uint8_t {
    kUnexpected,  // no such group outstanding
    kIgnored,     // nobody waits for the group any more
    kTaken,
  };

  explicit PageRequester(const PageRequestParams& params, bool ignores_credits = false);

  bool enabled() const { return enabled_; }
  // As software would: clears credits, groups and errors. Nothing may be waiting.
  void enable(unsigned allocation);

  // Some access needs the page of `address`, and will need what follows up to `end` as well. Joins a
  // wish for the same page and right. Returns the wish; its chain of waiters() is the caller's.
  std::uint32_t ask(const AtsSpace& space, Addr address, Addr end, bool write, Ps now);

  // First of the chain of waiters of a wish; the user's own links.
  std::uint32_t& waiters(std::uint32_t wish) { return wishes_[wish].waiters; }
  Ps since(std::uint32_t wish) const { return wishes_[wish].since; }

  // Forms groups of what waits: send(message) for each page request, in order.
  template <typename Send>
  void pump(Send send) {
    while (enabled_ && !waiting_.empty() && credits_ != 0 && free_groups_ != 0) {
      form_group();
      for (const Message& message : forming_) {
        send(message);
      }
    }
  }

  // A response for group `index`. done(wish) for each wish it ends; the wish is gone afterwards.
  template <typename Done>
  Answer respond(unsigned index, Done done) {
    if (index >= groups_.size() || groups_[index].requests == 0) {
      status_.unexpected_index = true;
      return Answer::kUnexpected;
    }
    const bool abandoned = groups_[index].abandoned;
    free_group(index);
    if (abandoned) {
      return Answer::kIgnored;
    }
    end_wishes([index](const Wish& wish) { return wish.group == index; }, done);
    return Answer::kTaken;
  }

  // Response Failure: PRI goes off and every wish ends; later responses count for nothing.
  template <typename Done>
  void fail(Done done) {
    enabled_ = false;
    status_.response_failure = true;
    waiting_.clear();
    for (Group& group : groups_) {
      group.abandoned = group.requests != 0;
    }
    end_wishes([](const Wish&) { return true; }, done);
  }

  // Nobody waits for the pages of that address space any more: outstanding groups only give credits and index
  // back. SPEC: [PRI 8]
  template <typename Done>
  void stop(Pasid pasid, Done done) {
    const auto mine = [pasid](const Wish& wish) { return wish.space.has_pasid && wish.space.pasid == pasid; };
    waiting_.erase(std::remove_if(waiting_.begin(), waiting_.end(),
                                  [&](std::uint32_t wish) { return mine(wishes_[wish]); }),
                   waiting_.end());
    for (Group& group : groups_) {
      group.abandoned =
          group.abandoned || (group.requests != 0 && group.space.has_pasid && group.space.pasid == pasid);
    }
    end_wishes(mine, done);
  }

  // No response came for group `index`, whose serial number this was; false: one did.
  template <typename Done>
  bool give_up(unsigned index, std::uint64_t serial, Done done) {
    Group& group = groups_[index];
    if (group.requests == 0 || group.abandoned || group.serial != serial) {
      return false;
    }
    group.abandoned = true;
    end_wishes([index](const Wish& wish) { return wish.group == index; }, done);
    return true;
  }
  // Of the group formed last with that index.
  std::uint64_t serial(unsigned index) const { return groups_[index].serial; }

  const Status& status() const { return status_; }
  // Page requests sent beyond what is allowed, since the last call.
  unsigned take_excess() { return std::exchange(excess_, 0U); }
  unsigned groups_outstanding() const { return static_cast<unsigned>(groups_.size()) - free_groups_; }
  unsigned credits() const { return credits_; }
  std::size_t wishes() const { return active_.size(); }
  std::size_t waiting() const { return waiting_.size(); }

 private:
  static constexpr std::uint16_t kQueued = 0xFFFF;
  struct Wish {
    AtsSpace space;
    Addr page = 0;
    bool write = false;
    Addr end = 0;
    std::uint16_t group = kQueued;
    std::uint32_t waiters = kNone;
    Ps since = 0;
  };
  struct Group {
    unsigned requests = 0;  // 0: index free
    bool abandoned = false;
    AtsSpace space;
    std::uint64_t serial = 0;
  };

  void form_group();
  void free_group(unsigned index);

  template <typename Match, typename Done>
  void end_wishes(Match match, Done done) {
    // WHY two steps: done() may ask for pages again.
    ending_.clear();
    std::size_t kept = 0;
    for (const std::uint32_t wish : active_) {
      if (match(wishes_[wish])) {
        ending_.push_back(wish);
      } else {
        active_[kept++] = wish;
      }
    }
    active_.resize(kept);
    for (const std::uint32_t wish : ending_) {
      done(wish);
      free_.push_back(wish);
    }
  }

  PageRequestParams params_;
  bool enabled_;
  unsigned credits_;
  Status status_;
  unsigned excess_ = 0;
  std::uint64_t serial_ = 0;
  unsigned free_groups_;
  unsigned next_index_ = 0;
  std::vector<Group> groups_;
  std::vector<Wish> wishes_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> active_;  // in the order asked
  std::vector<std::uint32_t> ending_;
  std::deque<std::uint32_t> waiting_;  // not in a group yet
  std::vector<Message> forming_;
};

}  // namespace svasim
