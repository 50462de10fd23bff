#include "models/iommu/invalidation_history.h"

#include <algorithm>

#include "models/formats/ats_messages.h"

namespace svasim {

void InvalidationHistory::keep(const Item& item) {
  using Kind = InvalidationOperation::Kind;
  const Kind kind = item.operation.kind;
  if (kind == Kind::kWait || kind == Kind::kGroupResponse || kind == Kind::kInterruptEntries) return;
  executed_.push_back(item);
  if (executed_.size() > kRemembered) {
    executed_.pop_front();
    ++first_;
  }
}

void InvalidationHistory::executed(const InvalidationOperation& operation, std::uint64_t arrived, Ps now) {
  Item item{operation, now, now, kNever, arrived};
  if (!waiting_.empty()) {
    item.queued = waiting_.front().queued;
    waiting_.pop_front();
  }
  keep(item);
}

void InvalidationHistory::commanded(const InvalidationOperation& operation, std::uint64_t arrived, Ps now) {
  keep({operation, now, now, kNever, arrived});
}

void InvalidationHistory::completed(std::uint64_t count, Ps now) {
  for (std::uint64_t number = std::max(completed_, first_); number < count; ++number) {
    executed_[number - first_].done = now;
  }
  completed_ = std::max(completed_, count);
}

// SPEC: [VTD 6.5.2.1 - 6.5.2.5] what was asked for before the invalidation and lies in its scope.
bool InvalidationHistory::covers(const Item& item, const TranslationUse& use) {
  using Kind = InvalidationOperation::Kind;
  const InvalidationOperation& o = item.operation;
  const SpaceTag tag(use.space);
  const bool of_atc = use.origin == TranslationOrigin::kAtc;
  const auto later = [&](std::uint64_t born) {
    return !of_atc && (item.executed == kNever || item.arrived >= born);
  };
  switch (o.kind) {
    case Kind::kContextGlobal:
      return later(use.context_born);
    case Kind::kContextDomain:
      return later(use.context_born) && tag.did() == o.did;
    case Kind::kContextDevice:
      return later(use.context_born) &&
             ((use.requester.value() ^ o.requester.value()) & ~std::uint32_t{o.requester_mask}) == 0;
    case Kind::kPasidGlobal:
      return later(use.space_born);
    case Kind::kPasidDomain:
      return later(use.space_born) && tag.did() == o.did;
    case Kind::kPasidSelective:
      return later(use.space_born) && tag.did() == o.did && tag.pasid() == o.pasid;
    case Kind::kTranslations:
      return later(use.born) && o.scope.covers(tag, use.iova >> kPageShift << kPageShift, kPageShift);
    case Kind::kDeviceTlb: {
      const bool global = InvalidateRequestBody::G::get(o.body) != 0;
      return of_atc && item.executed > use.asked && o.requester == use.requester &&
             o.has_pasid == use.has_pasid && (!o.has_pasid || global || o.pasid == use.pasid) &&
             decode_range(o.body).contains(use.iova);
    }
    default:
      return false;
  }
}

CoveringInvalidation InvalidationHistory::covering(const TranslationUse& use) const {
  CoveringInvalidation first;
  for (const std::deque<Item>* items : {&executed_, &waiting_}) {
    for (const Item& item : *items) {
      if (!covers(item, use)) continue;
      if (item.done != kNever && use.after(item.done)) return {item.queued, item.done};
      if (!first.exists()) first = {item.queued, item.done};
    }
  }
  return first;
}

}  // namespace svasim
