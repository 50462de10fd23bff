#include "models/reference/remapping_tables.h"

#include "base/check.h"
#include "models/formats/vtd_registers.h"

namespace svasim {
namespace {

void set_common(Words<8>& entry, PasidGranularTranslation type, DomainId domain) {
  PasidTableEntry::P::set(entry, 1);
  PasidTableEntry::PGTT::set(entry, static_cast<std::uint64_t>(type));
  PasidTableEntry::DID::set(entry, domain.value());
}

void set_first_stage(Words<8>& entry, Addr table, unsigned levels) {
  PasidTableEntry::FSPTPTR::set_in_place(entry, table);
  PasidTableEntry::FSPM::set(entry, levels == 5 ? 1 : 0);
}

void set_second_stage(Words<8>& entry, Addr table, unsigned levels) {
  PasidTableEntry::SSPTPTR::set_in_place(entry, table);
  PasidTableEntry::AW::set(entry, levels - 2);
}

}  // namespace

Words<8> first_stage_pasid_entry(Addr table, unsigned levels, DomainId domain, bool walk_snoop) {
  Words<8> entry{};
  set_common(entry, PasidGranularTranslation::kFirstStage, domain);
  set_first_stage(entry, table, levels);
  PasidTableEntry::PWSNP::set(entry, walk_snoop);
  return entry;
}

Words<8> second_stage_pasid_entry(Addr table, unsigned levels, DomainId domain, bool walk_snoop) {
  Words<8> entry{};
  set_common(entry, PasidGranularTranslation::kSecondStage, domain);
  set_second_stage(entry, table, levels);
  PasidTableEntry::PWSNP::set(entry, walk_snoop);
  return entry;
}

Words<8> nested_pasid_entry(Addr first_table, unsigned first_levels, Addr second_table,
                            unsigned second_levels, DomainId domain, bool walk_snoop) {
  Words<8> entry{};
  set_common(entry, PasidGranularTranslation::kNested, domain);
  set_first_stage(entry, first_table, first_levels);
  set_second_stage(entry, second_table, second_levels);
  PasidTableEntry::PWSNP::set(entry, walk_snoop);
  return entry;
}

Words<8> pass_through_pasid_entry(DomainId domain) {
  Words<8> entry{};
  set_common(entry, PasidGranularTranslation::kPassThrough, domain);
  return entry;
}

RemappingTables::RemappingTables(MemoryView& memory, PageMemory* pages_of, TablePages& allocator,
                                 bool scalable)
    : memory_(memory), pages_of_(pages_of), allocator_(allocator), scalable_(scalable) {
  root_ = new_pages(1);
}

std::uint64_t RemappingTables::rtaddr() const {
  const auto mode = scalable_ ? TranslationMode::kScalable : TranslationMode::kLegacy;
  return root_ | VtdRtaddr::TTM::make(static_cast<std::uint64_t>(mode));
}

Addr RemappingTables::new_pages(unsigned count) {
  const Addr first = allocator_.allocate();
  for (unsigned i = 0; i < count; ++i) {
    const Addr page = i == 0 ? first : allocator_.allocate();
    SVASIM_CHECK(page == first + i * kPageSize, "structures of several pages need a fresh allocator");
    if (pages_of_ != nullptr) pages_of_->add_page(page);
    for (unsigned word = 0; word < 512; ++word) write(page + 8 * word, 0);
  }
  return first;
}

std::uint64_t RemappingTables::read(Addr address) const {
  std::uint64_t value = 0;
  SVASIM_CHECK(memory_.read64(address, value), "a table lies in memory");
  return value;
}

void RemappingTables::write(Addr address, std::uint64_t value) {
  SVASIM_CHECK(memory_.write64(address, value), "a table lies in memory");
}

void RemappingTables::set_legacy_context(RequesterId id, TranslationType type, Addr table, unsigned levels,
                                         DomainId domain) {
  SVASIM_CHECK(!scalable_, "a legacy context needs legacy tables");
  if (context_entry_address(id) == 0) write(root_entry_address(id), new_pages(1) | 1);
  Words<2> entry{};
  LegacyContextEntry::P::set(entry, 1);
  LegacyContextEntry::TT::set(entry, static_cast<std::uint64_t>(type));
  LegacyContextEntry::SSPTPTR::set_in_place(entry, table);
  LegacyContextEntry::AW::set(entry, levels - 2);
  LegacyContextEntry::DID::set(entry, domain.value());
  const Addr where = context_entry_address(id);
  write(where + 8, entry[1]);
  write(where, entry[0]);
}

void RemappingTables::set_context(RequesterId id, const ScalableContext& context) {
  SVASIM_CHECK(scalable_, "a scalable context needs scalable tables");
  if (context_entry_address(id) == 0) {
    write(root_entry_address(id) + (id.devfn() >= 128 ? 8 : 0), new_pages(1) | 1);
  }
  // 2^(pdts + 7) entries of 8 bytes.
  const unsigned bytes = 8U << (context.pdts + 7);
  const Addr directory = new_pages((bytes + 4095) / 4096);
  using E = ScalableContextEntry;
  Words<4> entry{};
  E::P::set(entry, 1);
  E::FPD::set(entry, context.fault_processing_disabled);
  E::DTE::set(entry, context.device_tlb);
  E::PASIDE::set(entry, context.pasid);
  E::PRE::set(entry, context.page_requests);
  E::PDTS::set(entry, context.pdts);
  E::PASIDDIRPTR::set_in_place(entry, directory);
  E::RID_PASID::set(entry, context.rid_pasid.value());
  E::RID_PRIV::set(entry, context.rid_privileged);
  const Addr where = context_entry_address(id);
  for (unsigned i = 4; i-- > 0;) write(where + 8 * i, entry[i]);
}

void RemappingTables::set_pasid_entry(RequesterId id, Pasid pasid, const Words<8>& entry) {
  if (pasid_entry_address(id, pasid) == 0) write(directory_entry_address(id, pasid), new_pages(1) | 1);
  const Addr where = pasid_entry_address(id, pasid);
  for (unsigned i = 8; i-- > 0;) write(where + 8 * i, entry[i]);
}

void RemappingTables::clear_pasid_entry(RequesterId id, Pasid pasid) {
  const Addr where = pasid_entry_address(id, pasid);
  write(where, read(where) & ~std::uint64_t{1});
}

Addr RemappingTables::root_entry_address(RequesterId id) const { return root_ + id.bus() * 16; }

Addr RemappingTables::context_entry_address(RequesterId id) const {
  const unsigned devfn = id.devfn();
  const std::uint64_t entry = read(root_entry_address(id) + (scalable_ && devfn >= 128 ? 8 : 0));
  if ((entry & 1) == 0) return 0;
  return (entry & ~std::uint64_t{0xFFF}) + (scalable_ ? (devfn % 128) * 32 : devfn * 16);
}

Addr RemappingTables::directory_entry_address(RequesterId id, Pasid pasid) const {
  const Addr context = context_entry_address(id);
  if (context == 0) return 0;
  return (read(context) & ~std::uint64_t{0xFFF}) + pasid.value() / 64 * 8;
}

Addr RemappingTables::pasid_entry_address(RequesterId id, Pasid pasid) const {
  const Addr directory = directory_entry_address(id, pasid);
  if (directory == 0) return 0;
  const std::uint64_t entry = read(directory);
  if ((entry & 1) == 0) return 0;
  return (entry & ~std::uint64_t{0xFFF}) + pasid.value() % 64 * 64;
}

}  // namespace svasim
