// The operating system's physical pages.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/problem_log.h"
#include "base/types.h"

namespace svasim {

// Pages of one or more ranges of memory, one for each NUMA node. A page may have several users and is free
// when the last one has freed it. WHY the page freed last is given out first: a use after free then
// shows at once.
class PageAllocator {
 public:
  // base and size in bytes, multiples of 4 KiB: node 0. `owner`: the component whose memory it is, for
  // messages.
  PageAllocator(Addr base, std::uint64_t size, const std::string& owner = "host")
      : owner_(owner), log_(owner) {
    add_node(base, size);
  }

  // One more node; its range overlaps no other.
  void add_node(Addr base, std::uint64_t size);
  unsigned nodes() const { return static_cast<unsigned>(nodes_.size()); }

  // A page of unspecified contents, of this node while it has any; nullopt, and a line in the log,
  // when memory is full.
  std::optional<Addr> allocate(unsigned node = 0);
  // Adjacent pages of one node at an address that is a multiple of their size rounded up to a power of two.
  // Each may be freed alone.
  std::optional<Addr> allocate_contiguous(std::uint64_t pages, unsigned node = 0);
  // What cannot be done without: throws ConfigError when there was no memory for it.
  Addr needed(std::optional<Addr> pages, const std::string& what) const {
    return pages.has_value() ? *pages : (too_small(what), Addr{0});
  }
  [[noreturn]] void too_small(const std::string& what) const;
  // One more user of a page in use (InternalError otherwise).
  void share(Addr page);
  // InternalError when the page is not allocated.
  void free(Addr page);

  // A user that wants the page to stay where it is.
  void pin(Addr page);
  void unpin(Addr page);
  bool is_pinned(Addr page) const { return pins_.count(page) != 0; }

  unsigned users(Addr page) const;
  // 0: the page is free; else how often it has been given out; nullopt: it is in none of the nodes.
  std::optional<std::uint64_t> life(Addr page) const;
  // Of these, not counting those who pinned it.
  unsigned sharers(Addr page) const;
  unsigned node_of(Addr page) const;
  std::uint64_t used() const { return used_; }
  // Pages given out by another node than the one asked for.
  std::uint64_t elsewhere() const { return elsewhere_; }

 private:
  struct Node {
    Addr base = 0;
    Addr next = 0;  // never given out from here on
    Addr end = 0;
    std::vector<Addr> free;            // may hold pages that are in use again
    std::vector<std::uint32_t> users;  // by page from base, up to next
    std::vector<std::uint32_t> given;  // how often
  };

  static std::size_t index(const Node& node, Addr page) { return (page - node.base) >> kPageShift; }
  Node& home(Addr page);
  std::optional<Addr> take(Node& node);
  std::optional<Addr> take_run(Node& node, std::uint64_t pages);
  void mark(Node& node, Addr page);
  void refused();
  std::uint64_t pages() const;

  std::vector<Node> nodes_;
  std::map<Addr, unsigned> pins_;
  std::uint64_t used_ = 0;
  std::uint64_t elsewhere_ = 0;
  std::string owner_;
  ProblemLog log_;
};

}  // namespace svasim
