#include "models/traffic/replay_check.h"

#include <fmt/format.h>

#include <vector>

#include "base/input_error.h"
#include "models/formats/vtd_context.h"
#include "models/formats/vtd_registers.h"
#include "models/traffic/replay_listing.h"

namespace svasim {
namespace {

using Kind = ImagePageKind;

// Entries of PASID tables that devices may reach, one table of several devices counted for each.
constexpr std::uint64_t kMaxBindings = 1U << 20U;
constexpr unsigned kLeastWidth = 30;
constexpr unsigned kMostWidth = 57;

std::string kind_name(Kind kind, unsigned level) {
  switch (kind) {
    case Kind::kRoot:
      return "root table";
    case Kind::kLegacyContext:
      return "legacy context table";
    case Kind::kScalableContext:
      return "scalable-mode context table";
    case Kind::kPasidDirectory:
      return "PASID directory";
    case Kind::kPasidTable:
      return "PASID table";
    case Kind::kSecondStage:
      return fmt::format("second-stage table of level {}", level);
    case Kind::kFirstStage:
      return fmt::format("first-stage table of level {}", level);
    case Kind::kInterruptRemap:
      return "interrupt remapping table";
    case Kind::kInvalidationQueue:
      return "invalidation queue";
  }
  return "page";
}

class Checker {
 public:
  Checker(const TableImage& image, const std::string& name)
      : image_(image), name_(name), used_by_(image.pages.size()) {}

  void run() {
    registers();
    expect(Where{}, VtdRtaddr::RTA::in_place(image_.rtaddr), Kind::kRoot, 0);
    for (const ImagePage& page : image_.pages) {
      switch (page.kind) {
        case Kind::kRoot:
          scalable_ ? scalable_root(page) : legacy_root(page);
          break;
        case Kind::kLegacyContext:
          each<LegacyContextEntry>(page, [&](const Where& at, const auto& w) { legacy_context(at, w); });
          break;
        case Kind::kScalableContext:
          each<ScalableContextEntry>(page, [&](const Where& at, const auto& w) { scalable_context(at, w); });
          break;
        case Kind::kPasidDirectory:
          directory(page);
          break;
        case Kind::kPasidTable:
          each<PasidTableEntry>(page, [&](const Where& at, const auto& w) { pasid_entry(at, w); });
          break;
        case Kind::kFirstStage:
        case Kind::kSecondStage:
          table(page);
          break;
        case Kind::kInterruptRemap:
        case Kind::kInvalidationQueue:
          break;
      }
    }
  }

 private:
  // Who points somewhere: RTADDR, or an entry.
  struct Where {
    const ImagePage* page = nullptr;
    std::size_t entry = 0;
  };

  std::string text_of(const Where& at) const {
    if (at.page == nullptr) return "RTADDR";
    return fmt::format("entry {} of the {} at {:#x}", at.entry, kind_name(at.page->kind, at.page->level),
                       at.page->address);
  }
  [[noreturn]] void fail(const std::string& what) const { throw InputError(name_, 0, "corrupted: " + what); }
  [[noreturn]] void fail(const Where& at, const std::string& what) const { fail(text_of(at) + " " + what); }

  const ImagePage& expect(const Where& at, Addr address, Kind kind, unsigned level) const {
    const ImagePage* const page = image_.find(address);
    if (page == nullptr) fail(at, fmt::format("points to {:#x}, which is not in the image", address));
    if (page->kind != kind || page->level != level) {
      fail(at, fmt::format("points to the {} at {:#x} as to a {}", kind_name(page->kind, page->level),
                           address, kind_name(kind, level)));
    }
    return *page;
  }
  // The same, of a table that only one entry may point to.
  void expect_own(const Where& at, Addr address, Kind kind, unsigned level) {
    const ImagePage& page = expect(at, address, kind, level);
    Where& user = used_by_[static_cast<std::size_t>(&page - image_.pages.data())];
    if (user.page != nullptr) {
      fail(at, fmt::format("points to the {} at {:#x}, as {} does", kind_name(kind, level), address,
                           text_of(user)));
    }
    user = at;
  }

  void registers() {
    const auto mode = static_cast<TranslationMode>(VtdRtaddr::TTM::get(image_.rtaddr));
    if (mode == TranslationMode::kReserved) fail("RTADDR has the reserved translation mode");
    if (mode == TranslationMode::kAbortDma) fail("RTADDR has abort-DMA mode, in which nothing is translated");
    scalable_ = mode == TranslationMode::kScalable;
    constexpr std::uint64_t kRtaddr =
        VtdRtaddr::RTA::kMask | VtdRtaddr::TTM::kMask | VtdRtaddr::SSIRWE::kMask;
    if ((image_.rtaddr & ~kRtaddr) != 0)
      fail(fmt::format("RTADDR {:#x} has reserved bits set", image_.rtaddr));
    if (VtdGsts::TES::get(image_.gsts) == 0 || image_.gsts >> 32U != 0)
      fail(fmt::format("GSTS {:#x} does not say that translation is on", image_.gsts));
    const auto width = static_cast<unsigned>(VtdCap::MGAW::get(image_.cap)) + 1;
    if (width < kLeastWidth || width > kMostWidth) {
      fail(fmt::format("CAP {:#x} says that addresses have {} bits", image_.cap, width));
    }
    constexpr std::uint64_t kWidths = VtdCap::kSagaw3Level | VtdCap::kSagaw4Level | VtdCap::kSagaw5Level;
    if ((VtdCap::SAGAW::get(image_.cap) & ~kWidths) != 0)
      fail(fmt::format("CAP {:#x} has reserved bits of SAGAW set", image_.cap));
    constexpr std::uint64_t kIqa = VtdIqa::IQA::kMask | VtdIqa::DW::kMask | VtdIqa::QS::kMask;
    if ((image_.iqa & ~kIqa) != 0) fail(fmt::format("IQA {:#x} has reserved bits set", image_.iqa));
    for (const ImagePage& page : image_.pages) {
      if (page.kind != Kind::kInvalidationQueue) continue;
      const ImagePage* const queue = image_.find(VtdIqa::IQA::in_place(image_.iqa));
      if (queue == nullptr || queue->kind != Kind::kInvalidationQueue)
        fail(fmt::format("IQA {:#x} does not point to the invalidation queue", image_.iqa));
      break;
    }
  }

  template <typename Entry, typename F>
  static void each(const ImagePage& page, F visit) {
    constexpr std::size_t kWords = std::tuple_size<decltype(Entry::kReserved)>::value;
    for (std::size_t i = 0; i < page.words.size() / kWords; ++i) {
      Words<kWords> words{};
      for (std::size_t k = 0; k < kWords; ++k) words[k] = page.words[i * kWords + k];
      if (Entry::P::get(words) != 0) visit(Where{&page, i}, words);
    }
  }

  void legacy_root(const ImagePage& page) {
    using E = LegacyRootEntry;
    for (std::size_t i = 0; i < page.words.size() / 2; ++i) {
      const Words<2> w{page.words[i * 2], page.words[i * 2 + 1]};
      if (E::P::get(w) != 0) expect_own({&page, i}, E::CTP::in_place(w), Kind::kLegacyContext, 0);
    }
  }
  void scalable_root(const ImagePage& page) {
    using E = ScalableRootEntry;
    for (std::size_t i = 0; i < page.words.size() / 2; ++i) {
      const Words<2> w{page.words[i * 2], page.words[i * 2 + 1]};
      if (E::LP::get(w) != 0) expect_own({&page, i}, E::LCTP::in_place(w), Kind::kScalableContext, 0);
      if (E::UP::get(w) != 0) expect_own({&page, i}, E::UCTP::in_place(w), Kind::kScalableContext, 0);
    }
  }

  void second_stage(const Where& at, std::uint64_t width, Addr table) const {
    const unsigned levels = address_width_levels(width);
    if (levels == 0 || (VtdCap::SAGAW::get(image_.cap) >> width & 1U) == 0) {
      fail(at, fmt::format("has AW {}, which CAP {:#x} does not offer", width, image_.cap));
    }
    expect(at, table, Kind::kSecondStage, levels);
  }
  void legacy_context(const Where& at, const Words<2>& w) const {
    using E = LegacyContextEntry;
    const auto type = static_cast<TranslationType>(E::TT::get(w));
    if (type == TranslationType::kReserved) fail(at, "has the reserved translation type");
    if (type != TranslationType::kPassThrough) second_stage(at, E::AW::get(w), E::SSPTPTR::in_place(w));
  }

  void scalable_context(const Where& at, const Words<4>& w) {
    using E = ScalableContextEntry;
    const std::uint32_t entries = E::directory_entries(E::PDTS::get(w));
    const Addr first = E::PASIDDIRPTR::in_place(w);
    const std::uint64_t bytes = std::uint64_t{entries} * PasidDirectoryEntry::kBytes;
    for (std::uint64_t offset = 0; offset < bytes; offset += kPageSize) {
      const ImagePage& page = expect(at, first + offset, Kind::kPasidDirectory, 0);
      for (const std::uint64_t entry : page.words) {
        if (PasidDirectoryEntry::P::get(entry) != 0) bindings_ += kPageSize / PasidTableEntry::kBytes;
      }
    }
    if (bindings_ > kMaxBindings) fail(at, "leads to more PASID-table entries than can be replayed");
  }
  void directory(const ImagePage& page) {
    using E = PasidDirectoryEntry;
    for (std::size_t i = 0; i < page.words.size(); ++i) {
      if (E::P::get(page.words[i]) != 0)
        expect_own({&page, i}, E::SMPTBLPTR::in_place(page.words[i]), Kind::kPasidTable, 0);
    }
  }
  void pasid_entry(const Where& at, const Words<8>& w) const {
    using E = PasidTableEntry;
    switch (static_cast<PasidGranularTranslation>(E::PGTT::get(w))) {
      case PasidGranularTranslation::kFirstStage:
        if (E::FSPM::get(w) > static_cast<std::uint64_t>(FirstStageMode::k5Level))
          fail(at, "has a reserved first-stage paging mode");
        expect(at, E::FSPTPTR::in_place(w), Kind::kFirstStage, E::FSPM::get(w) == 0 ? 4 : 5);
        return;
      case PasidGranularTranslation::kSecondStage:
      case PasidGranularTranslation::kNested:
        second_stage(at, E::AW::get(w), E::SSPTPTR::in_place(w));
        return;
      case PasidGranularTranslation::kPassThrough:
        return;
    }
    fail(at, fmt::format("has the reserved PGTT {}", E::PGTT::get(w)));
  }

  void table(const ImagePage& page) {
    if (page.level == 1) return;
    const bool second = page.kind == Kind::kSecondStage;
    // The format does not depend on how many levels stand above.
    const PageTableFormat& format =
        format_of({second ? TableStage::kSecond : TableStage::kFirst, page.level == 5 ? 5U : 4U, 0});
    for (std::size_t i = 0; i < page.words.size(); ++i) {
      const std::uint64_t entry = page.words[i];
      if (!format.is_present(entry) || format.is_leaf(page.level, entry)) continue;
      expect_own({&page, i}, format.next_table(entry), page.kind, page.level - 1U);
    }
  }

  const TableImage& image_;
  const std::string& name_;
  bool scalable_ = false;
  std::vector<Where> used_by_;  // by page: the entry that points to it
  std::uint64_t bindings_ = 0;
};

}  // namespace

void check_tables(const TableImage& image, const std::string& name) { Checker(image, name).run(); }

void check_registers(const TableImage& image, const std::string& name, const RegisterDump& dump) {
  const auto same = [&](const char* reg, bool shown, std::uint64_t in_image, std::uint64_t in_dump) {
    if (!shown || in_image == in_dump) return;
    throw InputError(
        name, 0, fmt::format("corrupted: {} is {:#x}, and {:#x} in {}", reg, in_image, in_dump, dump.name()));
  };
  std::uint64_t word = 0;
  const auto wide = [&](const char* reg, std::uint32_t offset, std::uint64_t in_image) {
    const bool shown = dump.read64(offset, word);
    same(reg, shown, in_image, word);
  };
  wide("CAP", vtd_reg::kCap, image.cap);
  wide("ECAP", vtd_reg::kEcap, image.ecap);
  wide("RTADDR", vtd_reg::kRtaddr, image.rtaddr);
  wide("IQA", vtd_reg::kIqa, image.iqa);
  wide("IRTA", vtd_reg::kIrta, image.irta);
  const bool shown = dump.read32(vtd_reg::kGsts, word);
  same("GSTS", shown, image.gsts, word);
}

}  // namespace svasim
