#include "models/host/submission_memory.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace svasim {

namespace {

constexpr std::uint64_t kRecordSpacing = 64;  // a cache line each
constexpr std::size_t kInPage = kPageSize / kRecordSpacing;
constexpr const char* kRecords = "the completion records of ";

}  // namespace

Addr SubmissionMemory::map(std::uint64_t size) {
  Vma area;
  area.inherited = false;
  return memory().map(size, area);
}

void SubmissionMemory::bring_in(Addr page, const char* what) {
  if (!is_handled(memory().fault(page, true, true))) kernel_.pages().too_small(what + who_);
}

Addr SubmissionMemory::map_resident(std::uint64_t size, const char* what) {
  const Addr start = map(size);
  for (std::uint64_t offset = 0; offset < size; offset += kPageSize) bring_in(start + offset, what);
  return start;
}

void SubmissionMemory::tell(const Stale& stale, Task then) {
  stale.empty() ? then() : kernel_.shoot_down(space_, stale, std::move(then));
}

void SubmissionMemory::set_up() {
  if (slots_ == 0) {
    return;  // its thread submits nothing
  }
  records_ = map_resident(slots_ * kRecordSpacing, kRecords);
  for (std::uint64_t offset = 0; offset < slots_ * kRecordSpacing; offset += kPageSize) {
    record_pages_.push_back(memory().translate(records_ + offset));
  }
  polled_.resize(slots_ * kRecordSpacing);
  places_.resize(slots_);
}

void SubmissionMemory::set_up_batches(std::uint32_t count) {
  if (lists_.size() >= count) {
    return;
  }
  lists_.resize(count);
  Addr place = 0;
  for (std::uint32_t batch = 0; batch < count; ++batch) {
    List& list = lists_[batch];
    if (list.address != 0) continue;
    if (place % kPageSize == 0) {
      place = map_resident(kPageSize, kRecords);
    }
    list.address = place;
    list.record = memory().translate(place);
    place += kRecordSpacing;
  }
}

void SubmissionMemory::set_up_slot_lists(std::uint64_t bytes) {
  if (slots_ * bytes <= slot_list_bytes_) {
    return;
  }
  slot_list_bytes_ = slots_ * bytes;
  slot_lists_ = map_resident(slot_list_bytes_, "the descriptor lists of ");
}

// --- before something is submitted ---

void SubmissionMemory::prepare_record(std::uint32_t slot, bool apart, const Ready& ready) {
  const DsaCompletionRecord empty;
  Apart& place = places_[slot];
  place.used = apart;
  if (!apart) {
    const Addr address = records_ + slot * kRecordSpacing;
    kernel_.machine().memory().write(record_pages_[slot / kInPage] + slot % kInPage * kRecordSpacing, &empty,
                                     sizeof empty);
    ready(address);
    return;
  }
  if (place.page == 0 || memory().find_area(place.page) == nullptr) place.page = map(kPageSize);
  // A page not there reads as zeros.
  tell(memory().discard(place.page, place.page + kPageSize), [ready, page = place.page] { ready(page); });
}

Addr SubmissionMemory::prepare_batch_record(std::uint32_t batch) {
  const DsaCompletionRecord empty;
  kernel_.machine().memory().write(lists_[batch].record, &empty, sizeof empty);
  return lists_[batch].address;
}

void SubmissionMemory::unmap_record(std::uint32_t slot) {
  const Addr page = places_[slot].page;
  if (memory().find_area(page) == nullptr) {
    return;
  }
  tell(memory().unmap(page, page + kPageSize), [] {});
}

void SubmissionMemory::prepare_list(std::uint32_t batch, const std::vector<DsaDescriptor>& descriptors,
                                    const std::string& second_half, const Ready& ready) {
  List& list = lists_[batch];
  if (list.pages == 0 || memory().find_area(list.pages + kPageSize) == nullptr) {
    list.pages = map(2 * kPageSize);
  }
  const Addr second = list.pages + kPageSize;
  bring_in(list.pages, kRecords);
  bring_in(second, kRecords);
  const Addr address = second - descriptors.size() / 2 * sizeof(DsaDescriptor);
  memory().write(address, descriptors.data(), descriptors.size() * sizeof(DsaDescriptor));
  if (second_half == "resident") {
    ready(address);
  } else if (second_half == "unmapped") {
    tell(memory().unmap(second, second + kPageSize), [ready, address] { ready(address); });
  } else {
    const Stale stale = memory().reclaim(second, second + kPageSize);
    tell(stale, [this, stale, ready, address] {
      kernel_.stats().pages_out.add(memory().page_out(stale));
      ready(address);
    });
  }
}

Addr SubmissionMemory::write_slot_list(std::uint32_t slot, const std::vector<DsaDescriptor>& descriptors) {
  const std::uint64_t bytes = descriptors.size() * sizeof(DsaDescriptor);
  const Addr list = slot_lists_ + slot * bytes;
  memory().write(list, descriptors.data(), bytes);
  return list;
}

// --- afterwards ---

void SubmissionMemory::look() {
  for (std::size_t page = 0; page < record_pages_.size(); ++page) {
    const std::size_t begin = page * kPageSize;
    kernel_.machine().memory().read(record_pages_[page], polled_.data() + begin,
                                    std::min<std::size_t>(polled_.size() - begin, kPageSize));
  }
}

bool SubmissionMemory::record(std::uint32_t slot, DsaCompletionRecord& record) const {
  const Apart& place = places_[slot];
  if (!place.used) {
    if (polled_[slot * kRecordSpacing] == 0) return false;
    std::memcpy(&record, polled_.data() + slot * kRecordSpacing, sizeof record);
    return true;
  }
  if (space_.memory.find_area(place.page) == nullptr) return false;
  space_.memory.read(place.page, &record, sizeof record);
  return record.status != 0;
}

bool SubmissionMemory::batch_record(std::uint32_t batch, DsaCompletionRecord& record) const {
  kernel_.machine().memory().read(lists_[batch].record, &record, sizeof record);
  return record.status != 0;
}

}  // namespace svasim
