// Memory through which a thread and a device talk: completion records and descriptor lists.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/formats/dsa_descriptor.h"
#include "models/host/kernel.h"

namespace svasim {

// Records lie by slot, one cache line each, in pages that stay, or on request each in a page of its own that
// is not there. Lists lie across the end of a page, so that their second half can be missing.
class SubmissionMemory {
 public:
  using Task = Machine::Task;

  SubmissionMemory(std::string who, std::uint32_t slots, Kernel& kernel, SvaSpace& space)
      : who_(std::move(who)), slots_(slots), kernel_(kernel), space_(space) {}

  // Take no time. The second is for lists of gathered operations, the third for a list of so many bytes by
  // slot.
  void set_up();
  void set_up_batches(std::uint32_t count);
  void set_up_slot_lists(std::uint64_t bytes);
  // Where the records are that stay: whole pages.
  AddressSpan records() const { return {records_, records_ + record_pages_.size() * kPageSize}; }
  std::uint32_t batches() const { return static_cast<std::uint32_t>(lists_.size()); }

  // Makes the record of a slot an empty one; `apart`: in a page that is not there. `ready` runs with its
  // address, at once where no device has to forget anything.
  using Ready = std::function<void(Addr address)>;
  void prepare_record(std::uint32_t slot, bool apart, const Ready& ready);
  Addr prepare_batch_record(std::uint32_t batch);
  // Its page goes away, with its area.
  void unmap_record(std::uint32_t slot);
  bool is_apart(std::uint32_t slot) const { return places_[slot].used; }

  void prepare_list(std::uint32_t batch, const std::vector<DsaDescriptor>& descriptors,
                    const std::string& second_half, const Ready& ready);

  // Writes the list of a slot, in pages that stay, and returns its address.
  Addr write_slot_list(std::uint32_t slot, const std::vector<DsaDescriptor>& descriptors);

  // Reads all records that lie together; then each can be looked at. False: it is empty, or its page is gone.
  void look();
  bool record(std::uint32_t slot, DsaCompletionRecord& record) const;
  bool batch_record(std::uint32_t batch, DsaCompletionRecord& record) const;

 private:
  struct Apart {
    bool used = false;  // by what was submitted last
    Addr page = 0;
  };
  struct List {
    Addr pages = 0;    // two
    Addr record = 0;   // physical address of the batch's completion record ...
    Addr address = 0;  // ... and its address
  };
  ProcessMemory& memory() { return space_.memory; }
  Addr map(std::uint64_t size);
  void bring_in(Addr page, const char* what);
  Addr map_resident(std::uint64_t size, const char* what);
  void tell(const Stale& stale, Task then);

  std::string who_;
  std::uint32_t slots_;
  Kernel& kernel_;
  SvaSpace& space_;
  Addr records_ = 0;
  std::vector<Addr> record_pages_;  // physical; they stay as long as the process
  std::vector<Apart> places_;
  std::vector<List> lists_;
  Addr slot_lists_ = 0;
  std::uint64_t slot_list_bytes_ = 0;
  std::vector<unsigned char> polled_;
};

}  // namespace svasim
