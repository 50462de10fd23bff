// Mapping lists against the image they were made of.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/input_error.h"
#include "models/formats/vtd_context.h"
#include "models/formats/vtd_registers.h"
#include "models/formats/vtd_second_stage.h"
#include "models/formats/x86_first_stage.h"
#include "models/traffic/replay_check.h"
#include "models/traffic/replay_listing.h"

namespace svasim {
namespace {

// "PWUAD" (first stage) or "RW-" (second stage), a dash for what is missing.
std::string flags_of(TableStage stage, std::uint64_t entry) {
  const auto flag = [&](std::uint64_t mask, char name) { return (entry & mask) != 0 ? name : '-'; };
  if (stage == TableStage::kSecond) {
    using S = SecondStageEntry;
    return {flag(S::R::kMask, 'R'), flag(S::W::kMask, 'W')};
  }
  using F = FirstStageEntry;
  return {flag(F::P::kMask, 'P'), flag(F::RW::kMask, 'W'), flag(F::US::kMask, 'U'), flag(F::A::kMask, 'A'),
          flag(F::D::kMask, 'D')};
}

class Comparison {
 public:
  Comparison(const TableImage& image, MappingReader& mappings)
      : image_(image), mappings_(mappings), source_(image) {
    for (const TableBinding& binding : list_bindings(image.rtaddr, source_)) {
      Space& space = spaces_[{binding.requester.value(), binding.pasid.value()}];
      space.binding = binding;
    }
  }

  std::uint64_t run() {
    MappingRecord record;
    while (mappings_.next(record)) {
      ++lines_;
      switch (record.kind) {
        case MappingRecord::Kind::kContext:
          context(record);
          break;
        case MappingRecord::Kind::kPasidEntry:
          pasid_entry(record);
          break;
        case MappingRecord::Kind::kLeaf:
          leaf(record);
          break;
      }
    }
    if (lines_ == 0) return 0;
    for (auto& [key, space] : spaces_) {
      const std::string who = to_string(RequesterId(key.first)) +
                              (space.binding.scalable ? fmt::format(" PASID {}", key.second) : "");
      if (!space.listed) throw InputError(mappings_.name(), 0, "does not list the entry of " + who);
      const std::size_t leaves = leaves_of(space).size();
      if (space.leaves_listed != leaves) {
        throw InputError(
            mappings_.name(), 0,
            fmt::format("lists {} leaves of {}, the image has {}", space.leaves_listed, who, leaves));
      }
    }
    return lines_;
  }

 private:
  struct Space {
    TableBinding binding;
    bool listed = false;
    std::uint64_t leaves_listed = 0;
  };

  // Devices that share tables share the list.
  const std::vector<TableLeaf>& leaves_of(const Space& space) {
    const DomainTables& tables = space.binding.tables;
    const auto key = std::make_pair(tables.root, tables.levels);
    const auto found = leaves_.find(key);
    if (found != leaves_.end()) return found->second;
    std::vector<TableLeaf>& leaves = leaves_[key];
    list_leaves(tables, source_, [&](const TableLeaf& leaf) { leaves.push_back(leaf); });
    return leaves;
  }

  Space& space_of(const MappingRecord& m, Pasid pasid) {
    const auto found = spaces_.find({m.requester.value(), pasid.value()});
    if (found == spaces_.end()) mappings_.fail("the image has no such entry");
    if (m.has_domain && m.domain != found->second.binding.domain) {
      mappings_.fail(fmt::format("in the image the domain is {}", found->second.binding.domain.value()));
    }
    return found->second;
  }

  void words(const MappingRecord& m, Addr entry) {
    for (std::size_t i = 0; i < m.word_count; ++i) {
      std::uint64_t word = 0;
      if (!image_.read(entry + i * 8, word)) mappings_.fail("the image has no such entry");
      if (word != m.words[i]) {
        mappings_.fail(fmt::format("word {} of the entry is {:#x}, in the image {:#x}", i, m.words[i], word));
      }
    }
  }

  // Where the context entry lies, found anew from the root.
  Addr context_entry(const MappingRecord& m) {
    const Addr root = VtdRtaddr::RTA::in_place(image_.rtaddr);
    const bool legacy =
        static_cast<TranslationMode>(VtdRtaddr::TTM::get(image_.rtaddr)) == TranslationMode::kLegacy;
    std::uint64_t pointer = 0;
    const unsigned half = legacy ? 0 : ScalableRootEntry::half(m.requester);
    const Addr at = LegacyRootEntry::address(root, m.requester) + half * 8;
    constexpr std::uint64_t kPresent = 1;
    if (!image_.read(at, pointer) || (pointer & kPresent) == 0) mappings_.fail("the image has no such entry");
    const Addr table = pointer & ~(kPageSize - 1);
    return legacy ? LegacyContextEntry::address(table, m.requester)
                  : ScalableContextEntry::address(table, m.requester);
  }

  void context(const MappingRecord& m) {
    words(m, context_entry(m));
    // A legacy context entry is all a device has.
    if (m.word_count == LegacyContextEntry::kWords) list(space_of(m, Pasid()));
  }
  void pasid_entry(const MappingRecord& m) {
    Space& space = space_of(m, m.pasid);
    words(m, space.binding.entry);
    list(space);
  }
  void list(Space& space) {
    if (space.listed) mappings_.fail("is listed twice");
    space.listed = true;
  }

  void leaf(const MappingRecord& m) {
    Space& space = space_of(m, m.pasid);
    const std::vector<TableLeaf>& leaves = leaves_of(space);
    const auto at = std::lower_bound(leaves.begin(), leaves.end(), m.iova,
                                     [](const TableLeaf& l, Addr iova) { return l.iova < iova; });
    if (at == leaves.end() || at->iova != m.iova) mappings_.fail("the image has no such leaf");
    if (at->page_shift != m.page_shift || at->address != m.address) {
      mappings_.fail(
          fmt::format("in the image this is {:#x} with a page of 2^{} bytes", at->address, at->page_shift));
    }
    if (at->entry != m.entry) mappings_.fail(fmt::format("in the image the entry is {:#x}", at->entry));
    const std::string flags = flags_of(space.binding.tables.stage, at->entry);
    if (m.flags.substr(0, flags.size()) != flags) {
      mappings_.fail(fmt::format("the flags of entry {:#x} are {}", at->entry, flags));
    }
    ++space.leaves_listed;
  }

  const TableImage& image_;
  MappingReader& mappings_;
  ImageSource source_;
  std::map<std::pair<std::uint16_t, std::uint32_t>, Space> spaces_;     // by requester and PASID
  std::map<std::pair<Addr, unsigned>, std::vector<TableLeaf>> leaves_;  // by root and levels
  std::uint64_t lines_ = 0;
};

}  // namespace

std::uint64_t check_mappings(const TableImage& image, MappingReader& mappings) {
  return Comparison(image, mappings).run();
}

}  // namespace svasim
