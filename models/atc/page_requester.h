// The page request side of a device: groups, indices, credits. No SystemC in here.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <vector>

#include "models/atc/atc_cache.h"
#include "models/atc/atc_params.h"

namespace svasim {

// Collects pages that accesses wait for, sends them in page request groups as far as credits and
// indices go, and says who may go on when a response comes. SPEC: [PRI 6, 7]
class PageRequester {
 public:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  struct Message {
    AtsSpace space;
    Addr page = 0;
    bool write = false;
    bool last = false;
    std::uint16_t index = 0;
  };

  enum class Answer : std::uint8_t {
    kUnexpected,  // no such group outstanding
    kIgnored,     // PRI went off while the group was outstanding
    kTaken,
  };

  explicit PageRequester(const PageRequestParams& params);

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
    waiting_.clear();
    for (Group& group : groups_) {
      group.abandoned = group.requests != 0;
    }
    end_wishes([](const Wish&) { return true; }, done);
  }

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
