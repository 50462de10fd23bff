// Comparison of the replay's tables with a captured image.
#include <fmt/format.h>

#include "models/formats/vtd_second_stage.h"
#include "models/formats/x86_first_stage.h"
#include "models/traffic/replay_session.h"

namespace svasim {
namespace {

// How far records may stand from where they belong. WHY: the kernel's trace points and the emulator's
// log were merged by time; near a snapshot the seam is some tens of microseconds wide.
constexpr std::uint64_t kRecordSkewUs = 1000;

std::uint64_t rights_of(TableStage stage, std::uint64_t entry) {
  using F = FirstStageEntry;
  using S = SecondStageEntry;
  return entry & (stage == TableStage::kFirst ? F::P::kMask | F::RW::kMask | F::US::kMask | F::XD::kMask
                                              : S::R::kMask | S::W::kMask);
}

std::vector<TableLeaf> leaves_of(const DomainTables& tables, const TableSource& source) {
  std::vector<TableLeaf> leaves;
  list_leaves(tables, source, [&](const TableLeaf& leaf) { leaves.push_back(leaf); });
  return leaves;
}

}  // namespace

void ReplaySession::compare_snapshot(const TableSource& memory) {
  ++report_.snapshots;
  if (!dataset_.has_image(snapshot_)) {
    ++report_.snapshots_without_image;
    return;
  }
  const TableImage image = dataset_.image(snapshot_);
  const ImageSource source(image);
  const std::vector<TableBinding> bindings = list_bindings(image.rtaddr, source);
  compare_bindings(bindings);
  std::map<std::uint16_t, DomainTables> theirs;
  for (const TableBinding& b : bindings) theirs.emplace(b.domain.value(), b.tables);
  const std::map<std::uint16_t, DomainTables>& ours = tables_.domains();
  for (const auto& [id, tables] : ours) {
    const auto found = theirs.find(id);
    compare_domain(DomainId(id), tables, leaves_of(tables, memory),
                   found == theirs.end() ? std::vector<TableLeaf>() : leaves_of(found->second, source));
  }
  for (const auto& [id, tables] : theirs) {
    if (ours.count(id) == 0) compare_domain(DomainId(id), tables, {}, leaves_of(tables, source));
  }
}

void ReplaySession::compare_bindings(const std::vector<TableBinding>& theirs) {
  for (const TableBinding& b : theirs) {
    const TableBinding* const mine = tables_.binding(b.requester, !b.for_plain, b.pasid);
    if (mine == nullptr || mine->domain != b.domain) ++report_.other_bindings;
  }
}

void ReplaySession::compare_domain(DomainId domain, const DomainTables& tables,
                                   const std::vector<TableLeaf>& ours, const std::vector<TableLeaf>& theirs) {
  auto mine = ours.begin();
  auto captured = theirs.begin();
  while (mine != ours.end() || captured != theirs.end()) {
    if (captured == theirs.end() || (mine != ours.end() && mine->iova < captured->iova)) {
      differs(domain, *mine++, false);
    } else if (mine == ours.end() || captured->iova < mine->iova) {
      differs(domain, *captured++, true);
    } else if (mine->page_shift != captured->page_shift || mine->address != captured->address) {
      differs(domain, *mine++, false);
      differs(domain, *captured++, true);
    } else {
      if (rights_of(tables.stage, mine->entry) == rights_of(tables.stage, captured->entry)) {
        ++report_.leaves_equal;
      } else if (!tables_.flags_known(tables, mine->iova)) {
        ++report_.rights_not_recorded;
      } else {
        ++report_.leaf_mismatches;
        report_.describe_mismatch(fmt::format("snapshot {}: domain {}, {:#x}: leaf {:#x}, in the image {:#x}",
                                              snapshot_, domain.value(), mine->iova, mine->entry,
                                              captured->entry));
      }
      ++mine;
      ++captured;
    }
  }
}

void ReplaySession::differs(DomainId domain, const TableLeaf& leaf, bool only_in_image) {
  if (only_in_image && windows_.contains(domain, leaf)) {
    ++report_.leaves_being_unmapped;
    return;
  }
  pending_.emplace(std::make_pair(domain.value(), leaf.iova),
                   Pending{leaf, only_in_image, record_.time_us + kRecordSkewUs, snapshot_});
}

// The record about to be taken may be the one that stands too late.
void ReplaySession::explain_pending() {
  const std::uint16_t domain = record_.domain.value();
  const Addr last = record_.iova + (record_.length - 1);
  const bool by_map = record_.kind == RecordKind::kMap;
  auto at = pending_.lower_bound({domain, record_.iova});
  while (at != pending_.end() && at->first.first == domain && at->first.second <= last) {
    const Pending& p = at->second;
    const bool same_place = p.leaf.address == record_.address + (p.leaf.iova - record_.iova);
    if (p.only_in_image == by_map && (!by_map || same_place)) {
      ++report_.leaves_recorded_late;
      at = pending_.erase(at);
    } else {
      ++at;
    }
  }
}

void ReplaySession::expire_pending(std::uint64_t now_us) {
  for (auto at = pending_.begin(); at != pending_.end();) {
    const Pending& p = at->second;
    if (p.until_us >= now_us) {
      ++at;
      continue;
    }
    ++report_.leaf_mismatches;
    report_.describe_mismatch(fmt::format(
        "snapshot {}: domain {}, {:#x}: {} only {}", p.snapshot, at->first.first, p.leaf.iova,
        fmt::format("leaf {:#x}", p.leaf.entry), p.only_in_image ? "in the image" : "in the replay"));
    at = pending_.erase(at);
  }
}

}  // namespace svasim
