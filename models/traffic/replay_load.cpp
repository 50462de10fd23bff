// Loading of a captured image: every page moves, and every pointer with it.
#include <string>

#include "base/input_error.h"
#include "models/formats/vtd_context.h"
#include "models/formats/vtd_registers.h"
#include "models/formats/x86_first_stage.h"
#include "models/traffic/replay_tables.h"

namespace svasim {
namespace {

// Rewrites the pointers of one page. A pointer to a page the image lacks is an error, so that a
// replay never walks into pages it did not load.
class Mover {
 public:
  Mover(const TableImage& image, const std::string& name, Addr base, bool scalable)
      : image_(image), name_(name), base_(base), scalable_(scalable) {}

  Addr moved(Addr address) const {
    const ImagePage* const page = image_.find(address);
    if (page == nullptr)
      throw InputError(name_, 0, "corrupted: an entry points to a table that is not in the image");
    return base_ + static_cast<Addr>(page - image_.pages.data()) * kPageSize;
  }

  void move(const ImagePage& page, TablePage& words) const {
    switch (page.kind) {
      case ImagePageKind::kRoot:
        each<2>(words, [&](Words<2>& w) { scalable_ ? scalable_root(w) : legacy_root(w); });
        break;
      case ImagePageKind::kLegacyContext:
        each<2>(words, [&](Words<2>& w) { legacy_context(w); });
        break;
      case ImagePageKind::kScalableContext:
        each<4>(words, [&](Words<4>& w) {
          using E = ScalableContextEntry;
          if (E::P::get(w) != 0) E::PASIDDIRPTR::set_in_place(w, moved(E::PASIDDIRPTR::in_place(w)));
        });
        break;
      case ImagePageKind::kPasidDirectory:
        for (std::uint64_t& w : words) {
          using E = PasidDirectoryEntry;
          if (E::P::get(w) != 0) w = E::SMPTBLPTR::set(w, moved(E::SMPTBLPTR::in_place(w)) >> kPageShift);
        }
        break;
      case ImagePageKind::kPasidTable:
        each<8>(words, [&](Words<8>& w) { pasid_entry(w); });
        break;
      case ImagePageKind::kFirstStage:
      case ImagePageKind::kSecondStage:
        table(page, words);
        break;
      case ImagePageKind::kInterruptRemap:
      case ImagePageKind::kInvalidationQueue:
        break;
    }
  }

 private:
  template <std::size_t N, typename F>
  static void each(TablePage& page, F change) {
    for (std::size_t i = 0; i < page.size(); i += N) {
      Words<N> words{};
      for (std::size_t k = 0; k < N; ++k) words[k] = page[i + k];
      change(words);
      for (std::size_t k = 0; k < N; ++k) page[i + k] = words[k];
    }
  }

  void legacy_root(Words<2>& w) const {
    using E = LegacyRootEntry;
    if (E::P::get(w) != 0) E::CTP::set_in_place(w, moved(E::CTP::in_place(w)));
  }
  void scalable_root(Words<2>& w) const {
    using E = ScalableRootEntry;
    if (E::LP::get(w) != 0) E::LCTP::set_in_place(w, moved(E::LCTP::in_place(w)));
    if (E::UP::get(w) != 0) E::UCTP::set_in_place(w, moved(E::UCTP::in_place(w)));
  }
  void legacy_context(Words<2>& w) const {
    using E = LegacyContextEntry;
    const bool translates = static_cast<TranslationType>(E::TT::get(w)) != TranslationType::kPassThrough;
    if (E::P::get(w) != 0 && translates) E::SSPTPTR::set_in_place(w, moved(E::SSPTPTR::in_place(w)));
  }
  void pasid_entry(Words<8>& w) const {
    using E = PasidTableEntry;
    using T = PasidGranularTranslation;
    if (E::P::get(w) == 0) return;
    const auto kind = static_cast<T>(E::PGTT::get(w));
    if (kind == T::kSecondStage || kind == T::kNested)
      E::SSPTPTR::set_in_place(w, moved(E::SSPTPTR::in_place(w)));
    if (kind == T::kFirstStage) E::FSPTPTR::set_in_place(w, moved(E::FSPTPTR::in_place(w)));
  }
  void table(const ImagePage& page, TablePage& words) const {
    if (page.level == 1) return;
    const bool second = page.kind == ImagePageKind::kSecondStage;
    const unsigned least = second ? 3 : 4;
    const PageTableFormat& format = format_of(
        {second ? TableStage::kSecond : TableStage::kFirst, page.level < least ? least : page.level, 0});
    for (std::uint64_t& w : words) {
      if (!format.is_present(w) || format.is_leaf(page.level, w)) continue;
      w = (w & ~format.table_address) | moved(format.next_table(w));
    }
  }

  const TableImage& image_;
  const std::string& name_;
  Addr base_;
  bool scalable_;
};

}  // namespace

void HostTables::load(const TableImage& image, const std::string& name, TableWrites& writes) {
  pages_.clear();
  domains_.clear();
  bindings_.clear();
  shelved_.clear();
  next_ = base_;
  cap_ = image.cap;
  scalable_ = static_cast<TranslationMode>(VtdRtaddr::TTM::get(image.rtaddr)) != TranslationMode::kLegacy;
  const Mover mover(image, name, base_, scalable_);
  rtaddr_ =
      VtdRtaddr::RTA::set(image.rtaddr, mover.moved(VtdRtaddr::RTA::in_place(image.rtaddr)) >> kPageShift);
  for (const ImagePage& page : image.pages) {
    const Addr address = allocate_pages(1);
    auto copy = std::make_unique<Page>();
    copy->words = page.words;
    mover.move(page, copy->words);
    for (std::size_t i = 0; i < copy->words.size(); ++i) writes.add(address + i * 8, copy->words[i]);
    pages_[address] = std::move(copy);
  }
  bindings_ = list_bindings(rtaddr_, *this);
  leaf_xd_ = 0;
  for (const TableBinding& b : bindings_) {
    const bool seen = !domains_.emplace(b.domain.value(), b.tables).second;
    if (seen || b.tables.stage != TableStage::kFirst) continue;
    list_leaves(b.tables, *this,
                [&](const TableLeaf& leaf) { leaf_xd_ |= leaf.entry & FirstStageEntry::XD::kMask; });
  }
}

}  // namespace svasim
