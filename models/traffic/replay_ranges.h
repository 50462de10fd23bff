// Address ranges per domain.
#pragma once

#include <cstdint>
#include <iterator>
#include <map>

#include "base/types.h"

namespace svasim {

// Disjoint ranges [first, last], each with a value; a new range displaces what it overlaps.
template <typename T>
class RangeMap {
 public:
  struct Range {
    Addr last = 0;
    T value{};
  };

  void clear() { ranges_.clear(); }
  std::size_t size() const { return ranges_.size(); }

  Range* find(Addr address) {
    auto at = ranges_.upper_bound(address);
    if (at == ranges_.begin()) return nullptr;
    --at;
    return address <= at->second.last ? &at->second : nullptr;
  }

  void assign(Addr first, Addr last, T value) {
    erase(first, last);
    ranges_[first] = {last, value};
  }

  // Removes a part of the address space, cutting ranges that reach beyond it; `visit` gets the
  // removed pieces.
  template <typename F>
  void erase(Addr first, Addr last, F visit) {
    auto at = ranges_.upper_bound(first);
    if (at != ranges_.begin() && std::prev(at)->second.last >= first) --at;
    while (at != ranges_.end() && at->first <= last) {
      const Addr from = at->first;
      const Range range = at->second;
      at = ranges_.erase(at);
      if (from < first) ranges_[from] = {first - 1, range.value};
      if (range.last > last) ranges_[last + 1] = range;
      visit(from < first ? first : from, range.last > last ? last : range.last, range.value);
    }
  }
  void erase(Addr first, Addr last) {
    erase(first, last, [](Addr, Addr, const T&) {});
  }

 private:
  std::map<Addr, Range> ranges_;
};

// Unmap records that come later than the map record that already reuses their addresses. The kernel
// never maps what is mapped, so a map over a leaf means that the unmap before it is still to come; when
// it does it must not touch the new mapping.
class LateUnmaps {
 public:
  void clear() { due_.clear(); }
  void expect(DomainId domain, Addr first, Addr last) { due_[domain.value()].assign(first, last, true); }

  // Calls use(first, last) for the parts of an unmap record that are not late. Returns whether any
  // part was.
  template <typename F>
  bool apply(DomainId domain, Addr first, Addr last, F use) {
    const auto found = due_.find(domain.value());
    bool late = false;
    if (found != due_.end()) {
      found->second.erase(first, last, [&](Addr from, Addr to, bool) {
        if (from > first) use(first, from - 1);
        first = to + 1;
        late = true;
      });
    }
    if (!late || (first != 0 && first <= last)) use(first, last);
    return late;
  }

 private:
  std::map<std::uint16_t, RangeMap<bool>> due_;
};

}  // namespace svasim
