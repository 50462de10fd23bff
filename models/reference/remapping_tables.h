// Builds root, context and PASID structures for tests.
#pragma once

#include <cstdint>

#include "base/types.h"
#include "models/formats/vtd_context.h"
#include "models/reference/memory_view.h"
#include "models/reference/page_table_builder.h"

namespace svasim {

// A scalable-mode context entry as values.
struct ScalableContext {
  bool fault_processing_disabled = false;
  bool device_tlb = false;
  bool pasid = false;
  bool page_requests = false;
  unsigned pdts = 0;  // 2^(pdts + 7) directory entries
  Pasid rid_pasid;
  bool rid_privileged = false;
};

// Entries as software writes them. Further fields can be set on the words.
Words<8> first_stage_pasid_entry(Addr table, unsigned levels, DomainId domain, bool walk_snoop = true);
Words<8> second_stage_pasid_entry(Addr table, unsigned levels, DomainId domain, bool walk_snoop = true);
Words<8> nested_pasid_entry(Addr first_table, unsigned first_levels, Addr second_table,
                            unsigned second_levels, DomainId domain, bool walk_snoop = true);
Words<8> pass_through_pasid_entry(DomainId domain);

class RemappingTables {
 public:
  // As with PageTableBuilder, `pages_of` is nullptr for memories where every page exists.
  RemappingTables(MemoryView& memory, PageMemory* pages_of, TablePages& allocator, bool scalable);
  RemappingTables(PageMemory& memory, TablePages& allocator, bool scalable)
      : RemappingTables(memory, &memory, allocator, scalable) {}

  Addr root() const { return root_; }
  // The value for RTADDR.
  std::uint64_t rtaddr() const;

  void set_legacy_context(RequesterId id, TranslationType type, Addr table, unsigned levels, DomainId domain);
  void set_context(RequesterId id, const ScalableContext& context);
  // Needs set_context before. Words 7 to 1 are written before word 0, which holds P.
  void set_pasid_entry(RequesterId id, Pasid pasid, const Words<8>& entry);
  // P := 0.
  void clear_pasid_entry(RequesterId id, Pasid pasid);

  // Where the entries lie, for tests that damage them; 0 when the tables do not reach that far.
  Addr root_entry_address(RequesterId id) const;
  Addr context_entry_address(RequesterId id) const;
  Addr directory_entry_address(RequesterId id, Pasid pasid) const;
  Addr pasid_entry_address(RequesterId id, Pasid pasid) const;

 private:
  Addr new_pages(unsigned count);
  std::uint64_t read(Addr address) const;
  void write(Addr address, std::uint64_t value);

  MemoryView& memory_;
  PageMemory* pages_of_;
  TablePages& allocator_;
  bool scalable_;
  Addr root_ = 0;
};

}  // namespace svasim
