#include "models/traffic/replay_tables.h"

#include <algorithm>

#include "base/check.h"
#include "base/input_error.h"
#include "models/formats/vtd_context.h"
#include "models/formats/vtd_registers.h"
#include "models/formats/vtd_second_stage.h"
#include "models/formats/x86_first_stage.h"

namespace svasim {
namespace {

constexpr Addr page_of(Addr address) { return address & ~(kPageSize - 1); }
// The tables reach all of the range.
bool holds(const PageTableFormat& format, Addr iova, std::uint64_t size) {
  const Addr last = iova + (size - 1);
  return format.accepts(iova) && format.accepts(last) && ((iova ^ last) >> (format.input_bits - 1U)) < 2;
}
constexpr std::size_t word_of(Addr address) { return (address & (kPageSize - 1)) / 8; }

}  // namespace

void TableWrites::add(Addr address, std::uint64_t word) {
  if (!spans_.empty()) {
    Span& last = spans_.back();
    if (last.address + last.count * 8 == address && page_of(last.address) == page_of(address)) {
      words_.push_back(word);
      ++last.count;
      return;
    }
  }
  spans_.push_back({address, words_.size(), 1});
  words_.push_back(word);
}

std::uint64_t& HostTables::word(Addr address) {
  const auto page = pages_.find(page_of(address));
  SVASIM_CHECK(page != pages_.end(), "the host's tables have no such page");
  return page->second->words[word_of(address)];
}

std::uint64_t HostTables::word(Addr address) const { return const_cast<HostTables*>(this)->word(address); }

void HostTables::store(Addr address, std::uint64_t value, TableWrites& writes) {
  word(address) = value;
  writes.add(address, value);
}

void HostTables::read_page(Addr address, TablePage& page) const {
  const auto found = pages_.find(address);
  if (found == pages_.end()) {
    page.fill(0);
  } else {
    page = found->second->words;
  }
}

Addr HostTables::allocate_pages(unsigned count) {
  const Addr first = next_;
  next_ += count * kPageSize;
  return first;
}

Addr HostTables::new_table(TableWrites& writes) {
  const Addr table = allocate_pages(1);
  pages_[table] = std::make_unique<Page>();
  for (std::size_t i = 0; i < kPageSize / 8; ++i) writes.add(table + i * 8, 0);
  return table;
}

const TableBinding* HostTables::binding(RequesterId requester, bool has_pasid, Pasid pasid) const {
  for (const TableBinding& b : bindings_) {
    if (b.requester == requester && (has_pasid ? b.pasid == pasid : b.for_plain)) return &b;
  }
  return nullptr;
}

const DomainTables* HostTables::domain(DomainId domain) const {
  const auto found = domains_.find(domain.value());
  return found == domains_.end() ? nullptr : &found->second;
}

void HostTables::add_domain(DomainId domain, TableWrites& writes) {
  DomainTables tables{TableStage::kSecond, 4, 0};
  std::size_t most = 0;
  for (const auto& [id, candidate] : domains_) {
    const auto alike = static_cast<std::size_t>(
        std::count_if(domains_.begin(), domains_.end(), [&other = candidate](const auto& d) {
          return d.second.stage == other.stage && d.second.levels == other.levels;
        }));
    if (candidate.levels != 0 && alike > most) {
      most = alike;
      tables = candidate;
    }
  }
  tables.root = new_table(writes);
  domains_[domain.value()] = tables;
}

void HostTables::rebind(const TableBinding& binding, DomainId domain, TableWrites& writes) {
  const DomainTables* const tables = this->domain(domain);
  SVASIM_CHECK(tables != nullptr, "rebind to a domain without tables");
  const Addr entry = binding.entry;
  if (binding.scalable) {
    using E = PasidTableEntry;
    Words<8> words{};
    for (std::size_t i = 0; i < words.size(); ++i) words[i] = word(entry + i * 8);
    const bool first = tables->stage == TableStage::kFirst;
    E::PGTT::set(words, static_cast<std::uint64_t>(first ? PasidGranularTranslation::kFirstStage
                                                         : PasidGranularTranslation::kSecondStage));
    E::DID::set(words, domain.value());
    if (first) {
      E::FSPM::set(words, tables->levels - 4U);
      E::FSPTPTR::set_in_place(words, tables->root);
    } else {
      E::AW::set(words, address_width_of_levels(tables->levels));
      E::SSPTPTR::set_in_place(words, tables->root);
    }
    for (std::size_t i = words.size(); i-- > 0;) store(entry + i * 8, words[i], writes);
  } else {
    using E = LegacyContextEntry;
    Words<2> words{word(entry), word(entry + 8)};
    if (static_cast<TranslationType>(E::TT::get(words)) == TranslationType::kPassThrough) {
      E::TT::set(words, static_cast<std::uint64_t>(TranslationType::kUntranslatedOnly));
    }
    E::DID::set(words, domain.value());
    E::AW::set(words, address_width_of_levels(tables->levels));
    E::SSPTPTR::set_in_place(words, tables->root);
    store(entry + 8, words[1], writes);
    store(entry, words[0], writes);
  }
  for (TableBinding& b : bindings_) {
    if (b.entry == entry) {
      b.domain = domain;
      b.tables = *tables;
    }
  }
}

HostTables::Place HostTables::find(const DomainTables& tables, Addr iova) const {
  const PageTableFormat& format = format_of(tables);
  Addr table = tables.root;
  for (unsigned level = format.levels;; --level) {
    const Addr at = format.entry_address(level, table, iova);
    const std::uint64_t entry = word(at);
    if (!format.is_present(entry) || format.is_leaf(level, entry)) return {at, level};
    table = format.next_table(entry);
  }
}

TableLookup HostTables::lookup(const DomainTables& tables, Addr iova) const {
  TableLookup result;
  if (tables.levels == 0) return result;
  const PageTableFormat& format = format_of(tables);
  if (!format.accepts(iova)) return result;
  result.read = result.write = true;
  Addr table = tables.root;
  for (unsigned level = format.levels;; --level) {
    const std::uint64_t entry = word(format.entry_address(level, table, iova));
    if (!format.is_present(entry)) return TableLookup{};
    const bool user = PageTableFormat::grants(entry, format.user);
    result.read = result.read && user && PageTableFormat::grants(entry, format.read);
    result.write = result.write && user && PageTableFormat::grants(entry, format.write);
    if (format.is_leaf(level, entry)) {
      const unsigned shift = format.page_shift(level);
      result.present = true;
      result.leaf = {iova >> shift << shift, format.page_address(level, entry),
                     static_cast<std::uint8_t>(shift), entry};
      return result;
    }
    table = format.next_table(entry);
  }
}

bool HostTables::flags_known(const DomainTables& tables, Addr iova) const {
  const Place place = find(tables, iova);
  return !pages_.at(page_of(place.address))->guessed[word_of(place.address)];
}

std::uint64_t HostTables::table_entry(const DomainTables& tables, Addr table) const {
  using F = FirstStageEntry;
  using S = SecondStageEntry;
  // A is set as the driver sets it: it cannot rely on hardware to do so.
  if (tables.stage == TableStage::kFirst)
    return table | F::P::kMask | F::RW::kMask | F::US::kMask | F::A::kMask;
  return table | S::R::kMask | S::W::kMask;
}

std::uint64_t HostTables::leaf_entry(const DomainTables& tables, Addr address, unsigned level,
                                     LeafFlags flags) const {
  using F = FirstStageEntry;
  using S = SecondStageEntry;
  std::uint64_t bits = flags.bits;
  if (!flags.known && tables.stage == TableStage::kFirst) {
    bits = F::P::kMask | F::A::kMask | F::D::kMask | leaf_xd_;
    if (!flags.no_read) bits |= F::US::kMask;
    if (!flags.no_write) bits |= F::RW::kMask;
  } else if (!flags.known) {
    bits = (flags.no_read ? 0 : S::R::kMask) | (flags.no_write ? 0 : S::W::kMask);
  }
  return address | bits | format_of(tables).level[level].leaf_bit;
}

unsigned HostTables::page_level(const DomainTables& tables, Addr iova, Addr address,
                                std::uint64_t size) const {
  const bool first = tables.stage == TableStage::kFirst;
  const std::uint64_t sizes = VtdCap::SSLPS::get(cap_);
  const bool allowed[] = {true, first || (sizes & VtdCap::kSslps2M) != 0,
                          first ? VtdCap::FS1GP::get(cap_) != 0 : (sizes & VtdCap::kSslps1G) != 0};
  for (unsigned level = 3; level > 1; --level) {
    const std::uint64_t bytes = std::uint64_t{1} << format_of(tables).page_shift(level);
    if (allowed[level - 1] && size >= bytes && ((iova | address) & (bytes - 1)) == 0) return level;
  }
  return 1;
}

void HostTables::clear_below(const DomainTables& tables, Addr entry, unsigned level, Addr iova,
                             TableWrites& writes, std::vector<TableLeaf>& removed) {
  const PageTableFormat& format = format_of(tables);
  const std::uint64_t value = word(entry);
  if (!format.is_present(value)) return;
  const unsigned shift = format.page_shift(level);
  const Addr base = iova >> shift << shift;
  if (format.is_leaf(level, value)) {
    removed.push_back({base, format.page_address(level, value), static_cast<std::uint8_t>(shift), value});
    store(entry, 0, writes);
    return;
  }
  const Addr table = format.next_table(value);
  for (unsigned i = 0; i < PageTableFormat::kEntriesPerTable; ++i) {
    clear_below(tables, table + Addr{i} * 8, level - 1, base + (Addr{i} << format.page_shift(level - 1)),
                writes, removed);
  }
}

Addr HostTables::descend(const DomainTables& tables, Addr iova, unsigned level, TableWrites& writes,
                         std::vector<TableLeaf>& replaced) {
  const PageTableFormat& format = format_of(tables);
  Addr table = tables.root;
  for (unsigned at_level = format.levels; at_level > level; --at_level) {
    const Addr at = format.entry_address(at_level, table, iova);
    const std::uint64_t entry = word(at);
    if (format.is_present(entry) && !format.is_leaf(at_level, entry)) {
      table = format.next_table(entry);
      continue;
    }
    clear_below(tables, at, at_level, iova, writes, replaced);
    const auto shelved = shelved_.find(at);
    if (shelved == shelved_.end()) {
      table = new_table(writes);
    } else {
      table = shelved->second;
      shelved_.erase(shelved);
    }
    store(at, table_entry(tables, table), writes);
  }
  return format.entry_address(level, table, iova);
}

void HostTables::map(DomainId domain, Addr iova, std::uint64_t size, Addr address, LeafFlags flags,
                     TableWrites& writes, std::vector<TableLeaf>& replaced) {
  const DomainTables* const tables = this->domain(domain);
  SVASIM_CHECK(tables != nullptr, "map in a domain without tables");
  const PageTableFormat& format = format_of(*tables);
  if (!holds(format, iova, size)) return;
  while (size > 0) {
    const unsigned level = page_level(*tables, iova, address, size);
    const Addr at = descend(*tables, iova, level, writes, replaced);
    const std::uint64_t old = word(at);
    clear_below(*tables, at, level, iova, writes, replaced);
    if (format.is_present(old) && !format.is_leaf(level, old)) shelved_[at] = format.next_table(old);
    store(at, leaf_entry(*tables, address, level, flags), writes);
    pages_.at(page_of(at))->guessed[word_of(at)] = !flags.known;
    const std::uint64_t bytes = std::uint64_t{1} << format.page_shift(level);
    iova += bytes;
    address += bytes;
    size -= bytes;
  }
}

void HostTables::unmap(DomainId domain, Addr iova, std::uint64_t size, TableWrites& writes,
                       std::vector<TableLeaf>& removed) {
  const DomainTables* const tables = this->domain(domain);
  if (tables == nullptr || tables->levels == 0) return;
  const PageTableFormat& format = format_of(*tables);
  if (!holds(format, iova, size)) return;
  const Addr last = iova + (size - 1);
  while (true) {
    const Place place = find(*tables, iova);
    clear_below(*tables, place.address, place.level, iova, writes, removed);
    const Addr next = ((iova >> format.page_shift(place.level)) + 1) << format.page_shift(place.level);
    if (next == 0 || next > last) return;
    iova = next;
  }
}

}  // namespace svasim
