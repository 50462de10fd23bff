#include "models/host/translation_tables.h"

#include <algorithm>

namespace svasim {

TranslationTables::TranslationTables(PhysicalMemory& memory, PageAllocator& pages)
    : memory_(memory), pages_(pages), root_(zeroed_pages(1)) {}

Addr TranslationTables::zeroed_pages(std::uint64_t count) {
  const Addr pages = pages_.needed(pages_.allocate_contiguous(count), "the structures of an IOMMU");
  for (std::uint64_t i = 0; i < count; ++i) {
    memory_.zero_page(pages + i * kPageSize);
  }
  return pages;
}

// --- devices ---

void TranslationTables::add_device(RequesterId id, bool ats, bool page_requests, unsigned pasid_bits) {
  using Root = ScalableRootEntry;
  const Addr root_half = Root::address(root_, id) + Root::half(id) * sizeof(std::uint64_t);
  Addr contexts = Root::LCTP::Bits::in_place(memory_.read64(root_half));
  if (contexts == 0) {
    contexts = zeroed_pages(1);
    memory_.write64(root_half, contexts | Root::LP::kMask);
  }
  Device& device = devices_[id];
  device.ats = ats;
  const std::uint64_t directory_bits = std::max(pasid_bits, 13U) - 6;
  device.directory = zeroed_pages(
      ((std::uint64_t{1} << directory_bits) * PasidDirectoryEntry::kBytes + kPageSize - 1) / kPageSize);
  Words<4> context{};
  using Context = ScalableContextEntry;
  Context::P::set(context, 1);
  Context::DTE::set(context, ats);
  Context::PASIDE::set(context, 1);
  Context::PRE::set(context, page_requests);
  Context::PDTS::set(context, directory_bits - 7);
  Context::PASIDDIRPTR::set_in_place(context, device.directory);
  device.context = Context::address(contexts, id);
  for (std::size_t i = context.size(); i-- > 0;) {
    memory_.write64(device.context + i * sizeof(std::uint64_t), context[i]);
  }
}

void TranslationTables::set_page_requests(RequesterId id, bool on) {
  const Device& device = devices_.at(id);
  const std::uint64_t word = memory_.read64(device.context);
  memory_.write64(device.context,
                  on ? word | ScalableContextEntry::PRE::kMask : word & ~ScalableContextEntry::PRE::kMask);
}

void TranslationTables::take_ats(RequesterId id) {
  Device& device = devices_.at(id);
  device.ats = false;
  const std::uint64_t word = memory_.read64(device.context);
  memory_.write64(device.context,
                  word & ~(ScalableContextEntry::DTE::kMask | ScalableContextEntry::PRE::kMask));
}

// --- PASIDs ---

Addr TranslationTables::entry(RequesterId id, Pasid pasid) {
  Device& device = devices_.at(id);
  Addr& table = device.tables[pasid.value() >> 6U];
  if (table == 0) {
    table = zeroed_pages(1);
    memory_.write64(PasidDirectoryEntry::address(device.directory, pasid),
                    table | PasidDirectoryEntry::P::kMask);
  }
  return PasidTableEntry::address(table, pasid);
}

// SPEC: [VTD 9]: hardware may read an entry in pieces, so P is written last.
void TranslationTables::write(Addr entry, const Words<8>& words) {
  for (std::size_t i = words.size(); i-- > 0;) {
    memory_.write64(entry + i * sizeof(std::uint64_t), words[i]);
  }
}

// SPEC: [VTD 9.6], [LINUX drivers/iommu/intel/pasid.c]
void TranslationTables::set(RequesterId device, Pasid pasid, const IoTranslation& translation, bool snoop) {
  using Entry = PasidTableEntry;
  Words<8> words{};
  Entry::P::set(words, 1);
  Entry::PGTT::set(words, static_cast<std::uint64_t>(translation.kind));
  Entry::DID::set(words, translation.domain.value());
  Entry::PWSNP::set(words, snoop);
  if (translation.has_first()) {
    Entry::FSPM::set(words,
                     static_cast<std::uint64_t>(translation.first_levels == 5 ? FirstStageMode::k5Level
                                                                              : FirstStageMode::k4Level));
    Entry::SRE::set(words, translation.supervisor);
    Entry::FSPTPTR::set_in_place(words, translation.first);
  }
  // SPEC: [VTD 9.6] AW: two less than the levels of the second stage. Pass-through has it too.
  if (translation.has_second()) Entry::SSPTPTR::set_in_place(words, translation.second);
  if (translation.kind != IoTranslation::Kind::kFirstStage) {
    Entry::AW::set(words, translation.second_levels - 2);
  }
  write(entry(device, pasid), words);
}

std::optional<IoTranslation> TranslationTables::get(RequesterId device, Pasid pasid) {
  using Entry = PasidTableEntry;
  const Addr at = entry(device, pasid);
  Words<8> words{};
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = memory_.read64(at + i * sizeof(std::uint64_t));
  if (Entry::P::get(words) == 0) return std::nullopt;
  IoTranslation translation;
  translation.kind = static_cast<IoTranslation::Kind>(Entry::PGTT::get(words));
  translation.domain = DomainId(static_cast<std::uint16_t>(Entry::DID::get(words)));
  translation.first = Entry::FSPTPTR::in_place(words);
  translation.first_levels =
      Entry::FSPM::get(words) == static_cast<std::uint64_t>(FirstStageMode::k5Level) ? 5 : 4;
  translation.supervisor = Entry::SRE::get(words) != 0;
  translation.second = Entry::SSPTPTR::in_place(words);
  translation.second_levels = static_cast<unsigned>(Entry::AW::get(words)) + 2;
  return translation;
}

void TranslationTables::take_present(RequesterId device, Pasid pasid, std::uint64_t set) {
  const Addr at = entry(device, pasid);
  memory_.write64(at, (memory_.read64(at) & ~PasidTableEntry::P::kMask) | set);
}

void TranslationTables::clear(RequesterId device, Pasid pasid) { write(entry(device, pasid), Words<8>{}); }

}  // namespace svasim
