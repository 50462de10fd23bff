#include "models/stale_uses/stale_use_detector.h"

#include <algorithm>
#include <tuple>

#include "base/check.h"

namespace svasim {

StaleUseDetector::StaleUseDetector(sc_core::sc_module_name name, SimContext& context, unsigned listed)
    : sc_core::sc_module(name), context_(context), listed_(listed), judge_("judge") {
  SC_HAS_PROCESS(StaleUseDetector);
  SC_METHOD(judge_all);
  sensitive << judge_;
  dont_initialize();
  stats_.describe(context.stats, this->name());
}

void StaleUseDetector::watch(const std::string& name, const TranslationUser& user, RemappingView& view,
                             const TranslationUser* iommu) {
  ranks_[&user] = watched_.size();
  watched_.push_back(std::make_unique<Watched>(name, user, iommu, view));
}

// WHY not at once: tables may change at this very instant, and who comes first within an instant must not
// matter. All messages of an instant are delivered in its first delta cycle; the tables are looked at in the
// next. In loose timing an access is made within the call, and so is the comparison.
void StaleUseDetector::used(const TranslationUser& user, const TranslationUse& use) {
  const auto rank = ranks_.find(&user);
  SVASIM_CHECK(rank != ranks_.end(), "a use by somebody who is not watched");
  if (context_.loose()) return judge(*watched_[rank->second], use);
  if (pending_.empty()) judge_.notify(sc_core::SC_ZERO_TIME);
  pending_.push_back({rank->second, use});
}

void StaleUseDetector::judge_all() {
  std::vector<Pending> uses;
  uses.swap(pending_);
  if (uses.size() > 1) {
    const auto key = [](const Pending& p) {
      return std::make_tuple(p.watched, p.use.requester.value(), p.use.number, p.use.iova);
    };
    std::stable_sort(uses.begin(), uses.end(),
                     [&](const Pending& a, const Pending& b) { return key(a) < key(b); });
  }
  for (const Pending& p : uses) judge(*watched_[p.watched], p.use);
}

bool StaleUseDetector::agrees(Watched& watched, const TranslationUse& use, ReferenceResult& answer) const {
  ReferenceRequest request;
  request.requester = use.requester;
  request.has_pasid = use.has_pasid;
  request.pasid = use.pasid;
  request.privileged = use.has_pasid && use.privileged;
  if (use.answer || use.origin == TranslationOrigin::kAtc) {
    // What a translation request would get now; the rights it reports are compared below.
    request.kind = RequestKind::kTranslationRequest;
    request.no_write = !use.write;
  } else {
    request.read = use.read;
    request.write = use.write;
  }
  // A page that was split into smaller ones with the same addresses is not stale: all that counts is where
  // the bytes are.
  for (Addr at = use.iova;;) {
    request.address = at;
    answer = watched.reference.probe(request);
    if (!answer.ok || answer.interrupt || answer.untranslated_only ||
        answer.address != use.address + (at - use.iova) || (use.read && !answer.read) ||
        (use.write && !answer.write)) {
      return false;
    }
    const Addr end = at | ((Addr{1} << std::max<unsigned>(answer.page_shift, kPageShift)) - 1);
    if (end >= use.last) return true;
    at = end + 1;
  }
}

void StaleUseDetector::judge(Watched& watched, const TranslationUse& use) {
  if (use.answer && !use.read && !use.write) return;
  if (!use.answer) stats_.checked.add();
  watched.registers = watched.view->registers();
  ReferenceResult answer;
  const bool agreed = agrees(watched, use, answer);
  const bool given_away = life_ != nullptr && is_given_away(use, agreed);
  if (!agreed || given_away) return stale(watched, use, answer, given_away);
  if (use.answer) return;
  const PageUser user = PageUser::of(use);
  owners_[use.address >> kPageShift] = {user, use.time};
  if (exposures_.empty()) return;
  const auto exposure = exposures_.find(user);
  if (exposure != exposures_.end()) exposure->second.first = kNever;
}

bool StaleUseDetector::is_given_away(const TranslationUse& use, bool agreed) {
  const Addr page = use.address >> kPageShift << kPageShift;
  const std::optional<std::uint64_t> life = life_(page);
  if (!life.has_value()) return false;
  const PageUser user = PageUser::of(use);
  if (agreed) {
    rights_[user] = {page, *life};
    return *life == 0;
  }
  if (use.answer) return false;
  const auto right = rights_.find(user);
  return *life == 0 || (right != rights_.end() && right->second.page == page && right->second.life != *life);
}

void StaleUseDetector::stale(const Watched& watched, const TranslationUse& use, const ReferenceResult& answer,
                             bool given_away) {
  StaleUse found;
  found.use = use;
  found.user = watched.name;
  found.covering = watched.user->covering(use);
  if (watched.iommu != nullptr && !found.covering.done_before(use)) {
    const CoveringInvalidation queued = watched.iommu->covering(use);
    if (queued.done_before(use) || !found.covering.exists()) found.covering = queued;
  }
  found.given_away = given_away;
  found.error = given_away || found.covering.done_before(use);
  // Nobody has used it yet, and the ATC may never.
  if (use.answer && !found.error) return;

  const PageUser user = PageUser::of(use);
  const Addr page = use.address >> kPageShift;
  const auto [exposure, fresh] = exposures_.try_emplace(user);
  if (exposure->second.first == kNever || exposure->second.address != page) {
    exposure->second = {use.time, page};
  }
  found.first = exposure->second.first;
  const auto owner = owners_.find(page);
  if (owner != owners_.end()) {
    found.reused = !(owner->second.user == user);
    found.owner = owner->second.user;
    found.owner_time = owner->second.time;
    if (!found.reused) found.agreed = owner->second.time;
  }

  if (fresh) stats_.pages.add();
  if (found.reused) stats_.reused.add();
  if (given_away) stats_.given_away.add();
  if (found.error) {
    stats_.errors.add();
  } else {
    (use.write ? stats_.writes : stats_.reads)[static_cast<unsigned>(use.origin)].add();
    stats_.age.record(use.time - found.first);
  }
  std::vector<StaleUse>& list = found.error ? errors_ : exposed_;
  if (list.size() >= listed_) return;
  found.tables = describe_answer(answer, use);
  list.push_back(std::move(found));
}

}  // namespace svasim
