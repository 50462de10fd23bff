#include "models/host/page_allocator.h"

#include <fmt/format.h>

#include "base/check.h"
#include "base/config.h"

namespace svasim {

void PageAllocator::refused() {
  log_.warn(0, "out of simulated memory", 1, [&] {
    return fmt::format(
        "out of simulated memory: of {} pages from {:#x} on {} are in use; what needs one more fails. Raise "
        "components.{}.memory_size, and the size of the memory behind it",
        pages(), nodes_.front().base, used_, owner_);
  });
}

void PageAllocator::too_small(const std::string& what) const {
  Problems problems;
  problems.add(
      Where(), "components." + owner_ + ".memory_size",
      fmt::format(
          "too small for {}: {} of {} pages are in use; raise it, and the size of the memory behind it", what,
          used_, pages()));
  throw ConfigError(problems);
}

std::uint64_t PageAllocator::pages() const {
  std::uint64_t sum = 0;
  for (const Node& node : nodes_) sum += (node.end - node.base) >> kPageShift;
  return sum;
}

void PageAllocator::add_node(Addr base, std::uint64_t size) {
  Node node;
  node.base = base;
  node.next = base;
  node.end = base + size;
  nodes_.push_back(std::move(node));
}

unsigned PageAllocator::node_of(Addr page) const {
  for (unsigned i = 0; i < nodes_.size(); ++i) {
    if (page >= nodes_[i].base && page < nodes_[i].next && page % kPageSize == 0) {
      return i;
    }
  }
  SVASIM_CHECK(false, "a page was freed that is not the allocator's");
}

PageAllocator::Node& PageAllocator::home(Addr page) { return nodes_[node_of(page)]; }

void PageAllocator::mark(Node& node, Addr page) {
  const std::size_t at = index(node, page);
  if (at >= node.users.size()) {
    node.users.resize(at + 1, 0);
  }
  if (at >= node.given.size()) {
    node.given.resize(at + 1, 0);
  }
  ++node.given[at];
  SVASIM_CHECK(node.users[at] == 0, "a page was given out twice");
  node.users[at] = 1;
  ++used_;
}

std::optional<Addr> PageAllocator::take(Node& node) {
  while (!node.free.empty()) {
    const Addr page = node.free.back();
    node.free.pop_back();
    if (node.users[index(node, page)] == 0) {
      mark(node, page);
      return page;
    }
  }
  if (node.next >= node.end) {
    return std::nullopt;
  }
  const Addr page = node.next;
  node.next += kPageSize;
  mark(node, page);
  return page;
}

std::optional<Addr> PageAllocator::allocate(unsigned wanted) {
  SVASIM_CHECK(wanted < nodes_.size(), "there is no such memory node");
  for (unsigned i = 0; i < nodes_.size(); ++i) {
    // The nodes behind the wanted one in a circle.
    const auto page = take(nodes_[(wanted + i) % nodes_.size()]);
    if (page.has_value()) {
      elsewhere_ += i == 0 ? 0 : 1;
      return page;
    }
  }
  refused();
  return std::nullopt;
}

// Among pages that were in use before. Those found stay in the list of free ones, which take() allows for.
std::optional<Addr> PageAllocator::take_run(Node& node, std::uint64_t pages) {
  std::uint64_t align = 1;
  while (align < pages) {
    align *= 2;
  }
  Addr first = (node.base + align * kPageSize - 1) & ~(align * kPageSize - 1);
  for (; first + pages * kPageSize <= node.next; first += align * kPageSize) {
    std::uint64_t found = 0;
    while (found < pages && node.users[index(node, first) + found] == 0) {
      ++found;
    }
    if (found == pages) {
      for (std::uint64_t i = 0; i < pages; ++i) mark(node, first + i * kPageSize);
      return first;
    }
  }
  return std::nullopt;
}

std::optional<Addr> PageAllocator::allocate_contiguous(std::uint64_t pages, unsigned wanted) {
  SVASIM_CHECK(wanted < nodes_.size(), "there is no such memory node");
  Node& node = nodes_[wanted];
  std::uint64_t size = kPageSize;
  while (size < pages * kPageSize) {
    size *= 2;
  }
  const Addr first = (node.next + size - 1) & ~(size - 1);
  if (first < node.next || first + pages * kPageSize > node.end) {
    return take_run(node, pages);
  }
  node.users.resize(index(node, first), 0);
  while (node.next < first) {
    node.free.push_back(node.next);
    node.next += kPageSize;
  }
  for (std::uint64_t i = 0; i < pages; ++i, node.next += kPageSize) {
    mark(node, node.next);
  }
  return first;
}

void PageAllocator::share(Addr page) {
  Node& node = home(page);
  SVASIM_CHECK(node.users[index(node, page)] != 0, "a page was shared that is not in use");
  ++node.users[index(node, page)];
}

void PageAllocator::pin(Addr page) {
  share(page);
  ++pins_[page];
}

void PageAllocator::unpin(Addr page) {
  const auto found = pins_.find(page);
  SVASIM_CHECK(found != pins_.end(), "a page was unpinned that is not pinned");
  if (--found->second == 0) pins_.erase(found);
  free(page);
}

unsigned PageAllocator::sharers(Addr page) const {
  const auto found = pins_.find(page);
  return users(page) - (found == pins_.end() ? 0 : found->second);
}

unsigned PageAllocator::users(Addr page) const {
  const Node& node = nodes_[node_of(page)];
  return node.users[index(node, page)];
}

std::optional<std::uint64_t> PageAllocator::life(Addr page) const {
  for (const Node& node : nodes_) {
    if (page < node.base || page >= node.end) continue;
    const std::size_t at = index(node, page);
    return at < node.users.size() && node.users[at] != 0 ? node.given[at] : 0;
  }
  return std::nullopt;
}

void PageAllocator::free(Addr page) {
  Node& node = home(page);
  std::uint32_t& users = node.users[index(node, page)];
  SVASIM_CHECK(users != 0, "a page was freed that is not in use");
  if (--users == 0) {
    --used_;
    node.free.push_back(page);
  }
}

}  // namespace svasim
