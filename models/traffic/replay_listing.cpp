#include "models/traffic/replay_listing.h"

#include <algorithm>

#include "base/check.h"
#include "models/formats/vtd_context.h"
#include "models/formats/vtd_registers.h"
#include "models/formats/vtd_second_stage.h"
#include "models/formats/x86_first_stage.h"

namespace svasim {
namespace {

constexpr unsigned kBuses = 256;
constexpr unsigned kFunctions = 256;

template <std::size_t N>
Words<N> entry_at(const TablePage& page, Addr address) {
  Words<N> words{};
  const std::size_t first = (address & (kPageSize - 1)) / 8;
  std::copy_n(page.begin() + static_cast<std::ptrdiff_t>(first), N, words.begin());
  return words;
}

class Lister {
 public:
  Lister(const TableSource& source, std::vector<TableBinding>& found) : source_(source), found_(found) {}

  void legacy(Addr root) {
    using R = LegacyRootEntry;
    using C = LegacyContextEntry;
    const TablePage roots = page(root);
    for (unsigned bus = 0; bus < kBuses; ++bus) {
      const auto entry = entry_at<R::kWords>(roots, bus * R::kBytes);
      if (R::P::get(entry) == 0) continue;
      const Addr table = R::CTP::in_place(entry);
      const TablePage contexts = page(table);
      for (unsigned devfn = 0; devfn < kFunctions; ++devfn) {
        const RequesterId id(static_cast<std::uint16_t>(bus << 8U | devfn));
        const auto context = entry_at<C::kWords>(contexts, C::address(0, id));
        if (C::P::get(context) == 0) continue;
        TableBinding binding;
        binding.requester = id;
        binding.domain = DomainId(static_cast<std::uint16_t>(C::DID::get(context)));
        binding.entry = C::address(table, id);
        if (static_cast<TranslationType>(C::TT::get(context)) != TranslationType::kPassThrough) {
          binding.tables = {TableStage::kSecond, address_width_levels(C::AW::get(context)),
                            C::SSPTPTR::in_place(context)};
        }
        found_.push_back(binding);
      }
    }
  }

  void scalable(Addr root) {
    using R = ScalableRootEntry;
    const TablePage roots = page(root);
    for (unsigned bus = 0; bus < kBuses; ++bus) {
      const auto entry = entry_at<R::kWords>(roots, bus * R::kBytes);
      if (R::LP::get(entry) != 0) context_table(bus, 0, R::LCTP::in_place(entry));
      if (R::UP::get(entry) != 0) context_table(bus, 1, R::UCTP::in_place(entry));
    }
  }

 private:
  TablePage page(Addr address) const {
    TablePage words;
    source_.read_page(address & ~(kPageSize - 1), words);
    return words;
  }

  void context_table(unsigned bus, unsigned half, Addr table) {
    using C = ScalableContextEntry;
    const TablePage contexts = page(table);
    for (unsigned i = 0; i < kFunctions / 2; ++i) {
      const RequesterId id(static_cast<std::uint16_t>(bus << 8U | half << 7U | i));
      const auto context = entry_at<C::kWords>(contexts, C::address(0, id));
      if (C::P::get(context) == 0) continue;
      const std::uint32_t entries = C::directory_entries(C::PDTS::get(context));
      const auto plain = static_cast<std::uint32_t>(C::RID_PASID::get(context));
      directory(id, C::PASIDDIRPTR::in_place(context), entries, plain);
    }
  }

  void directory(RequesterId id, Addr table, std::uint32_t entries, std::uint32_t plain) {
    using D = PasidDirectoryEntry;
    constexpr std::uint32_t kPerPage = kPageSize / D::kBytes;
    for (std::uint32_t first = 0; first < entries; first += kPerPage) {
      const TablePage words = page(table + first * D::kBytes);
      for (std::uint32_t i = first; i < std::min(entries, first + kPerPage); ++i) {
        const std::uint64_t entry = words[i - first];
        if (D::P::get(entry) != 0) pasid_table(id, D::SMPTBLPTR::in_place(entry), i << 6U, plain);
      }
    }
  }

  void pasid_table(RequesterId id, Addr table, std::uint32_t first, std::uint32_t plain) {
    using P = PasidTableEntry;
    const TablePage words = page(table);
    for (std::uint32_t i = 0; i < kPageSize / P::kBytes; ++i) {
      const auto entry = entry_at<P::kWords>(words, i * P::kBytes);
      if (P::P::get(entry) == 0) continue;
      TableBinding binding;
      binding.requester = id;
      binding.pasid = Pasid(first + i);
      binding.scalable = true;
      binding.for_plain = first + i == plain;
      binding.domain = DomainId(static_cast<std::uint16_t>(P::DID::get(entry)));
      binding.entry = table + i * P::kBytes;
      switch (static_cast<PasidGranularTranslation>(P::PGTT::get(entry))) {
        case PasidGranularTranslation::kFirstStage:
          binding.tables = {TableStage::kFirst, P::FSPM::get(entry) == 0 ? 4U : 5U,
                            P::FSPTPTR::in_place(entry)};
          break;
        case PasidGranularTranslation::kSecondStage:
        case PasidGranularTranslation::kNested:
          binding.tables = {TableStage::kSecond, address_width_levels(P::AW::get(entry)),
                            P::SSPTPTR::in_place(entry)};
          break;
        case PasidGranularTranslation::kPassThrough:
          break;
      }
      found_.push_back(binding);
    }
  }

  const TableSource& source_;
  std::vector<TableBinding>& found_;
};

void list_table(const PageTableFormat& format, unsigned level, Addr table, Addr base,
                const TableSource& source, const std::function<void(const TableLeaf&)>& visit) {
  TablePage entries;
  source.read_page(table, entries);
  for (unsigned i = 0; i < PageTableFormat::kEntriesPerTable; ++i) {
    const std::uint64_t entry = entries[i];
    if (!format.is_present(entry)) continue;
    Addr iova = base + (Addr{i} << format.page_shift(level));
    // The upper half of canonical addresses.
    if (format.canonical && level == format.levels && i >= PageTableFormat::kEntriesPerTable / 2) {
      iova |= mask_between(63, format.input_bits - 1U);
    }
    if (format.is_leaf(level, entry)) {
      visit({iova, format.page_address(level, entry), static_cast<std::uint8_t>(format.page_shift(level)),
             entry});
    } else {
      list_table(format, level - 1, format.next_table(entry), iova, source, visit);
    }
  }
}

}  // namespace

void ImageSource::read_page(Addr address, TablePage& page) const {
  const ImagePage* const found = image_.find(address);
  if (found == nullptr) {
    page.fill(0);
  } else {
    page = found->words;
  }
}

const PageTableFormat& format_of(const DomainTables& tables) {
  static const std::array<PageTableFormat, 5> formats = [] {
    PageFormatOptions options;
    options.host_address_width = 52;
    return std::array<PageTableFormat, 5>{make_vtd_second_stage(3, options),
                                          make_vtd_second_stage(4, options),
                                          make_vtd_second_stage(5, options), make_x86_first_stage(4, options),
                                          make_x86_first_stage(5, options)};
  }();
  const bool second = tables.stage == TableStage::kSecond;
  SVASIM_CHECK(tables.levels >= (second ? 3U : 4U) && tables.levels <= 5, "no such page-table format");
  return formats[second ? tables.levels - 3 : tables.levels - 1];
}

std::vector<TableBinding> list_bindings(std::uint64_t rtaddr, const TableSource& source) {
  std::vector<TableBinding> found;
  Lister lister(source, found);
  const Addr root = VtdRtaddr::RTA::in_place(rtaddr);
  if (static_cast<TranslationMode>(VtdRtaddr::TTM::get(rtaddr)) == TranslationMode::kLegacy) {
    lister.legacy(root);
  } else {
    lister.scalable(root);
  }
  return found;
}

void list_leaves(const DomainTables& tables, const TableSource& source,
                 const std::function<void(const TableLeaf&)>& visit) {
  if (tables.levels == 0) return;
  const PageTableFormat& format = format_of(tables);
  list_table(format, tables.levels, tables.root, 0, source, visit);
}

}  // namespace svasim
