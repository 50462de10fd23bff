// The operating system's physical pages.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/problem_log.h"
#include "base/types.h"

namespace svasim {

// Pages of one range of memory. WHY the page freed last is given out first: a use after free then
// shows at once.
class PageAllocator {
 public:
  // base and size in bytes, multiples of 4 KiB. `owner`: the component whose memory it is, for messages.
  PageAllocator(Addr base, std::uint64_t size, const std::string& owner = "host")
      : base_(base), next_(base), end_(base + size), owner_(owner), log_(owner) {}

  // A page of unspecified contents; nullopt, and a line in the log, when memory is full.
  std::optional<Addr> allocate();
  // Adjacent pages at an address that is a multiple of their size rounded up to a power of two.
  std::optional<Addr> allocate_contiguous(std::uint64_t pages);
  // What cannot be done without: throws ConfigError when there was no memory for it.
  Addr needed(std::optional<Addr> pages, const std::string& what) const {
    return pages.has_value() ? *pages : (too_small(what), Addr{0});
  }
  [[noreturn]] void too_small(const std::string& what) const;
  // InternalError when the page is not allocated.
  void free(Addr page);

  std::uint64_t used() const { return used_; }

 private:
  void mark(Addr page, bool used);
  void refused();

  Addr base_;
  Addr next_;  // never given out from here on
  Addr end_;
  std::vector<Addr> free_;
  std::vector<bool> in_use_;  // by page from base_, up to next_
  std::uint64_t used_ = 0;
  std::string owner_;
  ProblemLog log_;
};

}  // namespace svasim
