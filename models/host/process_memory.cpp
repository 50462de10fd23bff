#include "models/host/process_memory.h"

#include <algorithm>
#include <cstring>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "base/rng.h"
#include "models/formats/x86_first_stage.h"

namespace svasim {

bool Vma::operator==(const Vma& other) const {
  const auto all = [](const Vma& a) {
    return std::tie(a.start, a.end, a.read, a.write, a.execute, a.content, a.seed, a.kind, a.physical, a.huge,
                    a.node, a.inherited, a.first);
  };
  return all(*this) == all(other);
}

void fill_initial(const Vma& vma, Addr page, unsigned char* data) {
  if (vma.content == Content::kZero) {
    std::memset(data, 0, kPageSize);
    return;
  }
  const std::uint64_t number = vma.first + ((page - vma.start) >> kPageShift);
  std::uint64_t state = vma.seed ^ number * 0xD6E8'FEB8'6659'FD93U;
  for (std::size_t i = 0; i < kPageSize; i += sizeof state) {
    const std::uint64_t word = split_mix64(state);
    std::memcpy(data + i, &word, sizeof word);
  }
}

// --- areas ---

std::optional<Addr> ProcessMemory::free_place(std::uint64_t size, const Vma& like) const {
  const bool kernel = next_area_ >= kFirstKernelArea;
  for (const auto& [next, end] : {std::pair{next_area_, kernel ? kKernelEnd : kEnd},
                                  std::pair{next_low_, kernel ? next_low_ : kFirstArea}}) {
    const Addr place = like.huge ? (next + kHugeSize - 1) & ~(kHugeSize - 1) : next;
    if (place < end && size <= end - place) return place;
  }
  return std::nullopt;
}

Addr ProcessMemory::map(std::uint64_t size, const Vma& like, Addr address) {
  size = (size + kPageSize - 1) & ~(kPageSize - 1);
  SVASIM_CHECK(size != 0, "an area without pages");
  if (address == 0) {
    const std::optional<Addr> place = free_place(size, like);
    SVASIM_CHECK(place.has_value(), "no addresses are left in " + name_);
    address = *place;
  }
  Vma vma = like;
  vma.start = address;
  vma.end = address + size;
  const auto behind = areas_.lower_bound(vma.end);
  SVASIM_CHECK(behind == areas_.begin() || std::prev(behind)->second.end <= address, "areas overlap");
  areas_.emplace(address, vma);
  // One page stays free between areas, so that an access beyond an area finds none.
  Addr& next = address >= kFirstArea ? next_area_ : next_low_;
  next = std::max(next, vma.end + kPageSize);
  return address;
}

const Vma* ProcessMemory::find_area(Addr address) const {
  const auto behind = areas_.upper_bound(address);
  if (behind == areas_.begin()) {
    return nullptr;
  }
  const Vma& vma = std::prev(behind)->second;
  return vma.contains(address) ? &vma : nullptr;
}

// SPEC: [LINUX mm/pgtable-generic.c]: the table for it was put aside when the page was mapped, so that this
// cannot fail.
void ProcessMemory::split(Addr va) {
  SVASIM_CHECK(table_.split(va), "no table was put aside for a huge page of " + name_);
}

void ProcessMemory::cut_pages(Addr at) {
  if (at % kHugeSize != 0) split(at);
}

void ProcessMemory::split_all(Addr start, Addr end) {
  table_.for_each(start, end, [this](Addr va, const PageTable::Leaf& leaf) {
    if (leaf.level > 1) split(va);
  });
}

void ProcessMemory::cut(Addr at) {
  const Vma* found = find_area(at);
  if (found == nullptr || found->start == at) {
    return;
  }
  cut_pages(at);
  Vma& lower = areas_.at(found->start);
  Vma upper = lower;
  const std::uint64_t length = at - lower.start;
  lower.end = at;
  upper.start = at;
  upper.first += length >> kPageShift;
  upper.physical += upper.kind == AreaKind::kDevice ? length : 0;
  areas_.emplace(at, upper);
}

std::map<Addr, Vma>::iterator ProcessMemory::first_in(Addr start, Addr end) {
  cut(start);
  cut(end);
  return areas_.lower_bound(start);
}

// SPEC: [LINUX mm/vma.c vma_merge]
void ProcessMemory::merge(Addr start, Addr end) {
  auto area = areas_.upper_bound(start);
  if (area != areas_.begin()) --area;
  if (area != areas_.begin()) --area;
  while (area != areas_.end() && area->second.start < end) {
    const auto next = std::next(area);
    if (next == areas_.end()) {
      return;
    }
    Vma& lower = area->second;
    Vma upper = next->second;
    const std::uint64_t length = lower.end - lower.start;
    // What `lower` would be if it began where `upper` does.
    Vma goes_on = lower;
    goes_on.start = lower.end;
    goes_on.first += length >> kPageShift;
    goes_on.physical += lower.kind == AreaKind::kDevice ? length : 0;
    goes_on.end = upper.end;
    if (goes_on == upper) {
      lower.end = upper.end;
      areas_.erase(next);
    } else {
      area = next;
    }
  }
}

void ProcessMemory::for_parts(Addr start, Addr end,
                              const std::function<void(const Vma& vma, Addr from, Addr to)>& visit) {
  cut_pages(start);
  cut_pages(end);
  auto area = areas_.upper_bound(start);
  if (area != areas_.begin() && std::prev(area)->second.end > start) --area;
  for (; area != areas_.end() && area->first < end; ++area) {
    visit(area->second, std::max(start, area->second.start), std::min(end, area->second.end));
  }
}

bool ProcessMemory::remove_entries(Addr start, Addr end,
                                   const std::function<void(Addr va, Addr page)>& keep) {
  bool removed = false;
  table_.for_each(start, end, [&](Addr va, const PageTable::Leaf& leaf) {
    table_.unmap(va);
    removed = true;
    const Addr size = Addr{1} << leaf.shift;
    for (Addr offset = 0; offset < size; offset += kPageSize) keep(va + offset, leaf.page + offset);
    resident_ -= size >> kPageShift;
  });
  return removed;
}

Stale ProcessMemory::unmap(Addr start, Addr end) {
  Stale stale = discard(start, end);
  auto area = first_in(start, end);
  while (area != areas_.end() && area->first < end) area = areas_.erase(area);
  return stale;
}

Stale ProcessMemory::unmap(Addr start) {
  const auto found = areas_.find(start);
  SVASIM_CHECK(found != areas_.end(), "no area begins there");
  return unmap(start, found->second.end);
}

Stale ProcessMemory::discard(Addr start, Addr end) {
  Stale stale;
  bool removed = false;
  for_parts(start, end, [&](const Vma& vma, Addr from, Addr to) {
    const bool allocated = vma.kind != AreaKind::kDevice;
    const auto drop = [&](Addr, Addr page) {
      if (allocated) stale.pages.push_back(page);
    };
    removed = remove_entries(from, to, drop) || removed;
    swap_.erase(swap_.lower_bound(from), swap_.lower_bound(to));
    const auto last = parked_.lower_bound(to);
    for (auto parked = parked_.lower_bound(from); parked != last; parked = parked_.erase(parked)) {
      // WHY not free at once: devices may not have been told yet that its entry is gone.
      stale.pages.push_back(parked->second.page);
      removed = true;
    }
  });
  if (removed) stale.spans.push_back({start, end});
  return stale;
}

// SPEC: [LINUX mm/mprotect.c]: who gains a right is not told; a fault finds out.
Stale ProcessMemory::protect(Addr start, Addr end, bool read, bool write) {
  Stale stale;
  bool lost = false;
  for (auto area = first_in(start, end); area != areas_.end() && area->first < end; ++area) {
    Vma& vma = area->second;
    vma.read = read;
    vma.write = write;
    if (!read) {
      const bool allocated = vma.kind != AreaKind::kDevice;
      const auto park = [&](Addr va, Addr page) {
        if (allocated) parked_[va] = {page, 0};
      };
      lost = remove_entries(vma.start, vma.end, park) || lost;
      continue;
    }
    if (write) {
      continue;  // the next store faults and gets it, or a copy
    }
    table_.for_each(vma.start, vma.end, [&](Addr, const PageTable::Leaf& leaf) {
      if (!leaf.writable) return;
      table_.set_writable(leaf, false);
      lost = true;
    });
  }
  merge(start, end);
  if (lost) stale.spans.push_back({start, end});
  return stale;
}

// SPEC: [LINUX mm/vmscan.c]: pages that are pinned stay.
Stale ProcessMemory::reclaim(Addr start, Addr end) {
  Stale stale;
  stale.reclaim = ++reclaims_;
  bool removed = false;
  for_parts(start, end, [&](const Vma& vma, Addr from, Addr to) {
    if (vma.kind == AreaKind::kDevice) return;
    const auto park = [&](Addr va, Addr page) { parked_[va] = {page, stale.reclaim}; };
    for (Addr va = from; va < to;) {
      const auto leaf = table_.find(va);
      const std::uint64_t size = leaf.has_value() ? Addr{1} << leaf->shift : kPageSize;
      const Addr next = std::min(to, (va & ~(size - 1)) + size);
      if (leaf.has_value() && !is_pinned(leaf->page, size))
        removed = remove_entries(va, next, park) || removed;
      va = next;
    }
  });
  if (removed) stale.spans.push_back({start, end});
  return stale;
}

bool ProcessMemory::is_pinned(Addr page, std::uint64_t size) const {
  for (std::uint64_t offset = 0; offset < size; offset += kPageSize) {
    if (pages_.is_pinned(page + offset)) return true;
  }
  return false;
}

std::vector<AddressSpan> ProcessMemory::device_spans(AddressSpan physical) const {
  std::vector<AddressSpan> spans;
  for (const auto& [start, vma] : areas_) {
    if (vma.kind != AreaKind::kDevice) continue;
    const Addr first = std::max(physical.start, vma.physical);
    const Addr end = std::min(physical.end, vma.physical + (vma.end - vma.start));
    if (first < end) spans.push_back({start + (first - vma.physical), start + (end - vma.physical)});
  }
  return spans;
}

// Pages that were parked since for another reason are not its business: devices may still reach them.
std::uint64_t ProcessMemory::page_out(const Stale& reclaimed) {
  std::uint64_t count = 0;
  for (const AddressSpan& span : reclaimed.spans) {
    for (auto parked = parked_.lower_bound(span.start);
         parked != parked_.end() && parked->first < span.end;) {
      if (parked->second.reclaim != reclaimed.reclaim) {
        ++parked;
        continue;
      }
      auto bytes = std::make_shared<Page>();
      memory_.read(parked->second.page, bytes->data(), bytes->size());
      swap_[parked->first] = std::move(bytes);
      pages_.free(parked->second.page);
      ++count;
      parked = parked_.erase(parked);
    }
  }
  return count;
}

std::optional<Addr> ProcessMemory::move(Addr start, Addr end, Stale& stale) {
  const Vma* area = find_area(start);
  SVASIM_CHECK(area != nullptr && area->start <= start && area->end >= end,
               "what is moved does not lie in one area");
  const std::optional<Addr> place = free_place(end - start, *area);
  if (!place.has_value()) {
    return std::nullopt;
  }
  const Addr target = *place;
  const auto to = [&](Addr va) { return va - start + target; };
  cut_pages(start);
  cut_pages(end);
  split_all(start, end);
  bool room = true;
  table_.for_each(start, end,
                  [&](Addr va, const PageTable::Leaf&) { room = room && table_.prepare(to(va)); });
  if (!room) {
    return std::nullopt;
  }
  first_in(start, end);
  const Vma vma = areas_.at(start);
  areas_.erase(start);
  map(end - start, vma, target);
  table_.for_each(start, end, [&](Addr va, const PageTable::Leaf&) {
    const PageTable::Leaf leaf = *table_.unmap(va);
    const bool dirty = (leaf.value & FirstStageEntry::D::kMask) != 0;
    SVASIM_CHECK(table_.map(to(va), leaf.page, 1, leaf.writable, dirty), "a page's table is gone");
    if (stale.spans.empty()) stale.spans.push_back({start, end});
  });
  const auto move_keys = [&](auto& pages) {
    for (auto page = pages.lower_bound(start); page != pages.end() && page->first < end;) {
      pages.emplace(to(page->first), std::move(page->second));
      page = pages.erase(page);
    }
  };
  move_keys(parked_);
  move_keys(swap_);
  return target;
}

// SPEC: [LINUX mm/memory.c copy_page_range]
bool ProcessMemory::fork_into(ProcessMemory& child, Stale& stale) {
  child.next_area_ = next_area_;
  child.next_low_ = next_low_;
  for (auto& [start, vma] : areas_) {
    if (!vma.inherited) continue;
    child.areas_.emplace(start, vma);
    const bool device = vma.kind == AreaKind::kDevice;
    bool lost = false;
    bool room = true;
    split_all(start, vma.end);
    table_.for_each(start, vma.end, [&](Addr va, const PageTable::Leaf& leaf) {
      room = room && child.table_.map(va, leaf.page, 1, device && leaf.writable, false);
      if (!room) return;
      ++child.resident_;
      if (device) return;
      pages_.share(leaf.page);
      if (leaf.writable) {
        table_.set_writable(leaf, false);
        lost = true;
      }
    });
    if (lost) stale.spans.push_back({start, vma.end});
    if (!room) return false;
    const auto behind = parked_.lower_bound(vma.end);
    for (auto parked = parked_.lower_bound(start); parked != behind; ++parked) {
      // MODEL: the copy is made at once. Such pages have no entries that could be write-protected.
      auto bytes = std::make_shared<Page>();
      memory_.read(parked->second.page, bytes->data(), bytes->size());
      child.swap_[parked->first] = std::move(bytes);
    }
    child.swap_.insert(swap_.lower_bound(start), swap_.lower_bound(vma.end));
  }
  return true;
}

// --- faults ---

bool ProcessMemory::is_major(Addr address) const {
  const Addr va = address & ~(kPageSize - 1);
  const Vma* vma = find_area(va);
  if (vma == nullptr || table_.find(va).has_value() || parked_.count(va) != 0) {
    return false;
  }
  return vma->kind == AreaKind::kFile || swap_.count(va) != 0;
}

void ProcessMemory::first_contents(const Vma& vma, Addr va, unsigned char* data) const {
  if (const auto out = swap_.find(va); out != swap_.end()) {
    std::memcpy(data, out->second->data(), kPageSize);
  } else {
    fill_initial(vma, va, data);
  }
}

bool ProcessMemory::can_be_huge(const Vma& vma, Addr va) const {
  const Addr first = va & ~(kHugeSize - 1);
  if (!vma.huge || first < vma.start || first + kHugeSize > vma.end) {
    return false;
  }
  const auto none = [&](const auto& pages) {
    const auto page = pages.lower_bound(first);
    return page == pages.end() || page->first >= first + kHugeSize;
  };
  // A table that is there already is not replaced; without one there are no small pages.
  return none(parked_) && none(swap_) && !table_.has_table(first, 1);
}

bool ProcessMemory::fault_huge(const Vma& vma, Addr va, bool write) {
  const Addr first = va & ~(kHugeSize - 1);
  constexpr std::uint64_t kCount = kHugeSize >> kPageShift;
  const auto run = pages_.allocate_contiguous(kCount, vma.node);
  if (!run.has_value()) {
    return false;
  }
  unsigned char data[kPageSize];
  for (std::uint64_t i = 0; i < kCount; ++i) {
    fill_initial(vma, first + i * kPageSize, data);
    memory_.write(*run + i * kPageSize, data, sizeof data);
  }
  const bool mapped = table_.map(first, *run, 2, vma.write, write);
  if (!mapped || !table_.put_table_aside(first)) {
    if (mapped) table_.unmap(first);
    for (std::uint64_t i = 0; i < kCount; ++i) pages_.free(*run + i * kPageSize);
    return false;
  }
  resident_ += kCount;
  return true;
}

// SPEC: [LINUX mm/memory.c do_wp_page]: the last user of a page keeps it, others get a copy.
FaultResult ProcessMemory::fault_present(const Vma& vma, Addr va, const PageTable::Leaf& leaf, bool write,
                                         Stale* stale) {
  if (!write || leaf.writable) {
    return FaultResult::kAlreadyMapped;
  }
  if (vma.kind == AreaKind::kDevice || leaf.level > 1 || pages_.sharers(leaf.page) == 1) {
    table_.set_writable(leaf, true);
    return FaultResult::kAlreadyMapped;
  }
  const auto copy = pages_.allocate(vma.node);
  if (!copy.has_value()) {
    return FaultResult::kNoMemory;
  }
  unsigned char data[kPageSize];
  memory_.read(leaf.page, data, sizeof data);
  memory_.write(*copy, data, sizeof data);
  table_.unmap(va);
  SVASIM_CHECK(table_.map(va, *copy, 1, true, true), "a page's table is gone");
  if (stale != nullptr) {
    stale->spans.push_back({va, va + kPageSize});
    stale->pages.push_back(leaf.page);
  } else {
    pages_.free(leaf.page);
  }
  return FaultResult::kCopied;
}

FaultResult ProcessMemory::fault(Addr address, bool read, bool write, Stale* stale) {
  const Vma* vma = find_area(address);
  if (vma == nullptr) {
    return FaultResult::kNoArea;
  }
  if ((read && !vma->read) || (write && !vma->write)) {
    return FaultResult::kNoRight;
  }
  const Addr va = address & ~(kPageSize - 1);
  if (const auto leaf = table_.find(va); leaf.has_value()) {
    return fault_present(*vma, va, *leaf, write, stale);
  }
  if (vma->kind == AreaKind::kDevice) {
    if (vma->there != nullptr && !*vma->there) {
      return FaultResult::kNotThere;
    }
    const bool mapped = table_.map(va, vma->physical + (va - vma->start), 1, vma->write, write);
    resident_ += mapped ? 1 : 0;
    return mapped ? FaultResult::kMapped : FaultResult::kNoMemory;
  }
  if (const auto parked = parked_.find(va); parked != parked_.end()) {
    const bool alone = pages_.users(parked->second.page) == 1;
    if (!table_.map(va, parked->second.page, 1, vma->write && alone, write && alone)) {
      return FaultResult::kNoMemory;
    }
    parked_.erase(parked);
    ++resident_;
    return write && !alone ? fault(address, read, write, stale) : FaultResult::kMapped;
  }
  if (can_be_huge(*vma, va) && fault_huge(*vma, va, write)) {
    return FaultResult::kMapped;
  }
  const auto page = pages_.allocate(vma->node);
  if (!page.has_value()) {
    return FaultResult::kNoMemory;
  }
  if (vma->content == Content::kZero && swap_.empty()) {
    memory_.zero_page(*page);
  } else {
    unsigned char data[kPageSize];
    first_contents(*vma, va, data);
    memory_.write(*page, data, sizeof data);
  }
  if (!table_.map(va, *page, 1, vma->write, write)) {
    pages_.free(*page);
    return FaultResult::kNoMemory;
  }
  swap_.erase(va);
  ++resident_;
  return FaultResult::kMapped;
}

// --- the CPU's accesses ---

void ProcessMemory::access(Addr address) const {
  unsigned char byte = 0;
  memory_.read(translate(address), &byte, 1);
}

bool ProcessMemory::is_accessible(Addr address, bool write) const {
  const auto leaf = table_.find(address);
  return leaf.has_value() && (leaf->writable || !write);
}

void ProcessMemory::read(Addr address, void* data, std::size_t length) const {
  auto* out = static_cast<unsigned char*>(data);
  while (length != 0) {
    const Addr va = address & ~(kPageSize - 1);
    const std::size_t offset = address - va;
    const std::size_t part = std::min<std::size_t>(length, kPageSize - offset);
    if (const auto leaf = table_.find(va); leaf.has_value()) {
      memory_.read(leaf->page + (address & ((std::uint64_t{1} << leaf->shift) - 1)), out, part);
    } else if (const auto parked = parked_.find(va); parked != parked_.end()) {
      memory_.read(parked->second.page + offset, out, part);
    } else {
      const Vma* vma = find_area(va);
      SVASIM_CHECK(vma != nullptr, "the CPU reads where nothing is mapped");
      if (vma->kind == AreaKind::kDevice) {
        memory_.read(vma->physical + (address - vma->start), out, part);
      } else {
        Page page;
        first_contents(*vma, va, page.data());
        std::memcpy(out, page.data() + offset, part);
      }
    }
    address += part;
    out += part;
    length -= part;
  }
}

Addr ProcessMemory::translate(Addr address) const {
  const auto leaf = table_.find(address);
  SVASIM_CHECK(leaf.has_value(), "no page is at this address");
  return leaf->page + (address & ((std::uint64_t{1} << leaf->shift) - 1));
}

void ProcessMemory::write(Addr address, const void* data, std::size_t length) {
  const auto* in = static_cast<const unsigned char*>(data);
  while (length != 0) {
    const std::size_t offset = address & (kPageSize - 1);
    const std::size_t part = std::min<std::size_t>(length, kPageSize - offset);
    memory_.write(translate(address), in, part);
    address += part;
    in += part;
    length -= part;
  }
}

// --- the end ---

Stale ProcessMemory::clear() {
  Stale all;
  while (!areas_.empty()) {
    const Vma vma = areas_.begin()->second;
    const Stale stale = unmap(vma.start, vma.end);
    for (const Addr page : stale.pages) all.pages.push_back(page);
    for (const AddressSpan& span : stale.spans) all.spans.push_back(span);
  }
  return all;
}

void ProcessMemory::release() {
  for (const Addr page : clear().pages) pages_.free(page);
  table_.release();
}

}  // namespace svasim
