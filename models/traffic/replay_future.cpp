#include "models/traffic/replay_future.h"

#include <algorithm>

namespace svasim {
namespace {

template <typename Field>
DomainId domain_of(const InvalidationDescriptor& d) {
  return DomainId(static_cast<std::uint16_t>(Field::get(d)));
}

}  // namespace

ReplayFuture::ReplayFuture(const TraceDataset& dataset, const ReplaySession& live, bool probes,
                           bool by_requester)
    : live_(live), by_requester_(by_requester) {
  ReplaySession ahead(dataset);
  if (probes) ahead.take_probes();
  for (ReplayStep step = ahead.next(); step != ReplayStep::kEnd; step = ahead.next()) {
    ahead.take();
    if (step == ReplayStep::kAccess) {
      use(ahead.access(), ahead.issued());
    } else if (step == ReplayStep::kInvalidation) {
      invalidate(ahead.invalidation().descriptor, ahead.issued());
      ahead.waited();
    }
  }
}

void ReplayFuture::use(const ReplayAccess& access, std::uint64_t number) {
  if (access.recorded_shift == 0) return;
  Page page;
  page.domain = access.domain.value();
  page.shift = access.recorded_shift;
  page.first = access.iova >> page.shift << page.shift;
  page.requester = by_requester_ ? access.requester.value() : std::uint16_t{0};
  page.first_stage = access.first_stage;
  page.pasid = access.page_pasid.value();
  History& history = pages_[page];
  history.uses.push_back({number, history.invalidated});
}

// SPEC: [VTD 6.5.2.3, 6.5.2.4] as hardware may keep entries at most.
void ReplayFuture::invalidate(const InvalidationDescriptor& d, std::uint64_t number) {
  const auto type = static_cast<InvalidationType>(invalidation_type(d));
  if (type == InvalidationType::kIotlb) {
    using D = IotlbDescriptor;
    const DomainId domain = domain_of<D::DID>(d);
    switch (static_cast<IotlbGranularity>(D::G::get(d))) {
      case IotlbGranularity::kGlobal:
        for (auto& [page, history] : pages_) history.invalidated = number;
        break;
      case IotlbGranularity::kDomain:
        drop(domain, number, [](const Page&) { return true; });
        break;
      case IotlbGranularity::kPage: {
        const Range range(D::ADDR::in_place(d), static_cast<unsigned>(D::AM::get(d)));
        drop(domain, number, [&](const Page& p) { return p.first_stage || range.meets(p); });
        break;
      }
      default:
        break;
    }
  } else if (type == InvalidationType::kPasidIotlb) {
    using D = PasidIotlbDescriptor;
    const DomainId domain = domain_of<D::DID>(d);
    const auto pasid = static_cast<std::uint32_t>(D::PASID::get(d));
    if (static_cast<PasidIotlbGranularity>(D::G::get(d)) == PasidIotlbGranularity::kPasid) {
      drop(domain, number, [&](const Page& p) { return !p.first_stage || p.pasid == pasid; });
    } else {
      const Range range(D::ADDR::in_place(d), static_cast<unsigned>(D::AM::get(d)));
      drop(domain, number,
           [&](const Page& p) { return p.first_stage && p.pasid == pasid && range.meets(p); });
    }
  }
}

std::uint64_t ReplayFuture::next_use(RequesterId requester, DomainId domain, Pasid pasid, Addr first,
                                     unsigned shift) const {
  Page page;
  page.domain = domain.value();
  page.shift = static_cast<std::uint8_t>(shift);
  page.first = first;
  page.requester = by_requester_ ? requester.value() : std::uint16_t{0};
  page.pasid = pasid.value();
  const auto found = pages_.find(page);
  if (found == pages_.end()) return kNever;
  const std::vector<Use>& uses = found->second.uses;
  const std::uint64_t after = now();
  const auto next = std::upper_bound(uses.begin(), uses.end(), after,
                                     [](std::uint64_t n, const Use& use) { return n < use.access; });
  return next == uses.end() || next->invalidated >= after ? kNever : next->access;
}

}  // namespace svasim
